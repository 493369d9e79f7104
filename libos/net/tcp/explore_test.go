package tcp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// TestExplore tries, breadth first, everything that two programs and a wire can do to a connection of a few bytes, whose sequence numbers wrap around: what is written, closed, aborted,
// delivered in or out of order, lost, doubled, and timers that fire. In each state that can be reached so both ends are consistent, no byte is read that was not written, and none twice; and
// from each, once the wire is good again, all that was written arrives and both ends close in order, unless one has aborted.
//
// A connection cannot be copied, so a state is reached again by the same steps. States that look the same, but for the time, are gone on from once.

// An act is a step of the exploration.
type act uint8

const (
	writeA act = iota
	writeB
	closeA
	closeB
	abortA
	toA // deliver the oldest segment
	toB
	lateA // deliver the newest one
	lateB
	loseA // lose the oldest one
	loseB
	twiceA // deliver the oldest one and keep it
	twiceB
	timeout // the next timer fires
	moves
)

var moveNames = [moves]string{"write A", "write B", "close A", "close B", "abort A", "to A", "to B", "late to A", "late to B", "lose to A", "lose to B", "twice to A", "twice to B", "timer"}

// mostBytes each end writes; most losses, doublings and so on in one history.
const (
	mostBytes = 2
	mostLost  = 2
	mostOther = 1
)

// A tiny is a world of the exploration.
type tiny struct {
	now           tick.Time
	ends          [2]*Conn
	wire          [2][][]byte // to each end
	wrote, read   [2]int
	closed        [2]bool
	aborted       bool
	lost          int
	late, doubled int
	fault         string
}

func newTiny(both bool) *tiny {
	cfg := Defaults()
	cfg.NoTimestamp = true // stamps make each state another one
	cfg.Options.NoDelay = true
	w := &tiny{now: tick.Time(time.Second)}
	w.ends[0] = Open(w.now, cfg, 1, 2, 1<<32-2, 0)
	if both {
		w.ends[1] = Open(w.now, cfg, 2, 1, 1<<32-1, 0)
	} else {
		l := &Listener{Config: cfg, Backlog: 1, Secret: &secret}
		var syn Segment
		w.ends[0].Next(w.now, &syn)
		w.ends[1] = l.accept(w.now, testTuple(), &syn, 1<<32-1)
	}
	w.pump()
	return w
}

// pump has programs read and ends send.
func (w *tiny) pump() {
	var s Segment
	for i, c := range w.ends {
		for n := 0; ; n++ {
			var p [8]byte
			k := c.Read(w.now, p[:])
			for _, b := range p[:k] {
				if b != stream(w.read[i]) || w.read[i] >= w.wrote[1-i] {
					w.fault = fmt.Sprintf("end %d reads %#x as byte %d of %d", i, b, w.read[i], w.wrote[1-i])
				}
				w.read[i]++
			}
			if !c.Next(w.now, &s) {
				break
			}
			if n > 20 {
				w.fault = fmt.Sprintf("end %d never stops sending", i)
				return
			}
			var raw [MaxHeader]byte
			b := append([]byte(nil), raw[:s.Marshal(raw[:])]...)
			for _, r := range s.Payload {
				b = append(b, r.Bytes()...)
			}
			s.release()
			w.wire[1-i] = append(w.wire[1-i], b)
		}
		if c.state != Closed && (c.sndNxt.Less(c.sndUna) || c.rcvNxt.Less(c.irs) && c.state > SynSent) {
			w.fault = fmt.Sprintf("end %d: snd.una %d, snd.nxt %d, rcv.nxt %d", i, c.sndUna, c.sndNxt, c.rcvNxt)
		}
		if c.board.outstanding() > 0 && c.timers.rtx == 0 {
			w.fault = fmt.Sprintf("end %d: something is on its way and no timer runs", i)
		}
		if n, eof := c.Readable(); eof && n == 0 && c.state != Closed && w.read[i] != w.wrote[1-i] {
			w.fault = fmt.Sprintf("end %d is told of the end after %d of %d bytes", i, w.read[i], w.wrote[1-i])
		}
		if c.err != nil && !w.aborted {
			w.fault = fmt.Sprintf("end %d: %v", i, c.err)
		}
	}
}

func (w *tiny) deliver(i, at int) {
	var s Segment
	raw := w.wire[i][at]
	n, err := Parse(raw, &s)
	if err != nil {
		w.fault = err.Error()
		return
	}
	if len(raw) > n {
		s.Payload, s.Size = append(s.Payload, buf.Lend(raw[n:], nil)), len(raw)-n
	}
	if w.ends[i].state == Closed { // the stack answers for what is no more
		var reply Segment
		if Refuse(&s, &reply) {
			var b [MaxHeader]byte
			w.wire[1-i] = append(w.wire[1-i], append([]byte(nil), b[:reply.Marshal(b[:])]...))
		}
		s.release()
		return
	}
	w.ends[i].Input(w.now, &s)
}

func (w *tiny) remove(i, at int) { w.wire[i] = append(w.wire[i][:at:at], w.wire[i][at+1:]...) }

