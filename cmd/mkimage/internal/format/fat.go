package format

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A fat is a FAT volume that is written once, whole: files lie in one piece each, one behind the other, so that a loader that
// knows no FAT can read them by block numbers. (Microsoft, FAT32 File System Specification 1.03; UEFI 2.10, 13.3.)
//
// go-diskfs writes FAT32 only, whose smallest volume has 65 525 clusters (specification, page 14): 33 MiB for an image of
// 1.7 MB. This one is FAT12 or FAT16 where that suffices.
type fat struct {
	volume  uint32 // serial number
	label   string // up to 11 letters
	time    time.Time
	entries []fatEntry // by depth: a folder stands before what is in it
}

// A fatEntry is a file, or a folder if data is nil.
type fatEntry struct {
	path string // "EFI/BOOT/BOOTX64.EFI": upper case, 8.3
	data []byte
}

const (
	fatSector   = 512
	fatDirEntry = 32
	fatRootDir  = 512 // entries of the root folder of FAT12 and FAT16

	fatAlign = 4 // sectors: files begin at multiples of a CD's block of 2048 bytes

	fatDir     = 0x10 // attribute of a folder
	fatArchive = 0x20
	fatVolume  = 0x08
)

// fatLayout is where the parts of a volume lie, in sectors.
type fatLayout struct {
	bits     int // 12, 16 or 32
	cluster  int // sectors a cluster
	clusters int
	reserved int
	table    int // sectors of one of the two tables
	root     int // of the root folder; 0 on FAT32
}

func (l fatLayout) data() int  { return l.reserved + 2*l.table + l.root }
func (l fatLayout) total() int { return l.data() + l.clusters*l.cluster }

// layOut finds the smallest type and clusters that hold the entries.
func layOut(entries []fatEntry) (fatLayout, error) {
	for cluster := fatAlign; cluster <= 64; cluster *= 2 {
		clusters := 1 // the root folder's on FAT32
		for _, e := range entries {
			clusters += max((len(e.data)+cluster*fatSector-1)/(cluster*fatSector), 1)
		}
		l := fatLayout{cluster: cluster, clusters: clusters, reserved: 1, root: fatRootDir * fatDirEntry / fatSector, bits: 12}
		switch {
		case l.clusters < 4085:
		case l.clusters < 65525:
			l.bits = 16
		default:
			l.bits, l.reserved, l.root = 32, 32, 0
		}
		if l.bits == 32 && l.clusters >= 1<<21 && cluster < 64 {
			continue // larger clusters before tables of more than 8 MiB
		}
		if l.clusters >= 0x0ffffff5 {
			continue
		}
		bytes := ((l.clusters+2)*l.bits + 7) / 8
		l.table = (bytes + fatSector - 1) / fatSector
		l.reserved += -l.data() & (fatAlign - 1)
		return l, nil
	}
	return fatLayout{}, errors.New("the files do not fit on a FAT volume")
}

