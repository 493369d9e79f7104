//go:build unix

package build

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes an exclusive lock on f, or says false if another process has
// it and wait is not set. It lasts until f is closed.
func lockFile(f *os.File, wait bool) (bool, error) {
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	for {
		switch err := unix.Flock(int(f.Fd()), how); err {
		case nil:
			return true, nil
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return false, nil
		default:
			return false, err
		}
	}
}
