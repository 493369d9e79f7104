// Package cffs is the durable filesystem: one tree that is never overwritten, a commit that is one block. FORMAT.md says what is on a volume and in which order it gets there.
//
// # What is promised
//
//   - Each operation is atomic, but for a write that is larger than what may wait for a commit, or the last that fits: such a one may be seen in part; blocks that are taken out of a very large file, or put in (see File.shiftLarge); and space that is set aside, which nobody reads. A crash leaves the volume as it was after some operation: all before it are there, none after. Nothing is replayed.
//   - What Sync, File.Sync or SyncDir returned for is durable: fsync and fdatasync make everything durable that was done before. Those who wait for it at the same time wait for one commit.
//   - Without them a change is durable at the latest Interval after it was made.
//   - Data and metadata have checksums: what the disk lost or mixed up gives EIO, never other bytes.
//   - A full volume gives ENOSPC before anything was changed; removing and truncating have room that nothing else takes.
//   - After a write or a flush failed nothing is written any more: what was not durable by then gives EIO to those who ask for it, and is seen until the volume is mounted again.
//
// It keeps one thing simple rather than fast: a commit stops all other changes for as long as it takes. Who reads goes on meanwhile.
//
// Not here: quotas, compression, snapshots, reflinks. Space that Allocate sets aside is filled with zeroes, for a block that is overwritten is
// written elsewhere.
package cffs

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// Interval is how long a change may wait to be made durable by itself.
const Interval = 5 * time.Second

// Options are what a volume is mounted with. Zero values are replaced by what most want.
type Options struct {
	ReadOnly bool
	Pages    *pages.Store     // of the page cache; nil: one of the volume's own
	Cache    int              // bytes of that one; 0: 16 MiB
	Dirty    int              // bytes that may wait for a commit; 0: 8 MiB
	Now      func() time.Time // nil: the machine's clock
	Random   func([]byte)     // nil: a generator that is good enough to tell mounts apart
	Log      func(string)     // is told why writing ended; nil: nobody is
	Manual   bool             // commit when asked and when it must be, not by time: for tests
	Watch    bool             // answer who asks whether this mount is there, so that another is refused while it is: the disk is read once a second

	every, patience time.Duration // for tests; 0: watchEvery, patience
}

// FS is a mounted volume.
type FS struct {
	dev block.Device
	o   Options

	// What changes anything holds both for as long as it takes, but lets go of mu while it waits for the device: who reads does not wait for a commit.
	changing sync.Mutex   // one change at a time; taken before mu
	mu       sync.RWMutex // guards all below, and inodes but for their references

	sb     super     // as it was written last; blocks and nextIno as they are now
	last   []byte    // that superblock, as bytes
	supers []byte    // both, as fence reads them
	spare  [][]byte  // see writes.blank
	mine   bool      // it is one that this mount wrote
	asks   *question // until then: what its owner was asked; nil for nothing
	board  []byte    // both superblocks, before the volume was looked at; see readBoard
	owner  [16]byte  // with which this mount has the volume, from its first commit on, born
	born   uint64
	t      tree
	al     alloc
	ro     bool
	failed error           // why nothing is written any more
	dirty  map[*inode]bool // inodes whose record or data the next commit writes
	pages  int             // dirty pages
	owed   int             // blocks that the next commit takes at most, beside the tree's dirty ones
	waits  int             // changed nodes of the tree that may wait for a commit, about: maxNodes, but in tests
	change uint64          // counts changes
	done   uint64          // change at the last commit
	timer  *time.Timer     // armed while there is something to commit
	armed  bool
	closed bool
	clean  bool   // it was unmounted when it was found
	after  *newer // what was found behind it; nil for nothing
	copied bool   // it was found by the superblocks' copies

	watcher *watcher // nil for none

	blanks pages.Piece // what is left of a slot for pages that are written to, pinned
	flight *flight     // the last that a spill has begun; nil where it has landed
	spilt  bool        // something was spilled since the last commit

	dataSum func([]byte) uint32 // as the volume has it; set once

	cache *pages.Cache
	asked atomic.Bool            // a commit begins because memory is short
	air   atomic.Pointer[flight] // what is written and may not be on the disk yet: for who reads

	nmu   sync.Mutex
	nodes map[uint64]*inode // under nmu, which is taken after mu
	busy  int               // under nmu: how many inodes come before those that nobody uses are looked for
}

var (
	errDamaged = errors.New("cffs: the volume is damaged")
	errForeign = errors.New("cffs: another image has mounted the volume")
	errFull    = errors.New("cffs: the volume is full")
)

// MountError says why a volume cannot be mounted.
type MountError struct {
	Device string
	Why    string
	Err    error // of the device; nil where that is not the reason
	Reads  bool  // it can be mounted for reading only
}

func (e *MountError) Error() string {
	s := "cffs: " + e.Device + ": " + e.Why
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *MountError) Unwrap() error { return e.Err }

