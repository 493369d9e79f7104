//go:build linux

package volume

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// What is copied keeps its holes, and its size: only data is read and written, where the source can tell what is data (lseek(2), SEEK_DATA), and else what is not zero. A file of terabytes that holds
// little is copied as quickly as little.

const (
	seekData = 3 // lseek(2)
	seekHole = 4

	pieceSize = 1 << 20 // how much is read at once
	grain     = 4096    // so much that is zero, at a multiple of it, becomes a hole where the source cannot tell
)

// A writer writes all of b at off.
type writer func(b []byte, off int64) error

// pour gives w what r has, but for blocks of zeroes, and says how long it is.
func pour(r io.Reader, w writer) (size int64, err error) {
	b := make([]byte, pieceSize)
	for {
		n := 0
		for n < len(b) && err == nil { // so that holes begin at multiples of grain
			var k int
			k, err = r.Read(b[n:])
			n += k
		}
		if e := nonzero(b[:n], size, w); e != nil {
			return size, e
		}
		size += int64(n)
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}

var blank [grain]byte

// nonzero gives w what lies at off, a multiple of grain, but for whole blocks of zeroes.
func nonzero(b []byte, off int64, w writer) error {
	for len(b) > 0 {
		n, zero := 0, false
		for n < len(b) {
			block := b[n:min(n+grain, len(b))]
			is := bytes.Equal(block, blank[:len(block)])
			if n > 0 && is != zero {
				break
			}
			n, zero = n+len(block), is
		}
		if !zero {
			if err := w(b[:n], off); err != nil {
				return err
			}
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

// pourFile is pour for a file of the host, from where it is.
func pourFile(f *os.File, w writer) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 { // those of /proc hold more than they say
		return pour(f, w)
	}
	if at, err := f.Seek(0, io.SeekCurrent); err != nil || at != 0 {
		return pour(f, w)
	}
	if _, err := f.Seek(0, seekHole); err != nil {
		return pour(f, w)
	}
	end, err := spans(f.Seek, f.ReadAt, w)
	if err != nil || end >= 0 {
		return end, err
	}
	info, err = f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// spans gives w what seek says is data, which read reads as io.ReaderAt does. end is where the file ended before seek said so; -1 where it did not: what is behind the last data is a hole.
func spans(seek func(off int64, whence int) (int64, error), read func(b []byte, off int64) (int, error), w writer) (end int64, err error) {
	b := make([]byte, pieceSize)
	for off := int64(0); ; {
		if off, err = seek(off, seekData); errors.Is(err, syscall.ENXIO) {
			return -1, nil
		}
		if err != nil {
			return 0, err
		}
		hole, err := seek(off, seekHole)
		if errors.Is(err, syscall.ENXIO) { // it has become shorter meanwhile
			return -1, nil
		}
		if err != nil {
			return 0, err
		}
		for off < hole {
			n, err := read(b[:min(hole-off, pieceSize)], off)
			if e := w(b[:n], off); e != nil {
				return 0, e
			}
			off += int64(n)
			if err == io.EOF && off < hole {
				return off, nil
			}
			if err != nil && err != io.EOF {
				return 0, err
			}
		}
	}
}

// reader has ReadAt of a volume's file as io.ReaderAt has it.
func reader(name string, f core.File) func(b []byte, off int64) (int, error) {
	return func(b []byte, off int64) (n int, err error) {
		for n < len(b) {
			k, e := f.ReadAt(b[n:], off+int64(n))
			if e != 0 {
				return n, fail(name, e)
			}
			if k == 0 {
				return n, io.EOF
			}
			n += k
		}
		return n, nil
	}
}

// copyInto writes a file of the volume to a regular one of the host that is empty.
func copyInto(to *os.File, name string, f core.File) error {
	w := func(b []byte, off int64) error {
		_, err := to.WriteAt(b, off)
		return err
	}
	size := f.Attr().Size
	read := reader(name, f)
	if sparse, ok := f.(core.Sparse); ok {
		seek := func(off int64, whence int) (int64, error) {
			at, e := sparse.SeekData(off, whence == seekHole)
			return at, fail(name, e)
		}
		if _, err := spans(seek, read, w); err != nil {
			return err
		}
	} else if _, err := pour(io.NewSectionReader(readerAt(read), 0, size), w); err != nil {
		return err
	}
	return to.Truncate(size)
}

// A readerAt is an io.ReaderAt.
type readerAt func(b []byte, off int64) (int, error)

func (r readerAt) ReadAt(b []byte, off int64) (int, error) { return r(b, off) }
