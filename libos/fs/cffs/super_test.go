package cffs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// counted is a device that counts flushes.
type counted struct {
	block.Device
	flushes int
}

func (c *counted) Flush() error {
	c.flushes++
	return c.Device.Flush()
}

// TestFlushes: a commit of few blocks has one flush; one of many, one behind a spill, the last, and those of old volumes have two.
func TestFlushes(t *testing.T) {
	for _, c := range []struct {
		what       string
		d          *block.Memory
		size, want int
	}{
		{"a page", formatted(t, 2048), 100, 1},
		{"many", formatted(t, 2048), (maxManifest + 1) * BlockSize, 2},
		{"more than may wait", formatted(t, 4096), 10 << 20, 2},
		{"an old volume", formattedOld(t, 2048), 100, 2},
	} {
		d := &counted{Device: c.d}
		f := mount(t, d, manual)
		write(t, f, "/f", make([]byte, c.size))
		d.flushes = 0
		if e := f.Sync(); e != 0 || d.flushes != c.want {
			t.Errorf("%s: %d flushes, want %d, %v", c.what, d.flushes, c.want, e)
		}
		if e := f.Sync(); e != 0 || d.flushes != c.want {
			t.Errorf("%s: nothing has changed, and %d flushes, %v", c.what, d.flushes-c.want, e)
		}
		d.flushes = 0
		if err := f.Close(); err != nil || d.flushes > 2 {
			t.Errorf("%s: %d flushes, %v", c.what, d.flushes, err)
		}
		check(t, c.d)
	}
}

// synced is a volume with /f, which holds data, synced and not unmounted, and where its last superblock lies.
func synced(t *testing.T, data []byte) (d *block.Memory, at uint64) {
	d = formatted(t, 1024)
	f := mount(t, d, manual)
	write(t, f, "/f", data)
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	if len(f.sb.wrote) == 0 {
		t.Fatal("the commit does not tell what it wrote")
	}
	return d, f.sb.gen & 1
}

