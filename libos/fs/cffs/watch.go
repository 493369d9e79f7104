package cffs

import (
	"bytes"
	"errors"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// Multiple mount protection, as ext4 calls it: who has a watched volume answers who asks. FORMAT.md, "Questions". Between the two there is only the disk.

// needWatch is the feature, of volumes whose owner watches them, that one must know to write: who has found the owner in the superblock asks it first. It goes with the owner.
const needWatch = 1 << 0

// knownWriteNeeds are the features that one must know to write and that are known here.
const knownWriteNeeds = needWatch

const (
	askAt       = 2 // the block of the question
	answerAt    = 3 // that of the answer
	askMagic    = 0x4b534143
	answerMagic = 0x534e4143

	watchEvery = time.Second     // how often an owner looks for a question
	patience   = 5 * time.Second // how long an answer is waited for: for a disk that a large commit keeps busy
	polls      = 50              // how often who asks looks for it
)

// A question is what one image writes for another to read, or that one's answer, which repeats it.
type question struct {
	owner [16]byte // who is asked
	id    [16]byte // drawn by who asks
}

func (q *question) encode(magic uint32, uuid *[16]byte) []byte {
	b := make([]byte, BlockSize)
	le.PutUint32(b[4:], magic)
	copy(b[8:], uuid[:])
	copy(b[24:], q.owner[:])
	copy(b[40:], q.id[:])
	seal(b)
	return b
}

// decodeQuestion reads one; ok is false where there is none of this volume.
func decodeQuestion(b []byte, magic uint32, uuid *[16]byte) (q question, ok bool) {
	if le.Uint32(b[4:]) != magic || !bytes.Equal(b[8:24], uuid[:]) || !sealed(b) {
		return q, false
	}
	copy(q.owner[:], b[24:])
	copy(q.id[:], b[40:])
	return q, true
}

// readBoard reads the first blocks of a volume: both superblocks, the question and the answer. A block that cannot be read is zeroes; err is of the last one.
func readBoard(dev block.Device, b []byte) (err error) {
	if dev.Read([][]byte{b}, 0) == nil {
		return nil
	}
	for i := range len(b) / BlockSize {
		one := b[i*BlockSize:][:BlockSize]
		if e := dev.Read([][]byte{one}, int64(i)*BlockSize); e != nil {
			clear(one)
			err = e
		}
	}
	return err
}

// newest is the newest of the superblocks with which a board begins, whether its commit came to its end or not; nil where none is right.
func newest(b []byte, uuid *[16]byte) (sb *super) {
	for i := range askAt {
		if s := decodeSuper(b[i*BlockSize:][:BlockSize]); s != nil && s.uuid == *uuid && (sb == nil || s.gen > sb.gen) {
			sb = s
		}
	}
	return sb
}

var (
	errAnswered = errors.New("another running image has it mounted, with mmp: end that one first")
	errWrites   = errors.New("another running image writes to it: end that one first")
	errAsks     = errors.New("another image is about to mount it, or to repair it")
	errFreed    = errors.New("another image has unmounted it meanwhile")
)

// inquire asks the owner of a watched volume whether it is running, and waits for the answer: patience at most. It comes before the first write to a volume; where there is no such owner it does nothing.
// errFreed: the volume is to be opened anew. Other errors: *MountError.
func (f *FS) inquire() error {
	if f.clean || f.sb.writeNeeds&needWatch == 0 {
		return nil
	}
	name := f.dev.Info().Name
	fails := func(err error) error {
		return &MountError{Device: name, Why: "its owner cannot be asked whether it is running", Err: err, Reads: true}
	}
	wait := f.o.patience
	if wait == 0 {
		wait = patience
	}
	f.o.Log("cffs: " + name + ": it was not unmounted, and who had it answers if it is running still: asking, for " + wait.String())
	b := make([]byte, (answerAt+1)*BlockSize)
	if f.heard(b) != nil {
		return errFreed // or it was written to: who opens it anew sees who has it
	}
	// Of two that ask the first goes first, if it is still there: else two that are started again whenever they are refused keep each other from it.
	if p, ok := decodeQuestion(b[askAt*BlockSize:][:BlockSize], askMagic, &f.sb.uuid); ok && p.owner == f.sb.owner {
		for range polls {
			if a, ok := decodeQuestion(b[answerAt*BlockSize:], answerMagic, &f.sb.uuid); ok && a == p {
				break // it was refused
			}
			time.Sleep(wait / polls)
			if f.heard(b) != nil {
				return errFreed
			}
		}
	}
	q := &question{owner: f.sb.owner}
	f.o.Random(q.id[:])
	if one := b[answerAt*BlockSize:]; f.dev.Read([][]byte{one}, answerAt*BlockSize) != nil { // written to, it may be read again
		clear(one)
		if err := f.dev.Write([][]byte{one}, answerAt*BlockSize); err != nil {
			return fails(err)
		}
	}
	// Nobody needs it behind a loss of power, so it is not flushed, and neither is the answer: the disk tells of what it has lost once, and that is for who commits to hear.
	if err := f.dev.Write([][]byte{q.encode(askMagic, &f.sb.uuid)}, askAt*BlockSize); err != nil {
		return fails(err)
	}
	f.asks = q
	for range polls {
		time.Sleep(wait / polls)
		switch err := f.heard(b); err {
		case nil:
		case errFreed:
			return err
		case errAnswered, errWrites, errAsks:
			return &MountError{Device: name, Why: err.Error()}
		default:
			return fails(err)
		}
	}
	return nil
}

// heard looks what became of the volume since it was looked at, and of the question f.asks if there is one, with b to read into: nil where nothing speaks against taking the volume. Errors: those named above, and the device's.
func (f *FS) heard(b []byte) error {
	err := readBoard(f.dev, b)
	if f.written(b, err == nil) {
		now, was := newest(b, &f.sb.uuid), newest(f.board, &f.sb.uuid)
		if now != nil && (was == nil || now.gen > was.gen) && now.owner == [16]byte{} {
			return errFreed
		}
		return errWrites
	}
	if f.asks == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if a, ok := decodeQuestion(b[answerAt*BlockSize:], answerMagic, &f.sb.uuid); ok && a == *f.asks {
		return errAnswered
	}
	// Of two that ask, the last to write its question goes on.
	if a, ok := decodeQuestion(b[askAt*BlockSize:][:BlockSize], askMagic, &f.sb.uuid); !ok || a != *f.asks {
		return errAsks
	}
	return nil
}

// written tells whether a superblock is not as f.board has it, of those that could be read both times, all if whole; one that could not be before, or held nothing, was written to if there is a newer commit now.
func (f *FS) written(now []byte, whole bool) bool {
	was := newest(f.board, &f.sb.uuid)
	for i := range askAt {
		a, b := f.board[i*BlockSize:][:BlockSize], now[i*BlockSize:][:BlockSize]
		switch {
		case bytes.Equal(a, b) || !whole && bytes.Equal(b, zeroes[:]):
		case !bytes.Equal(a, zeroes[:]):
			return true
		default:
			if s := decodeSuper(b); s != nil && s.uuid == f.sb.uuid && s.gen > f.sb.gen && (was == nil || s.gen > was.gen) {
				return true
			}
		}
	}
	return false
}

// own makes the volume this mount's, and disown nobody's: by the next commit. mu is held.
func (f *FS) own() {
	f.o.Random(f.sb.owner[:])
	f.owner, f.born = f.sb.owner, f.sb.gen+1
	f.sb.writeNeeds &^= needWatch
	if f.o.Watch {
		f.sb.writeNeeds |= needWatch
	}
}

func (f *FS) disown() {
	f.sb.owner = [16]byte{}
	f.sb.writeNeeds &^= needWatch
}

// A watcher answers who asks, until it is stopped.
type watcher struct {
	stop chan struct{} // closed when it is to end; by halt, under FS.mu
	done chan struct{} // closed when it has

	// Under way only.
	owner, uuid [16]byte
	born        uint64   // as FS has it
	last        question // the last that was answered
	said        bool     // that it cannot read or answer
}

// watch begins to answer. mu is held.
func (f *FS) watch() {
	every := f.o.every
	if every == 0 {
		every = watchEvery
	}
	w := &watcher{stop: make(chan struct{}), done: make(chan struct{}), owner: f.owner, uuid: f.sb.uuid, born: f.born}
	f.watcher = w
	go func() {
		defer close(w.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		b := make([]byte, (answerAt+1)*BlockSize)
		for {
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
			select { // of two that are ready the first select takes any
			case <-w.stop:
				return
			default:
			}
			f.attend(w, b)
		}
	}()
}

// attend looks once whether somebody asks, and answers as long as the answer is not there. It takes no lock, so that a commit that lasts does not keep it from answering, but where the volume is another's by now: then writing ends.
func (f *FS) attend(w *watcher, b []byte) {
	err := readBoard(f.dev, b)
	for i := range askAt {
		if s := decodeSuper(b[i*BlockSize:][:BlockSize]); s != nil && s.uuid == w.uuid && s.gen >= w.born && s.owner != w.owner && s.owner != [16]byte{} {
			f.another()
			return
		}
	}
	sb := newest(b, &w.uuid)
	if err != nil { // the newest may be what could not be read
		sb = nil
	}
	q, asked := decodeQuestion(b[askAt*BlockSize:][:BlockSize], askMagic, &w.uuid)
	a, _ := decodeQuestion(b[answerAt*BlockSize:], answerMagic, &w.uuid)
	if asked && q.owner == w.owner && q != a && (sb == nil || sb.owner == w.owner) {
		if e := f.dev.Write([][]byte{q.encode(answerMagic, &w.uuid)}, answerAt*BlockSize); e != nil {
			err = e
		} else if q != w.last {
			w.last = q
			f.o.Log("cffs: " + f.dev.Info().Name + ": another image was to mount or to repair it, and was refused")
		}
	}
	if err != nil && !w.said {
		w.said = true
		f.o.Log("cffs: " + f.dev.Info().Name + ": who else mounts it may not be refused: " + err.Error())
	}
}

// another ends writing where the volume is another's.
func (f *FS) another() {
	f.lock()
	defer f.unlock()
	if f.closed || f.failed != nil {
		return
	}
	if err := f.fence(); err != nil {
		f.fail(err)
	}
}

// wait waits until a watcher that is to end has ended; nil has. mu is not held.
func (w *watcher) wait() {
	if w != nil {
		<-w.done
	}
}

// halt has the watcher end; it does not wait for that. mu is held for writing.
func (f *FS) halt() {
	if w := f.watcher; w != nil {
		select {
		case <-w.stop:
		default:
			close(w.stop)
		}
	}
}
