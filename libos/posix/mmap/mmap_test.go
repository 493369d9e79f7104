//go:build !hardtack

package mmap

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/internal/ram"
)

// On the host nothing of a mapping can be touched but by exo.Touch, and what a page holds is in its frame. What programs see is held to Linux by cmd/mkimage's TestMapped; here files
// fail and memory is short.

// broken is a file that cannot be written to while it is broken.
type broken struct {
	*mem.File
	now bool
}

func (b *broken) WriteAt(p []byte, off int64) (int, int64, fs.Errno) {
	if b.now {
		return -1, off, syscall.EIO
	}
	return b.File.WriteAt(p, off)
}

// file is an empty file that can be broken.
func file(t *testing.T) *broken {
	t.Helper()
	root := mem.New(mem.Options{}).Root()
	n, e := root.Create("f", syscall.S_IFREG|0o644, 0)
	if e != 0 {
		t.Fatal(e)
	}
	return &broken{File: n.(*mem.File)}
}

// machine is one of so many frames, and nothing that a test before has had.
func machine(t *testing.T, n int) {
	t.Helper()
	machineOf(t, ram.New(n))
}

func machineOf(t *testing.T, m exo.Machine) {
	t.Helper()
	t.Cleanup(exo.Simulate(m))
	frames = store{}
	fs.SetMapper(mapper{})
	t.Cleanup(func() {
		fs.SetMapper(nil)
		if len(table.objects) != 0 || len(table.views) != 0 || len(frames.list) != 0 {
			t.Errorf("%d objects, %d views and %d frames are left", len(table.objects), len(table.views), len(frames.list))
		}
	})
}

// mapped maps pages of a file.
func mapped(t *testing.T, f fs.File, first, pages, kind, prot uintptr) *view {
	t.Helper()
	at, e := mapFile(f, syscall.O_RDWR, [6]uintptr{0, pages * exo.PageSize, prot, kind, 0, first * exo.PageSize})
	if e != 0 {
		t.Fatal(e)
	}
	return within(at, 1)[0]
}

func (v *view) munmap() {
	serve(syscall.SYS_MUNMAP, [6]uintptr{v.lo, uintptr(v.n()) * exo.PageSize})
}

// frameAt is what a page of a view shows.
func (v *view) frameAt(page int) []byte {
	if own := v.own[page]; own != nil {
		return own.bytes()
	}
	return v.o.pages[v.first+int64(page)].bytes()
}

// TestShortOfMemory does things to a file by calls and by a mapping that does not fit into memory, beside one that copies: what is read is what was written last.
func TestShortOfMemory(t *testing.T) {
	machine(t, 96)
	const pages, steps = 120, 6000
	f := file(t)
	want := make([]byte, pages*exo.PageSize)
	r := rand.New(rand.NewPCG(1, 2))
	fs.WriteAt(f, want, 0)
	v := mapped(t, f, 0, pages, mapShared, protRead|protWrite)
	private := mapped(t, f, 0, 8, mapPrivate, protRead|protWrite)
	copied := map[int][]byte{}
	for i := range steps {
		page, off := r.IntN(pages), r.IntN(exo.PageSize)
		at := page*exo.PageSize + off
		switch r.IntN(8) {
		case 0, 1:
			if !exo.Touch(v.pages, page, true) {
				t.Fatal("a store faults")
			}
			v.frameAt(page)[off] = byte(i)
			want[at] = byte(i)
		case 2:
			if !exo.Touch(v.pages, page, false) {
				t.Fatal("a load faults")
			}
			if got := v.frameAt(page)[off]; got != want[at] {
				t.Fatalf("step %d: byte %d is %d, not %d", i, at, got, want[at])
			}
		case 3:
			p := []byte{byte(i), byte(i + 1), byte(i + 2)}
			n, _, e := fs.WriteAt(f, p[:min(3, len(want)-at)], int64(at))
			if e != 0 {
				t.Fatal(e)
			}
			copy(want[at:], p[:n])
		case 4, 5:
			p := make([]byte, r.IntN(3*exo.PageSize))
			n, e := fs.ReadAt(f, p, int64(at))
			if e != 0 || !bytes.Equal(p[:n], want[at:at+n]) {
				t.Fatalf("step %d: %d bytes at %d are others (%v)", i, n, at, e)
			}
		case 6:
			page %= 8
			if !exo.Touch(private.pages, page, true) {
				t.Fatal("a store to a copy faults")
			}
			if copied[page] == nil {
				copied[page] = bytes.Clone(want[page*exo.PageSize:][:exo.PageSize])
			}
			private.frameAt(page)[off], copied[page][off] = byte(i), byte(i)
			if !bytes.Equal(private.frameAt(page), copied[page]) {
				t.Fatalf("step %d: the copy of page %d has other bytes", i, page)
			}
		case 7:
			if e := fs.Sync(f, true); e != 0 {
				t.Fatal(e)
			}
		}
	}
	if len(frames.list) >= pages {
		t.Error(len(frames.list), "pages are in memory: nothing was ever put out")
	}
	v.munmap()
	private.munmap()
	got := make([]byte, len(want))
	if n, e := f.File.ReadAt(got, 0); n != len(want) || e != 0 || !bytes.Equal(got, want) {
		t.Error("the file has other bytes", n, e)
	}
}

