package cffs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The second half of a salvage: what was found is made to fit together.

// path says how an inode is called, by all of its names, for messages.
func (s *salvager) path(ino uint64) string {
	number := "inode " + strconv.FormatUint(ino, 10)
	var list []string
	if p := s.inodes[ino]; p != nil {
		for _, n := range p.names[:min(len(p.names), maxPaths)] {
			if path, ok := s.join(n); ok {
				list = append(list, shown(path))
			}
		}
	}
	switch {
	case ino == rootIno:
		return "/ (" + number + ")"
	case len(list) == 0:
		return number + ", without a name"
	}
	return strings.Join(list, " and ") + " (" + number + ")"
}

// join is the path of a name; ok is false if it is not below the root.
func (s *salvager) join(n name) (path string, ok bool) {
	parts := []string{n.name}
	for n.dir != rootIno {
		p := s.inodes[n.dir]
		if p == nil || len(p.names) == 0 || len(parts) > maxDepth {
			return "", false
		}
		n = p.names[0]
		parts = append(parts, n.name)
	}
	slices.Reverse(parts)
	return "/" + strings.Join(parts, "/"), true
}

// sorted are the numbers of all inodes there are.
func (s *salvager) sorted() []uint64 {
	list := make([]uint64, 0, len(s.inodes))
	for ino := range s.inodes {
		list = append(list, ino)
	}
	slices.Sort(list)
	return list
}

// count finds how many names each directory has.
func (s *salvager) count() {
	for _, p := range s.inodes {
		p.entries, p.subdirs = 0, 0
	}
	for _, ino := range s.sorted() {
		for _, n := range s.inodes[ino].names {
			d := s.inode(n.dir)
			if d.entries++; s.inodes[ino].kind() == syscall.S_IFDIR {
				d.subdirs++
			}
		}
	}
}

// kind is what an inode is, as far as is known; 0: not at all.
func (p *piled) kind() uint32 {
	switch {
	case p.rec != nil:
		return p.rec.mode & syscall.S_IFMT
	case len(p.names) > 0:
		return p.names[0].kind
	case p.entries > 0:
		return syscall.S_IFDIR
	case p.blocks > 0:
		return syscall.S_IFREG
	case p.target > 0:
		return syscall.S_IFLNK
	}
	return 0
}

// gap says whether a key may be one that was lost.
func (s *salvager) gap(k []byte) bool {
	if !slices.ContainsFunc(s.bad, func(l *lost) bool { return l.has(k) && (l.level == 0 || !s.all) }) {
		return false
	}
	i, at := slices.BinarySearchFunc(s.leaves, k, func(l leaf, k []byte) int { return bytes.Compare(l.first, k) })
	return !at && (i == 0 || bytes.Compare(s.leaves[i-1].last, k) < 0)
}

// mend makes all fit: records, names and counts.
func (s *salvager) mend() error {
	s.inode(rootIno)
	s.count()
	for _, do := range []func(ino uint64, p *piled) error{s.attribute, s.record, s.placed} {
		for _, ino := range s.sorted() {
			if p := s.inodes[ino]; p != nil {
				if err := do(ino, p); err != nil {
					return err
				}
			}
		}
	}
	for _, n := range s.moved {
		s.say("its name is lost: %q in %s", n.name, s.path(n.dir))
	}
	for _, ino := range s.sorted() {
		if err := s.rooted(ino); err != nil {
			return err
		}
	}
	s.count()
	if err := s.found(); err != nil {
		return err
	}
	s.count()
	for _, ino := range s.sorted() {
		if err := s.store(ino, s.inodes[ino]); err != nil {
			return err
		}
	}
	return nil
}

// attribute takes out attributes of which a part is missing, or may be.
func (s *salvager) attribute(ino uint64, p *piled) error {
	list := p.attributes
	p.attributes = nil
	for i := 0; i < len(list); {
		id := func(k []byte) []byte { return k[:len(k)-3] } // all but the chunk, and its length
		size := func(k []byte) int { return int(k[len(k)-2])<<8 | int(k[len(k)-1]) }
		j, whole := i, true
		for ; j < len(list) && bytes.Equal(id(list[j]), id(list[i])); j++ {
			whole = whole && int(list[j][len(list[j])-3]) == j-i && (j == i || size(list[j-1]) == chunkSize)
		}
		if last := list[j-1]; size(last) == chunkSize && s.gap(append(bytes.Clone(id(last)), byte(j-i))) {
			whole = false // another one may have followed
		}
		if !whole {
			s.say("lost: the attribute %q of %s", id(list[i])[9:len(id(list[i]))-1], s.path(ino))
			for _, k := range list[i:j] {
				if err := s.f.t.remove(k[:len(k)-2]); err != nil {
					return err
				}
			}
		}
		i = j
	}
	return nil
}

