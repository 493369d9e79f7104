//go:build !hardtack

package cardtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"sync"
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

// host is the other side of a card: what it wants received, and what it was sent.
type host struct {
	*sim.Virtio
	mu     sync.Mutex
	toRecv func(b []byte) int // fills one buffer
	chain  []byte             // what was read of the chain under way
	sent   [][]byte
	by     map[int]int // bytes that were sent by each queue

	commands [][]byte
}

func newHost(features uint64) *host {
	h := &host{by: map[int]int{}}
	h.Virtio = &sim.Virtio{ID: nic.DeviceID, Features: features | virtio.Version1, QueueMax: 64, Queues: 2,
		Serve: func(b []byte) int {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.toRecv == nil {
				return 0
			}
			return h.toRecv(b)
		},
		Take: func(q int, b []byte) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.by[q] += len(b)
			h.sent = append(h.sent, bytes.Clone(b))
		},
	}
	cfg := make([]byte, 12)
	copy(cfg, []byte{2, 1, 2, 3, 4, 5})
	binary.LittleEndian.PutUint16(cfg[6:], 1)
	binary.LittleEndian.PutUint16(cfg[10:], 1400)
	h.Configure(cfg)
	return h
}

const ordinary = nic.Checksum | nic.GuestChecksum | 1<<3 | 1<<5 | 1<<16

func machine(t testing.TB, h *host) (*sim.Machine, *card.Card) {
	m := sim.New(8 << 20)
	t.Cleanup(exo.Simulate(m))
	m.AddVirtioMMIO(h.Virtio, 0xfeb00e00, m.AddIOAPIC(0xfec00000), 12)
	m.CmdlineText = "virtio_mmio.device=512@0xfeb00e00:12"
	cards, err := card.Open(512, all)
	if err != nil || len(cards) != 1 {
		t.Fatal(cards, err)
	}
	return m, cards[0]
}

// all leaves no card out.
func all(string) bool { return false }

// wait lets the simulated device, which runs on goroutines of its own, come to what ok says.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("in vain waited for: " + what)
}

func end(t testing.TB, c *card.Card) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if n := c.Pool().Stats().InUse; n != 0 {
		t.Errorf("%d blocks are never released", n)
	}
}

func TestReceive(t *testing.T) {
	for name, features := range map[string]uint64{"plain": ordinary, "mergeable, events": ordinary | nic.Mergeable | nic.GuestTSO4 | virtio.EventIndex} {
		t.Run(name, func(t *testing.T) {
			h := newHost(features)
			n := 0
			h.toRecv = func(b []byte) int {
				n++
				hd := nic.Header{Flags: nic.DataValid, Buffers: 1}
				hd.Put(b)
				frame := b[nic.HeaderSize : nic.HeaderSize+60+n%1000]
				for i := range frame {
					frame[i] = byte(n)
				}
				return nic.HeaderSize + len(frame)
			}
			_, c := machine(t, h)
			if i := c.Info(); i.MAC != (link.MAC{2, 1, 2, 3, 4, 5}) || i.MTU != 1400 || !c.Up() {
				t.Errorf("%+v", i)
			}
			var f link.Frame
			for k := 1; k <= 1000; k++ {
				for !c.Receive(0, &f) {
					if err := c.Wait(0); err != nil {
						t.Fatal(err)
					}
				}
				b := f.Head.Bytes()
				if len(b) != 60+k%1000 || b[0] != byte(k) || !f.Verified || len(f.Body) != 0 {
					t.Fatalf("frame %d: %d bytes of %d", k, len(b), b[0])
				}
				f.Release()
			}
			end(t, c)
		})
	}
}

func TestReceiveMerged(t *testing.T) {
	h := newHost(ordinary | nic.Mergeable | nic.GuestTSO4)
	k := 0
	h.toRecv = func(b []byte) int {
		at := 0
		if k%3 == 0 {
			hd := nic.Header{Flags: nic.NeedsChecksum, GSO: nic.GSOTCP4, SegmentSize: 1348, Buffers: 3}
			hd.Put(b)
			at = nic.HeaderSize
		}
		n := len(b)
		if k%3 == 2 {
			n = 700
		}
		for i := range b[at:n] {
			b[at+i] = byte(k % 3)
		}
		k++
		return n
	}
	_, c := machine(t, h)
	for range 50 {
		var f link.Frame
		wait(t, "a frame", func() bool { return c.Receive(0, &f) })
		if f.Len() != 2*c.Pool().Size()-nic.HeaderSize+700 || len(f.Body) != 2 || f.Kind != link.GSOTCP4 || f.SegmentSize != 1348 || !f.Verified {
			t.Fatalf("%d bytes in %d pieces: %+v", f.Len(), len(f.Body)+1, f)
		}
		for i, r := range append([]buf.Ref{f.Head}, f.Body...) {
			if r.Bytes()[0] != byte(i) || r.Bytes()[r.Len()-1] != byte(i) {
				t.Fatalf("piece %d has %d", i, r.Bytes()[0])
			}
		}
		f.Release()
	}
	end(t, c)
}

