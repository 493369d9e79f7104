package block

import (
	"os"
	"syscall"
)

// QEMU locks bytes of its images' files: from 100 on what it does, from 200 on what it allows nobody else to do, a byte for each permission.
const (
	lockStart = 100
	lockSize  = 164

	getLock = 36 // F_OFD_GETLK
	setLock = 37 // F_OFD_SETLK
)

// lock keeps a file that is written to from others until it is closed, and sees that others do not write to one that is read. Where the host's filesystem has no locks there are none.
func lock(f *os.File, write bool) error {
	l := syscall.Flock_t{Type: syscall.F_WRLCK, Start: lockStart, Len: lockSize}
	if !write {
		if err := syscall.FcntlFlock(f.Fd(), getLock, &l); err == nil && l.Type != syscall.F_UNLCK {
			return &os.PathError{Op: "open", Path: f.Name(), Err: ErrInUse}
		}
		return nil
	}
	if err := syscall.FcntlFlock(f.Fd(), setLock, &l); err == syscall.EAGAIN || err == syscall.EACCES {
		return &os.PathError{Op: "open", Path: f.Name(), Err: ErrInUse}
	}
	return nil
}

// unlock is the way back.
func unlock(f *os.File) {
	syscall.FcntlFlock(f.Fd(), setLock, &syscall.Flock_t{Type: syscall.F_UNLCK, Start: lockStart, Len: lockSize})
}
