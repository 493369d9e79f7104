package fat

import (
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// Attributes of an entry: FAT, 6.
const (
	attrReadOnly = 0x01
	attrLabel    = 0x08
	attrDir      = 0x10
	attrArchive  = 0x20
	attrLong     = 0x0f

	deleted  = 0xe5
	maxSlots = 65536 // entries of 32 bytes in a directory
)

// A node is a file or directory.
type node struct {
	fs     *FS
	self   core.Node
	refs   int
	at     int64 // of its short entry on the device; -1: the root
	dir    bool
	attr   byte
	first  uint32 // cluster; 0: none
	size   int64
	mtime  time.Time
	btime  time.Time
	parent *node // with a reference; of a file nil
	chain  []uint32
	known  bool  // chain is
	gone   bool  // it has no name
	aside  int64 // bytes that its clusters are kept for, beyond its size: see Allocate
	ino    uint64
	order  pages.Order // of reading, of a file
}

// Dir and File are the two kinds.
type (
	Dir  struct{ *node }
	File struct{ *node }
)

// clusters gives where a node's bytes lie. A directory has no use for more than maxSlots need: its chain may be all of a damaged volume, and each of many directories may run into that.
func (n *node) clusters() ([]uint32, error) {
	if !n.known && n.first != 0 {
		most := int(n.fs.clusters)
		if n.dir {
			most = int(maxSlots * 32 / n.fs.cluster)
		}
		c, err := n.fs.follow(n.first, most)
		if err != nil {
			return nil, err
		}
		n.chain = c
	}
	n.known = true
	return n.chain, nil
}

// all gives the clusters that are a node's, also those that a directory has no use for.
func (n *node) all() ([]uint32, error) {
	if n.dir && n.first != 0 {
		return n.fs.follow(n.first, int(n.fs.clusters))
	}
	return n.clusters()
}

// place is where slot i of a directory lies; ok is false behind its end.
func (n *node) place(i int) (at int64, ok bool) {
	f, off := n.fs, int64(i)*32
	if i >= maxSlots {
		return 0, false
	}
	if n.at == -1 && f.width != 32 {
		return f.rootAt + off, off < f.rootSize
	}
	k := off / f.cluster
	if k >= int64(len(n.chain)) {
		return 0, false
	}
	return f.shape.at(n.chain[k]) + off%f.cluster, true
}

// A found is a name in a directory.
type found struct {
	name  string
	short short
	slot  int // of the short entry
	slots int // with the long ones
	at    int64
	raw   [32]byte
}

func (e *found) first(width int) uint32 {
	c := uint32(le.Uint16(e.raw[26:]))
	if width == 32 {
		c |= uint32(le.Uint16(e.raw[20:])) << 16
	}
	return c
}

// row is how many bytes from slot i of a directory on lie in a row on the device, as far as it matters to who reads them at once.
func (n *node) row(i int) int64 {
	if f, off := n.fs, int64(i)*32; n.at != -1 || f.width == 32 {
		_, k, _ := n.run(off, atOnce)
		return k
	} else {
		return f.rootSize - off
	}
}

// each calls do for each name from slot i on, until it returns false. It is for who looks at many: what lies in a row is read at once.
func (n *node) each(i int, do func(e *found) bool) error { return n.walk(i, true, do) }

func (n *node) walk(i int, many bool, do func(e *found) bool) error {
	if _, err := n.clusters(); err != nil {
		return err
	}
	f := n.fs
	var long []uint16
	want, check, begin := 0, byte(0), 0
	for ; ; i++ {
		at, ok := n.place(i)
		if !ok {
			return nil
		}
		if many && f.meta[at&^(f.shape.sector-1)] == nil {
			var err error
			if many, err = f.bring(at, n.row(i)); err != nil { // once it failed, each sector is read for itself
				return err
			}
		}
		b, err := f.at32(at, false)
		if err != nil {
			return err
		}
		switch {
		case b[0] == 0:
			return nil
		case b[0] == deleted:
			want = 0
			long = nil
			continue
		case b[11]&0x3f == attrLong:
			k := int(b[0] & 0x3f)
			if b[0]&0x40 != 0 {
				long, want, check, begin = make([]uint16, 13*k), k, b[13], i
			}
			if k == 0 || k != want || b[13] != check || len(long) < 13*k {
				want, long = 0, nil
				continue
			}
			for j, o := range units {
				long[13*(k-1)+j] = le.Uint16(b[o:])
			}
			want--
			continue
		case b[11]&attrLabel != 0:
			want, long = 0, nil
			continue
		}
		e := &found{slot: i, slots: 1, at: at, raw: [32]byte(b)}
		copy(e.short[:], b)
		e.name = e.short.String()
		if long != nil && want == 0 && check == e.short.sum() {
			if end := slices.Index(long, 0); end >= 0 {
				long = long[:end]
			}
			if s := string(utf16.Decode(long)); s != "" && len(s) <= core.MaxName && !strings.ContainsAny(s, "/\x00") {
				e.name, e.slots = s, i-begin+1
			}
		}
		long, want = nil, 0
		if e.name == "." || e.name == ".." || e.name == "" {
			continue
		}
		if !do(e) {
			return nil
		}
	}
}

// is says whether a name is found by another.
func (e *found) is(name string) bool {
	return strings.EqualFold(e.name, name) || strings.EqualFold(e.short.String(), name)
}

// find looks a name up; nil where there is none.
func (n *node) find(name string) (hit *found, err error) {
	if x, err := n.index(); err == nil {
		return x.lookup(n, name)
	}
	// What lies before the damage is found.
	err = n.each(0, func(e *found) bool {
		if e.is(name) {
			hit = e
		}
		return hit == nil
	})
	return hit, err
}

// open gives the node of a name, with a reference.
func (n *node) open(e *found) (*node, error) {
	f := n.fs
	if c := f.nodes[e.at]; c != nil {
		c.refs++
		return c, nil
	}
	c := &node{fs: f, at: e.at, attr: e.raw[11], dir: e.raw[11]&attrDir != 0, first: e.first(f.width), size: int64(le.Uint32(e.raw[28:])), refs: 1, ino: uint64(e.at/32) + 2,
		mtime: decodeTime(le.Uint16(e.raw[24:]), le.Uint16(e.raw[22:])), btime: decodeTime(le.Uint16(e.raw[16:]), le.Uint16(e.raw[14:]))}
	if c.dir {
		c.size = 0
		if !f.is(c.first) {
			return nil, errDamaged
		}
		for up := n; ; up = up.parent { // a directory that is in itself
			if up.first == c.first {
				return nil, errDamaged
			}
			if up == up.parent {
				break
			}
		}
		c.parent, c.self = n, &Dir{c}
		n.refs++
	} else {
		c.self = &File{c}
	}
	f.nodes[e.at] = c
	return c, nil
}

// drop gives a reference up. What has no name ends with the last.
func (n *node) drop() {
	if n.refs--; n.refs > 0 || n.at == -1 {
		return
	}
	f := n.fs
	if f.nodes[n.at] == n {
		delete(f.nodes, n.at)
	}

	n.yield()
	delete(f.gone, n)
	if n.gone && f.writable() == 0 {
		if c, err := n.all(); err == nil {
			f.release(c)
			n.chain, n.first = nil, 0
			f.changed()
		}
	}
	if n.parent != nil {
		n.parent.drop()
	}
}

// times of an entry: FAT, 6.2. They begin with 1980.
func decodeTime(date, clock uint16) time.Time {
	if date == 0 {
		date = 1<<5 | 1
	}
	return time.Date(1980+int(date>>9), time.Month(date>>5&15), int(date&31), int(clock>>11), int(clock>>5&63), int(clock&31)*2, 0, time.UTC)
}

func encodeTime(t time.Time) (date, clock uint16) {
	t = t.UTC()
	switch {
	case t.Year() < 1980:
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Year() > 2107:
		t = time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
	}
	return uint16(t.Year()-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day()), uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
}

// stamp is a time as entries have it: within their range, and of even seconds. What is told of a file is so from the first moment on.
func stamp(t time.Time) time.Time { return decodeTime(encodeTime(t)) }

// now is the time, as a stamp.
func (f *FS) now() time.Time { return stamp(f.o.Now()) }

// fill writes what a node is into its entry, but for the name.
func (n *node) fill(b []byte) {
	b[11] = n.attr
	date, clock := encodeTime(n.btime)
	le.PutUint16(b[14:], clock)
	le.PutUint16(b[16:], date)
	date, clock = encodeTime(n.mtime)
	le.PutUint16(b[18:], date)
	le.PutUint16(b[22:], clock)
	le.PutUint16(b[24:], date)
	le.PutUint16(b[20:], uint16(n.first>>16))
	le.PutUint16(b[26:], uint16(n.first))
	le.PutUint32(b[28:], uint32(n.size))
}

// store writes a node's entry.
func (n *node) store() error {
	if n.at == -1 || n.gone {
		return nil
	}
	b, err := n.fs.at32(n.at, true)
	if err == nil {
		n.fill(b)
		n.fs.changed()
	}
	return err
}

// grow makes a directory a cluster longer.
func (n *node) grow() core.Errno {
	f := n.fs
	if n.at == -1 && f.width != 32 || int64(len(n.chain))*f.cluster/32 >= maxSlots {
		return syscall.ENOSPC
	}
	c, e := f.take(1)
	if e != 0 {
		return e
	}
	if err := f.zero(f.shape.at(c[0]), f.cluster); err != nil {
		f.release(c)
		return errno(err)
	}
	f.link(n.chain, c)
	n.chain = append(n.chain, c...)
	return 0
}

// ungrow makes a directory as long as it was with so many clusters.
func (n *node) ungrow(had int) {
	if f := n.fs; len(n.chain) > had {
		f.release(n.chain[had:])
		n.chain = n.chain[:had]
		end, _ := f.end()
		f.set(n.chain[had-1], end)
	}
}

// enter puts a name into a directory, with what is in entry but for the name, and tells where its short entry is. An error leaves the directory as it was.
func (n *node) enter(name string, entry [32]byte) (at int64, e core.Errno) {
	u, e := checkName(name)
	if e != 0 {
		return 0, e
	}
	x, err := n.index()
	if err != nil {
		return 0, errno(err)
	}
	at, e, agrees := n.enterBy(x, name, u, entry)
	if !agrees { // another directory has clusters of this one, and wrote to them
		n.fs.unindex(n.first)
		if x, err = n.index(); err != nil {
			return 0, errno(err)
		}
		if other, err := x.lookup(n, name); err != nil {
			return 0, errno(err)
		} else if other != nil {
			return 0, syscall.EEXIST
		}
		if at, e, agrees = n.enterBy(x, name, u, entry); !agrees {
			return 0, syscall.EIO
		}
	}
	return at, e
}

// enterBy is enter by an index, for a name of so many units. Where the device has something where the index has nothing, it does not agree, and all is as it was.
func (n *node) enterBy(x *index, name string, u []uint16, entry [32]byte) (at int64, e core.Errno, agrees bool) {
	s, plainName := exact(name)
	if plainName {
		other, err := x.lookup(n, name)
		if err != nil {
			return 0, errno(err), true
		}
		plainName = other == nil
	}
	longs := 0
	if !plainName {
		longs = (len(u) + 12) / 13
		if s, e = x.alias(n, name); e != 0 {
			return 0, e, true
		}
	}
	begin, had := x.room(longs+1), len(n.chain)
	defer func() {
		x.chain = n.chain
		n.fs.weigh(x)
	}()
	for _, ok := n.place(begin + longs); !ok; _, ok = n.place(begin + longs) {
		if !n.fs.holds(n.chain, int(maxSlots*32/n.fs.cluster)) {
			n.ungrow(had)
			return 0, 0, false
		}
		if e := n.grow(); e != 0 {
			n.ungrow(had)
			return 0, e, true
		}
	}
	// These slots, and the one behind them: all are read before any is written to.
	for i := begin; i <= begin+longs+1; i++ {
		if at, ok := n.place(i); ok {
			b, err := n.fs.at32(at, false)
			if err != nil {
				n.ungrow(had)
				return 0, errno(err), true
			}
			if i <= begin+longs && (i < x.end && b[0] != deleted || i == x.end && b[0] != 0) {
				n.ungrow(had)
				return 0, 0, false
			}
		}
	}
	past := begin+longs >= x.end
	sum := s.sum()
	for k := range longs + 1 {
		at, _ = n.place(begin + k)
		b, err := n.fs.at32(at, true)
		if err != nil {
			n.fs.unindex(n.first)
			return 0, errno(err), true
		}
		if past && k == longs { // what lies behind the end may be anything
			if next, ok := n.place(begin + k + 1); ok {
				if c, err := n.fs.at32(next, true); err == nil {
					clear(c)
				}
			}
		}
		clear(b)
		if k == longs {
			copy(b, entry[:])
			copy(b, s[:])
			break
		}
		ord := longs - k
		b[0], b[11], b[13] = byte(ord), attrLong, sum
		if k == 0 {
			b[0] |= 0x40
		}
		for j, o := range units {
			v := uint16(0xffff)
			switch i := 13*(ord-1) + j; {
			case i < len(u):
				v = u[i]
			case i == len(u):
				v = 0
			}
			le.PutUint16(b[o:], v)
		}
	}
	x.add(&found{name: name, short: s, slot: begin + longs, slots: longs + 1})
	x.end = max(x.end, begin+longs+1)
	n.mtime = n.fs.now()
	n.fs.changed()
	return at, errno(n.store()), true
}

// leave takes a name out of a directory.
func (n *node) leave(e *found) core.Errno {
	for _, soil := range []bool{false, true} { // all slots are read before any is written to
		for i := e.slot - e.slots + 1; i <= e.slot; i++ {
			at, ok := n.place(i)
			if !ok {
				return syscall.EIO
			}
			b, err := n.fs.at32(at, soil)
			if err != nil {
				if soil {
					n.fs.unindex(n.first)
				}
				return errno(err)
			}
			if soil {
				b[0] = deleted
			}
		}
	}
	if x := n.fs.indexes[n.first]; x != nil {
		x.remove(e)
		n.fs.weigh(x)
	}
	n.mtime = n.fs.now()
	n.fs.changed()
	return errno(n.store())
}

// Lookup implements fs.Dir.
func (d *Dir) Lookup(name string) (core.Node, core.Errno) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	e, err := d.find(name)
	if err != nil {
		return nil, errno(err)
	}
	if e == nil || d.gone {
		return nil, syscall.ENOENT
	}
	n, err := d.open(e)
	if err != nil {
		return nil, errno(err)
	}
	return n.self, 0
}

