package rom

import (
	"io/fs"
	"syscall"
	"testing"
	"testing/fstest"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// TestSealed: files, folders and links are there, and nothing changes them.
func TestSealed(t *testing.T) {
	tree := core.NewTree("rom", New(fstest.MapFS{"d/f": {Data: []byte("text"), Mode: 0o640}, "l": {Data: []byte("d/f"), Mode: fs.ModeSymlink}}))
	root := tree.Root()
	p, e := tree.Resolve(root, "l", 0)
	if e != 0 {
		t.Fatal(e)
	}
	f := p.Node.(core.File)
	read := func() {
		t.Helper()
		b := make([]byte, 10)
		if n, e := f.ReadAt(b, 0); n != 4 || string(b[:n]) != "text" || e != 0 || p.Attr().Mode != syscall.S_IFREG|0o640 {
			t.Errorf("%q, %v, %+v", b[:max(n, 0)], e, p.Attr())
		}
	}
	read()
	_, write := tree.Open(root, "d/f", syscall.O_WRONLY, 0, 0)
	_, create := tree.Open(root, "new", syscall.O_RDWR|syscall.O_CREAT, 0o644, 0)
	for what, e := range map[string]core.Errno{
		"write":  write,
		"create": create,
		"mkdir":  tree.Mkdir(root, "new", 0o755),
		"rmdir":  tree.Rmdir(root, "d"),
		"unlink": tree.Unlink(root, "d/f"),
		"rename": tree.Rename(root, "d/f", root, "f", 0),
	} {
		if e != syscall.EROFS {
			t.Errorf("%s: %v", what, e)
		}
	}
	read()
}

// broken cannot be read.
type broken struct{}

func (broken) Open(name string) (fs.File, error) { return nil, fs.ErrPermission }

// TestBroken: what the io/fs.FS cannot give is EIO.
func TestBroken(t *testing.T) {
	tree := core.NewTree("rom", New(broken{}))
	if _, e := tree.Resolve(tree.Root(), "f", 0); e != syscall.EIO {
		t.Error(e)
	}
}
