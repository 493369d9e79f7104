package cffs

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A faulted is what is done while requests of the device fail.
type faulted struct {
	name   string
	blocks int
	before []op // what was done to the volume by then
	larger int  // blocks that the disk has when it is mounted; 0: as many as the volume
	grown  int  // blocks that it has after the operation "grow"
	spills bool // few pages may wait for a commit
	list   []op
	known  []string // what is to be seen after so many steps of it
}

// longName is a name of 255 bytes.
func longName(i int) string { return fmt.Sprintf("d/%0255d", i) }

func faults() []faulted {
	sync, look := op{kind: "sync"}, op{kind: "look"}
	list := []faulted{
		{name: "all kinds", list: script()},
		{name: "holes", before: []op{{kind: "write", a: "f", n: 14 * BlockSize, fill: 1}, {kind: "write", a: "g", n: 9 * BlockSize, fill: 2}}, list: []op{
			{kind: "punch", a: "f", off: BlockSize, n: 2 * BlockSize}, sync, {kind: "punch", a: "f", off: 4*BlockSize + 10, n: 3 * BlockSize}, {kind: "zero", a: "g", off: 100, n: 2 * BlockSize}, look, sync,
			{kind: "zero", a: "f", off: 12*BlockSize - 5, n: 4 * BlockSize}, {kind: "allocate", a: "g", off: 8 * BlockSize, n: 5 * BlockSize}, {kind: "reserve", a: "f", off: 0, n: 20 * BlockSize}, sync,
			{kind: "zero", a: "g", off: 3 * BlockSize, n: BlockSize}, {kind: "truncate", a: "g", off: 5000}, {kind: "truncate", a: "f", off: 100 * BlockSize}, {kind: "write", a: "f", off: 90 * BlockSize, n: 10}, sync,
			{kind: "punch", a: "f", off: 0, n: 100 * BlockSize}, look, sync}},
		{name: "names", before: []op{{kind: "mkdir", a: "d"}, {kind: "mkdir", a: "e"}, {kind: "mkdir", a: "e/sub"}, {kind: "write", a: "d/a", n: 5000, fill: 1}, {kind: "write", a: "d/b", n: 5000, fill: 2}, {kind: "write", a: "e/c", n: 10}}, list: []op{
			{kind: "rename", a: "d/a", b: "d/b"}, sync, {kind: "rename", a: "d/b", b: "e/c"}, {kind: "link", a: "e/c", b: "d/l"}, sync, {kind: "link", a: "d/l", b: "m"}, {kind: "rename", a: "m", b: "d/l"},
			{kind: "exchange", a: "e/c", b: "d"}, look, sync, {kind: "rename", a: "e/c", b: "e/sub"}, {kind: "unlink", a: "e/sub/l"}, {kind: "unlink", a: "m"}, sync, {kind: "rename", a: "e/sub", b: "n"},
			{kind: "rmdir", a: "n"}, {kind: "symlink", a: "n", n: 2000}, sync, {kind: "rename", a: "n", b: "d"}, {kind: "unlink", a: "d"}, look, sync}},
		{name: "growing", grown: 900, list: []op{{kind: "write", a: "a", n: 20 * BlockSize}, {kind: "grow"}, {kind: "write", a: "b", n: 20 * BlockSize}, sync, look}},
		{name: "growing by groups", grown: groupBlocks + 100, before: []op{{kind: "write", a: "a", n: 5000}}, list: []op{{kind: "unlink", a: "a"}, {kind: "grow"}, {kind: "write", a: "b", n: 5000}, sync, look}},
		{name: "found larger", larger: 900, list: []op{{kind: "write", a: "a", n: 5000}, sync, look}},
		{name: "without a name", before: []op{{kind: "write", a: "a", n: 40 * BlockSize}, {kind: "setxattr", a: "a", b: "x", n: 3000}, {kind: "write", a: "b", n: 100}, {kind: "punch", a: "a", off: 5 * BlockSize, n: 9}}, list: []op{
			{kind: "hold", a: "a"}, {kind: "unlink", a: "a"}, sync, {kind: "drop"}, sync, {kind: "hold", a: "b"}, {kind: "write", a: "c", n: 5000}, {kind: "rename", a: "c", b: "b"}, sync, {kind: "drop"}, {kind: "unlink", a: "b"}, look, sync}},
		{name: "spills", spills: true, before: []op{{kind: "write", a: "a", n: 3 * BlockSize}}, list: []op{{kind: "write", a: "a", off: BlockSize, n: 100}, {kind: "write", a: "b", n: BlockSize}, {kind: "write", a: "b", off: BlockSize, n: BlockSize},
			{kind: "write", a: "c", n: BlockSize}, {kind: "write", a: "a", off: 10, n: 100}, {kind: "write", a: "d", n: BlockSize}, {kind: "write", a: "e", n: 5}, look, {kind: "write", a: "f", n: 5}, sync, look}},
	}
	folder := faulted{name: "a large folder", blocks: 700, before: []op{{kind: "mkdir", a: "d"}}}
	for i := range 60 {
		folder.before = append(folder.before, op{kind: "create", a: longName(3 * i)})
	}
	for i := range 25 { // leaves are split
		folder.list = append(folder.list, op{kind: "create", a: longName(3*i + 1)})
	}
	folder.list = append(folder.list, sync, look)
	for i := range 60 { // and joined
		folder.list = append(folder.list, op{kind: "unlink", a: longName(3 * i)})
	}
	folder.list = append(folder.list, sync, op{kind: "rename", a: longName(1), b: longName(4)}, op{kind: "link", a: longName(7), b: longName(0)}, sync, look)
	// Keys of attributes are long: a tree of three levels.
	attributes := faulted{name: "attributes"}
	x := func(i int) string { return fmt.Sprintf("%0240d", i) }
	for i := range 26 {
		file := fmt.Sprint("f", i/13)
		if i%13 == 0 {
			attributes.before = append(attributes.before, op{kind: "write", a: file, n: 100})
		}
		attributes.before = append(attributes.before, op{kind: "setxattr", a: file, b: x(i), n: 1400})
	}
	attributes.list = []op{{kind: "setxattr", a: "f0", b: x(7), n: 10}, {kind: "setxattr", a: "f0", b: x(8), n: 2000}, sync, {kind: "setxattr", a: "f1", b: x(60), n: 700}, look, {kind: "rmxattr", a: "f1", b: x(20)}, sync,
		{kind: "link", a: "f1", b: "l"}, {kind: "unlink", a: "f0"}, sync, {kind: "rmxattr", a: "l", b: x(21)}, {kind: "unlink", a: "f1"}, sync, {kind: "unlink", a: "l"}, sync, look}
	return append(list, folder, attributes)
}

