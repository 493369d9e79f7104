package exo

import "sync"

// Wired interrupts: the I/O APICs that the MADT names (82093AA; register layout as Intel's chipset data sheets give it).
//
// Every input is programmed as an edge, whatever the device's tables say, and polarity as they say. An edge needs no
// masking between the interrupt and the holder's goroutine; a level would fire again at each end of interrupt until
// that goroutine has quieted the device. The price is a rule for the holder: after binding, and after each wait, serve
// the device until it is quiet, because a line that stays asserted makes no further edge. A line has one holder, so that
// two devices cannot hide each other's edges; PCI's shared INTx pins are not offered (functions have MSI or MSI-X).

// router is the set of I/O APICs. exo holds their registers; nobody else may program them.
type router struct {
	apics     []ioapic
	overrides []override
}

type ioapic struct {
	mu   *sync.Mutex // IOREGSEL and IOWIN are one register pair
	mem  *MMIO
	from GSI
	n    uint32 // inputs
}

const (
	ioRegSel  = 0x00
	ioWin     = 0x10
	ioVersion = 0x01
	ioEntry   = 0x10 // two registers an input

	entryActiveLow = 1 << 13
	entryMasked    = 1 << 16
)

func (w *world) router() (*router, error) {
	w.ioapics.once.Do(func() { w.ioapics.r, w.ioapics.err = w.findIOAPICs() })
	return w.ioapics.r, w.ioapics.err
}

func (w *world) findIOAPICs() (*router, error) {
	list, overrides, err := w.madtInputs()
	if err != nil {
		return nil, err
	}
	r := &router{overrides: overrides}
	for _, a := range list {
		if _, err := w.takeOwn(spMMIO, "I/O APIC", uint64(a.base), uint64(a.base)+0x1f); err != nil {
			return nil, err
		}
		mem := &MMIO{phys: a.base, size: 0x20, rights: Read | Write}
		if err := mem.ready(); err != nil {
			return nil, err
		}
		p := ioapic{mu: new(sync.Mutex), mem: mem, from: a.from}
		v := p.read(ioVersion)
		if v == 0 || v == ^uint32(0) {
			return nil, faultAt("I/O APIC", uint64(a.base), "nothing answers there; use message-signalled interrupts")
		}
		p.n = v>>16&0xff + 1
		r.apics = append(r.apics, p)
	}
	return r, nil
}

// madtInputs is what the MADT says, or, on a machine without ACPI (QEMU's microvm with acpi=off, old Firecracker), the one
// I/O APIC at the address that the MultiProcessor Specification 1.4, 3.6.5 gives it.
func (w *world) madtInputs() ([]inputAPIC, []override, error) {
	const usual = 0xfec00000
	if hwRSDP() == 0 {
		return []inputAPIC{{base: usual}}, nil, nil
	}
	t, err := w.acpiTables()
	if err != nil {
		return nil, nil, err
	}
	madt, err := t.find("APIC", 0)
	if err != nil {
		return nil, nil, err
	}
	if madt == nil {
		return []inputAPIC{{base: usual}}, nil, nil
	}
	return parseMADT(madt)
}

// read and write go through the bottom half, which routes lines of its own (console, power button) on the same two registers: nobody may
// come between the selection and the access.

func (p *ioapic) read(reg uint32) uint32 { return hwIndirect(p.mem.va, reg, 0, false) }

func (p *ioapic) write(reg, v uint32) { hwIndirect(p.mem.va, reg, v, true) }

// find gives the I/O APIC with input g.
func (r *router) find(g GSI) *ioapic {
	for i := range r.apics {
		if p := &r.apics[i]; g >= p.from && uint32(g-p.from) < p.n {
			return p
		}
	}
	return nil
}

// Line holds one wired interrupt input.
//
// Protected by Go types: exo alone programs the I/O APICs. The input is masked when the binding ends.
type Line struct {
	p   *ioapic
	reg uint32
	low uint32 // polarity bit
	gsi GSI
	b   Binding
}

// ISA gives the input that ISA interrupt irq goes to and its polarity, after the MADT's overrides (ACPI 6.5, 5.2.12.5).
func ISA(irq uint8) (g GSI, activeLow bool, err error) {
	r, err := theWorld.router()
	if err != nil {
		return 0, false, err
	}
	g, activeLow = r.isa(irq, false)
	return g, activeLow, nil
}

// isa is where irq goes; low is its polarity where no override tells.
func (r *router) isa(irq uint8, low bool) (GSI, bool) {
	for _, o := range r.overrides {
		if o.irq == irq {
			if o.flags&intiPolarity != 0 {
				low = o.flags&intiPolarity == intiActiveLow
			}
			return o.gsi, low
		}
	}
	return GSI(irq), low
}

// BindLine binds an interrupt input, masked.
//
// Needs: Bind. Errors: those of Derive; *RangeError if no I/O APIC has it, *MachineError if the machine's tables are bad. The
// first call reads the MADT; none parks.
func BindLine(c Cap, holder string, g GSI, activeLow bool) (*Line, error) {
	return bindLine(c, holder, g, activeLow, false)
}

func bindLine(c Cap, holder string, g GSI, activeLow, own bool) (*Line, error) {
	r, err := theWorld.router()
	if err != nil {
		return nil, err
	}
	p := r.find(g)
	if p == nil {
		return nil, outside(LineSpace, uint64(g), uint64(g), 0, uint64(r.last()), "no I/O APIC has this input")
	}
	l := &Line{p: p, reg: ioEntry + 2*uint32(g-p.from), gsi: g}
	if activeLow {
		l.low = entryActiveLow
	}
	l.b = Binding{lo: uint64(g), hi: uint64(g), holder: holder, own: own, res: l}
	if err := c.bindIn(spLine, &l.b, 0); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Line) ready() error {
	l.quiet(0)
	return nil
}

func (l *Line) unbind() { theWorld.routes.drop(l, func() { l.quiet(0) }) }

func (r *router) last() GSI {
	var last GSI
	for _, p := range r.apics {
		last = max(last, p.from+GSI(p.n)-1)
	}
	return last
}

// GSI is the line's name.
func (l *Line) GSI() GSI { return l.gsi }

// Bind sends the line to v on cpu (nil: the boot CPU) and unmasks it. Serve the device once afterwards: an edge that came
// before is lost.
//
// Errors: those of Err for the line, the vector or the CPU; *RangeError if no interrupt reaches that CPU. It does not park.
func (l *Line) Bind(v *Vector, cpu *CPU) error { return theWorld.routes.bind(l, 0, v, cpu) }

// Mask stops the line. Bind starts it again. Once the binding has ended the line is masked, or another's: Mask does nothing.
func (l *Line) Mask() { theWorld.routes.mask(l, 0) }

// Err is nil while the binding lives.
func (l *Line) Err() error { return l.b.err() }

// Release masks the line and ends the binding.
func (l *Line) Release() error { return l.b.Release() }

// The methods of a source.

func (l *Line) dead() error { return l.b.err() }

func (l *Line) program(_ int, vector uint8, apic uint32) error {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.p.write(l.reg, entryMasked)
	l.p.write(l.reg+1, apic<<24)
	l.p.write(l.reg, uint32(vector)|l.low) // fixed delivery, physical destination, edge
	return nil
}

func (l *Line) quiet(int) {
	l.p.mu.Lock()
	l.p.write(l.reg, entryMasked)
	l.p.mu.Unlock()
}
