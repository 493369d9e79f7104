package posix

import "syscall"

// What Linux numbers differently from machine to machine, or package syscall does not know.
const (
	machine = "x86_64"

	sysFstatat    = syscall.SYS_NEWFSTATAT
	sysRecvmmsg   = syscall.SYS_RECVMMSG
	sysSendmmsg   = 307
	sysRenameat2  = 316
	sysOpenat2    = 437
	sysFaccessat2 = 439
	sysFchmodat2  = 452
)