// TestManifest: where part of the last commit is not there, the volume is as the one before left it. Behind the unmounting, damage is damage.
func TestManifest(t *testing.T) {
	data := bytes.Repeat([]byte("what the last commit wrote; "), 500)
	d, _ := synced(t, data)
	whole := slices.Clone(d.Bytes())
	sb, _, _, _, err := readSuper(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range sb.wrote {
		for b := w.first; b < w.first+w.n; b++ {
			copy(d.Bytes(), whole)
			d.Bytes()[b*BlockSize+BlockSize/2] ^= 1
			f := mount(t, d, manual)
			tree := core.NewTree("cffs", f)
			if _, e := tree.Resolve(tree.Root(), "/f", 0); e != syscall.ENOENT {
				t.Errorf("block %d is not there: %v", b, e)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			check(t, d)

		}
	}
	copy(d.Bytes(), whole)
	f := mount(t, d, manual)
	if got := contents(t, f, "/f"); !bytes.Equal(got, data) {
		t.Error("other bytes")
	}
	f.Close()
	at := bytes.Index(d.Bytes(), data[:100])
	for i := at; i >= 0; i = bytes.Index(d.Bytes(), data[:100]) {
		d.Bytes()[i] ^= 1
	}
	f = mount(t, d, manual)
	tree := core.NewTree("cffs", f)
	p, e := tree.Resolve(tree.Root(), "/f", 0)
	if e != 0 {
		t.Fatal(e)
	}
	if _, e := p.Node.(core.File).ReadAt(make([]byte, 10), 0); e != syscall.EIO {
		t.Error("damaged data is read with", e)
	}
}

// unreadable is a device with one block that cannot be read until it was written to, or as often as it says.
type unreadable struct {
	block.Device
	at    int64
	times int
}

func (u *unreadable) Read(vec [][]byte, off int64) error {
	if off <= u.at && u.at < off+block.Len(vec) && u.times > 0 {
		u.times--
		return syscall.EIO
	}
	return u.Device.Read(vec, off)
}

func (u *unreadable) Write(vec [][]byte, off int64) error {
	if off <= u.at && u.at < off+block.Len(vec) {
		u.times = 0
	}
	return u.Device.Write(vec, off)
}

// has says whether a volume has a file.
func has(f *FS, name string) bool {
	n, e := f.Root().Lookup(name)
	if e == 0 {
		n.Unref()
	}
	return e == 0
}

// TestUnreadableCommit: where part of the last commit cannot be read, it may have been acknowledged. The volume is as the one before left it, nothing is written to it, all who ask are told, and when the
// disk can be read again all is there. A repair goes back for good only when it is told to.
func TestUnreadableCommit(t *testing.T) {
	d, _ := synced(t, bytes.Repeat([]byte("x"), 5000))
	whole := slices.Clone(d.Bytes())
	sb, _, _, _, err := readSuper(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range sb.wrote {
		for b := w.first; b < w.first+w.n; b++ {
			copy(d.Bytes(), whole)
			bad := &unreadable{d, int64(b) * BlockSize, 1 << 30}
			said := ""
			o := manual
			o.Log = func(s string) { said += s }
			f := mount(t, bad, o)
			where := fmt.Sprintf("its block %d cannot be read (input/output error)", b)
			if err := f.Doubt(); err == nil || said != err.Error() || !strings.Contains(said, where) || !strings.Contains(said, "memory: commit "+fmt.Sprint(sb.gen)) {
				t.Errorf("block %d: %v, and told is %q", b, err, said)
			}
			if _, e := f.Root().Create("new", syscall.S_IFREG, 0); has(f, "f") || e != syscall.EROFS {
				t.Errorf("block %d: /f is there: %v; a file is made: %v", b, has(f, "f"), e)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			r, err := Check(bad, true)
			if err != nil || len(r.Problems) == 0 || !r.Problems[0].Loss || !strings.Contains(r.Problems[0].What, where) || slices.ContainsFunc(r.Problems[1:], func(p Problem) bool { return p.Loss }) {
				t.Errorf("block %d: %v, %v", b, err, r.Problems)
			}
			if done, err := Repair(bad, false); err != ErrAfter {
				t.Errorf("block %d: repaired: %v, %v", b, done, err)
			}
			if !bytes.Equal(d.Bytes(), whole) {
				t.Fatal("something was written")
			}

			bad.times = 1 // it passes
			f = mount(t, bad, manual)
			if f.Doubt() != nil || !has(f, "f") {
				t.Errorf("block %d can be read again: %v, /f is there: %v", b, f.Doubt(), has(f, "f"))
			}
			f.Close()

			copy(d.Bytes(), whole)
			bad.times = 1 << 30
			if done, err := Repair(bad, true); err != nil || len(done) != len(r.Problems) {
				t.Errorf("block %d: repaired: %v, %v", b, done, err)
			}
			check(t, d)
			f = mount(t, d, manual)
			if f.Doubt() != nil || has(f, "f") {
				t.Errorf("block %d: it was gone back: %v, /f is there: %v", b, f.Doubt(), has(f, "f"))
			}
			write(t, f, "/g", []byte("more"))
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			check(t, d)
		}
	}
}

// TestOlderCommit: a commit that another came behind was durable, whatever became of that. What cannot be read of it is damage, which hinders nobody else.
func TestOlderCommit(t *testing.T) {
	d, _ := synced(t, bytes.Repeat([]byte("x"), 5000))
	f := mount(t, d, manual)
	write(t, f, "/g", bytes.Repeat([]byte("y"), 5000))
	f.Sync()
	g := slices.Clone(d.Bytes())
	older := f.sb.wrote
	write(t, f, "/h", []byte("z"))
	f.Sync()
	newest := f.sb.wrote[0].first * BlockSize
	copy(d.Bytes()[newest:], make([]byte, BlockSize)) // it did not come to its end
	data := int64(bytes.Index(g, bytes.Repeat([]byte("y"), 4096)))
	if !slices.ContainsFunc(older, func(s span) bool { return s.first <= uint64(data)/BlockSize && uint64(data)/BlockSize < s.first+s.n }) {
		t.Fatal("the data is not of that commit")
	}
	said := ""
	o := manual
	o.Log = func(s string) { said += s }
	f = mount(t, &unreadable{d, data, 1 << 30}, o)
	if f.Doubt() != nil || has(f, "h") || !strings.Contains(said, "did not come to its end") {
		t.Errorf("%v, %q, /h is there: %v", f.Doubt(), said, has(f, "h"))
	}
	tree := core.NewTree("cffs", f)
	p, e := tree.Resolve(tree.Root(), "/g", 0)
	if e != 0 {
		t.Fatal(e)
	}
	if _, e := p.Node.(core.File).ReadAt(make([]byte, 10), 0); e != syscall.EIO {
		t.Error("what cannot be read is read with", e)
	}
	write(t, f, "/i", []byte("more"))
	if e := f.Sync(); e != 0 || len(contents(t, f, "/f")) != 5000 {
		t.Error(e)
	}
}

// TestForeignCopies: where both superblocks are gone, the copies of a volume that lay there before do not count, and neither does one of those where the last commit did not come to its end.
func TestForeignCopies(t *testing.T) {
	large := func(uuid byte, commits int, name string) []byte {
		m := block.NewMemory(make([]byte, (groupBlocks+1000)*BlockSize))
		if err := Format(m, FormatOptions{UUID: [16]byte{uuid}}); err != nil {
			t.Fatal(err)
		}
		f := mount(t, m, manual)
		for range commits {
			write(t, f, name, []byte("x"))
			f.Sync()
		}
		return m.Bytes()
	}
	disk := large(1, 2, "/mine")
	other := large(2, 9, "/other")
	at := len(disk) - 2*BlockSize
	copy(disk[at:], other[(groupBlocks-2)*BlockSize:groupBlocks*BlockSize])
	clear(disk[:2*BlockSize])
	d := block.NewMemory(disk)
	sb, _, _, _, err := readSuper(d)
	if err != nil || sb == nil || sb.uuid != [16]byte{1} {
		t.Fatal(sb, err)
	}
	disk[sb.wrote[0].first*BlockSize] ^= 1
	again, _, after, _, err := readSuper(d)
	if err != nil || again == nil || again.uuid != sb.uuid || again.gen != sb.gen-1 || after == nil {
		t.Error(again, after, err)
	}
}

// TestBadManifest has superblocks tell of things that cannot be: each is as one that is not there.
func TestBadManifest(t *testing.T) {
	d, at := synced(t, []byte("x"))
	whole := slices.Clone(d.Bytes())
	good, _, _, _, err := readSuper(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrote := range [][]span{
		{{0, 0}},
		{{1 << 47, 1}},
		{{1023, 2}},
		{{1024, 1}},
		{{1, 65535}},
		slices.Repeat([]span{{10, 1}}, maxManifest+1),
		slices.Repeat([]span{{10, 1}}, maxSpans),
		{{10, 1}, {0, 1}},
	} {
		copy(d.Bytes(), whole)
		s := *good
		s.wrote = wrote
		for _, b := range []uint64{at, s.backup + at} {
			copy(d.Bytes()[b*BlockSize:], s.encode())
		}
		sb, _, _, _, err := readSuper(d)
		if err != nil || sb == nil || sb.gen != good.gen-1 {
			t.Errorf("%v: %+v, %v", wrote, sb, err)
		}
	}
	// A list that is longer than the block.
	b := good.encode()
	le.PutUint64(b[manifestAt:], maxSpans+1)
	seal(b)
	if decodeSuper(b) != nil {
		t.Error("a list that does not fit is read")
	}
}

// TestLostSuperblock: the last commit did not come to its end, and of the one before it both superblocks are damaged: the one before that does not stand for it, for its blocks were written to since.
func TestLostSuperblock(t *testing.T) {
	d, _ := synced(t, []byte("x"))
	f := mount(t, d, manual)
	write(t, f, "/g", []byte("y"))
	f.Sync()
	before := slices.Clone(d.Bytes()) // the copy of the next superblock is not written any more
	write(t, f, "/h", []byte("z"))
	f.Sync()
	gen := f.sb.gen
	copy(d.Bytes()[(f.sb.backup+gen&1)*BlockSize:][:BlockSize], before[(f.sb.backup+gen&1)*BlockSize:])
	clear(d.Bytes()[f.sb.wrote[0].first*BlockSize:][:BlockSize])
	if g := mount(t, block.NewMemory(slices.Clone(d.Bytes())), manual); g.sb.gen < gen || has(g, "h") || !has(g, "g") {
		t.Error(g.sb.gen, has(g, "h"), has(g, "g"))
	}
	for _, at := range []uint64{0, f.sb.backup} {
		d.Bytes()[(at+(gen-1)&1)*BlockSize+100] ^= 1
	}
	whole := slices.Clone(d.Bytes())
	if _, err := Mount(d, manual); err == nil || !strings.Contains(err.Error(), "the one before it is not found") {
		t.Error(err)
	}
	if !bytes.Equal(d.Bytes(), whole) {
		t.Error("something was written")
	}
}

// worn is a device of which some blocks cannot be read until they were written to.
type worn struct {
	block.Device
	mu  sync.Mutex // writes come several at a time
	bad map[int64]bool
}

func (w *worn) each(vec [][]byte, off int64, do func(b int64) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for b := off / BlockSize; b < (off+block.Len(vec)+BlockSize-1)/BlockSize; b++ {
		if err := do(b); err != nil {
			return err
		}
	}
	return nil
}

func (w *worn) Read(vec [][]byte, off int64) error {
	if err := w.each(vec, off, func(b int64) error {
		if w.bad[b] {
			return syscall.EIO
		}
		return nil
	}); err != nil {
		return err
	}
	return w.Device.Read(vec, off)
}

func (w *worn) Write(vec [][]byte, off int64) error {
	w.each(vec, off, func(b int64) error { delete(w.bad, b); return nil })
	return w.Device.Write(vec, off)
}

// TestUnreadableSuperblocks: a volume of which neither superblock can be read is mounted by their copies, with a line that says so, and a check tells of each; commits write them anew. So it is with one of them, and with
// the copies, without a line. Of a volume that has none of the four there is an error.
func TestUnreadableSuperblocks(t *testing.T) {
	for _, unmounted := range []bool{true, false} {
		d, _ := synced(t, []byte("what was synced"))
		f := mount(t, d, manual)
		write(t, f, "/g", []byte("and more"))
		if f.Sync(); unmounted {
			f.Close()
		}
		backup := int64(f.sb.backup)
		whole := slices.Clone(d.Bytes())
		for _, bad := range [][]int64{{0, 1}, {0}, {1}, {backup, backup + 1}, {0, backup + 1}, {1, backup}} {
			copy(d.Bytes(), whole)
			w := &worn{Device: d, bad: map[int64]bool{}}
			for _, b := range bad {
				w.bad[b] = true
			}
			r, err := Check(w, true)
			if err != nil || len(r.Problems) != len(bad) {
				t.Fatal(bad, err, r)
			}
			for i, p := range r.Problems {
				if want := fmt.Sprintf("the superblock at %d cannot be read: ", bad[i]); p.Loss || !strings.HasPrefix(p.What, want) {
					t.Errorf("%q, want %q", p, want)
				}
			}
			said := ""
			o := manual
			o.Log = func(s string) { said += s }
			f := mount(t, w, o)
			if lost := slices.Equal(bad, []int64{0, 1}); lost != (said == "cffs: memory: neither of its superblocks can be read: the volume is mounted by their copies") || !lost && said != "" {
				t.Errorf("%v: told is %q", bad, said)
			}
			for i := range 3 {
				if got := string(contents(t, f, "/f")) + string(contents(t, f, "/g")); got != "what was syncedand more" {
					t.Errorf("%v: %q", bad, got)
				}
				write(t, f, fmt.Sprint("/h", i), []byte("new"))
				if e := f.Sync(); e != 0 {
					t.Error(bad, e, f.failed)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(bad, err)
			}
			if len(w.bad) > 0 {
				t.Errorf("%v: some were not written anew: %v", bad, w.bad)
			}
			check(t, w)
		}
		copy(d.Bytes(), whole)
		if f, err := Mount(&worn{Device: d, bad: map[int64]bool{0: true, 1: true, backup: true, backup + 1: true}}, manual); err == nil || !strings.Contains(err.Error(), "it cannot be read") {
			t.Error(f, err)
		}
		if !bytes.Equal(d.Bytes(), whole) {
			t.Error("it was written to")
		}
	}
}
