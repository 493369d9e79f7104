package fat

import (
	"bytes"
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A check makes a plan: it goes through the volume as a repair that may lose something would, and notes what it changes in memory only: the table, sectors of folders, clusters to be copied. What it says is what made it change something.
// So what a check finds is what a repair mends, and what is looked at later is as it will be. Repair writes the plan.
//
// It needs, beside the table, four bits and, where all clusters are folders, 24 bytes a cluster; one copy of the table more where its copies differ; maxEdits of folders; and 8 bytes for each cluster that is to be copied.

// A Problem is one thing that is wrong with a volume.
type Problem struct {
	What string // with the path, the bytes and the clusters that it is about
	Mend string // what a repair makes of it
	Loss bool   // something is lost, or would be by a repair
}

func (p Problem) String() string { return p.What }

// A Report is what Check found.
type Report struct {
	Problems    []Problem
	More        int    // problems beyond those listed
	Files, Dirs uint64 // the root directory is one of these
	Clusters    uint64 // that files and folders use
	Cluster     int64  // bytes of one
	loss        int    // how many of all problems, listed or not, are losses
}

const (
	maxProblems = 1000     // that are listed
	maxEdits    = 64 << 20 // bytes of folders that a repair changes
	maxDeep     = 100      // names of a path that are told
	copySector  = 6        // of the boot sector's copy: FAT, 3.3
)

// ErrLoss is what Repair gives where a repair would lose something.
var ErrLoss = errors.New("fat: there is damage that cannot be repaired without loss: copy what can be read, then repair it with loss")

// errHeavy is what Repair gives where it would have to hold more than maxEdits.
var errHeavy = errors.New("fat: more than " + strconv.Itoa(maxEdits>>20) + " MiB of its folders are damaged: copy what can be read, and format it anew")

// Check looks at all of the volume on dev but for the bytes of files, of which FAT knows no sums, and changes nothing. The volume must not be mounted. An error says that there is nothing to look at; what is damaged is in the Report.
func Check(dev block.Device) (*Report, error) {
	c, err := examine(dev, time.Unix(0, 0))
	if err != nil {
		return nil, err
	}
	return &c.r, nil
}

// Known says whether the boot sector of dev, or the copy that FAT32 has of it, is one of FAT's: then Check has something to look at. What has partitions is none, whatever lies where a copy would be.
func Known(dev block.Device) bool {
	_, err := readHeads(dev)
	return err == nil
}

// A head is what is before the table.
type head struct {
	shape
	dev    block.Device
	boot   []byte // the boot sector
	copyAt int64  // of the boot sector's copy; 0: there is none
	byCopy bool   // it is the copy that is whole
	found  []Problem
}

// readHeads reads boot sectors, and says what is wrong with them: the volume as the boot sector has it, and, where that one is damaged or the copy of it says something else, as the copy has it. Errors: *MountError, where none is FAT's.
func readHeads(dev block.Device) ([]*head, error) {
	in := dev.Info()
	// copied reads a copy at a place; nil: none that says that it is there.
	copied := func(at, size int64) (*head, []byte) {
		b := make([]byte, size)
		if at+size > in.Size || dev.Read([][]byte{b}, at) != nil {
			return nil, nil
		}
		s, why := parseBoot(b, in)
		if why != "" || s.width != 32 || s.sector != size || int64(le.Uint16(b[50:]))*size != at {
			return nil, b
		}
		return &head{dev: dev, shape: s, boot: b, copyAt: at, byCopy: true}, b
	}
	s, why, err := readShape(dev)
	h := &head{dev: dev, shape: s, boot: make([]byte, s.sector)}
	if why == "" {
		if e := dev.Read([][]byte{h.boot}, 0); e != nil {
			why, err = "it cannot be read", e
		}
	}
	if why != "" {
		if list, _ := block.Partitions(dev); len(list) > 0 { // a copy would be of what was there before them
			return nil, &MountError{Device: in.Name, Why: why + "; it has partitions: name one of them, as FILE#1", Err: err}
		}
		first := make([]byte, max(512, in.BlockSize))
		if int64(len(first)) > in.Size || dev.Read([][]byte{first}, 0) != nil {
			clear(first)
		}
		for size := max(512, int64(in.BlockSize)); size <= 4096; size *= 2 {
			if c, _ := copied(copySector*size, size); c != nil {
				if err != nil {
					why += " (" + err.Error() + ")"
				}
				if remains(first, c.boot) {
					c.add(false, "the boot sector is damaged: "+why+"; the copy of it at byte "+num(c.copyAt)+" is whole", "it is written again")
				} else { // as of a disk that has a partition table now, if an empty one
					c.add(true, "the first sector is no boot sector of FAT's, but another's: "+why+"; there is a copy of such a one at byte "+num(c.copyAt), "the copy is written over it")
				}
				c.whereInfo()
				return []*head{c}, nil
			}
		}
		return nil, &MountError{Device: in.Name, Why: why, Err: err}
	}
	list := []*head{h}
	if s.width != 32 { // or it is of FAT32, and says something else
		if c, _ := copied(copySector*s.sector, s.sector); c != nil {
			c.add(false, "the boot sector says that the volume is of FAT"+num(int64(s.width))+", and the copy of it, at byte "+num(c.copyAt)+", that it is of FAT32, by which names lead to more", "it is written again")
			c.whereInfo()
			list = append(list, c)
		}
		return list, nil
	}
	// FAT, 3.3: BPB_FSInfo and BPB_BkBootSec; 0 and 65535 are none.
	boot := le.Uint16(h.boot[50:])
	if at := int64(boot) * s.sector; boot != 0 && boot != 0xffff {
		c, b := copied(at, s.sector)
		if six, _ := copied(copySector*s.sector, s.sector); c == nil && six != nil || at >= s.tableAt || at == s.infoAt {
			is, mend := "", "it says none"
			le.PutUint16(h.boot[50:], 0)
			if c, b = six, nil; c != nil {
				b, h.copyAt, is, mend = c.boot, c.copyAt, ", and it is in sector "+num(copySector), "it says so"
				le.PutUint16(h.boot[50:], copySector)
			}
			h.add(false, "the boot sector says that its copy is in sector "+num(int64(boot))+", which it is not"+is, mend)
		} else if h.copyAt = at; b == nil {
			h.add(false, "the copy of the boot sector, at byte "+num(at)+", cannot be read", "it is written again")
		}
		if b != nil {
			its := bytes.Clone(b)
			its[65] = h.boot[65] // where Linux and others note that it is mounted
			if first, n := differ(h.boot, its); n > 0 {
				h.add(false, "the copy of the boot sector, at byte "+num(h.copyAt)+", differs from it in "+count(int64(n), "byte")+", from byte "+num(int64(first))+" on", "it is written again")
				if c != nil {
					c.add(false, "the boot sector differs from the copy of it, at byte "+num(h.copyAt)+", in "+count(int64(n), "byte")+", from byte "+num(int64(first))+" on, and by the copy names lead to more", "it is written again")
					if a, b := h.shape, c.shape; !alike(a, b) {
						list = append(list, c)
					}
				}
			}
		}
	}
	for _, h := range list {
		h.whereInfo()
	}
	return list, nil
}

// remains says whether what is in the place of a boot sector may be what is left of it: zeroes, or at least half of what its copy begins with.
func remains(b, whole []byte) bool {
	same, all, zero := 0, 0, true
	for i, v := range b {
		if zero = zero && v == 0; i < 90 && whole[i] != 0 { // FAT, 3.3: what says where all is
			if all++; v == whole[i] {
				same++
			}
		}
	}
	return zero || 2*same >= all
}

// whereInfo looks where the boot sector says that free clusters are counted: not in the table, nor where its copy is.
func (h *head) whereInfo() {
	info := le.Uint16(h.boot[48:])
	at := int64(info) * h.sector
	if h.width != 32 || info == 0 || info == 0xffff || at < h.tableAt && at != h.copyAt {
		return
	}
	h.infoAt = 0
	said, mend := uint16(0xffff), "it says none"
	if h.tableAt > h.sector && h.copyAt != h.sector {
		h.infoAt, said, mend = h.sector, 1, "it is in sector 1"
	}
	le.PutUint16(h.boot[48:], said)
	h.add(false, "the boot sector says that what is free is counted in sector "+num(int64(info))+", which cannot be", mend)
}

// alike says whether two boot sectors have all at the same places, and the same copies of the table in use.
func alike(a, b shape) bool {
	a.id, a.label, a.infoAt = b.id, b.label, b.infoAt
	return a == b
}

func (h *head) add(loss bool, what, mend string) {
	h.found = append(h.found, Problem{what, mend, loss})
}

// besidesUse is alike, but for the copies of the table that are in use.
func besidesUse(a, b shape) bool {
	a.active = b.active
	return alike(a, b)
}

// differ tells in how many bytes two slices of one length differ, and the first.
func differ(a, b []byte) (first, n int) {
	for i := range a {
		if a[i] != b[i] {
			if n++; n == 1 {
				first = i
			}
		}
	}
	return first, n
}

// examine makes the plan: by that copy of the table by which names lead to the most, or, where that is the same, the least is lost. It goes by the copy of the boot sector where names lead to nothing by the boot sector, or to less, which then is a loss. Where they lead to something by another copy, and not by this one, that is a loss: nobody knows which copy is right.
func examine(dev block.Device, now time.Time) (*checker, error) {
	heads, err := readHeads(dev)
	if err != nil {
		return nil, err
	}
	var best *checker
	against := "" // what another copy has and the best has not
	for _, h := range heads {
		list := h.inUse()
		for i, k := range list {
			seen := false
			for _, j := range list[:i] {
				first, n := h.unlike(j, k)
				seen = seen || first < 0 && n == 0
			}
			if seen {
				continue
			}
			tab, unread := h.readTable(k)
			c := plan(h, tab, unread, nil, now)
			c.of = k
			if best == nil {
				best = c
				continue
			}
			if a, b := best.shape, c.shape; !besidesUse(a, b) { // their clusters are not the same ones
				more := c.whole()*c.cluster > best.whole()*best.cluster
				better := more
				if best.names == 0 {
					better = c.r.loss < best.r.loss
				}
				said := "the boot sector and the copy of it, at byte " + num(c.copyAt) + ", differ, and " + best.reached + " by the one, and " + c.reached + " by the other"
				if better && (best.names > 0 || c.names == 0) || !better && more {
					against = said
				} else if better {
					against = ""
				}
				if better {
					best = c
				}
				continue
			}
			covers, covered := best.covers(c), c.covers(best)
			better := c.r.loss < best.r.loss
			switch {
			case covers != covered:
				better = covered
			case !covers && c.whole() != best.whole():
				better = c.whole() > best.whole()
			}
			if better {
				best, c, covers = c, best, covered
			}
			if !covers {
				against = "by copy " + num(best.of+1) + " of the table " + best.reached + ", and by copy " + num(c.of+1) + " " + c.reached + ", not all of which the other has"
			}
		}
	}
	if len(best.asked) > 0 { // once more, to know whose the clusters are that are somebody else's, too
		h, k := best.start, best.of
		tab, unread := h.readTable(k)
		best = plan(h, tab, unread, best.asked, now)
		best.of = k
	}
	best.copiesOfTable()
	if against != "" {
		by := "the boot sector"
		if best.byCopy {
			by = "the copy of it"
		}
		best.add(true, against, "a repair goes by copy "+num(best.of+1)+" of the table, and by "+by)
	}
	if best.heavy {
		best.add(true, errHeavy.Error(), "it is not repaired")
	}
	return best, nil
}

// plan is a check by one copy of the table, of which it takes possession. asked: clusters of which it remembers whose they are.
func plan(h *head, tab []byte, unread int, asked map[uint32]bool, now time.Time) *checker {
	c := &checker{head: *h, start: h, now: now, tab: tab, unread: unread, used: make([]uint64, (h.clusters+2+63)/64), kept: make([]uint64, (h.clusters+2+63)/64), edits: map[int64][]byte{}, fresh: map[uint32]turn{}, asked: map[uint32]bool{}, known: asked, owners: map[uint32]string{}, last: h.clusters + 1, bag: -1}
	c.boot = bytes.Clone(h.boot)
	c.r.Cluster = c.cluster
	for _, p := range h.found {
		c.add(p.Loss, p.What, p.Mend)
	}
	c.before()
	c.naming = true
	c.tree()
	c.naming, c.names = false, int64(c.r.Files)+int64(len(c.dirs))-1
	c.reached = "names lead to " + count(int64(c.r.Files), "file") + " and " + count(int64(len(c.dirs)), "folder") + ", without damage to " + count(c.whole(), "cluster")
	c.lost()
	c.labels()
	c.r.Dirs = uint64(len(c.dirs))
	for _, w := range c.used {
		c.r.Clusters += uint64(bits.OnesCount64(w))
	}
	return c
}

// checker is a check that goes on.
type checker struct {
	head
	start  *head // as it was
	now    time.Time
	r      Report
	tab    []byte // as it will be
	of     int64  // which copy that was
	unread int    // sectors of it that cannot be read: they came from other copies, or are zeroes
	heavy  bool   // there is more to change than maxEdits

	used  []uint64         // a bit for each cluster that is somebody's
	kept  []uint64         // for each one of a file that has a name and lacks nothing, or of a folder, up to its last name
	dirs  []listed         // the root first
	edits map[int64][]byte // sectors of folders as they will be, by place
	moves []move
	fresh map[uint32]turn // clusters that folders get
	last  uint32          // the one above those that alloc has not looked at

	chunk   []byte // what was read of a folder
	chunkAt int64

	names   int64  // that lead to a file or a folder
	naming  bool   // what has a name is looked at
	reached string // to how much names lead, as it is told

	asked  map[uint32]bool   // clusters that two have
	known  map[uint32]bool   // those of an earlier plan
	owners map[uint32]string // whose these are
	pathOf int               // whose path was the last, in dirs, plus 1
	pathIs string

	named   short // the label in the root directory
	isNamed bool
	bag     int // the folder that FILE0000.CHK and others go to, in dirs; -1: none
	bagged  int // how many there are
	bagSlot int // behind the last
}

// A listed is what a check knows of a folder. 24 bytes, as there may be one in every cluster.
type listed struct {
	at     int64  // of its entry; -1: the root
	first  uint32 // 0: the root of FAT12 and FAT16
	parent int32  // in dirs
	slot   int32  // of its entry there
}

// A move is a cluster that is copied to another.
type move struct{ from, to uint32 }

func num(v int64) string { return strconv.FormatInt(v, 10) }

// count is so many of something.
func count(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return num(n) + " " + one + "s"
}

func (c *checker) add(loss bool, what, mend string) {
	if loss {
		c.r.loss++
	}
	if len(c.r.Problems) == maxProblems {
		c.r.More++
		return
	}
	c.r.Problems = append(c.r.Problems, Problem{what, mend, loss})
}

func (c *checker) get(n uint32) uint32   { return c.entry(c.tab, n) }
func (c *checker) set(n, v uint32)       { c.putEntry(c.tab, n, v) }
func (c *checker) isUsed(n uint32) bool  { return c.used[n/64]>>(n%64)&1 != 0 }
func (c *checker) use(n uint32)          { c.used[n/64] |= 1 << (n % 64) }
func (c *checker) unuse(n uint32)        { c.used[n/64] &^= 1 << (n % 64) }
func (c *checker) isBad(v uint32) bool   { end, _ := c.end(); return v == end-8 }
func (c *checker) isEnd(v uint32) bool   { _, least := c.end(); return v >= least }
func (c *checker) room(list int) int64   { return int64(list) * c.cluster }
func (c *checker) need(size int64) int64 { return (size + c.cluster - 1) / c.cluster }
func (c *checker) mostOfFolder() int     { return int(maxSlots * 32 / c.cluster) }
func (c *checker) endOf(list []uint32)   { end, _ := c.end(); c.set(list[len(list)-1], end) }
func (h *head) ext() int                 { return map[bool]int{false: 36, true: 64}[h.width == 32] } // where the boot sector's last part is: FAT, 3.1 to 3.3

// extended says whether the boot sector has a last part, with a label: FAT12 and FAT16 may have code there (FAT, 3.1). It has where it says so, by a byte or by its name, and where there is no code either.
func (h *head) extended() bool {
	last := h.boot[h.ext():][:26]
	return h.width == 32 || last[2] == 0x28 || last[2] == 0x29 || string(last[18:21]) == "FAT" || bytes.Equal(last, make([]byte, 26))
}

// readTable reads a copy of the table. What cannot be read of it is taken from others; unread: so many sectors of it are zeroes, for nobody has them.
func (h *head) readTable(k int64) (tab []byte, unread int) {
	tab = make([]byte, h.table)
	for at := int64(0); at < h.table; at += atOnce {
		piece := tab[at:min(at+atOnce, h.table)]
		if h.dev.Read([][]byte{piece}, h.tableAt+k*h.table+at) == nil {
			continue
		}
		for s := int64(0); s < int64(len(piece)); s += h.sector {
			b := piece[s : s+h.sector]
			found := false
			for _, i := range h.inUse() {
				if found = h.dev.Read([][]byte{b}, h.tableAt+i*h.table+at+s) == nil; found {
					break
				}
			}
			if !found {
				clear(b)
				unread++
			}
		}
	}
	return tab, unread
}

// unlike tells in how many bytes two copies of the table differ, and the first; what cannot be read of one differs.
func (h *head) unlike(j, k int64) (first, n int64) {
	first = -1
	a, b := make([]byte, min(atOnce, h.table)), make([]byte, min(atOnce, h.table))
	for at := int64(0); at < h.table; at += atOnce {
		m := min(atOnce, h.table-at)
		i, d := 0, int(m)
		if h.dev.Read([][]byte{a[:m]}, h.tableAt+j*h.table+at) == nil && h.dev.Read([][]byte{b[:m]}, h.tableAt+k*h.table+at) == nil {
			i, d = differ(a[:m], b[:m])
		}
		if d > 0 && n == 0 {
			first = at + int64(i)
		}
		n += int64(d)
	}
	return first, n
}

// whole is how many clusters names lead to.
func (c *checker) whole() (n int64) {
	for _, w := range c.kept {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

// keepAll remembers that names lead to these clusters.
func (c *checker) keepAll(list []uint32) {
	for _, n := range list {
		if c.naming {
			c.kept[n/64] |= 1 << (n % 64)
		}
	}
}

func (c *checker) isKept(n uint32) bool { return c.is(n) && c.kept[n/64]>>(n%64)&1 != 0 }

// covers says whether names lead to all by this plan that they lead to by another one, o, of a volume of the same clusters: along the same clusters, or along others that hold the same, as while a cluster moves to another place. It reads each of those once.
func (c *checker) covers(o *checker) bool {
	left := slices.Clone(o.kept)
	for n := uint32(2); n-2 < c.clusters; n++ {
		if !c.isKept(n) || !o.isKept(n) {
			continue
		}
		for a, b := c.get(n), o.get(n); a != b && o.isKept(b); a, b = c.get(a), o.get(b) {
			if !c.isKept(a) || left[b/64]>>(b%64)&1 == 0 || !c.same(a, b) {
				return false
			}
			left[b/64] &^= 1 << (b % 64)
		}
	}
	for i, w := range left {
		if w&^c.kept[i] != 0 {
			return false
		}
	}
	return true
}

// same says whether two clusters hold the same bytes.
func (c *checker) same(a, b uint32) bool {
	x, y := make([]byte, c.cluster), make([]byte, c.cluster)
	return c.dev.Read([][]byte{x}, c.at(a)) == nil && c.dev.Read([][]byte{y}, c.at(b)) == nil && bytes.Equal(x, y)
}

// copiesOfTable compares the others with the one that is gone by.
func (c *checker) copiesOfTable() {
	why := ", by which names lead to more, or to no less,"
	if c.active >= 0 {
		why = ", which alone the boot sector says is in use,"
	}
	for k := range c.copies {
		if k == c.of {
			continue
		}
		if first, n := c.unlike(c.of, k); n > 0 {
			c.add(false, "copies "+num(c.of+1)+" and "+num(k+1)+" of the table differ in "+count(n, "byte")+", or cannot be read there, from its byte "+num(first)+" on", "copy "+num(c.of+1)+why+" is written over copy "+num(k+1))
		}
	}
}

// before looks at what is before the first cluster: the two entries that are nobody's (FAT, 4.1), marks of use, and the sector of FAT, 5.
func (c *checker) before() {
	if c.unread > 0 {
		c.add(true, count(int64(c.unread), "sector")+" of the table cannot be read, in no copy", "what lay there counts as free")
	}
	end, _ := c.end()
	if v, want := c.get(0), end&^0xff|uint32(c.boot[21]); v != want {
		c.add(false, "the table does not begin as it should: "+num(int64(v))+" for "+num(int64(want)), "it does")
		c.set(0, want)
	}
	v, want, why := c.get(1), end, ""
	if c.width != 12 {
		clean := uint32(1) << (min(c.width, 28) - 1)
		if v&clean == 0 {
			why = "the volume was not unmounted"
		}
		if v&(clean>>1) == 0 {
			if why != "" {
				why += ", and "
			}
			why += "somebody met errors of the disk"
		}
		v |= clean | clean>>1
	}
	if v < end-7 {
		c.add(false, "the second entry of the table is "+num(int64(v)), "it is the end of a chain, as it has to be")
	}
	if use := c.boot[40]; c.width == 32 && use&0x80 != 0 && c.active < 0 { // FAT, 3.3: BPB_ExtFlags
		c.add(false, "the boot sector says that copy "+num(int64(use&15)+1)+" of the table alone is in use, of "+num(c.copies), "all are")
		c.boot[40] = 0
	}
	flags := c.ext() + 1
	extended := c.extended()
	if extended && c.boot[flags]&3 != 0 && why == "" {
		why = "the boot sector says that the volume was not unmounted, or that somebody met errors of the disk"
	}
	if why != "" {
		c.add(false, why, "it is marked as whole")
	}
	if extended {
		c.boot[flags] &^= 3
	}
	c.set(1, want)
	if c.infoAt == 0 {
		return
	}
	b := make([]byte, c.sector)
	free := int64(0)
	for n := uint32(2); n-2 < c.clusters; n++ {
		if c.get(n) == 0 {
			free++
		}
	}
	if err := c.dev.Read([][]byte{b}, c.infoAt); err != nil {
		c.add(false, "the sector that counts what is free, at byte "+num(c.infoAt)+", cannot be read: "+err.Error(), "it is written again")
		return
	}
	said, next := le.Uint32(b[488:]), le.Uint32(b[492:])
	switch {
	case le.Uint32(b) != infoLead || le.Uint32(b[484:]) != infoStruct || le.Uint32(b[508:]) != infoTrail:
		c.add(false, "the sector that counts what is free, at byte "+num(c.infoAt)+", is none", "it is written again")
	case said != 1<<32-1 && int64(said) != free:
		c.add(false, num(int64(said))+" clusters are said to be free, and "+num(free)+" are", "it is said as it is")
	case next != 1<<32-1 && !c.is(next):
		c.add(false, "the next free cluster is said to be "+num(int64(next))+", which is none", "it is said to be the first one")
	}
}
