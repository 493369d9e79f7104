package runtime

import (
	"internal/runtime/sys"
	"unsafe"
)

// debug.WriteHeapDump. std writes the dump while the world is stopped, on a system stack, where no goroutine can serve the write. So it is kept, outside of the heap, and
// written when the world goes on: it takes as much memory as it is long. Where there is none, it ends before its end, and a line says so.

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

// exoDumpWritten starts the world, in place of startTheWorld, and writes what was kept. An error ends that, as it does on Linux: nobody is told.
func exoDumpWritten(w worldStop) {
	const write = 1
	d := exoDump
	exoDump.first, exoDump.last, exoDump.lost = nil, nil, false
	startTheWorld(w)
	if d.lost {
		println("runtime: the heap dump is not whole: out of memory")
	}
	failed := false
	for c := d.first; c != nil; {
		for at := uintptr(0); at < c.n && !failed; {
			n, errno := exoPosixCall(write, d.fd, uintptr(unsafe.Pointer(&c.b[at])), c.n-at, 0, 0, 0)
			failed = errno != 0 || n == 0
			at += n
		}
		next := c.next
		sysFree(unsafe.Pointer(c), unsafe.Sizeof(*c), &memstats.other_sys)
		c = next
	}
}
