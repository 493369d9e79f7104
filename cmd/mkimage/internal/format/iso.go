package format

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/boot/amd64"
)

// A CD (ECMA-119, which is ISO 9660; El Torito 1.0; UEFI 2.10, 13.3.2), by blocks of 2048 bytes:
//
//	0	as the beginning of a disk: boot sector, GUID partition table
//	16	volume descriptors: primary, boot record, terminator
//	19	path tables, little and big endian
//	21	the root folder
//	22	boot catalog: a BIOS's entry, UEFI's entry
//	23	BIOS.IMG: boot/amd64/cd.S and bios.S
//	32	ESP.IMG: the FAT volume of raw.go
//	at the end	the partition table's copy
//
// Copied to a stick it is a disk with the same loader and the same FAT volume. go-diskfs writes such files through a folder of
// the host, with the date of today, and knows no partitions in them.
const (
	isoBlock   = 2048
	isoDesc    = 16
	isoPathL   = 19
	isoPathM   = 20
	isoRoot    = 21
	isoCatalog = 22
	isoBIOS    = 23
	isoESP     = 32
)

// An isoFile is a file in the root folder.
type isoFile struct {
	name        string
	block, size int
	flags       byte
}

// iso returns an image as a CD.
func iso(s Source) ([]byte, error) {
	volume, at, err := esp(s)
	if err != nil {
		return nil, err
	}
	perBlock := int64(isoBlock / sector)
	setHidden(volume, uint32(isoESP*perBlock))
	loader, err := biosLoader(s.ELF, isoESP*perBlock+at/sector)
	if err != nil {
		return nil, err
	}
	boot := append(append([]byte{}, amd64.CD...), loader...)
	espEnd := align(isoESP*isoBlock+uint64(len(volume)), isoBlock)
	d := &disk{head: make([]byte, espEnd), size: int64(align(espEnd+gptEnd*sector, isoBlock))}
	copy(d.head[isoBIOS*isoBlock:], boot)
	copy(d.head[isoESP*isoBlock:], volume)

	block := func(n int) []byte { return d.head[n*isoBlock:][:isoBlock] }
	isoPrimary(block(isoDesc), s, int(d.size/isoBlock))
	record := block(isoDesc + 1)
	copy(record, "\x00CD001\x01EL TORITO SPECIFICATION")
	le.PutUint32(record[0x47:], isoCatalog)
	copy(block(isoDesc+2), "\xffCD001\x01")
	for i, order := range []binary.ByteOrder{le, binary.BigEndian} {
		t := block(isoPathL + i)
		t[0] = 1 // length of the name, which is 0
		order.PutUint32(t[2:], isoRoot)
		order.PutUint16(t[6:], 1)
	}
	dir := block(isoRoot)[:0]
	for _, f := range []isoFile{
		{"\x00", isoRoot, isoBlock, 2}, {"\x01", isoRoot, isoBlock, 2},
		{"BIOS.IMG;1", isoBIOS, len(boot), 0},
		{"BOOT.CAT;1", isoCatalog, isoBlock, 0},
		{"ESP.IMG;1", isoESP, len(volume), 0},
	} {
		dir = append(dir, f.record(s.Time)...)
	}
	isoBoot(block(isoCatalog), len(boot), len(volume))

	d.writeGPT(s.ELF, mbr(isoBIOS*perBlock+1), []partition{
		{gptBIOS, "bios", isoBIOS * perBlock, (isoESP - isoBIOS) * perBlock, guid{}},
		{gptESP, "esp", isoESP * perBlock, int64(espEnd)/sector - isoESP*perBlock, guid{}},
	})
	return d.bytes(), nil
}

// both32 and both16 write a number in both orders (ECMA-119, 7.3.3 and 7.2.3).
func both32(b []byte, v int) {
	le.PutUint32(b, uint32(v))
	binary.BigEndian.PutUint32(b[4:], uint32(v))
}

func both16(b []byte, v int) {
	le.PutUint16(b, uint16(v))
	binary.BigEndian.PutUint16(b[2:], uint16(v))
}

// record returns a directory record (ECMA-119, 9.1).
func (f isoFile) record(t time.Time) []byte {
	b := make([]byte, align(33+uint64(len(f.name)), 2))
	b[0] = byte(len(b))
	both32(b[2:], f.block)
	both32(b[10:], f.size)
	t = t.UTC()
	copy(b[18:], []byte{byte(min(max(t.Year()-1900, 0), 255)), byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()), 0})
	b[25] = f.flags
	both16(b[28:], 1)
	b[32] = byte(len(f.name))
	copy(b[33:], f.name)
	return b
}

// isoPrimary writes the primary volume descriptor (ECMA-119, 8.4).
func isoPrimary(b []byte, s Source, blocks int) {
	copy(b, "\x01CD001\x01")
	text := func(at, n int, v string) { copy(b[at:at+n], v+strings.Repeat(" ", n)) }
	text(8, 32, "")
	text(40, 32, isoName(s.Name))
	both32(b[80:], blocks)
	both16(b[120:], 1)
	both16(b[124:], 1)
	both16(b[128:], isoBlock)
	both32(b[132:], 10) // of a path table
	le.PutUint32(b[140:], isoPathL)
	binary.BigEndian.PutUint32(b[148:], isoPathM)
	copy(b[156:190], isoFile{"\x00", isoRoot, isoBlock, 2}.record(s.Time))
	for _, f := range []struct{ at, n int }{{190, 128}, {318, 128}, {446, 128}, {574, 128}, {702, 37}, {739, 37}, {776, 37}} {
		text(f.at, f.n, "")
	}
	date := s.Time.UTC().Format("20060102150405") + "00\x00"
	none := strings.Repeat("0", 16) + "\x00"
	for i, v := range []string{date, date, none, none} {
		copy(b[813+17*i:], v)
	}
	b[881] = 1
}

// isoName makes a name of the letters that a volume's may have (ECMA-119, 7.4.1).
func isoName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(fmt.Sprintf("%.32s", name)))
}

// isoBoot writes the boot catalog (El Torito 1.0, 2.0; platform EFh is UEFI's, 13.3.2.1).
func isoBoot(b []byte, bios, esp int) {
	const bootable = 0x88
	b[0] = 1
	copy(b[4:28], "HARDTACK")
	b[30], b[31] = 0x55, 0xaa
	sum := uint16(0)
	for i := 0; i < 32; i += 2 {
		sum += le.Uint16(b[i:])
	}
	le.PutUint16(b[28:], -sum)
	entry := func(e []byte, block, size int) {
		e[0] = bootable
		if n := (size + sector - 1) / sector; n < 0x10000 {
			le.PutUint16(e[6:], uint16(n)) // else 0: to the end of the CD
		}
		le.PutUint32(e[8:], uint32(block))
	}
	entry(b[32:], isoBIOS, bios)
	b[64], b[65], b[66] = 0x91, 0xef, 1 // the last section, of one entry
	entry(b[96:], isoESP, esp)
}
