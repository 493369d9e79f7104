package cffs

import (
	"bytes"
	"flag"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A thing is an inode as it is to be seen: what of it does not lie in names, and a directory's names with the numbers behind them.
type thing struct {
	what  string
	names map[string]uint64
	data  []byte
	attrs map[string]string
}

// things are all inodes of a volume that have a way from the root, by their numbers; without what a salvage puts into lost+found, and that.
func things(t testing.TB, d block.Device) map[uint64]thing {
	t.Helper()
	f, err := Mount(d, Options{Manual: true, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	all := map[uint64]thing{}
	var walk func(n core.Node)
	walk = func(n core.Node) {
		a := n.Attr()
		if _, have := all[a.Ino]; have {
			return
		}
		x := thing{what: fmt.Sprintf("mode %o uid %d", a.Mode, a.UID)}
		all[a.Ino] = x
		switch n := n.(type) {
		case core.Dir:
			x.names = map[string]uint64{}
			var list []string
			if e := n.ReadDir(0, func(en *core.Entry) bool { list = append(list, en.Name); return true }); e != 0 {
				t.Fatal(e)
			}
			for _, name := range list {
				c, e := n.Lookup(name)
				if e != 0 {
					t.Fatal(name, e)
				}
				if a.Ino != rootIno || name != "lost+found" {
					x.names[name] = c.Attr().Ino
				}
				walk(c)
				c.Unref()
			}
		case core.File:
			x.data = make([]byte, a.Size)
			for off := 0; off < len(x.data); {
				k, e := n.ReadAt(x.data[off:], int64(off))
				if e != 0 {
					x.what += fmt.Sprint(" ", e, " at ", off)
					k = BlockSize - off%BlockSize
				}
				off += k
			}
			x.what += fmt.Sprintf(" nlink %d size %d", a.Nlink, a.Size)
		case core.Link:
			s, e := n.Target()
			x.what += fmt.Sprintf(" nlink %d to %s %v", a.Nlink, s, e)
		}
		if n, ok := n.(core.Attributes); ok {
			names, e := n.Xattrs()
			sort.Strings(names)
			for _, name := range names {
				v, e := n.Xattr(name)
				if x.attrs == nil {
					x.attrs = map[string]string{}
				}
				x.attrs[name] = fmt.Sprintf("%x %v", v, e)
			}
			if e != 0 {
				x.what += " " + e.Error()
			}
		}
		all[a.Ino] = x
	}
	root := f.Root()
	walk(root)
	root.Unref()
	return all
}

// digest is things in a form that can be compared.
func digest(all map[uint64]thing) string {
	var lines []string
	for ino, x := range all {
		lines = append(lines, fmt.Sprintf("%020d %s %v %v %x", ino, x.what, x.names, x.attrs, maphash.Bytes(hashSeed, x.data)))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// damaged is a copy of a volume with a bit of some blocks flipped.
func damaged(good *block.Memory, at ...uint64) *block.Memory {
	d := block.NewMemory(slices.Clone(good.Bytes()))
	for _, b := range at {
		d.Bytes()[b*BlockSize+300] ^= 2
	}
	return d
}

// salvaged repairs a volume with loss, and wants one that is whole, and that can be written to.
func salvaged(t *testing.T, d *block.Memory, o SalvageOptions) []string {
	t.Helper()
	done, err := Salvage(d, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Check(d, o.Holes)
	if err != nil || len(r.Problems) > 0 {
		t.Fatalf("%v %v\nafter\n%s", err, r, strings.Join(done, "\n"))
	}
	c := block.NewMemory(slices.Clone(d.Bytes()))
	f := mount(t, c, manual)
	if e := (op{kind: "write", a: "new file", n: 10_000}).do(treeOf(f)); e != 0 {
		t.Fatal(e)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = Check(c, o.Holes); err != nil || len(r.Problems) > 0 {
		t.Fatalf("after it was written to: %v %v\n%s", err, r, strings.Join(done, "\n"))
	}
	return done
}

// within wants what is left of a volume to be what was, but for what lay in a leaf of it. may: attributes of which nothing lay there may be gone, for nobody can tell how long they were.
func within(t *testing.T, good *block.Memory, was, is map[uint64]thing, leaf uint64, may bool, done []string) {
	t.Helper()
	f := mount(t, good, Options{ReadOnly: true})
	b := good.Bytes()[leaf*BlockSize:][:BlockSize]
	n := decodeNode(b, leaf, &f.sb.uuid)
	hit := map[uint64]bool{} // inodes of which something lay there
	named := map[string]bool{}
	for i, k := range n.keys {
		hit[be.Uint64(k)] = true
		if k[8] == kindEntry {
			e, _ := decodeEntry(n.vals[i])
			hit[e.ino] = true
			named[fmt.Sprint(be.Uint64(k), " ", e.name)] = true
		}
	}
	for ino, old := range was {
		now, there := is[ino]
		switch {
		case !hit[ino] && !there:
			t.Errorf("leaf at %d: inode %d, of which nothing lay there, is gone: %s\n%s", leaf, ino, old.what, strings.Join(done, "\n"))
		case !hit[ino] && (now.what != old.what || len(now.attrs) != len(old.attrs) && !may || !bytes.Equal(now.data, old.data)):
			t.Errorf("leaf at %d: inode %d, of which nothing lay there, is %q, and was %q\n%s", leaf, ino, now.what, old.what, strings.Join(done, "\n"))
		case there:
			for i, c := range now.data { // what is lost reads as zeroes
				if c != 0 && (i >= len(old.data) || c != old.data[i]) {
					t.Errorf("leaf at %d: byte %d of inode %d is another", leaf, i, ino)
					break
				}
			}
		}
		for name := range old.attrs { // one that may have been longer goes, and is told
			if _, have := now.attrs[name]; !hit[ino] && !have && !slices.ContainsFunc(done, func(s string) bool { return strings.Contains(s, name) }) {
				t.Errorf("leaf at %d: the attribute %q of inode %d is gone, and it is not told", leaf, name, ino)
			}
		}
		for name, v := range now.attrs {
			if old.attrs[name] != v {
				t.Errorf("leaf at %d: the attribute %q of inode %d has another value", leaf, name, ino)
			}
		}
		for name, to := range old.names {
			if _, have := is[to]; have && there && !named[fmt.Sprint(ino, " ", name)] && now.names[name] != to {
				t.Errorf("leaf at %d: the name %q of inode %d, which did not lie there, is gone\n%s", leaf, name, ino, strings.Join(done, "\n"))
			}
		}
		for name, to := range now.names {
			if old.names != nil && old.names[name] != to && ino != rootIno {
				t.Errorf("leaf at %d: inode %d has a new name %q", leaf, ino, name)
			}
		}
	}
}

// TestSalvage damages each node of the tree in turn: what is repaired with loss is whole and misses only what lay in that node; where it was above others, nothing.
func TestSalvage(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]*block.Memory{"folders": folders(t), "sample": sample(t)} {
		was := things(t, good)
		for _, n := range nodesOf(t, good) {
			d := damaged(good, n.addr)
			before := slices.Clone(d.Bytes())
			if done, err := Repair(d, true); err != ErrLoss || !bytes.Equal(before, d.Bytes()) {
				t.Errorf("%s: a repair without loss: %v, %v", name, err, done)
			}
			done := salvaged(t, d, SalvageOptions{})
			is := things(t, d)
			if n.level > 0 {
				if digest(was) != digest(is) {
					t.Errorf("%s: node at %d of level %d: it is not what it was\n%s", name, n.addr, n.level, strings.Join(done, "\n"))
				}
				continue
			}
			within(t, good, was, is, n.addr, false, done)
		}
	}
}

// TestSalvageRootOfTree damages the root of the tree and, beside it, bitmaps, or a leaf: the root is found again all the same, by what the volume holds.
func TestSalvageRootOfTree(t *testing.T) {
	t.Parallel()
	good := folders(t)
	was := things(t, good)
	nodes := nodesOf(t, good)
	root := nodes[0].addr
	if nodes[0].level == 0 {
		t.Fatal("the root is a leaf")
	}
	for _, slots := range [][]uint64{nil, {bitmapAt}, {bitmapAt + 1}, {bitmapAt, bitmapAt + 1}} {
		d := damaged(good, append(slices.Clone(slots), root)...)
		if _, err := Mount(d, manual); err == nil {
			t.Fatal("mounted")
		}
		if label, _, ok := Identify(d); !ok || label != "test" {
			t.Errorf("label %q, %v", label, ok)
		}
		done := salvaged(t, d, SalvageOptions{})
		is := things(t, d)
		if slots != nil { // nobody can tell whether a leaf is missing: an attribute that ends with one, and may have been longer, goes, and is told
			for ino, x := range was {
				for name := range x.attrs {
					if _, have := is[ino].attrs[name]; !have && strings.Contains(strings.Join(done, "\n"), name) {
						is[ino].attrs[name] = x.attrs[name]
					}
				}
			}
		}
		if digest(is) != digest(was) {
			t.Errorf("bitmaps %v: not what it was\n%s", slots, strings.Join(done, "\n"))
		}
	}
	for _, n := range nodes[1:] {
		d := damaged(good, root, n.addr)
		done := salvaged(t, d, SalvageOptions{})
		within(t, good, was, things(t, d), n.addr, true, done)
	}
}

// TestSalvageData damages a block of a file: the file keeps its size, and gives EIO there until it is told to give zeroes.
func TestSalvageData(t *testing.T) {
	good := folders(t)
	was := things(t, good)
	nodes := nodesOf(t, good)
	leaf := nodes[len(nodes)-1].addr
	bad := placeOf(t, good, "d0/in/deep", 0)
	d := damaged(good, bad, leaf) // so that there is something to be repaired without holes
	salvaged(t, d, SalvageOptions{})
	eio := 0
	for _, x := range things(t, d) {
		if strings.Contains(x.what, fmt.Sprint(syscall.EIO, " at 0")) && len(x.data) == 5000 {
			eio++
		}
	}
	if r, err := Check(d, true); eio != 1 || err != nil || len(r.Problems) != 1 {
		t.Errorf("%d files give EIO: %v %v", eio, r, err)
	}
	done := salvaged(t, d, SalvageOptions{Holes: true})
	if !slices.ContainsFunc(done, func(s string) bool { return strings.Contains(s, "/d0/in/deep") }) {
		t.Error(done)
	}
	d = damaged(good, bad)
	salvaged(t, d, SalvageOptions{Holes: true})
	is := things(t, d)
	for ino, old := range was {
		now := is[ino]
		if len(old.data) == 5000 {
			clear(old.data[:BlockSize])
		}
		if now.what != old.what || !bytes.Equal(now.data, old.data) {
			t.Errorf("inode %d is %s, and was %s", ino, now.what, old.what)
		}
	}
}

// TestSalvageBlockOfTwo has an extent of one file reach into another's: the block goes to the one whose sum it has, to the first where that is so of both, and each file keeps all others of its own.
func TestSalvageBlockOfTwo(t *testing.T) {
	const n = 10
	fill := func(c byte, blocks int) []byte {
		b := make([]byte, blocks*BlockSize)
		for i := range b {
			b[i] = c + byte(i/BlockSize)
		}
		return b
	}
	for _, c := range []struct {
		what   string
		change func(a, b *extent) // which lie one behind the other
		lost   [2]int             // the block of each file that is a hole; -1: none
	}{
		{"the first reaches into the second", func(a, b *extent) { a.last++; a.sums = append(a.sums, 1) }, [2]int{-1, -1}},
		{"the second begins in the first", func(a, b *extent) { b.block--; b.sums = append([]uint32{1}, b.sums...) }, [2]int{-1, -1}},
		{"both are right", func(a, b *extent) { a.last++; a.sums = append(a.sums, b.sums[0]) }, [2]int{-1, 1}},
		{"none is", func(a, b *extent) { a.last++; a.sums = append(a.sums, 1); b.sums[0]++ }, [2]int{-1, 1}},
	} {
		d := formatted(t, minBlocks)
		f := mount(t, d, manual)
		write(t, f, "/a", fill('a', n))
		write(t, f, "/b", nil)
		x, e := f.Root().Lookup("b")
		if e != 0 {
			t.Fatal(e)
		}
		x.(*File).WriteAt(fill('A', n), BlockSize) // behind a hole
		f.Sync()
		x.Unref()
		var list []extent
		var inos []uint64
		f.t.scan(nil, func(k, v []byte) bool {
			if k[8] == kindExtent {
				y, _ := f.extent(k, v)
				list, inos = append(list, y), append(inos, be.Uint64(k))
			}
			return true
		})
		if len(list) != 2 || list[0].block+n != list[1].block {
			t.Fatalf("%+v", list)
		}
		for i := range list {
			f.remove(keyNumber(inos[i], kindExtent, list[i].last))
		}
		c.change(&list[0], &list[1])
		for i := range list {
			f.put(keyNumber(inos[i], kindExtent, list[i].last), list[i].encode())
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		done := salvaged(t, d, SalvageOptions{})
		f = mount(t, d, Options{ReadOnly: true})
		for i, want := range [][]byte{fill('a', n), append(make([]byte, BlockSize), fill('A', n)...)} {
			if at := c.lost[i]; at >= 0 {
				clear(want[at*BlockSize:][:BlockSize])
			}
			if what := []string{"/a", "/b"}[i]; !bytes.Equal(contents(t, f, what), want) {
				t.Errorf("%s: %s is another\n%s", c.what, what, strings.Join(done, "\n"))
			}
		}
		if said := strings.Join(done, "\n"); !strings.Contains(said, "that are another's") {
			t.Errorf("%s: it says\n%s", c.what, said)
		}
	}
}

// untouched says which blocks that a volume used, as far as that can be known, a salvage has written to before its first superblock. Blocks at were damaged.
func untouched(t *testing.T, good *block.Memory, at []uint64, rec *block.Recorder) {
	t.Helper()
	used, err := Check(block.NewMemory(slices.Clone(good.Bytes())), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range rec.Log() {
		if e.Data == nil {
			continue
		}
		if e.Off/BlockSize <= 1 {
			return // the first commit's superblock
		}
		if uint64(e.Off/BlockSize)-used.sb.backup <= 1 {
			continue // its copy, which is written along with it
		}
		for b := uint64(e.Off / BlockSize); b < uint64(e.Off+int64(len(e.Data)))/BlockSize; b++ {
			if slices.Contains(at, b) || slices.Contains(at, bitmapAt+1) && le.Uint32(good.Bytes()[b*BlockSize+4:]) != nodeMagic {
				continue // what is lost, and data of the leaf that is: without the bitmap nothing tells of it
			}
			if used.used[b/64]>>(b%64)&1 != 0 && b != bitmapAt && b != bitmapAt+1 {
				t.Errorf("%v: block %d, which the commit before uses, is written to", at, b)
			}
		}
	}
}

// TestSalvageWritesElsewhere salvages a full volume of which the current bitmap is not known, and each node in turn is lost: no node that can be read is written to before the volume is whole.
func TestSalvageWritesElsewhere(t *testing.T) {
	t.Parallel()
	d := folders(t)
	f := mount(t, d, manual)
	for f.Sync() == 0 && (op{kind: "append", a: "filler", n: BlockSize}).do(treeOf(f)) == 0 {
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, n := range nodesOf(t, d) {
		at := []uint64{n.addr, bitmapAt + 1}
		rec := block.NewRecorder(damaged(d, at...))
		if _, err := Salvage(rec, SalvageOptions{}); err == nil {
			done++
		}
		untouched(t, d, at, rec)
	}
	if done == 0 {
		t.Error("no salvage had room")
	}
}

// TestSalvageCrash crashes a salvage at each of its writes, whole and torn, and with each one missing since the last flush: the volume is as damaged as it was, or whole, and a salvage then comes to the same.
func TestSalvageCrash(t *testing.T) {
	t.Parallel()
	some, full := folders(t), folders(t)
	f := mount(t, full, manual)
	for f.Sync() == 0 && (op{kind: "append", a: "filler", n: BlockSize}).do(treeOf(f)) == 0 {
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	nodes, others := nodesOf(t, some), nodesOf(t, full)
	for _, c := range []struct {
		good *block.Memory
		at   []uint64
	}{{some, []uint64{nodes[4].addr}}, {some, []uint64{nodes[0].addr, nodes[3].addr, bitmapAt, bitmapAt + 1}}, {full, []uint64{others[0].addr}}, {full, []uint64{others[5].addr}}} {
		at := c.at
		d := damaged(c.good, at...)
		base := slices.Clone(d.Bytes())
		before, err := Check(block.NewMemory(slices.Clone(base)), false)
		if err != nil {
			t.Fatal(err)
		}
		rec := block.NewRecorder(d)
		if _, err := Salvage(rec, SalvageOptions{}); err != nil {
			t.Fatal(err)
		}
		want := digest(things(t, d))
		untouched(t, c.good, at, rec)
		states := 0
		try := func(events []*block.Event, torn bool) {
			disk := slices.Clone(base)
			for i, e := range events {
				if torn && i == len(events)-1 && len(e.Data) > 512 {
					half := *e
					half.Data = e.Data[:len(e.Data)/1024*512]
					e = &half
				}
				e.Apply(disk)
			}
			o := block.NewMemory(disk)
			r, err := Check(o, false)
			if err != nil {
				t.Fatal(err)
			}
			if states++; len(r.Problems) > 0 && r.loss {
				for _, p := range before.Problems {
					if p.Loss && !slices.Contains(r.Problems, p) {
						t.Fatalf("%v: a crash leaves neither what was nor what is to be:\n%v\nbefore:\n%v", at, r.Problems, before.Problems)
					}
				}
			}
			if _, err := Salvage(o, SalvageOptions{}); err != nil {
				t.Fatal(err)
			}
			if r, err := Check(o, false); err != nil || len(r.Problems) > 0 {
				t.Fatalf("%v: after a crash and a second salvage: %v, %v", at, r.Problems, err)
			}
			if got := digest(things(t, o)); got != want {
				t.Fatalf("%v: after a crash a second salvage comes to something else:\n%s\nand without to\n%s", at, got, want)
			}
		}
		var done, since []*block.Event
		log := rec.Log()
		for i := range log {
			if log[i].Flush {
				done, since = append(done, since...), nil
				continue
			}
			since = append(since, &log[i])
			all := slices.Concat(done, since)
			try(all, false)
			try(all, true)
			for k := range len(since) - 1 {
				some := slices.Clone(done)
				some = append(append(some, since[:k]...), since[k+1:]...)
				try(some, false)
			}
		}
		if states < 10 {
			t.Errorf("only %d states", states)
		}
	}
}

var salvages = flag.Int("salvages", 40, "how many randomly damaged volumes TestSalvageRandom repairs")

// TestSalvageRandom changes bytes all over a volume, with sums that are wrong or made right again: a salvage leaves a whole volume, or says why not and changes nothing.
func TestSalvageRandom(t *testing.T) {
	d := sample(t)
	good := d.Bytes()
	var busy []int
	for b := range len(good) / BlockSize {
		if len(bytes.Trim(good[b*BlockSize:(b+1)*BlockSize], "\x00")) > 0 {
			busy = append(busy, b)
		}
	}
	var nodes []int
	for _, b := range busy {
		if le.Uint32(good[b*BlockSize+4:]) == nodeMagic {
			nodes = append(nodes, b)
		}
	}
	did := 0
	for seed := range uint64(*salvages) {
		r := rand.New(rand.NewPCG(seed, 1))
		disk := slices.Clone(good)
		for range 1 + r.IntN(20) {
			from := busy
			if r.IntN(2) == 0 {
				from = nodes
			}
			blk := disk[from[r.IntN(len(from))]*BlockSize:][:BlockSize]
			at := r.IntN(BlockSize)
			if r.IntN(2) == 0 {
				at %= 300
			}
			blk[at] = byte(r.IntN(256))
		}
		if r.IntN(3) > 0 {
			reseal(disk)
		}
		for _, o := range []SalvageOptions{{}, {Back: true, Holes: true}} {
			c := block.NewMemory(slices.Clone(disk))
			done, err := Salvage(c, o)
			if err != nil {
				if !bytes.Equal(c.Bytes(), disk) {
					t.Errorf("seed %d: it was not repaired, and changed: %v", seed, err)
				}
				continue
			}
			if len(done) > 0 {
				did++
				if r, err := Check(c, o.Holes); err != nil || len(r.Problems) > 0 {
					t.Errorf("seed %d: after a salvage: %v %v; it did\n%s", seed, err, r.Problems, strings.Join(done, "\n"))
				}
				if f, err := Mount(c, manual); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				} else {
					dump(treeOf(f))
					f.Close()
				}
			}
		}
	}
	if did < *salvages {
		t.Errorf("only %d repairs", did)
	}
}

// TestSalvageOld loses the root of a tree and bitmaps of a volume on which leaves of files lie that were removed: their blocks are other files' by now, which lose nothing.
func TestSalvageOld(t *testing.T) {
	t.Parallel()
	d := formatted(t, 8*minBlocks)
	f := mount(t, d, manual)
	tr := treeOf(f)
	do := func(x op) {
		t.Helper()
		if e := x.do(tr); e != 0 {
			t.Fatal(x, e)
		}
	}
	names := []string{"aaa", "old0", "old1", "old2", "zzz"}
	for _, name := range names {
		for i := range int64(220) {
			do(op{kind: "write", a: name, off: 2 * i * BlockSize, n: BlockSize, fill: byte(i)})
		}
		do(op{kind: "sync"})
	}
	removed := map[uint64]bool{}
	for _, name := range names[1:4] {
		removed[ino(t, tr, "/"+name)] = true
		do(op{kind: "unlink", a: name})
	}
	do(op{kind: "sync"})
	// others is how many blocks that leaves of removed files have are another's.
	others := func() (n int) {
		for b := range f.al.blocks {
			x := d.Bytes()[b*BlockSize:][:BlockSize]
			if le.Uint32(x[4:]) != nodeMagic || x[24] != 0 || f.al.is(b) || !sealed(x) {
				continue
			}
			if m := decodeNode(x, b, &f.sb.uuid); !removed[be.Uint64(m.keys[0])] || !removed[be.Uint64(m.keys[len(m.keys)-1])] {
				continue
			}
			f.holds(x, b, func(e extent) {
				for i := range e.sums {
					if f.al.is(e.block + uint64(i)) {
						n++
					}
				}
			}, func(uint64) {})
		}
		return n
	}
	for i := int64(0); others() < 20; i++ {
		if i == 20_000 {
			t.Fatal("no block of a removed file is another's")
		}
		do(op{kind: "write", a: "new", off: 2 * i * BlockSize, n: BlockSize, fill: byte(i + 7)})
		if i%20 == 19 {
			do(op{kind: "sync"})
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, d)
	was, root := things(t, d), nodesOf(t, d)[0]
	for _, slots := range [][]uint64{nil, {bitmapAt}, {bitmapAt + 1}, {bitmapAt, bitmapAt + 1}} {
		c := damaged(d, append(slices.Clone(slots), root.addr)...)
		done, err := Salvage(c, SalvageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		is := things(t, c)
		for name, ino := range was[rootIno].names {
			if !bytes.Equal(is[ino].data, was[ino].data) {
				t.Errorf("bitmaps %v lost: %s differs\n%s", slots, name, strings.Join(done, "\n"))
			}
		}
	}
}

// TestSalvageRootRecord salvages a volume whose root's record says that it is a file, or a link.
func TestSalvageRootRecord(t *testing.T) {
	t.Parallel()
	good := folders(t)
	for _, mode := range []uint32{syscall.S_IFREG | 0o644, syscall.S_IFLNK | 0o777} {
		d := block.NewMemory(slices.Clone(good.Bytes()))
		f := mount(t, d, manual)
		f.lock()
		v, err := f.t.get(key(rootIno, kindRecord))
		rec, ok := decodeRecord(v)
		if err != nil || !ok {
			t.Fatal(err)
		}
		rec.mode = mode
		f.put(key(rootIno, kindRecord), rec.encode(nil))
		err = f.commit()
		f.unlock()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Salvage(d, SalvageOptions{}); err != nil {
			t.Fatal(err)
		}
		check(t, d)
		if got, want := len(things(t, d)[rootIno].names), len(things(t, good)[rootIno].names); got != want {
			t.Errorf("mode %o: %d names in the root, not %d", mode, got, want)
		}
	}
}

// TestSalvageReads has extents that all have one place, or each a block behind the one before: what a salvage reads grows with the volume and its tree, not with the blocks that extents
// have, whether holes are made of what has a wrong sum or not.
func TestSalvageReads(t *testing.T) {
	const extents = 1000
	for _, c := range []struct {
		what  string
		step  uint64
		holes bool
	}{{"one place", 0, false}, {"one place, holes", 0, true}, {"in a row, holes", 1, true}} {
		d := &amount{Memory: formatted(t, 3000)}
		f := mount(t, d, manual)
		write(t, f, "/f", nil)
		n, e := f.Root().Lookup("f")
		if e != 0 {
			t.Fatal(e)
		}
		x := n.(*File)
		f.lock()
		sums := make([]uint32, maxExtent)
		for i := range uint64(extents) {
			x.place(extent{last: (i+1)*maxExtent - 1, block: 1000 + i*c.step, sums: sums})
		}
		x.rec.size, x.rec.blocks = extents*maxExtent*BlockSize, extents*maxExtent
		f.touch(&x.inode, true)
		f.unlock()
		n.Unref()
		f.Close()
		d.read.Store(0)
		if _, err := Salvage(d, SalvageOptions{Holes: c.holes}); err != nil {
			t.Fatal(c.what, err)
		}
		if n := d.read.Load(); n > 2*d.Info().Size {
			t.Errorf("%s: a salvage of a volume of %d bytes with extents of %d reads %d", c.what, d.Info().Size, extents*maxExtent*BlockSize, n)
		}
	}
}