// Mount mounts the volume on dev. Nothing is written to a device that holds no volume, or a damaged one. Where the disk cannot read all of the last commit, so that nobody can tell whether it was made durable, the
// volume is mounted as the one before left it, and for reading only: the log is told, and Doubt tells. Errors: *MountError.
//
// Where the volume is watched by another that has it, Mount for writing is refused, and nothing is written but the question. Where it was watched and was not unmounted, it waits for the answer: patience.
func Mount(dev block.Device, o Options) (*FS, error) {
	for range tries {
		if f, err := mountOnce(dev, o); !errors.Is(err, errFreed) {
			return f, err
		}
	}
	return nil, &MountError{Device: dev.Info().Name, Why: "other images mount it, write to it and unmount it meanwhile"}
}

// tries is how often a volume is opened anew that another one has unmounted meanwhile.
const tries = 3

// mountOnce is Mount, or fails with errFreed.
func mountOnce(dev block.Device, o Options) (*FS, error) {
	f, err := openAsking(dev, o, open)
	if err != nil {
		return nil, err
	}
	if f.copied {
		f.o.Log("cffs: " + dev.Info().Name + ": neither of its superblocks can be read: the volume is mounted by their copies")
	}
	switch doubt := f.Doubt(); {
	case doubt != nil:
		f.o.Log(doubt.Error())
	case f.after != nil:
		f.o.Log("cffs: " + dev.Info().Name + ": " + f.after.String() + ": the volume is as the one before left it")
	}
	if f.ro {
		return f, nil
	}
	if err := f.take(); err != nil {
		f.lock()
		f.closed = true // what take changed is not committed later
		f.timer.Stop()
		f.halt()
		f.unlock()
		f.watcher.wait()
		return nil, &MountError{Device: dev.Info().Name, Why: "it cannot be made ready for writing", Err: err, Reads: true}
	}
	f.follow()
	f.o.Pages.Join(f)
	return f, nil
}

// openAsking is do, open or begin, and asks the owner of a volume that is to be written to.
func openAsking(dev block.Device, o Options, do func(block.Device, Options) (*FS, error)) (*FS, error) {
	for range tries {
		f, err := do(dev, o)
		if err != nil || f.ro {
			return f, err
		}
		if err := f.inquire(); err == nil {
			return f, nil
		} else if err != errFreed {
			return nil, err
		}
	}
	return nil, &MountError{Device: dev.Info().Name, Why: "other images mount it, write to it and unmount it meanwhile"}
}

// open reads what a mounted volume needs to know.
func open(dev block.Device, o Options) (*FS, error) {
	f, err := begin(dev, o)
	if err != nil {
		return nil, err
	}
	if _, err := f.t.load(f.t.root, int(f.sb.rootLevel)); err != nil {
		return nil, &MountError{Device: dev.Info().Name, Why: "the root of its tree cannot be read", Err: err}
	}
	v, err := f.t.get(key(rootIno, kindRecord))
	rec, ok := decodeRecord(v)
	if err != nil || !ok || rec.ino != rootIno || rec.mode&syscall.S_IFMT != syscall.S_IFDIR {
		return nil, &MountError{Device: dev.Info().Name, Why: "it has no root directory", Err: err}
	}
	root := f.newInode(rec, nil)
	root.parent = root
	root.refs = 1
	f.nodes[rootIno] = root
	return f, nil
}

// begin is open as far as the superblock goes: nothing of the tree was looked at.
func begin(dev block.Device, o Options) (*FS, error) {
	in := dev.Info()
	refuse := func(why string, err error) (*FS, error) { return nil, &MountError{Device: in.Name, Why: why, Err: err} }
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = drawn
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if o.Cache == 0 {
		o.Cache = 16 << 20
	}
	if o.Pages == nil {
		o.Pages = pages.New(pages.NewHeap(o.Cache))
	}
	if o.Dirty == 0 {
		o.Dirty = 8 << 20
	}
	if in.BlockSize > BlockSize {
		return refuse("its blocks have "+strconv.Itoa(in.BlockSize)+" bytes, and a volume's "+strconv.Itoa(BlockSize), nil)
	}
	board := make([]byte, askAt*BlockSize)
	readBoard(dev, board) // what cannot be read readSuper finds elsewhere, or tells
	sb, raw, after, copied, err := readSuper(dev)
	n := blocksOf(dev)
	switch {
	case sb == nil && after != nil:
		return refuse(after.String()+", and the one before it is not found", after.err)
	case sb == nil && err != nil:
		return refuse("it cannot be read", err)
	case sb == nil:
		what := foreign(dev)
		if in.Size < minBlocks*BlockSize && (what == Empty || what == unknown) {
			what = tooSmall(in.Size)
		}
		return refuse("there is no cffs volume on it; found "+what, nil)
	case sb.readNeeds&^knownNeeds != 0:
		return refuse("its volume has a format that is not known here", nil)
	case sb.blocks > n:
		return refuse("its volume has "+strconv.FormatUint(sb.blocks, 10)+" blocks, and the device only "+strconv.FormatUint(n, 10)+": it is cut short", nil)
	case !sb.sound():
		return refuse("its superblock makes no sense", nil)
	}
	if after != nil && after.err != nil {
		o.ReadOnly = true
	}
	f := &FS{dev: dev, o: o, sb: *sb, after: after, copied: copied, clean: sb.owner == [16]byte{}, last: raw, board: board, ro: o.ReadOnly || in.ReadOnly || sb.writeNeeds&^knownWriteNeeds != 0, dirty: map[*inode]bool{}, nodes: map[uint64]*inode{}}
	f.cache = pages.NewCache(o.Pages, disk{f})
	f.dataSum = sum
	if sb.readNeeds&needWordSum != 0 {
		f.dataSum = wordSum
	}
	f.t = tree{most: maxNodes, root: &ref{addr: sb.root, sum: sb.rootSum}, uuid: &f.sb.uuid, read: f.readNode, freed: func(b uint64) { f.al.giveUp(span{b, 1}) }}
	f.waits = maxNodes
	f.timer = time.AfterFunc(1<<62, f.tick)
	f.timer.Stop()
	return f, nil
}

