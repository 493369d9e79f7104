package format

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
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
		for _, at := range []uint32{0x18, 0x40, 0x158, 0x200, 1024 + 32, 34*512 + biosFields} {
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
	if a, c := xxh32(b[:16]), xxh32(b); a != 0xb72837f4 || c != 0x830741c1 {
		t.Errorf("%#x, %#x", a, c)
	}
}
