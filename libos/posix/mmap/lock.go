package mmap

import (
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// lockNew has what is mapped from now on be locked: MCL_FUTURE.
var lockNew atomic.Bool

// lock is mlock(2), mlock2 and munlock. Pages of files that are locked are brought in and not put out; of other memory nothing ever is.
func lock(nr uintptr, a [6]uintptr) syscall.Errno {
	if nr == sysMlock2 && a[2]&^lockOnFault != 0 {
		return syscall.EINVAL
	}
	lo := a[0] &^ (exo.PageSize - 1)
	n := a[1] + a[0] - lo
	if n = (n + exo.PageSize - 1) &^ (exo.PageSize - 1); lo+n < lo {
		return syscall.EINVAL
	}
	for n > 0 {
		k := min(n, 1024*exo.PageSize)
		if list := within(lo, 1); len(list) == 0 {
			for _, v := range within(lo, k) {
				k = min(k, v.lo-lo)
			}
			if e := lockOther(lo, int(k/exo.PageSize), nr == syscall.SYS_MLOCK || nr == sysMlock2 && a[2] == 0); e != 0 {
				return e
			}
		} else {
			v := list[0]
			first := int((lo - v.lo) / exo.PageSize)
			last := min(first+int(n/exo.PageSize), v.n())
			if e := v.lockPages(first, last, nr != syscall.SYS_MUNLOCK, nr == sysMlock2 && a[2] != 0); e != 0 {
				return e
			}
			k = uintptr(last-first) * exo.PageSize
		}
		lo, n = lo+k, n-k
	}
	return 0
}

// lockOther is lock of memory that is no file's, of 1024 pages at most: those that can be stored to are brought in, if that is asked for.
func lockOther(at uintptr, pages int, bring bool) syscall.Errno {
	if exo.Resident(at, pages, make([]uint64, 16)) != pages {
		return syscall.ENOMEM
	}
	if !bring {
		return 0
	}
	if free, total := exo.CountFrames(); free < uint64(pages)+total/least {
		return syscall.EAGAIN
	}
	const populateWrite = 23 // MADV_POPULATE_WRITE, to the bottom half
	_, e := posix.RawCall(syscall.SYS_MADVISE, [6]uintptr{at, uintptr(pages) * exo.PageSize, populateWrite})
	if e == syscall.ENOMEM {
		e = syscall.EAGAIN
	}
	return e
}

// lockPages locks the pages from lo to hi, and brings them in, if not lazily: as if they were stored to where that would make copies.
func (v *view) lockPages(lo, hi int, on, lazily bool) syscall.Errno {
	v.o.mu.Lock()
	if v.closed || !v.mapped(lo, hi) {
		v.o.mu.Unlock()
		return syscall.ENOMEM
	}
	v.lock(lo, hi, on)
	v.o.use()
	v.o.mu.Unlock()
	defer v.o.done()
	if !on || lazily {
		return 0
	}
	for p := lo; p < hi; p++ {
		prot, _ := v.at(p)
		switch e := v.need(p, !v.shared && prot == exo.ProtWrite, func() {}); e {
		case 0:
		case syscall.ENOMEM:
			return syscall.EAGAIN
		default:
			return syscall.ENOMEM // nothing can be there
		}
	}
	return 0
}

// lockAll is mlockall(2) and munlockall.
func lockAll(nr, flags uintptr) syscall.Errno {
	on := nr == syscall.SYS_MLOCKALL
	if on && (flags&^(lockCurrent|lockFuture|lockLazily) != 0 || flags&(lockCurrent|lockFuture) == 0) {
		return syscall.EINVAL
	}
	lockNew.Store(on && flags&lockFuture != 0)
	if on && flags&lockCurrent == 0 {
		return 0
	}
	table.mu.Lock()
	list := slices.Clone(table.views)
	table.mu.Unlock()
	for _, v := range list {
		for _, s := range *v.spans.Load() {
			v.lockPages(s.lo, s.hi, on, flags&lockLazily != 0) // what can be, as Linux does
		}
	}
	return 0
}
