package slot

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

var errPower = errors.New("the power is gone")

// power is a disk of sectors that loses power: the left-th sector of those that are written keeps only a part of what it was to hold, and none after it is written. What
// was written and not yet synced goes to the disk in any order, of which one is drawn.
type power struct {
	b     []byte
	left  int // sectors until then
	r     *rand.Rand
	queue []sectorWrite // not durable yet
}

type sectorWrite struct {
	at   int64
	data []byte
}

func (p *power) ReadAt(b []byte, off int64) (int, error) {
	copy(b, p.b[off:])
	for _, w := range p.queue {
		if w.at >= off && w.at < off+int64(len(b)) {
			copy(b[w.at-off:], w.data)
		}
	}
	return len(b), nil
}

func (p *power) WriteAt(b []byte, off int64) (int, error) {
	for at := 0; at < len(b); at += SectorSize {
		p.queue = append(p.queue, sectorWrite{off + int64(at), bytes.Clone(b[at:min(at+SectorSize, len(b))])})
	}
	return len(b), nil
}

func (p *power) Sync() error {
	p.r.Shuffle(len(p.queue), func(i, j int) { p.queue[i], p.queue[j] = p.queue[j], p.queue[i] })
	for _, w := range p.queue {
		if p.left--; p.left <= 0 {
			if p.left == 0 {
				copy(p.b[w.at:], w.data[:p.r.IntN(len(w.data))])
			}
			return errPower
		}
		copy(p.b[w.at:], w.data)
	}
	p.queue = nil
	return nil
}

const (
	stateAt     = 0
	partitionAt = 16 << 10
	capacity    = 40
)

func newDisk(t *testing.T, r *rand.Rand) *power {
	t.Helper()
	p := &power{b: make([]byte, 128<<10), left: 1 << 30, r: r}
	s := State{ID: [16]byte{1, 2, 3}}
	for i := range s.Slots {
		s.Slots[i] = Slot{Block: uint32(i * capacity), Capacity: capacity}
	}
	if _, err := Create(p, stateAt, s); err != nil {
		t.Fatal(err)
	}
	return p
}

func image(r *rand.Rand) []byte {
	b := make([]byte, 16*(1+r.IntN(capacity*SectorSize/16)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// boots is what a loader takes: the image, and its slot.
func boots(p *power) ([]byte, int) {
	s, err := Open(p, stateAt)
	if err != nil {
		return nil, -1
	}
	read := func(i int) []byte {
		v := s.Slots[i]
		return p.b[partitionAt+int64(v.Block)*SectorSize:][:v.Length]
	}
	i := s.Choose(func(i int) bool { return Sum(read(i)) != s.Slots[i].Hash })
	if i < 0 {
		return nil, i
	}
	return read(i), i
}

// TestPower puts images into slots of a disk that loses power at each of the sectors written: it is the new image that is booted then, or the one before.
func TestPower(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, works := range []bool{false, true} {
		for left := 1; ; left++ {
			p := newDisk(t, r)
			old, next := image(r), image(r)
			put := func(i int, b []byte) error {
				s, err := Open(p, stateAt)
				if err != nil {
					t.Fatal(err)
				}
				return s.Put(i, partitionAt, b, Slot{Hash: Sum(b)}, nil)
			}
			if err := put(0, old); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(p, stateAt); err != nil || works && s.Confirm(0) != nil {
				t.Fatal(err)
			}
			p.left = left
			err := put(1, next)
			p.queue = nil
			got, i := boots(p)
			if i < 0 || !bytes.Equal(got, old) && !bytes.Equal(got, next) || err == nil && i != 1 {
				t.Fatalf("power lost at sector %d: %v, slot %d", left, err, i)
			}
			if err == nil {
				break
			}
		}
	}
}

// TestPowerOfCounter loses it when a try is counted, and when an image confirms: one of both states is there.
func TestPowerOfCounter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		p := newDisk(t, r)
		s, err := Open(p, stateAt)
		if err != nil {
			t.Fatal(err)
		}
		for range r.IntN(4) {
			s.Save()
		}
		before := s.State
		p.left = 1
		if r.IntN(2) == 0 {
			s.Slots[0].Tries++
			s.Save()
		} else {
			s.Confirm(0)
		}
		p.queue = nil
		after, err := Open(p, stateAt)
		if err != nil || after.State != before && after.State != s.State {
			t.Fatalf("%v: %+v, was %+v", err, after, before)
		}
	}
}

// TestUnflushedLoader loses power while an image confirms, on a disk that has not yet made durable that its loader counted the try.
func TestUnflushedLoader(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		for left := 1; left <= 3; left++ {
			p := newDisk(t, r)
			s, err := Open(p, stateAt)
			if err != nil {
				t.Fatal(err)
			}
			states := []State{s.State}
			s.Sequence++
			s.Slots[0].Tries++
			if _, err := p.WriteAt(s.Encode(), stateAt+int64(1-s.newer)*Distance); err != nil {
				t.Fatal(err)
			}
			states = append(states, s.State)
			p.left = left
			if s, err = Open(p, stateAt); err == nil {
				s.Confirm(0)
				states = append(states, s.State)
			}
			p.queue = nil
			if got, err := Open(p, stateAt); err != nil || !slices.Contains(states, got.State) {
				t.Fatalf("power lost at sector %d: %v, %+v", left, err, got)
			}
		}
	}
}