// Parent implements fs.Dir.
func (d *Dir) Parent() core.Dir {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	d.parent.refs++
	return d.parent.self.(core.Dir)
}

// ReadDir implements fs.Dir.
func (d *Dir) ReadDir(cookie uint64, do func(*core.Entry) bool) core.Errno {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	if d.gone {
		return syscall.ENOENT
	}
	from := 0
	if cookie >= 3 {
		from = int(min(cookie-3+1, maxSlots))
	}
	return errno(d.each(from, func(e *found) bool {
		kind := uint32(syscall.S_IFREG)
		if e.raw[11]&attrDir != 0 {
			kind = syscall.S_IFDIR
		}
		return do(&core.Entry{Name: e.name, Ino: uint64(e.at/32) + 2, Type: kind, Cookie: uint64(e.slot) + 3})
	}))
}

// SyncDir implements fs.DirSyncer.
func (d *Dir) SyncDir() core.Errno { return d.fs.Sync() }

// Create implements fs.Dir: files and directories only.
func (d *Dir) Create(name string, mode uint32, _ uint64) (core.Node, core.Errno) {
	f := d.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	kind := mode & syscall.S_IFMT
	if e := f.writable(); e != 0 {
		return nil, e
	}
	switch {
	case kind != syscall.S_IFREG && kind != syscall.S_IFDIR:
		return nil, syscall.EPERM
	case d.gone:
		return nil, syscall.ENOENT
	}
	if old, err := d.find(name); err != nil {
		return nil, errno(err)
	} else if old != nil {
		return nil, syscall.EEXIST
	}
	if _, e := checkName(name); e != 0 {
		return nil, e
	}
	now := f.now()
	c := &node{fs: f, attr: attrArchive, mtime: now, btime: now, refs: 1, known: true}
	if mode&0o222 == 0 {
		c.attr |= attrReadOnly
	}
	if kind == syscall.S_IFDIR {
		list, e := f.take(1)
		if e != 0 {
			return nil, e
		}
		c.dir, c.attr, c.first, c.chain = true, attrDir, list[0], list
		if err := f.dots(c, d.node); err != nil {
			f.release(list)
			return nil, errno(err)
		}
	}
	var entry [32]byte
	c.fill(entry[:])
	at, e := d.enter(name, entry)
	if e != 0 {
		f.release(c.chain)
		return nil, e
	}
	c.at, c.ino = at, uint64(at/32)+2
	if c.dir {
		c.self, c.parent = &Dir{c}, d.node
		d.refs++
	} else {
		c.self = &File{c}
	}
	f.nodes[at] = c
	return c.self, 0
}

