package files

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// locks are those of flock(2), by node: open descriptions hold them.
var locks = struct {
	park.Mutex
	of map[fs.Node]*flocks
}{of: map[fs.Node]*flocks{}}

// flocks are the locks of a node. It lives as long as somebody holds or waits.
type flocks struct {
	holders map[*at]int // LOCK_SH or LOCK_EX
	waiting int
	freed   park.Queue
}

// flock is flock(2). Changing the kind of a lock gives up the old one first, as on Linux.
func flock(_ *posix.File, o *at, how int) syscall.Errno {
	kind := how &^ syscall.LOCK_NB
	if kind != syscall.LOCK_SH && kind != syscall.LOCK_EX && kind != syscall.LOCK_UN {
		return syscall.EINVAL
	}
	if kind == syscall.LOCK_UN {
		unlock(o)
		return 0
	}
	locks.Lock()
	defer locks.Unlock()
	n := o.p.Node
	l := locks.of[n]
	if l == nil {
		l = &flocks{holders: map[*at]int{}}
		locks.of[n] = l
	}
	defer l.tidy(n)
	if l.holders[o] == kind {
		return 0
	}
	if _, held := l.holders[o]; held {
		delete(l.holders, o)
		l.freed.WakeAll()
	}
	for l.conflict(kind) {
		if how&syscall.LOCK_NB != 0 {
			return syscall.EWOULDBLOCK
		}
		l.waiting++
		l.freed.Wait(&locks.Mutex)
		l.waiting--
	}
	o.locked.Store(true)
	l.holders[o] = kind
	return 0
}

func (l *flocks) conflict(kind int) bool {
	for _, held := range l.holders {
		if held == syscall.LOCK_EX || kind == syscall.LOCK_EX {
			return true
		}
	}
	return false
}

func (l *flocks) tidy(n fs.Node) {
	if len(l.holders) == 0 && l.waiting == 0 {
		delete(locks.of, n)
	}
}

// unlock gives up what a description holds.
func unlock(o *at) {
	locks.Lock()
	defer locks.Unlock()
	if l := locks.of[o.p.Node]; l != nil {
		if _, held := l.holders[o]; held {
			delete(l.holders, o)
			l.freed.WakeAll()
		}
		l.tidy(o.p.Node)
	}
}
