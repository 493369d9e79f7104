package cffs

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A Problem is one thing that is wrong with a volume.
type Problem struct {
	What string
	Loss bool // something is lost, or would be by a repair; false: only blocks that nobody uses count as used

	after bool // it is that nobody can tell whether the last commit is whole
}

func (p Problem) String() string { return p.What }

// A Report is what Check found.
type Report struct {
	Problems    []Problem
	Files, Dirs uint64
	Blocks      uint64 // that the tree and data use
	More        int    // problems beyond those listed
	sb          *super
	last        []byte   // that one, as bytes
	used        []uint64 // a bit for each block in use
	groups      int
	loss        bool // one of all problems, listed or not, is a loss
}

// maxProblems is how many are listed.
const maxProblems = 1000

// add notes a problem. Arguments that are an inum or a gap are put in words when all is known.
func (c *checker) add(loss bool, format string, args ...any) {
	if loss {
		c.r.loss = true
	}
	if len(c.found) == maxProblems {
		c.r.More++
		return
	}
	c.found = append(c.found, told{loss, format, args})
}

// Check looks at all of the volume on dev, which must not be mounted, and changes nothing: every block of the tree, and with data the sums of all data. An error says that there is nothing to
// look at; what is damaged is in the Report.
func Check(dev block.Device, data bool) (*Report, error) {
	f, err := begin(dev, Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	r := &Report{sb: &f.sb, last: f.last, used: make([]uint64, (f.sb.blocks+63)/64), groups: groupsOf(f.sb.blocks)}
	c := checker{f: f, r: r, data: data, inodes: map[uint64]*seen{}, after: map[*lost]uint64{}}
	if f.after != nil && f.after.err != nil {
		r.Problems = append(r.Problems, Problem{What: f.after.String() + ": what follows is about the volume as the one before left it", Loss: true, after: true})
	}
	for g := range r.groups {
		reserved(g, f.sb.backup, func(b uint64) { c.use(b, "a place of its own") })
	}
	c.node(f.t.root, int(f.sb.rootLevel), nil, nil)
	c.names()
	c.bitmaps()
	c.supers()
	c.tell()
	return r, nil
}

type checker struct {
	f      *FS
	r      *Report
	data   bool
	inodes map[uint64]*seen
	last   []byte // the key before this one
	found  []told

	chunk     []byte // the key of the last part of an attribute
	chunkSize int    // and how long that is

	lost  []*lost          // nodes that cannot be read
	after map[*lost]uint64 // the first block of the extent behind one
}

// seen is what was found of an inode.
type seen struct {
	rec      *record
	embedded bool
	names    uint32
	subdirs  uint32
	entries  uint64
	parent   uint64
	kind     uint32 // as entries say
	blocks   uint64
	next     uint64 // behind the last extent
	target   uint64
	orphan   bool
	more     bool // it has extents, attributes or a target
}

func (c *checker) inode(ino uint64) *seen {
	s := c.inodes[ino]
	if s == nil {
		s = &seen{}
		c.inodes[ino] = s
	}
	return s
}

// use notes that a block is in use, and says whether it could be.
func (c *checker) use(b uint64, by any) bool {
	if b >= uint64(c.r.groups)*groupBlocks || b >= c.f.sb.blocks {
		c.add(true, "%v lies at block %d, outside the volume", by, b)
		return false
	}
	if c.r.used[b/64]>>(b%64)&1 != 0 {
		c.add(true, "block %d is used twice, the second time by %v", b, by)
		return false
	}
	c.r.used[b/64] |= 1 << (b % 64)
	c.r.Blocks++
	return true
}

// node looks at a node and all below it. Keys are to be in [lo, hi).
func (c *checker) node(r *ref, level int, lo, hi []byte) {
	if !c.use(r.addr, "a node of the tree") {
		return
	}
	n, err := c.f.t.load(r, level)
	if err != nil {
		l := &lost{r.addr, level, lo, hi, c.last}
		c.lost = append(c.lost, l)
		if level > 0 {
			c.add(true, "the tree's node at block %d, which is above others, cannot be read (%v): out of reach are %v", r.addr, err, gap(l))
		} else {
			c.add(true, "the tree's node at block %d cannot be read (%v): lost are %v", r.addr, err, gap(l))
		}
		return
	}
	defer r.n.Store(nil)
	for i, k := range n.keys {
		if n.level > 0 {
			a, b := lo, hi
			if i > 0 {
				a = k
			}
			if i+1 < len(n.keys) {
				b = n.keys[i+1]
			}
			if i > 0 && (bytes.Compare(k, lo) < 0 || hi != nil && bytes.Compare(k, hi) >= 0) {
				c.add(true, "the tree's node at block %d has keys that it should not have", r.addr)
			}
			c.node(n.kids[i], int(n.level)-1, a, b)
			continue
		}
		if bytes.Compare(k, lo) < 0 || hi != nil && bytes.Compare(k, hi) >= 0 || c.last != nil && bytes.Compare(k, c.last) <= 0 {
			c.add(true, "the tree's leaf at block %d has keys that it should not have", r.addr)
		}
		c.last = bytes.Clone(k)
		c.item(k, n.vals[i])
	}
}

func (c *checker) item(k, v []byte) {
	if len(k) < 9 {
		c.add(true, "a key is too short: %x", k)
		return
	}
	ino, kind := be.Uint64(k), k[8]
	if ino >= c.f.sb.nextIno {
		c.add(true, "%v has a number that was not given out yet", inum(ino))
	}
	switch {
	case kind == kindRecord && len(k) == 9:
		rec, ok := decodeRecord(v)
		if !ok || rec.ino != ino {
			c.add(true, "the record of %v makes no sense", inum(ino))
			return
		}
		c.record(&rec, false)
	case kind == kindEntry && len(k) == 17:
		c.entry(ino, be.Uint64(k[9:]), v)
	case kind == kindExtent && len(k) == 17:
		c.extent(ino, k, v)
	case kind == kindOrphan && len(k) == 17 && ino == 0:
		c.inode(be.Uint64(k[9:])).orphan = true
	case kind == kindXattr && len(k) >= 12 && k[len(k)-2] == 0:
		c.inode(ino).more = true
		id, chunk := k[:len(k)-1], k[len(k)-1]
		if next := len(c.chunk) == len(k) && bytes.Equal(c.chunk[:len(id)], id); next && (c.chunk[len(id)]+1 != chunk || c.chunkSize != chunkSize) || !next && chunk != 0 {
			c.add(true, "a part of the attribute %q of %v is missing", id[9:len(id)-1], inum(ino))
		}
		c.chunk, c.chunkSize = bytes.Clone(k), len(v)
	case kind == kindTarget && len(k) == 10:
		s := c.inode(ino)
		s.more, s.target = true, s.target+uint64(len(v))
	default:
		c.add(true, "a key of no known kind: %x", k)
	}
}

func (c *checker) record(rec *record, embedded bool) {
	s := c.inode(rec.ino)
	if s.rec != nil {
		c.add(true, "%v has two records", inum(rec.ino))
		return
	}
	s.rec, s.embedded = rec, embedded
}

func (c *checker) entry(dir, cookie uint64, v []byte) {
	e, ok := decodeEntry(v)
	if !ok {
		c.add(true, "an entry of directory %v makes no sense", inum(dir))
		return
	}
	if cookie>>8 != cookieBase(&c.f.sb.uuid, e.name)>>8 {
		c.add(true, "the name %q of directory %v is at a wrong place", e.name, inum(dir))
	}
	d, s := c.inode(dir), c.inode(e.ino)
	d.entries++
	s.names++
	if s.names > 1 && e.kind == syscall.S_IFDIR {
		c.add(true, "directory %v has two names, one of them %q", inum(e.ino), e.name)
	}
	if s.kind != 0 && s.kind != e.kind {
		c.add(true, "names of %v do not agree what it is", inum(e.ino))
	}
	s.kind, s.parent = e.kind, dir
	if e.kind == syscall.S_IFDIR {
		d.subdirs++
	}
	if e.rec != nil {
		c.record(e.rec, true)
	}
}

func (c *checker) extent(ino uint64, k, v []byte) {
	x, ok := decodeExtent(k, v)
	if !ok {
		c.add(true, "an extent of %v makes no sense", inum(ino))
		return
	}
	s := c.inode(ino)
	s.more = true
	if x.first() < s.next {
		c.add(true, "extents of %v overlap at its block %d", inum(ino), x.first())
	}
	s.next = x.last + 1
	if n := len(c.lost); n > 0 && c.after[c.lost[n-1]] == 0 && bytes.HasPrefix(c.lost[n-1].hi, k[:9]) {
		c.after[c.lost[n-1]] = x.first()
	}
	s.blocks += uint64(len(x.sums))
	for i := range x.sums {
		if !c.use(x.block+uint64(i), inum(ino)) {
			return
		}
	}
	if !c.data {
		return
	}
	b := make([]byte, len(x.sums)*BlockSize)
	whole := c.f.dev.Read([][]byte{b}, int64(x.block)*BlockSize)
	var run piece
	end := func() {
		if run.n > 0 {
			c.add(true, "%v of %v are lost: %s", run, inum(ino), run.why)
		}
		run = piece{}
	}
	for i, want := range x.sums {
		one, why := b[i*BlockSize:(i+1)*BlockSize], ""
		if whole != nil { // which of them?
			if err := c.f.dev.Read([][]byte{one}, int64(x.block+uint64(i))*BlockSize); err != nil {
				why = fmt.Sprintf("block %d cannot be read: %v", x.block+uint64(i), err)
			}
		}
		if why == "" && c.f.dataSum(one) != want {
			why = fmt.Sprintf("block %d has a wrong sum", x.block+uint64(i))
		}
		switch {
		case why == "":
			end()
		case run.n == 0:
			run = piece{ino, span{x.first() + uint64(i), 1}, why}
		default:
			run.n++
			run.why = fmt.Sprintf("blocks from %d to %d cannot be read, or have wrong sums", x.block+uint64(i)+1-run.n, x.block+uint64(i))
		}
	}
	end()
}

// names looks whether inodes and names fit each other.
func (c *checker) names() {
	list := make([]uint64, 0, len(c.inodes))
	for ino := range c.inodes {
		list = append(list, ino)
	}
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	if c.inodes[rootIno] == nil || c.inodes[rootIno].rec == nil {
		c.add(true, "the root directory has no record: the volume cannot be mounted")
	}
	for _, ino := range list {
		s := c.inodes[ino]
		if s.rec == nil {
			c.add(true, "%v has no record, but %d names, %d entries and %d blocks", inum(ino), s.names, s.entries, s.blocks)
			continue
		}
		kind := s.rec.mode & syscall.S_IFMT
		dir := kind == syscall.S_IFDIR
		links := s.names
		if dir {
			c.r.Dirs++
			if links != 0 || ino == rootIno {
				links = 2 + s.subdirs
			}
		} else {
			c.r.Files++
		}
		if s.rec.nlink != links {
			c.add(true, "%v has %d names or directories, and says %d", inum(ino), links, s.rec.nlink)
		}
		if s.kind != 0 && s.kind != kind {
			c.add(true, "names of %v do not agree with it what it is", inum(ino))
		}
		if s.names == 0 && ino != rootIno && !s.orphan {
			c.add(true, "%v has no name, and is not on the list of those without", inum(ino))
		}
		if s.names != 0 && s.orphan {
			c.add(true, "%v has a name, and is on the list of those without", inum(ino))
		}
		if s.embedded && s.names > 1 {
			c.add(true, "%v has %d names, and its record is in one of them", inum(ino), s.names)
		}
		if dir && s.rec.size != s.entries || !dir && s.entries != 0 {
			c.add(true, "%v has %d entries, and says %d", inum(ino), s.entries, s.rec.size)
		}
		if s.rec.blocks != s.blocks {
			c.add(true, "%v has %d blocks, and says %d", inum(ino), s.blocks, s.rec.blocks)
		}
		if kind == syscall.S_IFLNK && s.rec.size != s.target+uint64(len(s.rec.target)) {
			c.add(true, "the target of link %v is incomplete", inum(ino))
		}
		c.rooted(ino, s)
	}
}

// rooted looks whether an inode is below the root, or in a circle. Of a directory above it that has no name, or no record, is told once, with that.
func (c *checker) rooted(ino uint64, s *seen) {
	if s.names == 0 {
		return
	}
	for at, n := s.parent, 0; at != rootIno; n++ {
		p := c.inodes[at]
		if n > 1<<16 {
			c.add(true, "%v is not below the root directory", inum(ino))
			return
		}
		if p == nil || p.names == 0 {
			return
		}
		at = p.parent
	}
}

// bitmaps compares them with what is in use.
func (c *checker) bitmaps() {
	stale, err := c.f.readBitmaps()
	if err != nil {
		c.add(true, "a bitmap is damaged, and what is in use cannot be found without it (%v)", err)
		return
	}
	a := &c.f.al
	if stale {
		c.add(false, "the bitmaps are not those that the last commit wrote")
	}
	for g := range a.groups {
		if a.groups[g].half && !stale {
			c.add(false, "a bitmap of group %d is damaged", g)
		}
	}
	leaks, first := uint64(0), uint64(0)
	for b := uint64(0); b < a.blocks; b++ {
		used := c.r.used[b/64]>>(b%64)&1 != 0
		switch {
		case used && !a.is(b):
			c.add(true, "block %d is in use and counts as free", b)
		case !used && a.is(b):
			if leaks == 0 {
				first = b
			}
			leaks++
		}
	}
	if leaks > 0 && len(c.lost) == 0 { // else it may be what was lost that uses them
		c.add(false, "%d blocks count as used and are not, the first is %d", leaks, first)
	}
	if a.used != c.f.sb.used {
		c.add(false, "%d blocks count as used, and the superblock says %d", a.used, c.f.sb.used)
	}
}

// supers looks at the superblock's copies. The last commit may have come to one of its two.
func (c *checker) supers() {
	for _, at := range []uint64{0, 1, c.f.sb.backup, c.f.sb.backup + 1} {
		b := make([]byte, BlockSize)
		if err := c.f.dev.Read([][]byte{b}, int64(at)*BlockSize); err != nil {
			c.add(false, "the superblock at %d cannot be read: %v", at, err)
		} else if s := decodeSuper(b); (s == nil || s.gen+3 < c.f.sb.gen) && c.f.sb.gen > 2 {
			c.add(false, "the superblock at %d is damaged", at)
		}
	}
}

// ErrLoss is what Repair gives where a repair would lose something.
var ErrLoss = errors.New("cffs: there is damage that cannot be repaired without loss: copy what can be read, then repair it with loss, or format anew")

// ErrAfter is what Repair gives where it was not told to go back, and must.
var ErrAfter = errors.New("cffs: part of the last commit cannot be read: if that does not pass, a repair that is told to goes back to the commit before it, and what the last one held is lost")

// Repair mends what can be mended without losing anything: bitmaps that count blocks as used that are not, and superblocks of which a copy is damaged. It says what it did. Where something is lost it
// changes nothing: ErrLoss. Where nobody can tell whether the last commit is whole it changes nothing, either, unless it is told to go back to the one before: ErrAfter. What it leaves is unmounted. Other errors: those of Check and of the device, and
// *MountError for a volume that can be read only.
func Repair(dev block.Device, back bool) (done []string, err error) {
	r, err := Check(dev, false)
	if err != nil {
		return nil, err
	}
	if r.loss {
		return nil, ErrLoss
	}
	for _, p := range r.Problems {
		switch {
		case p.after && !back:
			err = ErrAfter
		case p.after:
			done = append(done, "went back to the commit before the last: "+p.What)
			continue
		}
		done = append(done, "mended: "+p.What)
	}
	if err != nil {
		return nil, err
	}
	if len(done) == 0 {
		return nil, nil
	}
	f, err := open(dev, Options{})
	if err != nil {
		return nil, err
	}
	if err := f.repairable(r); err != nil {
		return nil, err
	}
	if err := f.inquire(); err == errFreed {
		return nil, f.overtaken()
	} else if err != nil {
		return nil, err
	}
	f.lock()
	defer f.unlock()
	if err := f.settle(); err != nil {
		return nil, err
	}
	f.al.used = 0
	for g := range f.al.groups {
		p := &f.al.groups[g]
		p.dirty = true
		for i := range p.bits {
			p.bits[i] = 0
		}
	}
	for b := uint64(0); b < f.al.blocks; b++ {
		if r.used[b/64]>>(b%64)&1 != 0 {
			f.al.set(b)
			f.al.used++
		}
	}
	f.disown()
	for range 2 { // the superblock is at one place after the other; that of a commit behind this one is overwritten first
		f.change++
		if err := f.commit(); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// overtaken is why a volume is not repaired by what was found before somebody else wrote to it.
func (f *FS) overtaken() error {
	return &MountError{Device: f.dev.Info().Name, Why: "it was written to while it was checked: another image has it, or had it"}
}

// repairable is *MountError where the volume has features that one must know to write to it, and that are not known here, and where it is not any more what r tells of.
func (f *FS) repairable(r *Report) error {
	if !bytes.Equal(f.last, r.last) {
		return f.overtaken()
	}
	if f.sb.writeNeeds&^knownWriteNeeds == 0 {
		return nil
	}
	return &MountError{Device: f.dev.Info().Name, Why: "its volume has a format that is not known here well enough to write to it: repair it with the version that made it", Reads: true}
}
