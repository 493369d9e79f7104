package cffs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A salvage is a repair that loses what is lost: it leaves a volume that is whole, of what can be read. It makes one commit of all that it changes, so that a crash leaves the volume as it was or as it is to be, and
// writes to nothing that the commit before uses.
//
// Nodes of the tree that cannot be read are left out. Those below one of them are looked for on the volume: blocks that the bitmaps have as used and that are leaves of this volume, with their own place in them, a right sum and no
// generation above the superblock's. Nothing that a tree uses is overwritten, and what it does not use counts as free, so they are the current ones. Where the bitmaps are not known old leaves are found, too: of those whose keys
// overlap, or that have one block or one inode's record, the newest counts; one whose keys were all removed since, and whose blocks nobody has, comes back. Blocks of files that others left there may look like leaves: those of files that are known do not count.

// SalvageOptions say what more a salvage may lose.
type SalvageOptions struct {
	Back  bool // the last commit, where it cannot be read
	Holes bool // the places of blocks of files that cannot be read: they read as zeroes from then on, and give EIO without this
}

// A leaf is one that can be read.
type leaf struct {
	ref         *ref
	first, last []byte
	gen         uint64
}

// A salvager is one salvage at work.
type salvager struct {
	f      *FS
	holes  bool
	leaves []leaf
	inner  []uint64 // blocks of nodes above them
	bad    []*lost
	seen   map[uint64]bool
	lost   map[uint64]bool // groups whose bitmaps are not known
	all    bool            // every leaf below such nodes was found
	keep   []uint64        // a bit for each block that the volume is to use
	was    []uint64        // and for each that it is known to use now: nothing is written there
	inodes map[uint64]*piled
	moved  []name            // names that lie at a wrong place
	said   []told            // what it did
	shared []uint64          // a bit for each block that several extents have; nil: none is
	right  []uint64          // and for those of them that have the sum that one of these tells
	have   map[uint64]uint32 // their sums, of those that were looked at and can be read
	one    []byte            // to look at a block
}

// A piled is what was found of an inode.
type piled struct {
	rec        *record
	stored     *record // what the tree has
	home       []byte  // the entry that holds the record; nil: it is on its own
	own        bool    // the tree has a record of its own
	names      []name
	entries    uint64
	subdirs    uint32
	blocks     uint64
	next       uint64 // behind the last extent
	target     uint64 // bytes, of chunks
	broken     bool   // a chunk of the target is missing
	orphan     bool
	punched    uint64   // blocks that were made holes
	state      byte     // of the search for a way to the root
	attributes [][]byte // their keys, each with the length of its value (2 bytes) behind it
}

// A name is an entry.
type name struct {
	key  []byte
	dir  uint64
	name string
	kind uint32
}

// Salvage repairs what Repair does and, told to lose what is lost, all other damage that Check finds: of a volume with right superblocks it leaves one that Check finds whole, but for data of files that cannot be read unless
// these are made holes. What has no name gets one in /lost+found, by its number. done says what it did, and what Check does not say of what was lost. On an error the volume is as it was. Errors: those of Check and of the device, ErrAfter, and
// one that says that the volume is full.
func Salvage(dev block.Device, o SalvageOptions) (done []string, err error) {
	r, err := Check(dev, o.Holes)
	if err != nil || len(r.Problems) == 0 {
		return nil, err
	}
	f, err := begin(dev, Options{})
	if err != nil {
		return nil, err
	}
	if err := f.repairable(r); err != nil {
		return nil, err
	}
	s := &salvager{f: f, holes: o.Holes, seen: map[uint64]bool{}, keep: make([]uint64, (f.sb.blocks+63)/64), was: make([]uint64, (f.sb.blocks+63)/64), inodes: map[uint64]*piled{}}
	for _, p := range r.Problems {
		switch {
		case p.after && !o.Back:
			return nil, ErrAfter
		case p.after:
			s.say("went back to the commit before the last: %s", p.What)
		case !p.Loss:
			s.say("mended: %s", p.What)
		}
	}
	if err := f.inquire(); err == errFreed {
		return nil, f.overtaken()
	} else if err != nil {
		return nil, err
	}
	f.lock()
	defer f.unlock()
	if err := f.dev.Flush(); err != nil { // FORMAT.md, "Owner"
		return nil, err
	}
	if err := s.run(); err != nil {
		if err == errFull {
			err = errors.New("cffs: there is no room for what a repair writes: make the volume's disk larger, or copy what can be read, and format anew")
		}
		return nil, err
	}
	for _, t := range s.said {
		for i, a := range t.args {
			if ino, is := a.(inum); is {
				t.args[i] = s.path(uint64(ino))
			}
		}
		done = append(done, fmt.Sprintf(t.format, t.args...))
	}
	return done, nil
}