func TestSend(t *testing.T) {
	h := newHost(ordinary | nic.HostTSO4 | virtio.EventIndex)
	_, c := machine(t, h)
	pool := buf.NewPool("out", 2048, 1024, card.Source)
	for k := range 500 {
		r, _ := pool.Get()
		r.TrimFront(link.Room)
		r.Truncate(54)
		r.Bytes()[0] = byte(k)
		f := link.Frame{Head: r, ChecksumStart: 34, ChecksumOffset: 16, Kind: link.GSOTCP4, SegmentSize: 1348}
		for _, n := range []int{2048, 1, 2048, 903} {
			r, ok := pool.Get()
			if !ok {
				t.Fatal("the pool has no more")
			}
			r.Truncate(n)
			for i := range r.Bytes() {
				r.Bytes()[i] = byte(k)
			}
			f.Body = append(f.Body, r)
		}
		for !c.Send(0, &f) {
			if err := c.Wait(0); err != nil {
				t.Fatal(err)
			}
		}
		c.Flush(0)
	}
	const each = nic.HeaderSize + 54 + 5000
	size := func() (n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, b := range h.sent {
			n += len(b)
		}
		return n
	}
	wait(t, "all to be sent", func() bool { return size() >= 500*each })
	end(t, c)
	if n := pool.Stats().InUse; n != 0 {
		t.Errorf("%d blocks are not released", n)
	}
	h.mu.Lock()
	all := bytes.Join(h.sent, nil)
	h.mu.Unlock()
	if len(all) != 500*each {
		t.Fatalf("the host was sent %d bytes, want %d", len(all), 500*each)
	}
	for k := range 500 {
		b := all[k*each:][:each]
		var hd nic.Header
		hd.Get(b)
		want := nic.Header{Flags: nic.NeedsChecksum, GSO: nic.GSOTCP4, HeaderLen: 54, SegmentSize: 1348, ChecksumStart: 34, ChecksumOffset: 16}
		if hd != want || b[nic.HeaderSize] != byte(k) || b[each-1] != byte(k) {
			t.Fatalf("frame %d: %+v", k, hd)
		}
	}
}

func TestCloseWhileWaiting(t *testing.T) {
	_, c := machine(t, newHost(ordinary))
	c.Receive(0, &link.Frame{})
	h := make(chan error)
	go func() {
		for {
			if err := c.Wait(0); err != nil {
				h <- err
				return
			}
		}
	}()
	time.Sleep(20 * time.Millisecond)
	c.Close()
	if err := <-h; !errors.Is(err, card.ErrClosed) {
		t.Errorf("Wait ends with %v", err)
	}
	if c.Up() || c.Receive(0, &link.Frame{}) {
		t.Error("a closed card works on")
	}
}

// TestQuietTransmission: a frame now and then raises no interrupt when it has been sent.
func TestQuietTransmission(t *testing.T) {
	for name, features := range map[string]uint64{"flags": ordinary, "events": ordinary | virtio.EventIndex} {
		t.Run(name, func(t *testing.T) {
			h := newHost(features)
			h.toRecv = func([]byte) int { return -1 }
			_, c := machine(t, h)
			pool := buf.NewPool("out", 256, 256, card.Source)
			done := make(chan bool)
			waits := 0
			go func() {
				for c.Wait(0) == nil {
					waits++
				}
				close(done)
			}()
			for k := range 30 {
				r, _ := pool.Get()
				r.TrimFront(link.Room)
				r.Truncate(60)
				if !c.Send(0, &link.Frame{Head: r}) {
					t.Fatal("no room for a frame")
				}
				c.Flush(0)
				wait(t, "a frame to be sent", func() bool {
					h.mu.Lock()
					defer h.mu.Unlock()
					return len(h.sent) > k
				})
			}
			c.Close()
			<-done
			if waits > 5 {
				t.Errorf("the receiver woke %d times for 30 frames that were sent", waits)
			}
			if n := pool.Stats().InUse; n != 0 {
				t.Errorf("%d blocks are not released", n)
			}
		})
	}
}

func TestNoMAC(t *testing.T) {
	_, c := machine(t, newHost(0))
	if m := c.Info().MAC; m.Multicast() || m[0]&2 == 0 {
		t.Errorf("made up: %v", m)
	}
	end(t, c)
}

