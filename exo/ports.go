package exo

// Port is an address in the 64 KiB I/O space (Intel SDM vol. 1, chapter 19).
type Port uint16

// Ports holds a range of I/O ports. Offsets count from the first; an access outside it panics with a *RangeError.
type Ports struct {
	first uint16
	size  uint32 // 0 after Release
	claim *claim
}

// TakePorts claims n ports from first on.
//
// Errors: *HeldError, *RangeError. It does not block.
func TakePorts(holder string, first Port, n int) (*Ports, error) {
	if n <= 0 || int(first)+n > 1<<16 {
		return nil, outside("port", uint64(first), uint64(first)+uint64(n)-1, 0, 0xffff, "")
	}
	c, err := theWorld.ports.take("port", holder, uint64(first), uint64(first)+uint64(n)-1)
	if err != nil {
		return nil, err
	}
	return &Ports{first: uint16(first), size: uint32(n), claim: c}, nil
}

func (p *Ports) at(off, n uint32) uint16 {
	if off >= p.size || p.size-off < n {
		if p.size == 0 {
			panic(released("port"))
		}
		panic(outside("port offset", uint64(off), uint64(off+n-1), 0, uint64(p.size-1), ""))
	}
	return p.first + uint16(off)
}

func (p *Ports) In8(off uint32) uint8   { return in8(p.at(off, 1)) }
func (p *Ports) In16(off uint32) uint16 { return in16(p.at(off, 2)) }
func (p *Ports) In32(off uint32) uint32 { return in32(p.at(off, 4)) }

func (p *Ports) Out8(off uint32, v uint8)   { out8(p.at(off, 1), v) }
func (p *Ports) Out16(off uint32, v uint16) { out16(p.at(off, 2), v) }
func (p *Ports) Out32(off uint32, v uint32) { out32(p.at(off, 4), v) }

// Release gives the ports back.
func (p *Ports) Release() error {
	if p.size == 0 {
		return released("port")
	}
	p.size = 0
	return p.claim.release()
}