// blocksOf is how many blocks of a device a volume can have.
func blocksOf(dev block.Device) uint64 {
	return min(uint64(max(dev.Info().Size, 0)/BlockSize), maxBlocks)
}

// Empty is what Foreign says of a device that begins with zeroes.
const Empty = "zeroes: it is not formatted"

// Foreign says what is on a device, for messages.
func Foreign(dev block.Device) string {
	if list, _, _ := supers(dev); len(list) > 0 {
		return "a cffs volume"
	}
	return foreign(dev)
}

// unknown is what foreign says of bytes that nothing is known about.
const unknown = "bytes of another kind"

func tooSmall(size int64) string {
	return "too small a disk for a volume: " + strconv.FormatInt(size, 10) + " bytes"
}

// A mark is by what something else than a volume is known: bytes at one place.
type mark struct {
	at    int
	bytes string
	what  string
}

// marks are looked for in this order: what says exactly what it is comes before what may be part of something else. Each is as the kind's own documentation has it, or file(1)'s list.
var marks = []mark{
	{1024 + 56, "\x53\xef", "an ext2, ext3 or ext4 filesystem"},
	{0, "XFSB", "an XFS filesystem"},
	{0x10040, "_BHRfS_M", "a btrfs filesystem"},
	{1024, "\x10\x20\xf5\xf2", "an F2FS filesystem"},
	{1024, "\xe2\xe1\xf5\xe0", "an EROFS filesystem"},
	{0, "hsqs", "a squashfs filesystem"},
	{32, "NXSB", "an APFS container"},
	{3, "NTFS    ", "an NTFS filesystem"},
	{3, "EXFAT   ", "an exFAT filesystem"},
	{0, "LUKS\xba\xbe", "a volume that LUKS has encrypted"},
	{3, "-FVE-FS-", "a volume that BitLocker has encrypted"},
	{512, "LABELONE", "a physical volume of LVM2"}, // in any of the first four sectors
	{0, "LABELONE", "a physical volume of LVM2"},
	{1024, "LABELONE", "a physical volume of LVM2"},
	{1536, "LABELONE", "a physical volume of LVM2"},
	{4096, "\xfc\x4e\x2b\xa9", "a member of a Linux RAID"},
	{0, "\xfc\x4e\x2b\xa9", "a member of a Linux RAID"},
	{4096 - 10, "SWAPSPACE2", "swap space of Linux"},
	{4096 - 10, "SWAP-SPACE", "swap space of Linux"},
	{512, "EFI PART", "a GPT partition table"},
	{4096, "EFI PART", "a GPT partition table"}, // on blocks of so many bytes
	{54, "FAT12", "a FAT filesystem"},
	{54, "FAT16", "a FAT filesystem"},
	{82, "FAT32", "a FAT filesystem"},
	{0, "QFI\xfb", "a qcow2 image: give it to the virtual machine as such"},
	{0, "KDMV", "a VMDK image: convert it to a raw one"},
	{0, "vhdxfile", "a VHDX image: convert it to a raw one"},
	{64, "\x7f\x10\xda\xbe", "a VDI image: convert it to a raw one"},
	{8, superMagic, "a cffs volume whose superblocks are damaged"},
	{BlockSize + 8, superMagic, "a cffs volume whose superblocks are damaged"},
	{0x8001, "CD001", "an ISO 9660 or UDF filesystem"},
	{0x8001, "BEA01", "an ISO 9660 or UDF filesystem"},
	{0, "\x7fELF", "an ELF file, as a program or an image"},
	{0, "\x1f\x8b\x08", "a gzip file: unpack it first"},
	{0, "PK\x03\x04", "a zip file: unpack it first"},
	{0, "\xfd7zXZ\x00", "an xz file: unpack it first"},
	{0, "\x28\xb5\x2f\xfd", "a zstd file: unpack it first"},
	{0, "BZh", "a bzip2 file: unpack it first"},
	{257, "ustar", "a tar file"},
	{510, "\x55\xaa", "a boot sector or partition table"},
}

// foreign says what else is on a device, for messages.
func foreign(dev block.Device) string {
	in := dev.Info()
	size := max(in.Size, 0)
	b := make([]byte, min(foreignBytes, size-size%int64(max(1, in.BlockSize))))
	if len(b) > 0 {
		if err := dev.Read([][]byte{b}, 0); err != nil {
			return "nothing that can be read: " + err.Error()
		}
	}
	// Where Format puts other things than superblocks: a volume that was not made to its end is none.
	if len(b) >= 7*BlockSize && le.Uint32(b[bitmapAt*BlockSize+4:]) == bitmapMagic {
		clear(b[bitmapAt*BlockSize : 7*BlockSize])
	}
	for _, m := range marks {
		if len(b) >= m.at+len(m.bytes) && string(b[m.at:m.at+len(m.bytes)]) == m.bytes {
			return m.what
		}
	}
	switch {
	case len(b) < 2*BlockSize:
		return tooSmall(in.Size)
	case len(bytes.Trim(b, "\x00")) == 0:
		return Empty
	}
	return unknown
}

