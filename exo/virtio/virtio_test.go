//go:build !hardtack

package virtio_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/internal/sim"
	"github.com/hardtack-os/hardtack/exo/virtio"
	"github.com/hardtack-os/hardtack/exo/virtio/rng"
)

// counting is an entropy device that returns 1, 2, 3, ...
func counting() *sim.Virtio {
	var n byte
	return &sim.Virtio{ID: rng.DeviceID, Features: virtio.Version1 | 1<<28 | 1<<40, QueueMax: 64, Serve: func(b []byte) int {
		for i := range b {
			n++
			b[i] = n
		}
		return len(b)
	}}
}

// On each transport: put the device into a machine.
var transports = map[string]func(m *sim.Machine, d *sim.Virtio){
	"mmio": func(m *sim.Machine, d *sim.Virtio) {
		m.AddVirtioMMIO(d, 0xfeb00e00, m.AddIOAPIC(0xfec00000), 12)
		m.CmdlineText = "virtio_mmio.device=512@0xfeb00e00:12"
	},
	"pci": func(m *sim.Machine, d *sim.Virtio) { m.AddPCI().AddVirtioPCI(d, 0x18, 0xd0000000) },
}

func each(t *testing.T, f func(t *testing.T, m *sim.Machine, d *sim.Virtio)) {
	for name, add := range transports {
		t.Run(name, func(t *testing.T) {
			m, d := sim.New(1<<20), counting()
			defer exo.Simulate(m)()
			add(m, d)
			f(t, m, d)
		})
	}
}

func TestFeed(t *testing.T) {
	each(t, func(t *testing.T, m *sim.Machine, d *sim.Virtio) {
		if err := rng.Feed(48); err != nil {
			t.Fatal(err)
		}
		want := make([]byte, 48)
		for i := range want {
			want[i] = byte(i + 1)
		}
		if !bytes.Equal(m.Mixed(), want) {
			t.Errorf("mixed % x", m.Mixed())
		}
		if m.FramesUsed() != 0 || m.VectorsUsed() != 0 || d.Status() != 0 {
			t.Errorf("left behind: %d frames, %d vectors, status %d", m.FramesUsed(), m.VectorsUsed(), d.Status())
		}
		if err := rng.Feed(48); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

func TestReadMuch(t *testing.T) {
	each(t, func(t *testing.T, m *sim.Machine, d *sim.Virtio) {
		s, err := rng.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if f := d.Accepted(); f != virtio.Version1 {
			t.Errorf("accepted %#x of what nobody asked for", f)
		}
		p := make([]byte, 3*4096+5)
		for range 20 { // more chains than descriptors
			if n, err := s.Read(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		for i := 1; i < len(p); i++ {
			if p[i] != p[i-1]+1 {
				t.Fatalf("byte %d is %d after %d", i, p[i], p[i-1])
			}
		}
	})
}

func TestLyingDevice(t *testing.T) {
	var broken *virtio.BrokenError
	var refused *virtio.DeviceError
	for name, c := range map[string]struct {
		lie   func(d *sim.Virtio)
		as    any
		says  string
		keeps int // frames left to a device that does not stop
	}{
		"no descriptor":       {func(d *sim.Virtio) { d.LieUsedID = func(uint32) uint32 { return 3 } }, &broken, "descriptor 3", 0},
		"far descriptor":      {func(d *sim.Virtio) { d.LieUsedID = func(uint32) uint32 { return 1 << 30 } }, &broken, "does not have", 0},
		"more than fits":      {func(d *sim.Virtio) { d.LieUsedLen = func(n uint32) uint32 { return n + 1 } }, &broken, "fit", 0},
		"nothing written":     {func(d *sim.Virtio) { d.LieUsedLen = func(n uint32) uint32 { return 0 } }, &refused, "without entropy", 0},
		"ring ahead":          {func(d *sim.Virtio) { d.LieUsedIdx = func(i uint16) uint16 { return i + 900 } }, &broken, "ahead", 0},
		"features not kept":   {func(d *sim.Virtio) { d.LieFeatures = true }, &refused, "does not accept", 0},
		"legacy":              {func(d *sim.Virtio) { d.Features = 0 }, &refused, "VERSION_1", 0},
		"no queue":            {func(d *sim.Virtio) { d.QueueMax = 0 }, &refused, "no queue 0", 0},
		"never resets":        {func(d *sim.Virtio) { d.LieNoReset = true; d.LieUsedIdx = func(i uint16) uint16 { return i + 900 } }, &broken, "ahead", 2},
		"scribbles and fails": {func(d *sim.Virtio) { d.LieScribble = true; d.LieUsedID = func(uint32) uint32 { return 7 } }, &broken, "descriptor 7", 0},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, m *sim.Machine, d *sim.Virtio) {
				c.lie(d)
				err := rng.Feed(32)
				if !errors.As(err, c.as) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v", err)
				}
				if len(m.Mixed()) != 0 {
					t.Error("a liar's bytes were mixed in")
				}
				if m.FramesUsed() != c.keeps || m.VectorsUsed() != 0 {
					t.Errorf("left behind: %d frames, %d vectors", m.FramesUsed(), m.VectorsUsed())
				}
			})
		})
	}
}

