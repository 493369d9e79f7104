// Command mapped does random things to a file by calls and by mappings, and says what it saw: on every filesystem of every kernel the same.
//
//	mapped SEEDS STEPS FOLDER...
package main

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
)

const page = 4096

// A mapping is one of the file, from an offset on.
type mapping struct {
	mem    []byte
	off    int
	kind   int // MAP_SHARED or MAP_PRIVATE
	prot   int
	pieces map[int]bool // pages that were unmapped
}

type trial struct {
	r    *rand.Rand
	f    *os.File // read and written
	ro   *os.File // read
	maps []*mapping
	size int
	sum  uint32
	last string
}

func (t *trial) say(format string, args ...any) {
	t.last = fmt.Sprintf(format, args...)
	t.sum = crc32.Update(t.sum, crc32.IEEETable, []byte(t.last))
	if verbose {
		fmt.Println(t.last)
	}
}

var verbose = os.Getenv("VERBOSE") != ""

func call(nr uintptr, a ...uintptr) (uintptr, syscall.Errno) {
	var b [6]uintptr
	copy(b[:], a)
	r, _, e := syscall.Syscall6(nr, b[0], b[1], b[2], b[3], b[4], b[5])
	return r, e
}

// text is some bytes that are not often the same.
func (t *trial) text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(t.r.Uint32())
	}
	return b
}

// try does f, which may touch what is not there.
func try(f func()) (faulted bool) {
	defer func() {
		if e := recover(); e != nil {
			if _, ok := e.(interface{ Addr() uintptr }); !ok {
				panic(e)
			}
			faulted = true
		}
	}()
	f()
	return false
}

// touch loads one byte, or stores it.
func (m *mapping) touch(at int, store bool, v byte) (got byte, faulted bool) {
	faulted = try(func() {
		if store {
			m.mem[at] = v
		}
		got = m.mem[at]
	})
	return got, faulted
}

func (t *trial) step() {
	r := t.r
	off, n := r.IntN(20*page), 1+r.IntN(3*page)
	var m *mapping
	if len(t.maps) > 0 {
		m = t.maps[r.IntN(len(t.maps))]
	}
	switch k := r.IntN(20); {
	case k < 3:
		n, err := t.f.WriteAt(t.text(n), int64(off))
		t.size = max(t.size, off+n)
		t.say("write %d %d %v", off, n, err)
	case k < 6:
		b := make([]byte, n)
		n, err := t.ro.ReadAt(b, int64(off))
		t.say("read %d %d %v %x", off, n, err, crc32.ChecksumIEEE(b[:n]))
	case k == 6:
		t.size = r.IntN(20 * page)
		t.say("truncate %d %v", t.size, t.f.Truncate(int64(t.size)))
	case k == 7:
		_, e := call(syscall.SYS_FALLOCATE, t.f.Fd(), 3, uintptr(off), uintptr(n))
		t.say("punch %d %d %v", off, n, e)
	case k < 10 && len(t.maps) < 6:
		f, kind, prot := t.f, syscall.MAP_SHARED, syscall.PROT_READ|syscall.PROT_WRITE
		if r.IntN(3) == 0 {
			kind = syscall.MAP_PRIVATE
		}
		if r.IntN(3) == 0 {
			f = t.ro
		}
		if r.IntN(3) == 0 {
			prot = syscall.PROT_READ
		}
		m := &mapping{off: off / page, kind: kind, prot: prot, pieces: map[int]bool{}}
		size := 1 + r.IntN(8*page)
		flags := kind
		if r.IntN(3) == 0 {
			flags |= syscall.MAP_POPULATE
		}
		at, e := call(syscall.SYS_MMAP, 0, uintptr(size), uintptr(prot), uintptr(flags), f.Fd(), uintptr(m.off*page))
		t.say("map %d %d %d %d %v", m.off, size, kind, prot, e)
		if e == 0 {
			m.mem = memory(at, (size+page-1)/page*page)
			t.maps = append(t.maps, m)
		}
	case m == nil:
	case k < 13: // a store, or what it runs into; behind the end of the file nobody says what becomes of it
		at := r.IntN(len(m.mem))
		if m.pieces[at/page] {
			break // somebody else may be there by now
		}
		if pos := m.off*page + at; pos >= t.size && pos < (t.size+page-1)/page*page {
			break
		}
		v := byte(r.Uint32())
		got, bad := m.touch(at, true, v)
		t.say("store %d %v %v", m.off*page+at, got == v, bad)
	case k < 16:
		at := r.IntN(len(m.mem))
		if m.pieces[at/page] {
			break
		}
		got, bad := m.touch(at, false, 0)
		t.say("load %d %d %v", m.off*page+at, got, bad)
		if lo := at / page * page; !bad { // a whole page, by assembly
			t.say("sum %x", crc32.ChecksumIEEE(m.mem[lo:lo+page]))
		}
	case k == 16:
		lo := r.IntN(len(m.mem) / page)
		hi := lo + 1 + r.IntN(len(m.mem)/page-lo)
		if r.IntN(2) == 0 {
			lo, hi = 0, len(m.mem)/page
		}
		for hi > lo && m.pieces[hi-1] {
			hi--
		}
		for i := hi - 1; i >= lo && !m.pieces[i]; i-- { // what was unmapped before may be somebody else's by now
			m.pieces[i] = true
			if i == lo || m.pieces[i-1] {
				_, e := call(syscall.SYS_MUNMAP, address(m.mem[i*page:]), uintptr((hi-i)*page))
				t.say("unmap %d %d %v", i, hi, e)
				break
			}
		}
		if len(m.pieces) == len(m.mem)/page {
			t.forget(m)
		}
	case k == 17:
		if len(m.pieces) > 0 {
			break
		}
		prot := []int{0, syscall.PROT_READ, syscall.PROT_READ | syscall.PROT_WRITE}[r.IntN(3)]
		e := syscall.Mprotect(m.mem, prot)
		t.say("protect %d %v", prot, e)
	case k == 18:
		if len(m.pieces) > 0 {
			break
		}
		_, e := call(syscall.SYS_MSYNC, address(m.mem), uintptr(len(m.mem)), uintptr([]int{1, 4, 2, 5, 8}[r.IntN(5)]))
		t.say("msync %v", e)
	case r.IntN(2) == 0:
		if len(m.pieces) > 0 {
			break
		}
		advice := []int{syscall.MADV_WILLNEED, 22, 23}[r.IntN(3)] // the others are MADV_POPULATE_READ and MADV_POPULATE_WRITE
		t.say("advise %d %v", advice, syscall.Madvise(m.mem, advice))
	case r.IntN(2) == 0:
		t.say("fsync %v", t.f.Sync())
	default:
		if len(m.pieces) > 0 || m.kind == syscall.MAP_SHARED {
			break
		}
		t.say("forget %v", syscall.Madvise(m.mem, syscall.MADV_DONTNEED))
	}
}

