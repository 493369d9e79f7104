package mem

import (
	"flag"
	"fmt"
	"strings"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

var entries = flag.Int("entries", 20_000, "how many names TestManyNames puts into one folder")

// TestManyNames puts many names into one folder, among them long ones and such as are no UTF-8, lists them in pieces while others go, and has all go.
func TestManyNames(t *testing.T) {
	n := *entries
	m := New(Options{})
	name := func(i int) string {
		switch i % 3 {
		case 0:
			return fmt.Sprint(i)
		case 1:
			return fmt.Sprintf("\xff\xfe%d", i)
		}
		return fmt.Sprintf("%0255d", i)
	}
	for i := range n {
		x, e := m.root.Create(name(i), syscall.S_IFREG|0o600, 0)
		if e != 0 {
			t.Fatal(i, e)
		}
		x.Unref()
	}
	seen := map[string]bool{}
	last, gone := uint64(0), 0
	for more := true; more; gone++ {
		more = false
		k := 0
		m.root.ReadDir(last, func(e *core.Entry) bool {
			if e.Cookie <= last || seen[e.Name] {
				t.Fatal(e)
			}
			seen[e.Name], last, more = true, e.Cookie, true
			k++
			return k < 1000
		})
		if e := m.root.Unlink(name(gone)); e != 0 { // it was listed
			t.Fatal(gone, e)
		}
	}
	if len(seen) != n {
		t.Errorf("%d names of %d", len(seen), n)
	}
	for i := gone; i < n; i++ {
		x, e := m.root.Lookup(name(i))
		if e != 0 {
			t.Fatal(i, e)
		}
		x.Unref()
		if e := m.root.Unlink(name(i)); e != 0 {
			t.Fatal(i, e)
		}
	}
	if m.inodes.Load() != 0 || len(m.root.list) > 100 {
		t.Errorf("%d inodes are in use, and a list of %d", m.inodes.Load(), len(m.root.list))
	}
}

// TestLongNames: 255 bytes of any kind are a name, 256 are none, and paths end at 4096.
func TestLongNames(t *testing.T) {
	tree := core.NewTree("tmpfs", New(Options{}))
	root := tree.Root()
	defer root.Drop()
	path := ""
	for _, s := range []string{"a", "\xff", "ä", "\x01", "\\"} {
		path += strings.Repeat(s, 255/len(s)) + "/"
		if e := tree.Mkdir(root, path, 0o755); e != 0 {
			t.Fatalf("%q: %v", s, e)
		}
	}
	for name, want := range map[string]core.Errno{
		strings.Repeat("x", 256): syscall.ENAMETOOLONG, strings.Repeat("./", 2047) + "p": 0, strings.Repeat("./", 2047) + "qq": syscall.ENAMETOOLONG,
	} {
		if e := tree.Mkdir(root, name, 0o755); e != want {
			t.Errorf("%d bytes: %v, want %v", len(name), e, want)
		}
	}
}

// TestResize: a limit can be changed to what holds what is there, and counts from then on.
func TestResize(t *testing.T) {
	f := New(Options{Limit: 8 * pageSize})
	n, e := f.Root().Create("f", syscall.S_IFREG|0o600, 0)
	if e != 0 {
		t.Fatal(e)
	}
	x := n.(core.File)
	write := func(page int64, want core.Errno) {
		t.Helper()
		if _, _, e := x.WriteAt(make([]byte, pageSize), page*pageSize); e != want {
			t.Errorf("page %d: %v, want %v", page, e, want)
		}
	}
	for i := range int64(8) {
		write(i, 0)
	}
	write(8, syscall.ENOSPC)
	for _, bad := range []int64{-1, 1, 8*pageSize - 1} {
		if e := f.Resize(bad); e != syscall.EINVAL {
			t.Errorf("%d bytes: %v", bad, e)
		}
	}
	write(8, syscall.ENOSPC)
	var s core.Statfs
	if e := f.Resize(9 * pageSize); e != 0 {
		t.Error(e)
	}
	if f.Statfs(&s); s.Blocks != 9 || s.Free != 1 {
		t.Errorf("%+v", s)
	}
	write(8, 0)
	write(9, syscall.ENOSPC)
	if e := f.Resize(0); e != 0 {
		t.Error(e)
	}
	write(9, 0)
}
