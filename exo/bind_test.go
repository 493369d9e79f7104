//go:build !hardtack

package exo

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

// isRevoked says whether v, an error or what was recovered, tells that "the program" took it back.
func isRevoked(v any) bool {
	err, _ := v.(error)
	var rev *RevokedError
	return errors.As(err, &rev) && rev.By == "the program"
}

// grant is a domain with all rights to some names of one space.
func grant(t testing.TB, space string, lo, hi uint64, r Rights) *Domain {
	t.Helper()
	d, err := Root().Sub("driver", Grant{Space: space, Lo: lo, Hi: hi, Rights: r})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMMIOAfterRevoke(t *testing.T) {
	m, _ := simulated(t)
	w := new(words)
	m.Map(0xd0000000, 0x1000, w)
	d := grant(t, MMIOSpace, 0xd0000000, 0xd0000fff, All)
	r, err := d.TakeMMIO("t", 0xd0000100, 0x100)
	if err != nil {
		t.Fatal(err)
	}
	r.Store32(0, 7)
	n := w.loads + w.stores
	if err := Root().Revoke(d); err != nil {
		t.Fatal(err)
	}
	for name, use := range map[string]func(){
		"load":    func() { r.Load32(0) },
		"store":   func() { r.Store64(8, 1) },
		"outside": func() { r.Load8(0x100) },
	} {
		if v := panics(use); !isRevoked(v) {
			t.Errorf("%s: %v", name, v)
		}
	}
	if w.loads+w.stores != n {
		t.Error("a refused access reached the device")
	}
	if r.Size() != 0 || !isRevoked(r.Err()) || !isRevoked(r.Release()) {
		t.Error(r.Size(), r.Err(), r.Release())
	}
	if _, err := d.TakeMMIO("t", 0xd0000100, 0x100); !isRevoked(err) {
		t.Error(err)
	}
	if _, err := TakeMMIO("next", 0xd0000000, 0x1000); err != nil {
		t.Error(err)
	}
}

// A missing right is a length of 0.
func TestRightsOfMMIOAndPorts(t *testing.T) {
	m, _ := simulated(t)
	w := new(words)
	m.Map(0xd0000000, 0x1000, w)
	m.MapPorts(0x300, 8, w)
	var re *RightsError
	for _, r := range []Rights{Read, Write} {
		mc, _ := Root().Caps(MMIOSpace)[0].Derive("t", 0xd0000000, 0xd0000fff, r|Bind)
		pc, _ := Root().Caps(PortSpace)[0].Derive("t", 0x300, 0x307, r|Bind)
		regs, err1 := BindMMIO(mc, "t", 0xd0000000, 0x1000)
		ports, err2 := BindPorts(pc, "t", 0x300, 8)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for name, use := range map[string]func(){"load": func() { regs.Load8(0) }, "in": func() { ports.In8(0) }} {
			if v, _ := panics(use).(error); errors.As(v, &re) == (r == Read) || r == Write && re.Want != Read {
				t.Errorf("%s with %v: %v", name, r, v)
			}
		}
		for name, use := range map[string]func(){"store": func() { regs.Store8(0, 1) }, "out": func() { ports.Out8(0, 1) }} {
			if v, _ := panics(use).(error); errors.As(v, &re) == (r == Write) || r == Read && re.Want != Write {
				t.Errorf("%s with %v: %v", name, r, v)
			}
		}
		if _, err := BindFrames(mc, "t", 0xd0000000, 1); kind(err) != "range" {
			t.Error(err)
		}
		if _, err := BindPorts(mc, "t", 0x300, 1); kind(err) != "rights" {
			t.Error(err)
		}
		mc.Release()
		pc.Release()
	}
	if _, err := BindMMIO(Cap{}, "t", 0xd0000000, 4); kind(err) != "empty" {
		t.Error(err)
	}
	none, _ := Root().Caps(MMIOSpace)[0].Derive("t", 0xd0000000, 0xd0000fff, Bind)
	if _, err := BindMMIO(none, "t", 0xd0000000, 4); kind(err) != "rights" {
		t.Error(err)
	}
	// A driver's own space of the same name is another space.
	_, forged, _ := NewSpace(MMIOSpace, "forger", 0, 1<<40)
	if _, err := BindMMIO(forged, "t", 0xd0000000, 4); kind(err) != "rights" {
		t.Error(err)
	}
	for name, use := range map[string]func(){
		"MMIO": func() { new(MMIO).Load8(0) }, "Ports": func() { new(Ports).In8(0) }, "Function": func() { new(Function).Load8(0) },
	} {
		if v, _ := panics(use).(error); kind(v) != "empty" {
			t.Errorf("a zero %s: %v", name, v)
		}
	}
	if _, err := new(Vector).Wait(0); kind(err) != "empty" {
		t.Error(err)
	}
}

func TestPortsAfterRevoke(t *testing.T) {
	m, _ := simulated(t)
	m.MapPorts(0x300, 8, new(words))
	d := grant(t, PortSpace, 0x300, 0x307, All)
	p, err := d.TakePorts("t", 0x300, 8)
	if err != nil {
		t.Fatal(err)
	}
	p.Out8(0, 1)
	Root().Caps(PortSpace)[0].RevokeRange(0x304, 0x304) // the binding ends whole
	for _, use := range []func(){func() { p.In8(0) }, func() { p.Out32(0, 1) }} {
		if v := panics(use); !isRevoked(v) {
			t.Error(v)
		}
	}
	if _, err := d.TakePorts("t", 0x304, 1); !isRevoked(err) {
		t.Errorf("the port that was taken: %v", err)
	}
	if _, err := d.TakePorts("t", 0x305, 3); err != nil {
		t.Errorf("ports that were not: %v", err)
	}
}

func TestFramesAfterRevoke(t *testing.T) {
	m, _ := simulated(t)
	first := uint64(m.FirstFrame())
	d := grant(t, FrameSpace, first, first+3, All)
	if m.FramesUsed() != 4 {
		t.Errorf("%d frames left the pool with the grant", m.FramesUsed())
	}
	f, err := d.TakeFrames("t", 2, 2*PageSize)
	if err != nil || f.Base()%(2*PageSize) != 0 || len(f.Bytes()) != 2*PageSize {
		t.Fatal(err)
	}
	if _, err := d.TakeFrames("t", 3, 0); kind(err) != "exhausted" {
		t.Error(err)
	}
	if _, err := d.TakeFrames("t", 1<<30, 0); kind(err) != "range" {
		t.Error(err)
	}
	if g, err := TakeFrames("another", 1, 0); err != nil || g.Base() == f.Base() {
		t.Error("a granted frame is given to another")
	}
	Root().Revoke(d)
	if len(f.Bytes()) != 0 || !isRevoked(f.Err()) || !isRevoked(f.Release()) || m.FramesUsed() != 1 {
		t.Error(len(f.Bytes()), f.Err(), m.FramesUsed())
	}
	if panics(func() { f.Bytes()[0] = 1 }) == nil {
		t.Error("a write after the end")
	}
}

// Two holders ask for this frame, this vector: one wins, the other is told who has it.
func TestExposedNames(t *testing.T) {
	m, _ := simulated(t)
	this := Phys(m.FirstFrame()+3) * PageSize
	f, err := TakeFramesAt("first", this, 2)
	if err != nil || f.Base() != this {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := TakeFramesAt("second", this+PageSize, 1); !errors.As(err, &held) || held.Holder != "first" || held.At != uint64(this/PageSize) {
		t.Error(err)
	}
	if _, err := Root().Sub("sub", Grant{FrameSpace, uint64(this / PageSize), uint64(this/PageSize) + 4, All, 0}); !errors.As(err, &held) || held.Holder != "first" {
		t.Error(err)
	}
	f.Release()
	if g, err := TakeFramesAt("second", this+PageSize, 1); err != nil || g.Base() != this+PageSize {
		t.Error(err)
	}
	if _, err := TakeFramesAt("t", this+1, 1); kind(err) != "range" {
		t.Error(err)
	}
	if _, err := TakeFramesAt("t", 1<<40, 1); kind(err) != "range" {
		t.Error(err)
	}
	if _, err := TakeFramesAt("t", 0, 1); !errors.As(err, &held) || held.Holder != "the runtime" {
		t.Errorf("a frame that the bottom half uses: %v", err)
	}
	// The frames before one that cannot be had stay in the pool.
	used := m.FramesUsed()
	if _, err := TakeFramesAt("t", this-2*PageSize, 4); err == nil || m.FramesUsed() != used {
		t.Errorf("%v, %d frames in use, %d before", err, m.FramesUsed(), used)
	}
	if v, err := TakeVectorAt("first", 77); err != nil || v.Number() != 77 {
		t.Fatal(err)
	}
	if _, err := TakeVectorAt("second", 77); !errors.As(err, &held) || held.Holder != "first" {
		t.Error(err)
	}
	m.TakeVector(78) // the runtime takes one
	if _, err := TakeVectorAt("second", 78); !errors.As(err, &held) || held.Holder != "the runtime" {
		t.Error(err)
	}
	if _, err := TakeVectorAt("t", 32); kind(err) != "range" {
		t.Error(err)
	}
	if _, err := TakeLine("first", 5, false); err != nil {
		t.Fatal(err)
	}
	if _, err := TakeLine("second", 5, false); !errors.As(err, &held) || held.Holder != "first" {
		t.Error(err)
	}
}

// A goroutine in Wait is woken with the error; the vector's sources are masked, and its number is free.
func TestVectorAfterRevoke(t *testing.T) {
	m, a := simulated(t)
	d := grant(t, VectorSpace, 60, 61, All)
	v, err := d.TakeVector("t")
	if err != nil || v.Number() != 60 {
		t.Fatal(err)
	}
	tm, err := d.TakeTimer("t")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.TakeVector("t"); kind(err) != "exhausted" {
		t.Error(err)
	}
	l, _ := TakeLine("t", 3, false)
	if err := l.Bind(v, nil); err != nil {
		t.Fatal(err)
	}
	waits, sleeps := make(chan error), make(chan error)
	go func() { _, err := v.Wait(0); waits <- err }()
	go func() { tm.Arm(Now() + 3600e9); _, err := tm.Wait(); sleeps <- err }()
	var busy *BusyError
	for { // until the goroutine is in Wait
		if _, err := v.Wait(-1); errors.As(err, &busy) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for tm.v.state.Load()&inWait == 0 {
		time.Sleep(time.Millisecond)
	}
	Root().Revoke(d)
	if err := <-waits; !isRevoked(err) {
		t.Error(err)
	}
	if err := <-sleeps; !isRevoked(err) {
		t.Error(err)
	}
	if _, err := v.Wait(-1); !isRevoked(err) || v.Number() != 0 {
		t.Error(err)
	}
	if a.Entry(3)&entryMasked == 0 || m.VectorsUsed() != 0 {
		t.Errorf("line entry %#x, %d vectors in use", a.Entry(3), m.VectorsUsed())
	}
	if err := l.Bind(v, nil); !isRevoked(err) {
		t.Error(err)
	}
	if err := l.Bind(nil, nil); kind(err) != "empty" {
		t.Error(err)
	}
	next, _ := TakeVectorAt("next", 60)
	a.Raise(3)
	if n, _ := next.Wait(-1); n != 0 {
		t.Error("a source of the last holder reaches the next")
	}
}

// A line that is taken back is masked, and stays so whatever its last holder does.
func TestLineAfterRevoke(t *testing.T) {
	_, a := simulated(t)
	d := grant(t, LineSpace, 4, 4, All)
	l, err := d.TakeLine("t", 4, true)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := TakeVector("t")
	l.Bind(v, nil)
	Root().Revoke(d)
	if a.Entry(4)&entryMasked == 0 {
		t.Error("not masked")
	}
	if err := l.Bind(v, nil); !isRevoked(err) || a.Entry(4)&entryMasked == 0 {
		t.Error(err)
	}
	next, _ := TakeLine("next", 4, false)
	next.Bind(v, nil)
	l.Mask()
	if l.Release(); a.Entry(4)&entryMasked != 0 {
		t.Error("the last holder masks the next one's line")
	}
}

// Interrupts of a CPU that is taken back go to the boot CPU.
func TestCPUAfterRevoke(t *testing.T) {
	m, a := simulated(t)
	m.APICIDs = []uint32{0, 6}
	d := grant(t, CPUSpace, 1, 1, Bind)
	cpu, err := d.TakeCPU("t", 1)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := TakeVector("t")
	l, _ := TakeLine("t", 4, false)
	l.Bind(v, cpu)
	if a.Entry(4)>>56 != 6 {
		t.Errorf("%#x", a.Entry(4))
	}
	Root().Revoke(d)
	if e := a.Entry(4); e>>56 != 0 || e&entryMasked != 0 {
		t.Errorf("%#x", e)
	}
	if err := l.Bind(v, cpu); !isRevoked(err) {
		t.Error(err)
	}
}

// TestIsolate: a CPU is given whole to one at a time, never the boot CPU, and not when the binding has ended.
func TestIsolate(t *testing.T) {
	m, _ := simulated(t)
	m.APICIDs = []uint32{0, 6}
	boot, err := TakeCPU("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	var re *RangeError
	if err := boot.Isolate(); !errors.As(err, &re) {
		t.Error(err)
	}
	d := grant(t, CPUSpace, 1, 1, Bind)
	c, err := d.TakeCPU("t", 1)
	if err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if err := c.Isolate(); err != nil {
		t.Error(err)
	}
	if err := c.Isolate(); !errors.As(err, &busy) {
		t.Error(err)
	}
	if n := c.Interrupts(); n != 0 {
		t.Error(n) // the host has no CPU to count them
	}
	c.Wake()
	if woken, err := c.Rest(0); !woken || err != nil {
		t.Error(woken, err)
	}
	if woken, err := c.Rest(Now() + 1000); woken || err != nil {
		t.Error(woken, err)
	}
	if err := c.Share(); err != nil {
		t.Error(err)
	}
	if _, err := c.Rest(1); !errors.As(err, &busy) {
		t.Error(err)
	}
	if err := c.Isolate(); err != nil {
		t.Error(err)
	}
	rest := func() chan error {
		done := make(chan error)
		go func() {
			woken, err := c.Rest(Now() + 10e9)
			if woken {
				t.Error("woken")
			}
			done <- err
		}()
		for !c.rests.Load() {
			runtime.Gosched()
		}
		return done
	}
	// Who rests on what is taken away does not go on resting.
	done := rest()
	if err := c.Share(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.As(err, &busy) {
		t.Error(err)
	}
	if err := c.Isolate(); err != nil {
		t.Error(err)
	}
	c.woken.Store(0) // Share may have met one that was about to return
	done = rest()
	Root().Revoke(d)
	if err := <-done; !isRevoked(err) {
		t.Error(err)
	}
	if err := c.Isolate(); !isRevoked(err) || c.alone.Load() {
		t.Error(err)
	}
	if err := c.Share(); !isRevoked(err) {
		t.Error(err)
	}
}

// A function that is taken back has lost the bus, its messages and its registers.
func TestFunctionAfterRevoke(t *testing.T) {
	_, dev := testFunction(t, true)
	id := functionID(2, 2, 0)
	d := grant(t, FunctionSpace, uint64(id), uint64(id), All)
	f, err := d.TakeFunction("t", id)
	if err != nil {
		t.Fatal(err)
	}
	regs, err := f.BAR("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := TakeVector("t")
	f.Enable()
	if err := f.Bind(0, v, nil); err != nil {
		t.Fatal(err)
	}
	Root().Revoke(d)
	if dev.Config[4]&cmdMaster != 0 || dev.Config[0x52]&msiEnable != 0 {
		t.Errorf("command %#x, messages %#x", dev.Config[4], dev.Config[0x52])
	}
	for name, use := range map[string]func(){
		"registers": func() { regs.Load8(0) }, "config": func() { f.Load32(0) }, "Enable": f.Enable, "Capabilities": func() { f.Capabilities(capMSI) },
	} {
		if v := panics(use); !isRevoked(v) {
			t.Errorf("%s: %v", name, v)
		}
	}
	_, err1 := f.Messages()
	_, err2 := f.BAR("t", 0)
	for _, err := range []error{err1, err2, f.Bind(0, v, nil), f.Mask(0), f.Release()} {
		if !isRevoked(err) {
			t.Error(err)
		}
	}
	if dev.Config[4]&cmdMaster != 0 {
		t.Error("a device that was taken back masters the bus")
	}
	next, err := TakeFunction("next", id)
	if err != nil {
		t.Fatal(err)
	}
	next.Enable()
	if f.Disable(); dev.Config[4]&cmdMaster == 0 {
		t.Error("the last holder disables the next one's device")
	}
	if _, err := next.BAR("next", 0); err != nil {
		t.Error(err)
	}
	// Without Write it cannot master the bus, nor store to its registers.
	next.Release()
	d = grant(t, FunctionSpace, uint64(id), uint64(id), Read|Bind)
	f, err = d.TakeFunction("t", id)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := panics(f.Enable).(error); kind(v) != "rights" || dev.Config[4]&cmdMaster != 0 {
		t.Error(v)
	}
	regs, err = f.BAR("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	regs.Load8(0)
	if v, _ := panics(func() { regs.Store8(0, 1) }).(error); kind(v) != "rights" {
		t.Error(v)
	}
}

// slow is a device whose stores take until it is told.
type slow struct {
	in, out chan struct{}
	words
}

func (s *slow) Store(off uintptr, width int, v uint64) {
	s.in <- struct{}{}
	<-s.out
	s.words.Store(off, width, v)
}

// Revoke waits for the access that is under way, so that none reaches the device once it has returned.
func TestRevokeWaitsForAccess(t *testing.T) {
	m, _ := simulated(t)
	dev := &slow{in: make(chan struct{}), out: make(chan struct{})}
	m.Map(0xd0000000, 0x1000, dev)
	d := grant(t, MMIOSpace, 0xd0000000, 0xd0000fff, All)
	r, _ := d.TakeMMIO("t", 0xd0000000, 0x1000)
	go r.Store32(0, 1)
	<-dev.in
	done := make(chan int)
	go func() {
		Root().Revoke(d)
		done <- dev.stores
	}()
	for r.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-done:
		t.Error("Revoke returned with an access under way")
	case <-time.After(5 * time.Millisecond):
	}
	close(dev.out)
	if n := <-done; n != 1 {
		t.Errorf("%d stores when Revoke returned", n)
	}
}

// exo's own is not taken back.
func TestOwnStays(t *testing.T) {
	m, _ := simulated(t)
	m.Install(definitions(t, "pc"), sim.MADT([][2]uint32{{testIOAPIC, 0}}, nil))
	l, err := TakeLine("t", 3, false)
	if err != nil {
		t.Fatal(err)
	}
	mmio := Root().Caps(MMIOSpace)[0]
	var held *HeldError
	if err := mmio.RevokeRange(testIOAPIC, testIOAPIC); !errors.As(err, &held) || held.Holder != "exo: I/O APIC" {
		t.Error(err)
	}
	mmio.Revoke()
	v, _ := TakeVector("t")
	if err := l.Bind(v, nil); err != nil {
		t.Error(err)
	}
	if _, err := TakeMMIO("t", testIOAPIC, 4); !errors.As(err, &held) {
		t.Error(err)
	}
}

// Copying is refused outside the frames, and once they were taken back.
func TestFramesCopy(t *testing.T) {
	simulated(t)
	f, err := TakeFrames("t", 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, q := []byte{1, 2, 3, 4}, make([]byte, 4)
	if !f.CopyIn(PageSize-2, p) || !f.CopyOut(q, PageSize-2) || string(p) != string(q) {
		t.Errorf("% x", q)
	}
	for _, off := range []uintptr{2*PageSize - 3, 2 * PageSize, ^uintptr(0), ^uintptr(0) - 3} {
		if f.CopyIn(off, p) || f.CopyOut(q, off) {
			t.Errorf("bytes from %#x on were copied", off)
		}
	}
	if n := testing.AllocsPerRun(10, func() { f.CopyIn(0, p); f.CopyOut(q, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	Root().Caps(FrameSpace)[0].Revoke()
	if f.CopyIn(0, p) || f.CopyOut(q, 0) {
		t.Error("copied after the end")
	}
}
