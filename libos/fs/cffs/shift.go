package cffs

import (
	"bytes"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// fallocate(2) with FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE: blocks of a file get other numbers, and stay where they are with the sums that they have. All extents behind the range get other keys, in the order
// that they have, so that they stay in the nodes of the tree that they are in, and it does not grow. The time that it takes grows with their number; the memory does not beyond what the tree may have. Rejected: to take
// them out and put them in, which may leave nodes half full and needs room for that; and a note in the tree of what is to be done, which a mount finishes. It would be a feature that one must know to read, for what Linux's filesystems do not promise, either.

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
		return x.shiftLarge(insert, a, k)
	}
	if _, err := x.way(a, m.last, k); err != nil {
		return errno(err)
	}
	// From here on nothing fails, and nothing is committed before all is done.
	x.unhint()
	if insert {
		f.must(x.split(a))
		x.move(a, m.last, k)
		x.renumber(a, k)
		x.rec.size += uint64(n)
	} else {
		x.drop(a, a+k-1)
		f.must(f.cut(&x.inode, a, a+k-1))
		x.move(a+k, m.last, -k)
		x.renumber(a, -k)
		x.rec.size -= uint64(n)
	}
	f.touch(&x.inode, true)
	return 0
}

// shiftLarge is shift for a file of which more nodes of the tree change than may wait for a commit. It makes a hole where blocks are taken out, and moves that to the end of the file, or one from the end to where blocks
// are put in, by one commit after the other. Nobody sees the file meanwhile: who reads it waits, and its attributes are what they were. Others are read, but while a step changes what is in memory; changes wait for the last
// step. After a crash the hole may lie anywhere between, where ext4 and XFS leave it, too: no byte of the file is lost, and its size is the larger one. So it is after an error of the disk. mu is held.
func (x *File) shiftLarge(insert bool, a, k uint64) core.Errno {
	f := x.fs
	x.moves = &moves{attr: x.attr(), done: make(chan struct{})}
	defer func() {
		close(x.moves.done)
		x.moves = nil
	}()
	if e := errno(f.commit()); e != 0 { // pages that wait get places, and are extents then
		return e
	}
	x.unhint()
	m, err := x.movable(a)
	if err != nil {
		return errno(err)
	}
	if insert {
		if err := x.split(a); err != nil {
			return errno(err)
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
	if err := x.stored(); err != nil {
		return errno(err)
	}
	x.rec.size -= k * BlockSize
	f.touch(&x.inode, true)
	return errno(f.commit())
}

// empty makes a hole of the blocks from a to b, both included, with a commit wherever much has changed. No page of the file waits. Others may read in between. mu is held.
func (x *File) empty(a, b uint64) core.Errno {
	const atOnce = 1 << 14 // blocks: as many as there can be extents in them are in memory
	f := x.fs
	for a <= b {
		var e *extent
		to := b
		if err := f.reading(func() (err error) {
			if e, err = f.extentAt(x.rec.ino, a); err != nil || e == nil || e.first() > b {
				return err
			}
			a = max(a, e.first())
			to = min(b, a+atOnce-1)
			return x.extents(a, to)
		}); err != nil {
			return errno(err)
		}
		if e == nil || e.first() > b {
			return 0
		}
		if err := f.room(perName*f.t.height(), true); err != nil {
			return errno(err)
		}
		if err := x.extents(a, to); err != nil { // again, where room let go of it
			return errno(err)
		}
		if err := x.stored(); err != nil {
			return errno(err)
		}
		f.must(f.cut(&x.inode, a, to))
		f.touch(&x.inode, true)
		f.t.trim(f.sb.gen)
		a = to + 1
	}
	return 0
}

// step gives the extents that lie from one block to another, both included, numbers that are greater by k, modulo 2^64, which no other extents have, and commits. Others may read in between. mu is held.
func (x *File) step(from, last, k uint64) core.Errno {
	f := x.fs
	nodes := 0
	if err := f.reading(func() (err error) { nodes, err = x.way(from, last, k); return err }); err != nil {
		return errno(err)
	}
	if err := f.room(nodes, false); err != nil {
		return errno(err) // movable saw that there is
	}
	if _, err := x.way(from, last, k); err != nil { // again, where room let go of it
		return errno(err)
	}
	if err := x.stored(); err != nil {
		return errno(err)
	}
	x.move(from, last, k)
	f.changed()
	return errno(f.commit())
}

// stored reads the way to where a commit puts the record. mu is held.
func (x *File) stored() error {
	k := x.home
	if k == nil {
		k = key(x.rec.ino, kindRecord)
	}
	_, err := x.fs.t.get(k)
	return err
}

// way reads the nodes of the tree that move looks at, and those next to them, and says how many there are. mu is held, for reading at least.
func (x *File) way(from, last, k uint64) (nodes int, err error) {
	lo, hi := min(from, from+k), max(last, last+k)+1
	return x.fs.t.nodes(keyNumber(x.rec.ino, kindExtent, lo-min(lo, 1)), keyNumber(x.rec.ino, kindExtent, max(from, hi)+1))
}

// split makes two of the extent that block a lies in, if it is not the first there. On an error nothing has changed. mu is held.
func (x *File) split(a uint64) error {
	f := x.fs
	e, err := f.extentAt(x.rec.ino, a)
	if err != nil || e == nil || e.first() >= a {
		return err
	}
	if _, err := x.way(a, e.last, 0); err != nil {
		return err
	}
	f.must(f.t.remove(keyNumber(x.rec.ino, kindExtent, e.last)))
	x.place(e.part(e.first(), a-1))
	x.place(e.part(a, e.last))
	return nil
}

// move gives the extents that lie from one block to another, both included, numbers that are greater by k, modulo 2^64. No other extents have these numbers, or any between, so that all keys stay in their order. What divides nodes may have
// such a number, of an extent that was there once: it moves to where it divides the same ones. The way was read before. mu is held.
func (x *File) move(from, last, k uint64) {
	if from > last {
		return
	}
	x.bare = span{}
	number := func(n uint64) uint64 {
		switch {
		case from <= n && n <= last:
			return n + k
		case last < n && n <= last+k: // up to where the last goes
			return last + k + 1
		case from+k <= n && n < from: // from where the first goes on
			return from + k
		}
		return n
	}
	lo, hi := keyNumber(x.rec.ino, kindExtent, min(from, from+k)), keyNumber(x.rec.ino, kindExtent, max(last, last+k))
	x.fs.must(x.fs.t.rename(lo, hi, func(key []byte) []byte {
		if len(key) != len(lo) {
			return nil
		}
		return keyNumber(x.rec.ino, kindExtent, number(be.Uint64(key[9:])))
	}))
}

// A moving is what a shift has to move.
type moving struct {
	blocks int      // of the tree that it changes, at most
	most   int      // of them, that one step does
	last   uint64   // the last block that an extent has; 0: there is none
	steps  []uint64 // the last block of as many extents as are moved by one commit, one such after the other
}

// movable looks at the extents that end at or behind block a, and sees to it, if need be by a commit, that all of them can be moved: each can be read, and there is room for the nodes that change, at once or in steps. What it reads of the
// tree does not stay in memory beyond what may. Others may read in between. mu is held.
func (x *File) movable(a uint64) (m moving, err error) {
	f := x.fs
	for {
		if err := f.reading(func() (err error) { m, err = x.survey(a); return err }); err != nil {
			return m, err
		}
		n := m.blocks
		if n > f.waits {
			n = m.most
		}
		gen := f.sb.gen
		// And for what an end of the range adds, and pages that wait, which may be rows of their own then.
		if err := f.room(n+(perName+2*perRun)*f.t.height(), false); err != nil {
			return m, err
		}
		if f.sb.gen == gen {
			return m, nil
		}
		// A commit has given pages that waited their places: there are other extents now.
	}
}

// survey finds the extents that end at or behind block a, and divides them into steps of half as many leaves as there may be changed nodes. errDamaged where one makes no sense, or two have the same block of the file. mu is held, for reading at
// least.
func (x *File) survey(a uint64) (m moving, err error) {
	t := &x.fs.t
	all := key(x.rec.ino, kindExtent)
	from, leaves := a, 0 // of the step
	next := uint64(0)    // behind the last extent
	for k := keyNumber(x.rec.ino, kindExtent, a); bytes.HasPrefix(k, all); {
		n, behind, err := t.leaf(k)
		if err != nil {
			return m, err
		}
		i, _ := n.find(k)
		for old := next; i < len(n.keys) && bytes.HasPrefix(n.keys[i], all); i++ {
			e, ok := x.fs.extent(n.keys[i], n.vals[i])
			if !ok || e.first() < next {
				return m, errDamaged
			}
			if next == old {
				leaves++
			}
			m.last, next = e.last, e.last+1
		}
		end := i < len(n.keys) || behind == nil || !bytes.HasPrefix(behind, all)
		if leaves >= max(x.fs.waits/2, 1) || end && leaves > 0 {
			nodes, err := x.way(from, m.last, 0)
			if err != nil {
				return m, err
			}
			m.steps = append(m.steps, m.last)
			m.blocks += nodes
			m.most = max(m.most, nodes)
			from, leaves = next, 0
			t.trim(x.fs.sb.gen)
		}
		if end {
			break
		}
		k = behind
	}
	return m, nil
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
