package cffs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A check speaks of inodes and keys, and its report of paths and bytes. The paths are made once, by another walk of the tree, where there is anything to tell.

// Among the arguments of a problem these are turned into words.
type (
	inum uint64 // an inode: its paths
	gap  *lost  // what a node that cannot be read held
)

// A piece is blocks of a file that cannot be read: its bytes.
type piece struct {
	ino uint64
	span
	why string
}

// A lost is what a node that cannot be read held: keys in [lo, hi); nil: from the first key on, to the last.
type lost struct {
	addr   uint64
	level  int // -1: it is not known
	lo, hi []byte
	prev   []byte // the last key before it that could be read; nil for none
}

// has says whether a key was in it.
func (l *lost) has(k []byte) bool {
	return bytes.Compare(k, l.lo) >= 0 && (l.hi == nil || bytes.Compare(k, l.hi) < 0)
}

// A told is a problem before it is put in words.
type told struct {
	loss   bool
	format string
	args   []any
}

// maxPaths is how many names of one inode, and inodes of one node, are told.
const maxPaths = 20

// A namer knows the names of inodes.
type namer struct {
	names map[uint64][]parent // of all directories, and of those inodes that are asked for
}

// A parent is a directory and a name in it.
type parent struct {
	dir  uint64
	name string
}

// namer goes through what can be read of the tree for the names of those inodes, and of directories.
func (c *checker) namer(wanted map[uint64]bool) *namer {
	n := &namer{map[uint64][]parent{}}
	c.again(c.f.t.root, -1, map[uint64]bool{}, func(k, v []byte) {
		if len(k) != 17 || k[8] != kindEntry {
			return
		}
		if e, ok := decodeEntry(v); ok && (e.kind == syscall.S_IFDIR || wanted[e.ino]) && len(n.names[e.ino]) <= maxPaths {
			n.names[e.ino] = append(n.names[e.ino], parent{be.Uint64(k), e.name})
		}
	})
	return n
}

// again calls f for all that can be read below r. Nodes do not stay in memory, and none is looked at twice.
func (c *checker) again(r *ref, level int, seen map[uint64]bool, f func(k, v []byte)) {
	if seen[r.addr] {
		return
	}
	b, err := c.f.readNode(r)
	if err != nil {
		return
	}
	n := decodeNode(b, r.addr, &c.f.sb.uuid)
	if n == nil || level >= 0 && int(n.level) != level {
		return
	}
	seen[r.addr] = true
	for _, k := range n.kids {
		c.again(k, int(n.level)-1, seen, f)
	}
	for i, v := range n.vals {
		f(n.keys[i], v)
	}
}

// paths are those of an inode, quoted where they hold what is not printed; none for one without a name, or in a directory without one.
func (n *namer) paths(ino uint64) (list []string) {
	if ino == rootIno {
		return []string{"/"}
	}
	for _, p := range n.names[ino] {
		if s, ok := n.join(p); ok {
			list = append(list, s)
		}
	}
	return list
}

// join is the path of a name; ok is false if it is not below the root.
func (n *namer) join(p parent) (path string, ok bool) {
	parts := []string{p.name}
	for ok = true; ok && p.dir != rootIno; {
		up := n.names[p.dir]
		switch {
		case len(up) == 0:
			ok = false
		case len(parts) > maxDepth:
			return parts[0], false
		default:
			p = up[0]
			parts = append(parts, p.name)
		}
	}
	slices.Reverse(parts)
	if path = strings.Join(parts, "/"); ok {
		path = "/" + path
	}
	return path, ok
}

// maxDepth is how deep a path is told. A directory may lie in itself on a damaged volume.
const maxDepth = 4096

// shown is a path as it is told.
func shown(path string) string {
	if q := strconv.Quote(path); q != `"`+path+`"` || strings.ContainsAny(path, " ,:") {
		return q
	}
	return path
}

// call says how an inode is called.
func (n *namer) call(ino uint64) string {
	number := "inode " + strconv.FormatUint(ino, 10)
	list := n.paths(ino)
	for i := range list {
		list[i] = shown(list[i])
	}
	switch {
	case len(list) > maxPaths:
		return strings.Join(list[:maxPaths], " and ") + " and more (" + number + ")"
	case len(list) > 0:
		return strings.Join(list, " and ") + " (" + number + ")"
	case len(n.names[ino]) > 0:
		p, _ := n.join(n.names[ino][0])
		return number + ", called " + shown(p) + " in a directory without a name"
	}
	return number + ", without a name"
}

// tell puts what was found in words.
func (c *checker) tell() {
	if len(c.found) == 0 {
		return
	}
	wanted := map[uint64]bool{}
	for _, t := range c.found {
		for _, a := range t.args {
			switch a := a.(type) {
			case inum:
				wanted[uint64(a)] = true
			case gap:
				for _, ino := range c.within(a) {
					wanted[ino] = true
				}
			}
		}
	}
	n := c.namer(wanted)
	for _, t := range c.found {
		for i, a := range t.args {
			switch a := a.(type) {
			case inum:
				t.args[i] = n.call(uint64(a))
			case gap:
				t.args[i] = c.words(a, n)
			case piece:
				t.args[i] = a.bytes(c.inodes[a.ino])
			}
		}
		c.r.Problems = append(c.r.Problems, Problem{What: fmt.Sprintf(t.format, t.args...), Loss: t.loss})
	}
}