// say notes what was done. Arguments that are an inum are told as it is called in the end.
func (s *salvager) say(format string, args ...any) {
	s.said = append(s.said, told{format: format, args: args})
}

func (s *salvager) run() error {
	f := s.f
	s.lost, _ = f.maps()
	f.t.freed = func(b uint64) { s.keep[b/64] &^= 1 << (b % 64) } // what the commit does not use is found in the end
	s.node(f.t.root, int(f.sb.rootLevel), nil, nil)
	for g := range f.al.groups {
		reserved(g, f.sb.backup, func(b uint64) { s.mark(b) })
	}
	if slices.ContainsFunc(s.bad, func(l *lost) bool { return l.level > 0 }) {
		if err := s.scan(); err != nil {
			return err
		}
	}
	for _, l := range s.leaves {
		s.mark(l.ref.addr)
	}
	for _, b := range s.inner {
		s.used(b)
	}
	if len(s.bad) > 0 {
		s.build()
	} else {
		for _, b := range s.inner {
			s.mark(b)
		}
	}
	if _, err := f.t.load(f.t.root, -1); err != nil {
		return err
	}
	if err := s.contest(); err != nil {
		return err
	}
	for i := range s.leaves {
		if err := s.leaf(i); err != nil {
			return err
		}
		f.t.trim(f.sb.gen)
	}
	if err := s.mend(); err != nil {
		return err
	}
	return s.commit()
}

// mark notes that the volume is to use a block; it says whether it was free to be.
func (s *salvager) mark(b uint64) bool {
	if s.marked(b) {
		return false
	}
	s.keep[b/64] |= 1 << (b % 64)
	s.used(b)
	return true
}

func (s *salvager) used(b uint64) { s.was[b/64] |= 1 << (b % 64) }

func (s *salvager) marked(b uint64) bool { return s.keep[b/64]>>(b%64)&1 != 0 }

// node finds the leaves below r that can be read, with keys in [lo, hi).
func (s *salvager) node(r *ref, level int, lo, hi []byte) {
	out := func() {
		s.bad = append(s.bad, &lost{addr: r.addr, level: level, lo: lo, hi: hi})
		s.say("left out: the tree's node at block %d", r.addr)
	}
	if s.seen[r.addr] {
		out()
		return
	}
	b, err := s.f.readNode(r)
	if err != nil {
		out()
		return
	}
	n := decodeNode(b, r.addr, &s.f.sb.uuid)
	if n == nil || int(n.level) != level || len(n.keys) == 0 || s.f.reserved(r.addr) {
		out()
		return
	}
	in := func(k []byte) bool { return bytes.Compare(k, lo) >= 0 && (hi == nil || bytes.Compare(k, hi) < 0) }
	for i, k := range n.keys {
		if (i > 0 || level == 0) && !in(k) {
			out()
			return
		}
	}
	s.seen[r.addr] = true
	if level == 0 {
		s.leaves = append(s.leaves, leaf{&ref{addr: r.addr, sum: r.sum}, n.keys[0], n.keys[len(n.keys)-1], le.Uint64(b[8:])})
		return
	}
	s.inner = append(s.inner, r.addr)
	for i, k := range n.kids {
		a, z := lo, hi
		if i > 0 {
			a = n.keys[i]
		}
		if i+1 < len(n.keys) {
			z = n.keys[i+1]
		}
		s.node(k, level-1, a, z)
	}
}

