// Package fat reads and writes FAT volumes, for boot partitions and SD cards: "Microsoft Extensible Firmware Initiative FAT32 File System Specification" 1.03 ("FAT"), with long names (FAT, 7).
// FAT12, FAT16 and FAT32 are mounted; Format makes FAT32; Check says what is wrong with a volume, Repair mends it, and Grow makes it larger.
//
// What is written to a file goes to the disk at once, and what was read or written stays in the page cache; the table, 64 MiB at most, and directories wait in memory, for Sync, for Interval, or until they are many. Nothing
// protects them from a crash in between: that is FAT. But what names data is not on the disk before it, for the disk's cache is flushed between the two, and clusters that were given up are not written to before the disk has the
// table and folders without them: a name that a crash leaves has its own bytes, or those that it had. Who writes hears of the disk's errors. A volume is marked as in use while it is mounted for writing.
//
// As FAT has it: names are found whatever their case, and keep it, as does one that another takes the place of; there are no links, owners or extended attributes; a mode is the read-only bit; a file has at most 4 GiB less one byte, and no
// holes; times are even seconds from 1980 to 2107, the nearest of them where another is asked for, taken as UTC. Room can be set aside for a file, behind its end, too, as long as it is open. Names that are no UTF-8, have one of "*:<>?\| or a character below space in them, or end in a dot or space, are EINVAL.
package fat

