package fs

import "syscall"

// A Mapper maps files into memory: libos/posix/mmap, where it is linked. What is mapped may hold bytes that the file's module does not know yet, and must be told
// of what is done to the file by other ways. So all that is done to the bytes of files goes through the functions below.
type Mapper interface {
	// Enter gives what stands for f's bytes during one operation: f itself, where it is not mapped. Leave ends the operation. One goroutine is in one
	// operation at a time.
	Enter(f File) File
	Leave(File)

	// Present brings in what of p is mapped, for writing if write is set: who holds locks cannot wait for a page.
	Present(p []byte, write bool)

	// WriteBack tells the modules of all that was stored into mapped files.
	WriteBack() Errno
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

func present(p []byte, write bool) {
	if mapper != nil {
		mapper.Present(p, write)
	}
}

// ReadAt is f.ReadAt.
func ReadAt(f File, p []byte, off int64) (int, Errno) {
	present(p, true)
	f = enter(f)
	defer leave(f)
	return f.ReadAt(p, off)
}

// WriteAt is f.WriteAt.
func WriteAt(f File, p []byte, off int64) (n int, at int64, e Errno) {
	present(p, false)
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
	var a Attr
	f.Attr(&a)
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
