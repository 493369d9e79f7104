package cffs

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// TestTornDirectory damages each leaf of a volume in turn: a directory gives all names that lie elsewhere, then EIO, whether it is read at once or name by name; those that nothing hit give no error.
func TestTornDirectory(t *testing.T) {
	good := folders(t)
	list := func(d block.Device, dir string, step int) (names []string, e core.Errno) {
		f, err := Mount(d, Options{ReadOnly: true})
		if err != nil { // the leaf has the root's record
			return nil, syscall.ENXIO
		}
		tr := treeOf(f)
		root := tr.Root()
		defer root.Drop()
		p, e := tr.Resolve(root, dir, 0)
		if e != 0 {
			return nil, e
		}
		defer p.Drop()
		for last, more := uint64(0), true; more && e == 0; {
			more = false
			k := 0
			e = p.Node.(core.Dir).ReadDir(last, func(en *core.Entry) bool {
				if k == step {
					more = true
					return false
				}
				k++
				names, last = append(names, en.Name), en.Cookie
				return true
			})
		}
		return names, e
	}
	torn, some := 0, 0
	for _, n := range nodesOf(t, good) {
		if n.level > 0 {
			continue
		}
		d := block.NewMemory(slices.Clone(good.Bytes()))
		d.Bytes()[n.addr*BlockSize+1000] ^= 1
		for i, dir := range []string{"d0", "d1", "d2", "d3"} {
			all, e := list(good, dir, 1<<30)
			if e != 0 {
				t.Fatal(dir, e)
			}
			got, e := list(d, dir, 1<<30)
			one, e2 := list(d, dir, 1)
			if e2 != e || !slices.Equal(got, one) {
				t.Errorf("%s: %d names, %v, and one by one %d, %v", dir, len(got), e, len(one), e2)
			}
			switch {
			case e == 0 && len(got) != len(all):
				t.Errorf("leaf at %d, %s: %d names of %d, and no error", n.addr, dir, len(got), len(all))
			case e == syscall.EIO && len(got) == len(all):
				t.Errorf("leaf at %d, %s (%d): all names, and an error", n.addr, dir, i)
			case e == syscall.EIO:
				torn++
				some += len(got)
			}
			for _, name := range got {
				if !slices.Contains(all, name) {
					t.Errorf("%s: %q", dir, name)
				}
			}
		}
	}
	if torn < 8 || some < 100 {
		t.Errorf("%d directories were hit, and gave %d names", torn, some)
	}
}

// TestTornByTwo has two list one damaged directory: the first has come by the bad node when the second begins, and gets the error nevertheless.
func TestTornByTwo(t *testing.T) {
	t.Parallel()
	good := formatted(t, 2*minBlocks)
	f := mount(t, good, manual)
	tree := treeOf(f)
	do := func(x op) {
		if e := x.do(tree); e != 0 {
			t.Fatal(x, e)
		}
	}
	do(op{kind: "mkdir", a: "d"})
	for i := range 200 {
		do(op{kind: "create", a: fmt.Sprint("d/f", i)})
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, n := range nodesOf(t, good) {
		if n.level > 0 {
			continue
		}
		d := block.NewMemory(slices.Clone(good.Bytes()))
		d.Bytes()[n.addr*BlockSize+1000] ^= 1
		f, err := Mount(d, Options{ReadOnly: true})
		if err != nil {
			continue
		}
		x, e := f.Root().Lookup("d")
		if e != 0 {
			continue
		}
		dir := x.(core.Dir)
		var cookies []uint64
		if e := dir.ReadDir(0, func(x *core.Entry) bool { cookies = append(cookies, x.Cookie); return true }); e != syscall.EIO || len(cookies) < 3 {
			continue
		}
		tried++
		dir.ReadDir(0, func(x *core.Entry) bool { return x.Cookie != cookies[len(cookies)-1] })
		dir.ReadDir(0, func(*core.Entry) bool { return false })
		if e := dir.ReadDir(cookies[len(cookies)-2], func(*core.Entry) bool { return true }); e != syscall.EIO {
			t.Errorf("without the leaf at %d: %d names, and %v", n.addr, len(cookies), e)
		}
	}
	if tried < 3 {
		t.Errorf("%d leaves were tried", tried)
	}
}
