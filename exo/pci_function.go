package exo

import "sync"

// Function holds a PCI function: its configuration space for reading, its base address registers, its messages, and, once
// enabled, the right of its device to read and write memory. There is no IOMMU in this form: a device that masters the bus
// reaches all memory, so holding a Function is trust in its driver.
//
// Protected by Go types: exo alone writes configuration space and message tables. When the binding ends the device loses the bus,
// its messages are turned off, and what was bound by BAR and PortBAR ends for the same reason.
type Function struct {
	FunctionInfo

	c      *pciRoot
	rights Rights
	b      Binding

	mu   sync.Mutex // routes.mu before it
	bars [6]struct {
		mem *MMIO
		io  *Ports
	} // under mu
	msg messages // under mu
}

// BindFunction binds the PCI function id. Read gives its configuration space and its registers, Write lets it master the bus.
//
// Needs: Bind and Read. Errors: those of Derive; *MachineError if nothing is there. It does not park.
func BindFunction(c Cap, holder string, id FunctionID) (*Function, error) {
	r, err := theWorld.pciRoot()
	if err != nil {
		return nil, err
	}
	info, header, ok := r.identify(id)
	if !ok || header&0x7f != 0 {
		return nil, fault("PCI function "+id.String(), "there is no device there, or it is a bridge")
	}
	f := &Function{FunctionInfo: info, c: r, rights: c.Rights()}
	f.b = Binding{lo: uint64(id), hi: uint64(id), holder: holder, res: f}
	if err := c.bindIn(spFunction, &f.b, Read); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Function) ready() error {
	f.command(0, cmdMaster)
	return nil
}

func (f *Function) unbind() {
	theWorld.routes.drop(f, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.command(0, cmdMaster)
		f.msg.off(f)
		for i := range f.bars {
			if m := f.bars[i].mem; m != nil {
				m.b.revoke(f.b.err())
			}
			if p := f.bars[i].io; p != nil {
				p.b.revoke(f.b.err())
			}
		}
	})
}

// live panics once the binding has ended: for calls without an error result.
func (f *Function) live() {
	if err := f.b.err(); err != nil {
		panic(err)
	}
}

// ConfigSize is the size of the configuration space: 256 or 4096.
func (f *Function) ConfigSize() int { return f.c.size(f.ID) }

// Load8, Load16 and Load32 read configuration space; what is not there reads as ones. There are no stores: what a driver
// needs of them are the methods below, and the rest would let it move its registers over another's. They panic with the error
// of Err once the binding has ended.
func (f *Function) Load8(off int) uint8 {
	f.live()
	return f.c.load8(f.ID, off)
}

// Load16 reads the 16-bit register at off, a multiple of 2.
func (f *Function) Load16(off int) uint16 {
	f.live()
	return f.load16(off)
}

// Load32 reads the 32-bit register at off, a multiple of 4.
func (f *Function) Load32(off int) uint32 {
	f.live()
	return f.load32(off)
}

func (f *Function) load16(off int) uint16 { return f.c.load16(f.ID, off&^1) }
func (f *Function) load32(off int) uint32 { return f.c.load32(f.ID, off&^3) }

// Capabilities gives the offsets of the capabilities with an ID, in the list's order (PCI 3.0, 6.7).
func (f *Function) Capabilities(id uint8) []int {
	f.live()
	return capabilities(f.load16, id)
}

// capabilities walks the list through load. A device may lead it in a circle: a place seen before ends it.
func capabilities(load func(off int) uint16, id uint8) (at []int) {
	if load(pciStatus)&statusCaps == 0 {
		return nil
	}
	p := int(load(pciCapPtr) & 0xfc)
	var seen [64]bool
	for p >= 0x40 && !seen[p/4] {
		seen[p/4] = true
		head := load(p)
		if uint8(head) == id {
			at = append(at, p)
		}
		p = int(head>>8) & 0xfc
	}
	return at
}

// Enable lets the function decode its registers and master the bus, and turns its INTx pin off. It panics with *RightsError
// without Write, with the error of Err once the binding has ended.
func (f *Function) Enable() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live()
	if f.rights&Write == 0 {
		panic(&RightsError{Space: FunctionSpace, Holder: f.b.holder, Want: Write, Have: f.rights})
	}
	f.command(cmdMemory|cmdPorts|cmdMaster|cmdNoINTx, 0)
}

// Disable takes the bus from it: when it returns the device starts no more reads or writes of memory. Once the binding has
// ended it has lost the bus, or is another's: Disable does nothing.
func (f *Function) Disable() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.b.err() == nil {
		f.command(0, cmdMaster)
	}
}

func (f *Function) command(set, clear uint16) {
	v := f.c.load16(f.ID, pciCommand)
	if n := v&^clear | set; n != v {
		f.c.store16(f.ID, pciCommand, n)
	}
}

// Err is nil while the binding lives.
func (f *Function) Err() error { return f.b.err() }

// Release ends the binding.
func (f *Function) Release() error { return f.b.Release() }
