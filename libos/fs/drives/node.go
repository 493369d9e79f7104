package drives

import (
	"errors"
	"slices"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// An owner is somebody who has claimed bytes [lo, hi) of a disk, or has a node open that they are.
type owner struct {
	lo, hi int64
	name   string // for messages
	volume bool   // they are a filesystem's: nobody else writes them
	alone  bool   // nobody else has them alone
	writes bool
}

// end is where a disk ends, however large it becomes.
const end = 1 << 62

// Claim has a disk that Open gave, or a partition that Partitions gave, belong to a filesystem, as long as it is not released: what programs would write there by its node, or a node of which it is a part, is EBUSY; they may
// read. name is for messages. For another device it does nothing. It does not park.
//
// Error: that somebody has claimed blocks of it, or has opened a node with them to be written or alone.
func Claim(d block.Device, name string) (release func(), err error) {
	all.Lock()
	defer all.Unlock()
	u, p := find(d)
	if u == nil {
		return func() {}, nil
	}
	o := &owner{hi: end, name: name, volume: true, alone: true}
	if p != nil {
		o.lo, o.hi = p.Start(), p.Start()+p.Info().Size
	}
	for _, other := range u.overlap(o.lo, o.hi) {
		if other.alone || other.writes {
			return nil, errors.New(d.Info().Name + " is in use by " + other.name + ": end that use first")
		}
	}
	u.owners = append(u.owners, o)
	return sync.OnceFunc(func() {
		all.Lock()
		defer all.Unlock()
		u.drop(o)
	}), nil
}

// overlap are those who have some of the bytes [lo, hi).
func (u *unit) overlap(lo, hi int64) (list []*owner) {
	for _, o := range u.owners {
		if o.lo < hi && lo < o.hi {
			list = append(list, o)
		}
	}
	return list
}

func (u *unit) drop(o *owner) {
	u.owners = slices.DeleteFunc(u.owners, func(x *owner) bool { return x == o })
}

// A node is a disk or partition that a program has open. Volumes among its bytes are those that were claimed when it was opened: Claim refuses more as long as it is open to be written.
type node struct {
	*owner
	of      *source
	unit    *unit
	part    *block.Partition // nil for all of the disk
	device  block.Device     // part, or the disk
	volumes []*owner
	once    sync.Once
}

// openNode is fs.OpenDisk.
func openNode(rdev uint64, write, exclusive bool) (fs.RawDisk, syscall.Errno) {
	all.Lock()
	defer all.Unlock()
	for _, s := range all.sources {
		for _, u := range s.units {
			for _, d := range u.uses() {
				if fs.Makedev(d.Major, d.Minor) == rdev {
					return s.openNode(u, &d, write, exclusive)
				}
			}
		}
	}
	return nil, syscall.ENXIO
}

// openNode opens a disk, or its partition, that is known as what. A driver that starts may not find the disk, or find another.
func (s *source) openNode(u *unit, what *fs.DiskUse, write, exclusive bool) (fs.RawDisk, syscall.Errno) {
	if s.users == 0 {
		s.start(func(error) {}) // the program is told
	}
	s.users++ // of ours
	if u.disk == nil {
		s.leave()
		return nil, syscall.ENXIO
	}
	n := &node{owner: &owner{hi: end, name: "a program that has /dev/" + what.Name + " open", alone: exclusive, writes: write}, of: s, unit: u, device: u.disk}
	if what.Whole != "" {
		list, err := u.partitions()
		for _, p := range list {
			if p.Number == what.Partition {
				n.part, n.device, n.lo, n.hi = p, p, p.Start(), p.Start()+p.Info().Size
			}
		}
		if n.part == nil {
			s.leave()
			if err != nil {
				return nil, syscall.EIO
			}
			return nil, syscall.ENXIO
		}
	}
	for _, o := range n.unit.overlap(n.lo, n.hi) {
		switch {
		case exclusive && o.alone, write && o.volume && o.lo <= n.lo && n.hi <= o.hi:
			s.leave()
			return nil, syscall.EBUSY
		case o.volume:
			n.volumes = append(n.volumes, o)
		}
	}
	n.unit.owners = append(n.unit.owners, n.owner)
	return n, 0
}

// Close implements fs.RawDisk.
func (n *node) Close() {
	n.once.Do(func() {
		all.Lock()
		defer all.Unlock()
		n.unit.drop(n.owner)
		n.of.leave()
	})
}

// Info implements fs.RawDisk.
func (n *node) Info() fs.RawInfo {
	in := n.device.Info()
	return fs.RawInfo{Size: in.Size, BlockSize: in.BlockSize, ReadOnly: in.ReadOnly, Discard: in.Discard}
}

// most is how many bytes go through memory at once. A program's own may move, or be a mapping of what is not there yet, which no device can be given.
const most = 1 << 20

// cut is the next piece of n bytes from off on: the whole blocks that it is in, from first on, size bytes, of which it is at [at, at+length).
func cut(off, n, blockSize int64) (first, size, at, length int64) {
	first = off &^ (blockSize - 1)
	at = off - first
	length = min(n, most-at)
	return first, (at + length + blockSize - 1) &^ (blockSize - 1), at, length
}

// ReadAt implements fs.RawDisk.
func (n *node) ReadAt(p []byte, off int64) (done int, e syscall.Errno) {
	in := n.device.Info()
	if off >= in.Size {
		return 0, 0
	}
	p = p[:min(int64(len(p)), in.Size-off)]
	for done < len(p) {
		first, size, at, length := cut(off+int64(done), int64(len(p)-done), int64(in.BlockSize))
		b := make([]byte, size)
		if err := n.device.Read([][]byte{b}, first); err != nil {
			if done > 0 {
				break
			}
			return 0, syscall.EIO
		}
		done += copy(p[done:], b[at:at+length])
	}
	return done, 0
}

// WriteAt implements fs.RawDisk.
func (n *node) WriteAt(p []byte, off int64) (done int, e syscall.Errno) {
	in := n.device.Info()
	switch {
	case in.ReadOnly:
		return 0, syscall.EPERM
	case len(p) == 0:
		return 0, 0
	case off >= in.Size:
		return 0, syscall.ENOSPC
	}
	p = p[:min(int64(len(p)), in.Size-off)]
	for done < len(p) && e == 0 {
		first, size, at, length := cut(off+int64(done), int64(len(p)-done), int64(in.BlockSize))
		if e = n.belongs(first, size); e == 0 {
			e = n.writeBlocks(p[done:int64(done)+length], first, size, at)
		}
		if e == 0 {
			done += int(length)
		}
	}
	if done > 0 {
		e = 0
	}
	return done, e
}

// writeBlocks writes p to where it belongs in size bytes from first on, which are whole blocks: at.
func (n *node) writeBlocks(p []byte, first, size, at int64) syscall.Errno {
	b := make([]byte, size)
	if int64(len(p)) == size {
		n.unit.bytes.RLock()
		defer n.unit.bytes.RUnlock()
	} else {
		n.unit.bytes.Lock()
		defer n.unit.bytes.Unlock()
		if n.device.Read([][]byte{b}, first) != nil {
			return syscall.EIO
		}
	}
	copy(b[at:], p)
	if n.device.Write([][]byte{b}, first) != nil {
		return syscall.EIO
	}
	return 0
}

// belongs is EBUSY where some of the bytes are a volume's.
func (n *node) belongs(off, size int64) syscall.Errno {
	off += n.lo
	for _, o := range n.volumes {
		if o.lo < off+size && off < o.hi {
			return syscall.EBUSY
		}
	}
	return 0
}

// Sync implements fs.RawDisk.
func (n *node) Sync() syscall.Errno {
	if n.device.Flush() != nil {
		return syscall.EIO
	}
	return 0
}

// Discard implements fs.RawDisk.
func (n *node) Discard(off, size int64) syscall.Errno {
	in := n.device.Info()
	switch {
	case !in.Discard:
		return syscall.EOPNOTSUPP
	case in.ReadOnly:
		return syscall.EPERM
	case size <= 0 || in.Check(off, size) != nil:
		return syscall.EINVAL
	}
	if e := n.belongs(off, size); e != 0 {
		return e
	}
	n.unit.bytes.RLock()
	defer n.unit.bytes.RUnlock()
	if n.device.Discard(off, size) != nil {
		return syscall.EIO
	}
	return 0
}

// Rescan implements fs.RawDisk.
func (n *node) Rescan() syscall.Errno {
	if n.part != nil {
		return syscall.EINVAL
	}
	all.Lock()
	defer all.Unlock()
	for _, o := range n.unit.owners {
		if o.volume || o.hi != end {
			return syscall.EBUSY
		}
	}
	if n.unit.scan() != nil {
		return syscall.EIO
	}
	return 0
}
