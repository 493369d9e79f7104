package cffs

import (
	"flag"
	"math/rand/v2"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

var operations = flag.Int("operations", 20_000, "how many operations the random tester does")

// names are what random operations are about: few, so that they meet.
var names = []string{"a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a", "f", "f/a", "a/x", "missing/x"}

var kinds = []string{"create", "write", "write", "write", "append", "append", "truncate", "punch", "allocate", "zero", "fsync", "fdatasync", "sync", "mkdir", "mkdir", "rmdir", "unlink", "rename", "rename", "exchange",
	"symlink", "link", "chmod", "setxattr", "rmxattr"}

func randomOp(r *rand.Rand, most int64) op {
	o := op{kind: kinds[r.IntN(len(kinds))], a: names[r.IntN(len(names))], b: names[r.IntN(len(names))], fill: byte(r.IntN(26))}
	o.off = r.Int64N(most)
	o.n = 1 + r.IntN(3*BlockSize)
	if r.IntN(3) == 0 {
		o.off &^= BlockSize - 1
		o.n = BlockSize * (1 + r.IntN(3))
	}
	if o.kind == "symlink" {
		o.n = r.IntN(1000)
	}
	if o.kind == "setxattr" || o.kind == "rmxattr" {
		o.b = o.b[:1]
		o.n = r.IntN(2000)
	}
	return o
}

// check holds a volume that is not mounted to its rules.
func check(t testing.TB, d block.Device) {
	t.Helper()
	r, err := Check(d, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range r.Problems {
		if t.Error(p); i > 10 {
			break
		}
	}
}

// TestAgainstMemory does random things to a volume and to a filesystem in memory: they agree about all that can be seen, now and after mounting anew.
func TestAgainstMemory(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := formatted(t, 8192)
		o := manual
		o.Dirty = 64 << 10
		if seed == 1 {
			o = Options{} // all as it is by itself
		}
		f := mount(t, d, o)
		mine, want := treeOf(f), oracle()
		for i := range *operations / 4 {
			x := randomOp(r, 40*BlockSize)
			got, right := x.do(mine), x.do(want)
			if got != right {
				t.Fatalf("seed %d, operation %d: %v: %v, and in memory %v", seed, i, x, got, right)
			}
			if i%50 == 0 || i == *operations/4-1 {
				if a, b := dump(mine), dump(want); a != b {
					t.Fatalf("seed %d, operation %d: %v: volume:\n%s\nmemory:\n%s", seed, i, x, a, b)
				}
			}
			if i%997 == 0 {
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				check(t, d)
				f = mount(t, d, o)
				mine = treeOf(f)
				if a, b := dump(mine), dump(want); a != b {
					t.Fatalf("seed %d, operation %d, mounted anew: volume:\n%s\nmemory:\n%s", seed, i, a, b)
				}
			}
			if t.Failed() {
				t.Fatalf("seed %d, operation %d: %v", seed, i, x)
			}
		}
		f.Close()
		check(t, d)
	}
}

// TestSpaceComesBack removes all again.
func TestSpaceComesBack(t *testing.T) {
	d := formatted(t, 2048)
	f := mount(t, d, manual)
	var before, after core.Statfs
	f.Sync()
	f.Statfs(&before)
	tr := treeOf(f)
	for range 5 {
		for i := range 300 {
			name := string(rune('a'+i%26)) + string(rune('a'+i/26))
			if e := (op{kind: "write", a: name, n: 9000}).do(tr); e != 0 && e != 28 {
				t.Fatal(e)
			}
		}
		f.Sync()
		for i := range 300 {
			name := string(rune('a'+i%26)) + string(rune('a'+i/26))
			if e := (op{kind: "unlink", a: name}).do(tr); e != 0 {
				t.Fatal(name, e)
			}
		}
		f.Sync()
	}
	f.Statfs(&after)
	if before.Free != after.Free {
		t.Errorf("%d blocks were free, and %d are", before.Free, after.Free)
	}
	f.Close()
	check(t, d)
}
