//go:build !hardtack

package scsi_test

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
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
	"github.com/hardtack-os/hardtack/exo/internal/sim"
	"github.com/hardtack-os/hardtack/exo/virtio"
	"github.com/hardtack-os/hardtack/exo/virtio/scsi"
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

// A unit is a logical unit of the model's.
type unit struct {
	kind     byte
	data     []byte
	block    int
	more     uint64 // blocks that it says it has besides
	serial   string
	ro       bool
	wce      bool
	cacheOps bool // it has SYNCHRONIZE CACHE
	thin     byte // VPD page B2, byte 5
	attend   []sense
	busy     int                                     // so many commands are told so
	fail     func(op byte, lba uint64) (byte, sense) // status, and what the unit has to say; nil: it works
	wide     bool                                    // the last transfer's command had 16 bytes
	flushes  int
	descr    bool // sense data in descriptor format
	deferred bool // and of an error that is told late
}

type sense [3]byte // key, asc, ascq

type place struct{ target, lun int }

// model is a host as sim.Virtio's hooks. Each runs with the device locked.
type model struct {
	v       *sim.Virtio
	units   map[place]*unit
	head    []byte // of the command that is being taken
	done    bool   // it was answered: what comes next is a head
	out     []byte // what came with it
	in      []byte // what goes back and was not taken
	answer  func(resp, in []byte) ([]byte, []byte)
	hold    func(u *unit, op byte, lba uint64) bool // commands that are not answered
	aborted map[uint64]bool
	deaf    bool     // to what is told by the control queue
	told    []uint64 // ids that it was told to abort
	events  [][]byte
}

const (
	everything = virtio.Version1 | virtio.EventIndex | virtio.Indirect | 1<<1 | 1<<2
	blockSize  = 1024
)

func newModel(units map[place]*unit) *model {
	m := &model{units: units, done: true, aborted: map[uint64]bool{}}
	for _, u := range units {
		if u.block == 0 {
			u.block = blockSize
		}
	}
	v := &sim.Virtio{ID: scsi.DeviceID, Features: everything, QueueMax: 64, Queues: 5, Take: m.take, ServeQueue: m.serve}
	c := make([]byte, 36)
	le.PutUint32(c, 3)
	le.PutUint32(c[4:], 20)
	le.PutUint32(c[20:], 96)
	le.PutUint32(c[24:], 32)
	le.PutUint16(c[30:], 7)
	v.Configure(c)
	m.v = v
	return m
}

func plain(blocks int) *unit {
	return &unit{data: make([]byte, blocks*blockSize), serial: "  a serial number ", wce: true, cacheOps: true, thin: 0xe0}
}

func (m *model) take(queue int, b []byte) {
	if queue == 0 {
		id := le.Uint64(b[16:])
		if m.told = append(m.told, id); !m.deaf {
			m.aborted[id] = true
			m.v.Notify(2)
			m.v.Notify(3)
			m.v.Notify(4)
		}
		return
	}
	if m.done {
		m.head, m.done, m.out, m.in = bytes.Clone(b), false, nil, nil
		return
	}
	m.out = append(m.out, b...)
}

// tell has the device say something by the event queue.
func (m *model) tell(what uint32, at place, reason uint32) {
	b := make([]byte, 16)
	le.PutUint32(b, what)
	b[4], b[5], b[6], b[7] = 1, byte(at.target), 0x40|byte(at.lun>>8), byte(at.lun)
	le.PutUint32(b[12:], reason)
	m.v.Change(func() { m.events = append(m.events, b) })
	m.v.Notify(1)
}

func (m *model) serve(queue int, b []byte) int {
	switch {
	case queue == 0:
		b[0] = 0
		return 1
	case queue == 1 && len(m.events) == 0:
		return -1
	case queue == 1:
		n := copy(b, m.events[0])
		m.events = m.events[1:]
		return n
	case m.done:
		n := copy(b, m.in)
		m.in = m.in[n:]
		return n
	}
	m.done = true
	resp := make([]byte, 108)
	at := place{int(m.head[1]), int(be.Uint16(m.head[2:]) & 0x3fff)}
	c := m.head[19:]
	lba := be.Uint64(c[2:])
	if c[0] == 0x28 || c[0] == 0x2a {
		lba = uint64(be.Uint32(c[2:]))
	}
	u, id := m.units[at], le.Uint64(m.head[8:])
	if u == nil && c[0] == 0xa0 {
		for p, x := range m.units {
			if p.target == at.target {
				u = x
			}
		}
	}
	switch {
	case u == nil:
		resp[11] = 3
	case m.aborted[id]:
		delete(m.aborted, id)
		resp[11] = 2
	case m.hold != nil && m.hold(u, c[0], lba):
		return -1
	case len(u.attend) > 0 && c[0] != 0x12 && c[0] != 0xa0:
		check(u, resp, u.attend[0])
		u.attend = u.attend[1:]
	case u.busy > 0:
		u.busy--
		resp[10] = 8
	default:
		if u.fail != nil {
			status, s := u.fail(c[0], lba)
			if status != 0 {
				check(u, resp, s)
				resp[10] = status
				break
			}
		}
		m.in = m.command(u, at, c, lba, resp)
	}
	if m.answer != nil {
		resp, m.in = m.answer(resp, m.in)
	}
	return copy(b, resp)
}

// check makes sense data.
func check(u *unit, resp []byte, s sense) {
	resp[10] = 2
	late := byte(0)
	if u.deferred {
		late = 1
	}
	if u.descr {
		le.PutUint32(resp, 8)
		copy(resp[12:], []byte{0x72 + late, s[0], s[1], s[2]})
		return
	}
	le.PutUint32(resp, 18)
	copy(resp[12:], []byte{0x70 + late, 0, s[0], 0, 0, 0, 0, 10, 0, 0, 0, 0, s[1], s[2]})
}

