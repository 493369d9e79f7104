// Package checked reads bytes of a device that somebody knew before: of each block of [BlockSize] bytes there is a sum. A block whose sum is another is an error, whoever asks for a byte of it, so that
// what is read is what was meant, or nothing. The sums are CRC-32C (RFC 3720, appendix B.4): they tell damage, and are no defence against somebody who means harm.
//
// It is how files of an image lie in a partition of its disk: [Index] is what the image itself holds of them.
package checked

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strconv"
	"sync"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// BlockSize is how many bytes each sum is of.
const BlockSize = 64 << 10

const (
	kept   = 16 // blocks in memory
	atOnce = 8  // blocks that one request reads, at most
)

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

// A DamageError is what reading gives of a block whose sum is another.
type DamageError struct{ Block int64 }

// Error implements error.
func (e *DamageError) Error() string {
	return "block " + strconv.FormatInt(e.Block, 10) + " of 64 KiB is damaged"
}

// A Reader reads a device. Its methods may be called by several goroutines at a time.
type Reader struct {
	sums string
	open func() (block.Device, error)

	opening sync.Mutex
	dev     block.Device // under opening; nil: not opened yet

	mu     sync.Mutex
	blocks map[int64][]byte // under mu: the last ones that were read, which nobody writes to
	order  [kept]int64      // under mu: which they are, 0 for none, 1 for the first
	next   int              // under mu: of order
}

// NewReader reads a device that has sums. It is opened when the first byte is asked for, and stays open. Where it cannot be opened, who asks next tries again.
func NewReader(sums string, open func() (block.Device, error)) *Reader {
	return &Reader{sums: sums, open: open, blocks: map[int64][]byte{}}
}

// Size is how many bytes there are.
func (r *Reader) Size() int64 { return int64(len(r.sums)/4) * BlockSize }

// Piece returns bytes from an offset on, which nobody may write to: one at least, up to the end of their block. Of n bytes the blocks are read in one go. It parks while the
// device works. Errors: io.EOF behind the end, what opening gave, the device's, *DamageError.
func (r *Reader) Piece(off, n int64) ([]byte, error) {
	if off < 0 || off >= r.Size() {
		return nil, io.EOF
	}
	first := off / BlockSize
	r.mu.Lock()
	b := r.blocks[first]
	count := int64(1) // that are to be read
	for b == nil && count < atOnce && (first+count)*BlockSize < min(off+n, r.Size()) && r.blocks[first+count] == nil {
		count++
	}
	r.mu.Unlock()
	if b == nil {
		var err error
		if b, err = r.read(first, count); err != nil {
			return nil, err
		}
	}
	return b[off%BlockSize:], nil
}

// device gives the device, open.
func (r *Reader) device() (block.Device, error) {
	r.opening.Lock()
	defer r.opening.Unlock()
	if r.dev != nil {
		return r.dev, nil
	}
	dev, err := r.open()
	if err == nil {
		r.dev = dev
	}
	return dev, err
}

// read reads blocks and keeps them. Of those behind the first only the good ones count: who asks for another will hear of it.
func (r *Reader) read(first, count int64) ([]byte, error) {
	dev, err := r.device()
	if err != nil {
		return nil, err
	}
	all := make([][]byte, count)
	for i := range all {
		all[i] = make([]byte, BlockSize)
	}
	if err := dev.Read(all, first*BlockSize); err != nil {
		if count > 1 { // which of them?
			return r.read(first, 1)
		}
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, b := range all {
		at := first + int64(i)
		if crc32.Checksum(b, table) != le.Uint32([]byte(r.sums[4*at:][:4])) {
			if i == 0 {
				return nil, &DamageError{first}
			}
			break
		}
		if r.blocks[at] == nil {
			delete(r.blocks, r.order[r.next]-1)
			r.order[r.next] = at + 1
			r.next = (r.next + 1) % kept
			r.blocks[at] = b
		}
	}
	return all[0], nil
}

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		b, err := r.Piece(off+int64(n), int64(len(p)-n))
		if err != nil {
			return n, err
		}
		n += copy(p[n:], b)
	}
	return n, nil
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
