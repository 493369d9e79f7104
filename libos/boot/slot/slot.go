// Package slot is the state of a disk that holds two images, A and B: which one is booted, how often it may still be tried, and whether it has said that it works. FORMAT.md
// specifies it. The loaders (boot/amd64) read it, mkimage makes it, and libos/boot/ok, in the image, confirms it.
//
// The package does not know what disk the state is on, and it boots nothing.
package slot

import (
	"errors"
	"io"
	"strconv"
	"strings"
)

// Sizes of the state on the disk, in bytes.
const (
	SectorSize = 512
	Distance   = 4096                  // from copy 0 to copy 1
	Reach      = Distance + SectorSize // of both
	sumAt      = 496
	magic      = "HTSLOTS1"
)

// Tries is how often a new image is tried before the other slot is booted again.
const Tries = 3

// A Slot is one of the two.
type Slot struct {
	Tries    uint32 // left
	Works    bool   // its image has said so
	Block    uint32 // its first sector, from the partition's beginning
	Capacity uint32 // in sectors
	Length   uint32 // of its image in bytes; 0: empty
	Hash     uint32 // of the image: Sum
	First    uint32 // where the loader reads it to
	Last     uint32 // where its last segment ends
}

// A State is what a copy says.
type State struct {
	Sequence uint32
	Wanted   int // 0 for A, 1 for B
	Slots    [2]Slot
	ID       [16]byte
}

// Name is "A" or "B".
func Name(i int) string { return "AB"[i : i+1] }

// ErrDamaged is returned where neither copy is whole.
var ErrDamaged = errors.New("the state of the slots is damaged")

// Encode returns the sector.
func (s *State) Encode() []byte {
	b := make([]byte, SectorSize)
	copy(b, magic)
	le.PutUint32(b[8:], s.Sequence)
	le.PutUint32(b[12:], uint32(s.Wanted))
	for i, v := range s.Slots {
		works := uint32(0)
		if v.Works {
			works = 1
		}
		for j, w := range [...]uint32{v.Tries, works, v.Block, v.Capacity, v.Length, v.Hash, v.First, v.Last} {
			le.PutUint32(b[16+32*i+4*j:], w)
		}
	}
	copy(b[80:], s.ID[:])
	le.PutUint32(b[sumAt:], Sum(b[:sumAt]))
	return b
}

// Decode reads a sector; ok is false where that is no whole copy.
func Decode(b []byte) (s State, ok bool) {
	if len(b) < SectorSize || string(b[:8]) != magic || le.Uint32(b[sumAt:]) != Sum(b[:sumAt]) {
		return s, false
	}
	s.Sequence, s.Wanted = le.Uint32(b[8:]), int(le.Uint32(b[12:])&1)
	for i := range s.Slots {
		w := func(j int) uint32 { return le.Uint32(b[16+32*i+4*j:]) }
		s.Slots[i] = Slot{w(0), w(1) != 0, w(2), w(3), w(4), w(5), w(6), w(7)}
	}
	copy(s.ID[:], b[80:])
	return s, true
}

// Choose returns the slot that a loader boots, -1 where it boots none; bad says which images are damaged.
func (s *State) Choose(bad func(i int) bool) int {
	for _, any := range []bool{false, true} {
		for _, i := range []int{s.Wanted, 1 - s.Wanted} {
			if v := &s.Slots[i]; v.Length != 0 && (any || v.Works || v.Tries > 0) && !bad(i) {
				return i
			}
		}
	}
	return -1
}

// A Device is what the state lies on.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error // returns when all that was written is durable
}

// A Store is the state on a device.
type Store struct {
	State
	dev   Device
	at    int64 // of copy 0
	newer int   // the copy that counts
}

