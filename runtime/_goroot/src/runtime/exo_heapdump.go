package runtime

import (
	"internal/goarch"
	"internal/runtime/sys"
	"unsafe"
)

// debug.WriteHeapDump. std writes the dump while the world is stopped, on a system stack, where no goroutine can serve the write. So it is kept, outside of the heap, and
// written when the world goes on: it takes as much memory as it is long. Where there is none, or a write fails, it ends before its end, and a line says so: WriteHeapDump returns no error.

// exoDump is the dump that is being made. The world is stopped.
var exoDump struct {
	fd          uintptr
	first, last *exoDumpPiece
	lost        bool
}

// exoDumpPiece is a part of a dump.
type exoDumpPiece struct {
	_    sys.NotInHeap
	next *exoDumpPiece
	n    uintptr
	b    [256<<10 - 16]byte
}

// exoDumpWrite keeps n bytes, in place of write.
func exoDumpWrite(fd uintptr, p unsafe.Pointer, n int32) int32 {
	d := &exoDump
	d.fd = fd
	for rest := uintptr(n); rest > 0 && !d.lost; {
		if d.last == nil || d.last.n == uintptr(len(d.last.b)) {
			c := (*exoDumpPiece)(sysAlloc(unsafe.Sizeof(exoDumpPiece{}), &memstats.other_sys, "heap dump"))
			switch {
			case c == nil:
				d.lost = true
				return n
			case d.last == nil:
				d.first = c
			default:
				d.last.next = c
			}
			d.last = c
		}
		m := min(rest, uintptr(len(d.last.b))-d.last.n)
		memmove(unsafe.Pointer(&d.last.b[d.last.n]), p, m)
		d.last.n += m
		p, rest = add(p, m), rest-m
	}
	return n
}

// exoDumpParams says what machine it is, in place of dumpparams. That one reads all of the heap's table of 32 MiB, where memory may be, and here each page of it that is looked at gets a frame for good.
// The bounds come from the lists of what there is.
func exoDumpParams() {
	dumpint(tagParams)
	dumpbool(goarch.BigEndian)
	dumpint(goarch.PtrSize)
	lo, hi := ^uintptr(0), uintptr(0)
	for _, arenas := range [...][]arenaIdx{mheap_.heapArenas, mheap_.userArenaArenas} {
		for _, i := range arenas {
			base := arenaBase(i)
			lo, hi = min(lo, base), max(hi, base+heapArenaBytes)
		}
	}
	dumpint(uint64(lo))
	dumpint(uint64(hi))
	dumpstr(goarch.GOARCH)
	dumpstr(buildVersion)
	dumpint(uint64(numCPUStartup))
}

// exoDumpOut is libos/posix's Write, which every image with descriptors has: write(2) by its number is served in those only whose program makes calls itself.
//
//go:linkname exoDumpOut syscall.exoWrite
func exoDumpOut(fd int, p []byte) (n int, errno uintptr)

// exoDumpWritten starts the world, in place of startTheWorld, and writes what was kept. An error ends that and is told, which Linux's runtime does not do.
func exoDumpWritten(w worldStop) {
	d := exoDump
	exoDump.first, exoDump.last, exoDump.lost = nil, nil, false
	startTheWorld(w)
	if d.lost {
		println("runtime: the heap dump is not whole: out of memory")
	}
	failed := false
	for c := d.first; c != nil; {
		for at := uintptr(0); at < c.n && !failed; {
			n, errno := exoDumpOut(int(int32(d.fd)), c.b[at:c.n])
			if failed = errno != 0 || n == 0; failed {
				println("runtime: the heap dump is not whole: write to descriptor", d.fd, "failed with errno", errno)
			}
			at += uintptr(n)
		}
		next := c.next
		sysFree(unsafe.Pointer(c), unsafe.Sizeof(*c), &memstats.other_sys)
		c = next
	}
}