func (m *model) command(u *unit, at place, c []byte, lba uint64, resp []byte) (in []byte) {
	n := be.Uint32(c[10:])
	page := func(b []byte) []byte {
		be.PutUint16(b[2:], uint16(len(b)-4))
		b[1] = c[2]
		return b
	}
	u.wide = c[0] == 0x88 || c[0] == 0x8a
	switch op := c[0]; op {
	case 0x00:
	case 0xa0:
		in = make([]byte, 8)
		for p := range m.units {
			if p.target == at.target {
				form := uint16(0)
				if p.lun > 255 || p.lun%2 != 0 {
					form = 1 << 14 // flat space addressing
				}
				in = append(be.AppendUint16(in, uint16(p.lun)|form), 0, 0, 0, 0, 0, 0)
			}
		}
		be.PutUint32(in, uint32(len(in)-8))
	case 0x12:
		switch {
		case c[1]&1 == 0:
			in = make([]byte, 36)
			in[0] = u.kind
		case c[2] == 0:
			in = page([]byte{0, 0, 0, 0, 0, 0x80, 0xb0, 0xb2})
		case c[2] == 0x80:
			in = page(append(make([]byte, 4), u.serial...))
		case c[2] == 0xb0:
			in = page(make([]byte, 64))
			be.PutUint32(in[8:], 32)
			be.PutUint32(in[20:], 64)
			be.PutUint32(in[24:], 1)
			be.PutUint64(in[36:], 48)
		case c[2] == 0xb2:
			in = page(make([]byte, 8))
			in[5] = u.thin
		default:
			check(u, resp, sense{5, 0x24, 0})
		}
	case 0x9e:
		in = make([]byte, 32)
		be.PutUint64(in, uint64(len(u.data)/u.block)+u.more-1)
		be.PutUint32(in[8:], uint32(u.block))
		in[13], in[14] = 2, 0x80
	case 0x1a:
		in = []byte{15, 0, 0, 0, 0x88, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		if u.ro {
			in[2] = 0x80
		}
		if u.wce {
			in[6] = 4
		}
	case 0x35:
		if u.flushes++; !u.cacheOps {
			check(u, resp, sense{5, 0x20, 0})
		}
	case 0x28, 0x2a, 0x88, 0x8a, 0x93:
		if op < 0x80 {
			n = uint32(be.Uint16(c[7:]))
		}
		lba -= min(lba, u.more)
		if (lba+uint64(n))*uint64(u.block) > uint64(len(u.data)) {
			check(u, resp, sense{5, 0x21, 0})
			break
		}
		part := u.data[lba*uint64(u.block):][:uint64(n)*uint64(u.block)]
		switch op {
		case 0x28, 0x88:
			in = bytes.Clone(part)
		case 0x2a, 0x8a:
			if copy(part, m.out) != len(part) {
				le.PutUint32(resp[4:], 1)
			}
		case 0x93:
			for len(part) > 0 {
				part = part[copy(part, m.out):]
			}
		}
	case 0x42:
		at, k := be.Uint64(m.out[8:]), be.Uint32(m.out[16:])
		part := u.data[at*uint64(u.block):][:uint64(k)*uint64(u.block)]
		for i := range part {
			part[i] = 0xdd
		}
	default:
		check(u, resp, sense{5, 0x20, 0})
	}
	return in
}

var transports = map[string]func(m *sim.Machine, d *sim.Virtio){
	"mmio": func(m *sim.Machine, d *sim.Virtio) {
		m.AddVirtioMMIO(d, 0xfeb00e00, m.AddIOAPIC(0xfec00000), 12)
		m.CmdlineText = "virtio_mmio.device=512@0xfeb00e00:12"
	},
	"pci": func(m *sim.Machine, d *sim.Virtio) { m.AddPCI().AddVirtioPCI(d, 0x18, 0xd0000000) },
}

// on runs f on a machine with such a host, by both transports.
func on(t *testing.T, units func() map[place]*unit, f func(t *testing.T, m *sim.Machine, d *model)) {
	for name, add := range transports {
		t.Run(name, func(t *testing.T) {
			m := sim.New(4 << 20)
			m.APICIDs = []uint32{0, 1, 2}
			defer exo.Simulate(m)()
			d := newModel(units())
			add(m, d.v)
			f(t, m, d)
		})
	}
}

func one(blocks int) func() map[place]*unit {
	return func() map[place]*unit { return map[place]*unit{{0, 0}: plain(blocks)} }
}

func open(t testing.TB, o scsi.Options, want int) []*scsi.Disk {
	t.Helper()
	list, err := scsi.Open(scsi.Places()[0], o)
	if err != nil || len(list) != want {
		t.Fatalf("%d disks: %v", len(list), err)
	}
	return list
}

// whole binds all sectors.
func whole(t testing.TB, d disk.Disk) *flow.Extent {
	t.Helper()
	s, c := d.Space()
	e, err := s.Bind(c, "test", 0, flow.Block(d.Info().Sectors), exo.Read|exo.Write)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func frames(t testing.TB, n int) *exo.Frames {
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

func closeAll(list []*scsi.Disk) (stopped bool) {
	for _, d := range list {
		stopped = d.Close()
	}
	return stopped
}

// TestUnits has several targets with several units, of which some are no disks, or no good ones.
func TestUnits(t *testing.T) {
	on(t, func() map[place]*unit {
		ro, through, old, odd, cd := plain(64), plain(64), plain(64), plain(64), plain(64)
		ro.ro, through.wce, odd.block, cd.kind, cd.attend = true, false, 520, 5, nil
		old.thin, old.descr, old.attend = 0, true, []sense{{6, 0x29, 0}, {6, 0x3f, 0x0e}}
		return map[place]*unit{{0, 0}: plain(2048), {0, 5}: ro, {3, 1}: through, {3, 256}: cd, {3, 300}: old, {7, 0}: odd}
	}, func(t *testing.T, m *sim.Machine, v *model) {
		list, err := scsi.Open(scsi.Places()[0], scsi.Options{})
		if err == nil || !strings.Contains(err.Error(), "target 7, unit 0") || !strings.Contains(err.Error(), "520 bytes") {
			t.Errorf("of the odd one: %v", err)
		}
		if len(list) != 4 {
			t.Fatalf("%d disks", len(list))
		}
		for i, at := range []string{"target 0, unit 0", "target 0, unit 5", "target 3, unit 1", "target 3, unit 300"} {
			if in := list[i].Info(); !strings.HasSuffix(in.Name, at) || in.BlockSize != blockSize || in.PhysicalBlock != 4*blockSize || in.Serial != "a serial number" || in.MaxBytes != 32*blockSize || in.MaxRuns != 20 || in.Queues != 3 {
				t.Errorf("%s: %+v", at, in)
			}
		}
		if in := list[0].Info(); in.Sectors != 4096 || in.ReadOnly || !in.Cached || !in.Discard || in.MaxDiscard != 128 || !in.WriteZeroes || in.MaxWriteZeroes != 96 {
			t.Errorf("%+v", in)
		}
		if !list[1].Info().ReadOnly || list[2].Info().Cached || list[3].Info().Discard {
			t.Errorf("%+v\n%+v\n%+v", list[1].Info(), list[2].Info(), list[3].Info())
		}
		f := frames(t, 1)
		var refused *disk.ReadOnlyError
		if err := disk.Do(list[1], &disk.Request{Op: disk.Write, Extent: whole(t, list[1]), Memory: run(f, 0, blockSize)}); !errors.As(err, &refused) {
			t.Error(err)
		}
		// Each is another one.
		for i, p := range []place{{0, 0}, {0, 5}, {3, 1}, {3, 300}} {
			if i == 1 {
				continue
			}
			f.Bytes()[0] = byte(i)
			if err := disk.Do(list[i], &disk.Request{Op: disk.Write, Extent: whole(t, list[i]), Sector: 2, Memory: run(f, 0, blockSize)}); err != nil {
				t.Error(err)
			}
			if got := v.units[p].data[blockSize]; got != byte(i) {
				t.Errorf("unit %v has %d", p, got)
			}
		}
		f.Release()
		// One that is closed leaves the others alone.
		if !list[0].Close() || list[0].Err() == nil || list[2].Err() != nil {
			t.Error(list[0].Err(), list[2].Err())
		}
		if err := disk.Do(list[2], &disk.Request{Op: disk.Flush}); err != nil {
			t.Error(err)
		}
		if !closeAll(list) || m.FramesUsed() != 0 || m.VectorsUsed() != 0 || v.v.Status() != 0 {
			t.Errorf("left behind: %d frames, %d vectors, status %d", m.FramesUsed(), m.VectorsUsed(), v.v.Status())
		}
		list, _ = scsi.Open(scsi.Places()[0], scsi.Options{}) // again
		closeAll(list)
	})
	on(t, func() map[place]*unit { return nil }, func(t *testing.T, m *sim.Machine, v *model) {
		open(t, scsi.Options{}, 0)
		if m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
			t.Error("a host without units is kept")
		}
	})
}

// TestAgainstOracle has many goroutines transfer at random, each in a part of the disk of its own, and compares with what each wrote.
func TestAgainstOracle(t *testing.T) {
	const workers, part = 16, 128 // sectors of each
	on(t, one(workers*part/2), func(t *testing.T, m *sim.Machine, v *model) {
		v.v.QueueMax = 32 // of which long chains leave less than half free: they go to tables
		d := open(t, scsi.Options{}, 1)[0]
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
				f := frames(t, 3)
				oracle := make([]byte, part*512)
				for range 120 {
					lo := 2 * r.IntN(part/2)
					n := 2 * (1 + r.IntN(min(12, part/2-lo/2)))
					mine := oracle[lo*512 : (lo+n)*512]
					req := disk.Request{Extent: e, Sector: flow.Block(w*part + lo)}
					// Pieces of odd sizes that together are whole blocks.
					for off, left := 0, n*512; left > 0; {
						k := min(left, 1+r.IntN(1500))
						if len(req.Memory) == 19 {
							k = left
						}
						req.Memory = append(req.Memory, run(f, off, k)...)
						off, left = off+k, left-k
					}
					b := f.Bytes()[:n*512]
					switch r.IntN(6) {
					case 0, 1:
						for i := range b {
							b[i] = byte(r.Uint32())
						}
						copy(mine, b)
						req.Op = disk.Write
					case 2, 3:
						clear(b)
						req.Op = disk.Read
					case 4:
						req.Op, req.Memory, req.Count, req.Unmap = disk.WriteZeroes, nil, uint32(n), r.IntN(2) == 0
						clear(mine)
					case 5:
						req.Op, req.Memory, req.Count = disk.Discard, nil, uint32(n)
						for i := range mine {
							mine[i] = 0xdd // as this unit has it
						}
					}
					if err := disk.Do(d, &req); err != nil {
						t.Error(err)
						return
					}
					if req.Op == disk.Read && !bytes.Equal(b, mine) {
						t.Errorf("worker %d: sectors %d+%d differ", w, lo, n)
						return
					}
				}
			})
		}
		wg.Wait()
		if v.v.Tables() == 0 {
			t.Error("no chain was long and outside the ring")
		}
	})
}