// TestMappedBuffers writes to files from mappings, and reads files into them, where neither fits into memory. No module ever sees memory of a mapping, which would fault while its
// locks are held: on the host every access to it does.
func TestMappedBuffers(t *testing.T) {
	machine(t, 96)
	const size = 120 * exo.PageSize
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i >> 8 * 7)
	}
	f, g := file(t), file(t)
	f.WriteAt(want, 0)
	from, to := mapped(t, f, 0, size/exo.PageSize, mapShared, protRead), mapped(t, g, 0, size/exo.PageSize, mapShared, protRead|protWrite)
	holds := func(name string, f *broken, want []byte) {
		t.Helper()
		got := make([]byte, len(want)+1)
		if n, e := fs.ReadAt(f, got, 0); n != len(want) || e != 0 || !bytes.Equal(got[:n], want) {
			t.Errorf("%s: other bytes: %d, %v", name, n, e)
		}
	}
	h := file(t)
	if n, at, e := fs.WriteAt(h, from.pages.Bytes()[3:], 5); n != size-3 || at != 5 || e != 0 {
		t.Fatal("a write to a file:", n, at, e)
	}
	holds("a file", h, append(make([]byte, 5), want[3:]...))
	if n, at, e := fs.WriteAt(h, from.pages.Bytes()[:100000], fs.Append); n != 100000 || at != size+2 || e != 0 {
		t.Fatal("an append:", n, at, e)
	}
	if n, _, e := fs.WriteAt(g, from.pages.Bytes(), 0); n != size || e != 0 {
		t.Fatal("a write to a mapped file:", n, e)
	}
	holds("a mapped file", g, want)
	if n, _, e := fs.WriteAt(f, from.pages.Bytes()[1:], 0); n != size-1 || e != 0 {
		t.Fatal("a write to the file that is mapped:", n, e)
	}
	holds("the file that is mapped", f, append(bytes.Clone(want[1:]), want[size-1]))
	if n, e := fs.ReadAt(h, to.pages.Bytes()[7:], 5); n != size-7 || e != 0 {
		t.Fatal("a read:", n, e)
	}
	holds("what was read into", g, append(bytes.Clone(want[:7]), want[3:size-4]...))
	if n, e := fs.ReadAt(h, to.pages.Bytes(), size+100000-10); n != 12 || e != 0 {
		t.Error("a read at the end:", n, e)
	}

	// What may not be touched is EFAULT, where nothing could be done, and else the end.
	if n, e := fs.ReadAt(h, from.pages.Bytes(), 0); n != -1 || e != syscall.EFAULT {
		t.Error("a read into what may only be read:", n, e)
	}
	fs.Truncate(f, 2*exo.PageSize)
	if n, _, e := fs.WriteAt(h, from.pages.Bytes()[2*exo.PageSize:], 0); n != -1 || e != syscall.EFAULT {
		t.Error("a write of what is not there:", n, e)
	}
	if n, _, e := fs.WriteAt(h, from.pages.Bytes()[1:], 0); n != 2*exo.PageSize-1 || e != 0 {
		t.Error("a write of what is there in part:", n, e)
	}
	from.munmap()
	to.munmap()
	p := make([]byte, size)
	if n, e := g.File.ReadAt(p, 0); n != size || e != 0 || !bytes.Equal(p[12:100], append(bytes.Clone(want[:7]), want[3:size-4]...)[12:100]) {
		t.Error("what was read into a mapping was not written back:", n, e)
	}
}