// edges are the first and the last inode of which a node may have held anything.
func (l *lost) edges() (first, last uint64) {
	last = 1<<64 - 1
	if len(l.lo) >= 8 {
		first = be.Uint64(l.lo)
	}
	if len(l.hi) >= 8 {
		if last = be.Uint64(l.hi); len(l.hi) == 9 && l.hi[8] == 0 && last > 0 {
			last-- // it begins with the first key that an inode can have
		}
	}
	return first, last
}

// within are the inodes of which a node held something, as far as can be told by what is left: those at its edges, and those between that miss something. At most maxPaths and one.
func (c *checker) within(l *lost) (list []uint64) {
	first, last := l.edges()
	for ino, s := range c.inodes {
		if ino == 0 || ino < first || ino > last || ino != first && ino != last && !s.misses() {
			continue
		}
		list = append(list, ino)
	}
	for _, ino := range []uint64{max(first, rootIno), last} { // one of which nothing else is left
		if c.inodes[ino] == nil && ino > 0 && ino < c.f.sb.nextIno {
			list = append(list, ino)
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), maxPaths+1)]
}

// misses says whether something of an inode was not found.
func (s *seen) misses() bool {
	return s.rec == nil || s.rec.blocks > s.blocks || s.dir() && s.rec.size > s.entries || s.rec.mode&syscall.S_IFMT == syscall.S_IFLNK && s.rec.size > s.target+uint64(len(s.rec.target))
}

// dir says whether it is a directory, as far as is known.
func (s *seen) dir() bool {
	if s.rec != nil {
		return s.rec.mode&syscall.S_IFMT == syscall.S_IFDIR
	}
	return s.kind == syscall.S_IFDIR || s.kind == 0 && s.entries > 0
}

// words says what a node that cannot be read held.
func (c *checker) words(l *lost, n *namer) string {
	if l.lo == nil && l.hi == nil {
		return "all files and directories"
	}
	var list []string
	for i, ino := range c.within(l) {
		if i == maxPaths {
			list = append(list, "and of more")
			break
		}
		s := c.inodes[ino]
		if s == nil {
			s = &seen{}
		}
		lo, hi := l.of(ino)
		holds := func(kind byte) bool { // keys of that kind
			return (lo == nil || lo[8] <= kind) && (hi == nil || hi[8] > kind || hi[8] == kind && len(hi) > 9)
		}
		switch {
		case (s.dir() || ino == rootIno) && holds(kindEntry):
			list = append(list, "names in "+n.call(ino))
		case s.rec != nil && s.rec.mode&syscall.S_IFMT == syscall.S_IFLNK && holds(kindTarget):
			list = append(list, "the target of "+n.call(ino))
		case !s.dir() && holds(kindExtent):
			list = append(list, c.bytes(s, l, lo, hi)+" of "+n.call(ino))
		default:
			list = append(list, "attributes of "+n.call(ino))
		}
	}
	if len(list) == 0 {
		return "nothing that has a name"
	}
	return strings.Join(list, ", ")
}

// of are the bounds of what was lost of one inode; nil for none.
func (l *lost) of(ino uint64) (lo, hi []byte) {
	if len(l.lo) >= 9 && be.Uint64(l.lo) == ino {
		lo = l.lo
	}
	if len(l.hi) >= 9 && be.Uint64(l.hi) == ino {
		hi = l.hi
	}
	return lo, hi
}

// bytes says which of a file may be lost where the extents between two keys are.
func (c *checker) bytes(s *seen, l *lost, lo, hi []byte) string {
	from, to := uint64(0), uint64(0)
	if lo != nil && l.prev != nil && len(l.prev) == 17 && bytes.Equal(l.prev[:9], lo[:min(9, len(lo))]) {
		from = be.Uint64(l.prev[9:]) + 1
	}
	if hi != nil && len(hi) == 17 && hi[8] == kindExtent {
		to = be.Uint64(hi[9:]) + 1 // the extent that is there ends there
		if k, ok := c.after[l]; ok {
			to = min(to, k)
		}
	}
	return span{from, to - min(from, to)}.bytes(s)
}

// bytes says which bytes of a file its blocks hold; none: all from the first on.
func (b span) bytes(s *seen) string {
	from, to := b.first*BlockSize, (b.first+b.n)*BlockSize
	if s != nil && s.rec != nil && (b.n == 0 || to > s.rec.size) {
		to = s.rec.size
		if to <= from {
			return "space that is set aside behind the end"
		}
	} else if b.n == 0 {
		return "bytes from " + strconv.FormatUint(from, 10) + " on"
	}
	return "bytes " + strconv.FormatUint(from, 10) + " to " + strconv.FormatUint(to-1, 10)
}
