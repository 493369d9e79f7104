package cffs

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// watched mounts a volume with an owner that looks for questions so often.
func watched(t testing.TB, d block.Device, every time.Duration) *FS {
	t.Helper()
	o := manual
	o.Watch, o.every = true, every
	return mount(t, d, o)
}

const never = time.Hour // an owner that is stopped

// impatient waits for an answer for so long; said gets what the log is told.
func impatient(wait time.Duration, said *atomic.Pointer[string]) Options {
	o := manual
	o.patience = wait
	o.Log = func(s string) {
		if said != nil {
			said.Store(&s)
		}
	}
	return o
}

// refused is the error of a volume that another one has, and says so.
func refused(err error) bool {
	var m *MountError
	return errors.As(err, &m) && m.Why == errAnswered.Error() && !m.Reads
}

// apart is the volume without the question and the answer.
func apart(d *block.Memory) []byte {
	b := bytes.Clone(d.Bytes())
	clear(b[askAt*BlockSize : (answerAt+1)*BlockSize])
	return b
}

// TestWatched: who mounts or repairs a volume that another one watches is refused, and writes nothing of it; who reads is not. The owner goes on, and when it has unmounted the volume nobody asks.
func TestWatched(t *testing.T) {
	d := formatted(t, minBlocks)
	first := watched(t, d, time.Millisecond)
	write(t, first, "/f", []byte("kept"))
	if e := first.Sync(); e != 0 {
		t.Fatal(e)
	}
	d.Bytes()[(first.sb.backup+1-first.sb.gen&1)*BlockSize+100] ^= 1 // so that there is something to repair
	was := apart(d)
	ro := manual
	ro.ReadOnly = true
	for what, do := range map[string]func() error{
		"mount":          func() error { _, err := Mount(d, manual); return err },
		"mount, watched": func() error { o := manual; o.Watch = true; _, err := Mount(d, o); return err },
		"repair":         func() error { _, err := Repair(d, false); return err },
		"salvage":        func() error { _, err := Salvage(d, SalvageOptions{}); return err },
		"read":           func() error { f, err := Mount(d, ro); f.Close(); return err },
	} {
		if err := do(); refused(err) == (what == "read") {
			t.Errorf("%s: %v", what, err)
		}
		if !bytes.Equal(was, apart(d)) {
			t.Fatalf("%s: something was written", what)
		}
	}
	write(t, first, "/g", []byte("too"))
	if e := first.Sync(); e != 0 {
		t.Error(e)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	f := mount(t, d, impatient(never, nil))
	if !f.Clean() || f.sb.writeNeeds != 0 || string(contents(t, f, "/f"))+string(contents(t, f, "/g")) != "kepttoo" {
		t.Errorf("clean %v, needs %x", f.Clean(), f.sb.writeNeeds)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	check(t, d)
}

// TestWatchedCrash: after a crash of an owner that watched who mounts waits and has the volume; after one of an owner that did not, nobody waits.
func TestWatchedCrash(t *testing.T) {
	d := formatted(t, minBlocks)
	f := watched(t, d, never)
	write(t, f, "/f", []byte("kept"))
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	crashed := block.NewMemory(bytes.Clone(d.Bytes()))
	f.Close()
	const wait = 60 * time.Millisecond
	var said atomic.Pointer[string]
	began := time.Now()
	f = mount(t, crashed, impatient(wait, &said))
	if took := time.Since(began); took < wait || said.Load() == nil || !strings.Contains(*said.Load(), "asking, for 60ms") {
		t.Errorf("it asked for %v, and said %v", took, said.Load())
	}
	if got := contents(t, f, "/f"); string(got) != "kept" {
		t.Errorf("%q", got)
	}
	again := block.NewMemory(bytes.Clone(crashed.Bytes()))
	f.Close()
	f = mount(t, again, impatient(never, nil))
	if f.Clean() {
		t.Error("it was not unmounted")
	}
	f.Close()
	check(t, again)
}

// TestTwoAsk: of several that mount a volume after a crash, at once, one has it.
func TestTwoAsk(t *testing.T) {
	for range 5 {
		d := formatted(t, minBlocks)
		f := watched(t, d, never)
		crashed := block.NewMemory(bytes.Clone(d.Bytes()))
		f.Close()
		var all sync.WaitGroup
		var have atomic.Pointer[FS]
		for range 4 {
			all.Go(func() {
				o := impatient(150*time.Millisecond, nil)
				o.Watch, o.every = true, time.Millisecond
				f, err := Mount(crashed, o)
				var m *MountError
				switch {
				case err == nil && !have.CompareAndSwap(nil, f):
					t.Error("two have it")
				case err != nil && !errors.As(err, &m):
					t.Error(err)
				case err != nil && m.Why != errAsks.Error() && m.Why != errWrites.Error() && m.Why != errAnswered.Error() && !errors.Is(err, errAsks) && !errors.Is(err, errWrites):
					t.Error(err)
				}
			})
		}
		all.Wait()
		f = have.Load()
		if f == nil {
			t.Fatal("nobody has it")
		}
		write(t, f, "/f", []byte("mine"))
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		check(t, crashed)
	}
}

// TestAskedLate: who asks while another one that asked reads what it needs to mount the volume, keeps that one from writing to it.
func TestAskedLate(t *testing.T) {
	d := formatted(t, minBlocks)
	f := watched(t, d, never)
	crashed := block.NewMemory(bytes.Clone(d.Bytes()))
	f.Close()
	for _, repairs := range []bool{false, true} {
		one, err := openAsking(crashed, impatient(1, nil), open)
		if err != nil {
			t.Fatal(err)
		}
		two, err := open(crashed, impatient(1, nil))
		if err == nil {
			err = two.inquire()
		}
		if err != nil {
			t.Fatal(err)
		}
		was := apart(crashed)
		if repairs {
			one.lock()
			if err = one.settle(); err == nil {
				one.change++
				err = one.commit()
			}
			one.unlock()
		} else {
			err = one.take()
		}
		if err != errAsks || !bytes.Equal(was, apart(crashed)) {
			t.Errorf("repairs %v: %v", repairs, err)
		}
		if repairs {
			if err := two.take(); err != nil {
				t.Error(err)
			}
			two.Close()
		}
	}
	check(t, crashed)
}

// TestUnmountWhileAsked: an owner that does not answer, and unmounts, is waited for no longer; one that writes is running.
func TestUnmountWhileAsked(t *testing.T) {
	for _, unmounts := range []bool{true, false} {
		d := formatted(t, minBlocks)
		first := watched(t, d, never)
		write(t, first, "/f", []byte("kept"))
		got := make(chan error, 1)
		var second *FS
		go func() {
			f, err := Mount(d, impatient(3*time.Second, nil))
			second = f
			got <- err
		}()
		b := make([]byte, BlockSize)
		for ok := false; !ok; _, ok = decodeQuestion(b, askMagic, &first.sb.uuid) {
			time.Sleep(time.Millisecond)
			d.Read([][]byte{b}, askAt*BlockSize)
		}
		if unmounts {
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-got; err != nil {
				t.Fatal(err)
			}
			if got := contents(t, second, "/f"); string(got) != "kept" {
				t.Errorf("%q", got)
			}
			second.Close()
		} else {
			if e := first.Sync(); e != 0 {
				t.Error(e)
			}
			if err := <-got; err == nil || !strings.Contains(err.Error(), errWrites.Error()) {
				t.Error(err)
			}
			first.Close()
		}
		check(t, d)
	}
}

// gated is a device whose writes wait, but for those of answers.
type gated struct {
	block.Device
	shut  sync.RWMutex
	waits chan struct{} // is told of one that comes
}

func (g *gated) Write(vec [][]byte, off int64) error {
	if off != answerAt*BlockSize {
		select {
		case g.waits <- struct{}{}:
		default:
		}
		g.shut.RLock()
		defer g.shut.RUnlock()
	}
	return g.Device.Write(vec, off)
}

// TestAnswerDuringCommit: an owner answers while a commit of its own waits for the disk.
func TestAnswerDuringCommit(t *testing.T) {
	d := formatted(t, minBlocks)
	g := &gated{Device: d, waits: make(chan struct{}, 1)}
	f := watched(t, g, time.Millisecond)
	write(t, f, "/f", []byte("kept"))
	g.shut.Lock()
	select {
	case <-g.waits: // of the mount
	default:
	}
	synced := make(chan core.Errno)
	go func() { synced <- f.Sync() }()
	<-g.waits
	if _, err := Mount(d, manual); !refused(err) {
		t.Error(err)
	}
	g.shut.Unlock()
	if e := <-synced; e != 0 {
		t.Error(e)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	check(t, d)
}

// TestOwnerStopped: an owner that is stopped for longer than it is waited for has lost the volume, and writes nothing more: at its next commit, or when it looks for questions.
func TestOwnerStopped(t *testing.T) {
	d := formatted(t, minBlocks)
	first := watched(t, d, never)
	second := mount(t, d, impatient(time.Millisecond, nil))
	if e := (op{kind: "write", a: "lost", n: 1}).do(treeOf(first)); e != 0 {
		t.Fatal(e)
	}
	if e := first.Sync(); e != syscall.EIO || first.failed != errForeign {
		t.Error(e, first.failed)
	}
	first.Close()
	second.Close()
	check(t, d)

	idle := make(chan string, 1)
	o := manual
	o.Watch, o.every, o.Log = true, time.Millisecond, func(s string) { idle <- s }
	f := mount(t, d, o)
	other, err := open(d, manual) // as who knows nothing of questions
	if err == nil {
		err = other.take()
	}
	if err != nil {
		t.Fatal(err)
	}
	if s := <-idle; !strings.Contains(s, errForeign.Error()) {
		t.Error(s)
	}
	f.Close()
	other.Close()
	check(t, d)
}

// failing is a device that reads nothing while it is told so.
type failing struct {
	block.Device
	fails atomic.Bool
}

func (f *failing) Read(vec [][]byte, off int64) error {
	if f.fails.Load() {
		return block.ErrInjected
	}
	return f.Device.Read(vec, off)
}

// TestWatchFails: where the disk fails under who watches that is told once, and it answers when the disk reads again. An owner that writes no more does not answer.
func TestWatchFails(t *testing.T) {
	d := formatted(t, minBlocks)
	x := &failing{Device: d}
	said := make(chan string, 100)
	o := manual
	o.Watch, o.every, o.Log = true, time.Millisecond, func(s string) { said <- s }
	f := mount(t, x, o)
	x.fails.Store(true)
	if s := <-said; !strings.Contains(s, "may not be refused: "+block.ErrInjected.Error()) {
		t.Error(s)
	}
	time.Sleep(20 * time.Millisecond)
	x.fails.Store(false)
	if _, err := Mount(d, manual); !refused(err) {
		t.Error(err)
	}
	if s := <-said; !strings.Contains(s, "was refused") {
		t.Error(s)
	}
	x.fails.Store(true)
	write(t, f, "/f", nil)
	if e := f.Sync(); e != syscall.EIO {
		t.Error(e)
	}
	<-f.watcher.done
	x.fails.Store(false)
	if g, err := Mount(d, impatient(50*time.Millisecond, nil)); err != nil {
		t.Error(err)
	} else {
		g.Close()
	}
	f.Close()
	check(t, d)
}

// TestNotAsked: what is no question to this owner gets no answer, and who cannot ask mounts nothing.
func TestNotAsked(t *testing.T) {
	d := formatted(t, minBlocks)
	f := watched(t, d, never)
	q := question{owner: f.sb.owner, id: [16]byte{1}}
	good := q.encode(askMagic, &f.sb.uuid)
	torn := bytes.Clone(good)
	torn[BlockSize-1] = 1
	other := question{owner: [16]byte{1}, id: [16]byte{2}}
	uuid := f.sb.uuid
	w := &watcher{owner: q.owner, uuid: uuid}
	b := make([]byte, (answerAt+1)*BlockSize)
	for what, block := range map[string][]byte{"torn": torn, "another volume's": q.encode(askMagic, new([16]byte)), "another owner's": other.encode(askMagic, &uuid), "an answer": q.encode(answerMagic, &uuid), "whole": good} {
		copy(d.Bytes()[askAt*BlockSize:], block)
		clear(d.Bytes()[answerAt*BlockSize:][:BlockSize])
		if f.attend(w, b); w.said {
			t.Errorf("%s: not read", what)
		}
		if _, ok := decodeQuestion(d.Bytes()[answerAt*BlockSize:][:BlockSize], answerMagic, &uuid); ok != (what == "whole") {
			t.Errorf("%s: answered: %v", what, ok)
		}
	}
	crashed := bytes.Clone(d.Bytes())
	f.Close()
	clear(d.Bytes()[answerAt*BlockSize:][:BlockSize])
	w.last = question{}
	copy(d.Bytes()[askAt*BlockSize:], good)
	if f.attend(w, b); w.last != (question{}) {
		t.Error("unmounted: answered")
	}
	x := &block.Faulty{Device: block.NewMemory(bytes.Clone(crashed))}
	mount(t, x, impatient(1, nil)).Close()
	total := x.Requests()
	for at := int64(1); at <= total; at++ {
		m := block.NewMemory(bytes.Clone(crashed))
		f, err := Mount(&block.Faulty{Device: m, At: at}, impatient(1, nil))
		if err == nil {
			f.Close()
		}
		g := mount(t, m, impatient(1, nil))
		g.Close()
		check(t, m)
	}
	x = &block.Faulty{Device: block.NewMemory(crashed)}
	f, err := open(x, impatient(1, nil))
	if err != nil {
		t.Fatal(err)
	}
	x.At, x.Last = 1, 1<<40
	var m *MountError
	if err := f.inquire(); !errors.As(err, &m) || !m.Reads || !errors.Is(err, block.ErrInjected) {
		t.Error(err)
	}
}
