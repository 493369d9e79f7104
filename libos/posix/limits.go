package posix

import (
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

const unlimited = ^uint64(0)

// Resources of getrlimit(2) that are not all unlimited.
const (
	rlimitStack  = 3
	rlimitCore   = 4
	rlimitNofile = 7
	rlimits      = 16
)

// MaxFiles is how far RLIMIT_NOFILE goes. The soft limit begins there too: Go's syscall package raises it as far as
// it can in every program's init, so a lower one would only cost a call.
const MaxFiles = 1 << 20

var (
	limitLock park.Mutex
	softFiles uint64 = MaxFiles // the soft RLIMIT_NOFILE; atomic, as descriptors ask for it
	hardFiles uint64 = MaxFiles // limitLock
)

// nofile is how many descriptors there may be.
func nofile() uint64 { return atomic.LoadUint64(&softFiles) }

// Prlimit is prlimit64(2): it reads and sets limits. Only RLIMIT_NOFILE is enforced, and only it remembers being set.
func Prlimit(who, resource int, set, old *syscall.Rlimit) syscall.Errno {
	if uint(resource) >= rlimits {
		return syscall.EINVAL
	}
	if who != 0 && who != PID {
		return syscall.ESRCH
	}
	if set != nil && set.Cur > set.Max {
		return syscall.EINVAL
	}
	if set != nil && resource == rlimitNofile && set.Max > MaxFiles {
		return syscall.EPERM
	}
	l := syscall.Rlimit{Cur: unlimited, Max: unlimited}
	limitLock.Lock()
	switch resource {
	case rlimitNofile:
		l = syscall.Rlimit{Cur: nofile(), Max: hardFiles}
		if set != nil {
			hardFiles = set.Max
			atomic.StoreUint64(&softFiles, set.Cur)
		}
	case rlimitStack:
		l.Cur = 8 << 20
	case rlimitCore:
		l.Cur = 0
	}
	limitLock.Unlock()
	if old != nil {
		*old = l
	}
	return 0
}
