package format

import (
	"bytes"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/cffs"
)

// broken is a Device in memory that fails a write, of which it does half.
type broken struct {
	memory
	left int // writes until then
}

var errBroken = errors.New("broken")

func (b *broken) WriteAt(p []byte, off int64) (int, error) {
	if b.left--; b.left < 0 {
		b.memory.WriteAt(p[:len(p)/2], off)
		return len(p) / 2, errBroken
	}
	return b.memory.WriteAt(p, off)
}

// TestRewrite writes images over a disk with a data partition, and breaks off at each write: the partition and what is in it are there all the time.
func TestRewrite(t *testing.T) {
	s := source()
	s.Data = 3 << 20
	disk, err := raw(s)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(disk)
	if err != nil || len(f.Partitions) != 3 {
		t.Fatalf("%v, %+v", err, f)
	}
	data := f.Partitions[2]
	if data.Name != "data" || data.Kind != kindData || data.First != dataAlign/sector || data.Size != 3<<20/sector {
		t.Fatalf("%+v", data)
	}
	inside := disk[data.First*sector:][:data.Size*sector]
	for i := range inside {
		inside[i] = byte(i * 7)
	}
	want := bytes.Clone(inside)
	for _, next := range []Source{{ELF: bytes.Clone(s.ELF), Name: "next"}, {ELF: bytes.Clone(s.ELF), Name: "slots", Slot: "A"}, {ELF: bytes.Clone(s.ELF), Name: "again", Data: 1 << 30}} {
		next.ELF[0x2000]++
		for left := 0; ; left++ {
			d := &broken{bytes.Clone(disk), left}
			err := Rewrite(d, int64(len(disk)), next)
			if !bytes.Equal(d.memory[data.First*sector:][:len(want)], want) {
				t.Fatal("what is in the data partition has changed")
			}
			got, e := dataPartition(d.memory, int64(len(disk)))
			if got == nil || got.first != data.First || got.size != data.Size {
				t.Fatalf("broken off at write %d: %+v, %v", left, got, e)
			}
			if err == nil {
				f, err := Open(d.memory)
				if err != nil || !bytes.Equal(f.ELF, next.ELF) || (next.Slot != "") != (len(f.Slots) > 0) {
					t.Fatal(err)
				}
				break
			}
			if err != errBroken {
				t.Fatal(err)
			}
		}
	}
	before := bytes.Clone(disk)
	large := Source{ELF: imageOf(70<<20, load{0x400, 1 << 20, 0x900}, load{0x1000, HighBase, 70<<20 - 0x1000})}
	if err := Rewrite(memory(disk), int64(len(disk)), large); err == nil || !strings.Contains(err.Error(), "the data partition begins at 65536 KiB") || !bytes.Equal(before, disk) {
		t.Errorf("an image that reaches into the data partition: %v", err)
	}
	other := make([]byte, 2<<20)
	if err := Rewrite(memory(other), int64(len(other)), s); err == nil || !bytes.Equal(other, make([]byte, 2<<20)) {
		t.Errorf("a disk that is too small: %v", err)
	}
}

// TestNotRewritten: a disk whose data partition only the table's copy names, and one with partitions of others, is left as it is.
func TestNotRewritten(t *testing.T) {
	s := source()
	s.Data = 1 << 20
	disk, err := raw(s)
	if err != nil {
		t.Fatal(err)
	}
	other := func(b []byte) { // a fourth partition, in a whole table
		e := b[2*sector:]
		copy(e[3*gptEntrySize:], e[2*gptEntrySize:3*gptEntrySize])
		e[3*gptEntrySize]++
		h := b[sector:]
		le.PutUint32(h[88:], crc32.ChecksumIEEE(e[:gptTable*sector]))
		le.PutUint32(h[16:], 0)
		le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
	}
	for want, damage := range map[string]func(b []byte){
		"the copy at the end names a data partition":    func(b []byte) { clear(b[:gptFirst*sector]) },
		"the copy at the end names a data partition: ":  func(b []byte) { b[sector] = 0 },
		"the copy at the end names a data partition: m": func(b []byte) { clear(b[2*sector+2*gptEntrySize:][:gptEntrySize]) },
		`a partition "data" beside the data partition`:  other,
	} {
		b := bytes.Clone(disk)
		damage(b)
		was := bytes.Clone(b)
		if err := Rewrite(memory(b), int64(len(b)), source()); err == nil || !strings.Contains(err.Error(), want) || !bytes.Equal(was, b) {
			t.Errorf("want %s: %v", want, err)
		}
		if in, err := DataIn(bytes.NewReader(b), int64(len(b))); err == nil {
			t.Errorf("want %s: taken for %q", want, in)
		}
	}
}

// TestFreshData: no volume that lay where a new data partition lies is found in it.
func TestFreshData(t *testing.T) {
	for _, n := range []int64{3 << 20, 160 << 20} {
		s := source()
		s.Data = n
		disk := make([]byte, dataAlign+n+1<<20)
		part := disk[dataAlign:][:n]
		if err := cffs.Format(block.NewMemory(part), cffs.FormatOptions{UUID: [16]byte{1}, Now: time.Now}); err != nil {
			t.Fatal(err)
		}
		if err := Rewrite(memory(disk), int64(len(disk)), s); err != nil {
			t.Fatal(err)
		}
		if err := cffs.Format(block.NewMemory(part), cffs.FormatOptions{UUID: [16]byte{1}, Now: time.Now}); err != nil {
			t.Errorf("a volume of %d MiB is still there: %v", n>>20, err)
		}
	}
}

// TestWriteNew: the file is what Make returns.
func TestWriteNew(t *testing.T) {
	for _, s := range []Source{{Data: 5 << 20}, {Slot: "A"}, {Slot: "B", Files: make([]byte, 3<<20), FilesID: [16]byte{1}}, {}} {
		s.ELF, s.Name = source().ELF, "app"
		want, err := raw(s)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "d")
		f, err := os.Create(name)
		if err == nil {
			err = errors.Join(WriteNew(s, f), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%+v: the file differs, %v", s.Data, err)
		}
	}
}

// TestLargeData: what a large data partition costs is tables, and one that is too large for a format is refused.
func TestLargeData(t *testing.T) {
	s := source()
	for _, f := range Formats {
		if !f.Disk || f.Name == Raw {
			continue
		}
		if s.Data = 1 << 40; f.Name == "vhd" {
			s.Data = 3 << 30
		}
		if _, err := f.Make(s); err == nil || !strings.Contains(err.Error(), f.Name+" has room for a data partition of ") {
			t.Errorf("%s, too large: %v", f.Name, err)
		}
		if f.Name == "vhd" { // is written whole
			continue
		}
		s.Data = 128 << 30
		out, err := f.Make(s)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		got, err := Open(out)
		if err != nil || !bytes.Equal(got.ELF, s.ELF) || got.Size < s.Data || got.Size > s.Data+2<<30 || len(got.Partitions) != 3 || got.Partitions[2].Size*sector != s.Data {
			t.Errorf("%s: %v, %+v", f.Name, err, got)
		}
		if in, err := DataIn(bytes.NewReader(out), int64(len(out))); err != nil || (in != "") != (f.Name == "qcow2" || f.Name == "vdi") {
			t.Errorf("%s is taken for %q, %v", f.Name, in, err)
		}
	}
}
