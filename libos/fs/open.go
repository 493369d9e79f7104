package fs

import "syscall"

const (
	oPath    = 0x200000
	tmpfile  = 0x400000 // O_TMPFILE without O_DIRECTORY, which it implies
	anyWrite = syscall.O_WRONLY | syscall.O_RDWR
)

// OpenFlags holds the flags of open(2) to each other, and drops those that O_PATH makes meaningless. EINVAL.
func OpenFlags(flags int) (int, Errno) {
	switch {
	case flags&oPath != 0:
		flags &= oPath | syscall.O_DIRECTORY | syscall.O_NOFOLLOW | syscall.O_CLOEXEC
	case flags&tmpfile != 0 && (flags&syscall.O_DIRECTORY == 0 || flags&anyWrite == 0 || flags&syscall.O_CREAT != 0),
		flags&syscall.O_CREAT != 0 && flags&syscall.O_DIRECTORY != 0:
		return 0, syscall.EINVAL
	}
	return flags, 0
}

// Open finds what path names, for open(2) with flags, and makes a file where O_CREAT asks for it: with mode, from which umask was taken. Truncation is done. What is in the
// Place is then opened by whoever knows its kind. ENOENT, EEXIST, EISDIR, ENOTDIR, ELOOP for a symbolic link with O_NOFOLLOW, EROFS,
// EOPNOTSUPP for O_TMPFILE where there is none.
func (t *Tree) Open(at Place, path string, flags int, mode uint32, how How) (Place, Errno) {
	flags, e := OpenFlags(flags)
	if e != 0 {
		return Place{}, e
	}
	if flags&syscall.O_NOFOLLOW != 0 {
		how |= NoFollow
	}
	switch {
	case flags&tmpfile != 0:
		return t.openTemp(at, path, flags, mode, how)
	case flags&syscall.O_CREAT == 0:
		p, e := t.Resolve(at, path, how)
		if e == 0 {
			if e = p.opened(flags, false); e != 0 {
				p.Drop()
			}
		}
		return p, e
	}
	if flags&syscall.O_EXCL != 0 {
		how |= NoFollow
	}
	w := walker{t: t, scope: at, how: how}
	if e := w.begin(path, false); e != 0 {
		return Place{}, e
	}
	made, e := w.make(flags, mode)
	if e == 0 {
		e = w.at.opened(flags, made)
	}
	if e != 0 {
		w.at.Drop()
		return Place{}, e
	}
	return w.at, 0
}

// make goes to the end of the path, and makes a file there if there is none.
func (w *walker) make(flags int, mode uint32) (made bool, e Errno) {
	for {
		name, e := w.toLast()
		if e != 0 {
			return false, e
		}
		if w.slash && ordinary(name) {
			return false, syscall.EISDIR
		}
		if !ordinary(name) {
			if name == "" {
				return false, 0
			}
			return false, w.step(name, true)
		}
		e = w.step(name, true)
		if e == 0 && w.rest != "" {
			continue // a link led on
		}
		if e != syscall.ENOENT {
			return false, e
		}
		d := w.at.Node.(Dir) // toLast says so
		if w.at.Mount.ReadOnly {
			return false, syscall.EROFS
		}
		n, e := d.Create(name, syscall.S_IFREG|mode&0o7777, 0)
		if e == 0 {
			tellName(w.at.Mount, HasCreated, d, name, n)
			w.at.Node.Unref()
			w.at.Node = n
			return true, 0
		}
		if e != syscall.EEXIST {
			return false, e
		}
		w.rest = name // somebody was faster: look again
	}
}

// demanding are the flags by which it matters what was found.
const demanding = oPath | anyWrite | syscall.O_CREAT | syscall.O_EXCL | syscall.O_TRUNC | syscall.O_DIRECTORY | syscall.O_DIRECT | syscall.O_NOFOLLOW

// opened holds what was found to the flags of open.
func (p Place) opened(flags int, made bool) Errno {
	if flags&demanding == 0 && !Listening() {
		return 0 // nobody minds, and the walk has followed the last link
	}
	a := p.Node.Attr()
	kind := a.Type()
	write := flags&(anyWrite|syscall.O_TRUNC) != 0
	switch {
	case flags&(syscall.O_CREAT|syscall.O_EXCL) == syscall.O_CREAT|syscall.O_EXCL && !made:
		return syscall.EEXIST
	case kind == syscall.S_IFDIR && flags&syscall.O_CREAT != 0:
		return syscall.EISDIR
	case kind != syscall.S_IFDIR && flags&syscall.O_DIRECTORY != 0:
		return syscall.ENOTDIR
	case flags&oPath != 0:
		return 0
	case made:
		p.Tell(HasOpened)
		return 0
	case kind == syscall.S_IFLNK:
		return syscall.ELOOP
	case kind == syscall.S_IFDIR && write:
		return syscall.EISDIR
	case kind == syscall.S_IFREG && write && p.Mount.ReadOnly:
		return syscall.EROFS
	case kind == syscall.S_IFDIR && flags&syscall.O_DIRECT != 0:
		p.Tell(HasClosed) // Linux had opened it by then
		return syscall.EINVAL
	}
	if kind == syscall.S_IFREG || kind == syscall.S_IFDIR { // the others may not come to be open
		p.Tell(HasOpened)
	}
	if f, ok := p.Node.(File); ok && flags&syscall.O_TRUNC != 0 {
		if _, other := p.Node.(Opener); !other {
			e := Truncate(f, 0)
			if e == 0 {
				p.Tell(HasModified)
			}
			return e
		}
	}
	return 0
}

// openTemp is O_TMPFILE: path names the folder. With O_EXCL the file never gets a name.
func (t *Tree) openTemp(at Place, path string, flags int, mode uint32, how How) (Place, Errno) {
	p, e := t.Resolve(at, path, how)
	if e != 0 {
		return p, e
	}
	defer p.Drop()
	if _, ok := p.Node.(Dir); !ok {
		return Place{}, syscall.ENOTDIR
	}
	if p.Mount.ReadOnly {
		return Place{}, syscall.EROFS
	}
	d, ok := p.Node.(Temporary)
	if !ok {
		return Place{}, syscall.EOPNOTSUPP
	}
	f, e := d.Temp(syscall.S_IFREG|mode&0o7777, flags&syscall.O_EXCL == 0)
	if e != 0 {
		return Place{}, e
	}
	return Place{p.Mount, f}, 0
}
