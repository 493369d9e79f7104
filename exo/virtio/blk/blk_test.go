//go:build !hardtack

package blk_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	disks "github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
	"github.com/hardtack-os/hardtack/exo/internal/sim"
	"github.com/hardtack-os/hardtack/exo/virtio"
	"github.com/hardtack-os/hardtack/exo/virtio/blk"
)

var le = binary.LittleEndian

// model is a disk as sim.Virtio's hooks: a request comes as a header, data, and a byte for the status. Each hook runs with the device locked.
type model struct {
	data    []byte
	serial  string
	op      uint32
	sector  uint64
	at      uint64 // of the next data
	header  bool   // the next piece is data, not a header
	status  byte
	flushes int
	fail    func(op uint32, sector uint64) byte // what to answer; nil: 0
	mute    bool                                // leaves the status byte alone
	short   bool                                // says it wrote nothing
}

const (
	ro, blkSize, flush, mq, discard, zeroes = 1 << 5, 1 << 6, 1 << 9, 1 << 12, 1 << 13, 1 << 14
	everything                              = virtio.Version1 | virtio.EventIndex | virtio.Indirect | 1<<2 | blkSize | flush | mq | discard | zeroes
)

func newModel(sectors int, features uint64) (*model, *sim.Virtio) {
	m := &model{data: make([]byte, sectors*blk.SectorSize), serial: "disk-of-the-tests-20"}
	d := &sim.Virtio{ID: blk.DeviceID, Features: features, QueueMax: 64, Queues: 3}
	d.Take, d.Serve = m.take, m.serve
	c := make([]byte, 60)
	le.PutUint64(c, uint64(sectors))
	le.PutUint32(c[12:], 20)
	le.PutUint32(c[20:], 1024)
	le.PutUint16(c[34:], 3)
	le.PutUint32(c[36:], 64)
	le.PutUint32(c[40:], 1)
	le.PutUint32(c[48:], 64)
	le.PutUint32(c[52:], 1)
	d.Configure(c)
	return m, d
}

func (m *model) take(_ int, b []byte) {
	if !m.header {
		m.op, m.sector, m.header, m.status = le.Uint32(b), le.Uint64(b[8:]), true, 0
		m.at = m.sector * blk.SectorSize
		if m.fail != nil {
			m.status = m.fail(m.op, m.sector)
		}
		return
	}
	if m.status != 0 {
		return
	}
	switch disks.Op(m.op) {
	case blk.Write:
		m.at += uint64(copy(m.data[m.at:], b))
	case blk.Discard, blk.WriteZeroes:
		s, n := le.Uint64(b), uint64(le.Uint32(b[8:]))
		fill := byte(0)
		if disks.Op(m.op) == blk.Discard {
			fill = 0xdd
		}
		for i := s * blk.SectorSize; i < (s+n)*blk.SectorSize; i++ {
			m.data[i] = fill
		}
	}
}

func (m *model) serve(b []byte) int {
	if len(b) == 1 {
		m.header = false
		if disks.Op(m.op) == blk.Flush {
			m.flushes++
		}
		if !m.mute {
			b[0] = m.status
		}
		return 1
	}
	switch {
	case m.status != 0 || m.short:
		return 0
	case m.op == 8:
		return copy(b, m.serial)
	}
	n := copy(b, m.data[m.at:])
	m.at += uint64(n)
	return n
}

var transports = map[string]func(m *sim.Machine, d *sim.Virtio){
	"mmio": func(m *sim.Machine, d *sim.Virtio) {
		m.AddVirtioMMIO(d, 0xfeb00e00, m.AddIOAPIC(0xfec00000), 12)
		m.CmdlineText = "virtio_mmio.device=512@0xfeb00e00:12"
	},
	"pci": func(m *sim.Machine, d *sim.Virtio) { m.AddPCI().AddVirtioPCI(d, 0x18, 0xd0000000) },
}

