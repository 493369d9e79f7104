package ip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// Bounds of reassembly. RFC 1122, 3.3.2, wants 60 to 120 s; 30 are what Linux waits, and a stranger can fill the table.
const (
	maxDatagrams  = 64
	maxFragments  = 64 // of one packet
	maxHeld       = 1 << 20
	fragmentsLife = 30 * time.Second
)

// reassembly joins fragments (RFC 791, 3.2; RFC 5722 for overlaps, whose reasons hold for IPv4 as well: nobody honest makes them).
type reassembly struct {
	datagrams map[fragmentKey]*datagram
	held      int // bytes of memory
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	protocol uint8
}

// A datagram is a packet of which not all has come.
type datagram struct {
	parts []fragment // ascending
	total int        // length, once the last fragment is there; else 0
	until tick.Time
	next  uint8 // what the first fragment says that is in it
	bad   bool  // fragments overlapped: what else comes of it is dropped until then
}

type fragment struct {
	from, to int
	refs     []buf.Ref
}

func (a *reassembly) init() { a.datagrams = make(map[fragmentKey]*datagram) }

func (a *reassembly) deadline() (d tick.Time) {
	for _, g := range a.datagrams {
		d = tick.Sooner(d, g.until)
	}
	return d
}

// expire drops what has waited too long and returns how many packets that were.
func (a *reassembly) expire(now tick.Time) (n int) {
	for k, g := range a.datagrams {
		if g.until.Due(now) {
			a.drop(k, g)
			n++
		}
	}
	return n
}

func (a *reassembly) drop(k fragmentKey, g *datagram) {
	a.clear(g)
	delete(a.datagrams, k)
}

func (a *reassembly) clear(g *datagram) {
	for _, p := range g.parts {
		for i := range p.refs {
			a.held -= p.refs[i].Block().Size()
			p.refs[i].Release()
		}
	}
	g.parts = nil
}

// add takes a fragment's bytes over. done: refs are the whole packet's, in order. Otherwise why says what was dropped; ok: nothing was.
func (a *reassembly) add(now tick.Time, k fragmentKey, from int, more bool, next uint8, refs []buf.Ref) (whole []buf.Ref, _ uint8, done bool, why Reason, ok bool) {
	n := 0
	for i := range refs {
		n += refs[i].Len()
	}
	to := from + n
	refuse := func(why Reason) ([]buf.Ref, uint8, bool, Reason, bool) {
		for i := range refs {
			refs[i].Release()
		}
		return nil, 0, false, why, false
	}
	if n == 0 || to > 0xffff || more && n%8 != 0 {
		return refuse(BadFragment)
	}
	g := a.datagrams[k]
	if g == nil {
		if len(a.datagrams) >= maxDatagrams {
			return refuse(FragmentLimit)
		}
		g = &datagram{until: now.Add(fragmentsLife)}
		a.datagrams[k] = g
	}
	if g.bad {
		return refuse(FragmentOverlap)
	}
	at, same := slices.BinarySearchFunc(g.parts, from, func(f fragment, from int) int { return f.from - from })
	if same && g.parts[at].to == to {
		return refuse(FragmentOverlap) // the same once more: only that is harmless
	}
	overlap := same || at > 0 && g.parts[at-1].to > from || at < len(g.parts) && g.parts[at].from < to
	ends := !more && (g.total != 0 || len(g.parts) > 0 && g.parts[len(g.parts)-1].to > to) || g.total != 0 && to > g.total
	if overlap || ends {
		a.clear(g)
		g.bad = true
		return refuse(FragmentOverlap)
	}
	size := 0
	for i := range refs {
		size += refs[i].Block().Size()
	}
	if len(g.parts) >= maxFragments || a.held+size > maxHeld {
		a.clear(g)
		g.bad = true
		return refuse(FragmentLimit)
	}
	a.held += size
	g.parts = slices.Insert(g.parts, at, fragment{from, to, slices.Clone(refs)})
	if !more {
		g.total = to
	}
	if from == 0 {
		g.next = next
	}
	if g.total == 0 {
		return nil, 0, false, 0, true
	}
	end := 0
	for _, p := range g.parts {
		if p.from != end {
			return nil, 0, false, 0, true
		}
		end = p.to
	}
	if end != g.total {
		return nil, 0, false, 0, true
	}
	for _, p := range g.parts {
		whole = append(whole, p.refs...)
		for i := range p.refs {
			a.held -= p.refs[i].Block().Size()
		}
	}
	delete(a.datagrams, k)
	return whole, g.next, true, 0, true
}
