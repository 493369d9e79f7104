//go:build !hardtack

package cardtest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/internal/sim"
	"github.com/hardtack-os/hardtack/exo/virtio"
	"github.com/hardtack-os/hardtack/exo/virtio/nic"
	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/card"
	"github.com/hardtack-os/hardtack/libos/net/link"
)

const (
	multiqueue = 1 << 22
	announce   = 1 << 21
	several    = ordinary | nic.Mergeable | nic.Commands | nic.Filters | announce | multiqueue | virtio.EventIndex | virtio.Indirect
)

// obeys gives a host a control queue behind its pairs, and notes the commands. answer is what it says to each.
func (h *host) obeys(pairs int, answer func(class, code byte, data []byte) byte) {
	h.Queues, h.Control, h.Messages = 2*pairs+1, 2*pairs, pairs+1
	cfg := make([]byte, 12)
	copy(cfg, []byte{2, 1, 2, 3, 4, 5, 1, 0})
	binary.LittleEndian.PutUint16(cfg[8:], uint16(pairs))
	binary.LittleEndian.PutUint16(cfg[10:], 1400)
	h.Configure(cfg)
	h.Answer = func(_ int, out []byte) []byte {
		h.mu.Lock()
		h.commands = append(h.commands, bytes.Clone(out))
		h.mu.Unlock()
		if len(out) < 2 {
			return []byte{1}
		}
		return []byte{answer(out[0], out[1], out[2:])}
	}
}

func (h *host) told() [][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.commands)
}

func fine(byte, byte, []byte) byte { return 0 }

// buses are the ways that a card is reached.
var buses = map[string]func(m *sim.Machine, h *host){
	"mmio": func(m *sim.Machine, h *host) {
		m.AddVirtioMMIO(h.Virtio, 0xfeb00e00, m.AddIOAPIC(0xfec00000), 12)
		m.CmdlineText = "virtio_mmio.device=512@0xfeb00e00:12"
	},
	"pci": func(m *sim.Machine, h *host) { m.AddPCI().AddVirtioPCI(h.Virtio, 0x18, 0xd0000000) },
}

func machineOn(t testing.TB, bus string, cpus int, h *host) (*sim.Machine, *card.Card) {
	m := sim.New(16 << 20)
	m.APICIDs = []uint32{0, 1, 2, 3}[:cpus]
	t.Cleanup(exo.Simulate(m))
	buses[bus](m, h)
	cards, err := card.Open(2048, all)
	if err != nil || len(cards) != 1 {
		t.Fatal(cards, err)
	}
	return m, cards[0]
}

// TestPairs: a card with several pairs gets one for each CPU, over messages and behind a line; what comes by one is received there, and the receivers of the others sleep.
func TestPairs(t *testing.T) {
	for bus := range buses {
		t.Run(bus, func(t *testing.T) {
			h := newHost(several)
			h.obeys(4, fine)
			var mu sync.Mutex
			feed := map[int]int{}
			h.ServeQueue = func(q int, b []byte) int {
				mu.Lock()
				defer mu.Unlock()
				if feed[q] == 0 {
					return -1
				}
				feed[q]--
				hd := nic.Header{Buffers: 1}
				hd.Put(b)
				for i := range b[nic.HeaderSize:][:60] {
					b[nic.HeaderSize+i] = byte(q)
				}
				return nic.HeaderSize + 60
			}
			m, c := machineOn(t, bus, 3, h)
			if n := c.Info().Queues; n != 3 {
				t.Fatalf("%d pairs for 3 CPUs", n)
			}
			if got := h.told(); len(got) == 0 || !bytes.Equal(got[0], []byte{4, 0, 3, 0}) {
				t.Errorf("the card was told % x", got)
			}
			got := make([]chan byte, 3)
			var done sync.WaitGroup
			for q := range 3 {
				got[q] = make(chan byte, 100)
				done.Add(1)
				go func() {
					defer done.Done()
					var f link.Frame
					for {
						for c.Receive(q, &f) {
							got[q] <- f.Head.Bytes()[0]
							f.Release()
						}
						if c.Wait(q) != nil {
							return
						}
					}
				}()
			}
			for round := range 50 {
				q := round % 3
				mu.Lock()
				feed[2*q] = 2
				mu.Unlock()
				h.Notify(2 * q)
				for range 2 {
					select {
					case b := <-got[q]:
						if int(b) != 2*q {
							t.Fatalf("pair %d received what queue %d had", q, b)
						}
					case <-time.After(time.Minute):
						t.Fatalf("round %d: pair %d receives nothing", round, q)
					}
				}
			}
			pool := buf.NewPool("out", 256, 64, card.Source)
			for q := range 3 {
				r, _ := pool.Get()
				r.TrimFront(link.Room)
				r.Truncate(60)
				if !c.Send(q, &link.Frame{Head: r}) {
					t.Fatal("no room")
				}
				c.Flush(q)
				wait(t, "a frame by its own queue", func() bool {
					h.mu.Lock()
					defer h.mu.Unlock()
					return h.by[2*q+1] == nic.HeaderSize+60
				})
			}
			end(t, c)
			done.Wait()
			if n := pool.Stats().InUse; n != 0 {
				t.Errorf("%d blocks are not released", n)
			}
			if m.VectorsUsed() != 0 {
				t.Errorf("%d vectors are left", m.VectorsUsed())
			}
		})
	}
}