// each runs f on a machine with such a disk, by both transports.
func each(t *testing.T, sectors int, features uint64, f func(t *testing.T, m *sim.Machine, v *sim.Virtio, d *model)) {
	for name, add := range transports {
		t.Run(name, func(t *testing.T) {
			m := sim.New(4 << 20)
			m.APICIDs = []uint32{0, 1, 2}
			defer exo.Simulate(m)()
			d, v := newModel(sectors, features)
			add(m, v)
			f(t, m, v, d)
		})
	}
}

func open(t *testing.T, o blk.Options) *blk.Disk {
	t.Helper()
	d, err := blk.Open(blk.Places()[0], o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// whole binds all sectors.
func whole(t *testing.T, d *blk.Disk) *flow.Extent {
	t.Helper()
	s, c := d.Space()
	e, err := s.Bind(c, "test", 0, flow.Block(d.Info().Sectors), exo.Read|exo.Write)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func frames(t *testing.T, n int) *exo.Frames {
	t.Helper()
	f, err := exo.TakeFrames("test", n, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// takeBack takes the registers back. It waits for who is at one of them, so the device must not be locked.
func takeBack() {
	for _, space := range []string{exo.FunctionSpace, exo.MMIOSpace} {
		if err := exo.Root().Caps(space)[0].Revoke(); err != nil {
			panic(err)
		}
	}
}

func run(f *exo.Frames, off, n int) []exo.Run {
	return []exo.Run{{Base: f.Base() + exo.Phys(off), Len: uintptr(n)}}
}

func TestInfo(t *testing.T) {
	each(t, 4096, everything, func(t *testing.T, m *sim.Machine, v *sim.Virtio, _ *model) {
		d := open(t, blk.Options{})
		in := d.Info()
		if in.Serial != "disk-of-the-tests-20" || in.Sectors != 4096 || in.ReadOnly || in.BlockSize != 1024 || in.PhysicalBlock != 1024 || !in.Cached || !in.Discard || !in.WriteZeroes ||
			in.MaxRuns != 20 || in.MaxDiscard != 64 || in.MaxWriteZeroes != 64 || in.Queues != 3 {
			t.Errorf("%+v", in)
		}
		if !d.Close() || m.FramesUsed() != 0 || m.VectorsUsed() != 0 || v.Status() != 0 {
			t.Errorf("left behind: %d frames, %d vectors, status %d", m.FramesUsed(), m.VectorsUsed(), v.Status())
		}
		open(t, blk.Options{}).Close() // again
	})
	each(t, 8, virtio.Version1|ro, func(t *testing.T, m *sim.Machine, v *sim.Virtio, _ *model) {
		d := open(t, blk.Options{})
		defer d.Close()
		if in := d.Info(); !in.ReadOnly || in.Cached || in.Discard || in.WriteZeroes || in.Queues != 1 || in.BlockSize != 512 {
			t.Errorf("%+v", in)
		}
		var refused *disks.ReadOnlyError
		if err := d.Do(&blk.Request{Op: blk.Write, Extent: whole(t, d), Memory: run(frames(t, 1), 0, 512)}); !errors.As(err, &refused) {
			t.Error(err)
		}
	})
}

// TestAgainstOracle has many goroutines transfer at random, each in a part of the disk of its own, and compares with what each wrote.
func TestAgainstOracle(t *testing.T) {
	const workers, part = 24, 128 // sectors of each
	each(t, workers*part, everything, func(t *testing.T, m *sim.Machine, v *sim.Virtio, _ *model) {
		v.QueueMax = 32 // of which a chain of seventeen leaves less than half free: it goes to a table, whatever else is under way
		d := open(t, blk.Options{})
		defer d.Close()
		s, c := d.Space()
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(w), 7))
				e, err := s.Bind(c, "worker", flow.Block(w*part), flow.Block((w+1)*part), exo.Read|exo.Write)
				if err != nil {
					t.Error(err)
					return
				}
				f, err := exo.TakeFrames("worker", 3, 0)
				if err != nil {
					t.Error(err)
					return
				}
				oracle := make([]byte, part*blk.SectorSize)
				for range 150 {
					lo := 2 * r.IntN(part/2)
					n := 2 * (1 + r.IntN(min(12, part/2-lo/2)))
					mine := oracle[lo*512 : (lo+n)*512]
					req := blk.Request{Extent: e, Sector: flow.Block(w*part + lo)}
					// Pieces of odd sizes that together are whole blocks.
					for off, left := 0, n*512; left > 0; {
						k := min(left, 2*(1+r.IntN(1500))) // a piece of one byte is the status, to the model
						if len(req.Memory) == 19 {
							k = left
						}
						req.Memory = append(req.Memory, run(f, off, k)...)
						off, left = off+k, left-k
					}
					b := f.Bytes()[:n*512]
					switch r.IntN(5) {
					case 0, 1:
						for i := range b {
							b[i] = byte(r.Uint32())
						}
						copy(mine, b)
						req.Op = blk.Write
					case 2, 3:
						clear(b)
						req.Op = blk.Read
					case 4:
						req.Op, req.Memory, req.Count = blk.WriteZeroes, nil, uint32(n)
						clear(mine)
					}
					if err := d.Do(&req); err != nil {
						t.Error(err)
						return
					}
					if req.Op == blk.Read && !bytes.Equal(b, mine) {
						t.Errorf("worker %d: sectors %d+%d differ", w, lo, n)
						return
					}
				}
			})
		}
		wg.Wait()
		if v.Tables() == 0 {
			t.Error("no chain was long and outside the ring")
		}
	})
}

