package checked

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"sync"

	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// Packed blocks are blocks that are compressed each for itself (DEFLATE, RFC 1951), so that any can be unpacked alone. At the beginning there are 4 bytes a block, little-endian: where it ends, counted from the end of these
// numbers. A block that is not smaller so is as it was, and has BlockSize bytes.

// Pack packs blocks, which are whole ones. What is packed has less than 4 GiB.
func Pack(blocks []byte) []byte {
	n := len(blocks) / BlockSize
	out := make([]byte, 4*n)
	var small bytes.Buffer
	z, err := flate.NewWriter(&small, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is one
	}
	for i := range n {
		b := blocks[i*BlockSize:][:BlockSize]
		small.Reset()
		z.Reset(&small)
		z.Write(b)
		z.Close() // into memory: no errors
		if small.Len() < len(b) {
			b = small.Bytes()
		}
		out = append(out, b...)
		le.PutUint32(out[4*i:], uint32(len(out)-4*n))
	}
	return out
}

// Unpack gives the blocks of an index in a store. They are unpacked when they are needed, and again when their memory was taken. What is damaged gives *DamageError.
func Unpack(store *pages.Store, packed string, x Index) *pages.Blocks {
	n := min(len(x.Sums), len(packed)) / 4
	return pages.NewBlocks(store, int64(n), &unpacker{ends: packed[:4*n], text: packed[4*n:], sums: x.Sums}, false)
}

// An unpacker is a pages.BlockSource.
type unpacker struct {
	ends, text, sums string
	free             sync.Pool // of *inflater
}

// An inflater unpacks one block at a time.
type inflater struct {
	from strings.Reader
	z    io.ReadCloser
}

// ReadBlocks implements pages.BlockSource.
func (u *unpacker) ReadBlocks(vec [][]byte, first int64) (held bool, err error) {
	f, _ := u.free.Get().(*inflater)
	if f == nil {
		f = new(inflater)
		f.z = flate.NewReader(&f.from)
	}
	defer u.free.Put(f)
	for i, b := range vec {
		if err := u.unpack(f, b, first+int64(i)); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (u *unpacker) unpack(f *inflater, b []byte, block int64) error {
	from, to := uint32(0), le.Uint32([]byte(u.ends[4*block:][:4]))
	if block > 0 {
		from = le.Uint32([]byte(u.ends[4*block-4:][:4]))
	}
	damage := &DamageError{Block: block}
	if from > to || uint64(to) > uint64(len(u.text)) {
		return damage
	}
	if text := u.text[from:to]; len(text) == len(b) {
		copy(b, text)
	} else {
		f.from.Reset(text)
		f.z.(flate.Resetter).Reset(&f.from, nil)
		if _, err := io.ReadFull(f.z, b); err != nil {
			return damage
		}
	}
	return Check(b, u.sums, block)
}