// reserved says whether a block is one that is never given out.
func (f *FS) reserved(b uint64) (is bool) {
	reserved(int(b/groupBlocks), f.sb.backup, func(r uint64) { is = is || r == b })
	return is || b == f.sb.backup || b == f.sb.backup+1
}

// holds calls do for each extent that a leaf has, and record for the inode of each record.
func (f *FS) holds(b []byte, addr uint64, do func(x extent), record func(ino uint64)) {
	n := decodeNode(b, addr, &f.sb.uuid)
	if n == nil {
		return
	}
	for i, v := range n.vals {
		switch k := n.keys[i]; k[8] {
		case kindExtent:
			if x, ok := f.extent(k, v); ok {
				do(x)
			}
		case kindEntry:
			if e, ok := decodeEntry(v); ok && e.rec != nil {
				record(e.ino)
			}
		case kindRecord:
			record(be.Uint64(k))
		}
	}
}

// scan looks on the volume for leaves below nodes that cannot be read.
func (s *salvager) scan() error {
	f := s.f
	data := make([]uint64, len(s.keep)) // of files
	claim := func(x extent) {
		for b := x.block; b < x.block+uint64(len(x.sums)); b++ {
			data[b/64] |= 1 << (b % 64)
		}
	}
	records := map[uint64]bool{}
	recorded := func(ino uint64) { records[ino] = true }
	for _, l := range s.leaves {
		if b, err := f.readNode(l.ref); err == nil {
			f.holds(b, l.ref.addr, claim, recorded)
		}
	}
	isData := func(b uint64) bool { return data[b/64]>>(b%64)&1 != 0 }
	// contradicted says of a leaf whether what is known has its blocks otherwise, or records of its inodes.
	contradicted := func(b []byte, addr uint64) (is bool) {
		f.holds(b, addr, func(x extent) {
			for at := x.block; at < x.block+uint64(len(x.sums)); at++ {
				is = is || isData(at) || s.marked(at)
			}
		}, func(ino uint64) { is = is || records[ino] })
		return is
	}
	var list []leaf
	odd := make([]uint64, len(s.keep)) // blocks in use that are no nodes
	buf := make([]byte, 256*BlockSize)
	for at := uint64(0); at < f.al.blocks; at += 256 {
		n := min(256, f.al.blocks-at)
		any := false
		wanted := func(b uint64) bool {
			return (s.lost[b/groupBlocks] || f.al.is(b)) && !s.marked(b) && !s.seen[b] && !isData(b)
		}
		for i := range n {
			any = any || wanted(at+i)
		}
		if !any {
			continue
		}
		whole := f.dev.Read([][]byte{buf[:n*BlockSize]}, int64(at)*BlockSize) == nil
		for i := range n {
			b := buf[i*BlockSize:][:BlockSize]
			if !wanted(at + i) {
				continue
			}
			odd[(at+i)/64] |= 1 << ((at + i) % 64)
			if !whole && f.dev.Read([][]byte{b}, int64(at+i)*BlockSize) != nil {
				continue
			}
			if le.Uint32(b[4:]) != nodeMagic || le.Uint64(b[16:]) != at+i || le.Uint64(b[8:]) > f.sb.gen || !sealed(b) {
				continue
			}
			m := decodeNode(bytes.Clone(b), at+i, &f.sb.uuid)
			if m == nil || len(m.keys) == 0 {
				continue
			}
			if odd[(at+i)/64] &^= 1 << ((at + i) % 64); m.level > 0 {
				continue
			}
			first, last := m.keys[0], m.keys[len(m.keys)-1]
			if slices.ContainsFunc(s.bad, func(l *lost) bool { return l.level > 0 && l.has(first) && l.has(last) }) {
				list = append(list, leaf{&ref{addr: at + i, sum: le.Uint32(b)}, bytes.Clone(first), bytes.Clone(last), le.Uint64(b[8:])})
			}
		}
	}
	slices.SortFunc(list, func(a, b leaf) int {
		return cmp.Or(cmp.Compare(b.gen, a.gen), cmp.Compare(a.ref.addr, b.ref.addr))
	})
	var found []leaf // by key
	for _, l := range list {
		b, err := f.readNode(l.ref)
		if err != nil || isData(l.ref.addr) || s.lost != nil && contradicted(b, l.ref.addr) {
			continue // of two leaves that contradict each other the older one is of no tree any more
		}
		i, _ := slices.BinarySearchFunc(found, l.first, func(x leaf, k []byte) int { return bytes.Compare(x.first, k) })
		if i > 0 && bytes.Compare(found[i-1].last, l.first) >= 0 || i < len(found) && bytes.Compare(found[i].first, l.last) <= 0 {
			continue
		}
		found = slices.Insert(found, i, l)
		f.holds(b, l.ref.addr, claim, recorded)
	}
	s.leaves = append(s.leaves, found...)
	for _, l := range s.bad {
		if l.addr < f.al.blocks {
			odd[l.addr/64] &^= 1 << (l.addr % 64)
		}
	}
	s.all = s.lost == nil && len(found) == len(list)
	for b := uint64(0); b < f.al.blocks && s.all; b++ {
		s.all = odd[b/64]>>(b%64)&1 == 0 || isData(b) || f.reserved(b)
	}
	s.say("found again: %d leaves of the tree, below nodes that cannot be read", len(found))
	return nil
}