// TestDoorbell begins many transfers at once: a few go to one queue with one doorbell, many to all queues, with one for each, more than fit with a few, and one that cannot be asked keeps all from being begun.
func TestDoorbell(t *testing.T) {
	each(t, 4096, everything, func(t *testing.T, m *sim.Machine, v *sim.Virtio, disk *model) {
		d := open(t, blk.Options{})
		defer d.Close()
		e, f := whole(t, d), frames(t, 1)
		start := func(n int) (list []*blk.Request, wait func()) {
			var wg sync.WaitGroup
			for i := range n {
				wg.Add(1)
				list = append(list, &blk.Request{Op: blk.Write, Extent: e, Sector: flow.Block(2 * i), Memory: run(f, 0, 1024), Done: func(r *blk.Request) {
					if r.Err != nil {
						t.Error(r.Err)
					}
					wg.Done()
				}})
			}
			return list, wg.Wait
		}
		for _, c := range []struct{ n, least, most int }{{1, 1, 1}, {16, 1, 1}, {48, 3, 3}, {300, 3, 50}} { // there is room for 64 in a queue
			clear(disk.data)
			f.Bytes()[0]++
			before := v.Doorbells()
			list, wait := start(c.n)
			if err := d.Start(list...); err != nil {
				t.Fatal(err)
			}
			wait()
			if rung := v.Doorbells() - before; rung < c.least || rung > c.most {
				t.Errorf("%d transfers rang %d times", c.n, rung)
			}
			for i := range c.n {
				if disk.data[i*1024] != f.Bytes()[0] {
					t.Fatalf("%d of %d was not written", i, c.n)
				}
			}
		}
		before := v.Doorbells()
		list, _ := start(3)
		list[2].Sector = 1 // of a disk with blocks of two
		var shape *disks.RequestError
		if err := d.Start(list...); !errors.As(err, &shape) || v.Doorbells() != before {
			t.Error(err, v.Doorbells()-before)
		}
		if err := d.Start(); err != nil {
			t.Error(err)
		}
	})
}