// foreignBytes is how much of a device is looked at: some filesystems leave its first 64 KiB alone, one begins with two empty blocks.
const foreignBytes = 128 << 10

// take makes a volume the mounter's: bitmaps are read, inodes that were left without a name go, and an owner is written.
func (f *FS) take() error {
	f.lock()
	defer f.unlock()
	if err := f.settle(); err != nil {
		return err
	}
	f.extend()
	f.own()
	f.sb.mounts++
	f.change++ // so that there is something to commit
	if err := f.commit(); err != nil {
		return err
	}
	if f.o.Watch {
		f.watch()
	}
	return f.dropOrphans()
}

// settle comes before the first write to a volume. The commit that was found may be in the disk's cache only, if the machine was reset before its flush ended:
// it must be durable before the blocks that it gave up, of which the one before it is made, are written to.
func (f *FS) settle() error {
	if err := f.dev.Flush(); err != nil {
		return err
	}
	_, err := f.readBitmaps()
	return err
}

// readBitmaps finds the current bitmap of each group. One that is not right is not the current one where the others are those that the superblock tells of: a crash tore it, and the next commit writes it. Where that is
// not told, or is not so, it may have been the current one: what is in use there is found from the tree, and both are written. So it is for all groups where what was found is not what the last commit wrote: stale.
func (f *FS) readBitmaps() (stale bool, err error) {
	lost, stale := f.maps()
	if lost == nil {
		return false, nil
	}
	f.o.Log("cffs: " + f.dev.Info().Name + ": " + walked)
	err = f.inUse(f.t.root, -1, new([]byte), func(s span) {
		for b := s.first; b < s.first+s.n; b++ {
			if lost[b/groupBlocks] {
				f.al.set(b)
			}
		}
	})
	f.al.count(f.sb.backup)
	return stale, err
}

// maps is readBitmaps without looking at the tree: lost are the groups whose bitmap is not known, which is empty then; nil where all are those of the last commit.
func (f *FS) maps() (lost map[uint64]bool, stale bool) {
	f.al.blocks = usable(f.sb.blocks)
	f.al.groups = make([]group, groupsOf(f.sb.blocks))
	lost = map[uint64]bool{}
	whole := true // each group has one that may be the current one
	buf := make([]byte, 2*BlockSize)
	for g := range f.al.groups {
		if f.dev.Read([][]byte{buf}, (int64(g)*groupBlocks+bitmapAt)*BlockSize) != nil {
			for slot := range 2 {
				b := buf[slot*BlockSize:][:BlockSize]
				if f.dev.Read([][]byte{b}, (int64(g)*groupBlocks+bitmapAt+int64(slot))*BlockSize) != nil {
					b[0] = ^b[0] // whatever is there
					copy(b[1:], "not read")
				}
			}
		}
		p := &f.al.groups[g]
		best, bad, newest := -1, -1, uint64(0)
		for slot := range 2 {
			b := buf[slot*BlockSize:][:BlockSize]
			gen, ok := decodeBitmap(b, g, &f.sb.uuid)
			switch {
			case !ok && slot == 1 && best == 0 && (newest == 1 || newest == f.sb.gen) && bytes.Equal(b, zeroes[:]): // it was never written: the other is as Format made it, or growing did
				p.dirty = newest != 1
			case !ok:
				bad = slot
			case gen > f.sb.gen:
				p.dirty = true // it must not become current by itself
			case best < 0 || gen > newest:
				best, newest = slot, gen
			}
		}
		if bad >= 0 || best < 0 {
			lost[uint64(g)] = true
			p.dirty, p.half = true, true
		}
		if best < 0 {
			p.slot, whole = 1-max(bad, 0), false
			continue
		}
		b := buf[best*BlockSize:]
		p.slot, p.sum = best, le.Uint32(b)
		for i := range p.bits {
			p.bits[i] = le.Uint64(b[bitmapHeader+8*i:])
		}
	}
	f.al.count(f.sb.backup)
	told, tells := f.sb.bitmapSum()
	right := whole && f.al.used == f.sb.used && f.al.is(f.sb.root) && (!tells || f.al.sum() == told)
	if right && (tells || len(lost) == 0) {
		return nil, false
	}
	stale = len(lost) == 0
	for g := range f.al.groups {
		p := &f.al.groups[g]
		switch {
		case stale:
			lost[uint64(g)] = true
			p.dirty, p.half = true, true
		case !lost[uint64(g)]:
			continue
		default:
			p.slot = 1 - p.slot // the damaged one last: until both are right the damage is to be seen
		}
		p.bits = [groupBlocks / 64]uint64{}
	}
	return lost, stale
}

// walked is what the log is told where a mount goes through the tree.
const walked = "the bitmaps do not tell what is in use: it is found from the tree"

