package files

import (
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// Record locks, fcntl(2): those of an open description (F_OFD_SETLK), and those of a process (F_SETLK), of which there is one: they are in each other's way only if one of
// them is a description's.

const (
	ofdGetlk  = 36
	ofdSetlk  = 37
	ofdSetlkw = 38
)

// A record is a lock on the bytes from lo to hi, both included.
type record struct {
	lo, hi int64
	kind   int16 // F_RDLCK or F_WRLCK
	owner  *at   // nil: the process
}

// records are the locks of all nodes: those of an owner together and in order, in the order in which the owners came.
var records = struct {
	park.Mutex
	of map[fs.Node]*nodeRecords
}{of: map[fs.Node]*nodeRecords{}}

// recorded counts them, for those who close files and never lock.
var recorded atomic.Int32

// nodeRecords lives as long as somebody holds or waits.
type nodeRecords struct {
	dev     uint64 // st_dev, for /proc/locks
	list    []record
	waiting int
	freed   park.Queue
}

// recordLock is fcntl's part about record locks.
func recordLock(f *posix.File, o *at, cmd int, p uintptr) (uintptr, syscall.Errno, bool) {
	var owner *at
	switch cmd {
	case syscall.F_GETLK, syscall.F_SETLK, syscall.F_SETLKW:
	case ofdGetlk, ofdSetlk, ofdSetlkw:
		owner = o
	default:
		return 0, 0, false
	}
	l := user.At[syscall.Flock_t](p)
	if l == nil {
		return 0, syscall.EFAULT, true
	}
	get := cmd == syscall.F_GETLK || cmd == ofdGetlk
	bad := l.Type != syscall.F_RDLCK && l.Type != syscall.F_WRLCK && (cmd == syscall.F_GETLK || l.Type != syscall.F_UNLCK)
	if bad && cmd == syscall.F_GETLK {
		return 0, syscall.EINVAL, true
	}
	r, e := o.record(f, l)
	mode := f.Flags() & syscall.O_ACCMODE
	switch {
	case e != 0:
		return 0, e, true
	case bad:
		return 0, syscall.EINVAL, true
	case !get && l.Type == syscall.F_RDLCK && mode == syscall.O_WRONLY, !get && l.Type == syscall.F_WRLCK && mode == syscall.O_RDONLY:
		return 0, syscall.EBADF, true
	case owner != nil && l.Pid != 0:
		return 0, syscall.EINVAL, true
	}
	r.owner = owner
	records.Lock()
	defer records.Unlock()
	n := records.of[o.p.Node]
	if n == nil {
		n = &nodeRecords{dev: o.p.Mount.Dev}
		records.of[o.p.Node] = n
		recorded.Add(1)
	}
	defer n.tidy(o.p.Node)
	if get {
		n.tell(&r, l)
		return 0, 0, true
	}
	for l.Type != syscall.F_UNLCK && n.conflict(&r) != nil {
		if cmd == syscall.F_SETLK || cmd == ofdSetlk {
			return 0, syscall.EAGAIN, true
		}
		n.waiting++
		n.freed.Wait(&records.Mutex)
		n.waiting--
	}
	n.set(r)
	n.freed.WakeAll()
	return 0, 0, true
}

// record is the range that l is about. EINVAL, EOVERFLOW.
func (o *at) record(f *posix.File, l *syscall.Flock_t) (r record, e syscall.Errno) {
	start := int64(0)
	switch l.Whence {
	case 0:
	case 1:
		if p, ok := f.Object().(posix.Positioned); ok {
			start, _ = p.Seek(f, 0, 1)
		}
	case 2:
		a := o.p.Attr()
		start = a.Size
	default:
		return r, syscall.EINVAL
	}
	if l.Start > fs.MaxSize-start {
		return r, syscall.EOVERFLOW
	}
	if start += l.Start; start < 0 {
		return r, syscall.EINVAL
	}
	end := int64(fs.MaxSize)
	switch {
	case l.Len > 0:
		if l.Len-1 > fs.MaxSize-start {
			return r, syscall.EOVERFLOW
		}
		end = start + l.Len - 1
	case l.Len < 0:
		if start+l.Len < 0 {
			return r, syscall.EINVAL
		}
		end = start - 1
		start += l.Len
	}
	return record{lo: start, hi: end, kind: l.Type}, 0
}

// conflict is a lock that is in r's way. F_UNLCK, with which F_OFD_GETLK may ask, is for one of its owner's own.
func (n *nodeRecords) conflict(r *record) *record {
	for i := range n.list {
		x := &n.list[i]
		own, other := x.owner == r.owner, x.kind == syscall.F_WRLCK || r.kind == syscall.F_WRLCK
		if x.lo <= r.hi && r.lo <= x.hi && (r.kind == syscall.F_UNLCK && own || r.kind != syscall.F_UNLCK && !own && other) {
			return x
		}
	}
	return nil
}

// tell is F_GETLK.
func (n *nodeRecords) tell(r *record, l *syscall.Flock_t) {
	x := n.conflict(r)
	if x == nil {
		l.Type = syscall.F_UNLCK
		return
	}
	*l = syscall.Flock_t{Type: x.kind, Start: x.lo, Pid: posix.PID}
	if x.hi != fs.MaxSize {
		l.Len = x.hi - x.lo + 1
	}
	if x.owner != nil {
		l.Pid = -1
	}
}

// set puts r in the place of what its owner has there. F_UNLCK leaves nothing.
func (n *nodeRecords) set(r record) {
	var list, mine []record
	place := -1
	for _, x := range n.list {
		if x.owner != r.owner {
			list = append(list, x)
			continue
		}
		if place < 0 {
			place = len(list)
		}
		if x.kind == r.kind && (x.lo <= r.lo && (x.hi == fs.MaxSize || x.hi+1 >= r.lo) || r.lo <= x.lo && (r.hi == fs.MaxSize || r.hi+1 >= x.lo)) {
			r.lo, r.hi = min(r.lo, x.lo), max(r.hi, x.hi) // one with it
			continue
		}
		if x.lo < r.lo {
			mine = append(mine, record{x.lo, min(x.hi, r.lo-1), x.kind, x.owner})
		}
		if x.hi > r.hi {
			mine = append(mine, record{max(x.lo, r.hi+1), x.hi, x.kind, x.owner})
		}
	}
	if r.kind != syscall.F_UNLCK {
		k := 0
		for k < len(mine) && mine[k].lo < r.lo {
			k++
		}
		mine = append(mine[:k], append([]record{r}, mine[k:]...)...)
	}
	if place < 0 {
		place = len(list)
	}
	n.list = append(list[:place:place], append(mine, list[place:]...)...)
}

func (n *nodeRecords) tidy(of fs.Node) {
	if len(n.list) == 0 && n.waiting == 0 {
		delete(records.of, of)
		recorded.Add(-1)
	}
}

// unrecord gives up what a description that ends holds, and what the process does: that is lost when any description of the file is closed.
func unrecord(o *at) {
	records.Lock()
	defer records.Unlock()
	n := records.of[o.p.Node]
	if n == nil {
		return
	}
	for _, owner := range []*at{o, nil} {
		n.set(record{0, fs.MaxSize, syscall.F_UNLCK, owner})
	}
	n.freed.WakeAll()
	n.tidy(o.p.Node)
}
