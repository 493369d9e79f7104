package format

import (
	"crypto/sha256"
	"hash/crc32"
	"unicode/utf16"
)

// A GUID partition table (UEFI 2.10, chapter 5), with a protective MBR that holds boot code. go-diskfs could write the table,
// but not by itself: its code for disks wants files, and brings a dozen modules for what is 80 lines here.

const (
	sector       = 512
	gptEntries   = 128
	gptEntrySize = 128
	gptTable     = gptEntries * gptEntrySize / sector // 32 sectors
	gptFirst     = 2 + gptTable                       // first usable block
	gptEnd       = gptTable + 1                       // sectors at the end: table and header
)

// Types of partitions, in the order of their bytes on disk.
var (
	gptESP  = guid{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b} // C12A7328-F81F-11D2-BA4B-00A0C93EC93B
	gptData = guid{0x9d, 0x61, 0xd6, 0x4e, 0x2b, 0x1c, 0x57, 0x4a, 0x9f, 0x0e, 0x3a, 0x58, 0xc1, 0x77, 0xe2, 0x40} // 4ED6619D-1C2B-4A57-9F0E-3A58C177E240: ours
	gptFile = guid{0x3b, 0x0d, 0x8e, 0x5c, 0x71, 0x92, 0x6f, 0x4d, 0xb1, 0x0a, 0x68, 0xe4, 0x27, 0x95, 0xcf, 0x12} // 5C8E0D3B-9271-4D6F-B10A-68E42795CF12: ours
	gptBIOS = guid{0x48, 0x61, 0x68, 0x21, 0x49, 0x64, 0x6f, 0x6e, 0x74, 0x4e, 0x65, 0x65, 0x64, 0x45, 0x46, 0x49} // 21686148-6449-6E6F-744E-656564454649
)

type guid [16]byte

// derive makes a GUID from what it is about, so that the same image has the same ones: RFC 9562, version 8.
func derive(seed []byte, what string) (g guid) {
	h := sha256.New()
	h.Write([]byte(what + "\x00"))
	h.Write(seed) // without a copy: it may be all files of an image
	copy(g[:], h.Sum(nil))
	g[7] = g[7]&0x0f | 0x80
	g[8] = g[8]&0x3f | 0x80
	return g
}

// A partition is an entry of the table.
type partition struct {
	kind        guid
	name        string
	first, size int64 // in sectors
	unique      guid  // zero: one that is drawn from the seed
}

// A disk is what lies at its beginning and at its end; between them are zeroes.
type disk struct {
	size int64 // a multiple of 512
	head []byte
	tail []byte    // the last gptEnd sectors
	data partition // zero if there is none
}

// bytes returns the disk whole.
func (d *disk) bytes() []byte {
	b := make([]byte, d.size)
	copy(b, d.head)
	copy(b[d.size-int64(len(d.tail)):], d.tail)
	return b
}

// piece returns n bytes at an offset, which zeroes follow where the disk ends; nil if all are zero.
func (d *disk) piece(at, n int64) []byte {
	tail := d.size - int64(len(d.tail))
	if at >= int64(len(d.head)) && at+n <= tail {
		return nil
	}
	b := make([]byte, n)
	if at < int64(len(d.head)) {
		copy(b, d.head[at:])
	}
	if from := max(at, tail); from < min(at+n, d.size) {
		copy(b[from-at:], d.tail[from-tail:])
	}
	if zero(b) {
		return nil
	}
	return b
}

// writeGPT writes MBR and both tables.
func (d *disk) writeGPT(seed []byte, bootCode []byte, parts []partition) {
	last := d.size/sector - 1
	d.tail = make([]byte, gptEnd*sector)
	disk := d.head
	copy(disk, bootCode)
	le.PutUint32(disk[0x1b8:], crc32.ChecksumIEEE(seed)) // disk signature
	entry := disk[0x1be:]
	copy(entry[1:], []byte{0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff}) // from block 1 on, type EEh
	le.PutUint32(entry[8:], 1)
	le.PutUint32(entry[12:], uint32(min(last, 0xffffffff)))
	disk[510], disk[511] = 0x55, 0xaa

	table := make([]byte, gptEntries*gptEntrySize)
	for i, p := range parts {
		e := table[i*gptEntrySize:]
		unique := p.unique
		if unique == (guid{}) {
			unique = derive(seed, "partition "+p.name)
		}
		copy(e, p.kind[:])
		copy(e[16:], unique[:])
		le.PutUint64(e[32:], uint64(p.first))
		le.PutUint64(e[40:], uint64(p.first+p.size-1))
		for j, u := range utf16.Encode([]rune(p.name)) {
			le.PutUint16(e[56+2*j:], u)
		}
	}
	header := func(h []byte, at, other, tableAt int64) {
		copy(h, "EFI PART\x00\x00\x01\x00")
		le.PutUint32(h[12:], 92)
		le.PutUint64(h[24:], uint64(at))
		le.PutUint64(h[32:], uint64(other))
		le.PutUint64(h[40:], gptFirst)
		le.PutUint64(h[48:], uint64(last-gptEnd))
		id := derive(seed, "disk")
		copy(h[56:], id[:])
		le.PutUint64(h[72:], uint64(tableAt))
		le.PutUint32(h[80:], gptEntries)
		le.PutUint32(h[84:], gptEntrySize)
		le.PutUint32(h[88:], crc32.ChecksumIEEE(table))
		le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
	}
	header(disk[sector:], 1, last, 2)
	copy(disk[2*sector:], table)
	copy(d.tail, table)
	header(d.tail[gptTable*sector:], last, 1, last-gptTable)
}