// inUse calls mark for all blocks of the tree below r, and of what lies in it. The nodes do not stay in memory. Keys are all behind the last one before: so no node is found twice.
func (f *FS) inUse(r *ref, level int, last *[]byte, mark func(span)) error {
	b, err := f.readNode(r)
	if err != nil {
		return err
	}
	n := decodeNode(b, r.addr, &f.sb.uuid)
	if n == nil || level >= 0 && (int(n.level) != level || len(n.keys) == 0) {
		return errDamaged
	}
	mark(span{r.addr, 1})
	for _, k := range n.kids {
		if err := f.inUse(k, int(n.level)-1, last, mark); err != nil {
			return err
		}
	}
	for i, v := range n.vals {
		k := n.keys[i]
		if bytes.Compare(k, *last) <= 0 {
			return errDamaged
		}
		if *last = k; k[8] == kindExtent {
			x, ok := f.extent(k, v)
			if !ok {
				return errDamaged
			}
			mark(span{x.block, uint64(len(x.sums))})
		}
	}
	return nil
}

// readNode reads a block of the tree.
func (f *FS) readNode(r *ref) ([]byte, error) {
	if r.addr == 0 || r.addr >= usable(f.sb.blocks) {
		return nil, errDamaged
	}
	b := make([]byte, BlockSize)
	if err := f.dev.Read([][]byte{b}, int64(r.addr)*BlockSize); err != nil {
		return nil, err
	}
	if le.Uint32(b) != r.sum || !sealed(b) {
		return nil, errDamaged
	}
	return b, nil
}

// fail ends writing. mu is held.
func (f *FS) fail(err error) error {
	if f.failed == nil {
		f.failed = err
		f.halt()             // who does not write has nothing that another one could harm
		if err != errFreed { // it is mounted anew then
			f.o.Log("cffs: " + f.dev.Info().Name + ": nothing is written any more: " + err.Error())
		}
	}
	return err
}

// errno is what an error is to a program.
func errno(err error) core.Errno {
	switch {
	case err == nil:
		return 0
	case err == errFull:
		return syscall.ENOSPC
	}
	return syscall.EIO
}

// changed counts a change, and sees that it is committed in time. mu is held.
func (f *FS) changed() {
	f.change++
	if !f.armed && !f.o.Manual {
		f.armed = true
		f.timer.Reset(Interval)
	}
}

// lock begins a change, and unlock ends it. "mu is held for writing", or is held as such, means this.
func (f *FS) lock()   { f.changing.Lock(); f.mu.Lock() }
func (f *FS) unlock() { f.mu.Unlock(); f.changing.Unlock() }

// waiting calls do, which waits for the device, while others may read: nothing is changed meanwhile, for the caller is in a change. It may be called where all that is in memory can be
// seen as it is, but for a file that is marked by moves.
func (f *FS) waiting(do func() error) error {
	f.mu.Unlock()
	defer f.mu.Lock()
	return do()
}

// reading is waiting for what looks at the tree, and reads it.
func (f *FS) reading(do func() error) error {
	return f.waiting(func() error {
		f.mu.RLock()
		defer f.mu.RUnlock()
		return do()
	})
}

// look begins to read what is in the tree, and looked ends it: what of it was read is let go where it has become too much.
func (f *FS) look() { f.mu.RLock() }
func (f *FS) looked() {
	f.t.trim(f.sb.gen)
	f.mu.RUnlock()
}

// tick is the commit that nobody asked for.
func (f *FS) tick() {
	f.lock()
	defer f.unlock()
	f.armed = false
	if !f.closed {
		f.commit() // who asks for durability is told if it failed
	}
}

// WriteBack implements pages.Asked: memory is short, and pages that are not written cannot go.
func (f *FS) WriteBack() {
	if f.o.Manual || !f.asked.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer f.asked.Store(false)
		f.lock()
		defer f.unlock()
		if !f.closed && (f.pages > 0 || f.flight != nil) {
			f.commit() // who asks for durability is told if it failed
		}
	}()
}

// Sync implements fs.FileSystem.
func (f *FS) Sync() core.Errno {
	f.lock()
	defer f.unlock()
	return errno(f.commit())
}

// writable is EROFS or EIO where nothing can be changed. mu is held.
func (f *FS) writable() core.Errno {
	switch {
	case f.failed != nil:
		return syscall.EIO
	case f.ro || f.closed:
		return syscall.EROFS
	}
	return 0
}

// Blocks that an operation may take: height times so many. One key that is put, changes a node on each level and may split each.
const (
	perPut   = 2
	perName  = 12 // a name that comes, goes or moves: entries, records, orphans, directories
	perRun   = 6  // dirty pages in a row: up to three extents
	spare    = 128
	perInode = 3
)

// room sees to it that the next commit has blocks for what it has to write and n more, if need be by a commit now. What gives space back may use spare blocks. mu is held.
func (f *FS) room(n int, frees bool) error {
	if f.t.dirty > f.waits { // what waits in memory is bounded, too
		if err := f.commit(); err != nil {
			return err
		}
	}
	for again := false; ; again = true {
		need := uint64(f.t.dirty + f.owed + n)
		if !frees {
			need += spare
		}
		if need <= f.al.free() {
			return nil
		}
		if again || f.change == f.done {
			return errFull
		}
		if err := f.commit(); err != nil {
			return err
		}
	}
}

