package files

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

const (
	oTmpfile = 0x410000
	oLarge   = 0x8000 // O_LARGEFILE, which a 64-bit kernel sets itself
)

// An objectNode is a Node that makes its Object itself.
type objectNode interface {
	open(flags int) (posix.Object, syscall.Errno)
}

// An opener is a file that is another one each time it is opened.
type opener interface {
	fs.File
	fs.Opener
}

// open is openat(2) for a path in a caller's memory.
func open(fd, p uintptr, flags int, mode uint32, how fs.How) (uintptr, syscall.Errno) {
	if _, e := fs.OpenFlags(flags); e != 0 {
		return 0, e
	}
	path, e := user.String(p)
	if e != 0 {
		return 0, e
	}
	return openat(posix.FD(fd), path, flags, mode, how)
}

func openat(fd int, path string, flags int, mode uint32, how fs.How) (uintptr, syscall.Errno) {
	if flags&(syscall.O_CREAT|oTmpfile&^syscall.O_DIRECTORY) == 0 {
		mode = 0
	}
	mode &^= posix.Mask()
	flags, e := fs.OpenFlags(flags)
	if e != 0 {
		return 0, e
	}
	var at fs.Place // not looked at where the path is absolute and nothing confines it
	if how != 0 || path == "" || path[0] != '/' {
		if at, e = begin(fd, path); e != 0 {
			return 0, e
		}
	}
	p, e := Tree.Open(at, path, flags, mode&0o7777, how)
	if e != 0 {
		at.Drop()
		return 0, e
	}
	return install(p, flags, at, path)
}

// hot serves what is called by package syscall's wrappers as it is.
type hot struct{}

// Openat implements posix.Paths.
func (hot) Openat(dirfd int, path string, flags int, mode uint32) (int, syscall.Errno) {
	fd, e := openat(dirfd, path, flags, mode, 0)
	if e != 0 {
		return -1, e
	}
	return int(fd), 0
}

// Fstatat implements posix.Paths.
func (hot) Fstatat(dirfd int, path string, st *syscall.Stat_t, flags int) syscall.Errno {
	return statAt(dirfd, path, st, uint32(flags))
}

// install opens a descriptor for what is at p, which was reached by path from a place. It takes over the references to both.
func install(p fs.Place, flags int, from fs.Place, path string) (uintptr, syscall.Errno) {
	keep := flags &^ (oTmpfile &^ syscall.O_DIRECTORY)
	if flags&oPath != 0 {
		fd, e := posix.Install(&pathOnly{at{p: p, from: from, path: path}}, keep)
		return uintptr(fd), e
	}
	o, f, e := object(p, flags)
	if e != 0 {
		from.Drop()
		return 0, e
	}
	if r, ok := o.(*file); ok {
		r.opened(flags, from, path)
		fd, e := posix.InstallIn(&r.desc, r, keep|oLarge)
		return uintptr(fd), e
	}
	if f != nil { // open already: another descriptor of the same
		from.Drop()
		fd, e := posix.InstallFile(f, flags&syscall.O_CLOEXEC != 0)
		if e != 0 {
			f.Put()
		}
		return uintptr(fd), e
	}
	if _, ok := o.(*blockDevice); !ok && flags&syscall.O_DIRECT != 0 {
		from.Drop()
		o.Release()
		return 0, syscall.EINVAL
	}
	if l, ok := o.(located); ok {
		l.opened(flags, from, path)
	} else {
		from.Drop()
	}
	fd, e := posix.Install(o, keep|oLarge)
	return uintptr(fd), e
}

// object makes the Object for what is at p, or gives a description that there is. It takes over p's reference.
func object(p fs.Place, flags int) (posix.Object, *posix.File, syscall.Errno) {
	switch n := p.Node.(type) {
	case *descriptor:
		defer p.Drop()
		f := posix.Get(n.fd)
		if f == nil {
			return nil, nil, syscall.ENXIO
		}
		return nil, f, 0
	case fs.Dir:
		return &dir{at: at{p: p}, d: n}, nil, 0
	case opener:
		data, e := n.Open(flags)
		if e != 0 {
			p.Drop()
			return nil, nil, e
		}
		return &file{at: at{p: p}, data: data, made: true}, nil, 0
	case fs.File:
		return &file{at: at{p: p}, data: n}, nil, 0
	}
	a := p.Attr()
	var o posix.Object
	e := syscall.ENXIO
	switch a.Type() {
	case syscall.S_IFIFO:
		o, e = openFifo(p, flags)
	case syscall.S_IFCHR:
		o, e = openDevice(p, a.Rdev)
	case syscall.S_IFBLK:
		o, e = openBlock(p, a.Rdev, flags)
	}
	if e != 0 {
		p.Drop()
	}
	return o, nil, e
}

// openat2 is openat2(2).
func openat2(a [6]uintptr) (uintptr, syscall.Errno) {
	var how struct{ flags, mode, resolve uint64 }
	if a[3] < openHowSize {
		return 0, syscall.EINVAL
	}
	if a[3] > 4096 {
		return 0, syscall.E2BIG
	}
	if e := user.Take(&how, a[2]); e != 0 {
		return 0, e
	}
	rest, e := user.Bytes(a[2]+openHowSize, a[3]-openHowSize)
	if e != 0 {
		return 0, e
	}
	for _, b := range rest {
		if b != 0 {
			return 0, syscall.E2BIG
		}
	}
	creates := how.flags&(syscall.O_CREAT|oTmpfile&^syscall.O_DIRECTORY) != 0
	switch {
	case how.flags&^openat2KnownFlag != 0, how.resolve&^resolveKnown != 0, how.mode&^0o7777 != 0, how.mode != 0 && !creates,
		how.resolve&(resolveBeneath|resolveInRoot) == resolveBeneath|resolveInRoot:
		return 0, syscall.EINVAL
	}
	if how.flags&oPath != 0 && how.flags&^(oPath|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC) != 0 {
		return 0, syscall.EINVAL
	}
	if how.resolve&resolveCached != 0 { // nobody says here what is in memory already: the caller asks again without it
		return 0, syscall.EAGAIN
	}
	var h fs.How
	for _, r := range []struct {
		bit uint64
		how fs.How
	}{{resolveNoXdev, fs.NoMounts}, {resolveNoLinks, fs.NoSymlinks}, {resolveNoMagic, fs.NoMagic}, {resolveBeneath, fs.Beneath}, {resolveInRoot, fs.InRoot}} {
		if how.resolve&r.bit != 0 {
			h |= r.how
		}
	}
	// Where an absolute path is confined to the folder, the folder counts.
	if how.resolve&(resolveBeneath|resolveInRoot) != 0 {
		path, e := user.String(a[1])
		if e != 0 {
			return 0, e
		}
		if path == "" {
			return 0, syscall.ENOENT
		}
		at, e := start(posix.FD(a[0]), ".")
		if e != 0 {
			return 0, e
		}
		p, e := Tree.Open(at, path, int(how.flags), uint32(how.mode)&^posix.Mask(), h)
		if e != 0 {
			at.Drop()
			return 0, e
		}
		return install(p, int(how.flags), at, "./"+path) // which begins at the folder, absolute or not
	}
	return open(a[0], a[1], int(how.flags), uint32(how.mode), h)
}