// TestFarBlocks reads where commands of 10 bytes do not reach.
func TestFarBlocks(t *testing.T) {
	on(t, func() map[place]*unit {
		u := plain(64)
		u.more = 1 << 40
		return map[place]*unit{{0, 0}: u}
	}, func(t *testing.T, m *sim.Machine, v *model) {
		d := open(t, scsi.Options{}, 1)[0]
		defer d.Close()
		e, f, u := whole(t, d), frames(t, 1), v.units[place{0, 0}]
		copy(u.data[8*blockSize:], "far away")
		for block, wide := range map[uint64]bool{1<<40 + 8: true, 1<<32 - 1: false, 1 << 32: true} {
			if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Sector: flow.Block(2 * block), Memory: run(f, 0, blockSize)}); err != nil {
				t.Error(err)
			}
			got := false
			v.v.Change(func() { got = u.wide })
			if got != wide || block > 1<<40 && !bytes.HasPrefix(f.Bytes(), []byte("far away")) {
				t.Errorf("block %d: 16 bytes %v", block, got)
			}
		}
	})
}

// TestOutcomes has commands end in each way that there is.
func TestOutcomes(t *testing.T) {
	var io *disk.IOError
	var no *disk.UnsupportedError
	var ro *disk.ReadOnlyError
	on(t, one(256), func(t *testing.T, m *sim.Machine, v *model) {
		d := open(t, scsi.Options{}, 1)[0]
		defer d.Close()
		e, f, u := whole(t, d), frames(t, 1), v.units[place{0, 0}]
		for _, c := range []struct {
			op     disk.Op
			status byte
			s      sense
			as     any
			says   string
		}{
			{disk.Read, 2, sense{1, 0x17, 0}, &io, "fewer bytes"}, // recovered, but this unit sends nothing then
			{disk.Write, 2, sense{1, 0x17, 0}, nil, ""},
			{disk.Read, 2, sense{3, 0x11, 0}, &io, "medium error (11/00)"},
			{disk.Write, 2, sense{3, 0x0c, 0}, &io, "medium error (0c/00)"},
			{disk.Read, 2, sense{4, 0x44, 0}, &io, "hardware error"},
			{disk.Read, 2, sense{2, 0x3a, 0}, &io, "not ready (3a/00)"},
			{disk.Read, 2, sense{5, 0x21, 0}, &io, "illegal request (21/00)"},
			{disk.Write, 2, sense{7, 0x27, 0}, &ro, "read-only"},
			{disk.Flush, 2, sense{5, 0x20, 0}, &no, "flush"},
			{disk.Discard, 2, sense{5, 0x24, 0}, &no, "discard"},
			{disk.WriteZeroes, 2, sense{5, 0x20, 0}, &no, "write-zeroes"},
			{disk.Read, 2, sense{0xb, 0x4b, 0}, &io, "again and again"},
			{disk.Read, 2, sense{6, 0x29, 2}, &io, "again and again"},
			{disk.Read, 0x18, sense{}, &io, "reserved"},
			{disk.Read, 0x40, sense{}, &io, "again and again"},
			{disk.Read, 0x30, sense{}, &io, "status 30"},
			{disk.Read, 0, sense{}, nil, ""},
		} {
			for _, descr := range []bool{false, true} {
				v.v.Change(func() {
					u.descr = descr
					u.fail = func(byte, uint64) (byte, sense) { return c.status, c.s }
				})
				r := disk.Request{Op: c.op, Extent: e, Sector: 4, Count: 2}
				if c.op == disk.Read || c.op == disk.Write {
					r.Memory = run(f, 0, blockSize)
				}
				err := disk.Do(d, &r)
				if c.as == nil && err != nil || c.as != nil && (!errors.As(err, c.as) || !strings.Contains(err.Error(), c.says)) {
					t.Errorf("%v, status %x, sense %x: %v", c.op, c.status, c.s, err)
				}
			}
		}
		v.v.Change(func() { u.fail = nil })
		for name, c := range map[string]struct {
			answer func(resp, in []byte) ([]byte, []byte)
			says   string
		}{
			"no response":       {func(r, in []byte) ([]byte, []byte) { return r[:11], in }, "without a response"},
			"unknown":           {func(r, in []byte) ([]byte, []byte) { r[11] = 9; return r, in }, "response 09"},
			"fewer":             {func(r, in []byte) ([]byte, []byte) { return r, nil }, "fewer"},
			"residual":          {func(r, in []byte) ([]byte, []byte) { r[4] = 1; return r, in }, "fewer"},
			"aborted by others": {func(r, in []byte) ([]byte, []byte) { r[11] = 2; return r, in }, "again and again"},
			"reset by others":   {func(r, in []byte) ([]byte, []byte) { r[11] = 4; return r, in }, "again and again"},
			"long sense":        {func(r, in []byte) ([]byte, []byte) { le.PutUint32(r, 1<<31); r[10] = 2; return r, in }, "hardware error"},
		} {
			v.v.Change(func() { v.answer = c.answer })
			if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize)}); !errors.As(err, &io) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestRetries has a unit that has something else to say first, or is busy: the command is given again. After a reset each flush says that something may be lost: every user of the disk has to hear it.
func TestRetries(t *testing.T) {
	on(t, one(256), func(t *testing.T, m *sim.Machine, v *model) {
		d := open(t, scsi.Options{}, 1)[0]
		defer d.Close()
		e, f, u := whole(t, d), frames(t, 1), v.units[place{0, 0}]
		flush := func() error { return disk.Do(d, &disk.Request{Op: disk.Flush}) }
		for _, c := range []struct {
			attend []sense
			busy   int
			lost   bool
		}{
			{[]sense{{6, 0x2a, 1}, {6, 0x3f, 0x0e}, {6, 0x2f, 0}}, 0, false},
			{nil, 12, false},
			{[]sense{{2, 4, 1}}, 3, false},
			{[]sense{{6, 0x29, 5}}, 0, false}, // a transceiver's mode
			{[]sense{{6, 0x29, 4}}, 0, true},
		} {
			v.v.Change(func() { u.attend, u.busy = c.attend, c.busy })
			f.Bytes()[0]++
			if err := disk.Do(d, &disk.Request{Op: disk.Write, Extent: e, Memory: run(f, 0, blockSize)}); err != nil || u.data[0] != f.Bytes()[0] {
				t.Error(c, err)
			}
			for range 2 {
				if err := flush(); (err != nil) != c.lost {
					t.Error(c, err)
				}
			}
		}
	})
	on(t, one(256), func(t *testing.T, m *sim.Machine, v *model) {
		c := new(clock)
		d := open(t, c.options(), 1)[0]
		defer d.Close()
		v.v.Change(func() {
			v.units[place{0, 0}].fail = func(byte, uint64) (byte, sense) {
				c.Add(short / 4)
				return 8, sense{}
			}
		})
		var io *disk.IOError // it waits when it is late, or is at the unit just then
		if err := disk.Do(d, &disk.Request{Op: disk.Flush}); !errors.As(err, &io) || !strings.Contains(err.Error(), "busy for too long") && !strings.Contains(err.Error(), "aborted") {
			t.Error(err)
		}
	})
}

// A clock is what patience is measured by: it stands, but for what a test lets pass.
type clock struct{ atomic.Int64 }

// short is the patience that goes with it. A host looks so often, by the real clock, whether somebody has waited too long.
const short = int64(10 * time.Millisecond)

func (c *clock) options() scsi.Options {
	return scsi.Options{Patience: time.Duration(short), Now: c.Load}
}

// pass lets time pass until stop.
func (c *clock) pass() (stop func()) {
	end := make(chan bool)
	go func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(time.Millisecond):
				c.Add(short)
			}
		}
	}()
	return func() { close(end) }
}

