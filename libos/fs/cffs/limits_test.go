package cffs

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// checked has Check look at all of a device.
func checked(t *testing.T, d block.Device) {
	t.Helper()
	r, err := Check(d, true)
	if err != nil || len(r.Problems) > 0 {
		t.Fatal(err, r.Problems)
	}
}

// TestLongNames: 255 bytes of any kind are a name, 256 are none, and paths end at 4096.
func TestLongNames(t *testing.T) {
	d := formatted(t, 1024)
	f := mount(t, d, manual)
	tree := treeOf(f)
	root := tree.Root()
	var all []string
	for _, s := range []string{"a", "\xff", "ä", "\x01", "\\"} {
		all = append(all, strings.Repeat(s, 255/len(s)))
	}
	path := ""
	for _, n := range all {
		path += n + "/"
		if e := tree.Mkdir(root, path, 0o755); e != 0 {
			t.Fatalf("%q: %v", n, e)
		}
	}
	if e := tree.Mkdir(root, strings.Repeat("x", 256), 0o755); e != syscall.ENAMETOOLONG {
		t.Error(e)
	}
	if e := tree.Mkdir(root, strings.Repeat("./", 2047)+"p", 0o755); e != 0 {
		t.Error(e)
	}
	if e := tree.Mkdir(root, strings.Repeat("./", 2047)+"qq", 0o755); e != syscall.ENAMETOOLONG {
		t.Error(e)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	checked(t, d)
	tree = treeOf(mount(t, d, manual))
	p, e := tree.Resolve(tree.Root(), path, 0)
	if e != 0 {
		t.Fatal(e)
	}
	p.Drop()
}

// TestHugeFile has a file of 16 TiB with a few bytes at its ends and in its middle, on a volume of 4 MiB.
func TestHugeFile(t *testing.T) {
	const size = 16 << 40
	d := formatted(t, 1024)
	f := mount(t, d, manual)
	n, e := f.Root().Create("huge", syscall.S_IFREG|0o644, 0)
	if e != 0 {
		t.Fatal(e)
	}
	text := []byte("some bytes across a page")
	at := []int64{0, size/2 - 10, size - int64(len(text))}
	for _, off := range at {
		if k, _, e := n.(core.File).WriteAt(text, off); k != len(text) || e != 0 {
			t.Fatal(off, k, e)
		}
	}
	n.Unref()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	checked(t, d)
	f = mount(t, d, manual)
	if n, e = f.Root().Lookup("huge"); e != 0 {
		t.Fatal(e)
	}
	if a := n.Attr(); a.Size != size || a.Blocks > 100 {
		t.Errorf("%+v", a)
	}
	b := make([]byte, len(text))
	for _, off := range at {
		if k, e := n.(core.File).ReadAt(b, off); k != len(b) || e != 0 || !bytes.Equal(b, text) {
			t.Errorf("%d: %d %v %q", off, k, e, b)
		}
	}
	if k, e := n.(core.File).ReadAt(b, size/4); k != len(b) || e != 0 || !bytes.Equal(b, make([]byte, len(b))) {
		t.Errorf("a hole: %d %v %q", k, e, b)
	}
	if off, e := n.(core.Sparse).SeekData(1<<20, false); e != 0 || off > at[1] || off < at[1]-BlockSize {
		t.Errorf("data begin at %d, %v", off, e)
	}
	if e := n.(core.File).Truncate(1 << 40); e != 0 {
		t.Error(e)
	}
	n.Unref()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	checked(t, d)
}
