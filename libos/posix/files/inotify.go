package files

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// inotify(7). A watch of a folder knows the names in it by inode number, from when it was added on, because a node does not know how it is called.
//
// Not as on Linux: a file with several names in a watched folder is told of by one of them; a file that is removed while it is mapped, and not open, is told of as
// gone at once.

const (
	inEvents     = 0xfff
	inUnmount    = 0x2000
	inOverflow   = 0x4000
	inIgnored    = 0x8000
	inOnlyDir    = 0x01000000
	inDontFollow = 0x02000000
	inExclude    = 0x04000000 // IN_EXCL_UNLINK
	inMaskCreate = 0x10000000
	inMaskAdd    = 0x20000000
	inIsDir      = 0x40000000
	inOneShot    = 0x80000000

	inKnown = inEvents | inUnmount | inOverflow | inIgnored | inOnlyDir | inDontFollow | inExclude | inMaskCreate | inMaskAdd | inIsDir | inOneShot

	inHeader  = 16        // bytes of an event without its name
	inGone    = 1024      // removed names that are remembered
	inWatches = 1<<31 - 1 // watches of an instance, for their numbers are int32

	inQueued = 16384 // events that may wait, as fs.inotify.max_queued_events
)

// watching is all instances, and how many watches there are.
var watching = struct {
	park.Mutex
	all     map[*inotify]bool
	watches int
}{all: map[*inotify]bool{}}

// An inotify is an instance: what a descriptor of inotify_init1 refers to. watching's lock guards its watches, its own the queue.
type inotify struct {
	watches map[int32]*nodeWatch
	last    int32

	mu      park.Mutex
	queue   [][]byte
	readers park.Queue
	watch   posix.Watchers
	closed  atomic.Bool
}

// A nodeWatch is one watch.
type nodeWatch struct {
	wd    int32
	mask  uint32
	p     fs.Place            // with a reference
	names map[uint64][]string // of a folder: the names of each inode in it
	inos  map[string]uint64   // and the other way
	gone  map[uint64]string   // names that were removed: who has such a file open still goes by it
}

// FDInfo is its lines in /proc/self/fdinfo, proc(5), without handles.
func (o *inotify) FDInfo() string {
	watching.Lock()
	defer watching.Unlock()
	var b strings.Builder
	for _, wd := range slices.Sorted(maps.Keys(o.watches)) {
		w := o.watches[wd]
		a := w.p.Attr()
		hex := func(n uint64) string { return strconv.FormatUint(n, 16) }
		b.WriteString("inotify wd:" + hex(uint64(wd)) + " ino:" + hex(a.Ino) + " sdev:" + hex(w.p.Mount.Dev) + " mask:" + hex(uint64(w.mask&inEvents)) + " ignored_mask:0 \n")
	}
	return b.String()
}

func inotifyInit(flags int) (uintptr, syscall.Errno) {
	if flags&^(syscall.O_CLOEXEC|syscall.O_NONBLOCK) != 0 {
		return 0, syscall.EINVAL
	}
	o := &inotify{watches: map[int32]*nodeWatch{}}
	watching.Lock()
	watching.all[o] = true
	watching.Unlock()
	fd, e := posix.Install(o, flags)
	return uintptr(fd), e
}

// inotifyCall serves the calls about inotify.
func inotifyCall(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	f := posix.Get(posix.FD(a[0]))
	if f == nil {
		return 0, syscall.EBADF
	}
	defer f.Put()
	o, ok := f.Object().(*inotify)
	if nr == syscall.SYS_INOTIFY_RM_WATCH {
		if !ok || !o.remove(int32(a[1])) {
			return 0, syscall.EINVAL
		}
		return 0, 0
	}
	mask := uint32(a[2])
	if mask == 0 || mask&^inKnown != 0 || mask&(inMaskAdd|inMaskCreate) == inMaskAdd|inMaskCreate || !ok {
		return 0, syscall.EINVAL
	}
	how := fs.How(0)
	if mask&inDontFollow != 0 {
		how = fs.NoFollow
	}
	wd := int32(0)
	e := withPath(cwdArg, a[1], how, func(p fs.Place) (e syscall.Errno) {
		if _, folder := p.Node.(fs.Dir); mask&inOnlyDir != 0 && !folder {
			return syscall.ENOTDIR
		}
		wd, e = o.add(p, mask)
		return e
	})
	return uintptr(wd), e
}

