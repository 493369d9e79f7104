package nvme_test

import (
	"bytes"
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
	"github.com/hardtack-os/hardtack/exo/nvme"
)

const (
	base   = 0xe0000000
	size   = 0x4000
	table  = 0x3000 // MSI-X
	blocks = 256
)

// A controller is one of Go, which can lie.
type controller struct {
	m   *sim.Machine
	f   *sim.Function
	mu  sync.Mutex
	cc  uint32
	reg map[uintptr]uint32
	sq  map[int]*ring
	cq  map[int]*ring
	msg [16]byte

	data  []byte
	lie   func(q int, entry []byte) bool // changes a completion before it is written; false: none is
	silly func(off uintptr, v uint64) uint64
	dead  bool
	form  byte   // FLBAS: which format of the namespace's is in use
	tells bool   // it says when its namespace changes
	waits []byte // the request for such an event
	heard int    // how often the list of what changed was read
	sgls  uint32 // SGLS
	lists int    // commands that had a scatter-gather list of more than one piece
	ones  int    // commands that had one data block
	rung  []int  // the doorbells of submissions that were rung, queues' numbers
}

type ring struct {
	at         uint64
	size       int
	head, tail int
	phase      uint16
	cq         int
}

func newController(t testing.TB) (*controller, func()) {
	m := sim.New(16 << 20)
	c := &controller{m: m, reg: map[uintptr]uint32{}, sq: map[int]*ring{}, cq: map[int]*ring{}, data: make([]byte, blocks*512)}
	c.f = m.AddPCI().Add(0x18, 0x1b36, 0x0010)
	c.f.Config[9], c.f.Config[10], c.f.Config[11] = 2, 8, 1
	c.f.BAR(0, base, size, true)
	c.f.Capability(0x40, []byte{0x11, 0, 0, 0, 0, 0x30, 0, 0, 0, 0, 0, 0}) // BAR 0 at 0x3000
	c.f.Writable[0x43] = 0xc0
	c.msg[12] = 1
	m.Map(base, size, c)
	return c, exo.Simulate(m)
}

func (c *controller) Load(off uintptr, width int) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := uint64(0)
	switch {
	case c.dead:
		v = ^uint64(0)
	case off == 0:
		v = 63 | 1<<24 // CAP: 64 entries, 500 ms
	case off == 4:
		v = 1 << 5
	case off == 0x14:
		v = uint64(c.cc)
	case off == 0x1c:
		v = uint64(c.cc & 1)
		if c.cc>>14&3 != 0 {
			v |= 2 << 2
		}
	case off >= table && off < table+16:
		v = uint64(le32(c.msg[off-table:]))
	default:
		v = uint64(c.reg[off])
	}
	if c.silly != nil {
		v = c.silly(off, v)
	}
	return v
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func put(b []byte, v uint64, n int) {
	for i := range n {
		b[i] = byte(v >> (8 * i))
	}
}

func le64(b []byte) uint64 { return uint64(le32(b)) | uint64(le32(b[4:]))<<32 }

func (c *controller) Store(off uintptr, width int, v uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case off == 0x14:
		if c.cc&1 == 0 && v&1 != 0 {
			pair := func(off uintptr) uint64 { return uint64(c.reg[off]) | uint64(c.reg[off+4])<<32 }
			c.sq[0] = &ring{at: pair(0x28), size: int(c.reg[0x24]&0xfff) + 1}
			c.cq[0] = &ring{at: pair(0x30), size: int(c.reg[0x24]>>16&0xfff) + 1, phase: 1}
		}
		c.cc = uint32(v)
	case off >= table && off < table+16:
		put(c.msg[off-table:], v, 4)
	case off >= 0x1000 && off < table:
		k := int(off-0x1000) / 4
		if k%2 == 1 {
			return // how far completions were taken
		}
		c.rung = append(c.rung, k/2)
		if q := c.sq[k/2]; q != nil && int(v) < q.size && c.cc&1 != 0 {
			q.tail = int(v)
			for q.head != q.tail {
				e := c.m.RAM(q.at+uint64(q.head*64), 64)
				q.head = (q.head + 1) % q.size
				if e != nil {
					c.serve(k/2, q, bytes.Clone(e))
				}
			}
		}
	default:
		c.reg[off] = uint32(v)
	}
}