// TestTakenBack: a card that exo takes back while it is in use is down, takes what is sent as a wire does that is cut, and tells its receiver; Close gives back what it had.
func TestTakenBack(t *testing.T) {
	for _, space := range []string{exo.MMIOSpace, exo.VectorSpace, exo.FrameSpace} {
		t.Run(space, func(t *testing.T) {
			h := newHost(ordinary)
			_, c := machine(t, h)
			received := make(chan error)
			go func() {
				var f link.Frame
				for {
					for c.Receive(0, &f) {
						f.Release()
					}
					if err := c.Wait(0); err != nil {
						received <- err
						return
					}
				}
			}()
			pool := buf.NewPool("test", 256, 16, card.Source)
			send := func() {
				r, ok := pool.Get()
				if !ok {
					return // taken back as well
				}
				r.TrimFront(link.Room)
				r.Truncate(60)
				c.Send(0, &link.Frame{Head: r})
				c.Flush(0)
			}
			send()
			for _, x := range exo.Root().Caps(space) {
				if err := x.Revoke(); err != nil {
					t.Fatal(err)
				}
			}
			for range 100 {
				send()
			}
			var gone *exo.RevokedError
			if space == exo.FrameSpace {
				c.Close() // the registers are still there, so the receiver hears of nothing
			}
			if err := <-received; !errors.As(err, &gone) && !(space == exo.FrameSpace && errors.Is(err, card.ErrClosed)) {
				t.Errorf("the receiver hears of %v", err)
			}
			var f link.Frame
			if c.Receive(0, &f) || c.Up() && space == exo.MMIOSpace {
				t.Error("a card that was taken back works on")
			}
			if err := c.Wait(0); err == nil {
				t.Error("waits for a card that was taken back")
			}
			c.Close()
		})
	}
}

// FuzzCard has a device that says anything, in headers, in its queues, and in answer to commands. Nothing may panic, and every block comes back.
func FuzzCard(f *testing.F) {
	f.Add([]byte{0, 4, 1, 0, 0, 9, 2, 1}, true)
	f.Add(bytes.Repeat([]byte{201, 0, 3, 250}, 40), true)
	f.Add(bytes.Repeat([]byte{0}, 200), false)
	f.Fuzz(func(t *testing.T, in []byte, merge bool) {
		features := uint64(ordinary | virtio.EventIndex)
		if merge {
			features |= several | nic.GuestTSO4 | nic.GuestUSO4 | nic.HostUSO
		}
		h := newHost(features)
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
				return uint32(v-200) << (next() & 31)
			}
			return 0
		}
		if merge {
			h.obeys(1+int(next()&7), func(byte, byte, []byte) byte { return next() & 1 })
			if next() > 200 { // it has other queues than it says
				h.Queues, h.Control, h.Messages = int(next()&15), int(next()&7), int(next()&3)
			}
		}
		h.LieUsedID = func(id uint32) uint32 { return id + twist() }
		h.LieUsedLen = func(n uint32) uint32 { return n + twist() }
		h.LieUsedIdx = func(i uint16) uint16 { return i + uint16(twist()) }
		h.toRecv = func(b []byte) int {
			if len(b) < nic.HeaderSize { // what the driver takes for an answer
				for i := range b {
					b[i] = next()
				}
				return len(b)
			}
			hd := nic.Header{Flags: next(), GSO: next() & 5, SegmentSize: uint16(next()), Buffers: uint16(next() & 3), ChecksumStart: uint16(next()) << 8}
			hd.Put(b)
			return min(int(next())*int(next()&31), len(b))
		}
		m := sim.New(8 << 20)
		m.APICIDs = []uint32{0, 1}
		t.Cleanup(exo.Simulate(m))
		buses["pci"](m, h)
		cards, err := card.Open(2*512, all)
		if err != nil {
			if len(cards) != 0 || m.VectorsUsed() != 0 {
				t.Fatal(cards, err)
			}
			return // told so that it was not believed
		}
		c := cards[0]
		for k := range 100 {
			c.Hear(make([]link.MAC, next()))
			c.Changes()
			c.Up()
			var f link.Frame
			q := k % c.Info().Queues
			if c.Receive(q, &f) {
				if f.Len() < 14 || f.Kind != link.NoGSO && f.SegmentSize == 0 || len(f.Body) > 0 && f.Head.Len() < link.HeadSize {
					t.Errorf("a frame of %d bytes passes: %+v", f.Len(), f)
				}
				f.Release()
			}
			out, _ := c.Pool().Get()
			out.TrimFront(link.Room)
			out.Truncate(60)
			g := link.Frame{Head: out}
			if !c.Send(q, &g) {
				g.Release()
			}
			c.Flush(q)
		}
		end(t, c)
	})
}

func TestMain(m *testing.M) {
	nic.Patience = 60e9 // a card answers at once, however busy the host is
	os.Exit(m.Run())
}
