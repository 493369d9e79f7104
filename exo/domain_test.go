//go:build !hardtack

package exo

import (
	"errors"
	"strings"
	"testing"
)

// A child cannot exceed the grant, at any depth, and loses it with its parent's.
func TestDomains(t *testing.T) {
	m, _ := simulated(t)
	m.Map(0xd0000000, 0x1000, new(words))
	net, err := Root().Sub("net", Grant{MMIOSpace, 0xd0000000, 0xd0000fff, All, 0}, Grant{VectorSpace, 60, 63, All, 0}, Grant{PortSpace, 0x300, 0x30f, Read | Bind | Derive, 8})
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Sub("tcp", Grant{MMIOSpace, 0xd0000000, 0xd00007ff, Read | Bind | Derive, 0}, Grant{PortSpace, 0x300, 0x307, Read | Bind | Derive, 4})
	if err != nil {
		t.Fatal(err)
	}
	dhcp, err := tcp.Sub("dhcp", Grant{MMIOSpace, 0xd0000400, 0xd00007ff, Read | Bind, 0})
	if err != nil || dhcp.Name() != "net/tcp/dhcp" || dhcp.String() != "net/tcp/dhcp" || Root().String() != "the program" {
		t.Fatal(err, dhcp.Name())
	}
	regs, err := dhcp.TakeMMIO("dhcp driver", 0xd0000400, 0x100)
	if err != nil {
		t.Fatal(err)
	}
	regs.Load8(0)
	if v, _ := panics(func() { regs.Store8(0, 1) }).(error); kind(v) != "rights" {
		t.Errorf("a right that was not granted: %v", v)
	}
	for _, c := range []struct {
		name, want string
		call       func() error
	}{
		{"names outside", "range", func() error { _, err := dhcp.TakeMMIO("t", 0xd0000000, 4); return err }},
		{"another space", "range", func() error { _, err := dhcp.TakePorts("t", 0x300, 1); return err }},
		{"any of another space", "exhausted", func() error { _, err := dhcp.TakeVector("t"); return err }},
		{"any frames", "exhausted", func() error { _, err := net.TakeFrames("t", 1, 0); return err }},
		{"a line", "range", func() error { _, err := net.TakeLine("t", 4, false); return err }},
		{"a CPU", "range", func() error { _, err := net.TakeCPU("t", 0); return err }},
		{"a function", "range", func() error { _, err := net.TakeFunction("t", 0x18); return err }},
		{"a vector", "range", func() error { _, err := net.TakeVectorAt("t", 64); return err }},
		{"a frame", "range", func() error { _, err := net.TakeFramesAt("t", 0x80000, 1); return err }},
		{"a timer", "exhausted", func() error { _, err := tcp.TakeTimer("t"); return err }},
		{"what was granted on", "held", func() error { _, err := net.TakeMMIO("t", 0xd0000000, 4); return err }},
		{"what was granted", "held", func() error { _, err := TakeMMIO("t", 0xd0000000, 4); return err }},
		{"more rights", "rights", func() error { _, err := tcp.Sub("x", Grant{MMIOSpace, 0xd0000000, 0xd0000000, Write, 0}); return err }},
		{"no right to derive", "rights", func() error { _, err := dhcp.Sub("x", Grant{MMIOSpace, 0xd0000400, 0xd0000400, Read, 0}); return err }},
		{"more than granted", "range", func() error { _, err := tcp.Sub("x", Grant{MMIOSpace, 0xd0000000, 0xd0000fff, Read, 0}); return err }},
		{"too much guaranteed", "exhausted", func() error { _, err := net.Sub("x", Grant{PortSpace, 0x308, 0x30f, Read, 5}); return err }},
		{"half of two grants", "range", func() error {
			_, err := net.Sub("x", Grant{VectorSpace, 60, 60, Bind, 0}, Grant{PortSpace, 0, 0, Read, 0})
			return err
		}},
		{"another's child", "rights", func() error { return Root().Revoke(tcp) }},
		{"no child", "rights", func() error { return Root().Revoke(nil) }},
		{"reclaim of another's child", "rights", func() error { _, err := Root().Reclaim(tcp, PortSpace, Demand{Names: 1}); return err }},
		{"the program's release", "rights", Root().Release},
	} {
		if err := c.call(); kind(err) != c.want {
			t.Errorf("%s: %v, want an error of kind %q", c.name, err, c.want)
		}
	}
	if v, err := net.TakeVectorAt("t", 60); err != nil {
		t.Errorf("a refused Sub kept a vector: %v", err)
	} else {
		v.Release()
	}
	got, err := net.Reclaim(tcp, PortSpace, Demand{Names: 100, Why: "test"})
	if got != 4 || kind(err) != "exhausted" {
		t.Error(got, err)
	}
	if err := Root().Revoke(net); err != nil {
		t.Fatal(err)
	}
	if v := panics(func() { regs.Load8(0) }); !isRevoked(v) {
		t.Errorf("three levels down: %v", v)
	}
	var rev *RevokedError
	for _, d := range []*Domain{net, tcp, dhcp} {
		if _, err := d.TakeMMIO("t", 0xd0000400, 4); !errors.As(err, &rev) || rev.By != "the program" || len(d.Caps(MMIOSpace)) != 0 {
			t.Errorf("%s: %v", d, err)
		}
	}
	if _, err := net.TakeVector("t"); !errors.As(err, &rev) {
		t.Error(err)
	}
	for space := range spaceCount {
		consistent(t, theWorld.root(space).n)
		if free := theWorld.root(space).Free(); space == spVector && len(free) != 1 {
			t.Errorf("vectors free: %v", free)
		}
	}
	if m.VectorsUsed() != 0 {
		t.Errorf("%d vectors in use", m.VectorsUsed())
	}
	if _, err := TakeMMIO("t", 0xd0000000, 0x1000); err != nil {
		t.Error(err)
	}
}

