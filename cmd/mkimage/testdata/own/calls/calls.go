// Package calls serves a call of Linux that no module of Hardtack serves: getcpu(2), which says 42 where package fifo is asked who runs next.
package calls

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"own/fifo"
)

const getcpu = 309

func init() {
	var before posix.Server
	before = posix.Extend(func(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
		switch {
		case nr == getcpu && fifo.Picks.Load() > 0:
			return 42, 0
		case before != nil:
			return before(nr, a)
		}
		return 0, syscall.ENOSYS
	})
}
