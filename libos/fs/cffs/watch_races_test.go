package cffs

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// How two images could have one volume all the same, and how a question or an answer could do harm: orders of events that those of watch_test.go do not bring about.

// A stopping device stops once, before the first call that match says.
type stopping struct {
	block.Device
	match func(call string, off int64) bool
	once  sync.Once
	at    chan struct{} // closed where it stops
	open  chan struct{} // to be closed, for it to go on
}

func stops(d block.Device, match func(call string, off int64) bool) *stopping {
	return &stopping{Device: d, match: match, at: make(chan struct{}), open: make(chan struct{})}
}

func (g *stopping) pass(call string, off int64) {
	if g.match(call, off) {
		g.once.Do(func() { close(g.at); <-g.open })
	}
}

func (g *stopping) Flush() error { g.pass("flush", 0); return g.Device.Flush() }
func (g *stopping) Read(vec [][]byte, off int64) error {
	g.pass("read", off)
	return g.Device.Read(vec, off)
}
func (g *stopping) Write(vec [][]byte, off int64) error {
	g.pass("write", off)
	return g.Device.Write(vec, off)
}
func (g *stopping) WriteAll(list []block.Piece) error {
	g.pass("write", list[0].Off)
	return block.WriteAll(g.Device, list)
}

// TestTakenMeanwhile: of two that mount a volume which nobody had, the one that has looked first and writes last is refused, mmp or not, and what the other one had acknowledged stays.
func TestTakenMeanwhile(t *testing.T) {
	for _, watch := range []bool{true, false} {
		d := formatted(t, minBlocks)
		o := manual
		o.Watch, o.every = watch, never
		g := stops(d, func(call string, _ int64) bool { return call == "flush" }) // before its first write
		got := make(chan error, 1)
		go func() {
			f, err := Mount(g, o)
			if err == nil {
				f.Close()
			}
			got <- err
		}()
		<-g.at
		first := mount(t, d, o)
		for _, name := range []string{"/f", "/g"} {
			write(t, first, name, bytes.Repeat([]byte("kept"), 4096))
			if e := first.Sync(); e != 0 {
				t.Fatal(e)
			}
		}
		close(g.open)
		if err := <-got; !errors.Is(err, errWrites) {
			t.Errorf("watched %v: the second one: %v", watch, err)
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		check(t, d)
	}
}

// A lossy device takes what is written while lose is set, loses it, and says so to the next flush only.
type lossy struct {
	block.Device
	lose, owes atomic.Bool
}

func (l *lossy) WriteAll(list []block.Piece) error {
	if l.lose.Load() {
		l.owes.Store(true)
		return nil
	}
	return block.WriteAll(l.Device, list)
}

func (l *lossy) Flush() error {
	if l.owes.Swap(false) {
		return block.ErrInjected
	}
	return l.Device.Flush()
}

// TestAnswerHearsNoFlush: what a disk has lost is for who commits to hear, not for who answers.
func TestAnswerHearsNoFlush(t *testing.T) {
	l := &lossy{Device: formatted(t, minBlocks)}
	o := manual
	o.Watch, o.every, o.Dirty = true, never, 4*BlockSize
	f := mount(t, l, o)
	write(t, f, "/a", []byte("x"))
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	l.lose.Store(true)
	write(t, f, "/f", bytes.Repeat([]byte("lost"), 16*1024)) // more than may wait
	f.lock()
	flight := f.flight
	f.unlock()
	if flight == nil {
		t.Fatal("nothing was written ahead of the commit")
	}
	<-flight.done
	l.lose.Store(false)
	q := question{owner: f.sb.owner, id: [16]byte{1}}
	if err := l.Write([][]byte{q.encode(askMagic, &f.sb.uuid)}, askAt*BlockSize); err != nil {
		t.Fatal(err)
	}
	if f.attend(f.watcher, make([]byte, (answerAt+1)*BlockSize)); f.watcher.last != q {
		t.Error("no answer")
	}
	if e := f.Sync(); e == 0 {
		t.Error("a sync says that all is there")
	}
	f.Close()
}

// TestRepairOfOld: a repair by what was found before the owner's last commits writes nothing.
func TestRepairOfOld(t *testing.T) {
	for what, repair := range map[string]func(block.Device) error{
		"repair":  func(d block.Device) error { _, err := Repair(d, false); return err },
		"salvage": func(d block.Device) error { _, err := Salvage(d, SalvageOptions{}); return err },
	} {
		d := formatted(t, minBlocks)
		f := watched(t, d, time.Millisecond)
		write(t, f, "/f", []byte("kept"))
		f.Sync()
		d.Bytes()[(f.sb.backup+1-f.sb.gen&1)*BlockSize+100] ^= 1
		reads := 0
		count := stops(d, func(call string, _ int64) bool { reads++; return false })
		if _, err := Check(count, false); err != nil {
			t.Fatal(err)
		}
		n := 0
		g := stops(d, func(call string, _ int64) bool { n++; return n == reads+1 })
		got := make(chan error, 1)
		go func() { got <- repair(g) }()
		<-g.at
		write(t, f, "/g", bytes.Repeat([]byte("more"), 65536))
		if e := f.Sync(); e != 0 {
			t.Fatal(e)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		close(g.open)
		if err := <-got; err == nil || !strings.Contains(err.Error(), "it was written to while it was checked") {
			t.Errorf("%s: %v", what, err)
		}
		check(t, d)
	}
}

// A flaky device cannot read some blocks: so many times, or until they are written to.
type flaky struct {
	block.Device
	at    int64
	times atomic.Int64
}

func (x *flaky) Read(vec [][]byte, off int64) error {
	n := int64(0)
	for _, v := range vec {
		n += int64(len(v))
	}
	if a := x.at * BlockSize; off <= a && a < off+n && x.times.Add(-1) >= 0 {
		return block.ErrInjected
	}
	return x.Device.Read(vec, off)
}

func (x *flaky) Write(vec [][]byte, off int64) error {
	if off == x.at*BlockSize {
		x.times.Store(0)
	}
	return x.Device.Write(vec, off)
}

// TestUnreadableBoard: a volume whose owner has crashed can be mounted where the question's block or the answer's cannot be read until it is written to.
func TestUnreadableBoard(t *testing.T) {
	d := formatted(t, minBlocks)
	f := watched(t, d, never)
	crashed := bytes.Clone(d.Bytes())
	f.Close()
	for at := int64(askAt); at <= answerAt; at++ {
		x := &flaky{Device: block.NewMemory(bytes.Clone(crashed)), at: at}
		x.times.Store(1 << 40)
		f, err := Mount(x, impatient(1, nil))
		if err != nil {
			t.Errorf("block %d: %v", at, err)
			continue
		}
		f.Close()
	}
}

// TestWatcherReadsOn: an owner whose superblock cannot be read for a moment has not lost the volume, and answers.
func TestWatcherReadsOn(t *testing.T) {
	for commits := range 2 {
		d := formatted(t, minBlocks)
		f := watched(t, d, never)
		crashed := block.NewMemory(bytes.Clone(d.Bytes())) // so that the older superblock has another owner
		f.Close()
		x := &flaky{Device: crashed}
		o := impatient(1, nil)
		o.Watch, o.every = true, never
		f = mount(t, x, o)
		for range commits {
			write(t, f, "/f", []byte("x"))
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
		}
		x.at = int64(f.sb.gen & 1)
		q := question{owner: f.sb.owner, id: [16]byte{1}}
		if err := x.Write([][]byte{q.encode(askMagic, &f.sb.uuid)}, askAt*BlockSize); err != nil {
			t.Fatal(err)
		}
		x.times.Store(2) // both superblocks in one request, and this one alone
		f.attend(f.watcher, make([]byte, (answerAt+1)*BlockSize))
		select {
		case <-f.watcher.stop:
			t.Error("the owner watches no more")
		default:
		}
		if f.watcher.last != q {
			t.Error("no answer")
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAnswersAgain: an answer that somebody has written over is there again while the question is.
func TestAnswersAgain(t *testing.T) {
	d := formatted(t, minBlocks)
	f := watched(t, d, never)
	q := question{owner: f.sb.owner, id: [16]byte{1}}
	copy(d.Bytes()[askAt*BlockSize:], q.encode(askMagic, &f.sb.uuid))
	b := make([]byte, (answerAt+1)*BlockSize)
	for range 2 {
		clear(d.Bytes()[answerAt*BlockSize:][:BlockSize])
		f.attend(f.watcher, b)
		if a, ok := decodeQuestion(d.Bytes()[answerAt*BlockSize:][:BlockSize], answerMagic, &f.sb.uuid); !ok || a != q {
			t.Error("no answer")
		}
	}
	f.Close()
}

// TestAnswersFromTheFirst: an owner answers as soon as it has the volume, while it still removes what has no name.
func TestAnswersFromTheFirst(t *testing.T) {
	d := formatted(t, 4*minBlocks)
	f := watched(t, d, never)
	for i := range 300 {
		write(t, f, "/x"+string(rune('a'+i%26))+string(rune('a'+i/26)), []byte("1"))
	}
	tr := treeOf(f)
	p, e := tr.Open(tr.Root(), "xaf", 0, 0, 0)
	if e != 0 {
		t.Fatal(e)
	}
	if e := (op{kind: "unlink", a: "xaf"}).do(tr); e != 0 {
		t.Fatal(e)
	}
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	crashed := block.NewMemory(bytes.Clone(d.Bytes()))
	p.Drop()
	f.Close()
	var has atomic.Bool
	g := stops(crashed, func(call string, off int64) bool {
		if call == "write" && off < askAt*BlockSize {
			has.Store(true)
		}
		return has.Load() && call == "read" && off > answerAt*BlockSize
	})
	o := impatient(1, nil)
	o.Watch, o.every = true, time.Millisecond
	got := make(chan error, 1)
	go func() {
		f, err := Mount(g, o)
		if err == nil {
			f.Close()
		}
		got <- err
	}()
	select {
	case <-g.at:
	case err := <-got:
		t.Fatalf("nothing was read behind its first commit: %v", err)
	}
	if _, err := Mount(crashed, manual); !refused(err) {
		t.Errorf("the second one: %v", err)
	}
	close(g.open)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// TestAskedByTurns: of two that are started again whenever they are refused, behind a crash, one gets the volume.
func TestAskedByTurns(t *testing.T) {
	d := formatted(t, minBlocks)
	f := watched(t, d, never)
	crashed := block.NewMemory(bytes.Clone(d.Bytes()))
	f.Close()
	const wait = 200 * time.Millisecond
	end := time.Now().Add(40 * wait)
	var have atomic.Int64
	var all sync.WaitGroup
	got := make(chan *FS, 2)
	for i := range 2 {
		all.Go(func() {
			time.Sleep(time.Duration(i) * wait / 2)
			for have.Load() == 0 && time.Now().Before(end) {
				o := impatient(wait, nil)
				o.Watch, o.every = true, time.Millisecond
				if f, err := Mount(crashed, o); err == nil {
					have.Add(1)
					got <- f
				}
			}
		})
	}
	all.Wait()
	if n := have.Load(); n != 1 || !time.Now().Before(end) {
		t.Errorf("%d have it, %v before the end", n, time.Until(end))
	}
	for range have.Load() {
		(<-got).Close()
	}
}

// TestForcedFormat: a volume that its owner watches is not formatted by force; one whose owner has crashed is.
func TestForcedFormat(t *testing.T) {
	d := formatted(t, minBlocks)
	f := watched(t, d, time.Millisecond)
	was := apart(d)
	if err := Format(d, FormatOptions{Force: true}); !refused(err) || !bytes.Equal(was, apart(d)) {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := Format(d, FormatOptions{Force: true}); err != nil {
		t.Error(err)
	}
	check(t, d)
}

// TestOlderOfAnother: an owner that finds a superblock of another's behind its own in number, and not from before it came, ends writing.
func TestOlderOfAnother(t *testing.T) {
	for _, watch := range []bool{true, false} {
		d := formatted(t, minBlocks)
		o := manual
		o.Watch, o.every = watch, never
		f := mount(t, d, o)
		for range 2 {
			write(t, f, "/f", []byte("x"))
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
		}
		sb := f.sb
		sb.gen, sb.owner = sb.gen-1, [16]byte{1}
		copy(d.Bytes()[int64(sb.gen&1)*BlockSize:], sb.encode())
		if watch {
			f.attend(f.watcher, make([]byte, (answerAt+1)*BlockSize))
			f.lock()
			if f.failed != errForeign {
				t.Errorf("it goes on: %v", f.failed)
			}
			f.unlock()
		} else if write(t, f, "/f", []byte("y")); f.Sync() == 0 {
			t.Error("it writes")
		}
		f.Close()
	}
}

// TestUnmountedMeanwhile: who mounts a volume that its owner unmounts between the look and the first commit has it all the same, and says nothing of it.
func TestUnmountedMeanwhile(t *testing.T) {
	d := formatted(t, minBlocks)
	first := mount(t, d, manual)
	write(t, first, "/f", []byte("kept"))
	g := stops(d, func(call string, _ int64) bool { return call == "flush" })
	var said atomic.Pointer[string]
	got := make(chan error, 1)
	var second *FS
	go func() {
		f, err := Mount(g, impatient(1, &said))
		second = f
		got <- err
	}()
	<-g.at
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if s := said.Load(); s != nil {
		t.Error(*s)
	}
	if b := contents(t, second, "/f"); string(b) != "kept" {
		t.Errorf("%q", b)
	}
	second.Close()
	check(t, d)
}

// TestFormatOfWriter: a forced format is refused by an owner that commits while the volume is looked at.
func TestFormatOfWriter(t *testing.T) {
	d := formatted(t, minBlocks)
	f := watched(t, d, time.Millisecond)
	whole := 0
	g := stops(d, func(call string, off int64) bool { // the look of inquire, behind that of begin
		if call == "read" && off == 0 {
			whole++
		}
		return whole > 3
	})
	got := make(chan error, 1)
	go func() { got <- Format(g, FormatOptions{Force: true}) }()
	for done := false; !done; {
		select {
		case <-g.at:
			write(t, f, "/f", []byte("kept"))
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
			close(g.open)
			done = true
		case err := <-got:
			t.Fatalf("it looked %d times: %v", whole, err)
		}
	}
	if err := <-got; !refused(err) && !errors.Is(err, errWrites) {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	check(t, d)
}

// fencing is a device that stops at the first look of a commit at both superblocks.
type fencing struct {
	block.Device
	armed    atomic.Bool
	at, open chan struct{}
}

func (g *fencing) Read(vec [][]byte, off int64) error {
	if off == 0 && len(vec) == 1 && len(vec[0]) == 2*BlockSize && g.armed.CompareAndSwap(true, false) {
		close(g.at)
		<-g.open
	}
	return g.Device.Read(vec, off)
}

// TestCloseWhileAnother: an owner that is unmounted while its watcher finds another owner, and waits to end writing, ends.
func TestCloseWhileAnother(t *testing.T) {
	d := formatted(t, minBlocks)
	g := &fencing{Device: d, at: make(chan struct{}), open: make(chan struct{})}
	f := watched(t, g, time.Millisecond)
	g.armed.Store(true)
	ended := make(chan error, 1)
	go func() { ended <- f.Close() }()
	<-g.at
	sb := f.sb
	sb.gen, sb.owner = decodeSuper(f.last).gen+1, [16]byte{1}
	if err := d.Write([][]byte{sb.encode()}, int64(sb.gen&1)*BlockSize); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // the watcher looks, and wants the lock
	close(g.open)
	select {
	case err := <-ended:
		if err != errForeign {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
}

// busy is a device whose superblock another one commits to whenever it was read.
type busy struct {
	block.Device
	commit func()
}

func (g *busy) Read(vec [][]byte, off int64) error {
	err := g.Device.Read(vec, off)
	if off == 0 {
		g.commit()
	}
	return err
}

// TestFormatOfBusyWriter: a forced format is refused also where the owner has committed each time that it is looked at.
func TestFormatOfBusyWriter(t *testing.T) {
	d := formatted(t, minBlocks)
	f := watched(t, d, never)
	g := &busy{Device: d, commit: func() {
		write(t, f, "/f", []byte("kept"))
		if e := f.Sync(); e != 0 {
			t.Error(e)
		}
	}}
	var m *MountError
	if err := Format(g, FormatOptions{Force: true}); !errors.As(err, &m) {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	check(t, d)
}