// add adds a watch, or changes the one that there is.
func (o *inotify) add(p fs.Place, mask uint32) (int32, syscall.Errno) {
	watching.Lock()
	defer watching.Unlock()
	for _, w := range o.watches {
		if w.p == p {
			switch {
			case mask&inMaskCreate != 0:
				return 0, syscall.EEXIST
			case mask&inMaskAdd != 0:
				w.mask |= mask
			default:
				w.mask = mask
			}
			return w.wd, 0
		}
	}
	w := &nodeWatch{mask: mask, p: p.Again()}
	if d, folder := p.Node.(fs.Dir); folder {
		w.names, w.inos = map[uint64][]string{}, map[string]uint64{}
		if e := d.ReadDir(0, func(en *fs.Entry) bool {
			w.have(strings.Clone(en.Name), en.Ino)
			return true
		}); e != 0 && e != syscall.ENOENT {
			w.p.Drop()
			return 0, e
		}
	}
	o.last++
	w.wd = o.last
	o.watches[w.wd] = w
	if watching.watches++; watching.watches == 1 {
		fs.Listen(happened)
	}
	return w.wd, 0
}

// remove ends a watch.
func (o *inotify) remove(wd int32) bool {
	watching.Lock()
	defer watching.Unlock()
	w := o.watches[wd]
	if w == nil {
		return false
	}
	o.end(w)
	return true
}

// end ends a watch. watching's lock is held.
func (o *inotify) end(w *nodeWatch) {
	delete(o.watches, w.wd)
	if watching.watches--; watching.watches == 0 {
		fs.Listen(nil)
	}
	o.push(w.wd, inIgnored, 0, "")
	w.p.Drop()
}

// happened is told of everything, as long as there are watches.
func happened(h fs.Happening) {
	if h.What == fs.HasGone && isOpen(h.Node) {
		return // who closes it last tells
	}
	a := h.Node.Attr()
	bits := h.What
	if a.Type() == syscall.S_IFDIR && h.What != fs.HasGone && h.What != fs.HasMovedItself {
		bits |= inIsDir
	}
	watching.Lock()
	defer watching.Unlock()
	for o := range watching.all {
		for _, w := range o.watches { // who watches the folder is told first
			switch {
			case h.Dir != nil && w.p.Node == h.Dir:
				w.named(h, a.Ino)
				o.tell(w, bits, h.Cookie, h.Name)
			case h.Dir == nil && w.p.Mount == h.Mount:
				if name, ok := w.called(a.Ino); ok {
					o.tell(w, bits, 0, name)
				}
			}
		}
		for _, w := range o.watches {
			if h.Dir != nil || w.p.Node != h.Node {
				continue
			}
			o.tell(w, bits, 0, "")
			if h.What == fs.HasGone && o.watches[w.wd] != nil {
				o.end(w)
			}
		}
	}
}

// isOpen reports whether a descriptor leads to a node. watching's lock is not held.
func isOpen(n fs.Node) bool {
	for fd := range posix.Descriptors() {
		f := posix.Get(fd)
		if f == nil {
			continue
		}
		l, ok := f.Object().(located)
		open := ok && l.place().Node == n
		f.Put()
		if open {
			return true
		}
	}
	return false
}

// called is what an inode is, or was, called in the folder.
func (w *nodeWatch) called(ino uint64) (string, bool) {
	if names := w.names[ino]; len(names) > 0 {
		return names[len(names)-1], true
	}
	name, ok := w.gone[ino]
	return name, ok
}

// named keeps a folder's names.
func (w *nodeWatch) named(h fs.Happening, ino uint64) {
	switch h.What {
	case fs.HasCreated, fs.HasMovedTo, fs.HasLeft:
		w.lose(h.Name, true) // of what was replaced
		w.have(strings.Clone(h.Name), ino)
	case fs.HasDeleted, fs.HasMovedFrom:
		if w.inos[h.Name] == ino {
			w.lose(h.Name, h.What == fs.HasDeleted)
		}
	}
}