func (t *trial) forget(m *mapping) {
	for i := range t.maps {
		if t.maps[i] == m {
			t.maps = append(t.maps[:i], t.maps[i+1:]...)
			return
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	debug.SetPanicOnFault(true)
	seeds, steps := must(strconv.Atoi(os.Args[1])), must(strconv.Atoi(os.Args[2]))
	for _, dir := range os.Args[3:] {
		for seed := range seeds {
			run(filepath.Join(dir, "mapped"), seed, steps)
		}
		zeroes()
	}
}

// zeroes maps /dev/zero twice, shared and private: what is stored to one is in no other.
func zeroes() {
	f := must(os.OpenFile("/dev/zero", os.O_RDWR, 0))
	var maps [][]byte
	for range 2 {
		for _, kind := range []int{syscall.MAP_SHARED, syscall.MAP_PRIVATE} {
			b := must(syscall.Mmap(int(f.Fd()), 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, kind))
			fmt.Println("/dev/zero:", b[0], b[2*page], must(f.ReadAt(b[:10], 0)))
			b[2*page] = 1
			maps = append(maps, b)
		}
	}
	f.Close()
	for _, b := range maps {
		b[0] = b[2*page]
		fmt.Println("/dev/zero:", b[0], b[1])
		must(0, syscall.Munmap(b))
	}
}

func run(name string, seed, steps int) {
	t := &trial{r: rand.New(rand.NewPCG(uint64(seed), 1)), f: must(os.Create(name)), ro: must(os.Open(name))}
	defer os.Remove(name)
	defer t.f.Close()
	defer t.ro.Close()
	for i := range steps {
		t.step()
		if i%100 == 99 {
			fmt.Printf("%d, %d: %08x %s\n", seed, i+1, t.sum, t.last)
		}
	}
	for len(t.maps) > 0 {
		m := t.maps[0]
		for i := range len(m.mem) / page {
			if !m.pieces[i] {
				call(syscall.SYS_MUNMAP, address(m.mem[i*page:]), page)
			}
		}
		t.forget(m)
	}
	b := must(os.ReadFile(name))
	fmt.Printf("%d, end: %d %08x\n", seed, len(b), crc32.ChecksumIEEE(b))
}
