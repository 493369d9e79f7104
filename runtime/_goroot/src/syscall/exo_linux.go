package syscall

import "unsafe"

// The typed door: calls that are hot or that block go straight to libos/posix, on the caller's goroutine, with
// pointers that the collector and the stack copier know. posix defines these functions and pushes them here by
// linkname (its doors_unsafe.go), and keeps no pointer past the call: hence go:noescape.
//
// A result that counts is -1 where the errno is not 0.

//go:noescape
func exoRead(fd int, p []byte) (n int, e Errno)

//go:noescape
func exoWrite(fd int, p []byte) (n int, e Errno)

//go:noescape
func exoPread(fd int, p []byte, offset int64) (n int, e Errno)

//go:noescape
func exoPwrite(fd int, p []byte, offset int64) (n int, e Errno)

func exoClose(fd int) Errno

func exoDup(oldfd int) (fd int, e Errno)

func exoDup2(oldfd, newfd int) (fd int, e Errno)

func exoDup3(oldfd, newfd, flags int) (fd int, e Errno)

func exoFcntl(fd, cmd, arg int) (val int, e Errno)

//go:noescape
func exoFstat(fd int, st *Stat_t) Errno

// exoOpenat keeps path, for /proc/self/fd: os.File keeps it, too.
func exoOpenat(dirfd int, path string, flags int, mode uint32) (fd int, e Errno)

//go:noescape
func exoFstatat(dirfd int, path string, st *Stat_t, flags int) Errno

//go:noescape
func exoPipe2(p *[2]_C_int, flags int) Errno

//go:noescape
func exoRecvfrom(fd int, p []byte, flags int, from *RawSockaddrAny, fromlen *_Socklen) (n int, e Errno)

//go:noescape
func exoSendto(fd int, p []byte, flags int, to unsafe.Pointer, addrlen _Socklen) (n int, e Errno)

//go:noescape
func exoAccept4(fd int, rsa *RawSockaddrAny, addrlen *_Socklen, flags int) (conn int, e Errno)

//go:noescape
func exoGetsockname(fd int, rsa *RawSockaddrAny, addrlen *_Socklen) Errno

//go:noescape
func exoSetsockopt(fd, level, name int, val unsafe.Pointer, vallen uintptr) Errno

//go:noescape
func exoPrlimit(pid, resource int, set, old *Rlimit) Errno

// exoResult boxes what a call gave as the generated wrappers do.
func exoResult(n int, e Errno) (int, error) {
	if e != 0 {
		return n, errnoErr(e)
	}
	return n, nil
}

// The uintptr door, in package runtime.
func exoDoor(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr)

// rawSyscallNoError is for calls that cannot fail.
//
//go:nosplit
//go:uintptrkeepalive
func rawSyscallNoError(trap, a1, a2, a3 uintptr) (r1, r2 uintptr) {
	r1, _ = exoDoor(trap, a1, a2, a3, 0, 0, 0)
	return r1, 0
}
