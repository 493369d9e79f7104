package cffs

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// held is a device on which requests of a kind wait until they are let go.
type held struct {
	block.Device
	writes, reads atomic.Pointer[chan struct{}] // nil: they do not wait
	came          chan struct{}                 // one for each that waits
}

func (d *held) wait(gate *atomic.Pointer[chan struct{}]) {
	if g := gate.Load(); g != nil {
		select {
		case d.came <- struct{}{}:
		default:
		}
		<-*g
	}
}

func (d *held) Write(vec [][]byte, off int64) error {
	d.wait(&d.writes)
	return d.Device.Write(vec, off)
}

func (d *held) Read(vec [][]byte, off int64) error {
	d.wait(&d.reads)
	return d.Device.Read(vec, off)
}

// meanwhile fails the test where f does not end: what it does waits for what the test holds.
func meanwhile(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal(what, "waits")
	}
}

// looks reads a file in every way, and wants to find data.
func looks(t *testing.T, f *FS, name string, data []byte) {
	tree := core.NewTree("cffs", f)
	p, e := tree.Open(core.Place{}, "/"+name, 0, 0, 0)
	if e != 0 {
		t.Error(name, e)
		return
	}
	defer p.Drop()
	x := p.Node.(*File)
	b := make([]byte, len(data))
	if n, e := x.ReadAt(b, 0); n != len(b) || e != 0 || !bytes.Equal(b, data) {
		t.Error(name, "reads as something else", n, e)
	}
	if l, e := x.Lend(0, len(b)); e != 0 || !bytes.Equal(l.Bytes, data[:len(l.Bytes)]) {
		t.Error(name, "is lent as something else", e)
	}
	if a := x.Attr(); a.Size != int64(len(data)) {
		t.Error(name, a.Size)
	}
	found := false
	f.Root().ReadDir(0, func(e *core.Entry) bool { found = found || e.Name == name; return true })
	if !found {
		t.Error(name, "is in no list")
	}
}

// TestReadersWaitForNoCommit holds the writes of a commit back: files that are dirty, clean, and on the disk only are read meanwhile, and found by names that nobody looked for yet.
func TestReadersWaitForNoCommit(t *testing.T) {
	d := &held{Device: formatted(t, 4096), came: make(chan struct{}, 1)}
	old, dirty := bytes.Repeat([]byte("old."), 3*BlockSize/4), bytes.Repeat([]byte("new!"), 5*BlockSize/4)
	f := mount(t, d, manual)
	for _, name := range []string{"clean", "cold", "changed"} {
		write(t, f, "/"+name, old)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = mount(t, d, manual)
	looks(t, f, "clean", old)
	write(t, f, "/dirty", dirty)
	write(t, f, "/changed", dirty)
	gate := make(chan struct{})
	d.writes.Store(&gate)
	synced := make(chan core.Errno)
	go func() { synced <- f.Sync() }()
	<-d.came
	meanwhile(t, "who reads", func() {
		looks(t, f, "clean", old)
		looks(t, f, "cold", old)
		looks(t, f, "dirty", dirty)
		looks(t, f, "changed", dirty)
		f.Statfs(&core.Statfs{})
	})
	select {
	case e := <-synced:
		t.Error("the commit ended before its writes", e)
	default:
	}
	d.writes.Store(nil)
	close(gate)
	if e := <-synced; e != 0 {
		t.Fatal(e)
	}
	looks(t, f, "dirty", dirty)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = mount(t, d, Options{ReadOnly: true})
	looks(t, f, "dirty", dirty)
	looks(t, f, "changed", dirty)
	looks(t, f, "cold", old)
}

// TestReadersWaitForNoReader holds one file's read back: others are read and written meanwhile, and that one may be changed. What was read then is not what it was told to be by then, and
// it is looked for again.
func TestReadersWaitForNoReader(t *testing.T) {
	d := &held{Device: formatted(t, 4096), came: make(chan struct{}, 1)}
	f := mount(t, d, manual)
	one, other := bytes.Repeat([]byte("one."), 20*BlockSize/4), bytes.Repeat([]byte("two!"), 20*BlockSize/4)
	write(t, f, "/slow", one)
	write(t, f, "/other", one)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = mount(t, d, manual)
	looks(t, f, "other", one)
	tree := core.NewTree("cffs", f)
	p, e := tree.Open(core.Place{}, "/slow", 0, 0, 0)
	if e != 0 {
		t.Fatal(e)
	}
	defer p.Drop()
	gate := make(chan struct{})
	d.reads.Store(&gate)
	got := make([]byte, BlockSize)
	read := make(chan core.Errno)
	go func() { _, e := p.Node.(core.File).ReadAt(got, 18*BlockSize); read <- e }()
	<-d.came
	d.reads.Store(nil) // that one waits on
	meanwhile(t, "another", func() {
		looks(t, f, "other", one)
		write(t, f, "/other", other)
		write(t, f, "/slow", other)
		for range 2 { // so that the blocks that are being read are free, and others'
			f.Sync()
			write(t, f, "/third", other)
		}
		f.Sync()
	})
	close(gate)
	if e := <-read; e != 0 || !bytes.Equal(got, one[:BlockSize]) && !bytes.Equal(got, other[:BlockSize]) {
		t.Errorf("%v, %q...", e, got[:8])
	}
	looks(t, f, "slow", other)
	looks(t, f, "third", other)
}
