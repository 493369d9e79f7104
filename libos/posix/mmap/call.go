package mmap

import (
	"slices"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/files"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
	_ "github.com/hardtack-os/hardtack/libos/posix/linux" // whose calls on addresses come after ours
)

var before posix.Server

func init() {
	fs.SetMapper(mapper{})
	files.Map = mapFile
	files.Maps, files.SMaps = maps, smaps
	files.Mapped = frames.mapped
	files.MappedFaults = faulted.Load
	files.Storable = storable
	before = posix.Extend(serve)
	posix.Anonymous = anonymous
}

// mmap(2), mremap(2), msync(2), madvise(2).
const (
	protRead, protWrite, protExec = 1, 2, 4

	mapShared, mapPrivate, mapValidate = 1, 2, 3
	mapTypes                           = 0xf
	mapFixed, mapFixedNoReplace        = 0x10, 0x100000
	mapLocked, mapPopulate             = 0x2000, 0x8000
	mapKnown                           = mapTypes | mapFixed | 0x40 | 0x20 | 0x100 | 0x800 | 0x1000 | mapLocked | 0x4000 | mapPopulate | 0x10000 | 0x20000 | mapFixedNoReplace

	remapMayMove = 1
	remapKnown   = 7

	msAsync, msInvalidate, msSync = 1, 2, 4

	lockOnFault                         = 1       // MLOCK_ONFAULT
	lockCurrent, lockFuture, lockLazily = 1, 2, 4 // MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT
	sysMlock2                           = 325

	mostBytes = 1 << 40 // of one mapping: what exo.TakePages gives

	adviseWillNeed      = 3
	adviseDontNeed      = 4
	adviseRemove        = 9
	advisePopulateRead  = 22
	advisePopulateWrite = 23
)

func protOf(prot uintptr) exo.Prot {
	switch {
	case prot&protWrite != 0:
		return exo.ProtWrite
	case prot&protRead != 0:
		return exo.ProtRead
	}
	return exo.ProtNone
}

// mapFile is mmap(2) of a file.
func mapFile(f fs.File, open uint32, a [6]uintptr) (uintptr, syscall.Errno) {
	size, prot, flags, off := a[1], a[2], uint32(a[3]), int64(a[5])
	if _, ok := f.(fs.Opener); ok {
		return 0, syscall.ENODEV
	}
	kind := flags & mapTypes
	mode := open & syscall.O_ACCMODE
	pages := int64(size/exo.PageSize + min(size%exo.PageSize, 1))
	switch {
	case off%exo.PageSize != 0 || size == 0 || kind == 0 || kind > mapValidate:
		return 0, syscall.EINVAL
	case size > mostBytes:
		return 0, syscall.ENOMEM
	case off < 0 || off/exo.PageSize+pages > 1<<51:
		return 0, syscall.EOVERFLOW
	case kind == mapValidate && flags&^mapKnown != 0:
		return 0, syscall.EOPNOTSUPP
	case mode == syscall.O_WRONLY, kind != mapPrivate && prot&protWrite != 0 && mode == syscall.O_RDONLY:
		return 0, syscall.EACCES
	case prot&protExec != 0:
		return 0, syscall.EPERM
	}
	at := flags&(mapFixed|mapFixedNoReplace) != 0
	if at {
		placed.Lock() // until the view is known: nobody unmaps its addresses as if they were no file's
	}
	p, e := take(a[0], int(pages), flags)
	if e != 0 {
		if at {
			placed.Unlock()
		}
		return 0, e
	}
	o := objectOf(f)
	o.mu.Lock()
	defer o.mu.Unlock()
	v := o.view(p, off/exo.PageSize, kind != mapPrivate, mode == syscall.O_RDWR, []span{{0, int(pages), protOf(prot)}})
	if at {
		placed.Unlock()
	}
	v.populate(0, v.n())
	if lockNew.Load() || flags&mapLocked != 0 {
		v.lock(0, v.n(), true)
	}
	if flags&(mapPopulate|mapLocked) != 0 {
		v.bringAll(0, v.n(), kind == mapPrivate && prot&protWrite != 0) // copies, too
	}
	return v.lo, 0
}

// storable says whether a file is mapped shared by a descriptor that was open for writing: mprotect may let that be stored to at any time.
func storable(f fs.File) bool {
	table.mu.Lock()
	defer table.mu.Unlock()
	return slices.ContainsFunc(table.views, func(v *view) bool { return v.shared && v.may && v.o.raw == f })
}