// TestFewerPairs: a card that does not do what it is told about its queues is used as it is without being told; so is one with few messages. One that may do it later
// is reset.
func TestFewerPairs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *host)
		want   int
	}{
		"does not answer": {func(h *host) { h.obeys(4, fine); h.LieNoAnswer = true }, 1},
		"answers late": {func(h *host) {
			h.obeys(4, func(class, _ byte, _ []byte) byte {
				if class == 4 {
					time.Sleep(2 * time.Second)
				}
				return 0
			})
		}, 1},
		"refuses":            {func(h *host) { h.obeys(4, func(byte, byte, []byte) byte { return 1 }) }, 1},
		"few messages":       {func(h *host) { h.obeys(4, fine); h.Messages = 3 }, 2},
		"one message":        {func(h *host) { h.obeys(4, fine); h.Messages = 1 }, 4},
		"has two":            {func(h *host) { h.obeys(2, fine) }, 2},
		"no command channel": {func(h *host) { h.obeys(4, fine); h.Features &^= nic.Commands }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(several)
			c.change(h)
			gaveUp := h.LieNoAnswer || name == "answers late"
			if gaveUp {
				defer func(p int64) { nic.Patience = p }(nic.Patience)
				nic.Patience = 1e7
			}
			_, dev := machineOn(t, "pci", 4, h)
			if n := dev.Info().Queues; n != c.want {
				t.Errorf("%d pairs, want %d", n, c.want)
			}
			if gaveUp && h.Accepted()&multiqueue != 0 {
				t.Error("a card that may still use all its pairs runs with one that has buffers")
			}
			end(t, dev)
		})
	}
}