// TestWaitsForMemory touches a page when another file has all the memory, and is locked: that waits, and is no fault.
func TestWaitsForMemory(t *testing.T) {
	machine(t, 96)
	large, small := file(t), file(t)
	fs.WriteAt(large, make([]byte, 120*exo.PageSize), 0)
	fs.WriteAt(small, []byte{1}, 0)
	v := mapped(t, small, 0, 1, mapShared, protRead)
	v.o.mu.Lock()
	v.o.putOut(v.o.pages[0])
	v.o.mu.Unlock()
	w := mapped(t, large, 0, 120, mapShared, protRead)
	if !frames.full(false) || len(v.o.pages) != 0 {
		t.Fatal("there is memory left")
	}
	w.o.mu.Lock()
	came := make(chan bool, 1)
	go func() { came <- exo.Touch(v.pages, 0, false) }()
	for waits := false; !waits; {
		select {
		case <-came:
			t.Fatal("it did not wait")
		default:
			v.o.mu.Lock()
			waits = v.o.waits == w.o
			v.o.mu.Unlock()
		}
	}
	w.o.mu.Unlock()
	if !<-came {
		t.Error("a load faults")
	}
	v.munmap()
	w.munmap()
}

// TestCopyTakesMemory copies a page when there is no memory: what is put out for the copy is not what it is of.
func TestCopyTakesMemory(t *testing.T) {
	machine(t, 96)
	f := file(t)
	fs.WriteAt(f, make([]byte, 120*exo.PageSize), 0)
	v := mapped(t, f, 0, 120, mapPrivate, protRead|protWrite)
	if !frames.full(false) || v.o.pages[119] != nil {
		t.Fatal("there is memory left")
	}
	v.o.mu.Lock()
	for _, f := range frames.list {
		v.o.touched(f) // no longer
	}
	v.o.mu.Unlock()
	frames.hand = len(frames.list) - 3 // the last but one goes first, and the place of what comes is behind it
	if !exo.Touch(v.pages, 119, true) {
		t.Fatal("a store faults")
	}
	if v.own[119] == nil || v.o.pages[119] == nil {
		t.Error("the page was put out before it was copied")
	}
	v.munmap()
}