// take gives addresses for a view. placed is locked where the flags name them.
func take(at uintptr, pages int, flags uint32) (p *exo.Pages, e syscall.Errno) {
	var err error
	if flags&(mapFixed|mapFixedNoReplace) != 0 {
		e = fixed(stretch{at, at + uintptr(pages)*exo.PageSize}, uintptr(flags), func(replace bool) bool {
			p, err = exo.TakePagesAt("mmap", at, pages, replace)
			return err == nil
		})
		return p, e
	}
	if p, err = exo.TakePages("mmap", pages); err != nil {
		return nil, syscall.ENOMEM
	}
	return p, 0
}

// view makes a view. It takes over a use of the object. mu is held.
func (o *object) view(p *exo.Pages, first int64, shared, may bool, spans []span) *view {
	v := &view{o: o, pages: p, lo: user.Address(p.Bytes()), first: first, shared: shared, may: may}
	v.spans.Store(&spans)
	p.Handle(v.handle)
	p.Pager(v.fault)
	o.views = append(o.views, v)
	table.mu.Lock()
	table.views = append(table.views, v)
	table.mu.Unlock()
	if slices.ContainsFunc(spans, func(s span) bool { return s.prot == exo.ProtWrite }) {
		v.enable()
	}
	return v
}

// close ends a view of which nothing is mapped any more. o.mu is held, and let go of.
func (v *view) close() {
	v.leaveAll()
	v.end()
}

// leaveAll has nobody find a view any more; end gives its addresses back. mu is held, and let go of by end.
func (v *view) leaveAll() {
	o := v.o
	v.closed = true
	for i, x := range o.views {
		if x == v {
			o.views = append(o.views[:i], o.views[i+1:]...)
			break
		}
	}
	table.mu.Lock()
	for i, x := range table.views {
		if x == v {
			table.views = append(table.views[:i], table.views[i+1:]...)
			break
		}
	}
	table.mu.Unlock()
}

// end is described at leaveAll.
func (v *view) end() {
	o := v.o
	v.pages.Release() // which says so where somebody has its addresses already
	if len(o.views) == 0 {
		for i := range o.pages {
			if !o.dirty[i] {
				o.drop(i)
			}
		}
	}
	o.settle()
	o.done()
}

// serve serves the calls on addresses, where they are a view's.
func serve(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	if nr == syscall.SYS_MUNMAP || nr == syscall.SYS_MREMAP {
		placed.Lock() // so that what is unmapped and what is known of it are the same, whoever maps
		defer placed.Unlock()
	}
	switch nr {
	case syscall.SYS_MUNMAP, syscall.SYS_MPROTECT, syscall.SYS_MADVISE, syscall.SYS_MSYNC, syscall.SYS_MREMAP:
		if a[1] > 1<<47 || a[0]%exo.PageSize != 0 || a[1] == 0 {
			break
		}
		list := within(a[0], a[1])
		if len(list) == 0 {
			break
		}
		if nr == syscall.SYS_MREMAP {
			return list[0].remap(a)
		}
		for _, v := range list {
			if e := v.call(nr, a); e != 0 {
				return 0, e
			}
		}
		switch nr {
		case syscall.SYS_MSYNC:
			return 0, 0
		case syscall.SYS_MPROTECT, syscall.SYS_MADVISE:
			placed.Lock()
			defer placed.Unlock()
		}
		return 0, beside(nr, a)
	}
	if nr == syscall.SYS_MUNMAP && before != nil {
		r, e := before(nr, a)
		if e == 0 {
			unplaced(a[0], a[1])
		}
		return r, e
	}
	switch nr {
	case syscall.SYS_MINCORE:
		return 0, mincore(a[0], a[1], a[2])
	case syscall.SYS_MLOCK, syscall.SYS_MUNLOCK, sysMlock2:
		return 0, lock(nr, a)
	case syscall.SYS_MLOCKALL, syscall.SYS_MUNLOCKALL:
		return 0, lockAll(nr, a[0])
	case syscall.SYS_MSYNC: // of other memory
		if a[0]%exo.PageSize != 0 || badSync(a[2]) {
			return 0, syscall.EINVAL
		}
		return 0, 0
	}
	if before != nil {
		return before(nr, a)
	}
	return 0, syscall.ENOSYS
}

func badSync(flags uintptr) bool {
	return flags&^(msAsync|msInvalidate|msSync) != 0 || flags&(msAsync|msSync) == msAsync|msSync
}