// TestAbort has commands that take too long: they are aborted, and the disk goes on; where that is not done the host is given up.
func TestAbort(t *testing.T) {
	on(t, func() map[place]*unit { return map[place]*unit{{0, 0}: plain(256), {1, 0}: plain(256)} }, func(t *testing.T, m *sim.Machine, v *model) {
		c := new(clock)
		list := open(t, c.options(), 2)
		held := 0
		v.v.Change(func() {
			v.hold = func(_ *unit, op byte, lba uint64) bool {
				if op != 0x28 || lba != 7 {
					return false
				}
				if held++; held == 1 {
					c.Add(short)
				}
				return true
			}
		})
		e, f := whole(t, list[0]), frames(t, 1)
		read := func(d disk.Disk, e *flow.Extent, sector int) error {
			return disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Sector: flow.Block(sector), Memory: run(f, 0, blockSize)})
		}
		var io *disk.IOError
		if err := read(list[0], e, 14); !errors.As(err, &io) || !strings.Contains(err.Error(), "aborted") {
			t.Error(err)
		}
		for range 6 { // by all queues
			if err := read(list[0], e, 2); err != nil {
				t.Error(err)
			}
		}
		v.v.Change(func() { v.deaf = true })
		defer c.pass()()
		var gone *disk.GoneError
		var late *disk.TimeoutError
		if err := read(list[0], e, 14); !errors.As(err, &gone) || gone.Held || !errors.As(err, &late) {
			t.Error(err)
		}
		if err := read(list[1], whole(t, list[1]), 0); !errors.As(err, &late) {
			t.Error(err)
		}
		f.Release()
		if !closeAll(list) || m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
			t.Errorf("%d frames, %d vectors left", m.FramesUsed(), m.VectorsUsed())
		}
	})
}

// TestLateAbort has a command end while it is being aborted: the abort, when it comes, is not for the command that has its place by then.
func TestLateAbort(t *testing.T) {
	on(t, one(256), func(t *testing.T, m *sim.Machine, v *model) {
		c := new(clock)
		d := open(t, c.options(), 1)[0]
		defer d.Close()
		e, f := whole(t, d), frames(t, 1)
		defer f.Release()
		aborts := 0
		v.v.Change(func() {
			v.deaf = true
			passed := false
			v.hold = func(_ *unit, op byte, lba uint64) bool {
				if !passed {
					passed = true
					c.Add(short)
				}
				return len(v.told) == 0 // until the abort is on its way
			}
			v.answer = func(resp, in []byte) ([]byte, []byte) {
				if resp[11] == 2 {
					aborts++
				}
				return resp, in
			}
		})
		read := func() error {
			return disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize)})
		}
		done := make(chan error)
		go func() { done <- read() }()
		for told := false; !told; {
			v.v.Change(func() { told = len(v.told) > 0 })
			time.Sleep(time.Millisecond)
		}
		for q := range 3 {
			v.v.Notify(2 + q)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		v.v.Change(func() {
			for _, id := range v.told {
				v.aborted[id] = true
			}
		})
		for range 6 { // by all queues
			if err := read(); err != nil {
				t.Error(err)
			}
		}
		v.v.Change(func() {
			if aborts != 0 {
				t.Errorf("%d commands were aborted for another", aborts)
			}
		})
	})
}