// build makes a new tree above the leaves that there are.
func (s *salvager) build() {
	t := &s.f.t
	slices.SortFunc(s.leaves, func(a, b leaf) int { return bytes.Compare(a.first, b.first) })
	fresh := func(n *node) *ref {
		n.dirty = true
		n.resize()
		t.dirty++
		t.loads.Add(1)
		r := &ref{}
		r.n.Store(n)
		return r
	}
	var refs []*ref
	var keys [][]byte
	for _, l := range s.leaves {
		refs, keys = append(refs, l.ref), append(keys, l.first)
	}
	if len(refs) == 0 {
		t.root = fresh(&node{})
		return
	}
	for level := byte(1); len(refs) > 1; level++ {
		var up []*ref
		var upKeys [][]byte
		for i := 0; i < len(refs); {
			n, size, first := &node{level: level}, 0, i
			for ; i < len(refs) && size+14+len(keys[i]) <= nodeRoom*9/10; i++ {
				n.keys, n.kids = append(n.keys, keys[i]), append(n.kids, refs[i])
				size += 14 + len(keys[i])
			}
			up, upKeys = append(up, fresh(n)), append(upKeys, keys[first])
		}
		refs, keys = up, upKeys
	}
	t.root = refs[0]
}

func (s *salvager) inode(ino uint64) *piled {
	p := s.inodes[ino]
	if p == nil {
		p = &piled{}
		s.inodes[ino] = p
	}
	return p
}

