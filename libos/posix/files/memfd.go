package files

import (
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// memfd_create(2) and its seals, fcntl(2). Such a file is one of the root's filesystem in memory without a name, so it counts against what that may take.

// Flags of memfd_create, linux/memfd.h.
const (
	mfdCloexec      = 0x01
	mfdAllowSealing = 0x02
	mfdHuge         = 0x04
	mfdNoexecSeal   = 0x08
	mfdExec         = 0x10
	mfdKnown        = mfdCloexec | mfdAllowSealing | mfdNoexecSeal | mfdExec

	mfdLongest = 249 // bytes of a name
)

// Seals, linux/fcntl.h, and the commands about them.
const (
	fAddSeals = 1033
	fGetSeals = 1034

	sealSeal    = 0x01
	sealShrink  = 0x02
	sealGrow    = 0x04
	sealWrite   = 0x08
	sealFuture  = 0x10 // F_SEAL_FUTURE_WRITE
	sealExec    = 0x20
	sealsKnown  = 0x3f
	sealsWrites = sealShrink | sealGrow | sealWrite | sealFuture
)

// Storable says whether somebody has mapped a file so that he could store to it, where something maps files: libos/posix/mmap.
var Storable = func(fs.File) bool { return false }

// A memFile is the node of a file of memfd_create. Truncate, Allocate and SetAttr look at the seals here, whoever calls them; what is written at the descriptions, because what was stored to a mapping before
// is written back whatever was sealed since.
type memFile struct {
	*mem.File

	gate  gate
	seals atomic.Uint32 // changed while nobody is in
}

// A gate lets those in who change a file's bytes, many at a time, and changes of its seals when nobody is. Somebody who is in may come in again: a write to a mapped file comes by its mappings. So who waits to change seals
// holds nobody off.
type gate struct {
	mu   sync.Mutex
	in   int
	none sync.Cond // in is 0; L is &mu
}

func (g *gate) enter() {
	g.mu.Lock()
	g.in++
	g.mu.Unlock()
}

func (g *gate) leave() {
	g.mu.Lock()
	if g.in--; g.in == 0 && g.none.L != nil {
		g.none.Broadcast()
	}
	g.mu.Unlock()
}

// alone runs f while nobody is in. f waits for nobody who may come in.
func (g *gate) alone(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.none.L = &g.mu
	for g.in > 0 {
		g.none.Wait()
	}
	f()
}

// memfdCreate is memfd_create(2). EINVAL, EFAULT; ENOSYS for huge pages, as from a Linux without hugetlbfs.
func memfdCreate(a [6]uintptr) (uintptr, syscall.Errno) {
	flags := uint32(a[1])
	switch {
	case flags&mfdHuge != 0:
		return 0, syscall.ENOSYS
	case flags&^mfdKnown != 0, flags&mfdExec != 0 && flags&mfdNoexecSeal != 0:
		return 0, syscall.EINVAL
	}
	name, e := user.String(a[0])
	switch {
	case e == syscall.EFAULT:
		return 0, e
	case e != 0 || len(name) > mfdLongest:
		return 0, syscall.EINVAL
	}
	top := Root.Root()
	defer top.Unref()
	mode, seals := uint32(syscall.S_IFREG|0o777), uint32(sealSeal)
	if flags&mfdNoexecSeal != 0 {
		mode, seals = syscall.S_IFREG|0o666, sealExec
	}
	if flags&mfdAllowSealing != 0 {
		seals &^= sealSeal
	}
	f, e := top.(fs.Temporary).Temp(mode, false)
	if e != 0 {
		return 0, e
	}
	m := &memFile{File: f.(*mem.File)}
	m.seals.Store(seals)
	root := Tree.Root()
	root.Drop() // a mount stays
	open := syscall.O_RDWR
	if flags&mfdCloexec != 0 {
		open |= syscall.O_CLOEXEC
	}
	return install(fs.Place{Mount: root.Mount, Node: m}, open, fs.Place{}, "/memfd:"+name)
}

// sealCall is fcntl's F_ADD_SEALS and F_GET_SEALS. EPERM, EBUSY; EINVAL for what cannot be sealed. Other files in memory are sealed against seals, as on tmpfs.
func (o *file) sealCall(f *posix.File, cmd int, arg uintptr) (r uintptr, e syscall.Errno) {
	seals := uint32(arg)
	if cmd == fAddSeals {
		switch {
		case f.Flags()&syscall.O_ACCMODE == syscall.O_RDONLY:
			return 0, syscall.EPERM
		case seals&^sealsKnown != 0:
			return 0, syscall.EINVAL
		}
	}
	m, ok := o.p.Node.(*memFile)
	if !ok {
		if _, ok := o.p.Node.(*mem.File); !ok {
			return 0, syscall.EINVAL
		}
		if cmd == fAddSeals {
			return 0, syscall.EPERM
		}
		return sealSeal, 0
	}
	if cmd == fGetSeals {
		return uintptr(m.seals.Load()), 0
	}
	var before uint32
	m.gate.alone(func() {
		if before = m.seals.Load(); before&sealSeal != 0 {
			e = syscall.EPERM
			return
		}
		if mode := m.File.Attr().Mode; seals&sealExec != 0 && mode&0o111 != 0 { // what may be run is not written any more
			seals |= sealsWrites
		}
		m.seals.Store(before | seals)
	})
	// No mapping that stores is made any more, and no write is: who writes just now gets EPERM, though the seal may be taken back. Whether there is one is asked with no lock held: who changes mappings may wait to come in.
	if e == 0 && seals&sealWrite&^before != 0 && Storable(m) {
		m.gate.alone(func() { m.seals.Store(m.seals.Load() &^ (seals &^ before)) })
		e = syscall.EBUSY
	}
	return 0, e
}

// sealed is a write to a file of memfd_create: what is behind its end is written only up to the last whole page before it, where it may not grow.
func (m *memFile) sealed(p []byte, off int64, write func(p []byte) (int, int64, syscall.Errno)) (int, int64, syscall.Errno) {
	m.gate.enter()
	defer m.gate.leave()
	if m.seals.Load()&(sealWrite|sealFuture) != 0 && len(p) > 0 {
		return -1, 0, syscall.EPERM
	}
	if a := m.File.Attr(); m.seals.Load()&sealGrow != 0 && len(p) > 0 {
		if off == fs.Append {
			off = a.Size
		}
		if end := off + int64(len(p)); end > a.Size || end < off {
			const page = 4096
			whole := a.Size / page * page
			if whole <= off {
				return -1, 0, syscall.EPERM
			}
			p = p[:whole-off]
		}
	}
	return write(p)
}

// Truncate implements fs.File.
func (m *memFile) Truncate(size int64) syscall.Errno {
	m.gate.enter()
	defer m.gate.leave()
	if a := m.File.Attr(); m.seals.Load()&sealShrink != 0 && size < a.Size || m.seals.Load()&sealGrow != 0 && size > a.Size {
		return syscall.EPERM
	}
	return m.File.Truncate(size)
}

// Allocate implements fs.Allocator.
func (m *memFile) Allocate(mode uint32, off, n int64) syscall.Errno {
	m.gate.enter()
	defer m.gate.leave()
	if a := m.File.Attr(); mode&fs.FallocPunchHole != 0 && m.seals.Load()&(sealWrite|sealFuture) != 0 || mode&fs.FallocPunchHole == 0 && m.seals.Load()&sealGrow != 0 && off+n > a.Size {
		if mode&^(fs.FallocPunchHole|fs.FallocKeepSize) == 0 {
			return syscall.EPERM
		}
	}
	return m.File.Allocate(mode, off, n)
}

// SetAttr implements fs.Node.
func (m *memFile) SetAttr(c *fs.Change) syscall.Errno {
	m.gate.enter()
	defer m.gate.leave()
	if a := m.File.Attr(); m.seals.Load()&sealExec != 0 && c.Set&fs.SetMode != 0 && (c.Mode^a.Mode)&0o111 != 0 {
		return syscall.EPERM
	}
	return m.File.SetAttr(c)
}

// mapSealed is mmap(2) of such a file. One that is sealed against writing is mapped as if it were open for reading, so that mprotect cannot have it stored to.
func (m *memFile) mapSealed(data fs.File, open uint32, a [6]uintptr) (uintptr, syscall.Errno) {
	const shared, kinds, write = 1, 3, 2
	m.gate.enter()
	defer m.gate.leave()
	if m.seals.Load()&(sealWrite|sealFuture) != 0 && a[3]&kinds&shared != 0 {
		if a[2]&write != 0 {
			return 0, syscall.EPERM
		}
		open = open&^syscall.O_ACCMODE | syscall.O_RDONLY
	}
	return Map(data, open, a)
}
