package block

import (
	"os"
	"syscall"
)

const punches = true

// punch makes a hole in a file; where the host's filesystem cannot, nothing is done.
func punch(f *os.File, off, n int64) error {
	const keepSize, punchHole = 1, 2
	err := syscall.Fallocate(int(f.Fd()), keepSize|punchHole, off, n)
	if err == syscall.EOPNOTSUPP || err == syscall.ENOSYS {
		return nil
	}
	return err
}