// TestSlowHost looks for units on hosts that have too many, or take too long for each: that ends, and the disks that were found by then are there.
func TestSlowHost(t *testing.T) {
	const many = 300
	on(t, func() map[place]*unit {
		units := map[place]*unit{{0, 0}: plain(64)}
		for i := range many {
			units[place{1, i}] = plain(1)
		}
		return units
	}, func(t *testing.T, m *sim.Machine, v *model) {
		c := new(clock)
		asked := 0
		for at, u := range v.units {
			if at.target == 1 {
				u.fail = func(op byte, _ uint64) (byte, sense) {
					if op != 0x12 {
						return 0, sense{}
					}
					asked++
					c.Add(short)
					return 8, sense{}
				}
			}
		}
		list, err := scsi.Open(scsi.Places()[0], c.options())
		if len(list) != 1 || err == nil || !strings.Contains(err.Error(), "too long") || asked < 5 || asked > 15 {
			t.Errorf("%d disks after %d units that do not answer: %v", len(list), asked, err)
		}
		closeAll(list)
		if m.FramesUsed() != 0 {
			t.Errorf("%d frames left", m.FramesUsed())
		}
	})
	on(t, func() map[place]*unit {
		units := map[place]*unit{{0, 0}: plain(64)}
		for i := range 3 * many {
			tape := plain(0)
			tape.kind = 1
			units[place{1 + i%4, i}] = tape
		}
		for i := range many {
			tape := plain(0)
			tape.kind = 1
			units[place{5, i}] = tape
		}
		return units
	}, func(t *testing.T, m *sim.Machine, v *model) {
		list, err := scsi.Open(scsi.Places()[0], scsi.Options{})
		if len(list) != 1 || err == nil || !strings.Contains(err.Error(), "more than 1024 units") {
			t.Errorf("%d disks: %v", len(list), err)
		}
		closeAll(list)
	})
}

// TestGrows has a unit become larger, and say so by an event, by a unit attention, or by an event among others that were lost.
func TestGrows(t *testing.T) {
	on(t, func() map[place]*unit { return map[place]*unit{{0, 0}: plain(256), {2, 9}: plain(64)} }, func(t *testing.T, m *sim.Machine, v *model) {
		list := open(t, scsi.Options{}, 2)
		defer closeAll(list)
		d, u := list[1], v.units[place{2, 9}]
		e, f := whole(t, d), frames(t, 1)
		told := make(chan bool, 9)
		d.Notify(func() { told <- true })
		s, _ := d.Space()
		flush := func() {
			if err := disk.Do(d, &disk.Request{Op: disk.Flush}); err != nil {
				t.Error(err)
			}
		}
		for i, say := range []func(){
			func() { v.tell(3, place{2, 9}, 0x2a|0x09<<8) },
			func() { v.v.Change(func() { u.attend = []sense{{6, 0x2a, 9}} }); flush() },
			func() { v.tell(1<<31, place{}, 0) },
		} {
			blocks := 100 * (i + 1)
			v.v.Change(func() { u.data = append(u.data, make([]byte, blocks*blockSize-len(u.data))...) })
			say()
			<-told
			if s.Blocks() != uint64(2*blocks) {
				t.Errorf("%d sectors, want %d", s.Blocks(), 2*blocks)
			}
			if err := e.Extend(flow.Block(2 * blocks)); err != nil {
				t.Fatal(err)
			}
			if err := disk.Do(d, &disk.Request{Op: disk.Write, Extent: e, Sector: flow.Block(2*blocks - 2), Memory: run(f, 0, blockSize)}); err != nil {
				t.Error(err)
			}
		}
		v.v.Change(func() { u.data = u.data[:64*blockSize] })
		v.tell(3, place{2, 9}, 0x2a|0x09<<8)
		flush()
		if other, _ := list[0].Space(); s.Blocks() != 600 || other.Blocks() != 512 {
			t.Error(s.Blocks(), other.Blocks())
		}
	})
}

// TestFailedFlush has a flush fail once. It is not given again if it was begun, and no later one is believed; what was not begun is.
func TestFailedFlush(t *testing.T) {
	status := func(status byte, s sense) func(v *model, u *unit) {
		return func(v *model, u *unit) {
			u.fail = func(byte, uint64) (byte, sense) {
				u.fail = nil
				return status, s
			}
		}
	}
	response := func(r byte) func(v *model, u *unit) {
		return func(v *model, u *unit) {
			v.answer = func(resp, in []byte) ([]byte, []byte) {
				v.answer, resp[11] = nil, r
				return resp, in
			}
		}
	}
	for _, c := range []struct {
		name string
		do   func(v *model, u *unit)
		says string // of the flush; none: it is well in the end
	}{
		{"aborted command", status(2, sense{0xb, 0, 6}), "it aborts the command (00/06)"},
		{"medium error", status(2, sense{3, 0x0c, 0}), "medium error"},
		{"hardware error", status(2, sense{4, 0x44, 0}), "hardware error"},
		{"illegal request", status(2, sense{5, 0x24, 0}), "no flush"},
		{"task aborted", status(0x40, sense{}), "it was aborted"},
		{"aborted", response(2), "it was aborted"},
		{"reset", response(4), "it was aborted"},
		{"host busy", response(5), "the host was busy"},
		{"busy", status(8, sense{}), ""},
		{"task set full", status(0x28, sense{}), ""},
		{"becoming ready", status(2, sense{2, 4, 1}), ""},
		{"mode changed", status(2, sense{6, 0x2a, 1}), ""},
		{"recovered", status(2, sense{1, 0x17, 0}), ""},
		{"power on", status(2, sense{6, 0x29, 1}), "was reset"},
		{"medium changed", status(2, sense{6, 0x28, 0}), "was away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			on(t, one(64), func(t *testing.T, m *sim.Machine, v *model) {
				d := open(t, scsi.Options{}, 1)[0]
				defer d.Close()
				flush := func() error { return disk.Do(d, &disk.Request{Op: disk.Flush}) }
				v.v.Change(func() { c.do(v, v.units[place{0, 0}]) })
				err := flush()
				if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
					t.Errorf("the flush: %v", err)
				}
				if err := flush(); (err != nil) != (c.says != "") {
					t.Errorf("the next one: %v", err)
				}
			})
		})
	}
}