// blocksOf are the pieces of a command's scatter-gather list (Base, 4.1.2), nil and a status if the list is not right.
func (c *controller) blocksOf(e []byte, n int) (list [][]byte, status uint16) {
	one := e[24:40]
	if c.sgls&3 != 1 && c.sgls&3 != 2 || e[1]>>6 != 1 {
		return nil, 0x02 // invalid field
	}
	descriptors := one
	switch one[15] {
	case 0:
		c.ones++
	case 0x30:
		c.lists++
		k := le32(one[8:])
		if descriptors = c.m.RAM(le64(one), uint64(k)); k == 0 || k%16 != 0 || le64(one)%8 != 0 || descriptors == nil {
			return nil, 0x0d // invalid segment descriptor
		}
	default:
		return nil, 0x11 // descriptor type invalid
	}
	for ; len(descriptors) > 0; descriptors = descriptors[16:] {
		at, k := le64(descriptors), int(le32(descriptors[8:]))
		switch b := c.m.RAM(at, uint64(k)); {
		case descriptors[15] != 0:
			return nil, 0x11
		case c.sgls&3 == 2 && (at|uint64(k))%4 != 0:
			return nil, 0x1e // granularity invalid
		case k == 0 || k > n || b == nil:
			return nil, 0x0f // length invalid
		default:
			list, n = append(list, b), n-k
		}
	}
	if n != 0 {
		return nil, 0x0f
	}
	return list, 0
}

// memory is where the n bytes of a command lie, nil and a status if that cannot be.
func (c *controller) memory(e []byte, n int) (list [][]byte, status uint16) {
	if e[1]>>6 != 0 {
		return c.blocksOf(e, n)
	}
	return c.pages(e, n), 0
}

// pages are where the n bytes of a command lie that has PRPs.
func (c *controller) pages(e []byte, n int) (list [][]byte) {
	first, second := le64(e[24:]), le64(e[32:])
	take := func(at uint64) {
		k := min(n, 4096-int(at%4096))
		if b := c.m.RAM(at, uint64(k)); b != nil {
			list = append(list, b)
		}
		n -= k
	}
	take(first)
	if n > 4096 {
		for at := second; n > 0; at += 8 {
			b := c.m.RAM(at, 8)
			if b == nil {
				return list
			}
			take(le64(b))
		}
	} else if n > 0 {
		take(second)
	}
	return list
}

func (c *controller) serve(q int, r *ring, e []byte) {
	status, result := uint16(0), uint32(0)
	d10, d11, d12 := le32(e[40:]), le32(e[44:]), le32(e[48:])
	lba, n := int(d10), (int(d12&0xffff)+1)*512
	fits := d11 == 0 && lba*512+n <= len(c.data)
	switch {
	case q == 0 && e[1]>>6 != 0: // Base, 3.3.3.1: PRPs only
		status = 2
	case q == 0 && e[0] == 6:
		b := c.m.RAM(le64(e[24:]), 4096)
		clear(b)
		switch d10 {
		case 1:
			copy(b[4:24], "serial no           ")
			b[77] = 3 // 32 KiB
			b[520], b[525] = 1<<2|1<<3, 1
			put(b[536:], uint64(c.sgls), 4)
			if c.tells {
				b[93] = 1
			}
		case 2:
			b[0] = 7
		case 0:
			put(b, uint64(len(c.data)/512), 8)
			b[26] = c.form
			b[128+4*(int(c.form&15)+int(c.form>>5&3)*16)+2] = 9
		}
	case q == 0 && e[0] == 9 && d10 == 0xb:
	case q == 0 && e[0] == 0xc && c.tells:
		c.waits = e
		return
	case q == 0 && e[0] == 2 && d10 == 4|1023<<16:
		clear(c.m.RAM(le64(e[24:]), 4096))
		c.heard++
	case q == 0 && e[0] == 9:
		result = 3<<16 | 3
	case q == 0 && e[0] == 5:
		c.cq[int(d10&0xffff)] = &ring{at: le64(e[24:]), size: int(d10>>16) + 1, phase: 1}
	case q == 0 && e[0] == 1:
		c.sq[int(d10&0xffff)] = &ring{at: le64(e[24:]), size: int(d10>>16) + 1, cq: int(d11 >> 16)}
	case q == 0:
		status = 1
	case e[0] == 0:
	case e[0] == 9:
		b := c.m.RAM(le64(e[24:]), 16)
		if at, k := int(le64(b[8:])), int(le32(b[4:])); at+k <= blocks {
			clear(c.data[at*512 : (at+k)*512])
		}
	case le32(e[4:]) != 7 || !fits:
		status = 0x80 // LBA out of range
	case e[0] == 1, e[0] == 2:
		at := c.data[lba*512:][:n]
		var list [][]byte
		list, status = c.memory(e, n)
		for _, p := range list {
			if e[0] == 1 {
				at = at[copy(at, p):]
			} else {
				at = at[copy(p, at):]
			}
		}
	case e[0] == 8:
		clear(c.data[lba*512:][:n])
	default:
		status = 1
	}
	c.end(q, r, e, status, result)
}

