package fat

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

func indexed(t *testing.T, d block.Device) (*FS, *Dir) {
	t.Helper()
	f, err := Mount(d, Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, f.Root().(*Dir)
}

func formatted(t *testing.T) *block.Memory {
	t.Helper()
	d := block.NewMemory(make([]byte, 40<<20))
	if err := Format(d, FormatOptions{}); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestIndexKept does random things to the names of a folder. Its index is then the one that would be made anew, and finds what reading the folder from its beginning finds.
func TestIndexKept(t *testing.T) {
	t.Parallel()
	f, root := indexed(t, formatted(t))
	r := rand.New(rand.NewPCG(1, 2))
	name := func() string {
		n := r.IntN(60)
		switch r.IntN(5) {
		case 0:
			return fmt.Sprintf("F%d", n)
		case 1:
			return fmt.Sprintf("SOMENA~%d", n%12) // what aliases look like
		case 2:
			return strings.Repeat("ſK", n+1) + "ü"
		case 3:
			return strings.Repeat("Sk", n+1) + "Ü" // the same, in another case
		}
		return fmt.Sprintf("some name %d", n)
	}
	plain := func(name string) (hit *found) {
		if err := root.each(0, func(e *found) bool {
			if strings.EqualFold(e.name, name) || strings.EqualFold(e.short.String(), name) {
				hit = e
			}
			return hit == nil
		}); err != nil {
			t.Fatal(err)
		}
		return hit
	}
	for step := range 1500 {
		what, a, b := r.IntN(4), name(), name()
		var e core.Errno
		switch n := core.Node(nil); what {
		case 0, 1:
			if n, e = root.Create(a, syscall.S_IFREG|0o644, 0); e == 0 {
				n.Unref()
			}
		case 2:
			e = root.Unlink(a)
		case 3:
			e = root.Rename(a, root, b, 0)
		}
		if e != 0 && e != syscall.EEXIST && e != syscall.ENOENT {
			t.Fatal(step, what, a, b, e)
		}
		if got, err := root.find(a); err != nil || (got == nil) != (plain(a) == nil) || got != nil && *got != *plain(a) {
			t.Fatalf("step %d: %q is %+v, not %+v; %v", step, a, got, plain(a), err)
		}
		if step%50 != 0 {
			continue
		}
		kept, err := root.index()
		if err != nil {
			t.Fatal(err)
		}
		f.unindex(root.first)
		anew, err := root.index()
		if err != nil {
			t.Fatal(err)
		}
		if kept.end != anew.end || kept.keys != anew.keys || f.indexed != anew.weight() || kept.weight() != kept.cost || kept.tailed < len(kept.tails) {
			t.Fatalf("step %d: %d slots and %d keys, not %d and %d; %d are counted", step, kept.end, kept.keys, anew.end, anew.keys, f.indexed)
		}
		if err := root.each(0, func(e *found) bool {
			for _, name := range []string{e.name, e.short.String()} {
				want := plain(name)
				for i, x := range []*index{kept, anew} {
					if got, err := x.lookup(root.node, name); err != nil || got == nil || *got != *want {
						t.Fatalf("step %d: %q is %+v in index %d, not %+v; %v", step, name, got, i, want, err)
					}
				}
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 21; n++ {
			want, run := 0, 0
			for i := 0; run < n; i++ {
				if want = i + 1 - run; i >= anew.end {
					want = i - run
					break
				}
				if at, _ := root.place(i); f.meta[at&^(f.shape.sector-1)].b[at&(f.shape.sector-1)] != deleted {
					run = 0
				} else if run++; run == n {
					want = i + 1 - run
				}
			}
			if a, b := kept.room(n), anew.room(n); a != want || b != want {
				t.Fatalf("step %d: room for %d is at %d and %d, not %d", step, n, a, b, want)
			}
		}
		if r.IntN(2) == 0 { // go on with the one that was kept
			f.unindex(root.first)
			f.indexes[kept.key], kept.place, kept.cost = kept, f.recent.PushFront(kept), 0
			f.weigh(kept)
		}
	}
}

// TestTails: a name that is made and removed ever again has one short name, also beside others of its kind; and numbers are found where those that are tried next are not known, or are used up.
func TestTails(t *testing.T) {
	_, root := indexed(t, formatted(t))
	create := func(name, want string) {
		t.Helper()
		n, e := root.Create(name, syscall.S_IFREG|0o644, 0)
		if e != 0 {
			t.Fatal(name, e)
		}
		n.Unref()
		if e, _ := root.find(name); e == nil || e.short.String() != want {
			t.Fatalf("%q has the short name %v, not %s", name, e, want)
		}
	}
	for i := range 12 {
		create(fmt.Sprintf("some name %d", i), []string{"SOMENA~", "SOMEN~1"}[i/9]+fmt.Sprint((i+1)%10))
	}
	for range 3000 {
		create("some names", "SOMEN~13")
		root.Unlink("some names")
	}
	root.Unlink("some name 3")
	x, err := root.index()
	if err != nil {
		t.Fatal(err)
	}
	for first := 1; first < 1e6; first *= 10 {
		x.next(alias("some name", first), first*10, first)
	}
	create("some names", "SOMENA~4")
}

// TestManyIndexes: a volume's indexes have a bound, and go with their folders.
func TestManyIndexes(t *testing.T) {
	f, root := indexed(t, formatted(t))
	const n = minIndexed/indexCost + 100 // each counts for more
	for i := range n {
		c, e := root.Create(fmt.Sprintf("D%d", i), syscall.S_IFDIR|0o755, 0)
		if e != 0 {
			t.Fatal(i, e)
		}
		if _, e := c.(*Dir).Lookup("x"); e != syscall.ENOENT {
			t.Fatal(e)
		}
		c.Unref()
		if f.indexed > minIndexed {
			t.Fatalf("%d slots after %d folders", f.indexed, i)
		}
	}
	if f.indexes[root.first] == nil || len(f.indexes) != f.recent.Len() || len(f.indexes) >= n || f.indexed < minIndexed/2 {
		t.Errorf("%d indexes of %d slots", len(f.indexes), f.indexed)
	}
	sum := 0
	for _, x := range f.indexes {
		sum += x.cost
	}
	if sum != f.indexed {
		t.Errorf("%d slots, counted as %d", sum, f.indexed)
	}
	for i := range n {
		if e := root.Rmdir(fmt.Sprintf("D%d", i)); e != 0 {
			t.Fatal(i, e)
		}
	}
	if len(f.indexes) != 1 {
		t.Errorf("%d indexes are left", len(f.indexes))
	}
}

// unreadable fails reads of one sector.
type unreadable struct {
	block.Device
	at int64
}

func (d *unreadable) Read(vec [][]byte, off int64) error {
	if d.at != 0 && d.at >= off && d.at < off+int64(block.Len(vec)) {
		return block.ErrInjected
	}
	return d.Device.Read(vec, off)
}

// TestUnreadableFolder: names before a sector of a folder that cannot be read are found; others, and new ones, are EIO.
func TestUnreadableFolder(t *testing.T) {
	d := formatted(t)
	f, root := indexed(t, d)
	for i := range 40 {
		n, e := root.Create(fmt.Sprintf("F%d", i), syscall.S_IFREG|0o644, 0)
		if e != 0 {
			t.Fatal(e)
		}
		n.Unref()
	}
	second, _ := root.place(16)
	f.Close()
	bad := &unreadable{Device: d}
	f, root = indexed(t, bad)
	bad.at = second
	for name, want := range map[string]core.Errno{"F3": 0, "F30": syscall.EIO, "none": syscall.EIO} {
		n, e := root.Lookup(name)
		if e != want {
			t.Errorf("%s: %v, want %v", name, e, want)
		}
		if e == 0 {
			n.Unref()
		}
	}
	if _, e := root.Create("new", syscall.S_IFREG|0o644, 0); e != syscall.EIO {
		t.Error(e)
	}
	bad.at = 0
	if n, e := root.Create("new", syscall.S_IFREG|0o644, 0); e != 0 {
		t.Error(e)
	} else {
		n.Unref()
	}
}

// TestLongChains: a folder whose chain has more clusters than it may have entries for keeps no more of them than those, each counts, and all are free when the folder goes.
func TestLongChains(t *testing.T) {
	d := formatted(t)
	f, root := indexed(t, d)
	const dirs = 20
	for i := range dirs {
		makes(t, root, fmt.Sprintf("D%d", i), syscall.S_IFDIR).drop()
	}
	end, _ := f.end()
	from, to := uint32(1000), f.clusters
	for c := from; c <= to; c++ {
		if f.get(c) != 0 {
			t.Fatal("cluster", c, "is in use")
		}
		f.set(c, c+1)
	}
	f.set(to, end)
	if err := root.each(0, func(e *found) bool { f.set(e.first(32), from); return true }); err != nil {
		t.Fatal(err)
	}
	f.Close()
	f, root = indexed(t, d)
	for i := range dirs {
		n, e := root.Lookup(fmt.Sprintf("D%d", i))
		if e != 0 {
			t.Fatal(e)
		}
		if _, e := n.(*Dir).Lookup("x"); e != syscall.ENOENT {
			t.Fatal(e)
		}
		x := f.indexes[n.(*Dir).first]
		if most := int(maxSlots * 32 / f.cluster); x == nil || len(x.chain) != most || cap(x.chain) > 2*most || x.cost < most {
			t.Fatalf("folder %d has %d clusters in its index, and room for %d, counted as %d; want %d", i, len(x.chain), cap(x.chain), x.cost, most)
		}
		n.Unref()
	}
	before := f.free
	if e := root.Rmdir("D0"); e != 0 {
		t.Fatal(e)
	}
	if want := before + 1 + to - from + 1; f.free != want {
		t.Errorf("%d clusters are free when the folder went, not %d", f.free, want)
	}
}

// makes makes a file or folder, and holds it.
func makes(t *testing.T, d *Dir, name string, kind uint32) *node {
	t.Helper()
	c, e := d.Create(name, kind|0o755, 0)
	if e != 0 {
		t.Fatal(name, e)
	}
	if c, ok := c.(*Dir); ok {
		return c.node
	}
	return c.(*File).node
}

// TestTailsCounted: tails go with the names that they are of, whichever of two goes first, all of them with the last name, and those that are there count.
func TestTailsCounted(t *testing.T) {
	f, root := indexed(t, formatted(t))
	dir := &Dir{makes(t, root, "D", syscall.S_IFDIR)}
	makes(t, dir, "stays", syscall.S_IFREG).drop()
	x, err := dir.index()
	if err != nil {
		t.Fatal(err)
	}
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	set := func(i int) (names []string) {
		for k := range 3 {
			names = append(names, fmt.Sprintf("%06x file of a kind %d", i, k))
		}
		return names
	}
	remove := func(names ...string) {
		for _, name := range names {
			if e := dir.Unlink(name); e != 0 {
				t.Fatal(name, e)
			}
		}
	}
	had := x.cost
	const sets = 3000
	for i := range sets { // the first of two goes first
		two := set(i)[:2]
		makes(t, dir, two[0], syscall.S_IFREG).drop()
		makes(t, dir, two[1], syscall.S_IFREG).drop()
		remove(two...)
	}
	if len(x.tails) != 0 || x.tailed != 0 || x.cost > had+20 {
		t.Errorf("%d tails, and room for %d, of names that went; counted as %d, and before as %d", len(x.tails), x.tailed, x.cost, had)
	}
	before, slots := heap(), x.cost
	for i := range sets { // of three, one tail stays
		for _, name := range set(i) {
			makes(t, dir, name, syscall.S_IFREG).drop()
		}
		remove(set(i)...)
	}
	if x.cost-slots < len(x.tails) || len(x.tails) == 0 || f.indexes[x.key] != x {
		t.Errorf("%d tails are counted as %d", len(x.tails), x.cost-slots)
	}
	t.Logf("%d bytes for %d tails", heap()-before, len(x.tails))
	sum := 0
	for _, x := range f.indexes {
		sum += x.weight()
	}
	if sum != f.indexed {
		t.Errorf("%d slots, counted as %d", sum, f.indexed)
	}
	if remove("stays"); len(x.tails) != 0 || x.tailed != 0 || x.cost != x.weight() {
		t.Errorf("%d tails in an empty folder, and room for %d; counted as %d", len(x.tails), x.tailed, x.cost)
	}
	runtime.KeepAlive(f)
}

// crossed has two folders, A, whose cluster has no room for more, and B, whose cluster A's chain runs into, as a crash may leave them.
func crossed(t *testing.T) (f *FS, a, b *Dir) {
	d := formatted(t)
	f, root := indexed(t, d)
	a, b = &Dir{makes(t, root, "A", syscall.S_IFDIR)}, &Dir{makes(t, root, "B", syscall.S_IFDIR)}
	for i := range int(f.cluster/32) - 2 {
		makes(t, a, fmt.Sprintf("F%d", i), syscall.S_IFREG)
	}
	f.set(a.first, b.first)
	f.Close()
	f, root = indexed(t, d)
	return f, folder(t, root, "A"), folder(t, root, "B")
}

func folder(t *testing.T, d *Dir, name string) *Dir {
	t.Helper()
	n, e := d.Lookup(name)
	if e != 0 {
		t.Fatal(name, e)
	}
	return n.(*Dir)
}

// TestSharedCluster: names that are made in one of two folders which share a cluster are not written over by those that are made in the other, nor lost with a cluster that one of them got, and no name is there twice.
func TestSharedCluster(t *testing.T) {
	f, a, b := crossed(t)
	makes(t, a, "OLD", syscall.S_IFREG)
	var made []string
	for i := range 40 { // some clusters
		for k, d := range []*Dir{b, b, a, b, a} {
			name := fmt.Sprintf("N%d-%d", i, k)
			if k > 2 {
				name = "a longer name " + name
			}
			makes(t, d, name, syscall.S_IFREG)
			made = append(made, name)
		}
	}
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	f.unindex(a.first)
	f.unindex(b.first)
	for _, d := range []*Dir{a, b} {
		seen := map[string]int{}
		if err := d.each(0, func(e *found) bool { seen[e.name]++; return true }); err != nil {
			t.Fatal(err)
		}
		for _, name := range made {
			if _, e := d.Lookup(name); e != 0 || seen[name] != 1 {
				t.Fatalf("%s: %v, and listed %d times", name, e, seen[name])
			}
		}
	}
}

// TestSharedName: a name that the other of two folders which share a cluster got is not made again, where the index is made anew.
func TestSharedName(t *testing.T) {
	_, a, b := crossed(t)
	makes(t, a, "OLD", syscall.S_IFREG)
	makes(t, b, "NEW", syscall.S_IFREG)
	if _, e := a.Create("NEW", syscall.S_IFREG|0o644, 0); e != syscall.EEXIST {
		t.Error(e)
	}
}

// freed has a folder, A, of two clusters, whose first or second one a file is that went.
func freed(t *testing.T, second, held bool) (d block.Device, f *FS, root, a *Dir, c uint32) {
	d = formatted(t)
	f, root = indexed(t, d)
	n := makes(t, root, "A", syscall.S_IFDIR)
	for i := range 20 {
		makes(t, &Dir{n}, fmt.Sprintf("F%d", i), syscall.S_IFREG).drop()
	}
	if c = n.chain[0]; second {
		c = n.chain[1]
	}
	x := &File{makes(t, root, "X", syscall.S_IFREG)}
	if _, _, e := x.WriteAt(make([]byte, 512), 0); e != 0 {
		t.Fatal(e)
	}
	f.set(x.first, c) // the file runs into the folder
	f.Close()
	f, root = indexed(t, d)
	a = folder(t, root, "A")
	if _, e := a.Lookup("F3"); e != 0 {
		t.Fatal(e)
	}
	if !held {
		a.Unref()
	}
	if e := root.Unlink("X"); e != 0 {
		t.Fatal(e)
	}
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	f.cursor = c
	return d, f, root, a, c
}

// TestFreedFolder: a new folder whose cluster was another's that a file ran into has nothing of that one's index. Its names are listed, and there after a mount.
func TestFreedFolder(t *testing.T) {
	for _, held := range []bool{false, true} {
		d, f, root, a, c := freed(t, false, held)
		if held {
			if _, e := a.Create("in what is free", syscall.S_IFREG|0o644, 0); e != syscall.EIO {
				t.Errorf("a name in a folder whose cluster is free: %v", e)
			}
		}
		dir := &Dir{makes(t, root, "NEW", syscall.S_IFDIR)}
		if dir.first != c {
			t.Fatalf("the new folder has cluster %d, not %d", dir.first, c)
		}
		makes(t, dir, "HELLO", syscall.S_IFREG)
		for _, when := range []string{"before", "after"} {
			var names []string
			if err := dir.each(0, func(e *found) bool { names = append(names, e.name); return true }); err != nil {
				t.Fatal(err)
			}
			if _, e := dir.Lookup("HELLO"); e != 0 || fmt.Sprint(names) != "[HELLO]" {
				t.Errorf("held %v, %s a mount: HELLO is %v, and listed are %q", held, when, e, names)
			}
			f.Close()
			f, root = indexed(t, d)
			dir = folder(t, root, "NEW")
		}
	}
}

// TestFreedCluster: a folder that lost a cluster so is damaged when it is opened next. Nothing is written to the cluster by its index.
func TestFreedCluster(t *testing.T) {
	_, f, root, _, c := freed(t, true, false)
	a := folder(t, root, "A")
	if _, e := a.Create("NEW", syscall.S_IFREG|0o644, 0); e != syscall.EIO || f.get(c) != 0 {
		t.Errorf("a name in a folder of which a cluster is free: %v; the cluster's entry is %#x", e, f.get(c))
	}
}

// TestGarbageBehindTheEnd: what lies behind the entry that ends a folder may be anything (FAT, 6.1). No name that is put there brings it back.
func TestGarbageBehindTheEnd(t *testing.T) {
	for _, name := range []string{"NEW", "a name of three"} {
		f, root := indexed(t, formatted(t))
		makes(t, root, "OLD", syscall.S_IFREG)
		x, err := root.index()
		if err != nil {
			t.Fatal(err)
		}
		for i := x.end + 1; i < x.end+6; i++ {
			at, _ := root.place(i)
			b, err := f.at32(at, true)
			if err != nil {
				t.Fatal(err)
			}
			copy(b, fmt.Sprintf("GARBAGE%d   ", i))
		}
		makes(t, root, name, syscall.S_IFREG)
		var names []string
		if err := root.each(0, func(e *found) bool { names = append(names, e.name); return true }); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%q", names) != fmt.Sprintf("%q", []string{"OLD", name}) {
			t.Errorf("listed are %q", names)
		}
	}
}

// TestUnreadableWhileWritten: slots of a name that were read, went for memory, and cannot be read again while the name is written or taken out, are an error. Some were written to then, so the folder's index goes, and the next one has
// what is there.
func TestUnreadableWhileWritten(t *testing.T) {
	for _, what := range []string{"make", "remove"} {
		d := formatted(t)
		f, root := indexed(t, d)
		name := strings.Repeat("n", 255) // of 21 slots: the last of the folder's first sector, all of the second, and some of the third
		for i := range 15 {
			makes(t, root, fmt.Sprintf("F%d", i), syscall.S_IFREG)
		}
		makes(t, root, name, syscall.S_IFREG)
		if what == "make" {
			if e := root.Unlink(name); e != 0 {
				t.Fatal(e)
			}
		}
		f.Close()
		bad := &unreadable{Device: d}
		f, root = indexed(t, bad)
		e, err := root.find(name)
		if err != nil || e == nil != (what == "make") || e != nil && (e.slot != 35 || e.slots != 21) {
			t.Fatal(e, err)
		}
		first, _ := root.place(0)
		second, _ := root.place(16)
		third, _ := root.place(32)
		if _, err := f.at32(first, true); err != nil { // the first sector stays in memory; the second goes when the third is read
			t.Fatal(err)
		}
		delete(f.meta, third)
		for i := int64(1); len(f.meta) < maxMeta; i++ {
			f.meta[-i] = &sector{}
		}
		bad.at = second
		if what == "make" {
			_, err = root.Create(name, syscall.S_IFREG|0o644, 0)
		} else {
			err = root.leave(e)
		}
		if err != syscall.EIO || f.indexes[root.first] != nil {
			t.Errorf("%s: %v, and the folder has an index: %v", what, err, f.indexes[root.first] != nil)
		}
		bad.at = 0
		makes(t, root, "after it", syscall.S_IFREG)
		n := 0
		if err := root.each(0, func(e *found) bool {
			n++
			if hit, err := root.find(e.name); err != nil || hit == nil || hit.slot != e.slot {
				t.Errorf("%s: %q is not found: %v", what, e.name, err)
			}
			return true
		}); err != nil || n < 16 {
			t.Errorf("%s: %d names, %v", what, n, err)
		}
	}
}

// TestFullFoldersInTurn: where there is memory for it, more full folders than a small machine has indexes for are each read once, however they are used in turn.
func TestFullFoldersInTurn(t *testing.T) {
	const dirs, names = 5, maxSlots - 2
	d := formatted(t)
	f, root := indexed(t, d)
	for i := range dirs {
		n := makes(t, root, fmt.Sprintf("D%d", i), syscall.S_IFDIR)
		if e := f.Sync(); e != 0 {
			t.Fatal(e)
		}
		clear(f.meta) // what is written is written past it
		list, e := f.take(int(maxSlots*32/f.cluster) - 1)
		if e != 0 {
			t.Fatal(e)
		}
		f.link(n.chain, list)
		chain := append(n.chain[:1:1], list...)
		for k := range names {
			at := int64(k+2) * 32
			b := d.Bytes()[f.shape.at(chain[at/f.cluster])+at%f.cluster:][:32]
			copy(b, fmt.Sprintf("%-11d", k))
			b[11] = attrArchive
		}
		n.drop()
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, memory := range []int{16 << 20, 64 << 20} {
		counted := &block.Faulty{Device: d}
		f, err := Mount(counted, Options{Manual: true, ReadOnly: true, Cache: memory, Pages: pages.New(pages.NewHeap(1 << 20))})
		if err != nil {
			t.Fatal(err)
		}
		root := f.Root().(*Dir)
		var most int64 // requests of a round
		for round := range 4 {
			before := counted.Requests()
			for i := range dirs {
				dir := folder(t, root, fmt.Sprintf("D%d", i))
				n, e := dir.Lookup(fmt.Sprint(round*9999 + i))
				if e != 0 {
					t.Fatal(e)
				}
				n.Unref()
				dir.Unref()
			}
			if round > 0 {
				most = max(most, counted.Requests()-before)
			}
		}
		sum := 0
		for _, x := range f.indexes {
			sum += x.weight()
		}
		if sum != f.indexed || f.indexed > f.mostIndexed || f.indexed*slotBytes > memory/4+1<<20 {
			t.Errorf("with %d bytes: %d slots, counted as %d, of %d", memory, sum, f.indexed, f.mostIndexed)
		}
		t.Logf("with %d MiB: %d indexes, and %d requests for a name in each of %d folders", memory>>20, len(f.indexes), most, dirs)
		if memory == 64<<20 && most > 2*dirs {
			t.Errorf("%d requests for a name in each of %d folders that were used before", most, dirs)
		}
		f.Close()
	}
}
