package build

import (
	"archive/zip"
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
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