// begin is what each change begins with: mu is taken, and there is room. Where e is 0 the caller unlocks.
func (f *FS) begin(puts int, frees bool) (e core.Errno) {
	f.lock()
	f.t.trim(f.sb.gen)
	if e = f.writable(); e == 0 {
		e = errno(f.room(puts*f.t.height(), frees))
	}
	if e != 0 {
		f.unlock()
	}
	return e
}

// soil notes that the record of an inode is to be written. mu is held.
func (f *FS) soil(in *inode) {
	if !f.dirty[in] {
		f.dirty[in] = true
		f.owed += perInode * f.t.height()
	}
	f.changed()
}

// must is for changes of the tree whose way was read before: they do not fail. If one does, what is in memory is not to be committed. mu is held.
func (f *FS) must(err error) {
	if err != nil {
		f.fail(err)
	}
}

func (f *FS) put(k, v []byte) { f.must(f.t.put(k, v)); f.changed() }
func (f *FS) remove(k []byte) { f.must(f.t.remove(k)); f.changed() }

// writes are what a commit writes.
type writes struct {
	at   []uint64
	data [][]byte

	spare *[][]byte // blocks to use again; nil: none
	own   [][]byte  // those in use
}

// blank is a block of zeroes, until done.
func (w *writes) blank() (b []byte) {
	if w.spare == nil || len(*w.spare) == 0 {
		b = make([]byte, BlockSize)
	} else {
		last := len(*w.spare) - 1
		b, *w.spare = (*w.spare)[last], (*w.spare)[:last]
		clear(b)
	}
	w.own = append(w.own, b)
	return b
}

// done keeps some of the blocks that were written for the next time.
func (w *writes) done() {
	const most = 16 // some more than a commit of one file has
	*w.spare = append(*w.spare, w.own[:min(len(w.own), max(0, most-len(*w.spare)))]...)
}

func (w *writes) add(at uint64, b []byte) { w.at, w.data = append(w.at, at), append(w.data, b) }

// order is the order of the blocks on the device.
func (w *writes) order() []int {
	order := make([]int, len(w.at))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(w.at[a], w.at[b]) })
	return order
}

// run writes all, at once, what lies in a row by one request.
func (w *writes) run(dev block.Device) error {
	const most = 256
	order := w.order()
	var list []block.Piece
	var vec [][]byte
	for i := 0; i < len(order); {
		n, from := 1, len(vec)
		vec = append(vec, w.data[order[i]])
		for i+n < len(order) && n < most && w.at[order[i+n]] == w.at[order[i]]+uint64(n) {
			b, last := w.data[order[i+n]], &vec[len(vec)-1]
			if next := (*last)[:cap(*last)]; len(next) >= len(*last)+len(b) && &next[len(*last)] == &b[0] {
				*last = next[:len(*last)+len(b)] // pages of a slot: the device is told where memory lies once for all of them
			} else {
				vec = append(vec, b)
			}
			n++
		}
		list = append(list, block.Piece{Vec: vec[from:len(vec):len(vec)], Off: int64(w.at[order[i]]) * BlockSize})
		i += n
	}
	return block.WriteAll(dev, list)
}

// durably is run, and a flush.
func (w *writes) durably(dev block.Device) error {
	if err := w.run(dev); err != nil {
		return err
	}
	return dev.Flush()
}

// commit makes all changes durable. mu is held for writing.
func (f *FS) commit() error {
	switch {
	case f.failed != nil:
		return f.failed
	case f.change == f.done:
		return nil
	}
	if err := f.write(); err != nil {
		return f.fail(err)
	}
	return nil
}

