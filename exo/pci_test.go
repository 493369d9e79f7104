//go:build !hardtack

package exo

import (
	"errors"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

// A function with MSI, a 32-bit and a 64-bit BAR, seen by ports and by memory.
func testFunction(t *testing.T, inMemory bool) (*sim.Machine, *sim.Function) {
	m, _ := simulated(t)
	p := m.AddPCI()
	if inMemory {
		p.ECAM(0xb0000000, 4)
		m.Install(definitions(t, "pc"), sim.MCFG(0xb0000000, 0, 3))
	}
	bridge := p.Add(0x0008, 0x1b36, 0x000c) // 00:01.0 leads to bus 2, and bus 2 back to itself
	bridge.Config[pciHeader] = 1
	bridge.Config[0x19] = 2
	loop := p.Add(0x0200+7*8, 0x1b36, 0x000c)
	loop.Config[pciHeader] = 1
	loop.Config[0x19] = 2
	many := p.Add(0x0018, 0x8086, 0x1234)
	many.Config[pciHeader] = headerMany
	p.Add(0x001b, 0x8086, 0x1235) // function 3 of the same device
	p.Add(0x0021, 0x8086, 0x1236) // function 1 without a function 0
	f := p.Add(0x0210, 0x1af4, 0x1044)
	f.BAR(0, 0xd0000000, 0x1000, false)
	f.BAR(2, 0x8_0000_0000, 1<<32, true)
	f.Capability(0x50, []byte{capMSI, 0, msi64 | 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Writable[0x52] = 0x71
	for i := 0x54; i < 0x5e; i++ {
		f.Writable[i] = 0xff
	}
	return m, f
}

func TestPCI(t *testing.T) {
	for name, inMemory := range map[string]bool{"ports": false, "memory": true} {
		t.Run(name, func(t *testing.T) {
			_, dev := testFunction(t, inMemory)
			var ids []string
			for _, f := range Discover().Functions {
				ids = append(ids, f.ID.String())
			}
			if got := strings.Join(ids, " "); got != "00:01.0 02:02.0 02:07.0 00:03.0 00:03.3" {
				t.Errorf("found %s", got)
			}
			f, err := TakeFunction("t", functionID(2, 2, 0))
			if err != nil {
				t.Fatal(err)
			}
			if f.Vendor != 0x1af4 || f.Load16(2) != 0x1044 || f.Load8(3) != 0x10 {
				t.Error("identity")
			}
			if want := map[bool]int{false: 256, true: 4096}[inMemory]; f.ConfigSize() != want {
				t.Errorf("config size %d", f.ConfigSize())
			}
			var held *HeldError
			if _, err := TakeFunction("u", f.ID); !errors.As(err, &held) || held.Holder != "t" {
				t.Error(err)
			}
			m, err := f.BAR("t", 0)
			if err != nil || m.Base() != 0xd0000000 || m.Size() != 0x1000 {
				t.Errorf("%+v %v", m, err)
			}
			if m, err := f.BAR("t", 2); err != nil || m.Base() != 0x8_0000_0000 || m.Size() != 1<<32 {
				t.Errorf("%+v %v", m, err)
			}
			for i, want := range map[int]string{1: "not implemented", 3: "upper half", 6: "outside", 0: "held by t"} {
				if _, err := f.BAR("t", i); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("BAR %d: %v", i, err)
				}
			}
			f.Enable()
			if c := f.Load16(pciCommand); c&(cmdMemory|cmdMaster|cmdNoINTx) != cmdMemory|cmdMaster|cmdNoINTx {
				t.Errorf("command %#x", c)
			}
			v, _ := TakeVector("t")
			if n, err := f.Messages(); n != 1 || err != nil {
				t.Error(n, err)
			}
			if err := f.Bind(0, v, nil); err != nil {
				t.Error(err)
			}
			if f.Load32(0x54) != msgAddress || f.Load8(0x5c) != v.Number() || f.Load8(0x52)&(msiEnable|msiCount) != msiEnable {
				t.Error("message")
			}
			var re *RangeError
			if err := f.Bind(1, v, nil); !errors.As(err, &re) {
				t.Error(err)
			}
			f.Mask(0)
			if f.Load8(0x52)&msiEnable != 0 {
				t.Error("mask")
			}
			if f.Release() != nil || f.Release() == nil || f.Bind(0, v, nil) == nil {
				t.Error("release")
			}
			if dev.Config[4]&cmdMaster != 0 {
				t.Error("a released function still masters the bus")
			}
			if _, err := TakeMMIO("u", 0xd0000000, 0x1000); err != nil {
				t.Error(err)
			}
			if _, err := TakeFunction("t", functionID(0, 31, 0)); err == nil {
				t.Error("a function that is not there")
			}
			if _, err := TakePorts("u", 0xcf8, 4); err == nil {
				t.Error("the configuration ports can be taken")
			}
		})
	}
}

// What a device says of itself may be anything.
func TestLyingFunction(t *testing.T) {
	m, _ := simulated(t)
	p := m.AddPCI()
	f := p.Add(0x0010, 1, 1)
	f.Capability(0x40, []byte{9, 0})
	f.BAR(5, 0xd0000000, 0x1000, false)
	f.Config[0x10+4*5] |= 4 // 64 bits wide, and the last
	f.BAR(0, 0, 0x1000, false)
	f.BAR(1, 0x1000, 0x1000, false)                                      // over RAM
	f.Config[0x41], f.Config[0x60], f.Config[0x61] = 0x60, capMSIX, 0x40 // a circle
	f.Config[0x62], f.Config[0x63], f.Config[0x65] = 0xff, 0x07, 0xf     // 2048 entries at 0xf00 of BAR 2
	f.BAR(2, 0xd1000000, 0x1000, false)
	f.Config[0x64] = 2
	fn, err := TakeFunction("t", 0x10)
	if err != nil {
		t.Fatal(err)
	}
	if c := fn.Capabilities(9); len(c) != 1 {
		t.Errorf("circle: %v", c)
	}
	for i, want := range map[int]string{5: "does not exist", 0: "no address", 1: "RAM"} {
		if _, err := fn.BAR("t", i); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("BAR %d: %v", i, err)
		}
	}
	if _, err := fn.Messages(); err == nil || !strings.Contains(err.Error(), "MSI-X table") {
		t.Error(err)
	}
}

func FuzzConfigSpace(f *testing.F) {
	f.Add(make([]byte, 256))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := sim.New(1 << 18)
		defer Simulate(m)()
		fn := m.AddPCI().Add(0, 1, 1)
		copy(fn.Config[4:], b)
		copy(fn.Writable[4:], b)
		if fn.Config[pciHeader]&0x7f != 0 {
			return
		}
		h, err := TakeFunction("t", 0)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := TakeVector("t")
		for i := range 6 {
			h.BAR("t", i)
			h.PortBAR("t", i)
		}
		h.Capabilities(9)
		h.Messages()
		h.Bind(0, v, nil)
		h.Enable()
		if err := h.Release(); err != nil {
			t.Error(err)
		}
	})
}
