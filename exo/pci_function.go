package exo

import "sync"

// Function holds a PCI function: its configuration space for reading, its base address registers, its messages, and, once
// enabled, the right of its device to read and write memory. There is no IOMMU in this form: a device that masters the bus
// reaches all memory, so holding a Function is trust in its driver.
type Function struct {
	FunctionInfo

	c     *pciRoot
	claim *claim

	mu   sync.Mutex
	bars [6]struct {
		mem *MMIO
		io  *Ports
	}
	msg messages // under mu
}

// TakeFunction claims the PCI function id.
//
// Errors: *MachineError if nothing is there, *HeldError. It does not park.
func TakeFunction(holder string, id FunctionID) (*Function, error) {
	w := theWorld
	c, err := w.pciRoot()
	if err != nil {
		return nil, err
	}
	info, header, ok := c.identify(id)
	if !ok || header&0x7f != 0 {
		return nil, fault("PCI function "+id.String(), "there is no device there, or it is a bridge")
	}
	cl, err := w.functions.take("PCI function", holder, uint64(id), uint64(id))
	if err != nil {
		return nil, err
	}
	f := &Function{FunctionInfo: info, c: c, claim: cl}
	f.command(0, cmdMaster)
	return f, nil
}

// ConfigSize is the size of the configuration space: 256 or 4096.
func (f *Function) ConfigSize() int { return f.c.size(f.ID) }

// Load8, Load16 and Load32 read configuration space; what is not there reads as ones. There are no stores: what a driver
// needs of them are the methods below, and the rest would let it move its registers over another's.
func (f *Function) Load8(off int) uint8 { return f.c.load8(f.ID, off) }

// Load16 reads the 16-bit register at off, a multiple of 2.
func (f *Function) Load16(off int) uint16 { return f.c.load16(f.ID, off&^1) }

// Load32 reads the 32-bit register at off, a multiple of 4.
func (f *Function) Load32(off int) uint32 { return f.c.load32(f.ID, off&^3) }

// Capabilities gives the offsets of the capabilities with an ID, in the list's order (PCI 3.0, 6.7).
func (f *Function) Capabilities(id uint8) []int { return capabilities(f.Load16, id) }

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

// Enable lets the function decode its registers and master the bus, and turns its INTx pin off.
func (f *Function) Enable() { f.command(cmdMemory|cmdPorts|cmdMaster|cmdNoINTx, 0) }

// Disable takes the bus from it: when it returns the device starts no more reads or writes of memory.
func (f *Function) Disable() { f.command(0, cmdMaster) }

func (f *Function) command(set, clear uint16) {
	v := f.c.load16(f.ID, pciCommand)
	if n := v&^clear | set; n != v {
		f.c.store16(f.ID, pciCommand, n)
	}
}

// Release takes the bus from the function, turns its messages off and gives back the registers taken through it.
func (f *Function) Release() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.claim == nil {
		return released("PCI function")
	}
	f.Disable()
	f.msg.off(f)
	for i := range f.bars {
		if m := f.bars[i].mem; m != nil && m.size != 0 {
			m.Release()
		}
		if p := f.bars[i].io; p != nil && p.size != 0 {
			p.Release()
		}
	}
	c := f.claim
	f.claim = nil
	return c.release()
}
