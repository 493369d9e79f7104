// Package checked brings blocks into a page cache that somebody knew before: of each block of [BlockSize] bytes there is a sum. A block whose sum is another is an error, whoever asks for a byte of it, so that
// what is read is what was meant, or nothing. The sums are CRC-32C (RFC 3720, appendix B.4): they tell damage, and are no defence against somebody who means harm.
//
// It is how files of an image lie in a partition of its disk, and how they lie in the program, where blocks are compressed ([Pack], [Unpack]): [Index] is what the image itself holds of them, and [EscapeName] what they are called there.
package checked

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strconv"
	"sync"

	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// BlockSize is how many bytes each sum is of: a slot's of the page cache.
const BlockSize = pages.BlockSize

var (
	le    = binary.LittleEndian
	table = crc32.MakeTable(crc32.Castagnoli)
)

// Sums are those of data, which is whole blocks: four bytes each.
func Sums(data []byte) string {
	var b []byte
	for ; len(data) >= BlockSize; data = data[BlockSize:] {
		b = le.AppendUint32(b, crc32.Checksum(data[:BlockSize], table))
	}
	return string(b)
}

// Check says whether a block is the one whose sum is in sums; *DamageError.
func Check(b []byte, sums string, block int64) error {
	if crc32.Checksum(b, table) != le.Uint32([]byte(sums[4*block:][:4])) {
		return &DamageError{block}
	}
	return nil
}

// A DamageError is what reading gives of a block whose sum is another.
type DamageError struct{ Block int64 }

// Error implements error.
func (e *DamageError) Error() string {
	return "block " + strconv.FormatInt(e.Block, 10) + " of 64 KiB is damaged"
}

// A device is a pages.BlockSource.
type device struct {
	sums string
	open func() (block.Device, error)

	opening sync.Mutex
	dev     block.Device // under opening; nil: not opened yet
}

// Blocks are those of a device that has sums, in a store. It is opened when the first byte is asked for, and stays open. Where it cannot be opened, who asks next tries again. Reading them gives what opening
// gave, the device's errors, *DamageError.
func Blocks(store *pages.Store, sums string, open func() (block.Device, error)) *pages.Blocks {
	return pages.NewBlocks(store, int64(len(sums)/4), &device{sums: sums, open: open}, true)
}

// there gives the device, open.
func (d *device) there() (block.Device, error) {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.dev != nil {
		return d.dev, nil
	}
	dev, err := d.open()
	if err == nil {
		d.dev = dev
	}
	return dev, err
}

// ReadBlocks implements pages.BlockSource.
func (d *device) ReadBlocks(vec [][]byte, first int64) (held bool, err error) {
	dev, err := d.there()
	if err != nil {
		return false, err
	}
	if err := dev.Read(vec, first*BlockSize); err != nil {
		return block.Held(err), err
	}
	for i, b := range vec {
		if err := Check(b, d.sums, first+int64(i)); err != nil {
			return false, err
		}
	}
	return false, nil
}

// An Index is what an image holds of an archive, a ZIP file, whose members lie in a partition.
type Index struct {
	Partition [16]byte // its unique GUID, as it lies in the table
	Members   int64    // bytes of the archive up to its directory. They lie at the partition's beginning, with zeroes up to a whole block behind them
	Sums      string
	Directory string // the rest of the archive
}

const (
	magic  = "HTFILES1"
	header = len(magic) + 16 + 8
)

// Encode returns the index: the magic word, the GUID, Members in 8 bytes, little-endian, Sums, Directory.
func (x *Index) Encode() []byte {
	b := append([]byte(magic), x.Partition[:]...)
	b = le.AppendUint64(b, uint64(x.Members))
	return append(append(b, x.Sums...), x.Directory...)
}

// ErrIndex is what Decode gives for what is no index.
var ErrIndex = errors.New("the index of the files is damaged")

// Decode is the inverse of Encode.
func Decode(b string) (x Index, err error) {
	if len(b) < header || b[:len(magic)] != magic {
		return x, ErrIndex
	}
	copy(x.Partition[:], b[len(magic):])
	n := le.Uint64([]byte(b[header-8 : header]))
	sums := (n + BlockSize - 1) / BlockSize * 4
	if b = b[header:]; n > 1<<50 || sums > uint64(len(b)) {
		return x, ErrIndex
	}
	x.Members, x.Sums, x.Directory = int64(n), b[:sums], b[sums:]
	return x, nil
}
