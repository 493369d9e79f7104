package exo

// Inventory is what the machine has that drivers look for. It holds names, not capabilities: who wants one takes it.
type Inventory struct {
	Functions []FunctionInfo // PCI functions, bridges among them
	Virtio    []VirtioMMIO   // virtio devices behind memory-mapped registers; empty slots are left out
	Problems  []error        // what was found and could not be understood
}

// Discover looks at the machine once, when it is first called: the command line, ACPI's definition blocks, PCI. It costs
// an exit to the hypervisor for each register it reads (some 100 on a PC, a few on a microvm), and it does not park.
// What it finds wrong is in Problems; a machine without ACPI or PCI is no problem.
func Discover() *Inventory {
	w := theWorld
	w.inventory.once.Do(func() { w.inventory.inv = w.discover() })
	return w.inventory.inv
}

func (w *world) discover() *Inventory {
	inv := new(Inventory)
	problem := func(err error) {
		if err != nil {
			inv.Problems = append(inv.Problems, err)
		}
	}
	slots, errs := cmdlineVirtio(hwCmdline())
	inv.Problems = append(inv.Problems, errs...)
	if hwRSDP() != 0 {
		ns, err := w.namespace()
		problem(err)
		if ns != nil {
			inv.Problems = append(inv.Problems, ns.errs...)
			more, errs := ns.virtio()
			slots = append(slots, more...)
			inv.Problems = append(inv.Problems, errs...)
		}
	}
	for i, s := range slots {
		if again(slots[:i], s.Base) {
			continue
		}
		ok, err := s.identify(w)
		problem(err)
		if ok {
			inv.Virtio = append(inv.Virtio, s)
		}
	}
	c, err := w.pciRoot()
	problem(err)
	if c != nil && c.present() {
		inv.Functions = c.scan()
	}
	return inv
}

func again(list []VirtioMMIO, base Phys) bool {
	for _, s := range list {
		if s.Base == base {
			return true
		}
	}
	return false
}