// TestSequence: the newer copy counts, where its number has wrapped, too.
func TestSequence(t *testing.T) {
	p := newDisk(t, rand.New(rand.NewPCG(5, 6)))
	s, err := Create(p, stateAt, State{Sequence: 1<<32 - 5})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint32(8) {
		s.Slots[1].Tries = i
		if err := s.Save(); err != nil {
			t.Fatal(err)
		}
		if got, err := Open(p, stateAt); err != nil || got.State != s.State {
			t.Fatalf("%v: %+v, want %+v", err, got, s)
		}
	}
	clear(p.b[:Reach])
	if _, err := Open(p, stateAt); err != ErrDamaged {
		t.Error(err)
	}
}

// TestChoose: what FORMAT.md says of the loader.
func TestChoose(t *testing.T) {
	good, tried, used, empty := Slot{Length: 16, Works: true}, Slot{Length: 16, Tries: 1}, Slot{Length: 16}, Slot{Tries: 3}
	for _, c := range []struct {
		a, b   Slot
		wanted int
		bad    int // bits
		want   int
	}{
		{good, good, 0, 0, 0}, {good, good, 1, 0, 1}, {good, tried, 1, 0, 1}, {good, used, 1, 0, 0}, {used, used, 1, 0, 1}, {used, empty, 1, 0, 0},
		{good, good, 0, 1, 1}, {good, good, 0, 3, -1}, {used, good, 0, 2, 0}, {empty, empty, 0, 0, -1},
	} {
		s := State{Slots: [2]Slot{c.a, c.b}, Wanted: c.wanted}
		if got := s.Choose(func(i int) bool { return c.bad>>i&1 != 0 }); got != c.want {
			t.Errorf("%+v: slot %d", c, got)
		}
	}
}

// FuzzDecode gives it sectors of any contents: what is taken comes out as it went in.
func FuzzDecode(f *testing.F) {
	s := State{Sequence: 7, Wanted: 1}
	f.Add(s.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := Decode(b); ok {
			if again, ok := Decode(s.Encode()); !ok || again != s {
				t.Errorf("%+v, again %+v", s, again)
			}
		}
	})
}

// TestWord: the word, there and back, and what is none.
func TestWord(t *testing.T) {
	w := Word{1, 2056, [16]byte{0xab, 15: 1}}
	if got, ok := ParseWord(w.String()); !ok || got != w {
		t.Errorf("%s: %+v", w, got)
	}
	for _, bad := range []string{"", "A", "C:1:" + w.String()[7:], "A:-1:00000000000000000000000000000000", "A:1:0", "A:1:0000000000000000000000000000000g", "A:99999999999999999999:00000000000000000000000000000000"} {
		if _, ok := ParseWord(bad); ok {
			t.Errorf("%q is a word", bad)
		}
	}
}
