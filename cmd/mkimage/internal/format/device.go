package format

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/hardtack-os/hardtack/libos/boot/slot"
)

// A Device is a disk that is there already, in a file of the host's or another one.
type Device = slot.Device

// dataPartition returns the data partition of a disk of ours; nil if there is none.
func dataPartition(r io.ReaderAt, size int64) (*partition, error) {
	list, err := readGPT(r, size)
	if errors.Is(err, errNoTable) || err == nil && !wholeGPT(r) {
		if data, err := dataBehind(r, size); err != nil || data {
			return nil, cmp.Or(err, errors.New("its partition table is damaged, and the copy at the end names a data partition: mend it first, as by sgdisk"))
		}
	}
	if errors.Is(err, ErrUnknown) {
		return nil, nil
	}
	for i, p := range list {
		if p.Kind == kindData {
			for j, q := range list {
				if j != i && q.Kind != kindBIOS && q.Kind != kindESP && q.Kind != kindFiles {
					return nil, fmt.Errorf("it has a partition %q beside the data partition, which would be lost", q.Name)
				}
			}
			return &partition{gptData, p.Name, p.First, p.Size, p.unique}, nil
		}
	}
	return nil, err
}

// wholeGPT reports whether the header of the first table and its entries have their sums.
func wholeGPT(r io.ReaderAt) bool {
	b := make([]byte, gptFirst*sector)
	if _, err := r.ReadAt(b, 0); err != nil {
		return false
	}
	h := b[sector:][:92]
	sum := le.Uint32(h[16:])
	clear(h[16:20])
	return crc32.ChecksumIEEE(h) == sum && crc32.ChecksumIEEE(b[2*sector:]) == le.Uint32(h[88:])
}

// dataBehind reports whether the table's copy at the end of a disk names a data partition.
func dataBehind(r io.ReaderAt, size int64) (bool, error) {
	end := size&^(sector-1) - gptEnd*sector
	if end < 0 {
		return false, nil
	}
	b := make([]byte, gptEnd*sector)
	if _, err := r.ReadAt(b, end); err != nil {
		return false, err
	}
	if string(b[gptTable*sector:][:8]) != "EFI PART" {
		return false, nil
	}
	for e := b[:gptTable*sector]; len(e) > 0; e = e[gptEntrySize:] {
		if guid(e) == gptData {
			return true, nil
		}
	}
	return false, nil
}

// formatHead is how much of a file DataIn reads, where its format moves blocks: more than the tables that lie before a disk's first block.
const formatHead = 64 << 20

// DataIn returns the format of a disk that has a data partition, "" for a file that is none. It knows the formats that machines write to.
func DataIn(r io.ReaderAt, size int64) (string, error) {
	in, disk, diskSize := Raw, r, size
	magic := make([]byte, sector)
	n, err := r.ReadAt(magic, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	end := make([]byte, 8)
	if size > sector {
		if _, err := r.ReadAt(end, size-sector); err != nil {
			return "", err
		}
	}
	switch {
	case string(end) == "conectix":
		in = "vhd"
	case n == sector && (string(magic[:4]) == "QFI\xfb" || le.Uint32(magic[0x40:]) == 0xbeda107f):
		b, err := io.ReadAll(io.NewSectionReader(r, 0, min(size, formatHead)))
		if err != nil {
			return "", err
		}
		open := openVDI
		if in = "vdi"; magic[0] == 'Q' {
			in, open = "qcow2", openQcow2
		}
		disk, diskSize, err = open(b)
		if errors.Is(err, ErrUnknown) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
	}
	if data, err := dataPartition(disk, diskSize); data == nil {
		return "", err
	}
	return in, nil
}

// Rewrite writes an image as format raw over a disk, but for a data partition of ours: that stays where it is, with what is in it. Where it is interrupted the disk may
// not boot; the data partition is in the table all the time.
func Rewrite(d Device, size int64, s Source) error {
	data, err := dataPartition(d, size)
	if err != nil {
		return err
	}
	if data != nil && s.changed(data.unique) {
		return errChanged
	}
	disk, err := layDisk(s, sector, data, size)
	if err != nil {
		return err
	}
	return disk.write(d, data == nil)
}

// write writes what is not zero, the partition table last. A data partition that is new is cleared where a volume has its superblocks, the copies too
// (libos/fs/cffs/FORMAT.md), so that none is found there.
func (d *disk) write(to Device, fresh bool) error {
	const table = gptFirst * sector
	if fresh && int64(len(d.head)) < d.data.first*sector {
		size := d.data.size * sector
		for at, n := range map[int64]int64{0: 1 << 20, 32510 * 4096: 2 * 4096, size - 64<<10: 64 << 10} {
			if at+n > size {
				continue
			}
			if _, err := to.WriteAt(make([]byte, n), d.data.first*sector+at); err != nil {
				return err
			}
		}
	}
	for _, w := range []struct {
		b  []byte
		at int64
	}{{d.head[table:], table}, {d.tail, d.size - int64(len(d.tail))}, {d.head[:table], 0}} {
		if _, err := to.WriteAt(w.b, w.at); err != nil {
			return err
		}
		if err := to.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// Try makes an image as format raw, and writes it nowhere.
func Try(s Source) error {
	_, err := newDisk(s, 1<<20)
	return err
}

// WriteNew writes an image as format raw to an empty file, whose zeroes it does not write.
func WriteNew(s Source, f interface {
	Device
	Truncate(size int64) error
}) error {
	d, err := newDisk(s, 1<<20)
	if err != nil {
		return err
	}
	if err := f.Truncate(d.size); err != nil {
		return err
	}
	return d.write(f, false)
}
