package cffs

import (
	"bytes"
	"slices"
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

// TestManifest: where part of the last commit is not there, the volume is as the one before left it; where it cannot be read, that is said. Behind the unmounting, damage is damage.
func TestManifest(t *testing.T) {
	data := bytes.Repeat([]byte("what the last commit wrote; "), 500)
	d, _ := synced(t, data)
	whole := slices.Clone(d.Bytes())
	sb, _, err := readSuper(d)
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

			copy(d.Bytes(), whole)
			bad := &unreadable{d, int64(b) * BlockSize}
			if _, err := Mount(bad, manual); err == nil {
				t.Errorf("block %d cannot be read, and the volume is mounted", b)
			}
			if !bytes.Equal(d.Bytes(), whole) {
				t.Fatal("something was written")
			}
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

// unreadable is a device with one block that cannot be read.
type unreadable struct {
	block.Device
	at int64
}

func (u *unreadable) Read(vec [][]byte, off int64) error {
	if off <= u.at && u.at < off+block.Len(vec) {
		return syscall.EIO
	}
	return u.Device.Read(vec, off)
}

// TestBadManifest has superblocks tell of things that cannot be: each is as one that is not there.
func TestBadManifest(t *testing.T) {
	d, at := synced(t, []byte("x"))
	whole := slices.Clone(d.Bytes())
	good, _, err := readSuper(d)
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
		sb, _, err := readSuper(d)
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