// Memory has no names worth choosing: a domain is extended by any frames, zeroed, and gives them back by Reclaim.
func TestExtend(t *testing.T) {
	m, _ := simulated(t)
	vm, _ := Root().Sub("vm")
	r, err := Root().Extend(vm, FrameSpace, 16, 8, All)
	if err != nil || r.Lo%8 != 0 || r.Hi-r.Lo != 15 || m.FramesUsed() != 16 {
		t.Fatal(r, err)
	}
	f, err := vm.TakeFramesAt("t", Phys(r.Hi)*PageSize, 1)
	if err != nil {
		t.Fatal(err)
	}
	f.Bytes()[0] = 1
	f.Release()
	cache, _ := vm.Sub("cache")
	c, err := vm.Extend(cache, FrameSpace, 9, 4, All)
	if err != nil || c.Lo != r.Lo {
		t.Fatal(c, err)
	}
	if c, err = vm.Extend(cache, FrameSpace, 4, 4, All); err != nil || c.Hi != r.Hi {
		t.Fatal(c, err)
	}
	if f, err = cache.TakeFramesAt("t", Phys(r.Hi)*PageSize, 1); err != nil || f.Bytes()[0] != 0 {
		t.Error("a frame comes with what was in it", err)
	}
	for name, want := range map[string]func() error{
		"exhausted": func() error { _, err := vm.Extend(cache, FrameSpace, 4, 1, All); return err },
		"range":     func() error { _, err := vm.Extend(cache, FrameSpace, 0, 1, All); return err },
		"rights":    func() error { _, err := Root().Extend(cache, FrameSpace, 1, 1, All); return err },
	} {
		if err := want(); kind(err) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Root().Extend(vm, FrameSpace, 1<<17, 1, All); kind(err) != "exhausted" {
		t.Error(err)
	}
	m.TakeVector(48) // the runtime has the lowest
	if v, err := Root().Extend(vm, VectorSpace, 2, 1, Bind); err != nil || v != (Range{49, 50}) {
		t.Error(v, err)
	}
	// Over and over: ended capabilities are forgotten but for a few.
	for range 100 {
		if _, err := Root().Extend(vm, FrameSpace, 2, 1, All); err != nil {
			t.Fatal(err)
		}
		if got, err := Root().Reclaim(vm, FrameSpace, Demand{Names: 2}); got != 2 || err != nil {
			t.Fatal(got, err)
		}
	}
	if n := len(vm.caps); n > 2*maxEnded+4 {
		t.Errorf("%d capabilities are remembered", n)
	}
	Root().Revoke(vm)
	if m.FramesUsed() != 0 || m.VectorsUsed() != 1 || !isRevoked(f.Err()) {
		t.Errorf("%d frames, %d vectors in use", m.FramesUsed(), m.VectorsUsed())
	}
}

// A driver's own space goes through domains like the machine's.
func TestDomainOfADriversSpace(t *testing.T) {
	simulated(t)
	s, blocks := testSpace(t)
	fs, _ := Root().Sub("fs")
	fs.Add(derive(t, blocks, "fs", 0, 49, All))
	log, err := fs.Sub("log", Grant{"block", 10, 19, Read | Write | Bind, 2})
	if kind(err) != "exhausted" { // fs itself is guaranteed nothing
		t.Fatal(err)
	}
	blocks.Guarantee(fs.Caps("block")[0], 10)
	if log, err = fs.Sub("log", Grant{"block", 10, 19, Read | Write | Bind, 2}); err != nil {
		t.Fatal(err)
	}
	limit := 10
	b, err := s.Bind(log.Caps("block")[0], "log", 10, 19, Write, func() { limit = 0 })
	if err != nil || b.Range() != (Range{10, 19}) {
		t.Fatal(err)
	}
	if err := fs.Release(); err != nil || limit != 0 || b.Err() == nil || len(blocks.Free()) != 1 {
		t.Error(err, limit, blocks.Free())
	}
	if err := b.Release(); err == nil || !strings.Contains(err.Error(), "fs") {
		t.Error(err)
	}
	// What came from elsewhere is not the parent's to take.
	x, _ := Root().Sub("x")
	mine := derive(t, blocks, "x", 60, 69, All)
	x.Add(mine)
	if err := Root().Revoke(x); err != nil || mine.Err() != nil {
		t.Error(err, mine.Err())
	}
	if err := new(Binding).Release(); kind(err) != "empty" {
		t.Error(err)
	}
}