// leaf takes in what a leaf holds, and takes out of the tree what makes no sense.
func (s *salvager) leaf(i int) error {
	f := s.f
	b, err := f.readNode(s.leaves[i].ref)
	if err != nil {
		return err
	}
	n := decodeNode(b, s.leaves[i].ref.addr, &f.sb.uuid)
	if n == nil {
		return errDamaged
	}
	for j, k := range n.keys {
		why, err := s.item(bytes.Clone(k), bytes.Clone(n.vals[j]))
		if err != nil {
			return err
		}
		if why != nil {
			s.say("removed: "+why.format, why.args...)
			if err := f.t.remove(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// out is why an item is to be taken out.
func out(format string, args ...any) *told { return &told{format: format, args: args} }

// item takes in one item; why says that it is to be taken out of the tree.
func (s *salvager) item(k, v []byte) (why *told, err error) {
	ino, kind := be.Uint64(k), k[8]
	if ino == 0 {
		if kind == kindOrphan && len(k) == 17 && be.Uint64(k[9:]) != 0 && s.number(be.Uint64(k[9:])) {
			s.inode(be.Uint64(k[9:])).orphan = true
			return nil, nil
		}
		return out("a key that makes no sense: %x", k), nil
	}
	if !s.number(ino) {
		return out("a key of an inode that cannot be: %d", ino), nil
	}
	p := s.inode(ino)
	switch {
	case kind == kindRecord && len(k) == 9:
		rec, ok := decodeRecord(v)
		if !ok || rec.ino != ino || p.rec != nil {
			return out("a record of %v that makes no sense, or is the second", inum(ino)), nil
		}
		stored := rec
		p.rec, p.stored, p.own = &rec, &stored, true
	case kind == kindEntry && len(k) == 17:
		return s.entry(ino, k, v)
	case kind == kindExtent && len(k) == 17:
		return s.extent(ino, p, k, v)
	case kind == kindXattr && len(k) >= 12 && k[len(k)-2] == 0:
		p.attributes = append(p.attributes, append(k, byte(len(v)>>8), byte(len(v)))) // with how long the chunk is
	case kind == kindTarget && len(k) == 10:
		if uint64(k[9])*chunkSize != p.target {
			p.broken = true
		}
		p.target += uint64(len(v))
	default:
		return out("a key of no known kind: %x", k), nil
	}
	return nil, nil
}

// number says whether an inode can have a number, which is not given out again then.
func (s *salvager) number(ino uint64) bool {
	if ino >= 1<<62 {
		return false
	}
	s.f.sb.nextIno = max(s.f.sb.nextIno, ino+1)
	return true
}

func (s *salvager) entry(dir uint64, k, v []byte) (why *told, err error) {
	e, ok := decodeEntry(v)
	if !ok || e.ino == rootIno || !s.number(e.ino) {
		return out("a name in %v that makes no sense", inum(dir)), nil
	}
	p := s.inode(e.ino)
	if e.rec != nil && p.rec == nil {
		rec, stored := *e.rec, *e.rec
		p.rec, p.stored, p.home = &rec, &stored, k
	} else if e.rec != nil { // the second record
		e.rec = nil
		if err := s.f.t.put(k, e.encode()); err != nil {
			return nil, err
		}
	}
	n := name{k, dir, e.name, e.kind}
	if be.Uint64(k[9:])>>8 != cookieBase(&s.f.sb.uuid, e.name)>>8 {
		s.moved = append(s.moved, n)
		if string(p.home) == string(k) {
			p.home = nil
		}
		return out("the name %q in %v at a wrong place", e.name, inum(dir)), nil
	}
	p.names = append(p.names, n)
	return nil, nil
}

// extents calls do for the extents of all leaves that make sense, in the order of keys, and before any is changed.
func (s *salvager) extents(do func(x extent)) error {
	f := s.f
	ino, next := uint64(0), uint64(0)
	for i := range s.leaves {
		b, err := f.readNode(s.leaves[i].ref)
		if err != nil {
			return err
		}
		n := decodeNode(b, s.leaves[i].ref.addr, &f.sb.uuid)
		if n == nil {
			return errDamaged
		}
		for j, k := range n.keys {
			if k[8] != kindExtent {
				continue
			}
			if at := be.Uint64(k); at != ino {
				ino, next = at, 0
			}
			if x, ok := f.extent(k, n.vals[j]); ok && x.first() >= next {
				next = x.last + 1
				do(x)
			}
		}
	}
	return nil
}

// contest finds the blocks that several extents have, and of these the ones that have the sum that one of them tells.
func (s *salvager) contest() error {
	once, twice := make([]uint64, len(s.keep)), make([]uint64, len(s.keep))
	any := false
	if err := s.extents(func(x extent) {
		for b := x.block; b < x.block+uint64(len(x.sums)); b++ {
			if once[b/64]>>(b%64)&1 != 0 {
				twice[b/64] |= 1 << (b % 64)
				any = true
			}
			once[b/64] |= 1 << (b % 64)
		}
	}); err != nil || !any {
		return err
	}
	clear(once)
	seen := make([]uint64, len(s.keep))
	s.shared, s.right, s.have = twice, once, map[uint64]uint32{}
	return s.extents(func(x extent) {
		for i, want := range x.sums {
			b := x.block + uint64(i)
			at, bit := b/64, uint64(1)<<(b%64)
			if twice[at]&bit == 0 {
				continue
			}
			if seen[at]&bit == 0 {
				seen[at] |= bit
				s.look(b)
			}
			if s.has(b, want) {
				s.right[at] |= bit
			}
		}
	})
}

// look reads a shared block for its sum. Each is read once, however many extents have it: a tree in which all have one place would have a thousand times its size read, and a block that cannot be read at times would be
// one extent's, and then nobody's.
func (s *salvager) look(b uint64) {
	if s.one == nil {
		s.one = make([]byte, BlockSize)
	}
	if s.f.dev.Read([][]byte{s.one}, int64(b)*BlockSize) == nil {
		s.have[b] = s.f.dataSum(s.one)
	}
}

// has says whether a shared block could be read and has a sum.
func (s *salvager) has(b uint64, want uint32) bool {
	sum, read := s.have[b]
	return read && sum == want
}

// anothers says whether a block is not an extent's that tells its sum: it is part of the tree, or it went to the extent that tells the sum that it has; the first one of several.
func (s *salvager) anothers(b uint64, want uint32) bool {
	if s.marked(b) {
		return true
	}
	return s.several(b) && s.right[b/64]>>(b%64)&1 != 0 && !s.has(b, want)
}

// several says whether more than one extent has a block.
func (s *salvager) several(b uint64) bool {
	return s.shared != nil && s.shared[b/64]>>(b%64)&1 != 0
}

// extent takes in an extent. What of its blocks is another's is taken out, and becomes a hole; and so is, if holes are to be made, what cannot be read.
func (s *salvager) extent(ino uint64, p *piled, k, v []byte) (why *told, err error) {
	f := s.f
	x, ok := f.extent(k, v)
	if !ok || x.first() < p.next {
		return out("an extent of %v that makes no sense", inum(ino)), nil
	}
	p.next = x.last + 1
	kept := make([]bool, len(x.sums))
	others, first := 0, uint64(0)
	for i, want := range x.sums {
		b := x.block + uint64(i)
		if s.anothers(b, want) {
			if others++; others == 1 {
				first = b
			}
			continue
		}
		kept[i] = s.mark(b)
	}
	if others > 0 {
		s.say("made holes, which read as zeroes, of %d blocks of %v that are another's, the first is block %d", others, inum(ino), first)
	}
	bad := 0
	if s.holes {
		if bad = s.unreadable(x, kept); bad > 0 {
			s.say("made holes, which read as zeroes, of %d blocks of %v that cannot be read", bad, inum(ino))
		}
	}
	p.blocks += uint64(len(x.sums) - others - bad)
	p.punched += uint64(others + bad)
	if others+bad == 0 {
		return nil, nil
	}
	if err := f.t.remove(k); err != nil {
		return nil, err
	}
	for i := 0; i < len(kept); i++ {
		n := 0
		for i+n < len(kept) && kept[i+n] {
			n++
		}
		if n > 0 {
			q := x.part(x.first()+uint64(i), x.first()+uint64(i+n-1))
			if err := f.t.put(keyNumber(ino, kindExtent, q.last), q.encode()); err != nil {
				return nil, err
			}
			i += n
		}
	}
	return nil, nil
}

// unreadable finds those of the kept blocks of an extent that cannot be read: they are not kept, and how many is told. What no other extent has is read.
func (s *salvager) unreadable(x extent, kept []bool) (bad int) {
	f := s.f
	drop := func(i int) {
		bad++
		kept[i] = false
		at := x.block + uint64(i)
		s.keep[at/64] &^= 1 << (at % 64)
	}
	alone := func(i int) bool { return kept[i] && !s.several(x.block+uint64(i)) }
	for i := 0; i < len(kept); i++ {
		if kept[i] && !alone(i) && !s.has(x.block+uint64(i), x.sums[i]) {
			drop(i)
		}
		n := 0
		for i+n < len(kept) && alone(i+n) {
			n++
		}
		if n == 0 {
			continue
		}
		b := make([]byte, n*BlockSize)
		whole := f.dev.Read([][]byte{b}, int64(x.block+uint64(i))*BlockSize) == nil
		for k := range n {
			one := b[k*BlockSize:][:BlockSize]
			if !whole && f.dev.Read([][]byte{one}, int64(x.block+uint64(i+k))*BlockSize) != nil || f.dataSum(one) != x.sums[i+k] {
				drop(i + k)
			}
		}
		i += n - 1
	}
	return bad
}
