package files

import (
	"strings"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// Extended attributes, xattr(7).

// Limits, linux/limits.h.
const (
	maxXattrName  = 255
	maxXattrValue = 64 << 10
)

// xattrCall serves the calls that name a path, and those on descriptors, which it leads to xattrOf.
func xattrCall(nr uintptr, a [6]uintptr) (r uintptr, e syscall.Errno, ok bool) {
	how := fs.How(0)
	switch nr {
	case syscall.SYS_LSETXATTR, syscall.SYS_LGETXATTR, syscall.SYS_LLISTXATTR, syscall.SYS_LREMOVEXATTR:
		how = fs.NoFollow
	case syscall.SYS_SETXATTR, syscall.SYS_GETXATTR, syscall.SYS_LISTXATTR, syscall.SYS_REMOVEXATTR:
	case syscall.SYS_FSETXATTR, syscall.SYS_FGETXATTR, syscall.SYS_FLISTXATTR, syscall.SYS_FREMOVEXATTR:
		f := posix.Get(posix.FD(a[0]))
		if f == nil {
			return 0, syscall.EBADF, true
		}
		defer f.Put()
		o, located := f.Object().(located)
		if _, pathOnly := o.(*pathOnly); pathOnly {
			return 0, syscall.EBADF, true
		}
		if !located {
			return 0, syscall.EOPNOTSUPP, true
		}
		return xattrOf(*o.place(), nr, a)
	default:
		return 0, 0, false
	}
	e = withPath(cwdArg, a[0], how, func(p fs.Place) syscall.Errno {
		var e syscall.Errno
		r, e, _ = xattrOf(p, nr, a)
		return e
	})
	return r, e, true
}

// xattrOf serves a call on a node.
func xattrOf(p fs.Place, nr uintptr, a [6]uintptr) (r uintptr, e syscall.Errno, ok bool) {
	x, has := p.Node.(fs.Attributes)
	switch nr {
	case syscall.SYS_LISTXATTR, syscall.SYS_LLISTXATTR, syscall.SYS_FLISTXATTR:
		var all []byte
		if has {
			names, e := x.Xattrs()
			if e != 0 {
				return 0, e, true
			}
			for _, n := range names {
				all = append(append(all, n...), 0)
			}
		}
		r, e = give(all, a[1], a[2])
		return r, e, true
	case syscall.SYS_SETXATTR, syscall.SYS_LSETXATTR, syscall.SYS_FSETXATTR:
		return 0, setXattr(p, x, a), true
	case syscall.SYS_GETXATTR, syscall.SYS_LGETXATTR, syscall.SYS_FGETXATTR:
		name, e := xattrName(p, x, a[1], false)
		if e != 0 {
			return 0, e, true
		}
		v, e := x.Xattr(name)
		if e == 0 {
			r, e = give(v, a[2], a[3])
		}
		return r, e, true
	case syscall.SYS_REMOVEXATTR, syscall.SYS_LREMOVEXATTR, syscall.SYS_FREMOVEXATTR:
		name, e := xattrName(p, x, a[1], true)
		if e == 0 {
			e = x.RemoveXattr(name)
		}
		return 0, e, true
	}
	return 0, 0, false
}

// give copies what was asked for. Room for nothing asks how much there is.
func give(v []byte, p, n uintptr) (uintptr, syscall.Errno) {
	if n == 0 {
		return uintptr(len(v)), 0
	}
	if n < uintptr(len(v)) {
		return 0, syscall.ERANGE
	}
	buf, e := user.Bytes(p, uintptr(len(v)))
	if e != 0 {
		return 0, e
	}
	return uintptr(copy(buf, v)), 0
}

// xattrName takes a name, and looks whether such may be on the node. ERANGE, EROFS, EOPNOTSUPP, EPERM, ENODATA.
func xattrName(p fs.Place, x fs.Attributes, at uintptr, change bool) (string, syscall.Errno) {
	name, e := user.String(at)
	switch {
	case e != 0:
		return "", e
	case name == "" || len(name) > maxXattrName:
		return "", syscall.ERANGE
	case change && p.Mount.ReadOnly:
		return "", syscall.EROFS
	}
	space, rest, dot := strings.Cut(name, ".")
	switch {
	case !dot:
		return "", syscall.EOPNOTSUPP
	case space == "user":
		a := p.Attr()
		if kind := a.Type(); kind != syscall.S_IFREG && kind != syscall.S_IFDIR {
			if change {
				return "", syscall.EPERM
			}
			return "", syscall.ENODATA
		}
	case space != "trusted" && space != "security":
		return "", syscall.EOPNOTSUPP
	}
	if rest == "" {
		return "", syscall.EINVAL
	}
	if x == nil {
		return "", syscall.EOPNOTSUPP
	}
	return name, 0
}

func setXattr(p fs.Place, x fs.Attributes, a [6]uintptr) syscall.Errno {
	flags := int(int32(a[4]))
	if flags&^(fs.XattrCreate|fs.XattrReplace) != 0 {
		return syscall.EINVAL
	}
	if a[3] > maxXattrValue {
		return syscall.E2BIG
	}
	name, e := xattrName(p, x, a[1], true)
	if e != 0 {
		return e
	}
	v, e := user.Bytes(a[2], a[3])
	if e != 0 {
		return e
	}
	if e = x.SetXattr(name, v, flags); e == 0 {
		p.Tell(fs.HasAttrib)
	}
	return e
}
