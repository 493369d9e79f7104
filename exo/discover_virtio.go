package exo

import "strings"

// VirtioMMIO is a virtio device behind memory-mapped registers (VIRTIO 1.2, 4.2).
type VirtioMMIO struct {
	Base      Phys
	Size      uintptr
	GSI       GSI
	ActiveLow bool
	Device    uint32 // device ID (VIRTIO 1.2, chapter 5)
}

// identify reads the magic value, the version and the device ID (4.2.2). A slot without a device says 0.
func (s *VirtioMMIO) identify(w *world) (bool, error) {
	const regs, magic = 0x100, 0x74726976
	thing := "virtio device at " + hex(uint64(s.Base))
	if s.Size < regs {
		return false, fault(thing, "its "+decimal(uint64(s.Size))+" bytes cannot hold the registers")
	}
	if ram, _, _ := touchesRAM(s.Base, uint64(s.Size)); ram {
		return false, fault(thing, "there is RAM at that address")
	}
	va, err := w.pages.address(s.Base, uint64(s.Size))
	if err != nil {
		return false, err
	}
	if load32(va) != magic {
		return false, fault(thing, "nothing there answers as virtio does")
	}
	s.Device = load32(va + 8)
	if s.Device == 0 {
		return false, nil
	}
	if v := load32(va + 4); v != 2 {
		return false, fault(thing, "it speaks version "+decimal(uint64(v))+" of the interface, not 2: start QEMU with -global virtio-mmio.force-legacy=false")
	}
	return true, nil
}

// virtio lists the devices that the definition blocks name: LNRO0005, as QEMU, Cloud Hypervisor and Firecracker do.
func (ns *namespace) virtio() (list []VirtioMMIO, errs []error) {
	for _, d := range ns.devices("LNRO0005") {
		r, err := ns.resources(d)
		if err == nil && (len(r.mem) == 0 || len(r.irqs) == 0) {
			err = faultIn("ACPI device", d.path, 0, "its _CRS gives no memory or no interrupt")
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m, irq := r.mem[0], r.irqs[0]
		list = append(list, VirtioMMIO{Base: m.base, Size: uintptr(m.size), GSI: irq.gsi, ActiveLow: irq.activeLow})
	}
	return list, errs
}

// cmdlineVirtio lists the devices that the VMM's command line names, in Linux's form:
// virtio_mmio.device=SIZE[KMG]@ADDRESS:IRQ[:ID].
func cmdlineVirtio(line string) (list []VirtioMMIO, errs []error) {
	for _, tok := range strings.Fields(line) {
		v, ok := strings.CutPrefix(tok, "virtio_mmio.device=")
		if !ok {
			continue
		}
		size, rest, ok1 := strings.Cut(v, "@")
		base, rest, ok2 := strings.Cut(rest, ":")
		irq, _, _ := strings.Cut(rest, ":")
		s, ok3 := parseSize(size)
		b, ok4 := parseSize(base)
		i, ok5 := parseSize(irq)
		if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || i > 1<<16 || s == 0 || b+s < b {
			errs = append(errs, fault("command line word "+tok, "its form is virtio_mmio.device=SIZE@ADDRESS:IRQ"))
			continue
		}
		list = append(list, VirtioMMIO{Base: Phys(b), Size: uintptr(s), GSI: GSI(i)})
	}
	return list, errs
}

// parseSize reads a number as Linux's memparse does: decimal, 0x or leading 0 for octal, with K, M or G after it.
func parseSize(s string) (v uint64, ok bool) {
	if s == "" {
		return 0, false
	}
	shift := 0
	switch s[len(s)-1] | 0x20 {
	case 'k':
		shift = 10
	case 'm':
		shift = 20
	case 'g':
		shift = 30
	}
	if shift > 0 {
		s = s[:len(s)-1]
	}
	base := uint64(10)
	if h, found := strings.CutPrefix(s, "0x"); found {
		base, s = 16, h
	} else if len(s) > 1 && s[0] == '0' {
		base, s = 8, s[1:]
	}
	for _, c := range []byte(s) {
		d := uint64(99)
		switch {
		case c >= '0' && c <= '9':
			d = uint64(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			d = uint64(c|0x20-'a') + 10
		}
		if d >= base || v > (^uint64(0)-d)/base {
			return 0, false
		}
		v = v*base + d
	}
	return v << shift, s != "" && v<<shift>>shift == v
}
