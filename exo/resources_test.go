//go:build !hardtack

package exo

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

func TestTwoHolders(t *testing.T) {
	m, _ := simulated(t)
	m.Map(0xd0000000, 0x1000, new(words))
	a, err := TakeMMIO("first driver", 0xd0000100, 0x100)
	if err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	for _, r := range [][2]uintptr{{0xd0000100, 0x100}, {0xd00001ff, 1}, {0xd0000000, 0x101}, {0xd0000000, 0x1000}} {
		_, err := TakeMMIO("second", Phys(r[0]), r[1])
		if !errors.As(err, &held) || held.Holder != "first driver" || held.At != 0xd0000100 || held.To != 0xd00001ff {
			t.Errorf("%#x: %v", r, err)
		}
	}
	if b, err := TakeMMIO("second", 0xd0000200, 0x100); err != nil {
		t.Errorf("the neighbour in the same page: %v", err)
	} else if b.Release() != nil {
		t.Error("release")
	}
	if err := a.Release(); err != nil {
		t.Error(err)
	}
	if _, err := TakeMMIO("second", 0xd0000100, 0x100); err != nil {
		t.Errorf("after release: %v", err)
	}
	var rel *ReleasedError
	if err := a.Release(); !errors.As(err, &rel) {
		t.Errorf("second release: %v", err)
	}
}

