package cffs

import (
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// fallocate(2) with FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE: blocks of a file get other numbers, and stay where they are with the sums that they have. All extents behind the range get other keys, so that
// the time and the memory that it takes grow with their number.

// lastBlock is the highest number that a block of a file may have.
const lastBlock = core.MaxSize / BlockSize

// shift is Allocate for mode FallocCollapse or FallocInsert, whole or not at all, after a crash, too. EINVAL for what is not of whole blocks, for a range to be taken out that the file does not go on behind, and for one
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
	list, err := x.movable(a)
	if err != nil {
		return errno(err)
	}
	if insert && x.beyond(list, lastBlock-k) {
		return syscall.EFBIG // of space that was set aside behind the end
	}
	// From here on nothing fails, and nothing is committed before all is done.
	for i := range x.hints {
		x.hints[i].Store(nil)
	}
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

// movable gives the extents that end at or behind block a, and sees to it, if need be by a commit, that all of them can be moved: each can be read, and there is room for the nodes that change. mu is held.
func (x *File) movable(a uint64) (list []extent, err error) {
	f := x.fs
	from, end := keyNumber(x.rec.ino, kindExtent, a), key(x.rec.ino, kindExtent+1)
	for {
		list = list[:0]
		bytes, bad := 0, false
		nodes, err := f.t.nodes(from, end)
		if err != nil {
			return nil, err
		}
		err = f.t.scan(from, func(k, v []byte) bool {
			if len(k) != 17 || string(k[:9]) != string(from[:9]) {
				return false
			}
			e, ok := f.extent(k, v)
			list = append(list, e)
			bytes += 4 + len(k) + len(v)
			bad = !ok
			return ok
		})
		if err == nil && bad {
			err = errDamaged
		}
		if err != nil {
			return nil, err
		}
		// The nodes that change, and those of the new items, of which a split leaves each a third full at least.
		leaves := 1 + 3*bytes/nodeRoom
		gen := f.sb.gen
		if err := f.room(nodes+leaves+leaves/8+perName*f.t.height(), false); err != nil {
			return nil, err
		}
		if f.sb.gen == gen {
			return list, nil
		}
		// A commit has given pages that waited their places: there are other extents now.
	}
}

// beyond says whether the file has blocks behind a number. list are its last extents. mu is held.
func (x *File) beyond(list []extent, most uint64) bool {
	for i := range x.dirs {
		if i > most {
			return true
		}
	}
	return len(list) > 0 && list[len(list)-1].last > most
}

// part is the blocks of an extent from one number to another, both included.
func (e extent) part(lo, hi uint64) extent {
	first := e.first()
	return extent{last: hi, block: e.block + lo - first, sums: e.sums[lo-first : hi-first+1]}
}

// place puts an extent into the tree, whose way there was read before. mu is held.
func (x *File) place(e extent) {
	x.fs.must(x.fs.t.put(keyNumber(x.rec.ino, kindExtent, e.last), e.encode()))
}

// renumber gives the dirty pages from block a on numbers that are greater by k, modulo 2^64. mu is held.
func (x *File) renumber(a, k uint64) {
	var dirs map[uint64]page
	if len(x.dirs) > 0 {
		dirs = make(map[uint64]page, len(x.dirs))
	}
	for i, p := range x.dirs {
		if i >= a {
			i += k
		}
		dirs[i] = p
	}
	x.dirs = dirs
	x.fs.owed += perRun * x.fs.t.height() // a row of pages may be two now
}
