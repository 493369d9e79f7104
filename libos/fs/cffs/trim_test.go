package cffs

import (
	"strconv"
	"sync"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// loaded counts the nodes at and below r that are in memory.
func loaded(r *ref) int64 {
	n := r.n.Load()
	if n == nil {
		return 0
	}
	all := int64(1)
	for _, k := range n.kids {
		all += loaded(k)
	}
	return all
}

// TestTrim reads and changes a tree of many nodes, of which few may stay in memory, by several goroutines at once: few stay, and nothing is lost.
func TestTrim(t *testing.T) {
	const files, most = 4000, 24
	d := formatted(t, 8192)
	f := mount(t, d, Options{Manual: true})
	root := f.Root()
	for i := range files {
		n, e := root.Create(strconv.Itoa(i), 0o100644, 0)
		if e != 0 {
			t.Fatal(e)
		}
		n.Unref()
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = mount(t, d, manual)
	f.t.most = most
	root = f.Root()
	all := 0
	root.ReadDir(0, func(*core.Entry) bool { all++; return true })
	if whole := loaded(f.t.root); all != files || whole > 2*most {
		t.Fatalf("%d names; %d nodes are in memory after they were read", all, whole)
	}
	// No lookup here may find a name that is remembered: each goroutine has its own, and they are more than are.
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := k; i < files; i += 4 {
				n, e := root.Lookup(strconv.Itoa(i))
				if e != 0 {
					t.Error(i, e)
					return
				}
				if k == 0 && i%100 == 0 {
					n.SetAttr(&core.Change{Set: core.SetUID, UID: uint32(i)})
				}
				if k == 1 && i%400 == 1 {
					f.Sync()
				}
				n.Unref()
			}
		})
	}
	wg.Wait()
	f.Sync()
	if n := loaded(f.t.root); n > 2*most {
		t.Errorf("%d nodes are in memory, %d are counted, %d may be", n, f.t.loads.Load(), most)
	}
	for i := 0; i < files; i += 400 {
		n, e := root.Lookup(strconv.Itoa(i))
		if e != 0 || n.Attr().UID != uint32(i) {
			t.Error(i, e)
			continue
		}
		n.Unref()
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, d)
}