func TestRangesThatCannotBe(t *testing.T) {
	simulated(t)
	var re *RangeError
	for name, take := range map[string]func() error{
		"empty MMIO":      func() error { _, err := TakeMMIO("t", 0xd0000000, 0); return err },
		"empty at zero":   func() error { _, err := TakeMMIO("t", 0, 0); return err },
		"MMIO that wraps": func() error { _, err := TakeMMIO("t", ^Phys(0)-5, 100); return err },
		"MMIO over RAM":   func() error { _, err := TakeMMIO("t", 0x80000, 4096); return err },
		"MMIO into RAM":   func() error { _, err := TakeMMIO("t", 0, 1<<21); return err },
		"no ports":        func() error { _, err := TakePorts("t", 0x80, 0); return err },
		"ports off end":   func() error { _, err := TakePorts("t", 0xffff, 2); return err },
		"no frames":       func() error { _, err := TakeFrames("t", 0, 0); return err },
		"odd alignment":   func() error { _, err := TakeFrames("t", 1, 12288); return err },
		"CPU 7":           func() error { _, err := TakeCPU("t", 7); return err },
		"line 99":         func() error { _, err := TakeLine("t", 99, false); return err },
	} {
		if err := take(); !errors.As(err, &re) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nothing of what was refused is held.
	for _, space := range []int{spPort, spFrame, spCPU, spLine} {
		if c := theWorld.root(space); len(c.Free()) != 1 {
			t.Errorf("%s: free after refusals: %v", c.Space(), c.Free())
		}
	}
}

func TestMMIOAccess(t *testing.T) {
	m, _ := simulated(t)
	w := new(words)
	m.Map(0xd0000000, 0x1000, w)
	r, err := TakeMMIO("t", 0xd0000000, 0x10)
	if err != nil {
		t.Fatal(err)
	}
	r.Store64(8, 0x1122334455667788)
	if v := r.Load32(8); v != 0x55667788 {
		t.Errorf("%#x", v)
	}
	if v := r.Load16(14); v != 0x1122 {
		t.Errorf("%#x", v)
	}
	r.Store8(8, 1)
	r.Store16(10, 2)
	r.Store32(12, 3)
	if v := r.Load64(8); v != 0x0000000300027701 {
		t.Errorf("%#x", v)
	}
	n := w.loads + w.stores
	for name, f := range map[string]func(){
		"past the end": func() { r.Load32(16) },
		"across it":    func() { r.Load64(12) },
		"far":          func() { r.Store8(^uintptr(0), 1) },
		"unaligned":    func() { r.Load32(2) },
	} {
		if _, ok := panics(f).(*RangeError); !ok {
			t.Errorf("%s is allowed", name)
		}
	}
	r.Release()
	if _, ok := panics(func() { r.Load8(0) }).(*ReleasedError); !ok {
		t.Error("use after release is allowed")
	}
	if w.loads+w.stores != n {
		t.Error("a refused access reached the device")
	}
}

func panics(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestPorts(t *testing.T) {
	m, _ := simulated(t)
	m.MapPorts(0x300, 8, new(words))
	p, err := TakePorts("t", 0x300, 8)
	if err != nil {
		t.Fatal(err)
	}
	p.Out32(4, 0xaabbccdd)
	if p.In8(4) != 0xdd || p.In16(6) != 0xaabb || p.In32(4) != 0xaabbccdd {
		t.Error("ports do not keep what was written")
	}
	p.Out8(4, 1)
	p.Out16(6, 2)
	if p.In32(4) != 0x0002cc01 {
		t.Errorf("%#x", p.In32(4))
	}
	if _, ok := panics(func() { p.In16(7) }).(*RangeError); !ok {
		t.Error("port past the end")
	}
	if _, err := TakePorts("u", 0x307, 1); err == nil {
		t.Error("overlap")
	}
	p.Release()
	if _, ok := panics(func() { p.In8(0) }).(*ReleasedError); !ok {
		t.Error("use after release")
	}
}

func TestFrames(t *testing.T) {
	m, _ := simulated(t)
	f, err := TakeFrames("t", 3, 16384)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Bytes()) != 3*PageSize || f.Base()%16384 != 0 || m.FramesUsed() != 3 {
		t.Errorf("%d bytes at %#x", len(f.Bytes()), f.Base())
	}
	f.Bytes()[PageSize] = 7
	if m.RAM(uint64(f.Base()), 3*PageSize)[PageSize] != 7 {
		t.Error("the device sees other memory")
	}
	if f.Release() != nil || f.Release() == nil || len(f.Bytes()) != 0 || m.FramesUsed() != 0 {
		t.Error("release")
	}
	var ex *ExhaustedError
	if _, err := TakeFrames("t", 1<<12, 0); !errors.As(err, &ex) {
		t.Error(err)
	}
}

func TestVectorWaits(t *testing.T) {
	m, _ := simulated(t)
	v, err := TakeVector("t")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := v.Wait(-1); n != 0 || err != nil {
		t.Error(n, err)
	}
	m.Fire(int(v.Number()))
	m.Fire(int(v.Number()))
	if n, _ := v.Wait(0); n != 2 {
		t.Error(n)
	}
	start := Now()
	if n, _ := v.Wait(start + 2e6); n != 0 || Now()-start < 2e6 {
		t.Error("deadline")
	}
	v.Release()
	if _, err := v.Wait(0); err == nil {
		t.Error("wait after release")
	}
	for i := 0; ; i++ {
		if _, err := TakeVector("t"); err != nil {
			var ex *ExhaustedError
			if !errors.As(err, &ex) || i != 238-48+1 {
				t.Error(i, err)
			}
			break
		}
	}
}

func TestTimer(t *testing.T) {
	simulated(t)
	tm, err := TakeTimer("t")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := tm.Wait(); ok {
		t.Error("an unarmed timer went off")
	}
	d := Now() + int64(2*time.Millisecond)
	tm.Arm(d)
	if ok, err := tm.Wait(); !ok || err != nil || Now() < d {
		t.Error(ok, err, Now()-d)
	}
}

// Every input an interrupt comes in by leads to the vector and CPU it was bound to, and to none once masked.
func TestLines(t *testing.T) {
	m, a := simulated(t)
	b := m.AddIOAPIC(testIOAPIC2)
	m.APICIDs = []uint32{0, 6}
	m.Install(definitions(t, "pc"), sim.MADT([][2]uint32{{testIOAPIC, 0}, {testIOAPIC2, 24}},
		[][3]uint32{{0, 2, 0}, {9, 20, 0xd}, {10, 21, 0xf}}))
	cpu, err := TakeCPU("t", 1)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := TakeVector("t")
	l, err := TakeLine("t", 24+5, true)
	if err != nil {
		t.Fatal(err)
	}
	b.Raise(5)
	if n, _ := v.Wait(-1); n != 0 {
		t.Error("a line fires before it is bound")
	}
	if err := l.Bind(v, cpu); err != nil {
		t.Fatal(err)
	}
	if e, want := b.Entry(5), uint64(6)<<56|1<<13|uint64(v.Number()); e != want {
		t.Errorf("entry %#x, want %#x", e, want)
	}
	b.Raise(5)
	a.Raise(5)
	if n, _ := v.Wait(-1); n != 1 {
		t.Errorf("fired %d times", n)
	}
	if _, err := TakeLine("u", 29, false); err == nil {
		t.Error("a line with two holders")
	}
	l.Mask()
	b.Raise(5)
	if n, _ := v.Wait(-1); n != 0 {
		t.Error("a masked line fires")
	}
	if l.Release() != nil || l.Release() == nil || l.Bind(v, nil) == nil {
		t.Error("release")
	}
	for irq, want := range map[uint8]GSI{0: 2, 9: 20, 10: 21, 4: 4} {
		if g, low, err := ISA(irq); g != want || low != (irq == 10) || err != nil {
			t.Errorf("ISA %d: %d %v %v", irq, g, low, err)
		}
	}
	m.APICIDs[1] = 300
	c, _ := TakeCPU("far", 0)
	c.Release()
	cpu.Release()
	far, _ := TakeCPU("far", 1)
	k, _ := TakeLine("t", 3, false)
	if err := k.Bind(v, far); err == nil || !strings.Contains(err.Error(), "APIC ID") {
		t.Error(err)
	}
}

// A machine without ACPI has its I/O APIC at the usual place, or none.
func TestLinesWithoutACPI(t *testing.T) {
	simulated(t)
	if _, err := TakeLine("t", 23, false); err != nil {
		t.Error(err)
	}
	defer Simulate(sim.New(1 << 20))()
	if _, err := TakeLine("t", 1, false); err == nil {
		t.Error("a line of no I/O APIC")
	}
}

func TestUseAllocatesNothing(t *testing.T) {
	m, _ := simulated(t)
	w := new(words)
	m.Map(0xd0000000, 0x1000, w)
	m.MapPorts(0x300, 8, w)
	r, _ := TakeMMIO("t", 0xd0000000, 0x1000)
	p, _ := TakePorts("t", 0x300, 8)
	f, _ := TakeFrames("t", 1, 0)
	v, _ := TakeVector("t")
	if n := testing.AllocsPerRun(100, func() {
		r.Store32(0x10, r.Load32(0x20)+1)
		p.Out16(2, p.In16(4))
		f.Bytes()[9]++
		v.Wait(-1)
		Fence()
	}); n != 0 {
		t.Errorf("%v allocations on the use path", n)
	}
}

// The hosted binary with nothing beneath it says what is missing and does not fault.
func TestNoMachine(t *testing.T) {
	defer Simulate(nil)()
	if err := Arm(); err == nil {
		t.Error("armed without a machine")
	}
	inv := Discover()
	if len(inv.Functions)+len(inv.Virtio)+len(inv.Problems) != 0 {
		t.Errorf("%+v", inv)
	}
	if _, err := TakeFrames("t", 1, 0); err == nil {
		t.Error("frames")
	}
	if _, err := TakeVector("t"); err == nil {
		t.Error("vector")
	}
	if _, err := TakeMMIO("t", 0xd0000000, 4096); err == nil {
		t.Error("registers")
	}
}
