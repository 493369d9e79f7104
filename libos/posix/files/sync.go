package files

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
)

// syncCall serves what std does not make of the calls by which files go to their disk and come from it. nr is known to be one of them.
func syncCall(nr uintptr, a [6]uintptr) syscall.Errno {
	f := get(a[0])
	if f == nil {
		return syscall.EBADF
	}
	defer f.Put()
	o, ok := f.Object().(located)
	data, regular := f.Object().(*file)
	off, n := int64(a[1]), int64(a[2])
	switch nr {
	case sysSyncfs:
		if !ok {
			return 0 // nothing of a pipe's or socket's filesystem is on a disk
		}
		if e := fs.WriteBack(); e != 0 {
			return e
		}
		return o.place().Mount.FS.Sync()

	case syscall.SYS_READAHEAD: // a wish: what is read in order is on its way by itself
		if f.Flags()&syscall.O_ACCMODE == syscall.O_WRONLY {
			return syscall.EBADF
		}
		if !regular || n < 0 {
			return syscall.EINVAL
		}
		return 0
	}
	// sync_file_range(2): more is written than was asked for.
	const known = 7
	if uint32(a[3])&^known != 0 || off < 0 || n < 0 || off+n < 0 {
		return syscall.EINVAL
	}
	if regular && a[3] != 0 {
		return fs.Sync(data.data, true)
	}
	if _, folder := f.Object().(*dir); !regular && !folder {
		return syscall.ESPIPE
	}
	return 0
}
