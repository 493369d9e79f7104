package sim

import "sync"

// IOAPIC is one I/O APIC. Raise is what a device does to an input.
type IOAPIC struct {
	m   *Machine
	mu  sync.Mutex
	sel uint32
	reg [2 * 24]uint32
}

// IOAPICInputs is how many inputs one has.
const IOAPICInputs = 24

// AddIOAPIC puts one at base, all inputs masked.
func (m *Machine) AddIOAPIC(base uintptr) *IOAPIC {
	a := &IOAPIC{m: m}
	for i := 0; i < len(a.reg); i += 2 {
		a.reg[i] = 1 << 16
	}
	m.Map(base, 0x20, a)
	return a
}

func (a *IOAPIC) at() *uint32 {
	if i := int(a.sel) - 0x10; i >= 0 && i < len(a.reg) {
		return &a.reg[i]
	}
	return nil
}

func (a *IOAPIC) Load(off uintptr, width int) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case off == 0:
		return uint64(a.sel)
	case a.sel == 1:
		return (IOAPICInputs-1)<<16 | 0x20
	}
	if p := a.at(); p != nil {
		return uint64(*p)
	}
	return 0
}

func (a *IOAPIC) Store(off uintptr, width int, v uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if off == 0 {
		a.sel = uint32(v) & 0xff
	} else if p := a.at(); p != nil {
		*p = uint32(v)
	}
}

// Entry is the redirection entry of an input.
func (a *IOAPIC) Entry(input int) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return uint64(a.reg[2*input]) | uint64(a.reg[2*input+1])<<32
}

// Raise is a rising edge on an input.
func (a *IOAPIC) Raise(input int) {
	if e := a.Entry(input); e&(1<<16) == 0 {
		a.m.Fire(int(e & 0xff))
	}
}