// TestWriteBackFails stores into a file that cannot be written to: the error is told, what was stored is seen, and written when that is possible again.
func TestWriteBackFails(t *testing.T) {
	machine(t, 256)
	f := file(t)
	fs.WriteAt(f, make([]byte, 2*exo.PageSize), 0)
	v := mapped(t, f, 0, 2, mapShared, protRead|protWrite)
	if !exo.Touch(v.pages, 1, true) {
		t.Fatal("a store faults")
	}
	v.frameAt(1)[5] = 42
	f.now = true
	if _, e := serve(syscall.SYS_MSYNC, [6]uintptr{v.lo, 2 * exo.PageSize, msSync}); e != syscall.EIO {
		t.Error("msync:", e)
	}
	if e := fs.Sync(f, false); e != syscall.EIO {
		t.Error("fsync:", e)
	}
	v.munmap()
	p := make([]byte, 1)
	if n, e := fs.ReadAt(f, p, exo.PageSize+5); n != 1 || e != 0 || p[0] != 42 {
		t.Error("what was stored is not read:", n, e, p)
	}
	if e := fs.WriteBack(); e != syscall.EIO {
		t.Error("write-back:", e)
	}
	f.now = false
	if e := fs.WriteBack(); e != 0 {
		t.Error("write-back:", e)
	}
	if n, e := f.File.ReadAt(p, exo.PageSize+5); n != 1 || e != 0 || p[0] != 42 {
		t.Error("it was not written:", n, e, p)
	}
	if _, still := table.objects[f]; still {
		t.Error("the file still counts as mapped")
	}
}

// TestFaults touches what may not be touched: as SIGBUS what is not in the file, as SIGSEGV what was not mapped so.
func TestFaults(t *testing.T) {
	machine(t, 256)
	f := file(t)
	fs.WriteAt(f, make([]byte, 2*exo.PageSize+1), 0)
	v := mapped(t, f, 1, 4, mapShared, protRead)
	for page, want := range []exo.Verdict{exo.Defer, exo.Defer, exo.Bus, exo.Bus} {
		if got := v.handle(exo.Fault{Page: page}); got != want {
			t.Errorf("page %d: %v, not %v", page, got, want)
		}
	}
	if got := v.handle(exo.Fault{Page: 0, Write: true}); got != exo.Decline {
		t.Error("a store:", got)
	}
	if _, e := serve(syscall.SYS_MUNMAP, [6]uintptr{v.lo + exo.PageSize, exo.PageSize}); e != 0 {
		t.Error(e)
	}
	lines := strings.Split(string(maps()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], " r--s 00001000 00:00 ") || !strings.Contains(lines[1], " r--s 00003000 00:00 ") {
		t.Errorf("maps: %q", lines)
	}
	if got := v.handle(exo.Fault{Page: 1}); got != exo.Decline {
		t.Error("what was unmapped:", got)
	}
	fs.Truncate(f, exo.PageSize)
	if exo.Touch(v.pages, 0, false) {
		t.Error("a page that was cut off is still there")
	}
	fs.Truncate(f, 8*exo.PageSize)
	if !exo.Touch(v.pages, 0, false) {
		t.Error("the file is longer again, and its page is not there")
	}
	v.munmap()
}