import (
	"bytes"
	"container/list"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// Interval is how long a change may wait to be written by itself.
const Interval = 5 * time.Second

const (
	maxTable = 64 << 20              // bytes of a table, which is in memory
	maxMeta  = maxSlots*32/512 + 256 // sectors of directories in memory: those of the largest one, and more
	atOnce   = 64 << 10              // bytes of directories or of the table that are read or written in one go
	maxSize  = 1<<32 - 1
)

var le = binary.LittleEndian

// Options are what a volume is mounted with.
type Options struct {
	ReadOnly bool
	Now      func() time.Time // nil: the machine's clock
	Manual   bool             // write when asked and when it must be, not by time: for tests
	Pages    *pages.Store     // of the page cache; nil: one of the volume's own
	Cache    int              // bytes of that, 0: 16 MiB; whose the store is, indexes of folders may have a quarter of so many
}

// MountError says why a volume cannot be mounted.
type MountError struct {
	Device, Why string
	Err         error
	Reads       bool // it can be mounted for reading only
}

func (e *MountError) Error() string {
	s := "fat: " + e.Device + ": " + e.Why
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *MountError) Unwrap() error { return e.Err }

var errDamaged = errors.New("fat: the volume is damaged")

// shape is what the boot sector says: FAT, 3.
type shape struct {
	width    int   // bits of a table's entry
	sector   int64 // bytes
	cluster  int64 // bytes
	tableAt  int64 // all places are bytes on the device
	table    int64 // bytes
	copies   int64
	active   int64 // of FAT32: the only copy of the table that is in use; -1: all are
	rootAt   int64 // of FAT12 and FAT16: where the root directory is, and how long
	rootSize int64
	root     uint32 // of FAT32: its first cluster
	infoAt   int64  // of FAT32; 0: none
	dataAt   int64  // of cluster 2
	clusters uint32 // the last one is clusters+1
	id       uint32
	label    string
}

// readShape reads the boot sector; why says what is wrong with it.
func readShape(dev block.Device) (s shape, why string, err error) {
	in := dev.Info()
	n := max(512, int64(in.BlockSize))
	if in.Size < n {
		return s, "it is too small", nil
	}
	b := make([]byte, n)
	if err := dev.Read([][]byte{b}, 0); err != nil {
		return s, "it cannot be read", err
	}
	s, why = parseBoot(b, in)
	return s, why, nil
}

// parseBoot says what a boot sector says of a device; why: what is wrong with it.
func parseBoot(b []byte, in block.Info) (s shape, why string) {
	if b[510] != 0x55 || b[511] != 0xaa {
		return s, "it has no boot sector"
	}
	s.sector = int64(le.Uint16(b[11:]))
	s.cluster = s.sector * int64(b[13])
	reserved := int64(le.Uint16(b[14:]))
	s.copies, s.active = int64(b[16]), -1
	rootEntries := int64(le.Uint16(b[17:]))
	total := int64(le.Uint16(b[19:]))
	if total == 0 {
		total = int64(le.Uint32(b[32:]))
	}
	table := int64(le.Uint16(b[22:]))
	ext := b[36:]
	if table == 0 {
		table = int64(le.Uint32(b[36:]))
		ext = b[64:]
	}
	pow2 := func(v, lo, hi int64) bool { return v >= lo && v <= hi && v&(v-1) == 0 }
	if !pow2(s.sector, 512, 4096) || !pow2(int64(b[13]), 1, 128) || reserved == 0 || s.copies < 1 || s.copies > 4 || table == 0 || total == 0 {
		return s, "its boot sector is none of FAT's"
	}
	if s.sector < int64(in.BlockSize) {
		return s, "its sectors are smaller than the disk's blocks"
	}
	s.table = table * s.sector
	s.tableAt = reserved * s.sector
	s.rootAt = s.tableAt + s.copies*s.table
	s.rootSize = (rootEntries*32 + s.sector - 1) / s.sector * s.sector
	s.dataAt = s.rootAt + s.rootSize
	if total*s.sector > in.Size {
		return s, "it says that it has " + strconv.FormatInt(total*s.sector, 10) + " bytes, and the device has only " + strconv.FormatInt(in.Size, 10)
	}
	count := (total*s.sector - s.dataAt) / s.cluster
	switch { // FAT, 3.5: this and nothing else tells which it is
	case count < 1:
		return s, "it has no clusters"
	case count < 4085:
		s.width = 12
	case count < 65525:
		s.width = 16
	default:
		s.width = 32
	}
	s.clusters = uint32(min(count, 0x0ffffff5))
	if (int64(s.clusters)+2)*int64(s.width) > s.table*8 {
		return s, "its table is too small for its clusters"
	}
	if s.table > maxTable {
		return s, "its table is larger than " + strconv.Itoa(maxTable) + " bytes"
	}
	if s.width == 32 {
		if rootEntries != 0 || le.Uint16(b[42:]) != 0 {
			return s, "it is of a version that is not known here"
		}
		s.root = le.Uint32(b[44:])
		if !s.is(s.root) {
			return s, "its root directory is nowhere"
		}
		if use := b[40]; use&0x80 != 0 && int64(use&15) < s.copies { // FAT, 3.3: BPB_ExtFlags
			s.active = int64(use & 15)
		}
		if at := int64(le.Uint16(b[48:])); at > 0 && at < reserved {
			s.infoAt = at * s.sector
		}
	}
	if ext[2] == 0x28 || ext[2] == 0x29 {
		s.id = le.Uint32(ext[3:])
		if s.label = strings.TrimRight(string(ext[7:18]), " "); s.label == noName {
			s.label = ""
		}
	}
	return s, ""
}

// inUse gives the copies of the table that are kept and read.
func (s *shape) inUse() (list []int64) {
	for k := range s.copies {
		if s.active < 0 || s.active == k {
			list = append(list, k)
		}
	}
	return list
}

// is says whether a number is that of a cluster.
func (s *shape) is(c uint32) bool { return c >= 2 && c-2 < s.clusters }

func (s *shape) at(c uint32) int64 { return s.dataAt + int64(c-2)*s.cluster }

// Identify tells the label and the serial number, as XXXX-XXXX, of the volume on dev; ok is false if there is none.
func Identify(dev block.Device) (label, id string, ok bool) {
	s, why, err := readShape(dev)
	if why != "" || err != nil {
		return "", "", false
	}
	h := strings.ToUpper(strconv.FormatUint(uint64(s.id)|1<<32, 16)[1:])
	return s.label, h[:4] + "-" + h[4:], true
}

// FS is a mounted volume.
type FS struct {
	shape
	dev block.Device
	o   Options
	ro  bool

	cache  *pages.Cache
	coming atomic.Int32 // loads that are on their way for nobody yet

	mu     sync.Mutex // guards all below, and nodes
	tab    []byte     // the table
	stale  map[int64]bool
	meta   map[int64]*sector // of directories, by place
	ndirty int
	part   [][]byte // one of the device's blocks, of which a part is moved: always the same memory, which a device that does not stop may hold
	free   uint32
	cursor uint32
	given  []uint64 // a bit for each cluster that was given up since the last sync; nil for none
	ngiven uint32
	behind bool            // what folders and the table will name was written since the last flush
	nodes  map[int64]*node // by the place of their entry; the root's is -1
	gone   map[*node]bool  // what is open and has no name
	ending bool            // what is written says that their clusters are free
	failed error

	indexes  map[uint32]*index // of directories, by their first cluster; the root's of FAT12 and FAT16 is 0
	recent   list.List         // of these, those that were asked for last first
	indexed  int               // what they cost, in slots
	released uint64            // how often clusters were given up

	mostIndexed int // slots that they may cost

	timer  *time.Timer
	armed  bool
	closed bool
}

type sector struct {
	b     []byte
	dirty bool
}

// Mount mounts the volume on dev. Errors: *MountError.
func Mount(dev block.Device, o Options) (*FS, error) {
	name := dev.Info().Name
	s, why, err := readShape(dev)
	if why != "" {
		return nil, &MountError{Device: name, Why: why, Err: err}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Cache == 0 {
		o.Cache = 16 << 20
	}
	if o.Pages == nil {
		o.Pages = pages.New(pages.NewHeap(o.Cache))
	}
	f := &FS{shape: s, dev: dev, o: o, ro: o.ReadOnly || dev.Info().ReadOnly, tab: make([]byte, s.table), stale: map[int64]bool{}, meta: map[int64]*sector{}, nodes: map[int64]*node{}, gone: map[*node]bool{}, indexes: map[uint32]*index{}, mostIndexed: max(o.Cache/4/slotBytes, minIndexed), part: [][]byte{make([]byte, dev.Info().BlockSize)}, cursor: 2}
	f.cache = pages.NewCache(o.Pages, disk{f})
	for _, k := range s.inUse() {
		if err = dev.Read([][]byte{f.tab}, s.tableAt+k*s.table); err == nil {
			break
		}
	}
	if err != nil {
		return nil, &MountError{Device: name, Why: "its table cannot be read", Err: err}
	}
	for c := uint32(2); c-2 < s.clusters; c++ {
		if f.get(c) == 0 {
			f.free++
		}
	}
	root := &node{fs: f, at: -1, dir: true, first: s.root, refs: 1}
	root.parent, root.self = root, &Dir{root}
	if _, err := root.clusters(); err != nil {
		return nil, &MountError{Device: name, Why: "its root directory cannot be read", Err: err}
	}
	f.nodes[-1] = root
	f.timer = time.AfterFunc(1<<62, f.tick)
	f.timer.Stop()
	if !f.ro {
		f.mark(false)
		if err := f.sync(); err != nil {
			f.closed = true
			return nil, &MountError{Device: name, Why: "it cannot be made ready for writing", Err: err, Reads: true}
		}
	}
	return f, nil
}

// mark says in the table's second entry whether the volume is unmounted (FAT, 4.2); FAT12 has no place for that.
func (f *FS) mark(clean bool) {
	bit := map[int]uint32{16: 1 << 15, 32: 1 << 27}[f.width]
	if v := f.get(1); clean {
		f.set(1, v|bit)
	} else {
		f.set(1, v&^bit)
	}
}

// entry reads an entry of a table.
func (s *shape) entry(tab []byte, c uint32) uint32 {
	switch s.width {
	case 12:
		v := uint32(le.Uint16(tab[c+c/2:]))
		if c&1 != 0 {
			return v >> 4
		}
		return v & 0xfff
	case 16:
		return uint32(le.Uint16(tab[2*c:]))
	}
	return le.Uint32(tab[4*c:]) & 0x0fffffff
}

// putEntry writes one. Of FAT32 the upper four bits stay.
func (s *shape) putEntry(tab []byte, c, v uint32) {
	at := int64(c) * int64(s.width) / 8
	switch s.width {
	case 12:
		old := le.Uint16(tab[at:])
		if c&1 != 0 {
			le.PutUint16(tab[at:], old&0xf|uint16(v)<<4)
		} else {
			le.PutUint16(tab[at:], old&0xf000|uint16(v)&0xfff)
		}
	case 16:
		le.PutUint16(tab[at:], uint16(v))
	default:
		le.PutUint32(tab[at:], le.Uint32(tab[at:])&0xf0000000|v&0x0fffffff)
	}
}

// get reads an entry of the table.
func (f *FS) get(c uint32) uint32 { return f.entry(f.tab, c) }

// set writes one.
func (f *FS) set(c, v uint32) {
	f.putEntry(f.tab, c, v)
	at := int64(c) * int64(f.width) / 8
	if f.width == 12 {
		f.stale[(at+1)/f.sector] = true
	}
	f.stale[at/f.sector] = true
}

// end is the entry of a last cluster, and least what counts as one.
func (s *shape) end() (v, least uint32) {
	v = 1<<min(s.width, 28) - 1
	return v, v - 7
}

// follow gives the clusters from one on: most of them at most, but all are looked at.
func (f *FS) follow(c uint32, most int) (list []uint32, err error) {
	_, last := f.end()
	for n := uint32(0); ; n++ {
		if !f.is(c) || n > f.clusters {
			return nil, errDamaged
		}
		if len(list) < most {
			list = append(list, c)
		}
		if c = f.get(c); c >= last {
			return list, nil
		}
	}
}

// holds says whether the table has clusters one after the other, and that they end, unless they are most: then there may be more.
func (f *FS) holds(list []uint32, most int) bool {
	_, last := f.end()
	for i, c := range list {
		next := f.get(c)
		if i+1 < len(list) && next != list[i+1] || i+1 == len(list) && i+1 < most && next < last {
			return false
		}
	}
	return true
}

// ready sees that n clusters can be taken without a sync, if so many are free: those that were given up since the last one are still somebody's on the disk.
func (f *FS) ready(n int) error {
	if int64(n) > int64(f.free)-int64(f.ngiven) && f.ngiven > 0 {
		return f.sync()
	}
	return nil
}

func (f *FS) isGiven(c uint32) bool { return f.ngiven > 0 && f.given[c/64]>>(c%64)&1 != 0 }

// take gives n clusters, marked as the end of a row each; ENOSPC gives none. It may write all: nobody holds an entry of a directory meanwhile, and what is there is right.
func (f *FS) take(n int) ([]uint32, core.Errno) {
	if n < 0 || uint64(n) > uint64(f.free) {
		return nil, syscall.ENOSPC
	}
	if err := f.ready(n); err != nil {
		return nil, errno(err)
	}
	end, _ := f.end()
	list := make([]uint32, 0, n)
	for tries := uint32(0); len(list) < n; tries++ {
		if tries > f.clusters { // free was wrong
			f.release(list)
			return nil, syscall.ENOSPC
		}
		if f.get(f.cursor) == 0 && !f.isGiven(f.cursor) {
			f.set(f.cursor, end)
			f.free--
			list = append(list, f.cursor)
		}
		if f.cursor++; f.cursor-2 >= f.clusters {
			f.cursor = 2
		}
	}
	return list, 0
}

func (f *FS) release(list []uint32) {
	if f.given == nil && len(list) > 0 {
		f.given = make([]uint64, (f.clusters+2+63)/64)
	}
	f.released++
	for _, c := range list {
		f.unindex(c) // of a directory that has it, too
		f.set(c, 0)
		f.free++
		if !f.isGiven(c) {
			f.given[c/64] |= 1 << (c % 64)
			f.ngiven++
		}
		f.forget(f.shape.at(c), f.cluster) // which gives memory back: what is there is right in any case
	}
}

// link makes list follow the clusters in before.
func (f *FS) link(before, list []uint32) {
	for i, c := range list {
		if i > 0 {
			f.set(list[i-1], c)
		} else if len(before) > 0 {
			f.set(before[len(before)-1], c)
		}
	}
}

// room sees that sectors of directories can be read without their number growing beyond maxMeta, but for those that wait to be written.
func (f *FS) room(n int) error {
	if len(f.meta)+n <= maxMeta {
		return nil
	}
	if f.ndirty > maxMeta/2 {
		if err := f.sync(); err != nil {
			return err
		}
	}
	for k, old := range f.meta {
		if !old.dirty {
			delete(f.meta, k)
		}
	}
	return nil
}

// bring reads sectors of a directory that lie in a row, k bytes from at on and atOnce at most, in one request: as many as are not in memory, if the first one is not. What cannot be read so is false, and left to at32. An error
// is a sync's.
func (f *FS) bring(at, k int64) (bool, error) {
	at &^= f.shape.sector - 1
	n := int64(0)
	for n*f.shape.sector < min(k, atOnce) && f.meta[at+n*f.shape.sector] == nil {
		n++
	}
	if n < 2 {
		return true, nil
	}
	if err := f.room(int(n)); err != nil {
		return false, err
	}
	b := make([]byte, n*f.shape.sector)
	if f.dev.Read([][]byte{b}, at) != nil {
		return false, nil
	}
	for ; len(b) > 0; at, b = at+f.shape.sector, b[f.shape.sector:] {
		f.meta[at] = &sector{b: bytes.Clone(b[:f.shape.sector])} // each has its memory, for they go one by one
	}
	return true, nil
}

// at32 gives an entry of a directory, to look at or to change: soil says which.
func (f *FS) at32(at int64, soil bool) ([]byte, error) {
	base := at &^ (f.shape.sector - 1)
	s := f.meta[base]
	if s == nil {
		if err := f.room(1); err != nil {
			return nil, err
		}
		s = &sector{b: make([]byte, f.shape.sector)}
		if err := f.dev.Read([][]byte{s.b}, base); err != nil {
			return nil, err
		}
		f.meta[base] = s
	}
	if soil && !s.dirty {
		s.dirty = true
		f.ndirty++
	}
	return s.b[at-base:][:32], nil
}

// changed sees that what was changed is written in time.
func (f *FS) changed() {
	if !f.armed && !f.o.Manual {
		f.armed = true
		f.timer.Reset(Interval)
	}
}

func (f *FS) tick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	if !f.closed {
		f.sync()
	}
}

// sync writes the table, then directories, behind what they name, and flushes. An error ends writing.
func (f *FS) sync() error {
	if f.failed != nil {
		return f.failed
	}
	err := f.writeBack()
	if err == nil {
		err = f.dev.Flush()
	}
	if err != nil {
		f.failed = err
		return err
	}
	f.behind, f.given, f.ngiven = false, nil, 0
	return nil
}

func (f *FS) writeBack() error {
	defer f.hide()()
	if f.behind && (len(f.stale) > 0 || f.ndirty > 0) {
		if err := f.dev.Flush(); err != nil {
			return err
		}
		f.behind = false
	}
	if len(f.stale) > 0 && f.infoAt > 0 {
		b := make([]byte, f.sector)
		if err := f.dev.Read([][]byte{b}, f.infoAt); err != nil {
			return err
		}
		if le.Uint32(b) == 0x41615252 && le.Uint32(b[484:]) == 0x61417272 { // FAT, 5
			le.PutUint32(b[488:], f.free)
			le.PutUint32(b[492:], f.cursor)
			if err := f.dev.Write([][]byte{b}, f.infoAt); err != nil {
				return err
			}
		}
	}
	most := atOnce / int(f.sector)
	if err := rows(slices.Collect(maps.Keys(f.stale)), 1, most, func(i int64, n int) error {
		b := f.tab[min(i*f.sector, f.table):min((i+int64(n))*f.sector, f.table)]
		for _, k := range f.inUse() {
			if len(b) == 0 {
				break
			}
			if err := f.dev.Write([][]byte{b}, f.tableAt+k*f.table+i*f.sector); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	clear(f.stale)
	var dirty []int64
	for at, s := range f.meta {
		if s.dirty {
			dirty = append(dirty, at)
		}
	}
	if err := rows(dirty, f.sector, most, func(at int64, n int) error {
		b := make([]byte, 0, int64(n)*f.sector)
		for i := range n {
			b = append(b, f.meta[at+int64(i)*f.sector].b...)
		}
		return f.write(b, at, false)
	}); err != nil {
		return err
	}
	for _, at := range dirty {
		f.meta[at].dirty = false
	}
	f.ndirty = 0
	return nil
}

// hide makes the table say that the clusters of what has no name are free, where the end is near, and gives what takes that back. They are not taken by anybody.
func (f *FS) hide() (show func()) {
	if !f.ending {
		return func() {}
	}
	type entry struct{ c, v uint32 }
	var hidden []entry
	for n := range f.gone {
		list, err := n.all()
		if err != nil {
			continue
		}
		for _, c := range list {
			if v := f.get(c); v != 0 { // once: of a damaged volume two may have it
				hidden = append(hidden, entry{c, v})
			}
		}
	}
	slices.SortFunc(hidden, func(a, b entry) int { return int(a.c) - int(b.c) })
	hidden = slices.Compact(hidden)
	for _, h := range hidden {
		f.set(h.c, 0)
	}
	f.free += uint32(len(hidden))
	return func() {
		kept := maps.Clone(f.stale)
		for _, h := range hidden {
			f.set(h.c, h.v)
		}
		f.free -= uint32(len(hidden))
		f.stale = kept
	}
}

// rows calls do for numbers that lie in rows, step apart, with the first one of a row and how many there are: most at a time.
func rows(list []int64, step int64, most int, do func(first int64, n int) error) error {
	slices.Sort(list)
	for len(list) > 0 {
		n := 1
		for n < min(most, len(list)) && list[n] == list[n-1]+step {
			n++
		}
		if err := do(list[0], n); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// Sync implements fs.FileSystem.
func (f *FS) Sync() core.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ro || f.closed {
		return 0
	}
	return errno(f.sync())
}

// Ending implements fs.Ender.
func (f *FS) Ending() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finish()
}

// finish has what is written from now on leave nothing on the disk that only open files need.
func (f *FS) finish() {
	f.ending = true
	for _, n := range f.nodes {
		n.yield()
	}
}

// Close writes all, marks the volume as unmounted and ends its use. The device stays open.
func (f *FS) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.timer.Stop()
	f.finish()
	f.closed = true
	f.cache.Close()
	if f.ro {
		return nil
	}
	if err := f.sync(); err != nil { // all is right before it says so
		return err
	}
	f.mark(true)
	return f.sync()
}

// Label is the volume's, as the boot sector says.
func (f *FS) Label() string { return f.label }

// Root implements fs.FileSystem.
func (f *FS) Root() core.Dir {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[-1]
	n.refs++
	return n.self.(core.Dir)
}

// Statfs implements fs.FileSystem.
func (f *FS) Statfs(s *core.Statfs) {
	f.mu.Lock()
	defer f.mu.Unlock()
	const magic = 0x4d44 // MSDOS_SUPER_MAGIC
	*s = core.Statfs{Type: magic, BlockSize: f.cluster, Blocks: uint64(f.clusters), Free: uint64(f.free), ReadOnly: f.ro, ID: uint64(f.id), DontExport: true}
}

func errno(err error) core.Errno {
	if err == nil {
		return 0
	}
	if e, ok := err.(core.Errno); ok {
		return e
	}
	return syscall.EIO
}

// writable is EROFS or EIO where nothing can be changed.
func (f *FS) writable() core.Errno {
	switch {
	case f.failed != nil:
		return syscall.EIO
	case f.ro || f.closed:
		return syscall.EROFS
	}
	return 0
}
