package exo

// FunctionInfo is what a PCI function says of itself (PCI 3.0, 6.2.1).
type FunctionInfo struct {
	ID        FunctionID
	Vendor    uint16
	Device    uint16
	Class     uint32 // base class, sub-class, interface, 8 bits each
	Revision  uint8
	Subsystem uint32 // subsystem ID << 16 | subsystem vendor
}

// scan lists the functions, bus by bus from those that firmware or the VMM numbered.
func (c *pciRoot) scan() []FunctionInfo {
	var list []FunctionInfo
	var seen [256]bool
	var bus func(n uint8)
	bus = func(n uint8) {
		if seen[n] { // bridges that lead in a circle
			return
		}
		seen[n] = true
		for dev := uint8(0); dev < 32; dev++ {
			for fn := uint8(0); fn < 8; fn++ {
				id := functionID(n, dev, fn)
				info, header, ok := c.identify(id)
				if !ok {
					if fn == 0 {
						break
					}
					continue
				}
				list = append(list, info)
				if header&0x7f == 1 {
					if s := uint8(c.load32(id, pciBuses) >> 8); s != 0 {
						bus(s)
					}
				}
				if fn == 0 && header&headerMany == 0 {
					break
				}
			}
		}
	}
	first := uint8(0)
	if c.ports == nil && len(c.ecams) > 0 {
		first = c.ecams[0].from
	}
	bus(first)
	return list
}

func (c *pciRoot) identify(id FunctionID) (info FunctionInfo, header uint8, ok bool) {
	v := c.load32(id, pciID)
	if v == ^uint32(0) || v == 0 {
		return info, 0, false
	}
	class := c.load32(id, pciClass)
	info = FunctionInfo{ID: id, Vendor: uint16(v), Device: uint16(v >> 16), Class: class >> 8, Revision: uint8(class)}
	header = c.load8(id, pciHeader)
	if header&0x7f == 0 {
		info.Subsystem = c.load32(id, pciSubsystem)
	}
	return info, header, true
}