// record gives an inode that has lost its record another, if there is anything that it could be about.
func (s *salvager) record(ino uint64, p *piled) error {
	kind := p.kind()
	if ino == rootIno && p.rec != nil && kind != syscall.S_IFDIR {
		p.rec, p.stored = nil, nil
	}
	if p.rec != nil {
		if kind == syscall.S_IFLNK && (p.broken || p.rec.size != p.target+uint64(len(p.rec.target))) {
			s.say("lost: the target of %s: it is removed", s.path(ino))
			return s.erase(ino, p)
		}
		return nil
	}
	now := s.f.now()
	rec := record{ino: ino, mode: kind | 0o600, mtime: now, ctime: now, atime: now, btime: now}
	switch {
	case ino == rootIno:
		rec.mode = syscall.S_IFDIR | 0o755
		s.say("lost: the mode, owner and times of the root directory")
	case len(p.names) == 0 && p.orphan && p.entries == 0:
		s.say("removed: what was left of inode %d, which was removed", ino)
		return s.erase(ino, p)
	case kind == syscall.S_IFDIR:
		rec.mode |= 0o100
		s.say("lost: the mode, owner and times of %s", s.path(ino))
	case kind == syscall.S_IFREG && p.blocks > 0:
		rec.size = p.next * BlockSize
		s.say("lost: the mode, owner, times and length of %s: it ends with its last block, at %d bytes", s.path(ino), rec.size)
	case kind == syscall.S_IFLNK && p.target > 0 && !p.broken:
		rec.mode |= 0o777
		rec.size = p.target
	default:
		if kind != 0 {
			s.say("lost: %s: it is removed", s.path(ino))
		}
		return s.erase(ino, p)
	}
	p.rec = &rec
	return nil
}

// erase takes out all that the tree holds of an inode that is no directory.
func (s *salvager) erase(ino uint64, p *piled) error {
	for _, n := range p.names {
		if err := s.f.t.remove(n.key); err != nil {
			return err
		}
	}
	var keys [][]byte
	if err := s.f.t.prefix(be.AppendUint64(nil, ino), func(k, v []byte) bool {
		if k[8] == kindEntry {
			return true // of one that was taken for another kind: those names go with their directory
		}
		if k[8] == kindExtent {
			if x, ok := s.f.extent(k, v); ok {
				for i := range x.sums {
					b := x.block + uint64(i)
					s.keep[b/64] &^= 1 << (b % 64)
				}
			}
		}
		keys = append(keys, k)
		return true
	}); err != nil {
		return err
	}
	for _, k := range append(keys, keyNumber(0, kindOrphan, ino)) {
		if err := s.f.t.remove(k); err != nil {
			return err
		}
	}
	delete(s.inodes, ino)
	return nil
}

// placed takes out names that cannot be: in what is no directory, the second of a directory, and the second of one name in a directory. Others are made to say what it is.
func (s *salvager) placed(ino uint64, p *piled) error {
	kept := p.names[:0:0]
	for _, n := range p.names {
		d := s.inodes[n.dir]
		twice, err := s.twice(n)
		if err != nil {
			return err
		}
		if d == nil || d.rec == nil || d.kind() != syscall.S_IFDIR || p.kind() == syscall.S_IFDIR && len(kept) > 0 || ino == n.dir || twice {
			s.say("removed: the name %q of %v in %v", n.name, inum(ino), inum(n.dir))
			if err := s.unname(p, n); err != nil {
				return err
			}
			continue
		}
		if n.kind != p.kind() {
			n.kind = p.kind()
			if err := s.f.t.put(n.key, (&entry{name: n.name, ino: ino, kind: n.kind}).encode()); err != nil {
				return err
			}
		}
		kept = append(kept, n)
	}
	p.names = kept
	return nil
}

// unname takes a name out of the tree.
func (s *salvager) unname(p *piled, n name) error {
	if bytes.Equal(p.home, n.key) {
		p.home, p.stored = nil, nil
	}
	return s.f.t.remove(n.key)
}

// twice says whether the name is in its directory once more, before.
func (s *salvager) twice(n name) (is bool, err error) {
	if n.key[16] == 0 {
		return false, nil
	}
	from := bytes.Clone(n.key)
	from[16] = 0
	err = s.f.t.scan(from, func(k, v []byte) bool {
		if bytes.Compare(k, n.key) >= 0 {
			return false
		}
		e, ok := decodeEntry(v)
		is = ok && e.name == n.name
		return !is
	})
	return is, err
}

// rooted looks for the way from a directory to the root; where it leads in a circle one name is taken out.
func (s *salvager) rooted(ino uint64) error {
	const looking, known = 1, 2
	var way []*piled
	for at := ino; at != rootIno; {
		p := s.inodes[at]
		if p == nil || p.state == known || len(p.names) == 0 {
			break
		}
		if p.state == looking {
			n := p.names[0]
			s.say("removed: the name %q of %v in %v, which was in it", n.name, inum(at), inum(n.dir))
			if err := s.unname(p, n); err != nil {
				return err
			}
			p.names = p.names[1:]
			break
		}
		p.state = looking
		way = append(way, p)
		at = p.names[0].dir
	}
	for _, p := range way {
		p.state = known
	}
	return nil
}