// end writes a completion.
func (c *controller) end(q int, r *ring, e []byte, status uint16, result uint32) {
	k := c.cq[r.cq]
	if k == nil {
		return
	}
	var entry [16]byte
	put(entry[:], uint64(result), 4)
	put(entry[8:], uint64(r.head), 2)
	put(entry[10:], uint64(q), 2)
	copy(entry[12:14], e[2:4])
	put(entry[14:], uint64(status<<1|k.phase), 2)
	if c.lie != nil && !c.lie(q, entry[:]) {
		return
	}
	if b := c.m.RAM(k.at+uint64(k.tail*16), 16); b != nil {
		copy(b[:12], entry[:12])
		copy(b[12:], entry[12:])
	}
	if k.tail++; k.tail == k.size {
		k.tail, k.phase = 0, k.phase^1
	}
	if c.msg[12]&1 == 0 {
		c.m.Fire(int(c.msg[8]))
	}
}

// impatient is the patience of tests with controllers that fall silent: it is short, but the clock stands until it is let go.
func impatient() (o nvme.Options, clock *atomic.Bool) {
	clock = new(atomic.Bool)
	return nvme.Options{Patience: 10 * time.Millisecond, Now: func() int64 {
		if clock.Load() {
			return exo.Now()
		}
		return 0
	}}, clock
}

func open(t testing.TB) (*nvme.Disk, *flow.Extent) { return openWith(t, nvme.Options{}) }

func openWith(t testing.TB, o nvme.Options) (*nvme.Disk, *flow.Extent) {
	t.Helper()
	places := nvme.Places()
	if len(places) != 1 {
		t.Fatalf("%d controllers", len(places))
	}
	d, err := nvme.Open(places[0], o)
	if err != nil {
		t.Fatal(err)
	}
	s, all := d.Space()
	e, err := s.Bind(all, "test", 0, blocks, exo.Read|exo.Write)
	if err != nil {
		t.Fatal(err)
	}
	return d, e
}

