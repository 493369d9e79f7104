package format

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/boot/slot"
)

// source is a small image that every format can hold.
func source() Source {
	const M = 1 << 20
	image := imageOf(0x13000, load{0x400, M, 0x900}, load{0x1000, HighBase, 0x12000})
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0x1000; i < len(image); i++ {
		image[i] = byte(r.Uint32() >> 28) // can be compressed
	}
	return Source{ELF: image, Name: "app", Time: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)}
}

// TestOpen gets the same image back out of every format, and an error out of every one that is cut off.
func TestOpen(t *testing.T) {
	s := source()
	for _, f := range Formats {
		if f.Name == "bzimage" {
			continue // reads the image's table, which this one lacks; cmd/mkimage TestInspectFormats has a real one
		}
		data, err := f.Make(s)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		if again, _ := f.Make(s); !bytes.Equal(again, data) {
			t.Errorf("%s: made twice it differs", f.Name)
		}
		if f.Disk && f.Name != "gce" { // whose GiB takes seconds
			openSlots(t, f, s)
		}
		got, err := Open(data)
		if err != nil || got.Format != f.Name || !bytes.Equal(got.ELF, s.ELF) {
			t.Errorf("%s: Open: %v", f.Name, err)
			continue
		}
		if f.Name == "elf" {
			continue // elfimage looks at its length
		}
		for _, n := range []int{0, 1, 100, 600, len(data) / 3} {
			if got, err := Open(data[:n]); err == nil && !bytes.Equal(got.ELF, s.ELF) {
				t.Errorf("%s cut off at %d: no error", f.Name, n)
			}
		}
	}
}

// openSlots makes a format's disk with an image in slot B, and gets it back.
func openSlots(t *testing.T, f Format, s Source) {
	s.Slot = "B"
	data, err := f.Make(s)
	if err != nil {
		t.Errorf("%s with slots: %v", f.Name, err)
		return
	}
	got, err := Open(data)
	if err != nil || got.Format != f.Name || !bytes.Equal(got.ELF, s.ELF) || len(got.Slots) != 2 {
		t.Errorf("%s with slots: Open: %v", f.Name, err)
		return
	}
	if a, b := got.Slots[0], got.Slots[1]; a.Bytes != 0 || a.Boots || !b.Boots || !b.Wanted || b.Works || b.Tries != slot.Tries {
		t.Errorf("%s: slots %+v", f.Name, got.Slots)
	}
}

// TestPutSlot puts images into slots of a disk, and damages them.
func TestPutSlot(t *testing.T) {
	first := source()
	first.Slot = "A"
	disk, err := raw(first)
	if err != nil {
		t.Fatal(err)
	}
	second := first
	second.Slot, second.ELF = "B", bytes.Clone(first.ELF)
	second.ELF[0x2000] ^= 1
	boots := func(image []byte, name string) {
		t.Helper()
		f, err := Open(disk)
		if err != nil {
			t.Error(err)
			return
		}
		for _, s := range f.Slots {
			if s.Boots != (s.Name == name) {
				t.Errorf("slot %+v", s)
			}
		}
		if !bytes.Equal(f.ELF, image) {
			t.Error("another image")
		}
	}
	boots(first.ELF, "A")
	if err := PutSlot(memory(disk), int64(len(disk)), second); err != nil {
		t.Fatal(err)
	}
	boots(second.ELF, "B")
	disk[bytes.Index(disk, second.ELF)+0x3000] ^= 1
	boots(first.ELF, "A")
	disk[bytes.Index(disk, first.ELF)+0x3000] ^= 1
	if f, err := Open(disk); err == nil {
		t.Errorf("both are damaged: %+v", f.Slots)
	}
	large := second
	large.ELF = make([]byte, 9<<20)
	copy(large.ELF, first.ELF)
	le.PutUint64(large.ELF[64+56+32:], 9<<20-0x1000)
	before := bytes.Clone(disk)
	if err := PutSlot(memory(disk), int64(len(disk)), large); err == nil || !bytes.Equal(before, disk) {
		t.Errorf("larger than a slot: %v", err)
	}
	for _, damage := range []func(loader, state []byte){
		func(loader, _ []byte) { loader[biosState+8+1] ^= 0x40 }, // the partition
		func(loader, _ []byte) { loader[biosState+3] ^= 0x10 },   // the state
		func(_, state []byte) { // the slot, in a whole copy
			s, _ := slot.Decode(state)
			s.Slots[1].Block += 1 << 20
			copy(state, s.Encode())
		},
	} {
		bad := bytes.Clone(before)
		loader := bad[rawBIOS*sector:]
		state := bad[le.Uint64(loader[biosState:])*sector:]
		other := state[slot.Distance:]
		if a, _ := slot.Decode(state); true {
			if b, _ := slot.Decode(other); b.Sequence > a.Sequence {
				state = other
			}
		}
		damage(loader, state)
		was := bytes.Clone(bad)
		if err := PutSlot(memory(bad), int64(len(bad)), second); err == nil || !strings.Contains(err.Error(), "damaged") || !bytes.Equal(was, bad) {
			t.Errorf("a damaged place: %v", err)
		}
	}
	data := second
	data.Data = 1 << 20
	if err := PutSlot(memory(disk), int64(len(disk)), data); err == nil || !strings.Contains(err.Error(), "no data partition") || !bytes.Equal(before, disk) {
		t.Errorf("a data partition that there is not: %v", err)
	}
	plain, err := raw(source())
	if err != nil {
		t.Fatal(err)
	}
	if err := PutSlot(memory(plain), int64(len(plain)), second); err != ErrNoSlots {
		t.Errorf("a disk without slots: %v", err)
	}
	if _, err := Formats[0].Make(first); err == nil {
		t.Error("an ELF file has slots")
	}
}

// FuzzOpen gives Open damaged files: an error or an image, no panic.
func FuzzOpen(f *testing.F) {
	s := source()
	for _, form := range Formats {
		if form.Name == "bzimage" || form.Name == "elf" {
			continue
		}
		data, err := form.Make(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 300<<10)], uint32(100), byte(1))
		if form.Name == "raw" {
			s := s
			s.Slot = "A"
			if data, err = form.Make(s); err != nil {
				f.Fatal(err)
			}
		}
		for _, at := range []uint32{0x18, 0x40, 0x158, 0x200, 1024 + 32, 34*512 + biosFields, 34*512 + biosState} {
			f.Add(data[:min(len(data), 300<<10)], at, byte(0xff))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint32, v byte) {
		if len(data) > 0 {
			data = bytes.Clone(data)
			data[int(at)%len(data)] ^= v
		}
		Open(data)
	})
}

// TestXXH32 compares with what xxhsum -H32 says of the bytes 0 to 15, and 0 to 31.
func TestXXH32(t *testing.T) {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(i)
	}
	if a, c := slot.Sum(b[:16]), slot.Sum(b); a != 0xb72837f4 || c != 0x830741c1 {
		t.Errorf("%#x, %#x", a, c)
	}
}