// Registers that are not where a device says they are end Open with an error and nothing held.
func TestLyingPCI(t *testing.T) {
	for name, lie := range map[string]func(f *sim.Function){
		"no capabilities":          func(f *sim.Function) { f.Config[0x34] = 0 },
		"registers outside BAR":    func(f *sim.Function) { f.Config[0x40+9] = 0xff },
		"notification outside BAR": func(f *sim.Function) { f.Config[0x60+10] = 1 },
		"BAR that is not there":    func(f *sim.Function) { f.Config[0x60+4] = 1 },
		"notification too small":   func(f *sim.Function) { f.Config[0x60+12], f.Config[0x60+13] = 8, 0 },
		"no MSI-X":                 func(f *sim.Function) { f.Config[0x61] = 0 },
		"MSI-X table outside":      func(f *sim.Function) { f.Config[0x78+5] = 0x3f; f.Config[0x78+6] = 1 },
		"no address":               func(f *sim.Function) { clear(f.Config[0x20:0x28]); f.Config[0x20] = 4 },
	} {
		t.Run(name, func(t *testing.T) {
			m := sim.New(1 << 20)
			defer exo.Simulate(m)()
			f := m.AddPCI().AddVirtioPCI(counting(), 0x18, 0xd0000000)
			lie(f)
			for range 2 {
				if err := rng.Feed(8); err == nil {
					t.Fatal("no error")
				} else if strings.Contains(err.Error(), "held by") {
					t.Fatal("still held: ", err)
				}
			}
			if m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
				t.Errorf("left behind: %d frames, %d vectors", m.FramesUsed(), m.VectorsUsed())
			}
		})
	}
}

