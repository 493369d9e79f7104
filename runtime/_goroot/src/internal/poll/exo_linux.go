package poll

import (
	"syscall"
	_ "unsafe" // for go:linkname
)

// exoWritev is libos/posix's writev: see exo_linux.go in package syscall.
//
//go:noescape
//go:linkname exoWritev syscall.exoWritev
func exoWritev(fd int, iov []syscall.Iovec) (n int, e syscall.Errno)