// TestAgainstOracle has random transfers of all shapes agree with a slice of bytes.
func TestAgainstOracle(t *testing.T) {
	c, done := newController(t)
	defer done()
	d, e := open(t)
	in := d.Info()
	if in.Serial != "serial no" || in.Sectors != blocks || in.MaxBytes != 32<<10 || !in.Cached || !in.Discard || !in.WriteZeroes || !in.Pages {
		t.Errorf("%+v", in)
	}
	mem, err := exo.TakeFrames("test", 16, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, blocks*512)
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + r.IntN(40)
		at := r.IntN(blocks - n)
		// The first piece may begin inside a page, the pages behind it lie in any order.
		off := 512 * r.IntN(8)
		var runs []exo.Run
		var parts [][]byte
		order := r.Perm(16)
		for left := n * 512; left > 0; off = 0 {
			page := order[len(runs)]
			k := min(left, 4096-off)
			runs = append(runs, exo.Run{Base: mem.Base() + exo.Phys(page*4096+off), Len: uintptr(k)})
			parts = append(parts, mem.Bytes()[page*4096+off:][:k])
			left -= k
		}
		part := want[at*512 : (at+n)*512]
		req := disk.Request{Extent: e, Sector: flow.Block(at), Count: uint32(n), Memory: runs}
		switch r.IntN(6) {
		case 0, 1:
			req.Op = disk.Write
			for _, p := range parts {
				for i := range p {
					p[i] = byte(r.Uint32())
				}
				part = part[copy(part, p):]
			}
		case 2, 3:
			req.Op = disk.Read
		case 4:
			req.Op, req.Memory = disk.WriteZeroes, nil
			clear(part)
		case 5:
			req.Op, req.Memory = disk.Discard, nil
			clear(part) // as this controller has it
		}
		big := n*512 > in.MaxBytes && req.Memory != nil
		if err := disk.Do(d, &req); (err != nil) != big {
			t.Fatalf("%v of %d: %v", req.Op, n, err)
		}
		if big {
			copy(want, c.data)
			continue
		}
		if req.Op == disk.Read {
			for _, p := range parts {
				if !bytes.Equal(p, part[:len(p)]) {
					t.Fatal("it reads something else")
				}
				part = part[len(p):]
			}
		}
	}
	if err := disk.Do(d, &disk.Request{Op: disk.Flush}); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(c.data, want) {
		t.Error("the disk holds something else")
	}
	askew := []exo.Run{{Base: mem.Base(), Len: 1024}, {Base: mem.Base() + 4096, Len: 1024}}
	var refused *disk.RequestError
	if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: askew}); !errors.As(err, &refused) {
		t.Errorf("pieces that do not join at pages: %v", err)
	}
	free := c.m.FramesUsed()
	if !d.Close() {
		t.Error("it does not stop")
	}
	if n := c.m.FramesUsed(); n >= free {
		t.Errorf("%d frames before Close, %d after", free, n)
	}
}

// TestGone has controllers that break in every way end all transfers with an error: those that say so at once, when they raise a message.
func TestGone(t *testing.T) {
	held := func(c *controller) func(int, []byte) bool {
		return func(q int, _ []byte) bool {
			c.m.Fire(int(c.msg[8]))
			return q == 0
		}
	}
	for name, lie := range map[string]func(c *controller){
		"silent":         func(c *controller) { c.lie = func(q int, _ []byte) bool { return q == 0 } },
		"other commands": func(c *controller) { c.lie = func(q int, e []byte) bool { e[12] ^= 0x55; return true } },
		"pulled out":     func(c *controller) { c.dead, c.lie = true, held(c) },
		"fatal": func(c *controller) {
			c.silly, c.lie = func(off uintptr, v uint64) uint64 { return v | 2 }, held(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, done := newController(t)
			defer done()
			o, clock := impatient()
			d, e := openWith(t, o)
			mem, _ := exo.TakeFrames("test", 1, 0)
			c.mu.Lock()
			lie(c)
			c.mu.Unlock()
			if name == "silent" {
				clock.Store(true)
			}
			var wg sync.WaitGroup
			for range 70 { // more than a queue holds
				wg.Go(func() {
					err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: []exo.Run{{Base: mem.Base(), Len: 512}}})
					var gone *disk.GoneError
					if !errors.As(err, &gone) || gone.Held {
						t.Error(err)
						return
					}
					if _, late := gone.Why.(*disk.TimeoutError); late != (name == "silent") {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if !d.Close() {
				t.Error("it does not stop")
			}
			if err := disk.Do(d, &disk.Request{Op: disk.Flush}); err == nil {
				t.Error("it works on")
			}
		})
	}
}

// TestFailures has commands fail with each kind of status.
func TestFailures(t *testing.T) {
	c, done := newController(t)
	defer done()
	d, e := open(t)
	defer d.Close()
	mem, _ := exo.TakeFrames("test", 1, 0)
	var io *disk.IOError
	var no *disk.UnsupportedError
	for status, want := range map[uint16]any{0x001: &no, 0x080: &io, 0x281: &io, 0x7ff: &io} {
		c.mu.Lock()
		c.lie = func(_ int, e []byte) bool {
			put(e[14:], uint64(status<<1|uint16(e[14]&1)), 2)
			return true
		}
		c.mu.Unlock()
		if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: []exo.Run{{Base: mem.Base(), Len: 512}}}); !errors.As(err, want) {
			t.Errorf("status %#x: %v", status, err)
		}
	}
}

