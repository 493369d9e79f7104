package cffs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// folders is a volume of some folders of files, and a file of several names and many extents.
func folders(t testing.TB) *block.Memory {
	d := formatted(t, 2*minBlocks)
	f := mount(t, d, manual)
	tr := treeOf(f)
	do := func(x op) {
		t.Helper()
		if e := x.do(tr); e != 0 {
			t.Fatal(x, e)
		}
	}
	for i := range 4 {
		do(op{kind: "mkdir", a: fmt.Sprint("d", i)})
		for j := range 40 {
			do(op{kind: "write", a: fmt.Sprintf("d%d/f%d", i, j), n: 300, fill: byte(j)})
		}
		do(op{kind: "sync"})
	}
	do(op{kind: "mkdir", a: "d0/in"})
	do(op{kind: "write", a: "d0/in/deep", n: 5000})
	do(op{kind: "link", a: "d0/in/deep", b: "deep link"})
	for i := range int64(230) { // a block, a hole, and so on
		do(op{kind: "write", a: "holes", off: 2 * i * BlockSize, n: 2000, fill: byte(i)})
	}
	for i := range 14 { // in several leaves
		do(op{kind: "setxattr", a: "d1/f1", b: fmt.Sprint("x", i), n: 2000 + 100*(i%2)})
	}
	do(op{kind: "symlink", a: "l", n: 900})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, d)
	return d
}

// A heldNode is a node of a volume's tree, as a test finds it.
type heldNode struct {
	addr  uint64
	level byte
	first []byte
	ends  []byte // the last key of a leaf
}

// nodesOf are all nodes of a volume's tree.
func nodesOf(t testing.TB, d block.Device) (list []heldNode) {
	f := mount(t, d, Options{ReadOnly: true})
	var walk func(r *ref, level int)
	walk = func(r *ref, level int) {
		n, err := f.t.load(r, level)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, heldNode{r.addr, n.level, n.keys[0], n.keys[len(n.keys)-1]})
		for _, k := range n.kids {
			walk(k, int(n.level)-1)
		}
	}
	walk(f.t.root, -1)
	return list
}

// placeOf is where a block of a file lies on a volume.
func placeOf(t testing.TB, d block.Device, name string, i uint64) uint64 {
	f := mount(t, d, Options{ReadOnly: true})
	tr := treeOf(f)
	root := tr.Root()
	defer root.Drop()
	p, e := tr.Resolve(root, name, 0)
	if e != 0 {
		t.Fatal(name, e)
	}
	defer p.Drop()
	x, err := f.extentAt(p.Node.(*File).rec.ino, i)
	if err != nil || x == nil || x.first() > i {
		t.Fatal(name, i, err)
	}
	return x.block + i - x.first()
}

// TestExplained damages data and each leaf of a volume: a check says of which paths which bytes are lost, and of which folders names are.
func TestExplained(t *testing.T) {
	good := folders(t)
	flip := func(at uint64) *Report {
		d := block.NewMemory(slices.Clone(good.Bytes()))
		d.Bytes()[at*BlockSize+200] ^= 4
		r, err := Check(d, true)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		name string
		i    uint64
		want string
	}{
		{"d0/in/deep", 1, `bytes 4096 to 4999 of "/deep link" and /d0/in/deep (inode `},
		{"d2/f7", 0, "bytes 0 to 299 of /d2/f7 (inode "},
		{"holes", 6, "bytes 24576 to 28671 of /holes (inode "},
	} {
		r := flip(placeOf(t, good, c.name, c.i))
		if len(r.Problems) != 1 || !strings.HasPrefix(r.Problems[0].What, c.want) && !strings.HasPrefix(r.Problems[0].What, strings.Replace(c.want, `"/deep link" and /d0/in/deep`, `/d0/in/deep and "/deep link"`, 1)) || !strings.Contains(r.Problems[0].What, "wrong sum") {
			t.Errorf("%s: %v", c.name, r.Problems)
		}
	}
	leaves := 0
	for _, n := range nodesOf(t, good) {
		r := flip(n.addr)
		if len(r.Problems) == 0 || !r.Problems[0].Loss {
			t.Errorf("block %d: %v", n.addr, r.Problems)
			continue
		}
		what := r.Problems[0].What
		if n.level > 0 {
			if !strings.Contains(what, "out of reach are ") {
				t.Errorf("block %d: %s", n.addr, what)
			}
			continue
		}
		leaves++
		want := "names in /"
		if n.first[8] == kindExtent && n.ends[8] == kindExtent && string(n.first[:8]) == string(n.ends[:8]) {
			want = fmt.Sprint(" of /holes (inode ", be.Uint64(n.first), ")")
		} else if !slices.ContainsFunc([]byte{n.first[8], n.ends[8]}, func(k byte) bool { return k == kindEntry }) {
			want = ""
		}
		if t.Log(what); !strings.Contains(what, want) || !strings.Contains(what, fmt.Sprint("block ", n.addr)) {
			t.Errorf("block %d: %q is not in %q", n.addr, want, what)
		}
	}
	if leaves < 10 {
		t.Errorf("only %d leaves", leaves)
	}
}