// build writes the volume, which its files fill, and returns at which byte each entry's data begin.
func (v fat) build() (image []byte, at map[string]int64, err error) {
	l, err := layOut(v.entries)
	if err != nil {
		return nil, nil, err
	}
	b := make([]byte, l.total()*fatSector)
	v.bootSector(b, l)
	clusterBytes := l.cluster * fatSector
	next := 2 // first free cluster
	table := make([]uint32, l.clusters+2)
	end := uint32(1)<<min(l.bits, 28) - 1
	table[0], table[1] = end&^0xff|0xf8, end
	take := func(size int) (first int) {
		n := max((size+clusterBytes-1)/clusterBytes, 1)
		for i := range n {
			table[next+i] = uint32(next + i + 1)
		}
		table[next+n-1] = end
		first, next = next, next+n
		return first
	}
	address := func(cluster int) int { return (l.data() + (cluster-2)*l.cluster) * fatSector }

	dirs := map[string]*fatDirWriter{"": {b: b[(l.data()-l.root)*fatSector : l.data()*fatSector]}}
	if l.bits == 32 {
		first := take(clusterBytes)
		le.PutUint32(b[44:], uint32(first)) // BPB_RootClus
		copy(b[6*fatSector:], b[:fatSector])
		dirs[""].b = b[address(first):][:clusterBytes]
	}
	dirs[""].add(v, fmt.Sprintf("%-11s", v.label), fatVolume, 0, 0)
	at = map[string]int64{}
	for _, e := range v.entries {
		parent, name := "", e.path
		if i := strings.LastIndexByte(e.path, '/'); i >= 0 {
			parent, name = e.path[:i], e.path[i+1:]
		}
		dir := dirs[parent]
		short, ok := shortName(name)
		if dir == nil || !ok {
			return nil, nil, fmt.Errorf("%s cannot be a name on a FAT volume", e.path)
		}
		first := 0
		if e.data == nil {
			first = take(clusterBytes)
			d := &fatDirWriter{b: b[address(first):][:clusterBytes], first: first}
			up := dir.first
			d.add(v, fmt.Sprintf("%-11s", "."), fatDir, first, 0)
			d.add(v, fmt.Sprintf("%-11s", ".."), fatDir, up, 0)
			dirs[e.path] = d
			err = dir.add(v, short, fatDir, first, 0)
		} else {
			if len(e.data) > 0 {
				first = take(len(e.data))
				copy(b[address(first):], e.data)
				at[e.path] = int64(address(first))
			}
			err = dir.add(v, short, fatArchive, first, len(e.data))
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for i := range 2 {
		writeTable(b[(l.reserved+i*l.table)*fatSector:], table, l.bits)
	}
	if l.bits == 32 { // FSInfo
		info := b[fatSector:]
		le.PutUint32(info, 0x41615252)
		le.PutUint32(info[484:], 0x61417272)
		le.PutUint32(info[488:], uint32(l.clusters+2-next))
		le.PutUint32(info[492:], uint32(next))
		le.PutUint32(info[508:], 0xaa550000)
		copy(b[7*fatSector:], info[:fatSector])
	}
	return b, at, nil
}

// bootSector writes the boot sector and BIOS parameter block (specification, pages 9 to 12).
func (v fat) bootSector(b []byte, l fatLayout) {
	copy(b, "\xeb\x3c\x90HARDTACK")
	le.PutUint16(b[11:], fatSector)
	b[13] = byte(l.cluster)
	le.PutUint16(b[14:], uint16(l.reserved))
	b[16] = 2 // tables
	if l.bits != 32 {
		le.PutUint16(b[17:], fatRootDir)
	}
	if n := l.total(); n < 0x10000 && l.bits != 32 {
		le.PutUint16(b[19:], uint16(n))
	} else {
		le.PutUint32(b[32:], uint32(n))
	}
	b[21] = 0xf8 // media
	le.PutUint16(b[24:], 63)
	le.PutUint16(b[26:], 255)
	ext := b[36:]
	if l.bits == 32 {
		b[1] = 0x58
		le.PutUint32(b[36:], uint32(l.table))
		le.PutUint16(b[48:], 1) // FSInfo
		le.PutUint16(b[50:], 6) // backup
		ext = b[64:]
	} else {
		le.PutUint16(b[22:], uint16(l.table))
	}
	ext[0], ext[2] = 0x80, 0x29
	le.PutUint32(ext[3:], v.volume)
	copy(ext[7:], fmt.Sprintf("%-11s%-8s", v.label, fmt.Sprintf("FAT%d", l.bits)))
	b[510], b[511] = 0x55, 0xaa
}

// setHidden tells a volume at which sector of the disk it begins (BPB_HiddSec), in the copy of the boot sector that FAT32 has, too.
func setHidden(volume []byte, sector uint32) {
	le.PutUint32(volume[28:], sector)
	if le.Uint16(volume[22:]) == 0 { // BPB_FATSz16: FAT32
		copyAt := int(le.Uint16(volume[50:])) * 512 // BPB_BkBootSec
		le.PutUint32(volume[copyAt+28:], sector)
	}
}

// writeTable writes the entries of a file allocation table.
func writeTable(b []byte, table []uint32, bits int) {
	for i, v := range table {
		switch bits {
		case 12:
			at := i * 3 / 2
			if i%2 == 0 {
				b[at] = byte(v)
				b[at+1] = b[at+1]&0xf0 | byte(v>>8)&0x0f
			} else {
				b[at] = b[at]&0x0f | byte(v<<4)
				b[at+1] = byte(v >> 4)
			}
		case 16:
			le.PutUint16(b[2*i:], uint16(v))
		default:
			le.PutUint32(b[4*i:], v)
		}
	}
}

// A fatDirWriter fills a folder.
type fatDirWriter struct {
	b     []byte
	n     int // entries so far
	first int // its cluster; 0 for the root
}

// add writes an entry; name has 11 letters.
func (d *fatDirWriter) add(v fat, name string, attr byte, first, size int) error {
	if (d.n+1)*fatDirEntry > len(d.b) {
		return fmt.Errorf("too many files in one folder of a FAT volume")
	}
	e := d.b[d.n*fatDirEntry:]
	d.n++
	copy(e, name)
	e[11] = attr
	t := v.time.UTC()
	date := uint16(max(t.Year()-1980, 0)&0x7f)<<9 | uint16(t.Month())<<5 | uint16(t.Day())
	clock := uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
	if t.Year() < 1980 || t.Year() > 2107 {
		date, clock = 1<<5|1, 0
	}
	le.PutUint16(e[14:], clock)
	le.PutUint16(e[16:], date)
	le.PutUint16(e[18:], date)
	le.PutUint16(e[20:], uint16(first>>16))
	le.PutUint16(e[22:], clock)
	le.PutUint16(e[24:], date)
	le.PutUint16(e[26:], uint16(first))
	le.PutUint32(e[28:], uint32(size))
	return nil
}

// shortName makes the 11 letters of "NAME.EXT".
func shortName(name string) (string, bool) {
	base, ext, _ := strings.Cut(name, ".")
	if base == "" || len(base) > 8 || len(ext) > 3 || strings.ToUpper(name) != name || strings.ContainsAny(name, ` "*+,/:;<=>?[\]|`) {
		return "", false
	}
	return fmt.Sprintf("%-8s%-3s", base, ext), true
}