// write is a commit; FORMAT.md, "Commit".
func (f *FS) write() error {
	gen := f.sb.gen + 1
	w := writes{spare: &f.spare}
	ours := f.ask()
	files, laid, err := f.layout(&w, gen)
	if err := ours(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	sb := f.sb
	sb.gen, sb.used, sb.time = gen, f.al.used-f.al.nfreed, f.o.Now().UnixNano()
	sb.root, sb.rootSum, sb.rootLevel = f.t.root.addr, f.t.root.sum, uint32(f.t.root.n.Load().level)
	sb.bitmaps = f.al.sum()
	sb.wrote, sb.wroteSum = nil, sb.bitmaps
	if sb.readNeeds&needManifest != 0 && !f.spilt && sb.owner != [16]byte{} { // a volume that nobody has mounted is behind a flush: damage cannot be taken for a crash
		if list, sum := w.manifest(); len(list) > 0 {
			sb.wrote, sb.wroteSum = list, sum
		}
	}
	raw := sb.encode()
	// Until this is done who reads finds the dirty pages where they were, and the nodes of the tree in memory.
	if err := f.waiting(func() error { return f.carry(w, &sb, raw) }); err != nil {
		return err
	}
	w.done()
	f.sb, f.last, f.mine = sb, raw, true
	for g := range f.al.groups {
		if p := &f.al.groups[g]; p.dirty {
			p.slot, p.dirty, p.half = 1-p.slot, p.half, false
		}
	}
	freedNow := f.al.committed()
	for _, s := range freedNow {
		f.cache.Drop(s.first, s.n)
	}
	for _, in := range files {
		in.dirs, in.fresh = dirties{}, 0
	}
	f.keep(laid)
	for _, l := range laid {
		f.wrote(l.page)
	}
	f.dirty = map[*inode]bool{}
	f.pages, f.owed, f.done, f.t.dirty, f.spilt = 0, 0, f.change, 0, false
	f.t.trim(f.sb.gen)
	return f.waiting(func() error { f.discard(freedNow); return nil })
}

// layout gives all that changed a place for commit gen, and adds it to w. Nothing is written. mu is held.
func (f *FS) layout(w *writes, gen uint64) (files []*inode, list []laid, err error) {
	if err := f.land(); err != nil {
		return nil, nil, err
	}
	if files, list, err = f.layAll(w); err != nil {
		return nil, nil, err
	}
	for _, in := range files {
		if err := f.store(in); err != nil {
			return nil, nil, err
		}
	}
	if err := f.place(f.t.root, gen, w); err != nil {
		return nil, nil, err
	}
	f.al.bitmaps(w, gen, &f.sb.uuid)
	return files, list, nil
}

// ask begins to look whether the volume is still ours, and gives what waits for the answer, which is to be called before anything is written, and in any case: the disk reads while what is to be written is laid out. mu is
// held, then and until the answer is there.
func (f *FS) ask() (answer func() error) {
	look := f.fence
	if !f.mine {
		look = func() error { return f.heard(make([]byte, (answerAt+1)*BlockSize)) }
	}
	c := make(chan error, 1)
	go func() { c <- look() }()
	return func() error { return f.waiting(func() error { return <-c }) }
}

// carry writes what a commit writes, and raw, its superblock, in their order.
func (f *FS) carry(w writes, sb *super, raw []byte) error {
	if len(sb.wrote) == 0 && (len(w.at) > 0 || f.spilt) {
		if err := w.durably(f.dev); err != nil {
			return err
		}
		w = writes{}
	}
	w.add(sb.gen&1, raw)
	w.add(sb.backup+sb.gen&1, raw)
	return w.durably(f.dev)
}

// layAll gives all dirty pages places, those of one directory next to each other, and tells whose they are. mu is held.
func (f *FS) layAll(w *writes) (files []*inode, list []laid, err error) {
	for in := range f.dirty {
		files = append(files, in)
	}
	slices.SortFunc(files, func(a, b *inode) int {
		if c := bytes.Compare(a.home[:min(8, len(a.home))], b.home[:min(8, len(b.home))]); c != 0 {
			return c
		}
		return cmp.Compare(a.rec.ino, b.rec.ino)
	})
	list = make([]laid, 0, f.pages)
	w.at, w.data = slices.Grow(w.at, f.pages), slices.Grow(w.data, f.pages)
	for _, in := range files {
		if err := f.layDown(in, w, &list); err != nil {
			return nil, nil, err
		}
	}
	return files, list, nil
}

// keep has pages that were given places found in the page cache.
func (f *FS) keep(list []laid) {
	for len(list) > 0 {
		l, n := list[0], 0
		var sums [pages.PerSlot]uint32
		for n < min(len(list), len(sums)) && list[n].of == l.of && int(list[n].at) == int(l.at)+n && list[n].block == l.block+uint64(n) {
			sums[n] = list[n].sum
			n++
		}
		f.cache.Put(l.block, l.of, int(l.at), sums[:n]...)
		list = list[n:]
	}
}

// A flight is pages that are being written before the commit that they are for.
type flight struct {
	data []laid // by the block where each is to lie, pinned
	err  error  // valid when done is closed
	done chan struct{}
}

// spill begins to write the dirty pages, so that there is room for others: to blocks that are free in the last commit, as all that is written, so that no order is needed. The next commit
// waits for it. As a commit it looks first whether the volume is still ours: those blocks may be another mounter's by now. mu is held.
func (f *FS) spill() error {
	ours := f.ask()
	var w writes
	var files []*inode
	var list []laid
	err := f.land()
	if err == nil {
		files, list, err = f.layAll(&w)
	}
	if err := ours(); err != nil {
		return f.fail(err)
	}
	if err != nil {
		return f.fail(err)
	}
	slices.SortFunc(list, func(a, b laid) int { return cmp.Compare(a.block, b.block) })
	a := &flight{data: list, done: make(chan struct{})}
	f.flight, f.spilt = a, true
	f.air.Store(a) // before anything leaves the cache again
	f.keep(list)
	for _, in := range files {
		in.dirs, in.fresh = dirties{}, 0
	}
	f.pages, f.owed = 0, len(f.dirty)*perInode*f.t.height()
	go func() {
		if a.err = w.run(f.dev); a.err == nil {
			f.air.CompareAndSwap(a, nil)
		}
		close(a.done)
	}()
	return nil
}

// land waits until what was spilled is written. What could not be stays readable. mu is held.
func (f *FS) land() error {
	if f.flight == nil {
		return nil
	}
	if err := f.waiting(func() error { <-f.flight.done; return f.flight.err }); err != nil {
		return err
	}
	for _, l := range f.flight.data {
		f.wrote(l.page)
	}
	f.flight = nil
	return nil
}

// flown gives a block that may not be on the disk yet; none for others. mu is held, for reading at least.
func (f *FS) flown(block uint64) pages.Hold {
	if a := f.air.Load(); a != nil {
		if i, ok := slices.BinarySearchFunc(a.data, block, func(l laid, block uint64) int { return cmp.Compare(l.block, block) }); ok {
			l := a.data[i]
			l.of.Repin()
			return pages.Hold{Data: l.data(), Of: l.of, Page: int(l.at)}
		}
	}
	return pages.Hold{}
}

// maxNodes is about how many clean nodes of the tree stay in memory, and how many changed ones wait for a commit: some 16 MiB each.
const maxNodes = 4096

// fence looks whether the volume is still ours. Where a superblock cannot be read its copy counts.
func (f *FS) fence() error {
	if f.supers == nil {
		f.supers = make([]byte, 2*BlockSize)
	}
	b := f.supers
	if f.dev.Read([][]byte{b}, 0) != nil {
		for i := range uint64(2) {
			one := [][]byte{b[i*BlockSize:][:BlockSize]}
			if err := f.dev.Read(one, int64(i)*BlockSize); err != nil && f.dev.Read(one, int64(f.sb.backup+i)*BlockSize) != nil {
				return err
			}
		}
	}
	ours := f.sb.gen & 1
	if s := decodeSuper(b[(1-ours)*BlockSize:][:BlockSize]); s != nil && (s.gen > f.sb.gen || f.born > 0 && s.gen >= f.born && s.owner != f.owner) {
		return errForeign
	}
	if b = b[ours*BlockSize:][:BlockSize]; !bytes.Equal(b, f.last) {
		if s := decodeSuper(b); s != nil && s.gen > f.sb.gen {
			return errForeign
		}
		return errDamaged
	}
	return nil
}

// place gives the dirty nodes at and below r their places, and the blocks to write to w.
func (f *FS) place(r *ref, gen uint64, w *writes) error {
	n := r.n.Load()
	if n == nil || !n.dirty {
		return nil
	}
	for _, k := range n.kids {
		if err := f.place(k, gen, w); err != nil {
			return err
		}
	}
	s := f.al.take(1)
	if s.n == 0 {
		return errFull
	}
	b := n.encode(w.blank(), gen, s.first, &f.sb.uuid)
	r.addr, r.sum = s.first, seal(b)
	n.dirty, n.gen = false, gen
	w.add(s.first, b)
	return nil
}

// discard tells the device of blocks that are free, where it wants to know. That it fails costs nothing.
func (f *FS) discard(list []span) {
	slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	for i := 0; i < len(list); {
		s := list[i]
		for i++; i < len(list) && list[i].first == s.first+s.n; i++ {
			s.n += list[i].n
		}
		if f.dev.Info().Discard && s.n >= minDiscard {
			f.dev.Discard(int64(s.first)*BlockSize, int64(s.n)*BlockSize)
		}
	}
}

// minDiscard is how many blocks in a row are worth a request.
const minDiscard = 16

// Close commits, marks the volume as unmounted and ends its use. The device stays open.
func (f *FS) Close() error {
	f.lock()
	defer f.watcher.wait() // behind unlock: a watcher that finds another owner wants the lock
	defer f.unlock()
	if f.closed {
		return nil
	}
	f.timer.Stop()
	defer f.letGo()
	defer f.halt() // who asks until the volume is unmounted is answered
	f.o.Pages.Leave(f)
	if f.ro || f.failed != nil {
		f.land()
		f.closed = true
		return f.failed
	}
	f.disown()
	f.change++
	err := f.commit()
	f.closed = true
	return err
}

// letGo gives the memory of clean pages back. mu is held.
func (f *FS) letGo() {
	if f.blanks.Of != nil {
		f.blanks.Of.Unpin()
		f.blanks = pages.Piece{}
	}
	f.cache.Close()
}

// Statfs implements fs.FileSystem.
func (f *FS) Statfs(s *core.Statfs) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	*s = core.Statfs{Type: magic, BlockSize: BlockSize, Blocks: f.sb.blocks, ReadOnly: f.ro, ID: le.Uint64(f.sb.uuid[:])}
	if f.ro {
		s.Free = f.sb.blocks - f.sb.used
		return
	}
	// What waits for the next commit is as good as done. What begin asks for before anything is changed nobody gets.
	taken := uint64(f.t.dirty+f.owed+spare+perName*f.t.height()) + f.al.used - f.al.nfreed
	s.Free = f.al.blocks - min(taken, f.al.blocks)
}

// magic is f_type: "CFFS".
const magic = 0x43464653

// Root implements fs.FileSystem.
func (f *FS) Root() core.Dir {
	f.nmu.Lock()
	defer f.nmu.Unlock()
	in := f.nodes[rootIno]
	in.refs++
	return in.self.(core.Dir)
}

// Label is the volume's.
func (f *FS) Label() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.sb.labelText()
}

// UUID is the volume's.
func (f *FS) UUID() [16]byte {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.sb.uuid
}

// Clean says whether the volume had been unmounted when this mount found it.
func (f *FS) Clean() bool { return f.clean }

// Doubt says why the volume can only be read as the commit before the last left it, though the last one may have been acknowledged: *MountError; nil where that is not so. Repair can go back to that commit for good.
func (f *FS) Doubt() error {
	if f.after == nil || f.after.err == nil {
		return nil
	}
	return &MountError{Device: f.dev.Info().Name, Why: f.after.String() + ": the volume can be read as the one before left it, and is not written to until it was repaired"}
}