// call does a call to those pages of a view that it names.
func (v *view) call(nr uintptr, a [6]uintptr) syscall.Errno {
	lo, hi := v.clip(a[0], a[1])
	o := v.o
	o.mu.Lock()
	if v.closed {
		o.mu.Unlock()
		return 0
	}
	i, j := v.first+int64(lo), v.first+int64(hi)
	if nr == syscall.SYS_MUNMAP {
		v.unmap(lo, hi)
		if v.writes() {
			o.writeBack(i, j) // what cannot be is tried again
		}
		if len(*v.spans.Load()) == 0 {
			v.close()
			return 0
		}
		o.settle()
		return 0
	}
	defer o.mu.Unlock()
	if !v.mapped(lo, hi) {
		return syscall.ENOMEM
	}
	switch nr {
	case syscall.SYS_MPROTECT:
		return v.protect(lo, hi, a[2])
	case syscall.SYS_MADVISE:
		if a[2] > 25 && a[2] != 100 && a[2] != 101 {
			return syscall.EINVAL
		}
		switch a[2] {
		case adviseRemove:
			return syscall.EOPNOTSUPP
		case adviseDontNeed:
			for p := range v.own {
				if p >= lo && p < hi {
					v.forget(p)
				}
			}
		case adviseWillNeed:
			v.bringAll(lo, hi, false)
		case advisePopulateRead, advisePopulateWrite:
			o.use()
			o.mu.Unlock()
			e := v.touch(lo, hi, a[2] == advisePopulateWrite)
			o.done()
			o.mu.Lock()
			return e
		}
		return 0
	}
	if badSync(a[2]) {
		return syscall.EINVAL
	}
	if a[2]&msSync == 0 || !v.shared || !v.may {
		return 0
	}
	if e := o.writeBack(i, j); e != 0 {
		return e
	}
	o.use()
	o.mu.Unlock()
	e := o.raw.Sync(true)
	o.done()
	o.mu.Lock()
	return e
}

// protect is mprotect(2). o.mu is held.
func (v *view) protect(lo, hi int, prot uintptr) syscall.Errno {
	switch {
	case prot&^(protRead|protWrite|protExec) != 0:
		return syscall.EINVAL
	case prot&protExec != 0, prot&protWrite != 0 && v.shared && !v.may:
		return syscall.EACCES
	}
	p := protOf(prot)
	if v.set(lo, hi, p, false); p == exo.ProtWrite {
		v.enable()
	}
	for page := lo; page < hi; page++ {
		q := exo.Query(page)
		if !v.apply(&q) {
			continue
		}
		to := min(p, exo.ProtRead) // more comes by a fault, which knows whether it may
		if q.Prot() == exo.ProtWrite || v.own[page] != nil || v.shared && v.o.real(v.first+int64(page)) {
			to = p
		}
		op := exo.Protect(page, to)
		v.apply(&op)
	}
	if p != exo.ProtNone {
		v.populate(lo, hi)
	}
	return 0
}

// real says whether the file has allocated a page that is in memory. mu is held.
func (o *object) real(i int64) bool { return o.pages[i] != nil && o.pages[i].real }

// remap is mremap(2) of a whole view.
func (v *view) remap(a [6]uintptr) (uintptr, syscall.Errno) {
	const most = 1 << 47
	size := (a[2] + exo.PageSize - 1) / exo.PageSize
	old := int((a[1] + exo.PageSize - 1) / exo.PageSize)
	o := v.o
	o.mu.Lock()
	switch {
	case a[3]&^remapKnown != 0 || size == 0 || a[2] > most:
		o.mu.Unlock()
		return 0, syscall.EINVAL
	case v.closed || a[0] != v.lo || old > v.n() || !v.mapped(0, old):
		o.mu.Unlock()
		return 0, syscall.EFAULT
	case int(size) <= old:
		o.mu.Unlock()
		if int(size) < old {
			return a[0], v.call(syscall.SYS_MUNMAP, [6]uintptr{a[0] + size*exo.PageSize, (uintptr(old) - size) * exo.PageSize})
		}
		return a[0], 0
	case a[3] != remapMayMove:
		o.mu.Unlock()
		return 0, syscall.ENOMEM
	}
	spans := append([]span(nil), *v.spans.Load()...)
	if spans[len(spans)-1].hi != old { // only a part of it
		o.mu.Unlock()
		return 0, syscall.EINVAL
	}
	spans[len(spans)-1].hi = int(size)
	p, e := take(0, int(size), 0)
	if e != 0 {
		o.mu.Unlock()
		return 0, e
	}
	o.use()
	w := o.view(p, v.first, v.shared, v.may, spans)
	w.locks = slices.Clone(v.locks)
	if w.locked(old - 1) {
		w.lock(old, w.n(), true) // what is new of it, too
	}
	w.own, v.own = v.own, nil
	for p := range w.own { // they are not the old view's to write back
		op := exo.Unmap(p)
		v.apply(&op)
	}
	v.unmap(0, v.n())
	for p := range w.own {
		w.bringIn(p, false)
	}
	w.populate(0, w.n())
	v.close()
	return w.lo, 0
}
