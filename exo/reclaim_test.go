//go:build !hardtack

package exo

import (
	"errors"
	"sync"
	"testing"
)

// A turnClock goes only when it is turned.
type turnClock struct {
	mu    sync.Mutex
	now   int64
	waits map[chan struct{}]int64
	asked chan int64 // each deadline that somebody waits for
}

func newTurnClock() *turnClock {
	return &turnClock{waits: map[chan struct{}]int64{}, asked: make(chan int64, 10)}
}

func (c *turnClock) Now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *turnClock) Until(t int64) (<-chan struct{}, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan struct{})
	if c.now >= t {
		close(ch)
	} else {
		c.waits[ch] = t
	}
	c.asked <- t
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waits, ch)
	}
}

func (c *turnClock) turn(to int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = to
	for ch, t := range c.waits {
		if t <= to {
			close(ch)
			delete(c.waits, ch)
		}
	}
}

// Under pressure the holder picks the frames; what the others hold is unchanged.
func TestHolderChoosesFrames(t *testing.T) {
	m, _ := simulated(t)
	lo := uint64(m.FirstFrame())
	d, err := Root().Sub("cache", Grant{FrameSpace, lo, lo + 7, All, 0})
	if err != nil {
		t.Fatal(err)
	}
	c := d.Caps(FrameSpace)[0]
	var pages [8]*Frames
	for i := range pages {
		if pages[i], err = d.TakeFramesAt("page", Phys((lo+uint64(i))*PageSize), 1); err != nil {
			t.Fatal(err)
		}
		pages[i].Bytes()[17] = byte(i + 1)
	}
	handled := make(chan struct{})
	c.Handle(func(r *Request) {
		defer close(handled)
		for _, i := range []uint64{5, 2, 6} {
			pages[i].Release()
			if err := r.GiveUp(lo+i, lo+i); (err == nil) != (i != 6) { // two are enough: the third comes too late
				t.Errorf("page %d: %v", i, err)
			}
		}
	})
	got, err := Root().Reclaim(d, FrameSpace, Demand{Names: 2, Deadline: Now() + 60e9, Why: "balloon"})
	if got != 2 || err != nil {
		t.Fatal(got, err)
	}
	<-handled
	for i, p := range pages {
		if i == 2 || i == 5 || i == 6 {
			continue
		}
		if b := p.Bytes(); len(b) != PageSize || b[17] != byte(i+1) {
			t.Errorf("page %d was touched", i)
		}
	}
	if list, _ := c.Repossessions(); list != nil {
		t.Errorf("given up, and yet repossessed: %+v", list)
	}
	if m.FramesUsed() != 6 {
		t.Errorf("%d frames in use", m.FramesUsed())
	}
	if f, err := TakeFramesAt("other", Phys((lo+5)*PageSize), 1); err != nil || f.Base() != Phys((lo+5)*PageSize) {
		t.Error(err)
	}
	// What is bound by name is as it was left.
	if f, err := d.TakeFramesAt("again", Phys((lo+6)*PageSize), 1); err != nil || f.Bytes()[17] != 7 {
		t.Error(err)
	}
}

// A handler that never answers loses the names when the deadline has passed, not before; its later answer changes nothing, and
// until it has returned nobody asks it again.
func TestHandlerNeverAnswers(t *testing.T) {
	s, root := testSpace(t)
	c := derive(t, root, "lazy", 0, 9, All)
	spared, _ := s.Bind(c, "spared", 0, 3, Read, nil)
	lost, _ := s.Bind(c, "lost", 4, 5, Read, nil)
	clock, block, late := newTurnClock(), make(chan struct{}), make(chan error)
	calls := 0
	c.Handle(func(r *Request) {
		calls++
		<-block
		late <- r.GiveUp(0, 0)
	})
	done := make(chan error)
	go func() {
		got, err := root.Reclaim(c, Demand{Names: 5, Deadline: 100, Why: "pressure", Clock: clock})
		if got != 5 {
			t.Errorf("got %d", got)
		}
		done <- err
	}()
	if d := <-clock.asked; d != 100 {
		t.Errorf("it waits until %d", d)
	}
	clock.turn(99)
	if lost.Err() != nil || len(c.Names()) != 1 {
		t.Error("taken before the deadline")
	}
	clock.turn(100)
	if err := <-done; err != nil {
		t.Error(err)
	}
	// Free ones first, from the highest down, then the youngest binding, which ends whole.
	if got := c.Names(); len(got) != 1 || got[0] != (Range{0, 4}) {
		t.Errorf("left: %v", got)
	}
	var rev *RevokedError
	if !errors.As(lost.Err(), &rev) || rev.By != "disk" || rev.Why != "pressure" || rev.When != 100 || spared.Err() != nil {
		t.Error(lost.Err(), spared.Err())
	}
	want := Repossession{Range: Range{5, 9}, When: 100, By: "disk", Why: "pressure", Answer: answerLate}
	if list, _ := c.Repossessions(); len(list) != 1 || list[0] != want {
		t.Errorf("%+v", list)
	}
	if got, err := root.Reclaim(c, Demand{Names: 1, Deadline: 200, Clock: clock}); got != 1 || err != nil {
		t.Error(got, err)
	}
	close(block)
	if err := <-late; !errors.As(err, &rev) {
		t.Errorf("a late answer: %v", err)
	}
	if calls != 1 {
		t.Errorf("asked %d times", calls)
	}
	consistent(t, root.n)
}

