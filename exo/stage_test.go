//go:build !hardtack

package exo

import (
	"encoding/binary"
	"errors"
	"testing"
)

func TestStageActions(t *testing.T) {
	m, _ := simulated(t)
	w := new(words)
	m.Map(0xd0000000, 0x1000, w)
	r, err := TakeMMIO("t", 0xd0000100, 0x10)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := TakeFrames("t", 1, 0)
	v, _ := TakeVector("t")
	n := int(v.Number())
	copy(w.b[0x104:], []byte{9, 8, 7, 6})
	if err := v.Attach(Count(f, 4), Load(r, 4, f, 8, 2), Store(r, 12, 5), Stamp(f, 16, 1), Pass()); err != nil {
		t.Fatal(err)
	}
	FireStage(n)
	if fired, err := v.Wait(-1); fired != 1 || err != nil {
		t.Error(fired, err)
	}
	w.b[0x104] = 1
	FireStage(n)
	b := f.Bytes()
	if b[4] != 2 || binary.LittleEndian.Uint32(b[8:]) != 0x06070809 || binary.LittleEndian.Uint32(b[12:]) != 0x06070801 || w.b[0x10c] != 5 || binary.LittleEndian.Uint64(b[16:]) == 0 {
		t.Errorf("% x", b[:24])
	}
	// The registers end: what is not about them is done.
	w.b[0x10c] = 0
	r.Release()
	FireStage(n)
	if b[4] != 3 || w.b[0x10c] != 0 || binary.LittleEndian.Uint32(b[8:]) != 0x06070809 {
		t.Errorf("% x", b[:24])
	}
	if err := v.Detach(); err != nil {
		t.Error(err)
	}
	v.Wait(-1)
	FireStage(n)
	if fired, _ := v.Wait(-1); fired != 1 || b[4] != 3 {
		t.Error(fired, b[4])
	}
	v.Attach(Count(f, 4))
	f.Release()
	FireStage(n)
	if b[4] != 3 {
		t.Error("memory that was given back was written")
	}
	v.Release()
	if hostStages.steps[n] != nil {
		t.Error("the program outlives its vector")
	}
	var rel *ReleasedError
	if err := v.Attach(Pass()); !errors.As(err, &rel) {
		t.Error(err)
	}
}

func TestStageRefusals(t *testing.T) {
	m, _ := simulated(t)
	m.Map(0xd0000000, 0x1000, new(words))
	d := grant(t, MMIOSpace, 0xd0000000, 0xd0000fff, Bind|Read)
	r, err := d.TakeMMIO("t", 0xd0000000, 0x10)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := TakeFrames("t", 1, 0)
	gone, _ := TakeFrames("t", 1, 0)
	gone.Release()
	v, _ := TakeVector("t")
	var re *RangeError
	var rel *ReleasedError
	var empty *EmptyError
	const big = int(^uint(0) >> 1)
	for name, a := range map[string]Action{
		"between words": Count(f, 2), "beyond": Count(f, PageSize), "far beyond": Count(f, ^uintptr(3)), "places beyond": Stamp(f, PageSize-8, 2), "no place": Stamp(f, 0, 0),
		"places less than none": Load(r, 0, f, 0, -1), "places that wrap": Load(r, 0, f, 0, big), "register between": Load(r, 2, f, 0, 1), "register beyond": Load(r, 0x10, f, 0, 1),
		"register far beyond": Load(r, ^uintptr(3), f, 0, 1),
	} {
		if err := v.Attach(Pass(), a); !errors.As(err, &re) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, a := range map[string]Action{"released": Count(gone, 0), "no right": Store(r, 0, 1)} {
		if err := v.Attach(a); !errors.As(err, &rel) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := v.Attach(Action{}); !errors.As(err, &empty) {
		t.Error(err)
	}
	if err := v.Attach(); !errors.As(err, &re) {
		t.Error(err)
	}
	if err := v.Attach(make([]Action, maxActions+1)...); !errors.As(err, &re) {
		t.Error(err)
	}
	c, _ := TakeCPU("t", 0)
	for _, class := range []int{-1, MaxHold + 1, big} {
		if err := c.Hold(class); !errors.As(err, &re) {
			t.Errorf("%d: %v", class, err)
		}
	}
	if err := c.Hold(MaxHold); err != nil {
		t.Error(err)
	}
	v.Release()
	if err := c.Send(v); !errors.As(err, &rel) {
		t.Error(err)
	}
	c.Release()
	if err := c.Hold(1); !errors.As(err, &rel) || c.mask.class != 0 {
		t.Error(err, c.mask.class)
	}
}
