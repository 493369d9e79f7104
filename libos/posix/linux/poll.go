package linux

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// A pollFD is struct pollfd.
type pollFD struct {
	fd      int32
	events  int16
	revents int16
}

// A pollWatch is the watch of one descriptor for the length of one poll.
type pollWatch struct {
	watch posix.Watch
	list  *posix.Watchers
	want  posix.Events
	p     *park.Parker
}

// Notify implements Watcher.
func (w *pollWatch) Notify(ev posix.Events) bool {
	if ev&w.want == 0 {
		return false
	}
	w.p.Wake()
	return true
}

// pollWait is poll(2): it waits until one of fds is ready, or until uptime deadline.
func pollWait(fds []pollFD, deadline int64) int {
	files := make([]*posix.File, len(fds))
	for i := range fds {
		if fds[i].fd >= 0 {
			files[i] = posix.Get(int(fds[i].fd))
		}
	}
	n := pollScan(fds, files)
	if n == 0 && deadline != 0 {
		n = pollSleep(fds, files, deadline)
	}
	for _, f := range files {
		if f != nil {
			f.Put()
		}
	}
	return n
}

func pollSleep(fds []pollFD, files []*posix.File, deadline int64) (n int) {
	p := new(park.Parker)
	watches := make([]pollWatch, len(fds))
	for i, f := range files {
		if f == nil {
			continue
		}
		w := &watches[i]
		w.list, w.p = f.Object().Watchers(), p
		if w.list == nil {
			continue
		}
		w.want = posix.Events(uint16(fds[i].events)) | posix.Err | posix.Hup
		w.watch.To = w
		w.list.Add(&w.watch)
	}
	for n = pollScan(fds, files); n == 0 && posix.Uptime() < deadline; n = pollScan(fds, files) {
		parkUntil(p, deadline)
	}
	for i := range watches {
		if w := &watches[i]; w.list != nil {
			w.list.Remove(&w.watch)
		}
	}
	return n
}

// pollScan fills in revents and counts those not zero.
func pollScan(fds []pollFD, files []*posix.File) (n int) {
	for i, f := range files {
		p := &fds[i]
		p.revents = 0
		switch {
		case f != nil:
			p.revents = int16(f.Object().Ready() & (posix.Events(uint16(p.events)) | posix.Err | posix.Hup))
		case p.fd >= 0:
			p.revents = int16(invalid)
		}
		if p.revents != 0 {
			n++
		}
	}
	return n
}

// Conditions that only poll and select know.
const (
	invalid posix.Events = 0x020 // NVAL
	inB     posix.Events = 0x080 // RDBAND
	outB    posix.Events = 0x200 // WRBAND
)

// What select(2) means by readable, writable and exceptional.
const (
	selectIn  = posix.InN | inB | posix.In | posix.Hup | posix.Err
	selectOut = outB | posix.OutN | posix.Out | posix.Err
	selectPri = posix.Pri
)

// selectWait is select(2) over bit sets of n descriptors; absent sets are nil.
func selectWait(n int, sets *[3][]uint64, deadline int64) (int, syscall.Errno) {
	kinds := [3]posix.Events{selectIn, selectOut, selectPri}
	var fds []pollFD
	for fd := range n {
		var want posix.Events
		for k, set := range sets {
			if set != nil && set[fd/64]>>(fd%64)&1 != 0 {
				want |= kinds[k]
			}
		}
		if want == 0 {
			continue
		}
		f := posix.Get(fd)
		if f == nil {
			return -1, syscall.EBADF
		}
		f.Put()
		fds = append(fds, pollFD{fd: int32(fd), events: int16(want)})
	}
	pollWait(fds, deadline)
	for _, set := range sets {
		clear(set)
	}
	count := 0
	for _, p := range fds {
		for k, set := range sets {
			// Err and Hup are always polled for, but count only where they were asked for.
			if set != nil && posix.Events(uint16(p.events))&kinds[k] == kinds[k] && posix.Events(uint16(p.revents))&kinds[k] != 0 {
				set[p.fd/64] |= 1 << (p.fd % 64)
				count++
			}
		}
	}
	return count, 0
}