// A device that overwrites the descriptors it was given harms only itself.
func TestScribble(t *testing.T) {
	each(t, func(t *testing.T, m *sim.Machine, d *sim.Virtio) {
		d.LieScribble = true
		p := make([]byte, 100)
		s, err := rng.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for range 5 {
			if _, err := s.Read(p); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSilentDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the second that a device has")
	}
	each(t, func(t *testing.T, m *sim.Machine, d *sim.Virtio) {
		d.LieNoAnswer = true
		if err := rng.Feed(8); err == nil || !strings.Contains(err.Error(), "second") {
			t.Error(err)
		}
		if m.FramesUsed() != 0 {
			t.Error("frames left behind")
		}
	})
}

func TestNoDevice(t *testing.T) {
	defer exo.Simulate(sim.New(1 << 20))()
	var none *rng.NoDeviceError
	if err := rng.Feed(8); !errors.As(err, &none) {
		t.Error(err)
	}
}

// Several chains of several buffers, out of step with each other, with no allocation.
func TestQueue(t *testing.T) {
	each(t, func(t *testing.T, m *sim.Machine, d *sim.Virtio) {
		d.Serve = func(b []byte) int { return len(b) }
		dev, err := virtio.Open("t", virtio.Find(rng.DeviceID)[0], 1<<28)
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Close()
		if dev.Features() != virtio.Version1|1<<28 {
			t.Errorf("features %#x", dev.Features())
		}
		q, err := dev.Queue("t", 0, 20)
		if err != nil || q.Size() != 16 {
			t.Fatal(q.Size(), err)
		}
		mem, _ := exo.TakeFrames("t", 1, 0)
		dev.Start()
		in := func(n uint32) virtio.Buffer { return virtio.Buffer{Addr: mem.Base(), Len: n, Write: true} }
		out := virtio.Buffer{Addr: mem.Base(), Len: 9}
		for q.Free() >= 3 {
			if !q.Add(uint64(q.Free()), out, in(5), in(6)) {
				t.Fatal("no room")
			}
		}
		if q.Free() != 1 || q.Add(1, out, out) || q.Add(1) {
			t.Error("more than fits was added")
		}
		q.Kick()
		for want := uint64(16); want > 1; {
			token, n, ok := q.Next()
			if !ok {
				if _, err := dev.Wait(exo.Now() + 1e9); err != nil || q.Err() != nil {
					t.Fatal(err, q.Err())
				}
				continue
			}
			if token != want || n != 11 {
				t.Errorf("token %d, %d bytes", token, n)
			}
			want -= 3
		}
		if q.Free() != 16 {
			t.Errorf("%d free", q.Free())
		}
		d.LieNoAnswer = true
		q.Interrupts(false)
		if n := testing.AllocsPerRun(10, func() {
			q.Add(1, in(4))
			q.Next()
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// TestMissedNotice: a device and a driver have missed each other, as they may where something keeps a barrier from being one: the device rests, and was not told of what it waits for. The next Kick
// tells it.
func TestMissedNotice(t *testing.T) {
	each(t, func(t *testing.T, m *sim.Machine, d *sim.Virtio) {
		d.Features |= virtio.EventIndex
		dev, err := virtio.Open("t", virtio.Find(rng.DeviceID)[0], virtio.EventIndex)
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Close()
		q, err := dev.Queue("t", 0, 16)
		if err != nil {
			t.Fatal(err)
		}
		mem, _ := exo.TakeFrames("t", 1, 0)
		dev.Start()
		add := func(token uint64) {
			if !q.Add(token, virtio.Buffer{Addr: mem.Base(), Len: 4, Write: true}) {
				t.Fatal("no room")
			}
			q.Kick()
		}
		want := uint64(1)
		next := func(until int64) bool {
			for q.Interrupts(true); exo.Now() < until; q.Interrupts(true) {
				if token, _, ok := q.Next(); ok {
					if token != want {
						t.Fatalf("token %d, want %d", token, want)
					}
					want++
					return true
				}
				dev.Wait(min(until, exo.Now()+1e7))
			}
			return false
		}
		soon := func() int64 { return exo.Now() + 20e9 }
		for token := uint64(1); token < 100; token += 3 { // round the ring some times
			add(token)
			if !next(soon()) {
				t.Fatal("the device was not told")
			}
			d.WantNotice(0, 1) // as the driver still sees it
			add(token + 1)
			left := 2
			if next(exo.Now() + 1e6) {
				left = 1 // the device was still looking for what came before
			}
			d.WantNotice(0, 0) // as the device says, before it looks whether there is anything, and finds nothing yet
			add(token + 2)
			for range left {
				if !next(soon()) {
					t.Fatal("the device was never told")
				}
			}
		}
	})
}

// A device that is taken back while it is in use: use says so, and Close still gives back what is safe to.
func TestTakenBack(t *testing.T) {
	each(t, func(t *testing.T, m *sim.Machine, d *sim.Virtio) {
		s, err := rng.Open()
		if err != nil {
			t.Fatal(err)
		}
		for _, space := range []string{exo.FunctionSpace, exo.MMIOSpace} {
			if err := exo.Root().Caps(space)[0].Revoke(); err != nil {
				t.Fatal(err)
			}
		}
		var rev *exo.RevokedError
		func() {
			defer func() {
				if err, _ := recover().(error); !errors.As(err, &rev) {
					t.Errorf("read: %v", err)
				}
			}()
			s.Read(make([]byte, 8))
		}()
		s.Close()
		pci := strings.HasSuffix(t.Name(), "/pci")
		if left := m.FramesUsed(); pci != (left == 0) || m.VectorsUsed() != 0 {
			t.Errorf("%d frames, %d vectors left", left, m.VectorsUsed())
		}
	})
}

// TestFilled waits for two queues at once by a predicate.
func TestFilled(t *testing.T) {
	each(t, func(t *testing.T, m *sim.Machine, d *sim.Virtio) {
		d.Queues = 2
		dev, err := virtio.Open("test", virtio.Find(rng.DeviceID)[0], 0)
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Close()
		var q [2]*virtio.Queue
		var either [][]exo.Term
		for i := range q {
			if q[i], err = dev.Queue("test", i, 8); err != nil {
				t.Fatal(err)
			}
			either = append(either, []exo.Term{q[i].Filled()})
		}
		buf, err := exo.TakeFrames("test", 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		dev.Start()
		p, err := exo.NewPredicate(either...)
		if err != nil {
			t.Fatal(err)
		}
		for k := range 40 { // the index wraps in the ring
			i := k % 2
			if k == 0 {
				if which, err := p.Wait(exo.Now() + 1); which != -1 || err != nil {
					t.Errorf("nothing was asked for: %d, %v", which, err)
				}
			}
			q[i].Add(uint64(k), virtio.Buffer{Addr: buf.Base(), Len: 16, Write: true})
			q[i].Kick()
			if which, err := p.Wait(0); which != i || err != nil {
				t.Fatalf("queue %d is filled: %d, %v", i, which, err)
			}
			if token, n, ok := q[i].Next(); token != uint64(k) || n != 16 || !ok {
				t.Fatal(token, n, ok)
			}
			p.Set(i, q[i].Seen())
		}
	})
}
