//go:build !hardtack

package balloon

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/internal/sim"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// host is the other side: what pages it has.
type host struct {
	*sim.Virtio
	mu     sync.Mutex
	pages  map[uint32]bool
	actual uint32
	wrong  []string // what the driver should not have done
}

func newHost(target uint32) *host {
	h := &host{pages: map[uint32]bool{}}
	h.Virtio = &sim.Virtio{ID: DeviceID, Features: virtio.Version1 | 0x3f, QueueMax: 128, Queues: 2, Take: h.take, Stored: h.stored,
		Serve: func([]byte) int { h.wrong = append(h.wrong, "a buffer to write to"); return 0 }}
	h.want(target)
	return h
}

func (h *host) want(target uint32) {
	b := binary.LittleEndian.AppendUint32(nil, target)
	h.Configure(binary.LittleEndian.AppendUint32(b, h.actual))
}

func (h *host) take(queue int, b []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ; len(b) >= 4; b = b[4:] {
		n := binary.LittleEndian.Uint32(b)
		if h.pages[n] == (queue == inflateQueue) {
			h.wrong = append(h.wrong, "a page twice")
		}
		h.pages[n] = queue == inflateQueue
	}
	if len(b) != 0 {
		h.wrong = append(h.wrong, "half a number")
	}
	maps.DeleteFunc(h.pages, func(_ uint32, in bool) bool { return !in })
}

func (h *host) stored(off uintptr, v uint32) {
	if off != cfgActual {
		h.wrong = append(h.wrong, "a store to what is the device's")
	}
	h.actual = v
}

func (h *host) numbers() []uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.pages))
}

// each puts the device into a machine, by either transport.
func each(t *testing.T, target uint32, f func(t *testing.T, m *sim.Machine, h *host)) {
	for name, add := range map[string]func(m *sim.Machine, d *sim.Virtio){
		"mmio": func(m *sim.Machine, d *sim.Virtio) {
			m.AddVirtioMMIO(d, 0xfeb00e00, m.AddIOAPIC(0xfec00000), 12)
			m.CmdlineText = "virtio_mmio.device=512@0xfeb00e00:12"
		},
		"pci": func(m *sim.Machine, d *sim.Virtio) { m.AddPCI().AddVirtioPCI(d, 0x18, 0xd0000000) },
		"pci without messages": func(m *sim.Machine, d *sim.Virtio) {
			m.AddPCI().AddVirtioPCI(d, 0x18, 0xd0000000).Config[0x78] = 0 // MSI-X is another capability now
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, h := sim.New(32<<20), newHost(target)
			defer exo.Simulate(m)()
			add(m, h.Virtio)
			f(t, m, h)
			for _, s := range h.wrong {
				t.Error("the driver gave it ", s)
			}
		})
	}
}

