package build

import (
	"archive/zip"
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// someFiles are files of many sizes, of numbers without a pattern and of text, in a folder.
func someFiles(t *testing.T) (list []File) {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 40 {
		b := make([]byte, r.IntN(12*mappable>>r.IntN(8)))
		for k := range b {
			if b[k] = byte(k); i%2 == 0 {
				b[k] = byte(r.Uint32())
			}
		}
		if err := os.WriteFile(filepath.Join(dir, strings.Repeat("x", 1+i)), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list, err := AddTree(nil, dir, "/srv")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCovered: a file that something else would be mounted over is refused, with what that is. A folder to mount on is not.
func TestCovered(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"dev/null", "srv/f/x", "proc", "device/a"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		host, guest string
		s           config.Settings
		want        string
	}{
		{"dev", "/dev", config.Settings{}, "would be /dev/null, and never be seen: the image has a /dev of its own"},
		{"", "/", config.Settings{}, "would be /dev/null,"},
		{"proc", "/proc", config.Settings{}, ""},
		{"device", "/device", config.Settings{}, ""},
		{"srv", "/", config.Settings{Disks: []string{"d.img:/f"}}, "would be /f/x, and never be seen: a volume is mounted at /f"},
		{"srv", "/", config.Settings{Mounts: []string{"label=f:/f/"}}, "a volume is mounted at /f"},
		{"srv", "/", config.Settings{Disks: []string{"d.img:/f/x"}}, ""},
		{"srv", "/", config.Settings{Disks: []string{"d.img:/f2"}}, ""},
	} {
		list, err := AddTree(nil, filepath.Join(dir, c.host), c.guest)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := covered(list, c.s); err != nil {
			got = err.Error()
		}
		if got != "" != (c.want != "") || !strings.Contains(got, c.want) {
			t.Errorf("%s at %s: %q, want %q", c.host, c.guest, got, c.want)
		}
	}
}

// TestSizes: files that have more bytes than an image takes are refused before any is read, with the name and the size of the largest. One with holes has as many as any other, and a file that another one takes
// the place of has none.
func TestSizes(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int64{"vol.img": mostOnDisk + 1, "half": mostInProgram / 2, "none": 0} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
			t.Skip("this filesystem has no such files:", err)
		}
	}
	list, err := AddTree(nil, dir, "/")
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "vol.img") + " has 4096:"
	if _, err := (&Context{}).archive(list); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "more than 2048 MiB") {
		t.Errorf("into the program: %v; want %q", err, want)
	}
	if _, err := (&Context{}).index(list, &Place{}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "more than 4096 MiB") {
		t.Errorf("on the disk: %v; want %q", err, want)
	}
	half := list[slices.IndexFunc(list, func(f File) bool { return f.Guest == "half" })]
	many := make([]File, 3)
	for i := range many {
		many[i] = half
		many[i].Guest = strings.Repeat("x", 1+i)
	}
	if err := checkSizes(many, mostInProgram); err == nil || !strings.Contains(err.Error(), half.Host+" has 1024:") {
		t.Errorf("three files of 1 GiB: %v", err)
	}
	if err := checkSizes(many[:2], mostInProgram); err != nil {
		t.Error("two files of 1 GiB:", err)
	}
	if err := checkSizes(lastOf(append(many, many...))[:2], mostInProgram); err != nil {
		t.Error("two files of 1 GiB, twice:", err)
	}
}

// TestPackingMemory: what is packed is in memory once, in the archive, and to see whether it shrinks it is not there at all.
func TestPackingMemory(t *testing.T) {
	const size = 32<<20 + 100
	name := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(name, make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := AddTree(nil, name, "/large")
	if err != nil {
		t.Fatal(err)
	}
	allocated := func(f func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if n := allocated(func() {
		if shrinks, err := list[0].shrinks(); !shrinks || err != nil {
			t.Error("zeroes do not shrink:", err)
		}
	}); n > 4<<20 {
		t.Errorf("%d bytes are allocated to see whether a file of %d shrinks", n, size)
	}
	if n := allocated(func() {
		x, blocks, err := cut(list)
		if err != nil || x.Members < size || len(blocks) < size {
			t.Errorf("%d bytes in %d of blocks: %v", x.Members, len(blocks), err)
		}
	}); n > size+4<<20 {
		t.Errorf("%d bytes are allocated to pack a file of %d", n, size)
	}
}

// TestMappable: large files begin with a page of the blocks and end with zeroes; what is in the image of them does not become larger for it.
func TestMappable(t *testing.T) {
	files := someFiles(t)
	out, members, err := zipped(files, true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(out), int64(len(out)))
	if err != nil {
		t.Fatal(err)
	}
	names, large := 0, 0
	for _, f := range r.File {
		names += len(f.Name)
		at, err := f.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		size := int64(f.UncompressedSize64)
		if size < mappable {
			continue
		}
		large++
		if end := at + size; at%pages.Size != 0 || len(bytes.Trim(out[end:end+(-end&(pages.Size-1))], "\x00")) > 0 {
			t.Errorf("%s: %d bytes at %d", f.Name, size, at)
		}
	}
	if large < 8 || large > 30 {
		t.Errorf("%d files are large", large)
	}
	if n := len(out) - members; n > names+60*len(files)+100 {
		t.Errorf("%d bytes of directory for %d files, whose names are %d", n, len(files), names)
	}
}