// TestLostBeforeFlush: a flush is not well behind a write that the unit tells, late, it could not make, or behind a reset that another command or an event tells of.
func TestLostBeforeFlush(t *testing.T) {
	read := func(d disk.Disk, e *flow.Extent, f *exo.Frames) error {
		return disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize)})
	}
	once := func(u *unit, s sense) {
		u.deferred = true
		u.fail = func(byte, uint64) (byte, sense) {
			u.fail = nil
			return 2, s
		}
	}
	for _, c := range []struct {
		name string
		do   func(v *model, u *unit)
		lost bool
	}{
		{"deferred error", func(v *model, u *unit) { once(u, sense{3, 0x0c, 0}) }, true},
		{"deferred, in descriptors", func(v *model, u *unit) { u.descr = true; once(u, sense{4, 0x44, 0}) }, true},
		{"deferred, recovered", func(v *model, u *unit) { once(u, sense{1, 0x0c, 0}) }, false},
		{"reset by others", func(v *model, u *unit) {
			v.answer = func(resp, in []byte) ([]byte, []byte) { v.answer, resp[11] = nil, 4; return resp, in }
		}, true},
		{"aborted by others", func(v *model, u *unit) {
			v.answer = func(resp, in []byte) ([]byte, []byte) { v.answer, resp[11] = nil, 2; return resp, in }
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			on(t, one(64), func(t *testing.T, m *sim.Machine, v *model) {
				d := open(t, scsi.Options{}, 1)[0]
				defer d.Close()
				v.v.Change(func() { c.do(v, v.units[place{0, 0}]) })
				if err := read(d, whole(t, d), frames(t, 1)); err != nil { // what was not made is made again
					t.Error(err)
				}
				if err := disk.Do(d, &disk.Request{Op: disk.Flush}); (err != nil) != c.lost {
					t.Errorf("the flush: %v", err)
				}
			})
		})
	}
	t.Run("event", func(t *testing.T) {
		on(t, func() map[place]*unit { return map[place]*unit{{0, 0}: plain(64), {1, 3}: plain(64)} }, func(t *testing.T, m *sim.Machine, v *model) {
			list := open(t, scsi.Options{}, 2)
			defer closeAll(list)
			v.tell(1, place{1, 3}, 0)
			for end := time.Now().Add(10 * time.Second); disk.Do(list[1], &disk.Request{Op: disk.Flush}) == nil; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("a flush behind a reset says that all is well")
				}
			}
			if err := disk.Do(list[0], &disk.Request{Op: disk.Flush}); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("write-through", func(t *testing.T) { // nothing of it can be late
		on(t, func() map[place]*unit {
			u := plain(64)
			u.wce = false
			return map[place]*unit{{0, 0}: u}
		}, func(t *testing.T, m *sim.Machine, v *model) {
			d := open(t, scsi.Options{}, 1)[0]
			defer d.Close()
			v.v.Change(func() { once(v.units[place{0, 0}], sense{3, 0x0c, 0}) })
			if err := read(d, whole(t, d), frames(t, 1)); err == nil || !strings.Contains(err.Error(), "medium error") {
				t.Error(err)
			}
		})
	})
}

// TestResetMetElsewhere has a unit tell another command of its reset before the flush ends, in a queue that is looked at behind the flush's.
func TestResetMetElsewhere(t *testing.T) {
	on(t, one(64), func(t *testing.T, m *sim.Machine, v *model) {
		u := v.units[place{0, 0}]
		for shift := range 3 { // one of them has the three transfers in queues in the order that this is about
			d := open(t, scsi.Options{}, 1)[0]
			e, f := whole(t, d), frames(t, 1)
			for range shift {
				if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize)}); err != nil {
					t.Fatal(err)
				}
			}
			entered, leave, done := make(chan bool), make(chan bool), make(chan error, 2)
			first := &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize), Done: func(*disk.Request) { entered <- true; <-leave }} // the driver looks at nothing meanwhile
			flush := &disk.Request{Op: disk.Flush, Done: func(r *disk.Request) { done <- r.Err }}
			read := &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize), Done: func(*disk.Request) {}}
			if err := d.Start(first); err != nil {
				t.Fatal(err)
			}
			<-entered
			v.v.Change(func() {
				u.attend, u.flushes = []sense{{6, 0x29, 1}}, 0
				v.hold = func(_ *unit, op byte, _ uint64) bool { return op == 0x35 && len(u.attend) > 0 }
			})
			if err := errors.Join(d.Start(flush), d.Start(read)); err != nil {
				t.Fatal(err)
			}
			for ended := false; !ended; time.Sleep(time.Millisecond) {
				for q := range 3 {
					v.v.Notify(2 + q)
				}
				v.v.Change(func() { ended = u.flushes > 0 })
			}
			close(leave)
			if err := <-done; err == nil || !strings.Contains(err.Error(), "was reset") {
				t.Errorf("a flush behind a reset: %v", err)
			}
			d.Close()
			f.Release()
		}
	})
}

// TestResetMetLater has a unit tell a command of its reset that it had before a flush, and the device bring that later than that the flush went well. The flush waits for it.
func TestResetMetLater(t *testing.T) {
	on(t, one(64), func(t *testing.T, m *sim.Machine, v *model) {
		u := v.units[place{0, 0}]
		d := open(t, scsi.Options{}, 1)[0]
		defer d.Close()
		e, f := whole(t, d), frames(t, 1)
		read := func(at flow.Block) *disk.Request {
			return &disk.Request{Op: disk.Read, Extent: e, Sector: at * 2, Memory: run(f, 0, blockSize)}
		}
		late, probe := read(5), read(0)
		late.Done = func(*disk.Request) {}
		v.v.Change(func() {
			u.flushes, v.hold = 0, func(_ *unit, op byte, lba uint64) bool { return op == 0x28 && lba == 5 }
		})
		done := make(chan error, 1)
		flush := &disk.Request{Op: disk.Flush, Done: func(r *disk.Request) { done <- r.Err }}
		if err := errors.Join(d.Start(late), d.Start(flush)); err != nil { // by one queue, and the next
			t.Fatal(err)
		}
		for ended := false; !ended; time.Sleep(time.Millisecond) {
			v.v.Change(func() { ended = u.flushes > 0 })
		}
		if err := disk.Do(d, probe); err != nil { // by the third: the driver has seen by then, or sees next, that the flush ended
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
		select {
		case err := <-done:
			t.Fatalf("the flush ended before what the unit had before it: %v", err)
		default:
		}
		v.v.Change(func() { u.attend, v.hold = []sense{{6, 0x29, 1}}, nil })
		for q := range 3 {
			v.v.Notify(2 + q)
		}
		if err := <-done; err == nil || !strings.Contains(err.Error(), "was reset") {
			t.Errorf("a flush behind a reset: %v", err)
		}
	})
}

// TestFlushBesideWaitingFlush: a unit's flush waits for a read that is slow. Those of another unit end meanwhile, each while the driver tells of the one before, and none waits for the first. Commands go round the three queues;
// that of the read serves nothing else.
func TestFlushBesideWaitingFlush(t *testing.T) {
	on(t, func() map[place]*unit { return map[place]*unit{{0, 0}: plain(64), {1, 3}: plain(64)} }, func(t *testing.T, m *sim.Machine, v *model) {
		list := open(t, scsi.Options{}, 2)
		defer closeAll(list)
		slow, other := list[0], list[1]
		e, f := whole(t, slow), frames(t, 1)
		start := func(d disk.Disk, r *disk.Request) {
			if err := d.Start(r); err != nil {
				t.Error(err)
			}
		}
		read := func() {
			start(slow, &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize), Done: func(*disk.Request) {}})
		}
		ended := func(at place) (n int) {
			v.v.Change(func() { n = v.units[at].flushes })
			return n
		}
		v.v.Change(func() { v.hold = func(_ *unit, op byte, _ uint64) bool { return op == 0x28 } })
		release := func() {
			v.v.Change(func() { v.hold = nil })
			for q := range 3 {
				v.v.Notify(2 + q)
			}
		}
		defer release()
		before := ended(place{0, 0})
		read()
		waits := make(chan error, 1)
		start(slow, &disk.Request{Op: disk.Flush, Done: func(r *disk.Request) { waits <- r.Err }})
		for end := time.Now().Add(10 * time.Second); ended(place{0, 0}) == before && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Millisecond) // the driver sees that it ended, and has it wait

		const most = 9
		told := make(chan bool, most)
		var flush func(n int)
		flush = func(n int) {
			if n > most {
				return
			}
			if n%2 == 0 { // the read's queue would be next
				read()
			}
			was := ended(place{1, 3})
			start(other, &disk.Request{Op: disk.Flush, Done: func(r *disk.Request) {
				if r.Err == nil {
					told <- true
					flush(n + 1)
				}
			}})
			for end := time.Now().Add(100 * time.Millisecond); n > 1 && ended(place{1, 3}) == was && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
		}
		flush(1)
		for n, end := 0, time.After(5*time.Second); n < most; n++ {
			select {
			case <-told:
			case err := <-waits:
				t.Fatalf("the flush ended before what the unit had before it: %v", err)
			case <-end:
				t.Fatalf("after 5 s %d flushes of the other unit are told of; the device has ended %d", n, ended(place{1, 3}))
			}
		}
		release()
		if err := <-waits; err != nil {
			t.Error(err)
		}
	})
}