// Open reads both copies; copy 0 lies at an offset. The error is that of the device, or ErrDamaged.
func Open(d Device, at int64) (*Store, error) {
	var copies [2]State
	var whole [2]bool
	var failed error
	for i := range copies {
		b := make([]byte, SectorSize)
		if _, err := d.ReadAt(b, at+int64(i)*Distance); err != nil {
			failed = err
			continue
		}
		copies[i], whole[i] = Decode(b)
	}
	s := &Store{dev: d, at: at}
	switch {
	case whole[1] && (!whole[0] || int32(copies[1].Sequence-copies[0].Sequence) > 0):
		s.newer = 1
	case !whole[0] && failed != nil:
		return nil, failed
	case !whole[0]:
		return nil, ErrDamaged
	}
	s.State = copies[s.newer]
	return s, nil
}

// Create writes both copies of a state that nobody has yet.
func Create(d Device, at int64, s State) (*Store, error) {
	v := &Store{State: s, dev: d, at: at, newer: 1}
	err := v.Save()
	if err == nil {
		err = v.Save()
	}
	return v, err
}

// Save writes the state over the older copy, and returns when it is durable. The newer copy is durable before: a loader for a BIOS cannot flush what it has written.
func (s *Store) Save() error {
	if err := s.dev.Sync(); err != nil {
		return err
	}
	s.Sequence++
	if _, err := s.dev.WriteAt(s.Encode(), s.at+int64(1-s.newer)*Distance); err != nil {
		return err
	}
	s.newer = 1 - s.newer
	return s.dev.Sync()
}

// Put writes an image, whose fields v has, into slot i of the partition that begins at an offset of the device. Wherever it is interrupted, the disk boots what the slots
// hold whole; once it returns without an error, it is this image that is tried next. beside, if it is not nil, writes what belongs to the image: the slot is empty then.
func (s *Store) Put(i int, partition int64, image []byte, v Slot, beside func() error) error {
	old := s.Slots[i]
	if n := int64(old.Capacity) * SectorSize; int64(len(image)) > n {
		return errors.New("the image has " + strconv.Itoa(len(image)) + " bytes, and slot " + Name(i) + " has room for " + strconv.FormatInt(n, 10))
	}
	s.Slots[i] = Slot{Block: old.Block, Capacity: old.Capacity}
	s.Wanted = 1 - i
	if err := s.Save(); err != nil {
		return err
	}
	if beside != nil {
		if err := beside(); err != nil {
			return err
		}
	}
	if _, err := s.dev.WriteAt(image, partition+int64(old.Block)*SectorSize); err != nil {
		return err
	}
	if err := s.dev.Sync(); err != nil {
		return err
	}
	v.Block, v.Capacity, v.Tries, v.Works, v.Length = old.Block, old.Capacity, Tries, false, uint32(len(image))
	s.Slots[i], s.Wanted = v, i
	return s.Save()
}

// Confirm says that the image in slot i works. It writes nothing if it has said so before.
func (s *Store) Confirm(i int) error {
	if s.Slots[i].Works {
		return nil
	}
	s.Slots[i].Works = true
	return s.Save()
}

// A Word is what a loader tells an image: slot=A:SECTOR:IDENTIFIER.
type Word struct {
	Slot   int
	Sector int64 // of copy 0, on the disk
	ID     [16]byte
}

// String is the word's value.
func (w Word) String() string {
	const digits = "0123456789abcdef"
	b := append([]byte(Name(w.Slot)+":"), strconv.FormatInt(w.Sector, 10)...)
	b = append(b, ':')
	for _, v := range w.ID {
		b = append(b, digits[v>>4], digits[v&15])
	}
	return string(b)
}

// ParseWord is the inverse of String.
func ParseWord(v string) (w Word, ok bool) {
	part := strings.Split(v, ":")
	if len(part) != 3 || part[0] != "A" && part[0] != "B" || len(part[2]) != 2*len(w.ID) {
		return w, false
	}
	w.Slot = int(part[0][0] - 'A')
	n, err := strconv.ParseInt(part[1], 10, 54)
	if w.Sector = n; err != nil || n < 0 {
		return w, false
	}
	for i := range w.ID {
		x, err := strconv.ParseUint(part[2][2*i:2*i+2], 16, 8)
		if err != nil {
			return w, false
		}
		w.ID[i] = byte(x)
	}
	return w, true
}
