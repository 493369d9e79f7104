package exo

import "sync"

// PCI configuration space: PCI Local Bus 3.0, chapters 3.2.2.3.2 (ports) and 6; in memory, PCI Express Base 5.0, 7.2.2.

// FunctionID names a PCI function: bus, device, function.
type FunctionID uint16

func functionID(bus, dev, fn uint8) FunctionID {
	return FunctionID(bus)<<8 | FunctionID(dev&31)<<3 | FunctionID(fn&7)
}

func (id FunctionID) bus() uint8 { return uint8(id >> 8) }

// String is the usual form, bb:dd.f.
func (id FunctionID) String() string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[id>>12], digits[id>>8&15], ':', digits[id>>7&1], digits[id>>3&15], '.', digits[id&7]})
}

// Registers of the header (6.1, 6.2; type 1: PCI-to-PCI Bridge 1.2, 3.2).
const (
	pciID        = 0x00
	pciCommand   = 0x04
	pciStatus    = 0x06
	pciClass     = 0x08
	pciHeader    = 0x0e
	pciBAR       = 0x10
	pciBuses     = 0x18 // type 1: primary, secondary, subordinate
	pciSubsystem = 0x2c
	pciCapPtr    = 0x34

	cmdPorts   = 1 << 0
	cmdMemory  = 1 << 1
	cmdMaster  = 1 << 2
	cmdNoINTx  = 1 << 10
	statusCaps = 1 << 4
	headerMany = 0x80
)

// pciRoot reaches configuration space. Its ports are one register pair, so they need mu; memory needs none.
type pciRoot struct {
	w     *world
	ecams []ecam
	mu    sync.Mutex
	ports *Ports // nil where the machine has no such mechanism

	roomMu sync.Mutex // before mu
	looked bool       // under roomMu, as rooms
	rooms  []pciRoom  // for functions without addresses
}

func (w *world) pciRoot() (*pciRoot, error) {
	w.pci.once.Do(func() { w.pci.c, w.pci.err = w.findPCI() })
	return w.pci.c, w.pci.err
}

func (w *world) findPCI() (*pciRoot, error) {
	c := &pciRoot{w: w}
	if hwRSDP() != 0 {
		if t, err := w.acpiTables(); err == nil {
			if m, err := t.find("MCFG", 0); err == nil && m != nil {
				c.ecams, err = parseMCFG(m)
				if err != nil {
					return nil, err
				}
			}
		}
	}
	if len(c.ecams) == 0 && hwRSDP() != 0 {
		if ns, err := w.namespace(); err == nil {
			c.ecams = ns.hostBridges()
		}
	}
	for _, e := range c.ecams {
		lo := uint64(e.base) + uint64(e.from)<<20
		if _, err := w.takeOwn(spMMIO, "PCI configuration space", lo, uint64(e.base)+uint64(e.to)<<20|0xfffff); err != nil {
			return nil, err
		}
	}
	own, err := w.takeOwn(spPort, "PCI configuration space", 0xcf8, 0xcff)
	if err != nil {
		return nil, err
	}
	p := &Ports{first: 0xcf8, size: 8, rights: Read | Write}
	p.ready()
	// The address register keeps what is written to it where the mechanism exists.
	p.Out32(0, 1<<31)
	if p.In32(0) != 1<<31 {
		for _, b := range own {
			b.Release()
		}
		return c, nil
	}
	c.ports = p
	return c, nil
}

// present says whether any configuration space was found.
func (c *pciRoot) present() bool { return c.ports != nil || len(c.ecams) > 0 }

// size is how much configuration space a function has here: 4 KiB in memory, 256 bytes by ports.
func (c *pciRoot) size(id FunctionID) int {
	for _, e := range c.ecams {
		if e.from <= id.bus() && id.bus() <= e.to {
			return 4096
		}
	}
	return 256
}

// memory is the address of a function's space, 0 where it is not in memory. A bus is mapped when it is first looked at.
func (c *pciRoot) memory(id FunctionID) uintptr {
	for _, e := range c.ecams {
		if id.bus() < e.from || e.to < id.bus() {
			continue
		}
		if va, err := c.w.pages.address(e.base+Phys(id.bus())<<20, 1<<20); err == nil {
			return va + uintptr(id&0xff)<<12
		}
	}
	return 0
}

// load32 reads the register at off (a multiple of 4). What does not exist reads as ones.
func (c *pciRoot) load32(id FunctionID, off int) uint32 {
	if va := c.memory(id); va != 0 && off < 4096 {
		return load32(va + uintptr(off))
	}
	if c.ports == nil || off >= 256 {
		return ^uint32(0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ports.Out32(0, 1<<31|uint32(id)<<8|uint32(off))
	return c.ports.In32(4)
}

func (c *pciRoot) store32(id FunctionID, off int, v uint32) {
	if va := c.memory(id); va != 0 && off < 4096 {
		store32(va+uintptr(off), v)
		return
	}
	if c.ports == nil || off >= 256 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ports.Out32(0, 1<<31|uint32(id)<<8|uint32(off))
	c.ports.Out32(4, v)
}

// store16 writes half a register. By ports too, so that status bits, which clear when written as one, are left alone.
func (c *pciRoot) store16(id FunctionID, off int, v uint16) {
	if va := c.memory(id); va != 0 && off < 4096 {
		store16(va+uintptr(off), v)
		return
	}
	if c.ports == nil || off >= 256 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ports.Out32(0, 1<<31|uint32(id)<<8|uint32(off&^3))
	c.ports.Out16(4+uint32(off&2), v)
}

func (c *pciRoot) load16(id FunctionID, off int) uint16 {
	return uint16(c.load32(id, off&^3) >> (8 * (off & 2)))
}

func (c *pciRoot) load8(id FunctionID, off int) uint8 {
	return uint8(c.load32(id, off&^3) >> (8 * (off & 3)))
}