func take(t *testing.T, sizes ...int) (list []*exo.Frames) {
	t.Helper()
	for _, n := range sizes {
		f, err := exo.TakeFrames("t", n, 0)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

func TestInflateDeflate(t *testing.T) {
	each(t, 7, func(t *testing.T, m *sim.Machine, h *host) {
		b, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		if b.Target() != 7 || h.Accepted() != virtio.Version1|mustTellHost {
			t.Errorf("target %d, features %#x", b.Target(), h.Accepted())
		}
		list := take(t, 1, 3, 1500, 600) // more than a batch, and one that begins in the middle of one
		var want []uint32
		for _, f := range list {
			for i := range len(f.Bytes()) / PageSize {
				want = append(want, uint32(f.Base()/PageSize)+uint32(i))
			}
		}
		slices.Sort(want)
		if err := b.Inflate(list); err != nil {
			t.Fatal(err)
		}
		b.Report(uint32(len(want)))
		if !slices.Equal(h.numbers(), want) || h.actual != uint32(len(want)) {
			t.Errorf("the host has %d pages, and was told %d", len(h.numbers()), h.actual)
		}
		if err := b.Deflate(list[2:]); err != nil {
			t.Fatal(err)
		}
		if n := len(h.numbers()); n != 4 {
			t.Errorf("the host has %d pages", n)
		}
		if !b.Close() || h.Status() != 0 {
			t.Error("it did not stop")
		}
		for _, f := range list {
			f.Release()
		}
		if m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
			t.Errorf("left behind: %d frames, %d vectors", m.FramesUsed(), m.VectorsUsed())
		}
	})
}

func TestWaitForTarget(t *testing.T) {
	each(t, 0, func(t *testing.T, m *sim.Machine, h *host) {
		b, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		for _, want := range []uint32{5, 1 << 31, 0} {
			go h.want(want)
			for b.Target() != want {
				if err := b.Wait(0); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// What is not the caller's is not handed over.
func TestFramesNotHeld(t *testing.T) {
	each(t, 1, func(t *testing.T, m *sim.Machine, h *host) {
		b, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		list := take(t, 1)
		list[0].Release()
		var gone *exo.ReleasedError
		if err := b.Inflate(list); !errors.As(err, &gone) {
			t.Error(err)
		}
		if len(h.numbers()) != 0 {
			t.Error("the host has a page that nobody held")
		}
	})
}

func TestLyingDevice(t *testing.T) {
	var broken *virtio.BrokenError
	var refused *virtio.DeviceError
	for name, c := range map[string]struct {
		lie  func(h *host)
		as   any
		says string
		left int // frames left to a device that does not stop: two queues and the buffer
	}{
		"no descriptor": {func(h *host) { h.LieUsedID = func(uint32) uint32 { return 3 } }, &broken, "descriptor 3", 0},
		"bytes written": {func(h *host) { h.LieUsedLen = func(uint32) uint32 { return 1 } }, &broken, "fit", 0},
		"ring ahead":    {func(h *host) { h.LieUsedIdx = func(i uint16) uint16 { return i + 9 } }, &broken, "ahead", 0},
		"no answer":     {func(h *host) { h.LieNoAnswer = true }, &refused, "minute", 0},
		"no reset":      {func(h *host) { h.LieNoAnswer = true; h.LieNoReset = true }, &refused, "minute", 3},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 1, func(t *testing.T, m *sim.Machine, h *host) {
				c.lie(h)
				b, err := Open()
				if err != nil {
					t.Fatal(err)
				}
				b.patience = 20e6
				list := take(t, 1)
				if err = b.Inflate(list); !errors.As(err, c.as) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v", err)
				}
				if stopped := b.Close(); stopped != (c.left == 0) {
					t.Errorf("stopped: %v", stopped)
				}
				if m.FramesUsed() != c.left+1 {
					t.Errorf("%d frames in use", m.FramesUsed())
				}
			})
		})
	}
	t.Run("one queue", func(t *testing.T) {
		each(t, 1, func(t *testing.T, m *sim.Machine, h *host) {
			h.Queues = 1
			if _, err := Open(); !errors.As(err, &refused) || !strings.Contains(err.Error(), "no queue 1") {
				t.Error(err)
			}
			if m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
				t.Error("something is left behind")
			}
		})
	})
}

func TestNoDevice(t *testing.T) {
	defer exo.Simulate(sim.New(1 << 20))()
	var none *NoDeviceError
	if _, err := Open(); !errors.As(err, &none) {
		t.Error(err)
	}
}

// The host's side of configuration and used ring is any bytes. Nothing may panic, and a frame that was handed over without an error is one that the host has.
func FuzzBalloon(f *testing.F) {
	f.Add([]byte{0, 4, 1, 0, 0, 9, 2, 1})
	f.Add([]byte{1, 7, 3, 200, 4, 5, 0, 3, 2, 9, 1, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		m, h := sim.New(4<<20), newHost(0)
		defer exo.Simulate(m)()
		m.AddVirtioMMIO(h.Virtio, 0xfeb00e00, m.AddIOAPIC(0xfec00000), 12)
		m.CmdlineText = "virtio_mmio.device=512@0xfeb00e00:12"
		var mu sync.Mutex
		next := func() (v byte) {
			mu.Lock()
			defer mu.Unlock()
			if len(in) > 0 {
				v, in = in[0], in[1:]
			}
			return v
		}
		twist := func() uint32 { // mostly the truth
			if v := next(); v > 200 {
				return uint32(v - 200)
			}
			return 0
		}
		h.LieUsedID = func(id uint32) uint32 { return id + twist() }
		h.LieUsedLen = func(n uint32) uint32 { return n + twist() }
		h.LieUsedIdx = func(i uint16) uint16 { return i + uint16(twist()) }
		b, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		b.patience = 1e6
		var held []*exo.Frames
		for range 30 {
			h.want(uint32(next()) << (next() & 31))
			b.Target()
			if n := int(next() & 15); n > 0 {
				list := take(t, n)
				if err := b.Inflate(list); err != nil {
					held = append(held, list...)
					break
				}
				for _, f := range list {
					if !slices.Contains(h.numbers(), uint32(f.Base()/PageSize)) {
						t.Fatal("handed over, and the host does not have it")
					}
				}
				held = append(held, list...)
			} else if len(held) > 0 {
				if b.Deflate(held[:1]) != nil {
					break
				}
				held[0].Release()
				held = held[1:]
			}
			b.Report(uint32(len(held)))
			if b.Wait(-1) != nil {
				break
			}
		}
		if !b.Close() {
			t.Fatal("it did not stop")
		}
		for _, f := range held {
			f.Release()
		}
		if m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
			t.Errorf("left behind: %d frames, %d vectors", m.FramesUsed(), m.VectorsUsed())
		}
	})
}