// TestStatusIsRead reads the status register, which is an exit to the host, not for each transfer, but when the device has something to say.
func TestStatusIsRead(t *testing.T) {
	m := sim.New(4 << 20)
	defer exo.Simulate(m)()
	_, v := newModel(4096, everything)
	transports["mmio"](m, v)
	d := open(t, blk.Options{})
	defer d.Close()
	e, f := whole(t, d), frames(t, 1)
	before := v.StatusReads()
	for range 50 {
		if err := d.Do(&blk.Request{Op: blk.Read, Extent: e, Memory: run(f, 0, 1024)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := v.StatusReads() - before; n != 0 {
		t.Errorf("50 transfers read the status %d times", n)
	}
}

// What cannot be asked is refused before the device sees it.
func TestRefused(t *testing.T) {
	each(t, 256, everything, func(t *testing.T, m *sim.Machine, v *sim.Virtio, disk *model) {
		d := open(t, blk.Options{})
		defer d.Close()
		s, c := d.Space()
		e, err := s.Bind(c, "half", 0, 128, exo.Read|exo.Write)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := s.Bind(c, "reader", 128, 256, exo.Read)
		if err != nil {
			t.Fatal(err)
		}
		f := frames(t, 1)
		var shape *disks.RequestError
		var far *exo.RangeError
		var rights *exo.RightsError
		var gone *exo.ReleasedError
		done := &flow.Extent{}
		for i, c := range []struct {
			r  blk.Request
			as any
		}{
			{blk.Request{Op: blk.Read, Extent: e, Sector: 127, Memory: run(f, 0, 1024)}, &shape},
			{blk.Request{Op: blk.Read, Extent: e, Sector: 0, Memory: run(f, 0, 512)}, &shape},
			{blk.Request{Op: blk.Read, Extent: e, Sector: 0}, &shape},
			{blk.Request{Op: blk.Read, Sector: 0, Memory: run(f, 0, 1024)}, &shape},
			{blk.Request{Op: blk.Read, Extent: e, Sector: 0, Memory: make([]exo.Run, 3)}, &shape},
			{blk.Request{Op: blk.Read, Extent: e, Sector: 0, Memory: run(f, 0, 2<<20)}, &shape},
			{blk.Request{Op: 77, Extent: e}, &shape},
			{blk.Request{Op: blk.Discard, Extent: e, Count: 66}, &shape},
			{blk.Request{Op: blk.Discard, Extent: e, Count: 0}, &shape},
			{blk.Request{Op: blk.Write, Extent: e, Sector: 128, Memory: run(f, 0, 1024)}, &far},
			{blk.Request{Op: blk.Discard, Extent: e, Sector: 126, Count: 4}, &far},
			{blk.Request{Op: blk.Write, Extent: seen, Sector: 128, Memory: run(f, 0, 1024)}, &rights},
			{blk.Request{Op: blk.WriteZeroes, Extent: seen, Sector: 128, Count: 2}, &rights},
		} {
			before := append([]byte(nil), disk.data...)
			if err := d.Do(&c.r); !errors.As(err, c.as) {
				t.Errorf("%d: %v", i, err)
			}
			if !bytes.Equal(before, disk.data) {
				t.Errorf("%d: the disk changed", i)
			}
		}
		var empty *exo.EmptyError
		if err := d.Do(&blk.Request{Op: blk.Read, Extent: done, Memory: run(f, 0, 1024)}); !errors.As(err, &empty) {
			t.Error(err)
		}
		e.Release()
		if err := d.Do(&blk.Request{Op: blk.Read, Extent: e, Memory: run(f, 0, 1024)}); !errors.As(err, &gone) {
			t.Error(err)
		}
	})
}

func TestFlushAndFailures(t *testing.T) {
	each(t, 256, everything, func(t *testing.T, m *sim.Machine, v *sim.Virtio, disk *model) {
		d := open(t, blk.Options{})
		defer d.Close()
		e, f := whole(t, d), frames(t, 1)
		if err := d.Do(&blk.Request{Op: blk.Flush}); err != nil || disk.flushes != 1 {
			t.Error(err, disk.flushes)
		}
		v.Change(func() {
			disk.fail = func(op uint32, sector uint64) byte {
				switch {
				case op == uint32(blk.Flush):
					return 2
				case sector == 4:
					return 1
				case sector == 6:
					return 99
				}
				return 0
			}
		})
		var io *disks.IOError
		var no *disks.UnsupportedError
		for _, c := range []struct {
			op     disks.Op
			sector flow.Block
			as     any
		}{{blk.Read, 4, &io}, {blk.Write, 4, &io}, {blk.Read, 6, &io}, {blk.Flush, 0, &no}, {blk.Read, 2, nil}} {
			r := blk.Request{Op: c.op, Extent: e, Sector: c.sector}
			if c.op != blk.Flush {
				r.Memory = run(f, 0, 1024)
			}
			if err := d.Do(&r); c.as == nil && err != nil || c.as != nil && !errors.As(err, c.as) {
				t.Errorf("%v at %d: %v", c.op, c.sector, err)
			}
		}
		v.Change(func() { disk.fail, disk.mute = nil, true })
		if err := d.Do(&blk.Request{Op: blk.Read, Extent: e, Memory: run(f, 0, 1024)}); !errors.As(err, &io) || !strings.Contains(err.Error(), "without a status") {
			t.Error(err)
		}
		v.Change(func() { disk.mute, disk.short = false, true })
		if err := d.Do(&blk.Request{Op: blk.Read, Extent: e, Memory: run(f, 0, 1024)}); !errors.As(err, &io) || !strings.Contains(err.Error(), "fewer") {
			t.Error(err)
		}
	})
}

// A disk whose queue breaks, that falls silent, or is taken back, is gone: all that is under way ends, and so does what comes later.
func TestGone(t *testing.T) {
	for name, c := range map[string]struct {
		lie func(v *sim.Virtio)
		is  func(error) bool
	}{
		"other descriptor": {func(v *sim.Virtio) { v.LieUsedID = func(uint32) uint32 { return 1 << 20 } }, is[*virtio.BrokenError]},
		"ring ahead":       {func(v *sim.Virtio) { v.LieUsedIdx = func(i uint16) uint16 { return i + 900 } }, is[*virtio.BrokenError]},
		"more than fits":   {func(v *sim.Virtio) { v.LieUsedLen = func(n uint32) uint32 { return n + 1<<20 } }, is[*virtio.BrokenError]},
		"silent":           {func(v *sim.Virtio) { v.LieNoAnswer = true }, is[*disks.TimeoutError]},
		"needs reset":      {func(v *sim.Virtio) { v.LieNoAnswer = true; v.LieNeedsReset = true }, is[*virtio.DeviceError]},
		"taken back":       {func(v *sim.Virtio) { v.LieNoAnswer = true }, is[*exo.RevokedError]},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 256, everything&^virtio.EventIndex, func(t *testing.T, m *sim.Machine, v *sim.Virtio, disk *model) {
				o, clock := impatient()
				d := open(t, o)
				e, f := whole(t, d), frames(t, 1)
				v.Change(func() { c.lie(v) })
				if name == "taken back" {
					takeBack()
				}
				if name == "silent" {
					clock.Store(true)
				}
				if v.LieNeedsReset {
					v.Configure(v.Configuration()) // it interrupts
				}
				var wg sync.WaitGroup
				for range 100 { // more than the queues hold
					wg.Go(func() {
						err := d.Do(&blk.Request{Op: blk.Read, Extent: e, Memory: run(f, 0, 1024)})
						var gone *disks.GoneError
						if !errors.As(err, &gone) || !c.is(err) {
							t.Errorf("%v", err)
						}
					})
				}
				wg.Wait()
				if err := d.Do(&blk.Request{Op: blk.Flush}); !c.is(err) || d.Err() == nil {
					t.Error(err)
				}
				stopped := d.Close()
				if name == "taken back" && strings.Contains(t.Name(), "mmio") {
					if stopped || m.FramesUsed() < 2 {
						t.Error("a device that was not reset counts as stopped")
					}
					return
				}
				f.Release()
				if !stopped || m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
					t.Errorf("stopped %v; %d frames, %d vectors left", stopped, m.FramesUsed(), m.VectorsUsed())
				}
			})
		})
	}
}