// found puts what has no name into /lost+found.
func (s *salvager) found() error {
	dir := uint64(0)
	for _, ino := range s.sorted() {
		p := s.inodes[ino]
		if p.orphan && (len(p.names) > 0 || p.entries > 0) {
			p.orphan = false
			if err := s.f.t.remove(keyNumber(0, kindOrphan, ino)); err != nil {
				return err
			}
		}
		if ino == rootIno || len(p.names) > 0 || p.orphan || p.rec == nil {
			continue
		}
		if dir == 0 {
			var err error
			if dir, err = s.lostAndFound(); err != nil {
				return err
			}
		}
		where := s.path(ino)
		if err := s.name(dir, "#"+strconv.FormatUint(ino, 10), ino, p); err != nil {
			return err
		}
		what := "a file"
		switch p.kind() {
		case syscall.S_IFDIR:
			what = fmt.Sprintf("a directory of %d names", p.entries)
		case syscall.S_IFREG:
			what = fmt.Sprintf("a file of %d bytes", p.rec.size)
		case syscall.S_IFLNK:
			what = "a link"
		}
		s.say("lost: the name of %s, %s: it is called %s now", strings.TrimSuffix(where, ", without a name"), what, s.path(ino))
	}
	return nil
}

// lostAndFound is the directory for what has no name, which is made if it is not there.
func (s *salvager) lostAndFound() (uint64, error) {
	for ino, p := range s.inodes {
		if p.kind() == syscall.S_IFDIR && len(p.names) > 0 && p.names[0].dir == rootIno && p.names[0].name == "lost+found" {
			return ino, nil
		}
	}
	ino := s.f.sb.nextIno
	s.f.sb.nextIno++
	p := s.inode(ino)
	now := s.f.now()
	p.rec = &record{ino: ino, mode: syscall.S_IFDIR | 0o700, mtime: now, ctime: now, atime: now, btime: now}
	return ino, s.name(rootIno, "lost+found", ino, p)
}

// name gives an inode another name: the one that is asked for, or, if that is taken, it with a number behind.
func (s *salvager) name(dir uint64, as string, ino uint64, p *piled) error {
	d := &inode{rec: record{ino: dir}}
	for i, base := 0, as; ; i++ {
		if i > 0 {
			as = base + "." + strconv.Itoa(i)
		}
		at, err := s.f.find(d, as)
		if err == errDamaged || err == nil && at.have {
			continue
		}
		if err != nil {
			return err
		}
		n := name{at.key, dir, as, p.kind()}
		p.names = append(p.names, n)
		return s.f.t.put(at.key, (&entry{name: as, ino: ino, kind: n.kind}).encode())
	}
}

// store writes the record of an inode, with its counts, where it is not as it was.
func (s *salvager) store(ino uint64, p *piled) error {
	t := &s.f.t
	if p.rec == nil {
		return nil // what others say of it was taken out
	}
	r := p.rec
	if missing := r.blocks - min(r.blocks, p.blocks+p.punched); missing > 0 && p.stored != nil {
		s.say("lost: %d blocks of %s: they read as zeroes", missing, s.path(ino))
	}
	r.nlink, r.blocks = uint32(len(p.names)), p.blocks
	if p.kind() == syscall.S_IFDIR {
		if missing := r.size - min(r.size, p.entries); missing > 0 && p.stored != nil {
			s.say("lost: %d names in %s", missing, s.path(ino))
		}
		if r.size = p.entries; len(p.names) > 0 || ino == rootIno {
			r.nlink = 2 + p.subdirs
		}
	}
	same := p.stored != nil && *r == *p.stored
	if p.home != nil && len(p.names) == 1 {
		if same {
			return nil
		}
		return t.put(p.home, (&entry{name: p.names[0].name, ino: ino, rec: r}).encode())
	}
	if p.home != nil {
		i := slices.IndexFunc(p.names, func(n name) bool { return bytes.Equal(n.key, p.home) })
		if i >= 0 {
			if err := t.put(p.home, (&entry{name: p.names[i].name, ino: ino, kind: p.kind()}).encode()); err != nil {
				return err
			}
		}
	}
	if p.own && same {
		return nil
	}
	return t.put(key(ino, kindRecord), r.encode(nil))
}

// commit makes all that was changed durable, in one step.
func (s *salvager) commit() error {
	f := s.f
	if _, err := f.t.load(f.t.root, -1); err != nil {
		return err
	}
	a := &f.al
	for g := range a.groups {
		a.groups[g].dirty = true
	}
	for b := uint64(0); b < a.blocks; b++ {
		if s.marked(b) || s.was[b/64]>>(b%64)&1 != 0 {
			a.set(b) // what the volume does not need any more is free for the next commit
		}
	}
	a.count(f.sb.backup)
	for b := uint64(0); b < a.blocks; b++ {
		if !s.marked(b) && a.is(b) {
			a.giveUp(span{b, 1})
		}
	}
	if uint64(f.t.dirty) > a.free() {
		return errFull
	}
	f.disown()
	for range 2 { // the superblock is at one place after the other; that of a commit behind this one is overwritten first
		f.change++
		if err := f.commit(); err != nil {
			return err
		}
		f.t.freed = func(uint64) {}
	}
	return nil
}
