package tcp

import "github.com/hardtack-os/hardtack/libos/net/buf"

// maxHoles bounds how many runs of data wait behind holes; a peer that makes more of them sends those again (Linux and the BSDs have such bounds since
// CVE-2018-5390).
const maxHoles = 128

// A run is data that came out of order, without a hole in it.
type run struct {
	first, end Seq
	data       buf.Queue
	fin        bool
}

// reassembly holds what has come out of order, ascending, no two runs touching.
type reassembly struct {
	runs   []run
	spare  []run // their queues keep their arrays
	latest Seq   // begins the run that the last segment went into (RFC 2018, 4: the first block)
}

// some tells whether anything waits.
func (a *reassembly) some() bool { return a != nil && len(a.runs) > 0 }

// held is how much memory the data hold on to.
func (a *reassembly) held() (n int) {
	if a == nil {
		return 0
	}
	for i := range a.runs {
		n += a.runs[i].data.Held()
	}
	return n
}

// full tells whether a segment would make one hole too many.
func (a *reassembly) full(s *Segment) bool {
	if len(a.runs) < maxHoles {
		return false
	}
	for i := range a.runs {
		if r := &a.runs[i]; s.Seq.LessEq(r.end) && r.first.LessEq(s.Seq.Add(s.Size)) {
			return false
		}
	}
	return true
}

// add takes a segment's payload over. duplicate is a part of it that was there already, for a DSACK (RFC 2883, 4.2). The segment does not make it full.
func (a *reassembly) add(s *Segment) (duplicate Block, dup bool) {
	first, end := s.Seq, s.Seq.Add(s.Size)
	i := 0
	for i < len(a.runs) && a.runs[i].end.Less(first) {
		i++
	}
	// runs[i] is the first that the segment may touch or precede.
	note := func(l, r Seq) {
		if !dup && l.Less(r) {
			duplicate, dup = Block{l, r}, true
		}
	}
	if i == len(a.runs) || end.Less(a.runs[i].first) {
		a.insert(i, first)
	}
	r := &a.runs[i]
	if first.Less(r.first) { // it begins before the run: put it in front
		note(r.first, minSeq(end, r.end))
		var q buf.Queue
		if r.end.Less(end) {
			// It covers the whole run.
			r.data.Clear()
			appendAll(&q, s, s.Size)
			r.end = end
		} else {
			appendAll(&q, s, r.first.Sub(first))
			move(&q, &r.data, r.data.Len())
		}
		r.data = q
		r.first = first
	} else if r.end.Less(end) || r.first == r.end {
		note(first, r.end)
		s.trimFront(r.end.Sub(first))
		appendAll(&r.data, s, s.Size)
		r.end = end
	} else {
		note(first, end)
	}
	r.fin = r.fin || s.Flags&FIN != 0 && end == r.end
	a.latest = r.first
	// Runs that it has reached become one with it.
	for i+1 < len(a.runs) && a.runs[i+1].first.LessEq(r.end) {
		next := &a.runs[i+1]
		note(next.first, minSeq(r.end, next.end))
		if r.end.Less(next.end) {
			next.data.Discard(r.end.Sub(next.first))
			move(&r.data, &next.data, next.data.Len())
			r.end = next.end
			r.fin = next.fin
		}
		a.remove(i + 1)
		r = &a.runs[i]
	}
	return duplicate, dup
}

// appendAll moves the first n bytes of a segment's payload to q.
func appendAll(q *buf.Queue, s *Segment, n int) {
	s.truncate(n)
	for _, r := range s.Payload {
		q.Append(r)
	}
	s.Payload, s.Size = s.Payload[:0], 0
}

// move moves n bytes from one queue to another, by reference.
func move(to, from *buf.Queue, n int) {
	for n > 0 {
		r := from.Take(n)
		n -= r.Len()
		to.Append(r)
	}
}

func (a *reassembly) insert(i int, at Seq) {
	var r run
	if n := len(a.spare); n > 0 {
		r, a.spare = a.spare[n-1], a.spare[:n-1]
	}
	r.first, r.end, r.fin = at, at, false
	a.runs = append(a.runs, run{})
	copy(a.runs[i+1:], a.runs[i:])
	a.runs[i] = r
}

func (a *reassembly) remove(i int) {
	r := a.runs[i]
	r.data.Clear()
	a.runs = append(a.runs[:i], a.runs[i+1:]...)
	if len(a.spare) < 4 {
		a.spare = append(a.spare, r)
	}
}

// ready moves what follows nxt without a hole to q and returns the new nxt, and whether a FIN is there.
func (a *reassembly) ready(nxt Seq, q *buf.Queue) (Seq, bool) {
	fin := false
	for len(a.runs) > 0 && a.runs[0].first.LessEq(nxt) {
		r := &a.runs[0]
		if nxt.Less(r.end) || nxt == r.end && r.fin {
			r.data.Discard(nxt.Sub(r.first))
			move(q, &r.data, r.data.Len())
			nxt, fin = r.end, r.fin
		}
		a.remove(0)
	}
	return nxt, fin
}

// blocks fills SACK's: the run that the last segment went into first (RFC 2018, 4), then the others from the lowest, which is the one to be sent
// next.
func (a *reassembly) blocks(o *Options, room int) {
	for i := range a.runs {
		if r := &a.runs[i]; r.first == a.latest && r.first != r.end && room > int(o.Blocks) {
			o.SACK[o.Blocks] = Block{r.first, r.end}
			o.Blocks++
		}
	}
	for i := range a.runs {
		if r := &a.runs[i]; r.first != a.latest && r.first != r.end && room > int(o.Blocks) {
			o.SACK[o.Blocks] = Block{r.first, r.end}
			o.Blocks++
		}
	}
}

func (a *reassembly) clear() {
	if a == nil {
		return
	}
	for len(a.runs) > 0 {
		a.remove(len(a.runs) - 1)
	}
	a.spare = nil
}