// TestListTakenBack: of a list longer than a queue all transfers end, each once, where the registers are taken back: those in their slots, the one that the doorbell was to ring for, and those behind.
func TestListTakenBack(t *testing.T) {
	each(t, 256, everything&^virtio.EventIndex, func(t *testing.T, m *sim.Machine, v *sim.Virtio, disk *model) {
		d := open(t, blk.Options{})
		defer d.Close()
		e, f := whole(t, d), frames(t, 1)
		v.Change(func() { v.LieNoAnswer = true })
		takeBack()
		const n = 300
		ended := make(chan *blk.Request, 2*n)
		var list []*blk.Request
		for range n {
			list = append(list, &blk.Request{Op: blk.Read, Extent: e, Memory: run(f, 0, 1024), Done: func(r *blk.Request) { ended <- r }})
		}
		if err := d.Start(list...); err != nil {
			t.Fatal(err)
		}
		seen := map[*blk.Request]bool{}
		for range n {
			select {
			case r := <-ended:
				if seen[r] || !is[*disks.GoneError](r.Err) || !is[*exo.RevokedError](r.Err) {
					t.Fatalf("it ended before: %v; %v", seen[r], r.Err)
				}
				seen[r] = true
			case <-time.After(20 * time.Second):
				t.Fatalf("%d of %d transfers ended", len(seen), n)
			}
		}
	})
}

