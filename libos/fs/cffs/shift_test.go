package cffs

import (
	"bytes"
	"fmt"
	"slices"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// TestShiftIsAtomic takes a range out of a file of many extents, with holes and with pages that wait, and puts one in, on volumes with few and with many free blocks. Whatever prefix of the writes a crash leaves, the
// file is as it was, or as it was to be; where there is no room it is as it was, and a commit succeeds all the same.
func TestShiftIsAtomic(t *testing.T) {
	const blocks = 1200
	base := formatted(t, 2400)
	f := mount(t, base, manual)
	write(t, f, "/f", []byte("f"))
	old := make([]byte, blocks*BlockSize)
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	put := func(n core.Node, i int, b []byte) {
		t.Helper()
		for k := range BlockSize {
			b[i*BlockSize+k] = byte(i + i>>8 + k>>6)
		}
		if _, _, e := n.(*File).WriteAt(b[i*BlockSize:][:BlockSize], int64(i)*BlockSize); e != 0 {
			t.Fatal(e)
		}
	}
	for i := range blocks {
		if i%3 != 1 || i == blocks-1 {
			put(n, i, old)
		}
	}
	n.Unref()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name   string
		mode   uint32
		at, to int
	}{{"collapse", core.FallocCollapse, 30, 51}, {"insert", core.FallocInsert, 30, 51}, {"collapse at the beginning", core.FallocCollapse, 0, 1000}, {"insert at the last", core.FallocInsert, blocks - 1, blocks}} {
		refused, early, done := 0, 0, 0
		for free := uint64(130); free < 330; free += 11 {
			d := block.NewMemory(slices.Clone(base.Bytes()))
			f := mount(t, d, manual)
			starve(f, free, false)
			f.change++
			f.Sync()
			before := slices.Clone(d.Bytes())
			rec := block.NewRecorder(d)
			f.dev = rec
			n, e := f.Root().Lookup("f")
			if e != 0 {
				t.Fatal(e)
			}
			was := slices.Clone(old)
			if free > 250 { // pages that wait, on both sides
				put(n, 10, was)
				put(n, 100, was)
				put(n, 1099, was)
			}
			now := slices.Delete(slices.Clone(was), x.at*BlockSize, x.to*BlockSize)
			if x.mode == core.FallocInsert {
				now = slices.Insert(slices.Clone(was), x.at*BlockSize, make([]byte, (x.to-x.at)*BlockSize)...)
			}
			e = n.(*File).Allocate(x.mode, int64(x.at)*BlockSize, int64(x.to-x.at)*BlockSize)
			n.Unref()
			switch e {
			case 0:
				done++
				if need := uint64(f.t.dirty + f.owed + spare); need > f.al.free() {
					t.Errorf("%s, %d free: what is done and the spare blocks take %d of %d", x.name, free, need, f.al.free())
				}
			case syscall.ENOSPC:
				now = was
				refused++
			default:
				t.Fatal(x.name, free, e)
			}
			if len(rec.Log()) > 0 {
				early++
			}
			if got := contents(t, f, "/f"); !bytes.Equal(got, now) {
				t.Fatalf("%s, %d free, %v: the file is another", x.name, free, e)
			}
			if e := f.Sync(); e != 0 {
				t.Fatal(x.name, free, e)
			}
			oneStep(t, fmt.Sprintf("%s, %d free", x.name, free), before, rec.Log(), now, was, old)
			f.Close()
		}
		if refused == 0 || done == 0 {
			t.Errorf("%s: %d had no room, %d were done, %d after a commit", x.name, refused, done, early)
		}
	}
}

// TestShiftRefuses: what ext4 and XFS refuse is refused, and changes nothing.
func TestShiftRefuses(t *testing.T) {
	d := formatted(t, 600)
	f := mount(t, d, manual)
	const size = 5*BlockSize + 7
	write(t, f, "/f", bytes.Repeat([]byte("x"), size))
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	x := n.(*File)
	// Space behind the end goes with what is before it, as far as there are numbers.
	if e := x.Allocate(core.FallocKeepSize, 1<<50, BlockSize); e != 0 {
		t.Fatal(e)
	}
	const c, i = core.FallocCollapse, core.FallocInsert
	for _, w := range []struct {
		mode   uint32
		off, n int64
		want   core.Errno
	}{
		{c, 1, BlockSize, syscall.EINVAL}, {c, BlockSize, 1, syscall.EINVAL}, {i, 512, BlockSize, syscall.EINVAL}, {i, 0, BlockSize + 512, syscall.EINVAL},
		{c, 0, 6 * BlockSize, syscall.EINVAL}, {c, BlockSize, 5 * BlockSize, syscall.EINVAL}, {c, 6 * BlockSize, BlockSize, syscall.EINVAL}, {i, 6 * BlockSize, BlockSize, syscall.EINVAL},
		{c | i, 0, BlockSize, syscall.EINVAL}, {c | core.FallocKeepSize, 0, BlockSize, syscall.EINVAL}, {i | core.FallocKeepSize, 0, BlockSize, syscall.EINVAL},
		{i, 0, core.MaxSize &^ (BlockSize - 1), syscall.EFBIG}, {i, 0, core.MaxSize&^(BlockSize-1) - 1<<20, syscall.EFBIG},
	} {
		if e := x.Allocate(w.mode, w.off, w.n); e != w.want {
			t.Errorf("mode %#x, %d+%d: %v, want %v", w.mode, w.off, w.n, e, w.want)
		}
		f.Sync() // what waits counts as well as what has its place
	}
	if got := contents(t, f, "/f"); len(got) != size {
		t.Errorf("%d bytes, of %d", len(got), size)
	}
	for _, mode := range []uint32{i, c} {
		if e := x.Allocate(mode, 5*BlockSize, BlockSize); e != 0 {
			t.Errorf("mode %#x in the last block: %v", mode, e)
		}
	}
	if got := contents(t, f, "/f"); !bytes.Equal(got, bytes.Repeat([]byte("x"), size)) {
		t.Error("put in and taken out again, the file is another")
	}
	n.Unref()
	f.Close()
	check(t, d)
}
