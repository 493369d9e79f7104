package fat

import (
	"syscall"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// Ref implements fs.Node.
func (n *node) Ref() {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	n.refs++
}

// Unref implements fs.Node.
func (n *node) Unref() {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	n.drop()
}

// Attr implements fs.Node.
func (n *node) Attr() core.Attr {
	f := n.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	at := func(t time.Time) syscall.Timespec {
		return syscall.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
	}
	a := core.Attr{Ino: max(n.ino, 1), Mode: syscall.S_IFREG | 0o755, Nlink: 1, Size: n.size, Blksize: f.cluster, Mtime: at(n.mtime), Ctime: at(n.mtime), Atime: at(n.mtime), Btime: at(n.btime)}
	if n.dir {
		a.Mode = syscall.S_IFDIR | 0o755
	}
	if n.attr&attrReadOnly != 0 {
		a.Mode &^= 0o222
	}
	if n.gone {
		a.Nlink = 0
	}
	if c, err := n.clusters(); err == nil {
		a.Blocks = int64(len(c)) * f.cluster / 512
		if n.dir {
			a.Size = int64(len(c)) * f.cluster
		}
	}
	return a
}

// SetAttr implements fs.Node. Owners other than root are EPERM; of a mode only whether anybody may write counts, and of a directory nothing.
func (n *node) SetAttr(c *core.Change) core.Errno {
	f := n.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.writable(); e != 0 {
		return e
	}
	if c.Set&core.SetUID != 0 && c.UID != 0 || c.Set&core.SetGID != 0 && c.GID != 0 {
		return syscall.EPERM
	}
	if c.Set&core.SetMode != 0 && !n.dir {
		n.attr &^= attrReadOnly
		if c.Mode&0o222 == 0 {
			n.attr |= attrReadOnly
		}
	}
	if c.Set&core.SetMtime != 0 {
		n.mtime = stamp(time.Unix(min(max(c.Mtime.Sec, 0), 1<<40), c.Mtime.Nsec)) // time.Time does not know all that int64 does
	}
	return errno(n.store())
}

// Sync implements fs.File.
func (x *File) Sync(bool) core.Errno { return x.fs.Sync() }

// run is how many bytes from off on of a file lie in a row, and where; at most n.
func (n *node) run(off, most int64) (at, k int64, err error) {
	f := n.fs
	c, err := n.clusters()
	if err != nil {
		return 0, 0, err
	}
	i := off / f.cluster
	if i >= int64(len(c)) {
		return 0, 0, errDamaged // its size says more than its clusters
	}
	at, k = f.shape.at(c[i])+off%f.cluster, f.cluster-off%f.cluster
	for j := i + 1; k < most && j < int64(len(c)) && c[j] == c[j-1]+1; j++ {
		k += f.cluster
	}
	return at, min(k, most), nil
}

// move reads or writes p at a place of the device, whatever its blocks are. What is written is not in the cache yet: see write. For less than a block it allocates nothing, unless pages are read. mu is held.
func (f *FS) move(p []byte, at int64, write bool) error {
	bs := int64(f.dev.Info().BlockSize)
	for len(p) > 0 {
		in := at % bs
		if in == 0 && int64(len(p)) >= bs {
			k := int64(len(p)) &^ (bs - 1)
			if write {
				if err := f.dev.Write([][]byte{p[:k]}, at); err != nil {
					return err
				}
			} else if err := f.dev.Read([][]byte{p[:k]}, at); err != nil {
				return err
			}
			p, at = p[k:], at+k
			continue
		}
		b := f.part[0]
		if err := f.block(f.part, at-in, write); err != nil {
			return err
		}
		var k int
		if write {
			k = copy(b[in:], p)
			if err := f.dev.Write(f.part, at-in); err != nil {
				return err
			}
		} else {
			k = copy(p, b[in:])
		}
		p, at = p[k:], at+int64(k)
	}
	return nil
}

// zero makes n bytes of the device zero. Sectors of directories that were in memory are forgotten.
func (f *FS) zero(at, n int64) error {
	for s := at &^ (f.shape.sector - 1); s < at+n; s += f.shape.sector {
		if m := f.meta[s]; m != nil {
			if m.dirty {
				f.ndirty--
			}
			delete(f.meta, s)
		}
	}
	f.behind = true
	b := make([]byte, min(n, 64<<10))
	for n > 0 {
		k := min(n, int64(len(b)))
		if err := f.write(b[:k], at, false); err != nil {
			return err
		}
		at, n = at+k, n-k
	}
	return nil
}

// stretch gives a file clusters for size bytes; what is between its size and size is not zeroed.
func (n *node) stretch(size int64) core.Errno {
	f := n.fs
	c, err := n.clusters()
	if err != nil {
		return errno(err)
	}
	more := (size+f.cluster-1)/f.cluster - int64(len(c))
	if more <= 0 {
		return 0
	}
	list, e := f.take(int(more))
	if e != 0 {
		return e
	}
	f.link(c, list)
	n.chain = append(c, list...)
	n.first = n.chain[0]
	// They were another's, perhaps a directory's, of which something may be in memory still.
	for _, c := range list {
		for s := int64(0); s < f.cluster; s += f.shape.sector {
			if m := f.meta[f.shape.at(c)+s]; m != nil {
				if m.dirty {
					f.ndirty--
				}
				delete(f.meta, f.shape.at(c)+s)
			}
		}
	}
	return errno(n.store())
}

// put writes p, or zeroes, inside of what there are clusters for.
func (n *node) put(p []byte, off, size int64) (done int64, err error) {
	for done < size {
		at, k, err := n.run(off+done, size-done)
		if err != nil {
			return done, err
		}
		if p == nil {
			err = n.fs.zero(at, k)
		} else {
			n.fs.behind = true
			err = n.fs.write(p[done:done+k], at, true)
		}
		if err != nil {
			return done, err
		}
		done += k
	}
	return done, nil
}

// shrink gives up clusters behind size bytes.
func (n *node) shrink(size int64) core.Errno {
	f := n.fs
	c, err := n.clusters()
	if err != nil {
		return errno(err)
	}
	keep := (size + f.cluster - 1) / f.cluster
	if keep >= int64(len(c)) {
		return 0
	}
	f.release(c[keep:])
	n.chain = c[:keep]
	if keep == 0 {
		n.first = 0
	} else {
		end, _ := f.end()
		f.set(c[keep-1], end)
	}
	return 0
}

// extend makes a file longer by zeroes.
func (n *node) extend(size int64) core.Errno {
	if size > maxSize {
		return syscall.EFBIG
	}
	if e := n.stretch(size); e != 0 {
		return e
	}
	if _, err := n.put(nil, n.size, size-n.size); err != nil {
		n.trim()
		return errno(err)
	}
	n.size = size
	return 0
}

// trim gives up clusters behind a file's size, but for what was set aside.
func (n *node) trim() core.Errno { return n.shrink(max(n.size, n.aside)) }

// yield gives up what was set aside, and says so in the file's entry.
func (n *node) yield() {
	if n.aside == 0 || n.gone || n.fs.writable() != 0 {
		return
	}
	if b, err := n.fs.at32(n.at, true); err == nil { // before the clusters are free
		n.aside = 0
		n.trim()
		n.fill(b)
		n.fs.changed()
	}
}

// Allocate implements fs.Allocator: mode 0, which makes the file longer, and FallocKeepSize, whose room is the file's until it is closed for the last time, or truncated. After a crash its clusters are more than its size says, which
// fsck.vfat mends. ENOSPC leaves all as it was; EFBIG.
func (x *File) Allocate(mode uint32, off, n int64) core.Errno {
	f := x.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if mode&^core.FallocKeepSize != 0 {
		return syscall.EOPNOTSUPP
	}
	if e := f.writable(); e != 0 {
		return e
	}
	end := off + n
	switch {
	case end > maxSize:
		return syscall.EFBIG
	case end <= x.size: // there are no holes
		return 0
	case mode == 0:
		if e := x.extend(end); e != 0 {
			return e
		}
		x.mtime, x.attr = f.now(), x.attr|attrArchive
		return errno(x.store())
	}
	if e := x.stretch(end); e != 0 {
		return e
	}
	x.aside = max(x.aside, end)
	return 0
}

// WriteAt implements fs.File.
func (x *File) WriteAt(p []byte, off int64) (n int, at int64, e core.Errno) {
	f := x.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if off == core.Append {
		off = x.size
	}
	if e := f.writable(); e != 0 {
		return -1, off, e
	}
	if len(p) == 0 {
		return 0, off, 0
	}
	if off >= maxSize {
		return -1, off, syscall.EFBIG
	}
	p = p[:min(int64(len(p)), maxSize-off)]
	if e := x.stretch(off + int64(len(p))); e == syscall.ENOSPC {
		// As much as there is room for.
		c, _ := x.clusters()
		room := (int64(len(c))+int64(f.free))*f.cluster - off
		if room <= 0 {
			return -1, off, e
		}
		p = p[:min(int64(len(p)), room)]
		if e := x.stretch(off + int64(len(p))); e != 0 {
			return -1, off, e
		}
	} else if e != 0 {
		return -1, off, e
	}
	done, err := int64(0), error(nil)
	if off > x.size { // there are no holes
		_, err = x.put(nil, x.size, off-x.size)
	}
	if err == nil {
		done, err = x.put(p, off, int64(len(p)))
	}
	if done == 0 && err != nil {
		x.trim()
		return -1, off, errno(err)
	}
	x.size = max(x.size, off+done)
	x.trim()
	x.mtime, x.attr = f.now(), x.attr|attrArchive
	return int(done), off, errno(x.store())
}

// Truncate implements fs.File.
func (x *File) Truncate(size int64) core.Errno {
	f := x.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.writable(); e != 0 {
		return e
	}
	e := core.Errno(0)
	if size > x.size {
		if e = x.extend(size); e == 0 {
			e = x.shrink(size)
		}
	} else if e = x.shrink(size); e == 0 {
		x.size = size
	}
	if e == 0 {
		x.aside = 0
	}
	if e != 0 {
		return e
	}
	x.mtime = f.now()
	return errno(x.store())
}