// TestSmaps: each mapping's size, what of it is in memory, and what of that is a copy; and each fault is counted.
func TestSmaps(t *testing.T) {
	machine(t, 256)
	f := file(t)
	fs.WriteAt(f, make([]byte, 8*exo.PageSize), 0)
	number := func(name string) (list []int) {
		for _, m := range regexp.MustCompile("(?m)^"+name+": +(\\d+) kB$").FindAllStringSubmatch(string(smaps()), -1) {
			n, _ := strconv.Atoi(m[1])
			list = append(list, n)
		}
		return list
	}
	same := func(name string, want ...int) {
		t.Helper()
		if got := number(name); !slices.Equal(got, want) {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	before := faulted.Load()
	v := mapped(t, f, 0, 12, mapPrivate, protRead|protWrite)
	same("Size", 48)
	same("Rss", 32) // what the file has came with the mapping
	same("Anonymous", 0)
	exo.Touch(v.pages, 1, true)
	same("Rss", 32)
	same("Anonymous", 4)
	same("Private_Dirty", 4)
	same("Private_Clean", 28)
	if n := faulted.Load() - before; n != 1 {
		t.Error(n, "faults")
	}
	w := mapped(t, f, 0, 4, mapShared, protRead)
	both := func(name string, ofV, ofW int) {
		t.Helper()
		if v.lo < w.lo {
			same(name, ofV, ofW)
		} else {
			same(name, ofW, ofV)
		}
	}
	both("Size", 48, 16)
	both("Pss", 16, 8) // a copy and half of seven pages; half of four
	both("Shared_Clean", 28, 16)
	w.munmap()
	v.munmap()
	if got := string(smaps()); got != "" {
		t.Error(got)
	}
}

// TestRemap lets a mapping grow, with what is in it.
func TestRemap(t *testing.T) {
	machine(t, 256)
	f := file(t)
	fs.WriteAt(f, make([]byte, 8*exo.PageSize), 0)
	for _, kind := range []uintptr{mapShared, mapPrivate} {
		v := mapped(t, f, 0, 2, kind, protRead|protWrite)
		if !exo.Touch(v.pages, 1, true) {
			t.Fatal("a store faults")
		}
		v.frameAt(1)[3] = byte(kind) + 7
		if _, e := serve(syscall.SYS_MREMAP, [6]uintptr{v.lo, 2 * exo.PageSize, 6 * exo.PageSize, 0}); e != syscall.ENOMEM {
			t.Error("it grew where it stands:", e)
		}
		if _, e := serve(syscall.SYS_MREMAP, [6]uintptr{v.lo, exo.PageSize, 6 * exo.PageSize, remapMayMove}); e != syscall.EINVAL || !exo.Touch(v.pages, 1, false) {
			t.Error("a part of it grew:", e)
		}
		if _, e := serve(syscall.SYS_MADVISE, [6]uintptr{v.lo, exo.PageSize, adviseRemove}); e != syscall.EOPNOTSUPP {
			t.Error("MADV_REMOVE:", e)
		}
		at, e := serve(syscall.SYS_MREMAP, [6]uintptr{v.lo, 2 * exo.PageSize, 6 * exo.PageSize, remapMayMove})
		if e != 0 {
			t.Fatal(e)
		}
		w := within(at, 1)[0]
		for page := range 6 {
			if !exo.Touch(w.pages, page, true) {
				t.Errorf("a store to page %d faults", page)
			}
		}
		if got := w.frameAt(1)[3]; got != byte(kind)+7 {
			t.Error("what was stored is", got)
		}
		if _, e := serve(syscall.SYS_MREMAP, [6]uintptr{at, 6 * exo.PageSize, exo.PageSize, 0}); e != 0 {
			t.Error(e)
		}
		if w.handle(exo.Fault{Page: 1}) != exo.Decline {
			t.Error("it did not shrink")
		}
		w.munmap()
	}
	p := make([]byte, 1)
	if n, e := f.File.ReadAt(p, exo.PageSize+3); n != 1 || e != 0 || p[0] != mapShared+7 {
		t.Error("what the shared one stored:", n, e, p)
	}
}

// TestMapRefused holds the arguments of mmap to what Linux says of them.
func TestMapRefused(t *testing.T) {
	machine(t, 256)
	f := file(t)
	for _, c := range []struct {
		flags                 uint32
		size, prot, kind, off uintptr
		want                  syscall.Errno
	}{
		{syscall.O_RDWR, 0, protRead, mapShared, 0, syscall.EINVAL},
		{syscall.O_RDWR, 1, protRead, 0, 0, syscall.EINVAL},
		{syscall.O_RDWR, 1, protRead, mapShared, 1, syscall.EINVAL},
		{syscall.O_WRONLY, 1, protRead, mapPrivate, 0, syscall.EACCES},
		{syscall.O_RDONLY, 1, protWrite, mapShared, 0, syscall.EACCES},
		{syscall.O_RDWR, 1, protRead | protExec, mapShared, 0, syscall.EPERM},
		{syscall.O_RDWR, 1 << 60, protRead, mapShared, 0, syscall.ENOMEM},
		{syscall.O_RDWR, 1, protRead, mapShared, ^uintptr(exo.PageSize - 1), syscall.EOVERFLOW},
		{syscall.O_RDWR, 1, protRead, mapValidate | 1<<30, 0, syscall.EOPNOTSUPP},
		{syscall.O_RDWR, 1, protRead, mapShared | mapFixed, 0, syscall.EPERM},
	} {
		if at, e := mapFile(f, c.flags, [6]uintptr{0, c.size, c.prot, c.kind, 0, c.off}); e != c.want {
			t.Errorf("%+v: %#x, %v", c, at, e)
		}
	}
}

// TestBroughtIn maps a file with holes, its second page one, and asks for its pages: holes and copies are there before anybody touches them, where there is room.
func TestBroughtIn(t *testing.T) {
	const pages = 8
	for name, c := range map[string]struct {
		kind, prot uintptr
		advice     uintptr // 0: MAP_POPULATE
		copies     int
		want       syscall.Errno
	}{
		"populate, shared":             {mapShared, protRead | protWrite, 0, 0, 0},
		"populate, read":               {mapPrivate, protRead, 0, 0, 0},
		"populate, private":            {mapPrivate, protRead | protWrite, 0, pages, 0},
		"MADV_WILLNEED":                {mapPrivate, protRead | protWrite, adviseWillNeed, 0, 0},
		"MADV_POPULATE_READ":           {mapShared, protRead, advisePopulateRead, 0, 0},
		"MADV_POPULATE_WRITE":          {mapPrivate, protRead | protWrite, advisePopulateWrite, pages, 0},
		"MADV_POPULATE_WRITE, to read": {mapShared, protRead, advisePopulateWrite, 0, syscall.EINVAL},
		"MADV_POPULATE_READ, nothing":  {mapShared, 0, advisePopulateRead, 0, syscall.EINVAL},
	} {
		t.Run(name, func(t *testing.T) {
			machine(t, 256)
			f := file(t)
			fs.WriteAt(f, []byte{1}, 0)
			fs.WriteAt(f, make([]byte, (pages-2)*exo.PageSize), 2*exo.PageSize)
			kind := c.kind
			if c.advice == 0 {
				kind |= mapPopulate
			}
			v := mapped(t, f, 0, pages, kind, c.prot)
			if c.advice != 0 {
				if v.o.pages[1] != nil {
					t.Fatal("the hole was brought in by mmap")
				}
				if _, e := serve(syscall.SYS_MADVISE, [6]uintptr{v.lo, pages * exo.PageSize, c.advice}); e != c.want {
					t.Fatal(e)
				}
			}
			there := 0
			for p := range pages {
				q := exo.Query(p)
				if v.apply(&q) && q.Prot() != exo.ProtNone {
					there++
				}
			}
			if c.want == 0 && there != pages || len(v.own) != c.copies {
				t.Errorf("%d pages are there, %d of them copies", there, len(v.own))
			}
			if c.want == 0 && c.advice > adviseWillNeed { // a page behind the end
				fs.Truncate(f, 7*exo.PageSize)
				if _, e := serve(syscall.SYS_MADVISE, [6]uintptr{v.lo, pages * exo.PageSize, c.advice}); e != syscall.EFAULT {
					t.Error("behind the end:", e)
				}
			}
			v.munmap()
		})
	}

	// More than fits: nothing goes for it, and the mapping is there.
	machine(t, 96)
	other, f := file(t), file(t)
	fs.WriteAt(other, make([]byte, 4*exo.PageSize), 0)
	fs.Truncate(f, 200*exo.PageSize)
	w := mapped(t, other, 0, 4, mapShared, protRead)
	v := mapped(t, f, 0, 200, mapShared|mapPopulate, protRead|protWrite)
	if !frames.full(false) || len(v.o.pages) == 0 || len(w.o.pages) != 4 {
		t.Errorf("%d pages of a file are there, and %d of another", len(v.o.pages), len(w.o.pages))
	}
	v.munmap()
	w.munmap()
}