// TestFailedFlush has one flush fail: no later one is believed until the disk is opened again.
func TestFailedFlush(t *testing.T) {
	c, done := newController(t)
	defer done()
	d, e := open(t)
	flush := func(d *nvme.Disk) error { return disk.Do(d, &disk.Request{Op: disk.Flush}) }
	if err := flush(d); err != nil {
		t.Errorf("before any failed: %v", err)
	}
	c.mu.Lock()
	c.lie = func(_ int, e []byte) bool {
		c.lie = nil
		put(e[14:], uint64(0x281<<1|uint16(e[14]&1)), 2)
		return true
	}
	c.mu.Unlock()
	if err := flush(d); err == nil || strings.Contains(err.Error(), disk.FailedFlush) {
		t.Errorf("the one that failed: %v", err)
	}
	var failed *disk.IOError
	if err := flush(d); !errors.As(err, &failed) || !strings.Contains(err.Error(), disk.FailedFlush) {
		t.Errorf("the next one: %v", err)
	}
	mem, _ := exo.TakeFrames("test", 1, 0)
	if err := disk.Do(d, &disk.Request{Op: disk.Write, Extent: e, Memory: []exo.Run{{Base: mem.Base(), Len: 512}}}); err != nil {
		t.Errorf("a write: %v", err)
	}
	d.Close()
	d, _ = open(t)
	defer d.Close()
	if err := flush(d); err != nil {
		t.Errorf("opened again: %v", err)
	}
}

