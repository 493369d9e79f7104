//go:build !hardtack

package exo

import (
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

func TestArmReduced(t *testing.T) {
	for name, want := range map[string]struct {
		gsi    int
		button sim.Button
	}{
		"reduced": {9, sim.Button{Kind: regMMIO32, Addr: 0xfea00000, Mask: 2}},
		"cloud":   {5, sim.Button{Kind: regMMIO8, Addr: 0xe8000000, Mask: 8}},
	} {
		t.Run(name, func(t *testing.T) {
			m, a := simulated(t)
			m.Install(definitions(t, name), sim.FADT{Flags: fadtHWReduced | fadtResetSup | fadtPowerButton,
				Reset: [2]uint64{0, 0xfea00202}, ResetValue: 0x42, Sleep: [2]uint64{0, 0xfea00200}}.Bytes(),
				sim.MADT([][2]uint32{{testIOAPIC, 0}}, nil))
			if err := Arm(); err != nil {
				t.Fatal(err)
			}
			if p := m.PowerOp(powerOff); p != (sim.Power{Kind: regMMIO8, Addr: 0xfea00200, Value: 5<<2 | 1<<5}) {
				t.Errorf("off %+v", p)
			}
			if p := m.PowerOp(powerReset); p != (sim.Power{Kind: regMMIO8, Addr: 0xfea00202, Value: 0x42}) {
				t.Errorf("reset %+v", p)
			}
			b := m.PowerButtonSet()
			if v := uint64(b.Vector); a.Entry(want.gsi) != v {
				t.Errorf("entry %#x, vector %#x", a.Entry(want.gsi), v)
			}
			want.button.Vector = b.Vector
			if b != want.button {
				t.Errorf("button %+v", b)
			}
			if _, err := TakeMMIO("thief", 0xfea00200, 1); err == nil {
				t.Error("the sleep register can be taken")
			}
			if err := Arm(); err != nil {
				t.Errorf("second time: %v", err)
			}
		})
	}
}

// fixedHW is PM1's event and control blocks, and the port that hands them over.
type fixedHW struct {
	status, enable, control uint16
	never                   bool
}

func (f *fixedHW) Load(off uintptr, width int) uint64 {
	return uint64([]uint16{f.status, f.enable, f.control}[off/2])
}

func (f *fixedHW) Store(off uintptr, width int, v uint64) {
	switch off {
	case 0:
		f.status &^= uint16(v) // writing one clears
	case 2:
		f.enable = uint16(v)
	case 4:
		f.control = uint16(v)
	}
}

type smi struct{ f *fixedHW }

func (s smi) Load(uintptr, int) uint64 { return 0 }
func (s smi) Store(_ uintptr, _ int, v uint64) {
	if v == 2 && !s.f.never {
		s.f.control |= pm1SCIEnabled
	}
}

func fixedMachine(t *testing.T, flags uint32) (*sim.Machine, *sim.IOAPIC, *fixedHW) {
	m, a := simulated(t)
	hw := &fixedHW{status: pm1ButtonBit | 1, enable: 0x20, control: 0x1c00}
	m.MapPorts(0x600, 6, hw)
	m.MapPorts(0xb2, 1, smi{hw})
	m.Install(definitions(t, "pc"), sim.MADT([][2]uint32{{testIOAPIC, 0}}, [][3]uint32{{9, 9, 0xd}}),
		sim.FADT{Flags: flags, SCI: 9, SMI: 0xb2, Enable: 2, PM1Event: 0x600, PM1Control: 0x604,
			Reset: [2]uint64{1, 0xcf9}, ResetValue: 15}.Bytes())
	return m, a, hw
}

func TestArmFixed(t *testing.T) {
	m, a, hw := fixedMachine(t, fadtResetSup)
	if err := Arm(); err != nil {
		t.Fatal(err)
	}
	if hw.control&pm1SCIEnabled == 0 || hw.enable != pm1ButtonBit || hw.status&pm1ButtonBit != 0 {
		t.Errorf("%+v", *hw)
	}
	if p := m.PowerOp(powerOff); p != (sim.Power{Kind: regPort16, Addr: 0x604, Value: 6<<10 | 1<<13 | 1}) {
		t.Errorf("off %+v", p)
	}
	if p := m.PowerOp(powerReset); p != (sim.Power{Kind: regPort8, Addr: 0xcf9, Value: 15}) {
		t.Errorf("reset %+v", p)
	}
	b := m.PowerButtonSet()
	if b != (sim.Button{Vector: b.Vector, Kind: regPort16, Addr: 0x600, Mask: pm1ButtonBit, Ack: pm1ButtonBit}) {
		t.Errorf("button %+v", b)
	}
	if a.Entry(9) != uint64(b.Vector) {
		t.Errorf("entry %#x", a.Entry(9))
	}
}

func TestFirmwareNeverHandsOver(t *testing.T) {
	m, _, hw := fixedMachine(t, fadtResetSup)
	hw.never = true
	if err := Arm(); err == nil || !strings.Contains(err.Error(), "power button") {
		t.Error(err)
	}
	if m.PowerOp(powerOff).Kind == 0 || m.VectorsUsed() != 0 {
		t.Error("what could be armed is not, or a vector is left behind")
	}
}

func TestNoFixedButton(t *testing.T) {
	m, _, hw := fixedMachine(t, fadtPowerButton)
	if err := Arm(); err != nil {
		t.Error(err)
	}
	if m.PowerButtonSet().Kind != 0 || m.PowerOp(powerReset).Kind != 0 || hw.enable != 0x20 {
		t.Error("armed what the FADT says is not there")
	}
}

func TestDamagedTables(t *testing.T) {
	for name, spoil := range map[string]func(m *sim.Machine){
		"root pointer": func(m *sim.Machine) { m.RAM(uint64(m.RSDPAddress), 8)[0] = 'X' },
		"sum":          func(m *sim.Machine) { m.RAM(0x10000, 1<<16)[0x60]++ }, // in the DSDT
		"outside":      func(m *sim.Machine) { m.RSDPAddress = 1 << 30 },
	} {
		m, _ := simulated(t)
		m.Install(definitions(t, "reduced"), sim.FADT{Flags: fadtHWReduced}.Bytes())
		spoil(m)
		if err := Arm(); err == nil || !strings.Contains(err.Error(), "ACPI") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