// TestMissedEvents: an event that comes with the word that others were lost is looked at like any other.
func TestMissedEvents(t *testing.T) {
	const missed = 1 << 31
	on(t, func() map[place]*unit { return map[place]*unit{{0, 0}: plain(64), {1, 3}: plain(64)} }, func(t *testing.T, m *sim.Machine, v *model) {
		list := open(t, scsi.Options{}, 2)
		defer closeAll(list)
		until := func(what string, is func() bool) {
			for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal(what)
				}
			}
		}
		flush := func(d disk.Disk) error { return disk.Do(d, &disk.Request{Op: disk.Flush}) }
		v.tell(missed|1, place{1, 3}, 0)
		until("a flush behind a reset says that all is well", func() bool { return flush(list[1]) != nil })
		if err := flush(list[0]); err != nil {
			t.Errorf("the other unit: %v", err)
		}
		v.tell(missed|1, place{1, 3}, 2)
		until("a unit that was removed is there", func() bool { return list[1].Err() != nil })
		v.v.Change(func() { v.units[place{0, 0}].attend = []sense{{6, 0x29, 4}} }) // the event of that is lost
		v.tell(missed, place{}, 0)
		until("a flush behind a reset whose event was lost says that all is well", func() bool { return flush(list[0]) != nil })
		if list[0].Err() != nil {
			t.Error(list[0].Err())
		}
		v.v.Change(func() { delete(v.units, place{0, 0}) })
		v.tell(missed, place{}, 0)
		until("a unit whose going was lost is there", func() bool { return list[0].Err() != nil })
	})
}

// TestResetMetByOwn: a reset that a command of the driver's own meets, which asks how large the unit is by now, is told by the next flush, too.
func TestResetMetByOwn(t *testing.T) {
	on(t, one(256), func(t *testing.T, m *sim.Machine, v *model) {
		d := open(t, scsi.Options{}, 1)[0]
		defer d.Close()
		u := v.units[place{0, 0}]
		told := make(chan bool, 9)
		d.Notify(func() { told <- true })
		v.v.Change(func() { u.data, u.attend = append(u.data, make([]byte, blockSize)...), []sense{{6, 0x29, 4}} })
		v.tell(3, place{0, 0}, 0x2a|0x09<<8)
		<-told
		if err := disk.Do(d, &disk.Request{Op: disk.Flush}); err == nil {
			t.Error("a flush behind a reset says that all is well")
		}
	})
}

// TestRemoved takes a unit away, with a word and without: it is gone, and the others are not.
func TestRemoved(t *testing.T) {
	for name, gone := range map[string]func(v *model){
		"told":  func(v *model) { v.tell(1, place{1, 3}, 2) },
		"found": func(v *model) { v.v.Change(func() { delete(v.units, place{1, 3}) }) },
		"sense": func(v *model) {
			v.v.Change(func() { v.units[place{1, 3}].fail = func(byte, uint64) (byte, sense) { return 2, sense{5, 0x25, 0} } })
		},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func() map[place]*unit { return map[place]*unit{{0, 0}: plain(256), {1, 3}: plain(256)} }, func(t *testing.T, m *sim.Machine, v *model) {
				list := open(t, scsi.Options{}, 2)
				defer closeAll(list)
				e, f := whole(t, list[1]), frames(t, 1)
				gone(v)
				var g *disk.GoneError
				for end := time.Now().Add(10 * time.Second); ; {
					err := disk.Do(list[1], &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize)})
					if errors.As(err, &g) && !g.Held {
						break
					}
					if err != nil || name != "told" || time.Now().After(end) {
						t.Fatal(err)
					}
				}
				if list[1].Err() == nil || list[0].Err() != nil {
					t.Error(list[1].Err(), list[0].Err())
				}
				if err := disk.Do(list[0], &disk.Request{Op: disk.Read, Extent: whole(t, list[0]), Memory: run(f, 0, blockSize)}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A host whose queue breaks, that falls silent, or is taken back, is gone: all that is under way ends, and so does what comes later.
func TestGone(t *testing.T) {
	for name, c := range map[string]struct {
		lie func(v *sim.Virtio)
		is  func(error) bool
	}{
		"other descriptor": {func(v *sim.Virtio) { v.LieUsedID = func(uint32) uint32 { return 1 << 20 } }, is[*virtio.BrokenError]},
		"ring ahead":       {func(v *sim.Virtio) { v.LieUsedIdx = func(i uint16) uint16 { return i + 900 } }, is[*virtio.BrokenError]},
		"more than fits":   {func(v *sim.Virtio) { v.LieUsedLen = func(n uint32) uint32 { return n + 1<<20 } }, is[*virtio.BrokenError]},
		"silent":           {func(v *sim.Virtio) { v.LieNoAnswer = true }, is[*disk.TimeoutError]},
		"needs reset":      {func(v *sim.Virtio) { v.LieNoAnswer = true; v.LieNeedsReset = true }, is[*virtio.DeviceError]},
		"taken back":       {func(v *sim.Virtio) { v.LieNoAnswer = true }, is[*exo.RevokedError]},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, one(256), func(t *testing.T, m *sim.Machine, v *model) {
				v.v.Features &^= virtio.EventIndex
				o, time := scsi.Options{}, new(clock)
				if name == "silent" {
					o = time.options()
				}
				d := open(t, o, 1)[0]
				e, f := whole(t, d), frames(t, 1)
				v.v.Change(func() { c.lie(v.v) })
				if name == "taken back" {
					takeBack()
				}
				defer time.pass()()
				if v.v.LieNeedsReset {
					v.v.Configure(v.v.Configuration()) // it interrupts
				}
				var wg sync.WaitGroup
				for range 200 { // more than the queues hold
					wg.Go(func() {
						err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize)})
						var gone *disk.GoneError
						if !errors.As(err, &gone) || !c.is(err) {
							t.Errorf("%v", err)
						}
					})
				}
				wg.Wait()
				if err := disk.Do(d, &disk.Request{Op: disk.Flush}); !c.is(err) || d.Err() == nil {
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

// is says whether an error is, or wraps, one of type E.
func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// A device that does not stop keeps the memory, and says so.
func TestNeverStops(t *testing.T) {
	on(t, one(256), func(t *testing.T, m *sim.Machine, v *model) {
		c := new(clock)
		d := open(t, c.options(), 1)[0]
		e, f := whole(t, d), frames(t, 1)
		v.v.Change(func() { v.v.LieNoReset, v.v.LieNoAnswer = true, true })
		defer c.pass()()
		var gone *disk.GoneError
		if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize)}); !errors.As(err, &gone) || !gone.Held {
			t.Error(err)
		}
		if d.Close() {
			t.Error("it counts as stopped")
		}
	})
}

