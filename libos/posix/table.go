package posix

import (
	"math/bits"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// An fdTable maps descriptor numbers to open files. Looking one up takes no lock: two loads, one compare-and-swap on
// the file's reference count, one load to see that the descriptor still means that file. Changes take mu.
//
// Descriptors live in groups of 64 with bitmaps beside them, and groups in chunks that double in size and never move:
// chunk k holds 1<<k groups, which are descriptors 64*(1<<k - 1) up to 64*(2<<k - 1).
type fdTable struct {
	mu     park.Mutex
	next   int // no descriptor below is free; mu
	chunks [15]chunk
}

// A group is 64 descriptors.
type group struct {
	used    uint64 // which are taken; mu
	cloexec uint64 // which have FD_CLOEXEC; mu
	file    [64]slot
}

// group gives the group of fd and makes it where it does not exist yet and grow is set (with mu held).
func (t *fdTable) group(fd int, grow bool) *group {
	if uint(fd) >= 64*(1<<15-1) {
		return nil
	}
	if uint(fd) < 64 {
		return t.chunks[0].load() // which is there from the start
	}
	g := uint(fd)/64 + 1
	k := bits.Len(g) - 1
	c := t.chunks[k].load()
	if c == nil {
		if !grow {
			return nil
		}
		t.chunks[k].store(make([]group, 1<<k))
		c = t.chunks[k].load()
	}
	return c.at(g - 1<<k)
}

// Get looks up fd and takes a reference, which the caller drops with Put. It returns nil for EBADF.
func Get(fd int) *File {
	g := table.group(fd, false)
	if g == nil {
		return nil
	}
	s := &g.file[fd&63]
	for {
		f := s.load()
		if f == nil {
			return nil
		}
		if f.tryRef() {
			if s.load() == f {
				return f
			}
			f.Put() // closed or replaced meanwhile
		}
	}
}

// alloc takes the lowest free descriptor not below min; mu is held.
func (t *fdTable) alloc(min int, f *File, cloexec bool) (int, syscall.Errno) {
	limit := int(nofile())
	fd := max(min, t.next)
	for fd < limit {
		g := t.group(fd, true)
		if g == nil {
			break
		}
		free := ^g.used >> (fd & 63)
		if free == 0 {
			fd = fd&^63 + 64
			continue
		}
		if fd += bits.TrailingZeros64(free); fd >= limit {
			break
		}
		if min <= t.next {
			t.next = fd + 1
		}
		t.set(g, fd, f, cloexec)
		return fd, 0
	}
	return -1, syscall.EMFILE
}

func (t *fdTable) set(g *group, fd int, f *File, cloexec bool) {
	bit := uint64(1) << (fd & 63)
	g.used |= bit
	g.cloexec &^= bit
	if cloexec {
		g.cloexec |= bit
	}
	g.file[fd&63].store(f)
}

// Install opens a new description of o on the lowest free descriptor. flags are those of open(2): access mode, status
// flags, O_CLOEXEC. Where there is no descriptor left it releases o.
func Install(o Object, flags int) (int, syscall.Errno) { return install(newFile(o, flags), flags) }

// InstallIn is Install for an object that has room for its description: f is zero, and o's own from then on.
func InstallIn(f *File, o Positioned, flags int) (int, syscall.Errno) {
	f.pos = o
	f.open(o, flags)
	return install(f, flags)
}

func install(f *File, flags int) (int, syscall.Errno) {
	table.mu.Lock()
	fd, e := table.alloc(0, f, flags&syscall.O_CLOEXEC != 0)
	table.mu.Unlock()
	if e != 0 {
		f.Put()
	}
	return fd, e
}

// Close is close(2).
func Close(fd int) syscall.Errno {
	e := table.close(fd)
	if Tracer != nil {
		traced(syscall.SYS_CLOSE, 0, e, uintptr(fd), 0, 0)
	}
	return e
}

func (t *fdTable) close(fd int) syscall.Errno {
	g := t.group(fd, false)
	if g == nil {
		return syscall.EBADF
	}
	t.mu.Lock()
	f := g.file[fd&63].load()
	if f != nil {
		g.used &^= 1 << (fd & 63)
		g.file[fd&63].store(nil)
		t.next = min(t.next, fd)
	}
	t.mu.Unlock()
	if f == nil {
		return syscall.EBADF
	}
	f.Put()
	return 0
}

// dupFrom is dup and F_DUPFD: the lowest free descriptor from min on.
func dupFrom(fd, min int, cloexec bool) (int, syscall.Errno) {
	f := Get(fd)
	if f == nil {
		return -1, syscall.EBADF
	}
	if uint(min) >= uint(nofile()) {
		f.Put()
		return -1, syscall.EINVAL
	}
	table.mu.Lock()
	nfd, e := table.alloc(min, f, cloexec) // takes over the reference
	table.mu.Unlock()
	if e != 0 {
		f.Put()
	}
	return nfd, e
}

// Dup is dup(2).
func Dup(fd int) (int, syscall.Errno) {
	n, e := dupFrom(fd, 0, false)
	if Tracer != nil {
		traced(syscall.SYS_DUP, n, e, uintptr(fd), 0, 0)
	}
	return n, e
}

// Dup2 is dup2(2): a descriptor duplicated onto itself is left alone.
func Dup2(fd, nfd int) (int, syscall.Errno) {
	if fd != nfd {
		return Dup3(fd, nfd, 0)
	}
	f := Get(fd)
	if f == nil {
		return -1, syscall.EBADF
	}
	f.Put()
	return nfd, 0
}

// Dup3 is dup3(2).
func Dup3(fd, nfd, flags int) (int, syscall.Errno) {
	n, e := dupOnto(fd, nfd, flags)
	if Tracer != nil {
		traced(syscall.SYS_DUP3, n, e, uintptr(fd), uintptr(nfd), uintptr(flags))
	}
	return n, e
}

func dupOnto(fd, nfd, flags int) (int, syscall.Errno) {
	if flags&^syscall.O_CLOEXEC != 0 || fd == nfd {
		return -1, syscall.EINVAL
	}
	if uint(nfd) >= uint(nofile()) {
		return -1, syscall.EBADF
	}
	f := Get(fd)
	if f == nil {
		return -1, syscall.EBADF
	}
	table.mu.Lock()
	g := table.group(nfd, true)
	old := g.file[nfd&63].load()
	table.set(g, nfd, f, flags != 0)
	table.mu.Unlock()
	if old != nil {
		old.Put()
	}
	return nfd, 0
}

// SetCloexec sets or clears FD_CLOEXEC of an open descriptor and returns what it was.
func SetCloexec(fd int, on bool) bool { return table.cloexec(fd, true, on) }

func (t *fdTable) cloexec(fd int, change, on bool) bool {
	bit := uint64(1) << (fd & 63)
	t.mu.Lock()
	g := t.group(fd, false)
	was := g.cloexec&bit != 0
	if change {
		g.cloexec &^= bit
		if on {
			g.cloexec |= bit
		}
	}
	t.mu.Unlock()
	return was
}

// InstallFile opens the lowest free descriptor for a file that is open already, as SCM_RIGHTS does. It takes over the caller's reference where it
// succeeds.
func InstallFile(f *File, cloexec bool) (int, syscall.Errno) {
	table.mu.Lock()
	defer table.mu.Unlock()
	return table.alloc(0, f, cloexec)
}

// Descriptors are those that are open, in order.
func Descriptors() func(yield func(fd int) bool) {
	return func(yield func(int) bool) {
		for fd, limit := 0, int(nofile()); fd < limit; fd++ {
			g := table.group(fd, false)
			if g == nil {
				fd |= 63
				continue
			}
			if g.file[fd&63].load() != nil && !yield(fd) {
				return
			}
		}
	}
}
