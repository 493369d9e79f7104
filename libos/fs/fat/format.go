package fat

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// FormatOptions are what a new volume is.
type FormatOptions struct {
	Label string // at most 11 bytes of what short names have
	ID    uint32
}

// minClusters is how many FAT32 has at least: FAT, 3.5.
const minClusters = 65525

// What the sector begins with that counts free clusters, what is before the counts, and what is at its end: FAT, 5.
const (
	infoLead   = 0x41615252
	infoStruct = 0x61417272
	infoTrail  = 0xaa550000
)

// noName is what stands where a volume has no label (FAT, 3.1, BS_VolLab).
const noName = "NO NAME"

// Format makes an empty FAT32 volume of a whole device, whatever was there. Its sectors have 512 bytes, or what the device's blocks have; its clusters those of a page, where there are enough of them.
func Format(dev block.Device, o FormatOptions) error {
	in := dev.Info()
	sector := int64(max(512, in.BlockSize))
	total := min(in.Size/sector, 1<<32-1)
	label := strings.ToUpper(o.Label)
	for _, c := range []byte(label) {
		if c != ' ' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(plain, rune(c)) {
			return errors.New("fat: a label has letters, digits and " + plain + " only")
		}
	}
	if len(label) > 11 {
		return errors.New("fat: a label has at most 11 bytes")
	}
	if sector > 4096 {
		return errors.New("fat: " + in.Name + ": its blocks are larger than FAT's sectors")
	}
	const minReserved, copies = 32, 2
	per := int64(1)
	if k := pages.Size / sector; total/k > minClusters+1024 { // so that pages of files are pages of the cache: Share
		per = k
	}
	for per < 64 && per*sector < 32<<10 && total/per > 1<<21 { // some two million clusters, as far as they go
		per *= 2
	}
	// The table has an entry for each cluster and two more. Clusters begin at a multiple of a page: a disk whose blocks are larger than it says would have two of them changed for one.
	reserved, table := int64(minReserved), int64(1)
	for {
		reserved = minReserved + (pages.Size/sector-(minReserved+copies*table)%(pages.Size/sector))%(pages.Size/sector)
		clusters := (total - reserved - copies*table) / per
		if need := (4*(clusters+2) + sector - 1) / sector; need > table {
			table = need
			continue
		}
		if clusters < minClusters {
			return errors.New("fat: " + in.Name + ": FAT32 takes at least " + strconv.FormatInt((minClusters+minReserved+copies*516)*sector>>20+1, 10) + " MiB")
		}
		break
	}
	if table*sector > maxTable {
		return errors.New("fat: " + in.Name + ": it is too large")
	}
	clusters := (total - reserved - copies*table) / per

	boot := make([]byte, sector)
	copy(boot, "\xeb\x58\x90HARDTACK") // FAT, 3.1 and 3.3
	le.PutUint16(boot[11:], uint16(sector))
	boot[13] = byte(per)
	le.PutUint16(boot[14:], uint16(reserved))
	boot[16] = copies
	boot[21] = 0xf8
	le.PutUint16(boot[24:], 63)
	le.PutUint16(boot[26:], 255)
	le.PutUint32(boot[32:], uint32(total))
	le.PutUint32(boot[36:], uint32(table))
	le.PutUint32(boot[44:], 2)
	le.PutUint16(boot[48:], 1)
	le.PutUint16(boot[50:], 6)
	boot[64], boot[66] = 0x80, 0x29
	le.PutUint32(boot[67:], o.ID)
	name := label
	if name == "" {
		name = noName
	}
	copy(boot[71:], name+"           "[:11-len(name)])
	copy(boot[82:], "FAT32   ")
	boot[510], boot[511] = 0x55, 0xaa
	info := make([]byte, sector)
	le.PutUint32(info, infoLead)
	le.PutUint32(info[484:], infoStruct)
	le.PutUint32(info[488:], uint32(clusters-1))
	le.PutUint32(info[492:], 3)
	le.PutUint32(info[508:], infoTrail)
	head := make([]byte, reserved*sector)

	// The boot sector last: a volume that is half made is none.
	if err := errors.Join(dev.Write([][]byte{head}, 0), dev.Flush()); err != nil {
		return err
	}
	const piece = 1 << 20
	zeroes := make([]byte, piece)
	for at, end := reserved*sector, (reserved+copies*table+per)*sector; at < end; at += piece {
		if err := dev.Write([][]byte{zeroes[:min(piece, end-at)]}, at); err != nil {
			return err
		}
	}
	first := make([]byte, sector)
	le.PutUint32(first, 0x0ffffff8)
	le.PutUint32(first[4:], 0x0fffffff)
	le.PutUint32(first[8:], 0x0fffffff) // the root directory
	for k := range int64(copies) {
		if err := dev.Write([][]byte{first}, (reserved+k*table)*sector); err != nil {
			return err
		}
	}
	if label != "" {
		root := make([]byte, sector)
		copy(root, label+"           "[:11-len(label)])
		root[11] = attrLabel
		if err := dev.Write([][]byte{root}, (reserved+copies*table)*sector); err != nil {
			return err
		}
	}
	if err := dev.Flush(); err != nil {
		return err
	}
	for _, at := range []int64{6, 0} { // the copy first
		if err := errors.Join(dev.Write([][]byte{info}, (at+1)*sector), dev.Write([][]byte{boot}, at*sector)); err != nil {
			return err
		}
	}
	return dev.Flush()
}