// dots makes the first cluster of a new directory: "." and ".." (FAT, 6.5).
func (f *FS) dots(c, up *node) error {
	at := f.shape.at(c.first)
	if err := f.zero(at, f.cluster); err != nil {
		return err
	}
	for i, n := range []*node{c, up} {
		b, err := f.at32(at+int64(32*i), true)
		if err != nil {
			return err
		}
		dot := node{attr: attrDir, first: n.first, mtime: c.mtime, btime: c.btime}
		if n.at == -1 {
			dot.first = 0
		}
		dot.fill(b)
		copy(b, []string{".          ", "..         "}[i])
	}
	return nil
}

// Symlink and Link implement fs.Dir: FAT has none.
func (d *Dir) Symlink(string, string) (core.Node, core.Errno) { return nil, syscall.EPERM }
func (d *Dir) Link(string, core.Node) core.Errno              { return syscall.EPERM }

// Unlink implements fs.Dir.
func (d *Dir) Unlink(name string) core.Errno { return d.remove(name, false) }

// Rmdir implements fs.Dir.
func (d *Dir) Rmdir(name string) core.Errno { return d.remove(name, true) }

func (d *Dir) remove(name string, dir bool) core.Errno {
	f := d.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.writable(); e != 0 {
		return e
	}
	e, err := d.find(name)
	if err != nil {
		return errno(err)
	}
	if e == nil {
		return syscall.ENOENT
	}
	n, err := d.open(e)
	if err != nil {
		return errno(err)
	}
	defer n.drop()
	if no := n.removable(dir); no != 0 {
		return no
	}
	return d.unname(n, e)
}

