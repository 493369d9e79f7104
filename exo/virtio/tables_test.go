//go:build !hardtack

package virtio_test

import (
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/internal/sim"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// echoing is a device with queues that count up in what they are asked for, and interrupts for each.
func echoing(features uint64, queues int) *sim.Virtio {
	return &sim.Virtio{ID: 4, Features: virtio.Version1 | features, QueueMax: 16, Queues: queues, Messages: queues + 1, Serve: func(b []byte) int {
		for i := range b {
			b[i] = 7
		}
		return len(b)
	}}
}

// TestTables: chains in tables come to the device whole, and a ring takes as many of them as it has descriptors. Without the feature there are none.
func TestTables(t *testing.T) {
	for name, add := range transports {
		for _, features := range []uint64{0, virtio.Indirect, virtio.Indirect | virtio.EventIndex} {
			t.Run(name, func(t *testing.T) {
				m, dev := sim.New(1<<20), echoing(features, 1)
				dev.LieNoAnswer = true
				defer exo.Simulate(m)()
				add(m, dev)
				d, err := virtio.Open("test", virtio.Find(4)[0], virtio.Indirect|virtio.EventIndex)
				if err != nil {
					t.Fatal(err)
				}
				q, err := d.Queue("test", 0, 16)
				if err != nil {
					t.Fatal(err)
				}
				if err := q.Tables("test", 16, 8); err != nil {
					t.Fatal(err)
				}
				mem, err := exo.TakeFrames("test", 1, 0)
				if err != nil {
					t.Fatal(err)
				}
				d.Start()
				chain := func(n int) (c []virtio.Buffer) {
					for i := range n {
						c = append(c, virtio.Buffer{Addr: mem.Base() + exo.Phys(i*16), Len: 16, Write: true})
					}
					return c
				}
				want := 2 // of 8 buffers, in a ring of 16
				if features != 0 {
					want = 1 + 8 // the first leaves half of the ring; the rest of it takes one each
				}
				n := 0
				for q.Add(uint64(n), chain(8)...) {
					n++
				}
				if n != want {
					t.Errorf("features %#x: a ring of 16 took %d chains of 8", features, n)
				}
				if q.Add(99, chain(9)...) {
					t.Error("a chain that no table holds was taken by a full ring")
				}
				dev.LieNoAnswer = false
				q.Kick()
				q.Interrupts(true)
				for k := 0; k < n; {
					token, wrote, ok := q.Next()
					if ok {
						if token != uint64(k) || wrote != 8*16 {
							t.Fatalf("chain %d: token %d, %d bytes", k, token, wrote)
						}
						k++
						continue
					}
					if q.Err() != nil {
						t.Fatal(q.Err())
					}
					q.Interrupts(true)
					if !q.Ready() {
						d.Wait(exo.Now() + int64(50*time.Millisecond))
					}
				}
				if got := dev.Tables(); (got > 0) != (features != 0) {
					t.Errorf("features %#x: %d chains came in tables", features, got)
				}
				if q.Free() != 16 {
					t.Errorf("%d descriptors are free at the end", q.Free())
				}
				mem.Release()
				if !d.Close() || m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
					t.Errorf("left behind: %d frames, %d vectors", m.FramesUsed(), m.VectorsUsed())
				}
			})
		}
	}
}

// TestInterrupts: over PCI queues have interrupts of their own, as many as there are messages; a change of the configuration is told by the first.
func TestInterrupts(t *testing.T) {
	m, dev := sim.New(1<<20), echoing(0, 3)
	dev.Configure(make([]byte, 8))
	defer exo.Simulate(m)()
	transports["pci"](m, dev)
	d, err := virtio.Open("test", virtio.Find(4)[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	if d.Messages() != 3 {
		t.Errorf("%d messages", d.Messages())
	}
	mem, err := exo.TakeFrames("test", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	var queues []*virtio.Queue
	var ins []*virtio.Interrupt
	for i := range 3 {
		in, err := d.Interrupt("test", i)
		if err != nil {
			t.Fatal(err)
		}
		q, err := d.QueueTo("test", i, 16, in)
		if err != nil {
			t.Fatal(err)
		}
		queues, ins = append(queues, q), append(ins, in)
	}
	if _, err := d.Interrupt("test", 0); err == nil {
		t.Error("a message that the device does not have was given")
	}
	d.Start()
	soon := func() int64 { return exo.Now() + int64(time.Minute) }
	for i, q := range queues {
		q.Add(1, virtio.Buffer{Addr: mem.Base(), Len: 16, Write: true})
		q.Kick()
		if fired, err := ins[i].Wait(soon()); !fired || err != nil {
			t.Errorf("queue %d: fired %v, %v", i, fired, err)
		}
		if _, _, ok := q.Next(); !ok {
			t.Errorf("queue %d has nothing", i)
		}
		for k, in := range ins {
			if fired, _ := in.Wait(-1); fired {
				t.Errorf("queue %d raised the interrupt of queue %d", i, k)
			}
		}
		if fired, _ := d.Wait(-1); fired || d.Changed() {
			t.Error("a queue raised the interrupt for changes")
		}
	}
	dev.Configure(make([]byte, 8))
	if fired, err := d.Wait(soon()); !fired || err != nil || !d.Changed() || d.Changed() {
		t.Errorf("a change of the configuration: fired %v, %v", fired, err)
	}
	mem.Release()
	if !d.Close() || m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
		t.Errorf("left behind: %d frames, %d vectors", m.FramesUsed(), m.VectorsUsed())
	}
}

// TestChangedByLine: behind a line the register says what an interrupt was for.
func TestChangedByLine(t *testing.T) {
	m, dev := sim.New(1<<20), echoing(0, 1)
	dev.Configure(make([]byte, 8))
	defer exo.Simulate(m)()
	transports["mmio"](m, dev)
	d, err := virtio.Open("test", virtio.Find(4)[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	q, err := d.Queue("test", 0, 16)
	if err != nil {
		t.Fatal(err)
	}
	mem, _ := exo.TakeFrames("test", 1, 0)
	defer mem.Release()
	if d.Messages() != 0 {
		t.Errorf("%d messages over a line", d.Messages())
	}
	if _, err := d.Interrupt("test", 0); err == nil {
		t.Error("a line gave a message")
	}
	d.Start()
	q.Add(1, virtio.Buffer{Addr: mem.Base(), Len: 16, Write: true})
	q.Kick()
	if fired, err := d.Wait(exo.Now() + 1e9); !fired || err != nil || d.Changed() {
		t.Errorf("a queue: fired %v, %v", fired, err)
	}
	dev.Configure(make([]byte, 8))
	if fired, err := d.Wait(exo.Now() + 1e9); !fired || err != nil || !d.Changed() {
		t.Errorf("a change: fired %v, %v", fired, err)
	}
}