// TestEveryRequestFails has each request of scripts fail in turn, that one alone and all from it on. Nothing panics; an operation that fails says so, and has changed nothing; what is read is right, or EIO;
// what was acknowledged is there after mounting anew, and what was not is there whole or not at all; and a check finds nothing.
func TestEveryRequestFails(t *testing.T) {
	t.Parallel()
	for _, c := range faults() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := formatted(t, max(c.blocks, minBlocks))
			f := mount(t, base, manual)
			for _, x := range c.before {
				if e := x.do(treeOf(f)); e != 0 {
					t.Fatal(x, e)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			for _, forever := range []bool{false, true} {
				at := int64(1)
				for ; c.try(t, base.Bytes(), at, forever); at++ {
					if t.Failed() {
						t.Fatalf("request %d fails (forever %v)", at, forever)
					}
				}
				t.Logf("%d requests", at-1)
			}
		})
	}
}

// try does it with one request that fails, and says whether there were as many.
func (c *faulted) try(t *testing.T, base []byte, at int64, forever bool) (more bool) {
	disk := slices.Clone(base)
	if c.larger != 0 { // what is behind the volume may be anything
		disk = append(disk, slices.Repeat([]byte{0xa5}, c.larger*BlockSize-len(disk))...)
	}
	d := block.NewMemory(disk)
	faulty := &block.Faulty{Device: d, At: at}
	if forever {
		faulty.Last = 1 << 60
	}
	o := manual
	o.Cache = 8 * BlockSize
	if c.spills {
		o.Dirty = 4 * BlockSize
	}
	want := oracle()
	for _, x := range c.before {
		x.do(want)
	}
	// Until an operation has failed all is as it was the last time.
	failed := false
	var states []string
	note := func() {
		i := len(states)
		if failed || i == len(c.known) {
			states = append(states, dump(want))
		}
		if !failed && i == len(c.known) {
			c.known = append(c.known, states[i])
		}
		if i == len(states) {
			states = append(states, c.known[i])
		}
	}
	note()
	acked := 0
	if f, err := Mount(faulty, o); err == nil {
		f.t.most = 1 // what is not in use is read again
		var held []core.Place
		mine := treeOf(f)
		for _, x := range c.list {
			steps := []op{x}
			if x.kind == "write" {
				steps = []op{{kind: "touch", a: x.a}, x}
			}
			for _, x := range steps {
				var got core.Errno
				switch x.kind {
				case "look":
					if s, is := dump(mine), states[len(states)-1]; s != is && !strings.Contains(s, syscall.EIO.Error()) {
						t.Errorf("it looks like\n%s\nand is\n%s", s, is)
					}
					continue
				case "hold":
					if p, e := mine.Resolve(core.Place{}, "/"+x.a, 0); e == 0 {
						held = append(held, p)
					}
					continue
				case "drop":
					for _, p := range held {
						p.Drop()
					}
					held = nil
					continue
				case "grow":
					d.Grow(c.grown * BlockSize)
					for done := false; !done; time.Sleep(50 * time.Microsecond) {
						f.lock()
						done = f.sb.blocks == uint64(c.grown) || f.failed != nil
						f.unlock()
					}
					continue
				}
				got = x.do(mine)
				if f.failed == nil && got == syscall.EIO {
					failed = true
					continue // nothing was changed
				}
				// What was done until writing ended is seen, and nothing of it may be durable, or all.
				right := x.do(want)
				if f.failed == nil && got != right {
					t.Errorf("%v: %v, and in memory %v", x, got, right)
				}
				if note(); x.syncs() && got == 0 {
					if acked = len(states) - 1; f.failed != nil {
						t.Errorf("%v is acknowledged after writing ended", x)
					}
				}
			}
			if f.failed != nil {
				break
			}
		}
		for _, p := range held {
			p.Drop()
		}
		f.lock()
		f.land() // nothing is under way any more
		f.unlock()
		more = faulty.Requests() >= at
		faulty.At = 0
		if got := dump(mine); f.failed == nil && got != states[len(states)-1] {
			t.Errorf("in the end it looks like\n%s\nand is\n%s", got, states[len(states)-1])
		}
	} else {
		more = true
	}
	again := mount(t, d, manual)
	if got := dump(treeOf(again)); !slices.Contains(states[acked:], got) {
		t.Errorf("after mounting anew:\n%s\nacknowledged:\n%s", got, states[acked])
	}
	if n := uint64(d.Info().Size / BlockSize); again.sb.blocks != n {
		t.Errorf("%d blocks of %d", again.sb.blocks, n)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	check(t, d)
	return more
}