// impatient is the patience of tests with disks that fall silent: it is short, but the clock stands until it is let go.
func impatient() (o blk.Options, clock *atomic.Bool) {
	clock = new(atomic.Bool)
	return blk.Options{Patience: 10 * time.Millisecond, Now: func() int64 {
		if clock.Load() {
			return exo.Now()
		}
		return 0
	}}, clock
}

// is says whether an error is, or wraps, one of type E.
func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// A device that does not stop keeps the memory, and says so.
func TestNeverStops(t *testing.T) {
	each(t, 256, everything, func(t *testing.T, m *sim.Machine, v *sim.Virtio, disk *model) {
		o, clock := impatient()
		d := open(t, o)
		e, f := whole(t, d), frames(t, 1)
		v.Change(func() { v.LieNoReset, v.LieNoAnswer = true, true })
		clock.Store(true)
		var gone *disks.GoneError
		if err := d.Do(&blk.Request{Op: blk.Read, Extent: e, Memory: run(f, 0, 1024)}); !errors.As(err, &gone) || !gone.Held {
			t.Error(err)
		}
		if d.Close() {
			t.Error("it counts as stopped")
		}
	})
}

func TestBadConfiguration(t *testing.T) {
	for name, change := range map[string]func(c []byte){
		"no sectors":   func(c []byte) { clear(c[:8]) },
		"too many":     func(c []byte) { le.PutUint64(c, 1<<63) },
		"none at all":  func(c []byte) { clear(c) },
		"all ones":     func(c []byte) { copy(c, bytes.Repeat([]byte{0xff}, len(c))) },
		"odd block":    func(c []byte) { le.PutUint32(c[20:], 777) },
		"no segments":  func(c []byte) { le.PutUint32(c[12:], 0) },
		"many queues":  func(c []byte) { le.PutUint16(c[34:], 999) },
		"nothing more": func(c []byte) { clear(c[8:]) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 64, everything|1<<1|1<<10, func(t *testing.T, m *sim.Machine, v *sim.Virtio, disk *model) {
				c := v.Configuration()
				change(c)
				v.Configure(c)
				if d, err := blk.Open(blk.Places()[0], blk.Options{}); err == nil {
					f := frames(t, 1)
					if err := d.Do(&blk.Request{Op: blk.Read, Extent: whole(t, d), Memory: run(f, 0, min(d.Info().BlockSize, 4096))}); err != nil && name != "nothing more" {
						t.Error(err)
					}
					d.Close()
					f.Release()
				}
				if m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
					t.Errorf("%d frames, %d vectors left", m.FramesUsed(), m.VectorsUsed())
				}
			})
		})
	}
}