// TestHear: the card is told of groups, in order and without waiting; of many it hears all; one that refuses is made to hear everything.
func TestHear(t *testing.T) {
	for bus := range buses {
		t.Run(bus, func(t *testing.T) {
			h := newHost(several)
			var refuse atomic.Bool
			h.obeys(1, func(class, _ byte, _ []byte) byte {
				if refuse.Load() && class == 1 {
					return 1
				}
				return 0
			})
			h.ServeQueue = func(int, []byte) int { return -1 }
			_, c := machineOn(t, bus, 1, h)
			go func() {
				for c.Wait(0) == nil {
				}
			}()
			expect := func(want ...[]byte) {
				t.Helper()
				wait(t, "commands", func() bool { return len(h.told()) >= len(want) })
				if got := h.told(); !slices.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("the card was told % x, want % x", got, want)
				}
				h.mu.Lock()
				h.commands = nil
				h.mu.Unlock()
			}
			if got := h.told(); len(got) != 0 {
				t.Errorf("unasked the card was told % x", got)
			}
			c.Hear([]link.MAC{{1, 0, 0x5e, 0, 0, 1}, {1, 0, 0x5e, 0, 0, 251}})
			expect([]byte{1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0x5e, 0, 0, 1, 1, 0, 0x5e, 0, 0, 251}, []byte{0, 1, 0}, []byte{0, 0, 0})
			c.Hear(make([]link.MAC, 100))
			expect([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{0, 1, 1}, []byte{0, 0, 0})
			refuse.Store(true)
			c.Hear(nil)
			expect([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{0, 0, 1})
			if n := c.Count.Refused.Load(); n != 1 {
				t.Errorf("%d commands refused", n)
			}
			end(t, c)
		})
	}
	h := newHost(ordinary) // takes no commands
	_, c := machine(t, h)
	c.Hear([]link.MAC{{1}})
	end(t, c)
}

// TestLink: the carrier's state is told when it changes, and the wish for announcements until it was granted.
func TestLink(t *testing.T) {
	for bus := range buses {
		t.Run(bus, func(t *testing.T) {
			h := newHost(several)
			var mu sync.Mutex
			var now []byte // the configuration
			h.obeys(2, func(class, _ byte, _ []byte) byte {
				if class == 3 {
					mu.Lock()
					now[6] &^= 2
					mu.Unlock()
				}
				return 0
			})
			h.ServeQueue = func(int, []byte) int { return -1 }
			_, c := machineOn(t, bus, 2, h)
			heard := make(chan link.Changes, 10)
			go func() {
				for c.Wait(0) == nil {
					if x := c.Changes(); x != 0 {
						heard <- x
					}
				}
				close(heard)
			}()
			set := func(status byte, want link.Changes, up bool) {
				t.Helper()
				cfg := h.Configuration()
				cfg[6] = status
				mu.Lock()
				now = cfg
				mu.Unlock()
				h.Configure(cfg)
				select {
				case got := <-heard:
					if got != want || c.Up() != up {
						t.Errorf("status %d: told of %b, up %v", status, got, c.Up())
					}
				case <-time.After(time.Minute):
					t.Fatalf("status %d: nothing is told", status)
				}
			}
			set(0, link.LinkDown, false)
			set(1, link.LinkUp, true)
			set(3, link.Announce, true)
			c.Announced()
			wait(t, "the acknowledgement", func() bool {
				all := h.told()
				return len(all) > 0 && bytes.Equal(all[len(all)-1], []byte{3, 0})
			})
			set(0, link.LinkDown, false)
			end(t, c)
			for range heard {
			}
		})
	}
}

// TestDatagramBatches: datagrams that the card cuts, and such as it has joined.
func TestDatagramBatches(t *testing.T) {
	h := newHost(ordinary | nic.Mergeable | nic.HostUSO | nic.GuestUSO4 | virtio.Indirect)
	k := 0
	h.toRecv = func(b []byte) int {
		hd := nic.Header{Flags: nic.NeedsChecksum, GSO: nic.GSOUDP, SegmentSize: 500, Buffers: 1}
		if k++; k > 3 {
			hd.GSO = nic.GSOTCP4 // which was not agreed on
		}
		hd.Put(b)
		return nic.HeaderSize + 1600
	}
	_, c := machine(t, h)
	if o := c.Info().Offloads; o&link.TxUSO == 0 || o&link.RxUSO == 0 || c.Info().MaxSend != 65535 {
		t.Errorf("%+v", c.Info())
	}
	for range 3 {
		var f link.Frame
		wait(t, "a frame", func() bool { return c.Receive(0, &f) })
		if f.Kind != link.GSOUDP || f.SegmentSize != 500 || !f.Verified {
			t.Errorf("%+v", f)
		}
		f.Release()
	}
	wait(t, "what was not agreed on", func() bool { c.Receive(0, &link.Frame{}); return c.Count.BadHeader.Load() > 0 })
	pool := buf.NewPool("out", 2048, 64, card.Source)
	r, _ := pool.Get()
	r.TrimFront(link.Room)
	r.Truncate(1542)
	c.Send(0, &link.Frame{Head: r, ChecksumStart: 34, ChecksumOffset: 6, Kind: link.GSOUDP, SegmentSize: 500})
	c.Flush(0)
	wait(t, "a frame to be sent", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.sent) > 0 })
	h.mu.Lock()
	var hd nic.Header
	hd.Get(h.sent[0])
	h.mu.Unlock()
	if hd.GSO != nic.GSOUDP || hd.SegmentSize != 500 || hd.ChecksumOffset != 6 {
		t.Errorf("%+v", hd)
	}
	end(t, c)
}

// TestRingTakesMany: with tables of descriptors a ring takes more frames of many pieces than it has descriptors for them.
func TestRingTakesMany(t *testing.T) {
	for _, features := range []uint64{ordinary, ordinary | virtio.Indirect} {
		h := newHost(features)
		h.LieNoAnswer = true
		_, c := machine(t, h)
		pool := buf.NewPool("out", 256, 4096, card.Source)
		n := 0
		for {
			r, _ := pool.Get()
			r.TrimFront(link.Room)
			r.Truncate(54)
			f := link.Frame{Head: r}
			for range 7 {
				p, _ := pool.Get()
				f.Body = append(f.Body, p)
			}
			if !c.Send(0, &f) {
				f.Release()
				break
			}
			n++
		}
		// The simulated ring has 64.
		if want := map[bool]int{false: 8, true: 4 + 32}[features&virtio.Indirect != 0]; n != want {
			t.Errorf("features %#x: %d frames of 8 pieces, want %d", features, n, want)
		}
		end(t, c)
		if in := pool.Stats().InUse; in != 0 {
			t.Errorf("%d blocks are left", in)
		}
	}
}