// TestBadUnits opens units that say what cannot be: an error, and nothing is left behind.
func TestBadUnits(t *testing.T) {
	for name, change := range map[string]func(u *unit){
		"no blocks":     func(u *unit) { u.data = nil },
		"too many":      func(u *unit) { u.more = 1 << 62 },
		"blocks of 256": func(u *unit) { u.block = 256 },
		"blocks of 0":   func(u *unit) { u.data, u.more = nil, 64; u.block = 1 << 31 },
		"never ready": func(u *unit) {
			u.fail = func(op byte, _ uint64) (byte, sense) { return 2 * map[byte]byte{0: 1}[op], sense{2, 0x3a, 0} }
		},
		"attention always": func(u *unit) {
			u.fail = func(op byte, _ uint64) (byte, sense) { return 2 * map[byte]byte{0x9e: 1}[op], sense{6, 0x29, 0} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, one(64), func(t *testing.T, m *sim.Machine, v *model) {
				change(v.units[place{0, 0}])
				list, err := scsi.Open(scsi.Places()[0], scsi.Options{})
				if err == nil || len(list) != 0 || m.FramesUsed() != 0 || m.VectorsUsed() != 0 {
					t.Errorf("%d disks, %d frames, %d vectors: %v", len(list), m.FramesUsed(), m.VectorsUsed(), err)
				}
			})
		})
	}
	for name, config := range map[string]func(c []byte){
		"none at all": func(c []byte) { clear(c) },
		"all ones":    func(c []byte) { copy(c, bytes.Repeat([]byte{0xff}, len(c))) },
	} {
		t.Run(name, func(t *testing.T) {
			on(t, one(64), func(t *testing.T, m *sim.Machine, v *model) {
				c := v.v.Configuration()
				config(c)
				v.v.Configure(c)
				for _, d := range open(t, scsi.Options{}, 1) {
					f := frames(t, 1)
					if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: whole(t, d), Memory: run(f, 0, blockSize)}); err != nil {
						t.Error(err)
					}
					d.Close()
					f.Release()
				}
				if m.FramesUsed() != 0 {
					t.Errorf("%d frames left", m.FramesUsed())
				}
			})
		})
	}
}

// FuzzLies has a host answer with anything: heads, lengths, indices, responses, sense data, what units say of themselves, events. Opening and each transfer end, with an error or without.
func FuzzLies(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint16(40))
	f.Add(bytes.Repeat([]byte{0, 0, 200}, 30), uint16(0))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}, 9), uint16(300))
	f.Fuzz(func(t *testing.T, lies []byte, from uint16) {
		m := sim.New(1 << 20)
		defer exo.Simulate(m)()
		v := newModel(map[place]*unit{{0, 0}: plain(64), {1, 1}: plain(64)})
		transports["pci"](m, v.v)
		n, i := 0, 0
		next := func() byte {
			if n++; n <= int(from) || i >= len(lies) {
				return 0
			}
			i++
			return lies[i-1]
		}
		v.answer = func(resp, in []byte) ([]byte, []byte) {
			for k := range resp[:32] {
				resp[k] ^= next()
			}
			for k := range min(len(in), 64) {
				in[k] ^= next()
			}
			return resp, in
		}
		v.v.LieUsedID = func(h uint32) uint32 { return h ^ uint32(next()>>6) }
		v.v.LieUsedLen = func(n uint32) uint32 { return n ^ uint32(next()&0xf0)<<4 }
		v.v.LieUsedIdx = func(x uint16) uint16 {
			if c := next(); c > 200 {
				return x + uint16(c)
			}
			return x
		}
		list, _ := scsi.Open(scsi.Places()[0], scsi.Options{Patience: 10 * time.Millisecond})
		mem := frames(t, 1)
		free := true
		var wg sync.WaitGroup
		for _, d := range list {
			s, c := d.Space()
			e, err := s.Bind(c, "test", 0, flow.Block(d.Info().Sectors), exo.Read|exo.Write)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				wg.Go(func() {
					for k := range 5 {
						b := d.Info().BlockSize
						r := disk.Request{Op: []disk.Op{disk.Read, disk.Write, disk.Flush, disk.Discard, disk.WriteZeroes}[k], Extent: e, Count: uint32(b / 512)}
						if k < 2 {
							r.Memory = run(mem, 0, min(b, 4096))
						}
						disk.Do(d, &r)
					}
				})
			}
			var what, reason byte
			var at place
			v.v.Change(func() { what, reason, at = next(), next(), place{int(next() & 1), int(next() & 1)} })
			v.tell(uint32(what), at, uint32(reason))
		}
		wg.Wait()
		for _, d := range list {
			free = d.Close()
		}
		if free {
			mem.Release()
			if m.FramesUsed() != 0 {
				t.Errorf("%d frames left", m.FramesUsed())
			}
		}
	})
}

// TestResetToldBeforeFlush: the event of a reset is there before a flush ends, and behind the driver's look for events. The reset may have lost what was to be flushed.
func TestResetToldBeforeFlush(t *testing.T) {
	on(t, one(64), func(t *testing.T, m *sim.Machine, v *model) {
		for shift := range 3 { // of the queues
			d := open(t, scsi.Options{}, 1)[0]
			e, f := whole(t, d), frames(t, 1)
			for range shift {
				disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize)})
			}
			u := v.units[place{0, 0}]
			v.v.Change(func() { u.flushes = 0 })
			entered, leave, done := make(chan bool), make(chan bool), make(chan error, 1)
			first := &disk.Request{Op: disk.Read, Extent: e, Memory: run(f, 0, blockSize), Done: func(*disk.Request) { entered <- true; <-leave }}
			if err := d.Start(first); err != nil {
				t.Fatal(err)
			}
			<-entered // the driver has looked for events, and looks through its queues now
			v.tell(1, place{0, 0}, 0)
			for told := false; !told; time.Sleep(time.Millisecond) {
				v.v.Change(func() { told = len(v.events) == 0 })
			}
			if err := d.Start(&disk.Request{Op: disk.Flush, Done: func(r *disk.Request) { done <- r.Err }}); err != nil {
				t.Fatal(err)
			}
			for ended := false; !ended; time.Sleep(time.Millisecond) {
				v.v.Change(func() { ended = u.flushes > 0 })
			}
			close(leave)
			if err := <-done; err == nil {
				t.Errorf("queues shifted by %d: a flush is well that ended behind a reset that was told", shift)
			}
			d.Close()
			f.Release()
		}
	})
}
