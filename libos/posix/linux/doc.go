// Package linux is the rest of Linux for programs that make system calls themselves, through golang.org/x/sys/unix,
// syscall.Syscall or assembly: epoll, poll and select, eventfd and timerfd, clocks and sleeping, vectored I/O, terminal
// ioctls, limits and usage, and the numbered form of what libos/posix offers as Go functions.
//
// std's own packages need none of it, so an image has it only where mkimage links it in: it registers with libos/posix
// in init. Without it, and for what it does not know either, calls return ENOSYS.
package linux

import "github.com/hardtack-os/hardtack/libos/posix"

func init() {
	before = posix.Extend(serve)
	posix.OnRelease(forgetFile)
}

var before posix.Server // who serves what is not known here
