package cffs

import (
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// fallocate(2) with FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE: blocks of a file get other numbers, and stay where they are with the sums that they have. All extents behind the range get other keys, so that
// the time that it takes grows with their number; the memory does not beyond what the tree may have. Rejected: a note in the tree of what is to be done, which a mount finishes. It would be a feature that one must know to
// read, for what Linux's filesystems do not promise, either.

// lastBlock is the highest number that a block of a file may have.
const lastBlock = core.MaxSize / BlockSize

// shift is Allocate for mode FallocCollapse or FallocInsert. Where its nodes of the tree may wait for one commit, which is so of files of some GiB, it is done whole or not at all, after a crash, too. A larger one is refused
// before anything is changed, or done in steps; see shiftLarge. EINVAL for what is not of whole blocks, for a range to be taken out that the file does not go on behind, and for one
// to be put in that does not begin inside of the file; EFBIG; ENOSPC where there is no room for the nodes of the tree.
func (x *File) shift(mode uint32, off, n int64) core.Errno {
	if mode != core.FallocCollapse && mode != core.FallocInsert || off%BlockSize != 0 || n%BlockSize != 0 {
		return syscall.EINVAL
	}
	f := x.fs
	if e := f.begin(perName, false); e != 0 {
		return e
	}
	defer f.unlock()
	size := int64(x.rec.size)
	insert := mode == core.FallocInsert
	switch {
	case insert && n > core.MaxSize-size:
		return syscall.EFBIG
	case insert && off >= size, !insert && n >= size-off:
		return syscall.EINVAL
	}
	a, k := uint64(off)/BlockSize, uint64(n)/BlockSize
	m, err := x.movable(a)
	if err != nil {
		return errno(err)
	}
	if insert && x.beyond(m.last, lastBlock-k) {
		return syscall.EFBIG // of space that was set aside behind the end
	}
	if m.blocks > f.waits {
		return x.shiftLarge(insert, a, k, m)
	}
	list, err := x.extentsOf(a, m.last)
	if err == nil {
		err = x.before(a)
	}
	if err != nil {
		return errno(err)
	}
	// From here on nothing fails, and nothing is committed before all is done.
	x.unhint()
	for _, e := range list {
		f.must(f.t.remove(keyNumber(x.rec.ino, kindExtent, e.last)))
	}
	for _, e := range list {
		if first := e.first(); first < a {
			x.place(e.part(first, a-1))
		}
		if insert {
			e = e.part(max(e.first(), a), e.last)
			e.last += k
			x.place(e)
			continue
		}
		if lo, hi := max(e.first(), a), min(e.last, a+k-1); lo <= hi {
			f.al.giveUp(span{e.part(lo, hi).block, hi - lo + 1})
			x.rec.blocks -= hi - lo + 1
		}
		if e.last >= a+k {
			e = e.part(max(e.first(), a+k), e.last)
			e.last -= k
			x.place(e)
		}
	}
	if insert {
		x.renumber(a, k)
		x.rec.size += uint64(n)
	} else {
		x.drop(a, a+k-1)
		x.renumber(a, -k)
		x.rec.size -= uint64(n)
	}
	f.touch(&x.inode, true)
	return 0
}

// shiftLarge is shift for a file of which more nodes of the tree change than may wait for a commit. It makes a hole where blocks are taken out, and moves that to the end of the file, or one from the end to where blocks
// are put in, by one commit after the other. Nobody sees the file meanwhile. After a crash the hole may lie anywhere between, where ext4 and XFS leave it, too: no byte of the file is lost, and its size is the larger one. So it
// is after an error of the disk. mu is held.
func (x *File) shiftLarge(insert bool, a, k uint64, m moving) core.Errno {
	f := x.fs
	f.alone = true // what waits for the device here keeps mu
	defer func() { f.alone = false }()
	if e := errno(f.commit()); e != 0 { // pages that wait get places, and are extents then
		return e
	}
	x.unhint()
	m, err := x.movable(a)
	if err != nil {
		return errno(err)
	}
	if insert {
		e, err := f.extentAt(x.rec.ino, a)
		if err == nil {
			err = x.before(a)
		}
		if err != nil {
			return errno(err)
		}
		if e != nil && e.first() < a {
			f.must(f.t.remove(keyNumber(x.rec.ino, kindExtent, e.last)))
			x.place(e.part(e.first(), a-1))
			x.place(e.part(a, e.last))
		}
		x.rec.size += k * BlockSize
		f.touch(&x.inode, true)
		for i := len(m.steps) - 1; i >= 0; i-- {
			from := a
			if i > 0 {
				from = m.steps[i-1] + 1
			}
			if e := x.step(from, m.steps[i], k); e != 0 {
				return e
			}
		}
		return 0
	}
	if e := x.empty(a, a+k-1); e != 0 {
		return e
	}
	from := a + k
	for _, last := range m.steps {
		if last < from {
			continue
		}
		if e := x.step(from, last, -k); e != 0 {
			return e
		}
		from = last + 1
	}
	x.rec.size -= k * BlockSize
	f.touch(&x.inode, true)
	return errno(f.commit())
}

// empty makes a hole of the blocks from a to b, both included, with a commit wherever much has changed. No page of the file waits. mu is held.
func (x *File) empty(a, b uint64) core.Errno {
	const atOnce = 1 << 17 // blocks: as many as there can be extents in them are in memory
	f := x.fs
	for a <= b {
		e, err := f.extentAt(x.rec.ino, a)
		if err != nil {
			return errno(err)
		}
		if e == nil || e.first() > b {
			return 0
		}
		a = max(a, e.first())
		to := min(b, a+atOnce-1)
		if err := f.room(perName*f.t.height(), true); err != nil {
			return errno(err)
		}
		if err := x.extents(a, to); err != nil {
			return errno(err)
		}
		f.must(f.cut(&x.inode, a, to))
		f.touch(&x.inode, true)
		f.t.trim(f.sb.gen)
		a = to + 1
	}
	return 0
}

// before reads the way in the tree to where an extent that ends before block a is put. mu is held.
func (x *File) before(a uint64) error {
	if a == 0 {
		return nil
	}
	_, err := x.fs.t.get(keyNumber(x.rec.ino, kindExtent, a-1))
	return err
}

// step gives the extents that lie from one block to another, both included, numbers that are greater by k, modulo 2^64, which no other extents have, and commits. mu is held.
func (x *File) step(from, last, k uint64) core.Errno {
	f := x.fs
	list, err := x.extentsOf(from, last)
	if err != nil || len(list) == 0 {
		return errno(err)
	}
	bytes := 0
	for _, e := range list {
		bytes += e.cost()
	}
	end := list[len(list)-1].last
	there, err := f.t.nodes(keyNumber(x.rec.ino, kindExtent, from), keyNumber(x.rec.ino, kindExtent, end+1))
	if err != nil {
		return errno(err)
	}
	// The way to where they go: what lies there is next to them in the tree.
	if _, err := f.t.nodes(keyNumber(x.rec.ino, kindExtent, list[0].last+k), keyNumber(x.rec.ino, kindExtent, end+k+1)); err != nil {
		return errno(err)
	}
	if err := f.room(there+moved(bytes)+perName*f.t.height(), false); err != nil {
		return errno(err) // movable saw that there is
	}
	for _, e := range list {
		f.must(f.t.remove(keyNumber(x.rec.ino, kindExtent, e.last)))
	}
	for _, e := range list {
		e.last += k
		x.place(e)
	}
	f.changed()
	return errno(f.commit())
}

// A moving is what a shift has to move.
type moving struct {
	blocks int      // of the tree that it changes, at most
	last   uint64   // the last block that an extent has; 0: there is none
	steps  []uint64 // the last block of as many extents as are moved by one commit, one such after the other
}

// moved is how many nodes hold so many bytes of items that were moved, at most: a split leaves each a third full at least.
func moved(bytes int) int {
	leaves := 1 + 3*bytes/nodeRoom
	return leaves + leaves/8
}

// cost is how many bytes an extent takes in the tree.
func (e *extent) cost() int { return 4 + 17 + 8 + 4*len(e.sums) }

// movable looks at the extents that end at or behind block a, and sees to it, if need be by a commit, that all of them can be moved: each can be read, and there is room for the nodes that change. What it reads of the tree
// does not stay in memory beyond what may. mu is held.
func (x *File) movable(a uint64) (m moving, err error) {
	f := x.fs
	perStep := max(f.waits/4, 1) // extents that are moved by one commit, where one does not do for all
	for {
		m = moving{}
		bytes := 0
		for from := a; ; from = m.last + 1 {
			count := 0
			err := x.eachExtent(from, func(e extent) bool {
				m.last = e.last
				bytes += e.cost()
				count++
				return count < perStep
			})
			if err != nil {
				return m, err
			}
			if count > 0 {
				m.steps = append(m.steps, m.last)
			}
			nodes, err := f.t.nodes(keyNumber(x.rec.ino, kindExtent, from), keyNumber(x.rec.ino, kindExtent, m.last+1))
			if err != nil {
				return m, err
			}
			m.blocks += nodes
			if count < perStep {
				break
			}
			f.t.trim(f.sb.gen)
		}
		m.blocks += moved(bytes)
		gen := f.sb.gen
		if err := f.room(m.blocks+perName*f.t.height(), false); err != nil {
			return m, err
		}
		if f.sb.gen == gen {
			return m, nil
		}
		// A commit has given pages that waited their places: there are other extents now.
	}
}

// eachExtent calls do for the extents that end at or behind a block, in their order, until it returns false. mu is held, for reading at least.
func (x *File) eachExtent(a uint64, do func(e extent) bool) error {
	f := x.fs
	from := keyNumber(x.rec.ino, kindExtent, a)
	bad := false
	err := f.t.scan(from, func(k, v []byte) bool {
		if len(k) != 17 || string(k[:9]) != string(from[:9]) {
			return false
		}
		e, ok := f.extent(k, v)
		bad = !ok
		return ok && do(e)
	})
	if err == nil && bad {
		err = errDamaged
	}
	return err
}

// extentsOf gives the extents that end from block a to block last, both included. mu is held, for reading at least.
func (x *File) extentsOf(a, last uint64) (list []extent, err error) {
	err = x.eachExtent(a, func(e extent) bool {
		if e.last > last {
			return false
		}
		list = append(list, e)
		return true
	})
	return list, err
}

// unhint forgets the extents that were used last. mu is held.
func (x *File) unhint() {
	for i := range x.hints {
		x.hints[i].Store(nil)
	}
}

// beyond says whether the file has blocks behind a number. last is the last one that an extent has. mu is held.
func (x *File) beyond(last, most uint64) bool {
	if x.dirs.n > 0 && x.dirs.last() > most {
		return true
	}
	return last > most
}

// part is the blocks of an extent from one number to another, both included.
func (e extent) part(lo, hi uint64) extent {
	first := e.first()
	return extent{last: hi, block: e.block + lo - first, sums: e.sums[lo-first : hi-first+1]}
}

// place puts an extent into the tree, whose way there was read before. mu is held.
func (x *File) place(e extent) {
	x.bare = span{}
	x.fs.must(x.fs.t.put(keyNumber(x.rec.ino, kindExtent, e.last), e.encode()))
}

// renumber gives the dirty pages from block a on numbers that are greater by k, modulo 2^64. mu is held.
func (x *File) renumber(a, k uint64) {
	var dirs dirties
	for i, p := range x.dirs.all() {
		if i >= a {
			i += k
		}
		dirs.put(i, p)
	}
	x.dirs = dirs
	x.fs.owed += perRun * x.fs.t.height() // a row of pages may be two now
}