// FuzzLies has a device answer with any heads, lengths, indices, status bytes. Each transfer ends, with an error or without.
func FuzzLies(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add(bytes.Repeat([]byte{1, 0, 200}, 30))
	f.Fuzz(func(t *testing.T, lies []byte) {
		m := sim.New(1 << 20)
		defer exo.Simulate(m)()
		disk, v := newModel(64, everything)
		transports["pci"](m, v)
		d := open(t, blk.Options{Patience: 10 * time.Millisecond})
		e, mem := whole(t, d), frames(t, 1)
		i := 0
		next := func() byte {
			if i++; i > len(lies) {
				return 0
			}
			return lies[i-1]
		}
		v.LieUsedID = func(h uint32) uint32 {
			if c := next(); c&1 != 0 {
				return uint32(c >> 1)
			}
			return h
		}
		v.LieUsedLen = func(n uint32) uint32 {
			if c := next(); c&1 != 0 {
				return uint32(c) << 4
			}
			return n
		}
		v.LieUsedIdx = func(x uint16) uint16 {
			if c := next(); c > 200 {
				return x + uint16(c)
			}
			return x
		}
		disk.fail = func(uint32, uint64) byte { return next() & 3 }
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for k := range 4 {
					d.Do(&blk.Request{Op: []disks.Op{blk.Read, blk.Write, blk.Flush, blk.Discard}[k], Extent: e, Count: 2, Memory: run(mem, 0, 1024)[:max(0, 1-k/2)]})
				}
			})
		}
		wg.Wait()
		if d.Close() {
			mem.Release()
			if m.FramesUsed() != 0 {
				t.Errorf("%d frames left", m.FramesUsed())
			}
		}
	})
}

// TestRestlessConfiguration opens a disk that says its configuration changes all the time: Open returns.
func TestRestlessConfiguration(t *testing.T) {
	each(t, 64, everything, func(t *testing.T, m *sim.Machine, v *sim.Virtio, _ *model) {
		v.LieGeneration = true
		opened := make(chan bool, 1)
		go func() {
			if d, err := blk.Open(blk.Places()[0], blk.Options{}); err == nil {
				d.Close()
			}
			opened <- true
		}()
		select {
		case <-opened:
		case <-time.After(30 * time.Second):
			t.Fatal("it does not return")
		}
	})
}

// TestGrows has a disk become larger: who asked to be told is, and extents can be bound there. One that becomes smaller stays as it was.
func TestGrows(t *testing.T) {
	each(t, 64, everything, func(t *testing.T, m *sim.Machine, v *sim.Virtio, model *model) {
		d := open(t, blk.Options{})
		defer d.Close()
		e, f := whole(t, d), frames(t, 1)
		told := make(chan bool, 9)
		d.Notify(func() { told <- true })
		size := func(n uint64) {
			c := v.Configuration()
			le.PutUint64(c, n)
			v.Change(func() { model.data = append(model.data, make([]byte, max(0, int(n)*512-len(model.data)))...) })
			v.Configure(c)
		}
		s, _ := d.Space()
		for _, n := range []uint64{128, 4096} {
			size(n)
			<-told
			if s.Blocks() != n {
				t.Errorf("%d sectors of %d", s.Blocks(), n)
			}
			if err := e.Extend(flow.Block(n)); err != nil {
				t.Fatal(err)
			}
			if err := d.Do(&blk.Request{Op: blk.Write, Extent: e, Sector: flow.Block(n - 2), Memory: run(f, 0, 1024)}); err != nil {
				t.Error(err)
			}
		}
		for _, n := range []uint64{64, 0, 1 << 63, 4096} {
			size(n)
			if err := d.Do(&blk.Request{Op: blk.Flush}); err != nil || s.Blocks() != 4096 {
				t.Error(n, s.Blocks(), err)
			}
		}
		if len(told) != 0 {
			t.Error("it is told of what is no growth")
		}
	})
}
