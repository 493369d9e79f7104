package cffs

import (
	"bytes"
	"errors"
	"slices"
	"time"
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
	patience   = 3 * time.Second // how long an answer is waited for
	polls      = 30              // how often who asks looks for it
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

// readBoard reads the first blocks of the volume: both superblocks, the question and the answer. A superblock that cannot be read is zeroes.
func (f *FS) readBoard(b []byte) error {
	if f.dev.Read([][]byte{b}, 0) == nil {
		return nil
	}
	for i := range len(b) / BlockSize {
		one := b[i*BlockSize:][:BlockSize]
		switch err := f.dev.Read([][]byte{one}, int64(i)*BlockSize); {
		case err == nil:
		case i < askAt:
			clear(one)
		default:
			return err
		}
	}
	return nil
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

// An inquiry is a question that was asked, and what the superblocks were then.
type inquiry struct {
	question
	was []byte
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
	if err := f.readBoard(b); err != nil {
		return fails(err)
	}
	q := &inquiry{question{owner: f.sb.owner}, slices.Clone(b[:askAt*BlockSize])}
	if _, raw, _, _, err := readSuper(f.dev); err != nil {
		return fails(err)
	} else if !bytes.Equal(raw, f.last) {
		return errFreed // or it was written to: who opens it anew sees who has it
	}
	f.o.Random(q.id[:])
	w := writes{}
	w.add(askAt, q.encode(askMagic, &f.sb.uuid))
	if err := w.durably(f.dev); err != nil {
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

// heard looks what became of the question f.asks, with b to read into: nil where nothing speaks against taking the volume. Errors: those named above, and the device's.
func (f *FS) heard(b []byte) error {
	if err := f.readBoard(b); err != nil {
		return err
	}
	if !bytes.Equal(b[:askAt*BlockSize], f.asks.was) {
		now, was := newest(b, &f.sb.uuid), newest(f.asks.was, &f.sb.uuid)
		if now != nil && (was == nil || now.gen > was.gen) && now.owner == [16]byte{} {
			return errFreed
		}
		return errWrites
	}
	if a, ok := decodeQuestion(b[answerAt*BlockSize:], answerMagic, &f.sb.uuid); ok && a == f.asks.question {
		return errAnswered
	}
	// Of two that ask, the last to write its question goes on.
	if a, ok := decodeQuestion(b[askAt*BlockSize:][:BlockSize], askMagic, &f.sb.uuid); !ok || a != f.asks.question {
		return errAsks
	}
	return nil
}

// own makes the volume this mount's, and disown nobody's: by the next commit. mu is held.
func (f *FS) own() {
	f.o.Random(f.sb.owner[:])
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
	said bool          // that it cannot read or answer, under way only
}

// watch begins to answer. mu is not held.
func (f *FS) watch() {
	every := f.o.every
	if every == 0 {
		every = watchEvery
	}
	w := &watcher{stop: make(chan struct{}), done: make(chan struct{})}
	f.mu.Lock()
	owner, uuid, failed := f.sb.owner, f.sb.uuid, f.failed
	if failed == nil {
		f.watcher = w
	}
	f.mu.Unlock()
	if failed != nil {
		return
	}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		var last [16]byte // the last question that was answered
		b := make([]byte, (askAt+1)*BlockSize)
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
			if !f.attend(w, b, &owner, &uuid, &last) {
				return
			}
		}
	}()
}

// attend looks once whether somebody asks, and answers. It is false where the volume is another's by now: then writing ends. It takes no lock: a commit that lasts does not keep it from answering.
func (f *FS) attend(w *watcher, b []byte, owner, uuid, last *[16]byte) bool {
	err := f.readBoard(b)
	if err == nil {
		sb := newest(b, uuid)
		switch q, ok := decodeQuestion(b[askAt*BlockSize:], askMagic, uuid); {
		case sb != nil && sb.owner != [16]byte{} && sb.owner != *owner:
			go f.another()
			return false
		case !ok || q.owner != *owner || q.id == *last || sb != nil && sb.owner != *owner:
			return true
		default:
			a := writes{}
			a.add(answerAt, q.encode(answerMagic, uuid))
			if err = a.durably(f.dev); err == nil {
				*last = q.id
				f.o.Log("cffs: " + f.dev.Info().Name + ": another image was to mount or to repair it, and was refused")
			}
		}
	}
	if err != nil && !w.said {
		w.said = true
		f.o.Log("cffs: " + f.dev.Info().Name + ": who else mounts it may not be refused: " + err.Error())
	}
	return true
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
