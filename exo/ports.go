package exo

import "sync/atomic"

// Port is an address in the 64 KiB I/O space (Intel SDM vol. 1, chapter 19).
type Port uint16

// Ports holds a range of I/O ports. Offsets count from the first. Protected as MMIO is, with the same panics.
type Ports struct {
	first    uint16
	readable atomic.Uint32 // ports that may be read
	writable atomic.Uint32 // ports that may be written to
	size     uint32
	rights   Rights
	b        Binding
}

// BindPorts binds n ports from first on. Read gives input, Write output.
//
// Needs: Bind, and Read or Write. Errors: those of Derive. It does not block.
func BindPorts(c Cap, holder string, first Port, n int) (*Ports, error) {
	return bindPorts(c, holder, first, n, c.Rights())
}

func bindPorts(c Cap, holder string, first Port, n int, rights Rights) (*Ports, error) {
	if n <= 0 || n > 1<<16 {
		return nil, outside(PortSpace, uint64(first), uint64(first)+uint64(n)-1, 0, 0xffff, "")
	}
	p := &Ports{first: uint16(first), size: uint32(n), rights: rights}
	p.b = Binding{lo: uint64(first), hi: uint64(first) + uint64(n) - 1, holder: holder, res: p}
	if err := c.bindIn(spPort, &p.b, readOrWrite(rights)); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Ports) ready() error {
	if p.rights&Read != 0 {
		p.readable.Store(p.size)
	}
	if p.rights&Write != 0 {
		p.writable.Store(p.size)
	}
	return nil
}

func (p *Ports) unbind() {
	p.readable.Store(0)
	p.writable.Store(0)
}

func (p *Ports) In8(off uint32) uint8   { return portsIn8(p, off) }
func (p *Ports) In16(off uint32) uint16 { return portsIn16(p, off) }
func (p *Ports) In32(off uint32) uint32 { return portsIn32(p, off) }

func (p *Ports) Out8(off uint32, v uint8)   { portsOut8(p, off, v) }
func (p *Ports) Out16(off uint32, v uint16) { portsOut16(p, off, v) }
func (p *Ports) Out32(off uint32, v uint32) { portsOut32(p, off, v) }

// portsRefuseIn and portsRefuseOut say why an access of some width at off was refused.

func portsRefuseIn(p *Ports, off uint32)  { p.refuse(off, Read) }
func portsRefuseOut(p *Ports, off uint32) { p.refuse(off, Write) }

func (p *Ports) refuse(off uint32, want Rights) {
	if err := p.b.err(); err != nil {
		panic(err)
	}
	if p.rights&want == 0 {
		panic(&RightsError{Space: PortSpace, Holder: p.b.holder, Want: want, Have: p.rights})
	}
	panic(outside("port offset", uint64(off), uint64(off), 0, uint64(p.size-1), "an access stays inside the range"))
}

// Err is nil while the binding lives.
func (p *Ports) Err() error { return p.b.err() }

// Release ends the binding.
func (p *Ports) Release() error { return p.b.Release() }
