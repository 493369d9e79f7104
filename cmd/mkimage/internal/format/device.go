package format

import (
	"errors"
	"io"

	"github.com/hardtack-os/hardtack/libos/boot/slot"
)

// A Device is a disk that is there already, in a file of the host's or another one.
type Device = slot.Device

// dataPartition returns the data partition of a disk of ours; nil if there is none.
func dataPartition(r io.ReaderAt, size int64) (*partition, error) {
	list, err := readGPT(r, size)
	if errors.Is(err, ErrUnknown) {
		return nil, nil
	}
	for i, p := range list {
		if p.Kind == kindData {
			e := make([]byte, gptEntrySize)
			if _, err := r.ReadAt(e, 2*sector+int64(p.entry)*gptEntrySize); err != nil {
				return nil, err
			}
			data := &partition{gptData, list[i].Name, p.First, p.Size, guid{}}
			copy(data.unique[:], e[16:])
			return data, nil
		}
	}
	return nil, err
}

// HasData reports whether a disk has a data partition, which Rewrite would leave alone.
func HasData(r io.ReaderAt, size int64) (bool, error) {
	data, err := dataPartition(r, size)
	return data != nil, err
}

// Rewrite writes an image as format raw over a disk, but for a data partition of ours: that stays where it is, with what is in it. Where it is interrupted the disk may
// not boot; the data partition is in the table all the time.
func Rewrite(d Device, size int64, s Source) error {
	data, err := dataPartition(d, size)
	if err != nil {
		return err
	}
	disk, err := layDisk(s, sector, data, size)
	if err != nil {
		return err
	}
	return disk.write(d, data == nil)
}

// write writes what is not zero, the partition table last. A data partition that is new is cleared where a volume would begin, so that none is found there.
func (d *disk) write(to Device, fresh bool) error {
	const table = gptFirst * sector
	if fresh && int64(len(d.head)) < d.data.first*sector {
		if _, err := to.WriteAt(make([]byte, min(1<<20, d.data.size*sector)), d.data.first*sector); err != nil {
			return err
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
