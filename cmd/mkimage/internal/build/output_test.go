package build

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// anImage is an ELF file that disks can be made of.
func anImage() []byte {
	b, le := make([]byte, 0x3000), binary.LittleEndian
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	for at, v := range map[int]int{16: int(elf.ET_EXEC), 18: int(elf.EM_X86_64), 20: 1, 32: 64, 52: 64, 54: 56, 56: 2} {
		le.PutUint16(b[at:], uint16(v))
	}
	for i, l := range [][3]uint64{{0x400, 1 << 20, 0x900}, {0x1000, format.HighBase, 0x2000}} {
		h := b[64+56*i:]
		le.PutUint32(h, uint32(elf.PT_LOAD))
		for at, v := range map[int]uint64{8: l[0], 16: l[1], 24: l[1], 32: l[2], 40: l[2]} {
			le.PutUint64(h[at:], v)
		}
	}
	return b
}

// build writes anImage as a file in a format that --format and the suffix say.
func build(t *testing.T, file, as string, r Recipe, src format.Source) error {
	t.Helper()
	f, err := format.Find(as, file)
	if err != nil {
		t.Fatal(err)
	}
	r.Format, src.ELF, src.Name = f, anImage(), "app"
	r.Slot, r.Data = src.Slot, src.Data
	_, err = r.output(file, src)
	return err
}

// refused wants an error of one line, and the file as it was.
func refused(t *testing.T, file, want string, do func() error) {
	t.Helper()
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := do(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %v; want %s", filepath.Base(file), err, want)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("%s has changed: %v", filepath.Base(file), err)
	}
}

// TestDisksAreKept: nothing writes over a disk with a data partition, or with another slot, that it would not keep.
func TestDisksAreKept(t *testing.T) {
	const stays = " is a disk with a data partition, which only format raw keeps"
	data, none := format.Source{Data: 1 << 20}, format.Source{}
	for _, c := range []struct {
		file, first, as string
		made, again     format.Source
		want            string
	}{
		{"a.qcow2", "", "", data, data, stays},
		{"a", "qcow2", "raw", data, none, stays},
		{"a.vdi", "", "", data, none, stays},
		{"a", "vhd", "raw", data, data, stays},
		{"a", "raw", "qcow2", data, none, stays},
		{"a", "raw", "", data, none, stays},
		{"a.qcow2", "", "", format.Source{Slot: "A"}, format.Source{Slot: "B"}, " is there already: only a raw disk keeps its other slot"},
	} {
		file := filepath.Join(t.TempDir(), c.file)
		if err := build(t, file, c.first, Recipe{}, c.made); err != nil {
			t.Fatal(err)
		}
		refused(t, file, c.file+c.want, func() error { return build(t, file, c.as, Recipe{}, c.again) })
	}
	for _, first := range []string{"qcow2", "raw"} {
		file := filepath.Join(t.TempDir(), "b")
		for _, as := range []string{first, first, "elf", first} { // nothing is in it that would be lost
			if err := build(t, file, as, Recipe{}, none); err != nil {
				t.Errorf("%s, then %s: %v", first, as, err)
			}
		}
	}
}

// TestOutputIsAFolder: nothing takes the place of a folder, of whatever format.
func TestOutputIsAFolder(t *testing.T) {
	for _, f := range format.Formats {
		dir := filepath.Join(t.TempDir(), "x"+f.Suffixes[0])
		if err := os.MkdirAll(filepath.Join(dir, "in"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := build(t, dir, "", Recipe{}, format.Source{}); err == nil || err.Error() != dir+" is not a regular file: an image cannot be written there" {
			t.Errorf("%s: %v", f.Name, err)
		}
		if list, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(list) != 1 || !list[0].IsDir() {
			t.Errorf("%s: %v, %v", f.Name, list, err)
		}
	}
}

// TestNowhere: an image is tried without the room that it would take.
func TestNowhere(t *testing.T) {
	if err := build(t, os.DevNull, format.Raw, Recipe{}, format.Source{Data: 1 << 42}); err != nil {
		t.Error(err)
	}
	if err := build(t, os.DevNull, format.Raw, Recipe{}, format.Source{Data: 1 << 50}); err == nil {
		t.Error("a data partition of 1 PiB")
	}
}

// TestInUse: a raw disk that a machine has is not written to.
func TestInUse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has QEMU's locks")
	}
	file := filepath.Join(t.TempDir(), "d.img")
	if err := build(t, file, "", Recipe{}, format.Source{Slot: "A", Data: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	d, err := block.OpenFile(file, false) // locks as QEMU does
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range []format.Source{{Slot: "B"}, {}} {
		refused(t, file, "in use", func() error { return build(t, file, "", Recipe{}, src) })
	}
	d.Close()
	if err := build(t, file, "", Recipe{}, format.Source{Slot: "B"}); err != nil {
		t.Error(err)
	}
}
