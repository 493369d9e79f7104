package cffs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// TestPunchIsAtomic cuts and punches files on a volume with so little room that something has to be committed on the way. Whatever prefix of the writes a crash leaves, the file is as it
// was, or as it was to be.
func TestPunchIsAtomic(t *testing.T) {
	old := bytes.Repeat([]byte("old."), 5*BlockSize/4)
	for _, x := range []struct {
		name string
		do   func(x *File) core.Errno
		then func(b []byte) []byte
	}{
		{"punch", func(x *File) core.Errno {
			return x.Allocate(core.FallocPunchHole|core.FallocKeepSize, 100, 3*BlockSize)
		}, func(b []byte) []byte { clear(b[100 : 100+3*BlockSize]); return b }},
		{"punch inside of a block", func(x *File) core.Errno {
			return x.Allocate(core.FallocPunchHole|core.FallocKeepSize, 100, 200)
		}, func(b []byte) []byte { clear(b[100:300]); return b }},
		{"punch two halves", func(x *File) core.Errno {
			return x.Allocate(core.FallocPunchHole|core.FallocKeepSize, BlockSize-10, 20)
		}, func(b []byte) []byte { clear(b[BlockSize-10 : BlockSize+10]); return b }},
		{"truncate", func(x *File) core.Errno { return x.Truncate(BlockSize + 1) }, func(b []byte) []byte { return b[:BlockSize+1] }},
	} {
		d := formatted(t, 1024)
		f := mount(t, d, manual)
		write(t, f, "/f", old)
		write(t, f, "/g", old)
		write(t, f, "/h", old)
		f.Sync()
		base := slices.Clone(d.Bytes())
		rec := block.NewRecorder(d)
		f.dev = rec
		write(t, f, "/g", []byte("dirty"))
		write(t, f, "/h", []byte("dirty"))
		n, e := f.Root().Lookup("f")
		if e != 0 {
			t.Fatal(e)
		}
		// One page and its way have room beside what waits, a second has not.
		f.al.used += f.al.free() - uint64(f.t.dirty+f.owed+2+13*f.t.height())
		if e := x.do(n.(*File)); e != 0 {
			t.Fatal(x.name, e)
		}
		n.Unref()
		if e := f.Sync(); e != 0 {
			t.Fatal(x.name, e)
		}
		now := x.then(slices.Clone(old))
		if got := contents(t, f, "/f"); !bytes.Equal(got, now) {
			t.Errorf("%s: the file is another", x.name)
		}
		news := 0
		events := rec.Log()
		for i := range len(events) + 1 {
			if i > 0 {
				events[i-1].Apply(base)
			}
			g, err := Mount(block.NewMemory(slices.Clone(base)), Options{ReadOnly: true})
			if err != nil {
				t.Fatal(x.name, err)
			}
			switch got := contents(t, g, "/f"); {
			case bytes.Equal(got, now):
				news++
			case news > 0 || !bytes.Equal(got, old):
				t.Fatalf("%s: after %d of %d events the file is neither as it was nor as it was to be", x.name, i, len(events))
			}
		}
		if news == 0 {
			t.Errorf("%s: it never came to the disk", x.name)
		}
	}
}

// TestZeroIsAtomic makes a range of a file zero, and the file longer, on volumes with every number of free blocks: from so few that there is no room to so many that no commit is needed on the way. Whatever prefix
// of the writes a crash leaves, the file is as it was, or as it was to be; where there is no room it is as it was.
func TestZeroIsAtomic(t *testing.T) {
	const size = 200 * BlockSize
	old := bytes.Repeat([]byte("old."), size/4)
	for _, x := range []struct {
		name    string
		mode    uint32
		off, to int
	}{
		{"whole blocks", core.FallocZero, 10 * BlockSize, 190 * BlockSize},
		{"parts of blocks", core.FallocZero | core.FallocKeepSize, 100, size - 100},
		{"and longer", core.FallocZero, 5*BlockSize + 7, size + 10*BlockSize + 7},
		{"but no longer", core.FallocZero | core.FallocKeepSize, 5 * BlockSize, size + 10*BlockSize},
	} {
		now := slices.Clone(old)
		clear(now[min(x.off, size):min(x.to, size)])
		if x.mode&core.FallocKeepSize == 0 && x.to > size {
			now = append(now, make([]byte, x.to-size)...)
		}
		refused, early := 0, 0
		for free := uint64(100); free < 500; free += 19 {
			d := formatted(t, 1000)
			f := mount(t, d, manual)
			write(t, f, "/f", old)
			f.Sync()
			starve(f, free, false)
			f.change++
			f.Sync()
			base := slices.Clone(d.Bytes())
			rec := block.NewRecorder(d)
			f.dev = rec
			n, e := f.Root().Lookup("f")
			if e != 0 {
				t.Fatal(e)
			}
			e = n.(*File).Allocate(x.mode, int64(x.off), int64(x.to-x.off))
			n.Unref()
			want := now
			if e == syscall.ENOSPC {
				want = old
				refused++
			} else if e != 0 {
				t.Fatal(e)
			}
			if len(rec.Log()) > 0 {
				early++ // something was committed on the way
			}
			if e := f.Sync(); e != 0 {
				t.Fatal(x.name, free, e)
			}
			if !bytes.Equal(contents(t, f, "/f"), want) {
				t.Fatalf("%s, %d free: the file is another", x.name, free)
			}
			oneStep(t, fmt.Sprintf("%s, %d free", x.name, free), base, rec.Log(), want, old)
			f.Close()
		}
		if refused == 0 || early == 0 || refused > 16 {
			t.Errorf("%s: %d had no room, %d took a commit on the way", x.name, refused, early)
		}
	}
}

// oneStep replays what was written to a disk, on which /f held one of olds: it holds one of them up to some flush, and want from then on and in the end. Blocks may count as used that are not.
func oneStep(t *testing.T, what string, disk []byte, events []block.Event, want []byte, olds ...[]byte) {
	t.Helper()
	news := 0
	for i := range len(events) + 1 {
		if i > 0 {
			events[i-1].Apply(disk)
		}
		if i > 0 && !events[i-1].Flush && i < len(events) {
			continue // the states between flushes are those of the last one, or of the next
		}
		at := block.NewMemory(slices.Clone(disk))
		g, err := Mount(at, Options{ReadOnly: true})
		if err != nil {
			t.Fatal(what, err)
		}
		switch got := contents(t, g, "/f"); {
		case bytes.Equal(got, want):
			news++
		case news > 0 || !slices.ContainsFunc(olds, func(b []byte) bool { return bytes.Equal(got, b) }):
			t.Fatalf("%s: after %d of %d events the file is neither as it was nor as it was to be", what, i, len(events))
		}
		r, err := Check(at, false)
		if err != nil || len(r.Problems) > 1 || len(r.Problems) == 1 && !strings.Contains(r.Problems[0].What, "count as used and are not") { // those that were taken away
			t.Fatal(what, err, r)
		}
	}
	if news == 0 {
		t.Errorf("%s: it never came to the disk", what)
	}
}
