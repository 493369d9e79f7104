package cffs

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
	"syscall"
)

// The layout: FORMAT.md.

const (
	// BlockSize is the size of a block.
	BlockSize = 4096

	version     = 1
	groupBlocks = 32512 // bits in a bitmap
	bitmapAt    = 4     // first of a group's two slots
	maxItem     = 1100
	maxKey      = 8 + 1 + 255 + 2 // an attribute's
	maxExtent   = 128             // blocks
	chunkSize   = 700

	bitmapMagic = 0x42464643

	bitmapHeader = 32 // bytes before the bits
	nodeMagic    = 0x45525443
	superMagic   = "HTCFFS\r\n"

	rootIno = 1

	// minBlocks is the smallest volume: 2 MiB.
	minBlocks = 512

	// maxBlocks is the largest: 16 TiB. The bitmaps of all its groups are in memory.
	maxBlocks = 1 << 32
)

// Kinds of keys.
const (
	kindRecord = iota
	kindEntry
	kindExtent
	kindOrphan
	kindXattr
	kindTarget
)

var (
	le         = binary.LittleEndian
	be         = binary.BigEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

func sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// needWordSum is the feature of volumes whose data has sums by wordSum. Those without it, of before there was such a thing, have CRC-32C there, too.
const needWordSum = 1 << 0

// needManifest is the feature of volumes whose superblocks may tell what their commit wrote.
const needManifest = 1 << 1

// knownNeeds are the features that one must know to read and that are known here.
const knownNeeds = needWordSum | needManifest

// wordSum is what FORMAT.md, "Sums of data", says.
func wordSum(b []byte) uint32 { return uint32(words(wordSeed, b)) }

const (
	wordSeed   = 0xcbf29ce484222325
	wordFactor = 0x9e3779b97f4a7c15
)

// words goes on with the sum of words h. It is written out, 16 words a turn: the call of a function that is put in line, as mix, leaves an instruction that does nothing, which was one in six, and the loop itself hardly counts.
func words(h uint64, b []byte) uint64 {
	const f = wordFactor
	h ^= h >> 32 // undone by the next such step: here mix ends where the next word begins
	i := 0
	for ; i <= len(b)-128; i += 128 {
		p := (*[128]byte)(b[i : i+128])
		h = (h ^ h>>32 ^ le.Uint64(p[0:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[8:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[16:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[24:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[32:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[40:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[48:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[56:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[64:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[72:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[80:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[88:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[96:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[104:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[112:])) * f
		h = (h ^ h>>32 ^ le.Uint64(p[120:])) * f
	}
	for ; i <= len(b)-8; i += 8 {
		h = (h ^ h>>32 ^ le.Uint64(b[i:i+8])) * f
	}
	return h ^ h>>32
}

// mix is words of one word.
func mix(h, w uint64) uint64 {
	h = (h ^ w) * wordFactor
	return h ^ h>>32
}

// seal puts the sum of a block into its first 4 bytes; sealed tells whether it is right.
func seal(b []byte) uint32 {
	s := sum(b[4:])
	le.PutUint32(b, s)
	return s
}

func sealed(b []byte) bool { return le.Uint32(b) == sum(b[4:]) }

// A super is a superblock.
type super struct {
	uuid       [16]byte
	label      [32]byte
	gen        uint64
	blocks     uint64
	used       uint64
	root       uint64
	rootSum    uint32
	rootLevel  uint32
	nextIno    uint64
	backup     uint64
	owner      [16]byte
	time       int64
	readNeeds  uint64
	writeNeeds uint64
	mounts     uint64
	wrote      []span // what the commit wrote beside the superblock, if it is for who reads it to see whether that is there
	wroteSum   uint64 // of these; where there are none, of all bitmaps
	bitmaps    uint64 // the sum of all current bitmaps; 0: it is not told, by an earlier version
}

// bitmapSum is the sum of all bitmaps as the commit left them; ok is false where it is not told. Earlier versions tell it without a manifest only, and the first of them have 0 there, or the sum of nothing.
func (s *super) bitmapSum() (sum uint64, ok bool) {
	switch {
	case s.bitmaps != 0:
		return s.bitmaps, true
	case s.readNeeds&needManifest != 0 && len(s.wrote) == 0 && s.wroteSum != wordSeed:
		return s.wroteSum, s.wroteSum != 0
	}
	return 0, false
}

// What a superblock may tell of its commit: so many spans, and so many blocks, that looking at them costs a mount little.
const (
	manifestAt  = 168
	bitmapSumAt = BlockSize - 8
	maxSpans    = (bitmapSumAt - manifestAt - 16) / 8
	maxManifest = 256 // blocks
)

func (s *super) encode() []byte {
	b := make([]byte, BlockSize)
	le.PutUint32(b[4:], version)
	copy(b[8:], superMagic)
	copy(b[16:], s.uuid[:])
	copy(b[32:], s.label[:])
	for i, v := range []uint64{s.gen, s.blocks, s.used, s.root} {
		le.PutUint64(b[64+8*i:], v)
	}
	le.PutUint32(b[96:], s.rootSum)
	le.PutUint32(b[100:], s.rootLevel)
	le.PutUint64(b[104:], s.nextIno)
	le.PutUint64(b[112:], s.backup)
	copy(b[120:], s.owner[:])
	for i, v := range []uint64{uint64(s.time), s.readNeeds, s.writeNeeds, s.mounts} {
		le.PutUint64(b[136+8*i:], v)
	}
	le.PutUint64(b[bitmapSumAt:], s.bitmaps)
	if s.readNeeds&needManifest == 0 {
		seal(b)
		return b
	}
	le.PutUint64(b[manifestAt:], uint64(len(s.wrote)))
	le.PutUint64(b[manifestAt+8:], s.wroteSum)
	for i, w := range s.wrote {
		le.PutUint64(b[manifestAt+16+8*i:], w.first<<16|w.n)
	}
	seal(b)
	return b
}

// decodeSuper reads one; nil where there is none.
func decodeSuper(b []byte) *super {
	if string(b[8:16]) != superMagic || !sealed(b) {
		return nil
	}
	s := new(super)
	copy(s.uuid[:], b[16:])
	copy(s.label[:], b[32:])
	s.gen, s.blocks, s.used, s.root = le.Uint64(b[64:]), le.Uint64(b[72:]), le.Uint64(b[80:]), le.Uint64(b[88:])
	s.rootSum, s.rootLevel = le.Uint32(b[96:]), le.Uint32(b[100:])
	s.nextIno, s.backup = le.Uint64(b[104:]), le.Uint64(b[112:])
	copy(s.owner[:], b[120:])
	s.time, s.readNeeds, s.writeNeeds, s.mounts = int64(le.Uint64(b[136:])), le.Uint64(b[144:]), le.Uint64(b[152:]), le.Uint64(b[160:])
	if le.Uint32(b[4:]) != version {
		s.readNeeds = 1 << 63
	}
	s.bitmaps = le.Uint64(b[bitmapSumAt:])
	if s.readNeeds&needManifest != 0 {
		n := le.Uint64(b[manifestAt:])
		if n > maxSpans {
			return nil
		}
		s.wroteSum = le.Uint64(b[manifestAt+8:])
		for i := range n {
			v := le.Uint64(b[manifestAt+16+8*i:])
			s.wrote = append(s.wrote, span{v >> 16, v & (1<<16 - 1)})
		}
	}
	return s
}

// sound says whether what a superblock tells can be.
func (s *super) sound() bool {
	return s.blocks >= minBlocks && s.blocks <= maxBlocks && s.used <= s.blocks && s.backup >= 6 && s.backup <= min(s.blocks, groupBlocks)-2 && s.root < s.blocks && s.nextIno > rootIno
}

// labelText is the label as it is shown.
func (s *super) labelText() string {
	n := 0
	for n < len(s.label) && s.label[n] != 0 {
		n++
	}
	return string(s.label[:n])
}

// Keys.

func key(ino uint64, kind byte) []byte {
	return append(be.AppendUint64(make([]byte, 0, 17), ino), kind)
}

func keyNumber(ino uint64, kind byte, n uint64) []byte { return be.AppendUint64(key(ino, kind), n) }

func xattrKey(ino uint64, name string, chunk byte) []byte {
	return append(append(key(ino, kindXattr), name...), 0, chunk)
}

// A record is an inode as it is stored.
type record struct {
	ino                        uint64
	mode, nlink, uid, gid      uint32
	rdev, size, blocks         uint64
	mtime, ctime, atime, btime syscall.Timespec
	target                     string // of a link, if it is short
}

const (
	recordSize  = 104
	shortTarget = 255
)

func (r *record) encode(b []byte) []byte {
	b = le.AppendUint64(b, r.ino)
	for _, v := range [...]uint32{r.mode, r.nlink, r.uid, r.gid} {
		b = le.AppendUint32(b, v)
	}
	for _, v := range [...]uint64{r.rdev, r.size, r.blocks, uint64(r.mtime.Sec), uint64(r.ctime.Sec), uint64(r.atime.Sec), uint64(r.btime.Sec)} {
		b = le.AppendUint64(b, v)
	}
	for _, v := range [...]int64{r.mtime.Nsec, r.ctime.Nsec, r.atime.Nsec, r.btime.Nsec} {
		b = le.AppendUint32(b, uint32(v))
	}
	return append(le.AppendUint64(b, 0), r.target...)
}

// decodeRecord reads one, and says whether it makes sense.
func decodeRecord(b []byte) (r record, ok bool) {
	if len(b) < recordSize || len(b) > recordSize+shortTarget {
		return r, false
	}
	u32 := func(i int) uint32 { return le.Uint32(b[i:]) }
	u64 := func(i int) uint64 { return le.Uint64(b[i:]) }
	at := func(i int) syscall.Timespec {
		return syscall.Timespec{Sec: int64(u64(48 + 8*i)), Nsec: int64(u32(80 + 4*i))}
	}
	r = record{ino: u64(0), mode: u32(8), nlink: u32(12), uid: u32(16), gid: u32(20), rdev: u64(24), size: u64(32), blocks: u64(40),
		mtime: at(0), ctime: at(1), atime: at(2), btime: at(3), target: string(b[recordSize:])}
	switch r.mode & syscall.S_IFMT {
	case syscall.S_IFDIR, syscall.S_IFREG, syscall.S_IFLNK, syscall.S_IFIFO, syscall.S_IFSOCK, syscall.S_IFCHR, syscall.S_IFBLK:
	default:
		return r, false
	}
	for _, t := range [...]syscall.Timespec{r.mtime, r.ctime, r.atime, r.btime} {
		if t.Nsec >= 1e9 {
			return r, false
		}
	}
	return r, r.ino != 0 && r.mode>>16 == 0 && r.size>>63 == 0
}

// An entry is a name as it is stored: with its inode, or a reference to it.
type entry struct {
	name string
	ino  uint64
	kind uint32 // S_IFMT
	rec  *record
}

const (
	entryRecord    = 1
	entryReference = 2
)

func (e *entry) encode() []byte {
	b := make([]byte, 0, 2+len(e.name)+recordSize+shortTarget)
	k := byte(entryReference)
	if e.rec != nil {
		k = entryRecord
	}
	b = append(append(b, k, byte(len(e.name))), e.name...)
	if e.rec != nil {
		return e.rec.encode(b)
	}
	return le.AppendUint32(le.AppendUint64(b, e.ino), e.kind)
}

// decodeEntry reads one, and says whether it makes sense.
func decodeEntry(b []byte) (e entry, ok bool) {
	name, e, stored, ok := openEntry(b)
	e.name = string(name)
	if !ok || e.name == "." || e.name == ".." || strings.ContainsAny(e.name, "/\x00") {
		return e, false
	}
	if stored != nil {
		r, ok := decodeRecord(stored)
		e.rec = &r
		return e, ok
	}
	return e, true
}

// openEntry tells what an entry is about, without its name and record: those are as they are stored. stored is nil for a reference.
func openEntry(b []byte) (name []byte, e entry, stored []byte, ok bool) {
	if len(b) < 2 || len(b) < 2+int(b[1]) || b[1] == 0 {
		return nil, e, nil, false
	}
	name, rest := b[2:2+int(b[1])], b[2+int(b[1]):]
	switch {
	case b[0] == entryRecord && len(rest) >= recordSize:
		e.ino, e.kind = le.Uint64(rest), le.Uint32(rest[8:])&syscall.S_IFMT
		return name, e, rest, true
	case b[0] == entryReference && len(rest) == 12:
		e.ino, e.kind = le.Uint64(rest), le.Uint32(rest[8:])
		return name, e, nil, e.ino != 0
	}
	return name, e, nil, false
}

// cookieBase is the least cookie of a name: its sum, without the number that tells those of one sum apart.
func cookieBase(uuid *[16]byte, name string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, c := range uuid {
		h = (h ^ uint64(c)) * prime
	}
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * prime
	}
	return 1<<62 | h>>10<<8
}

// An extent is blocks of a file that lie in a row.
type extent struct {
	last  uint64 // the last block in the file
	block uint64 // where the first one lies
	sums  []uint32
}

func (x *extent) first() uint64 { return x.last + 1 - uint64(len(x.sums)) }

func (x *extent) encode() []byte {
	b := le.AppendUint64(make([]byte, 0, 8+4*len(x.sums)), x.block)
	for _, s := range x.sums {
		b = le.AppendUint32(b, s)
	}
	return b
}

func decodeExtent(k, v []byte) (x extent, ok bool) {
	n := (len(v) - 8) / 4
	if len(k) != 17 || n < 1 || n > maxExtent || len(v) != 8+4*n {
		return x, false
	}
	x.last, x.block = be.Uint64(k[9:]), le.Uint64(v)
	if x.last >= 1<<51 || x.last+1 < uint64(n) {
		return x, false
	}
	x.sums = make([]uint32, n)
	for i := range x.sums {
		x.sums[i] = le.Uint32(v[8+4*i:])
	}
	return x, true
}