// do does it and says false where that cannot be.
func (w *tiny) do(m act) bool {
	i := 0
	switch m {
	case writeB, closeB, toB, lateB, loseB, twiceB:
		i = 1
	}
	c, wire := w.ends[i], w.wire[i]
	switch m {
	case writeA, writeB:
		if room, err := c.Writable(); w.wrote[i] >= mostBytes || w.closed[i] || room == 0 || err != nil {
			return false
		}
		r := buf.Lend([]byte{stream(w.wrote[i])}, nil)
		w.wrote[i]++
		if ok, _ := c.Write(w.now, &r); !ok {
			w.fault = "there was room, and it was not taken"
		}
	case closeA, closeB:
		if w.closed[i] || c.state < SynReceived {
			return false
		}
		w.closed[i] = true
		c.CloseWrite(w.now)
	case abortA:
		if w.aborted || c.state == Closed {
			return false
		}
		w.aborted = true
		c.Abort()
	case toA, toB:
		if len(wire) == 0 {
			return false
		}
		w.deliver(i, 0)
		w.remove(i, 0)
	case lateA, lateB:
		if len(wire) < 2 || w.late >= mostOther {
			return false
		}
		w.late++
		w.deliver(i, len(wire)-1)
		w.remove(i, len(wire)-1)
	case loseA, loseB:
		if len(wire) == 0 || w.lost >= mostLost {
			return false
		}
		w.lost++
		w.remove(i, 0)
	case twiceA, twiceB:
		if len(wire) == 0 || w.doubled >= mostOther {
			return false
		}
		w.doubled++
		w.deliver(i, 0)
	case timeout:
		return w.tick()
	}
	w.pump()
	return true
}

// tick lets the next timer fire.
func (w *tiny) tick() bool {
	next := tick.Sooner(w.ends[0].Deadline(), w.ends[1].Deadline())
	if next == 0 {
		return false
	}
	w.now = max(w.now, next)
	for _, c := range w.ends {
		if c.Deadline().Due(w.now) {
			c.Tick(w.now)
		}
	}
	w.pump()
	return true
}

// looks is what a state is, but for the time.
func (w *tiny) looks() string {
	var b strings.Builder
	for i, c := range w.ends {
		t := &c.timers
		fmt.Fprint(&b, c.state, c.err, c.sndUna, c.sndNxt, c.sndWnd, c.rcvNxt, c.rcvAdv, c.finQueue, c.finSent, c.peerFin, c.needSyn, c.needRst, c.ackNow, c.ackLater, c.quick, c.rec,
			c.board.sacked, c.board.lost, c.tlpOut, c.hasDSACK, c.retries, c.rtt.backoff, c.out.Len(), c.cc.Window(),
			t.rtx != 0, t.ack != 0, t.reorder != 0, t.tlp != 0, t.fin != 0, w.wrote[i], w.read[i], w.closed[i], ";")
		if c.undo != nil {
			fmt.Fprint(&b, *c.undo)
		}
		for _, r := range c.board.records {
			fmt.Fprint(&b, r.first, r.end, r.state, ",")
		}
		for i := 0; c.ooo.some() && i < len(c.ooo.runs); i++ {
			r := &c.ooo.runs[i]
			fmt.Fprint(&b, r.first, r.end, r.fin, ",")
		}
		for _, p := range w.wire[i] {
			fmt.Fprintf(&b, "%x|", p)
		}
	}
	fmt.Fprint(&b, w.aborted, w.lost, w.late, w.doubled)
	return b.String()
}

// finish makes the wire a good one, has both programs close, and says what is wrong with the end; "": nothing.
func (w *tiny) finish() string {
	done := func(c *Conn) bool { return c.state == Closed || c.state == TimeWait }
	for range 500 {
		moved := false
		for i := range w.ends {
			for len(w.wire[i]) > 0 && w.fault == "" {
				w.do([]act{toA, toB}[i])
				moved = true
			}
		}
		for i := range w.ends {
			moved = w.do([]act{closeA, closeB}[i]) || moved
		}
		if w.fault != "" {
			return w.fault
		}
		if done(w.ends[0]) && done(w.ends[1]) && !moved {
			break
		}
		if !moved && !w.tick() {
			if w.aborted && w.lost > 0 {
				return "" // the reset was lost, and who has nothing to send does not find out
			}
			return fmt.Sprintf("it stands still in %v and %v", w.ends[0].state, w.ends[1].state)
		}
	}
	if !done(w.ends[0]) || !done(w.ends[1]) {
		return fmt.Sprintf("it goes on for ever in %v and %v", w.ends[0].state, w.ends[1].state)
	}
	if !w.aborted && (w.read[0] != w.wrote[1] || w.read[1] != w.wrote[0]) {
		return fmt.Sprintf("%d of %d and %d of %d bytes were read", w.read[0], w.wrote[1], w.read[1], w.wrote[0])
	}
	return ""
}

func TestExplore(t *testing.T) {
	most := 30_000 // states
	if testing.Short() {
		most = 3000
	}
	for _, both := range []bool{false, true} {
		replay := func(path []act) *tiny {
			w := newTiny(both)
			for _, m := range path {
				w.do(m)
			}
			return w
		}
		seen := map[string]bool{newTiny(both).looks(): true}
		queue := [][]act{nil}
		reached := map[State]int{}
		for ; len(queue) > 0 && len(seen) < most; queue = queue[1:] {
			path := queue[0]
			for m := range moves {
				w := replay(path)
				if !w.do(m) {
					continue
				}
				next := append(path[:len(path):len(path)], m)
				look := w.looks()
				if w.fault == "" && seen[look] {
					continue
				}
				seen[look] = true
				reached[w.ends[0].state]++
				queue = append(queue, next)
				wrong := w.fault
				if wrong == "" {
					wrong = w.finish()
				}
				if wrong != "" {
					var names []string
					for _, m := range next {
						names = append(names, moveNames[m])
					}
					t.Fatalf("both open: %v; after %s: %s", both, strings.Join(names, ", "), wrong)
				}
			}
		}
		t.Logf("both open: %v; %d states, paths of up to %d steps; states of one end: %v", both, len(seen), len(queue[len(queue)-1]), reached)
		for s := SynReceived; s <= TimeWait; s++ {
			if reached[s] == 0 && !testing.Short() && !(s == SynReceived && !both) {
				t.Errorf("%v was never reached", s)
			}
		}
	}
}
