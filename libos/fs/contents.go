package fs

import "syscall"

// A Mapper maps files into memory: libos/posix/mmap, where it is linked. What is mapped may hold bytes that the file's module does not know yet, and must be told
// of what is done to the file by other ways. So all that is done to the bytes of files goes through the functions below.
type Mapper interface {
	// Enter gives what stands for f's bytes during one operation: f itself, where it is not mapped. Leave ends the operation. One goroutine is in one
	// operation at a time.
	Enter(f File) File
	Leave(File)

	// Mapped says whether bytes of p are mapped. Who holds locks cannot wait for a page of them.
	Mapped(p []byte) bool

	// Load copies what p holds to b, and Store what b holds to p, which are of one length, and p may be mapped. They wait for pages, and say how much
	// was copied: less where p may not be touched so.
	Load(b, p []byte) int
	Store(p, b []byte) int

	// WriteBack tells the modules of all that was stored into mapped files.
	WriteBack() Errno

	// GiveBack unmaps pages that modules have lent until so many are the modules' own again, as far as it can, and says how many. It waits for nobody.
	GiveBack(pages int) int
}

var mapper Mapper

// SetMapper is for the init function of the one that there is.
func SetMapper(m Mapper) { mapper = m }

// WriteBack tells the modules of all that was stored into mapped files: what makes a filesystem durable begins with it.
func WriteBack() Errno {
	if mapper == nil {
		return 0
	}
	return mapper.WriteBack()
}

// GiveBack is for who needs the memory of page caches: it has so many pages of them unmapped that can be, and says how many.
func GiveBack(pages int) int {
	if mapper == nil {
		return 0
	}
	return mapper.GiveBack(pages)
}

func enter(f File) File {
	if mapper == nil {
		return f
	}
	return mapper.Enter(f)
}

func leave(f File) {
	if mapper != nil {
		mapper.Leave(f)
	}
}

func mapped(p []byte) bool { return mapper != nil && len(p) > 0 && mapper.Mapped(p) }

// bounce is how much goes at once between a file and memory that is mapped. A page of that may need a file's locks to come in, so the bytes are copied while none is held.
const bounce = 64 << 10

// ReadAt is f.ReadAt. EFAULT where p may not be stored to, and nothing could be.
func ReadAt(f File, p []byte, off int64) (int, Errno) {
	if !mapped(p) {
		return readAt(f, p, off)
	}
	buf := make([]byte, min(len(p), bounce))
	for n := 0; ; {
		b := buf[:min(len(p)-n, len(buf))]
		k, e := readAt(f, b, off+int64(n))
		if e != 0 {
			if n > 0 {
				return n, 0
			}
			return k, e
		}
		stored := mapper.Store(p[n:n+k], b[:k])
		n += stored
		switch {
		case stored < k && n == 0:
			return -1, syscall.EFAULT
		case stored < len(b) || n == len(p):
			return n, 0
		}
	}
}

func readAt(f File, p []byte, off int64) (int, Errno) {
	f = enter(f)
	defer leave(f)
	return f.ReadAt(p, off)
}

// WriteAt is f.WriteAt. EFAULT where p may not be loaded, and nothing could be. Mapped memory is written in parts: appends of others may lie between them, and at is
// then as if all had been written where the last part ends.
func WriteAt(f File, p []byte, off int64) (n int, at int64, e Errno) {
	if !mapped(p) {
		return writeAt(f, p, off)
	}
	buf := make([]byte, min(len(p), bounce))
	for next := off; ; {
		b := buf[:min(len(p)-n, len(buf))]
		loaded := mapper.Load(b, p[n:n+len(b)])
		if loaded == 0 {
			if n > 0 {
				return n, at, 0
			}
			return -1, off, syscall.EFAULT
		}
		k, pos, e := writeAt(f, b[:loaded], next)
		if e != 0 {
			if n > 0 {
				return n, at, 0
			}
			return k, pos, e
		}
		at = pos - int64(n)
		n += k
		if k < len(b) || n == len(p) {
			return n, at, 0
		}
		if next != Append {
			next += int64(k)
		}
	}
}

func writeAt(f File, p []byte, off int64) (n int, at int64, e Errno) {
	f = enter(f)
	defer leave(f)
	return f.WriteAt(p, off)
}

// Truncate is f.Truncate.
func Truncate(f File, size int64) Errno {
	f = enter(f)
	defer leave(f)
	return f.Truncate(size)
}

// Sync is f.Sync.
func Sync(f File, data bool) Errno {
	f = enter(f)
	defer leave(f)
	return f.Sync(data)
}

// Allocate is fallocate(2). EOPNOTSUPP for a file that is no Allocator.
func Allocate(f File, mode uint32, off, n int64) Errno {
	f = enter(f)
	defer leave(f)
	if a, ok := f.(Allocator); ok {
		return a.Allocate(mode, off, n)
	}
	return syscall.EOPNOTSUPP
}

// SeekData is SEEK_DATA and SEEK_HOLE of lseek(2). A file that does not know its holes has none.
func SeekData(f File, off int64, hole bool) (int64, Errno) {
	f = enter(f)
	defer leave(f)
	a := f.Attr()
	if off < 0 || off >= a.Size {
		return -1, syscall.ENXIO
	}
	if s, ok := f.(Sparse); ok {
		return s.SeekData(off, hole)
	}
	if hole {
		return a.Size, 0
	}
	return off, 0
}

// Lend is f.Lend. EINVAL for a file that is no Lender.
func Lend(f File, off int64, n int) (Loan, Errno) {
	f = enter(f)
	defer leave(f)
	if l, ok := f.(Lender); ok {
		return l.Lend(off, n)
	}
	return Loan{}, syscall.EINVAL
}