// removable is why a node cannot be removed, or replaced by a directory or not.
func (n *node) removable(dir bool) core.Errno {
	switch {
	case n.dir && !dir:
		return syscall.EISDIR
	case !n.dir && dir:
		return syscall.ENOTDIR
	case n.dir:
		empty := true
		if err := n.each(0, func(*found) bool { empty = false; return false }); err != nil {
			return errno(err)
		}
		if !empty {
			return syscall.ENOTEMPTY
		}
	}
	return 0
}

func (d *Dir) unname(n *node, e *found) core.Errno {
	if no := d.leave(e); no != 0 {
		return no
	}
	n.nameless()
	return 0
}

// nameless is told that a node's name is not there any more.
func (n *node) nameless() {
	n.gone = true
	n.fs.gone[n] = true
	delete(n.fs.nodes, n.at)
}

// Rename implements fs.Dir. Two names do not change places: EINVAL.
func (d *Dir) Rename(name string, toDir core.Dir, newName string, flags uint32) core.Errno {
	f := d.fs
	to, ok := toDir.(*Dir)
	if !ok || to.fs != f {
		return syscall.EXDEV
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.writable(); e != 0 {
		return e
	}
	if flags == core.RenameExchange {
		return syscall.EINVAL
	}
	e, err := d.find(name)
	if err == nil && e == nil {
		return syscall.ENOENT
	}
	if err != nil {
		return errno(err)
	}
	n, err := d.open(e)
	if err != nil {
		return errno(err)
	}
	defer n.drop()
	old, err := to.find(newName)
	if err != nil {
		return errno(err)
	}
	same := old != nil && old.at == e.at
	switch {
	case old != nil && flags == core.RenameNoReplace && (!same || e.name == newName):
		return syscall.EEXIST
	case same && e.name == newName:
		return 0
	}
	if _, no := checkName(newName); no != 0 {
		return no
	}
	for up := to.node; n.dir; up = up.parent {
		if up == n {
			return syscall.EINVAL
		}
		if up == up.parent {
			break
		}
	}
	if to.gone {
		return syscall.ENOENT
	}
	var at int64
	if old != nil && !same {
		o, err := to.open(old)
		if err != nil {
			return errno(err)
		}
		defer o.drop()
		for up := d.node; o.dir; up = up.parent {
			if up == o {
				return syscall.ENOTEMPTY
			}
			if up == up.parent {
				break
			}
		}
		if no := o.removable(n.dir); no != 0 {
			return no
		}
		// The old name's entry is the new one's: it needs no room, and keeps its letters.
		if _, err := f.at32(old.at, false); err != nil {
			return errno(err)
		}
		if no := d.leave(e); no != 0 {
			return no
		}
		b, err := f.at32(old.at, true)
		if err != nil {
			return errno(err)
		}
		n.fill(b)
		o.nameless()
		at = old.at
		to.mtime = f.now()
		if err := to.store(); err != nil {
			return errno(err)
		}
	} else {
		var entry [32]byte
		n.fill(entry[:])
		if same { // another case of the same name
			if err := f.ready(core.MaxName*32/13/512 + 2); err != nil { // so that nothing is written while it has neither
				return errno(err)
			}
			if no := d.leave(e); no != 0 {
				return no
			}
		}
		var no core.Errno
		if at, no = to.enter(newName, entry); no != 0 {
			if same {
				back, _ := d.enter(e.name, entry)
				delete(f.nodes, n.at)
				n.at = back
				f.nodes[back] = n
			}
			return no
		}
		if !same {
			if no := d.leave(e); no != 0 {
				return no
			}
		}
	}
	delete(f.nodes, n.at)
	n.at = at
	f.nodes[at] = n
	if n.dir && n.parent != to.node {
		n.parent.drop()
		n.parent = to.node
		to.refs++
		b, err := f.at32(f.shape.at(n.first)+32, true)
		if err != nil {
			return errno(err)
		}
		up := to.first
		if to.at == -1 {
			up = 0
		}
		le.PutUint16(b[20:], uint16(up>>16))
		le.PutUint16(b[26:], uint16(up))
	}
	return 0
}
