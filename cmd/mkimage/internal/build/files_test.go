package build

import (
	"archive/zip"
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
