package exo

// Message-signalled interrupts: PCI 3.0, 6.8 (MSI in 6.8.1, MSI-X in 6.8.2). A message is a store to the local APICs'
// window: Intel SDM vol. 3A, 11.11.

const (
	capMSI  = 0x05
	capMSIX = 0x11

	msiEnable = 1 << 0
	msiCount  = 7 << 4 // Multiple Message Enable
	msi64     = 1 << 7

	msixEnable = 1 << 15
	msixMasked = 1 << 14
	msixSize   = 0x7ff
	msixEntry  = 16
	entryOff   = 1 // vector control: masked

	msgAddress = 0xfee00000 // destination ID in bits 12-19
)

// messages is how a function raises interrupts.
type messages struct {
	known  bool
	at     int // the capability; 0: it has none
	x      bool
	n      int
	table  uintptr // MSI-X: where its table is mapped
	opened bool    // MSI-X: entries masked and the capability enabled
}

// Messages is how many interrupts the function can raise: the size of its MSI-X table, 1 for MSI, 0 without either.
func (f *Function) Messages() (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.msg.find(f)
	return f.msg.n, err
}

// Bind sends message i to v on cpu (nil: the boot CPU) and unmasks it.
//
// Errors: those of Err for the function, the vector or the CPU; *RangeError when there is no such message or no interrupt reaches
// that CPU, *MachineError for a table that lies. It does not park.
func (f *Function) Bind(i int, v *Vector, cpu *CPU) error { return theWorld.routes.bind(f, i, v, cpu) }

// Mask stops message i. Bind starts it again.
func (f *Function) Mask(i int) error {
	f.mu.Lock()
	err := f.msg.need(f, i)
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return theWorld.routes.mask(f, i)
}

// The methods of a source.

func (f *Function) dead() error { return f.b.err() }

func (f *Function) program(i int, vector uint8, apic uint32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.msg.need(f, i); err != nil {
		return err
	}
	addr, data := msgAddress|apic<<12, uint32(vector) // fixed delivery, physical destination, edge
	m := &f.msg
	if !m.x {
		ctl := f.c.load16(f.ID, m.at+2)
		f.c.store16(f.ID, m.at+2, ctl&^(msiEnable|msiCount))
		f.c.store32(f.ID, m.at+4, addr)
		dataAt := m.at + 8
		if ctl&msi64 != 0 {
			f.c.store32(f.ID, m.at+8, 0)
			dataAt = m.at + 12
		}
		f.c.store16(f.ID, dataAt, uint16(data))
		f.c.store16(f.ID, m.at+2, ctl&^msiCount|msiEnable)
		return nil
	}
	m.open(f)
	e := m.table + uintptr(i)*msixEntry
	store32(e+12, entryOff) // an entry may change only while it is masked (6.8.2.9)
	store32(e, addr)
	store32(e+4, 0)
	store32(e+8, data)
	store32(e+12, 0)
	return nil
}

func (f *Function) quiet(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := &f.msg
	switch {
	case i < 0 || i >= m.n:
	case m.x:
		m.open(f)
		store32(m.table+uintptr(i)*msixEntry+12, entryOff)
	default:
		f.c.store16(f.ID, m.at+2, f.c.load16(f.ID, m.at+2)&^msiEnable)
	}
}

func (m *messages) need(f *Function, i int) error {
	if err := f.b.err(); err != nil {
		return err
	}
	if err := m.find(f); err != nil {
		return err
	}
	if i < 0 || i >= m.n {
		return outside("PCI function "+f.ID.String()+" message", uint64(i), uint64(i), 0, uint64(m.n)-1, "the device has "+decimal(uint64(m.n)))
	}
	return nil
}

// find reads the capability once. MSI-X is taken where both exist.
func (m *messages) find(f *Function) error {
	if m.known {
		return nil
	}
	if err := f.b.err(); err != nil {
		return err
	}
	if caps := capabilities(f.load16, capMSIX); len(caps) > 0 {
		at := caps[0]
		n := int(f.load16(at+2)&msixSize) + 1
		where := f.load32(at + 4)
		b, err := f.readBAR(int(where & 7))
		if err != nil {
			return err
		}
		off := uint64(where &^ 7)
		if b.io || off+uint64(n)*msixEntry > b.size {
			return fault("PCI function "+f.ID.String(), "its MSI-X table is not inside the BAR it names")
		}
		va, err := f.c.w.pages.address(Phys(b.base+off), uint64(n)*msixEntry)
		if err != nil {
			return err
		}
		*m = messages{known: true, at: at, x: true, n: n, table: va}
		return nil
	}
	*m = messages{known: true}
	if caps := capabilities(f.load16, capMSI); len(caps) > 0 {
		m.at, m.n = caps[0], 1
	}
	return nil
}

// open masks every entry and turns MSI-X on, the first time.
func (m *messages) open(f *Function) {
	if m.opened {
		return
	}
	m.opened = true
	f.command(cmdMemory, 0)
	ctl := f.c.load16(f.ID, m.at+2)
	f.c.store16(f.ID, m.at+2, ctl|msixEnable|msixMasked)
	for i := 0; i < m.n; i++ {
		store32(m.table+uintptr(i)*msixEntry+12, entryOff)
	}
	f.c.store16(f.ID, m.at+2, ctl&^msixMasked|msixEnable)
}

// off turns messages off.
func (m *messages) off(f *Function) {
	switch {
	case m.at == 0:
	case m.x:
		f.c.store16(f.ID, m.at+2, f.c.load16(f.ID, m.at+2)&^msixEnable)
	default:
		f.c.store16(f.ID, m.at+2, f.c.load16(f.ID, m.at+2)&^msiEnable)
	}
	*m = messages{}
}
