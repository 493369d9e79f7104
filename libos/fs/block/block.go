// Package block is the seam between filesystems and what they lie on: a disk, a file of the host, memory. It orders nothing by itself: what must come after something else is written
// after a Flush.
//
// Devices for tests are here, too: Recorder remembers what was written between which flushes, Faulty fails one request.
package block

import (
	"errors"
	"sync"
)

// A Device is blocks in a row. Its methods may be called by several goroutines at a time, and park until they are done. Offsets and lengths are multiples of BlockSize, and inside.
// What two calls at a time do to the same bytes is not defined.
type Device interface {
	// Info tells what the device is. It does not change, but for the size of a Grower.
	Info() Info

	// Read fills the pieces of vec, one after the other, from off on.
	Read(vec [][]byte, off int64) error

	// Write writes the pieces of vec from off on. They must stay as they are meanwhile. After an error, and after a loss of power before the next Flush, each block holds what it did or
	// what was written.
	Write(vec [][]byte, off int64) error

	// Flush returns when all writes that had returned before it was called are durable.
	Flush() error

	// Discard says that n bytes from off on hold nothing of worth; what they read as is not defined any more. It does nothing where the device cannot.
	Discard(off, n int64) error

	// Close ends the use. It does not flush.
	Close() error
}

// A Piece is bytes, and where they go or come from.
type Piece struct {
	Vec [][]byte
	Off int64
}

// A Gatherer is a Device that takes many writes at once.
type Gatherer interface {
	Device

	// WriteAll is Write for several pieces that do not overlap. After an error any of them may be written, or not.
	WriteAll(list []Piece) error
}

// WriteAll writes pieces that do not overlap, at the same time. It returns when all are written, or have failed, with the first error.
func WriteAll(dev Device, list []Piece) error {
	if g, ok := dev.(Gatherer); ok {
		return g.WriteAll(list)
	}
	if len(list) == 1 {
		return dev.Write(list[0].Vec, list[0].Off)
	}
	const atOnce = 16
	var wg sync.WaitGroup
	var first error
	var once sync.Once
	turn := make(chan struct{}, atOnce)
	for _, p := range list {
		turn <- struct{}{}
		wg.Go(func() {
			if err := dev.Write(p.Vec, p.Off); err != nil {
				once.Do(func() { first = err })
			}
			<-turn
		})
	}
	wg.Wait()
	return first
}

// A Grower is a Device that may become larger while it is in use.
type Grower interface {
	Device

	// Notify has f called each time that it has. f must not park.
	Notify(f func())
}

// Info is what a Device is.
type Info struct {
	Name      string // for messages
	ID        string // serial number, or where it is; may be empty
	Size      int64  // bytes
	BlockSize int    // bytes, a power of two
	ReadOnly  bool
	Discard   bool // Discard does something
}

// ErrReadOnly is what writing to a read-only device gives.
var ErrReadOnly = errors.New("block: the device is read-only")

// errRange is what a transfer that is not inside gives, or not whole blocks.
var errRange = errors.New("block: a transfer is not inside the device, or not whole blocks of it")

// Check tells whether n bytes from off on can be transferred.
func (in *Info) Check(off, n int64) error {
	if off < 0 || n < 0 || off > in.Size || n > in.Size-off || (off|n)&int64(in.BlockSize-1) != 0 {
		return errRange
	}
	return nil
}

// Len is how many bytes the pieces of vec are together.
func Len(vec [][]byte) (n int64) {
	for _, b := range vec {
		n += int64(len(b))
	}
	return n
}