// have adds a name.
func (w *nodeWatch) have(name string, ino uint64) {
	w.inos[name] = ino
	w.names[ino] = append(w.names[ino], name)
	delete(w.gone, ino)
}

// lose drops a name, if it is there. With removed, who has what was called so open goes by that name.
func (w *nodeWatch) lose(name string, removed bool) {
	ino, ok := w.inos[name]
	if !ok {
		return
	}
	delete(w.inos, name)
	rest := slices.DeleteFunc(w.names[ino], func(n string) bool { return n == name })
	if w.names[ino] = rest; len(rest) > 0 {
		return
	}
	if delete(w.names, ino); removed && w.mask&inExclude == 0 {
		if w.gone == nil || len(w.gone) == inGone {
			w.gone = map[uint64]string{}
		}
		w.gone[ino] = name
	}
}

// tell gives an event to a watch that wants it. watching's lock is held.
func (o *inotify) tell(w *nodeWatch, bits, cookie uint32, name string) {
	if w.mask&bits&inEvents == 0 {
		return
	}
	o.push(w.wd, bits, cookie, name)
	if w.mask&inOneShot != 0 {
		o.end(w)
	}
}

// push appends an event, unless it is the last one again.
func (o *inotify) push(wd int32, bits, cookie uint32, name string) {
	if o.closed.Load() {
		return
	}
	n := 0
	if name != "" {
		n = (len(name) + 1 + inHeader - 1) / inHeader * inHeader
	}
	b := make([]byte, inHeader+n)
	le := binary.NativeEndian
	le.PutUint32(b, uint32(wd))
	le.PutUint32(b[4:], bits)
	le.PutUint32(b[8:], cookie)
	le.PutUint32(b[12:], uint32(n))
	copy(b[inHeader:], name)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch k := len(o.queue); {
	case k > 0 && string(o.queue[k-1]) == string(b):
		return
	case k > inQueued:
		return
	case k == inQueued:
		b = b[:inHeader]
		clear(b)
		le.PutUint32(b, ^uint32(0))
		le.PutUint32(b[4:], inOverflow)
	}
	o.queue = append(o.queue, b)
	o.readers.Wake()
	o.watch.Notify(posix.In | posix.InN)
}

// Read implements posix.Object: as many events as fit.
func (o *inotify) Read(f *posix.File, p []byte) (n int, e syscall.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queue) == 0 {
		if f.Nonblock() {
			return -1, syscall.EAGAIN
		}
		o.readers.Wait(&o.mu)
	}
	for len(o.queue) > 0 && len(o.queue[0]) <= len(p)-n {
		n += copy(p[n:], o.queue[0])
		o.queue[0] = nil
		o.queue = o.queue[1:]
	}
	if len(o.queue) > 0 {
		o.readers.Wake()
	}
	if n == 0 {
		return -1, syscall.EINVAL
	}
	return n, 0
}

// Write implements posix.Object.
func (*inotify) Write(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EBADF }

// Ready implements posix.Object.
func (o *inotify) Ready() posix.Events {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 {
		return posix.In | posix.InN
	}
	return 0
}

// Watchers implements posix.Object.
func (o *inotify) Watchers() *posix.Watchers { return &o.watch }

// Stat implements posix.Object.
func (*inotify) Stat(st *syscall.Stat_t) { st.Mode, st.Dev = 0o600, 0 }

// Call implements posix.Caller.
func (o *inotify) Call(_ *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	const fionread = 0x541b
	if nr != syscall.SYS_IOCTL || uint32(a[1]) != fionread {
		return 0, 0, false
	}
	n := int32(0)
	o.mu.Lock()
	for _, b := range o.queue {
		n += int32(len(b))
	}
	o.mu.Unlock()
	return 0, user.Put(a[2], &n), true
}

// Release implements posix.Object.
func (o *inotify) Release() {
	o.closed.Store(true)
	watching.Lock()
	defer watching.Unlock()
	for _, w := range o.watches {
		o.end(w)
	}
	delete(watching.all, o)
}

// AnonymousName is what /proc/self/fd calls it; Linux has no brackets here.
func (*inotify) AnonymousName() string { return "inotify" }