// A handler that panics, gives up what is not its own, or too little, loses the rest at once; the program lives on.
func TestHandlersThatFail(t *testing.T) {
	for _, c := range []struct {
		answer string
		f      func(*Request)
	}{
		{answerPanicked, func(r *Request) { r.GiveUp(13, 13); panic("handler") }},
		{answerPanicked, func(r *Request) { var p *Request; p.GiveUp(1, 1) }},
		{answerShort, func(r *Request) { r.GiveUp(0, 3); r.GiveUp(18, 30); r.GiveUp(15, 14) }},
		{answerShort, func(r *Request) {}},
		{answerNone, nil},
	} {
		_, root := testSpace(t)
		k := derive(t, root, "k", 10, 19, All)
		k.Handle(c.f)
		got, err := root.Reclaim(k, Demand{Names: 4, Deadline: Now() + 60e9, Why: "test"})
		if got != 4 || err != nil || len(k.Names()) == 0 {
			t.Errorf("%s: %d %v", c.answer, got, err)
		}
		if list, _ := k.Repossessions(); len(list) != 1 || list[0].Answer != c.answer {
			t.Errorf("%s: %+v", c.answer, list)
		}
		consistent(t, root.n)
	}
}

// Force stops at the guarantee, of the capability and of those below it.
func TestGuarantee(t *testing.T) {
	_, root := testSpace(t)
	a := derive(t, root, "a", 0, 19, All)
	if err := root.Guarantee(a, 8); err != nil {
		t.Fatal(err)
	}
	b := derive(t, a, "b", 10, 19, All)
	if err := a.Guarantee(b, 9); kind(err) != "exhausted" {
		t.Errorf("a promises more than it was promised: %v", err)
	}
	if err := a.Guarantee(b, 6); err != nil {
		t.Fatal(err)
	}
	if err := root.Guarantee(a, 5); kind(err) != "exhausted" {
		t.Errorf("a's guarantee falls below what it has promised: %v", err)
	}
	got, err := root.Reclaim(a, Demand{Names: 100, Why: "all"})
	if got != 12 || kind(err) != "exhausted" {
		t.Error(got, err)
	}
	if n := nameSet(a.Names()).size(); n != 8 {
		t.Errorf("a has %d", n)
	}
	if n := nameSet(b.Names()).size(); n < 6 {
		t.Errorf("b has %d", n)
	}
	if got, err := root.Reclaim(a, Demand{Names: 1}); got != 0 || kind(err) != "exhausted" {
		t.Error(got, err)
	}
	if list, _ := b.Repossessions(); len(list) == 0 || list[0].By != "disk" {
		t.Errorf("b's record: %+v", list)
	}
	if err := root.Revoke(); err != nil || a.Err() == nil || b.Err() == nil {
		t.Error("a guarantee withstands Revoke")
	}
	consistent(t, root.n)
}

// Records are bounded, the oldest make room.
func TestRecordsAreBounded(t *testing.T) {
	_, root := testSpace(t)
	c := derive(t, root, "c", 0, 99, All)
	for i := range uint64(2 * maxRecords) {
		root.RevokeRange(99-2*i, 99-2*i)
	}
	list, dropped := c.Repossessions()
	if len(list) != maxRecords || dropped != maxRecords || list[maxRecords-1].Range.Lo != 99-2*(2*maxRecords-1) {
		t.Errorf("%d records, %d dropped", len(list), dropped)
	}
	c.Release()
	if again, _ := c.Repossessions(); len(again) != maxRecords {
		t.Error("an ended capability forgets")
	}
}

// The machine's clock ends a wait for a handler that never answers.
func TestDeadlineOnTheMachine(t *testing.T) {
	_, root := testSpace(t)
	c := derive(t, root, "c", 0, 9, All)
	block := make(chan struct{})
	defer close(block)
	c.Handle(func(*Request) { <-block })
	start := Now()
	got, err := root.Reclaim(c, Demand{Names: 1, Deadline: start + 2e6})
	if got != 1 || err != nil || Now()-start < 2e6 {
		t.Error(got, err, Now()-start)
	}
}
