package unix

import (
	"syscall"
	_ "unsafe" // for go:linkname
)

// These are libos/posix's: see exo_linux.go in package syscall.

//go:linkname exoFcntl syscall.exoFcntl
func exoFcntl(fd, cmd, arg int) (val int, e syscall.Errno)

//go:noescape
//go:linkname exoGetrandom syscall.exoGetrandom
func exoGetrandom(p []byte, flags uint) (n int, e syscall.Errno)