// TestDoorbell begins many transfers at once: a short list goes to one queue, a long one to all, each with one doorbell; more than fit need a few. A list in which one cannot be asked is not begun.
func TestDoorbell(t *testing.T) {
	c, done := newController(t)
	defer done()
	c.m.APICIDs = []uint32{0, 1, 2}
	d, e := open(t)
	defer d.Close()
	mem, err := exo.TakeFrames("test", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	rung := func(n int, more ...*disk.Request) (queues map[int]bool, times int, err error) {
		c.mu.Lock()
		c.rung = nil
		c.mu.Unlock()
		var wg sync.WaitGroup
		var list []*disk.Request
		for i := range n {
			list = append(list, &disk.Request{Op: disk.Write, Extent: e, Sector: flow.Block(i % blocks), Memory: []exo.Run{{Base: mem.Base(), Len: 512}}, Done: func(r *disk.Request) {
				if r.Err != nil {
					t.Error(r.Err)
				}
				wg.Done()
			}})
		}
		wg.Add(n)
		if err := d.Start(append(list, more...)...); err != nil {
			return nil, 0, err
		}
		wg.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		queues = map[int]bool{}
		for _, q := range c.rung {
			queues[q] = true
		}
		return queues, len(c.rung), nil
	}
	for _, x := range []struct{ n, queues, least, most int }{{1, 1, 1, 1}, {16, 1, 1, 1}, {48, 3, 3, 3}, {120, 3, 3, 3}, {900, 3, 6, 60}} { // 63 fit in one
		queues, times, err := rung(x.n)
		if err != nil || len(queues) != x.queues || times < x.least || times > x.most {
			t.Errorf("%d transfers: %v, %d queues and %d doorbells; want %+v", x.n, err, len(queues), times, x)
		}
	}
	var no *disk.UnsupportedError
	if _, _, err := rung(2, &disk.Request{Op: disk.Identify}); !errors.As(err, &no) || len(c.rung) != 0 {
		t.Errorf("%v, %d doorbells", err, len(c.rung))
	}
}

// TestFormats opens namespaces of which some other format than the first is in use.
func TestFormats(t *testing.T) {
	for _, form := range []byte{0, 15, 1<<5 | 1, 3<<5 | 15} {
		c, done := newController(t)
		c.form = form
		d, _ := open(t)
		d.Close()
		done()
	}
}

// TestStrides opens controllers whose doorbells lie as far apart as they can say: an error where that is outside of their registers.
func TestStrides(t *testing.T) {
	for stride := range uint64(16) {
		c, done := newController(t)
		c.silly = func(off uintptr, v uint64) uint64 {
			if off == 4 {
				v |= stride
			}
			return v
		}
		d, err := nvme.Open(nvme.Places()[0], nvme.Options{})
		if err == nil {
			d.Close()
		}
		if (err == nil) != (stride < 10) { // two queues' do not fit in what this one has
			t.Errorf("CAP.DSTRD %d: %v", stride, err)
		}
		done()
	}
}

// grow makes the namespace larger, and says so.
func (c *controller) grow(sectors int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = append(c.data, make([]byte, sectors*512-len(c.data))...)
	if e := c.waits; e != nil {
		c.waits = nil
		c.end(0, c.sq[0], e, 0, 2|4<<16) // a notice: namespace attribute changed, log page 4
	}
}

// TestGrows has a namespace become larger: who asked to be told is, and extents can be bound there.
func TestGrows(t *testing.T) {
	c, done := newController(t)
	defer done()
	c.tells = true
	d, e := open(t)
	mem, err := exo.TakeFrames("test", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan bool, 9)
	d.Notify(func() { told <- true })
	s, _ := d.Space()
	for i, n := range []int{blocks + 8, 4096} {
		for waits := false; !waits; {
			c.mu.Lock()
			waits = c.waits != nil
			c.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		c.grow(n)
		<-told
		if s.Blocks() != uint64(n) {
			t.Errorf("%d sectors of %d", s.Blocks(), n)
		}
		if err := e.Extend(flow.Block(n)); err != nil {
			t.Fatal(err)
		}
		if err := disk.Do(d, &disk.Request{Op: disk.Write, Extent: e, Sector: flow.Block(n - 1), Memory: []exo.Run{{Base: mem.Base(), Len: 512}}}); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		if c.heard != i+1 {
			t.Errorf("the list was read %d times", c.heard)
		}
		c.mu.Unlock()
	}
	if !d.Close() {
		t.Error("it does not stop")
	}
}

// FuzzLies has a controller change what it says: whatever it is, opening, transferring and closing end, with errors or without.
func FuzzLies(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint16(0), byte(1))
	f.Add([]byte{0xff, 0, 0x80}, uint16(5), byte(7))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40}, uint16(9), byte(3))
	f.Add([]byte{15}, uint16(0), byte(1)) // CAP.DSTRD
	f.Fuzz(func(t *testing.T, change []byte, from uint16, every byte) {
		if len(change) == 0 {
			return
		}
		c, done := newController(t)
		defer done()
		n := 0
		next := func() byte {
			n++
			if n < int(from) || every > 1 && n%int(every) != 0 {
				return 0
			}
			return change[n%len(change)]
		}
		c.tells, c.sgls = change[0]&1 != 0, uint32(change[0])>>1
		c.lie = func(_ int, e []byte) bool {
			for i := range e {
				e[i] ^= next()
			}
			return next()&0x80 == 0
		}
		c.silly = func(off uintptr, v uint64) uint64 { return v ^ uint64(next())<<(8*(off&3)) }
		d, err := nvme.Open(nvme.Places()[0], nvme.Options{Patience: 20 * time.Millisecond})
		if err != nil {
			return
		}
		s, all := d.Space()
		e, err := s.Bind(all, "test", 0, flow.Block(d.Info().Sectors), exo.Read|exo.Write)
		if err == nil {
			mem, _ := exo.TakeFrames("test", 4, 0)
			for i, op := range []disk.Op{disk.Read, disk.Write, disk.Flush, disk.Discard, disk.WriteZeroes} {
				c.grow(blocks + i)
				disk.Do(d, &disk.Request{Op: op, Extent: e, Count: 8, Memory: []exo.Run{{Base: mem.Base(), Len: 4096}, {Base: mem.Base() + 8192, Len: 4096}}})
			}
		}
		if !d.Close() {
			t.Error("it does not stop")
		}
	})
}
