package files

import "syscall"

// What package syscall does not name.
const (
	sysStat          = syscall.SYS_NEWFSTATAT
	sysSyncfs        = 306
	sysRenameat2     = 316
	sysMemfdCreate   = 319
	sysCopyFileRange = 326
	sysStatx         = 332
	sysOpenat2       = 437
	sysFaccessat2    = 439
	sysFchmodat2     = 452
)
