//go:build hardtack

package posix

import _ "unsafe" // for linkname

// The doors: which function of this package is whose. On the right what the files that Hardtack adds to package syscall
// (internal/poll and internal/syscall/unix use the same) and package runtime declare without a body.

// The typed door.
//
//go:linkname Read syscall.exoRead
//go:linkname Write syscall.exoWrite
//go:linkname Pread syscall.exoPread
//go:linkname Pwrite syscall.exoPwrite
//go:linkname Writev syscall.exoWritev
//go:linkname Close syscall.exoClose
//go:linkname Dup syscall.exoDup
//go:linkname Dup2 syscall.exoDup2
//go:linkname Dup3 syscall.exoDup3
//go:linkname Fcntl syscall.exoFcntl
//go:linkname Fstat syscall.exoFstat
//go:linkname Openat syscall.exoOpenat
//go:linkname Pollable os.exoPollable
//go:linkname Fstatat syscall.exoFstatat
//go:linkname Pipe2 syscall.exoPipe2
//go:linkname Recvfrom syscall.exoRecvfrom
//go:linkname Sendto syscall.exoSendto
//go:linkname Accept4 syscall.exoAccept4
//go:linkname Getsockname syscall.exoGetsockname
//go:linkname Setsockopt syscall.exoSetsockopt
//go:linkname Prlimit syscall.exoPrlimit
//go:linkname Getrandom syscall.exoGetrandom

// The uintptr and trap doors.
//
//go:linkname Call runtime.exoPosixCall
//go:linkname callInPlace runtime.exoPosixInPlace

// The runtime's netpoll.
//
//go:linkname pollOpen runtime.exoPollOpen
//go:linkname pollClose runtime.exoPollClose
