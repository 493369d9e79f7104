package linux

import "syscall"

// What Linux numbers and lays out differently from machine to machine, or package syscall does not know.
const (
	// struct epoll_event is packed here.
	epollEventSize  = 12
	epollDataOffset = 4

	sysPrlimit64   = syscall.SYS_PRLIMIT64
	sysGetcpu      = 309
	sysGetrandom   = 318
	sysMembarrier  = 324
	sysPreadv2     = 327
	sysPwritev2    = 328
	sysCloseRange  = 436
	sysEpollPwait2 = 441
)
