//go:build !hardtack

package exo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// kind is what an error is about, as the oracle says it.
func kind(err error) string {
	var (
		held      *HeldError
		outside   *RangeError
		exhausted *ExhaustedError
		released  *ReleasedError
		revoked   *RevokedError
		rights    *RightsError
		empty     *EmptyError
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &held):
		return "held"
	case errors.As(err, &outside):
		return "range"
	case errors.As(err, &exhausted):
		return "exhausted"
	case errors.As(err, &released):
		return "released"
	case errors.As(err, &revoked):
		return "revoked"
	case errors.As(err, &rights):
		return "rights"
	case errors.As(err, &empty):
		return "empty"
	}
	return "another: " + err.Error()
}

// A handClock stands still. A deadline comes at once if it is due, else never.
type handClock struct{ due bool }

func (c *handClock) Now() int64 { return 5 }

func (c *handClock) Until(int64) (<-chan struct{}, func()) {
	ch := make(chan struct{})
	if c.due {
		close(ch)
	}
	return ch, func() {}
}

// A trial runs one sequence on the tree and on the oracle.
type trial struct {
	t      testing.TB
	o      *oracle
	s      *Space
	caps   []Cap
	binds  []*Binding
	usable []*bool // what the unbind hooks have left
	clock  handClock
	stuck  chan struct{} // handlers that never answer wait for it
}

func newTrial(t testing.TB) *trial {
	s, root, err := NewSpace("blocks of a disk", "disk", 0, oracleNames-1)
	if err != nil {
		t.Fatal(err)
	}
	return &trial{t: t, o: newOracle(), s: s, caps: []Cap{root}, stuck: make(chan struct{})}
}

// step decodes four bytes into one call.
func (r *trial) step(op, a, b, c byte) {
	k := int(a) % len(r.caps)
	lo := int(b & 15)
	hi := lo + int(b>>4)/2 // mostly in the space, sometimes past its end
	if b>>4 == 15 && lo > 0 {
		hi = lo - 1
	}
	what := ""
	var got, want string
	switch op % 16 {
	case 0, 1, 9, 10, 11:
		rights := Rights(c) & All
		if c&0x10 != 0 {
			rights = All
		}
		what = fmt.Sprintf("derive %d [%d, %d] %v", k, lo, hi, rights)
		x, err := r.caps[k].Derive("holder", uint64(lo), uint64(hi), rights)
		got, want = kind(err), r.o.derive(k, lo, hi, rights)
		if err == nil {
			r.caps = append(r.caps, x)
		}
	case 2, 12, 13:
		rights := Rights(c) & (Read | Write)
		what = fmt.Sprintf("bind %d [%d, %d] %v", k, lo, hi, rights)
		on := new(bool)
		x, err := r.s.Bind(r.caps[k], "user", uint64(lo), uint64(hi), rights, func() { *on = false })
		got, want = kind(err), r.o.bind(k, lo, hi, rights)
		if err == nil {
			*on = true
			r.binds, r.usable = append(r.binds, x), append(r.usable, on)
		}
	case 3:
		if len(r.binds) > 0 {
			i := int(a) % len(r.binds)
			what = fmt.Sprintf("unbind %d", i)
			got, want = kind(r.binds[i].Release()), r.o.unbind(i, "released")
		}
	case 4:
		what = fmt.Sprintf("release %d", k)
		got, want = kind(r.caps[k].Release()), r.o.release(k)
	case 5:
		if c&1 == 0 {
			what = fmt.Sprintf("revoke %d", k)
			got, want = kind(r.caps[k].Revoke()), r.o.revoke(k)
			break
		}
		what = fmt.Sprintf("revoke %d [%d, %d]", k, lo, hi)
		got, want = kind(r.caps[k].RevokeRange(uint64(lo), uint64(hi))), r.o.revokeRange(k, lo, hi)
	case 6:
		what = fmt.Sprintf("give up %d [%d, %d]", k, lo, hi)
		got, want = kind(r.caps[k].GiveUp(uint64(lo), uint64(hi))), r.o.giveUp(k, lo, hi)
	case 7:
		from := int(c) % len(r.caps)
		k = r.parent(k, from, b)
		what = fmt.Sprintf("%d guarantees %d %d names", k, from, lo)
		got, want = kind(r.caps[k].Guarantee(r.caps[from], uint64(lo))), r.o.guarantee(k, from, lo)
	case 8, 14, 15:
		from := int(c&31) % len(r.caps)
		k = r.parent(k, from, b)
		what = fmt.Sprintf("%d reclaims %d names of %d", k, lo, from)
		give := []Range{{uint64(hi), uint64(hi + int(a>>6))}, {uint64(hi / 2), uint64(hi / 2)}}
		r.handler(from, int(c>>5), give)
		n, err := r.caps[k].Reclaim(r.caps[from], Demand{Names: uint64(lo), Deadline: 9, Why: "fuzz", Clock: &r.clock})
		m, e := r.o.reclaim(k, from, lo)
		got, want = fmt.Sprint(n, kind(err)), fmt.Sprint(m, e)
	}
	if got != want {
		r.t.Fatalf("%s: %q, the oracle says %q", what, got, want)
	}
	r.compare(what)
}

// parent is mostly the one that k was derived from, else any.
func (r *trial) parent(any, k int, b byte) int {
	if up := r.o.caps[k].up; up >= 0 && b != 0 {
		return up
	}
	return any
}

// handler gives cap k one that behaves in one of eight ways.
func (r *trial) handler(k, way int, give []Range) {
	r.clock.due = false
	gives := func(q *Request) {
		for _, g := range give {
			q.GiveUp(g.Lo, g.Hi)
		}
	}
	var f func(*Request)
	switch way {
	case 0, 1:
		give = nil
	case 2:
		f, give = func(*Request) {}, nil
	case 3:
		f, give = func(*Request) { panic("fuzz") }, nil
	case 4:
		f = func(q *Request) { gives(q); panic("fuzz") }
	case 5:
		f, give = func(*Request) { <-r.stuck }, nil
		r.clock.due = true
	default:
		f = gives
	}
	if r.caps[k].Handle(f) != nil {
		return
	}
	r.o.caps[k].handler = nil
	if f != nil {
		r.o.caps[k].handler = func() ([]Range, bool) { return give, way != 5 }
	}
}

// compare checks that tree and oracle agree in all that can be seen.
func (r *trial) compare(after string) {
	for k, c := range r.caps {
		if got, want := kind(c.Err()), r.o.caps[k].dead; got != want {
			r.t.Fatalf("after %s: cap %d is %q, the oracle says %q", after, k, got, want)
		}
		if c.Err() != nil {
			continue
		}
		var names, free nameSet
		for i := range r.o.path {
			if r.o.has(k, i) {
				names.add(uint64(i), uint64(i))
				if r.o.free(k, i) {
					free.add(uint64(i), uint64(i))
				}
			}
		}
		if got := c.Names(); !same(got, names) {
			r.t.Fatalf("after %s: cap %d has %v, the oracle says %v", after, k, got, names)
		}
		if got := c.Free(); !same(got, free) {
			r.t.Fatalf("after %s: cap %d has %v free, the oracle says %v", after, k, got, free)
		}
	}
	for i, b := range r.binds {
		if got, want := kind(b.Err()), r.o.binds[i].dead; got != want || *r.usable[i] != (want == "") {
			r.t.Fatalf("after %s: binding %d is %q and usable: %v, the oracle says %q", after, i, got, *r.usable[i], want)
		}
	}
}

func same(a []Range, b nameSet) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, []Range(b))
}

func (r *trial) run(data []byte) {
	defer close(r.stuck)
	for ; len(data) >= 4 && len(r.caps) < 64; data = data[4:] {
		r.step(data[0], data[1], data[2], data[3])
	}
}

// FuzzCapabilities runs sequences of calls, four bytes each, on the tree and on the oracle.
func FuzzCapabilities(f *testing.F) {
	f.Add([]byte("\x00\x00\xe0\x10\x00\x01\xe3\x10\x02\x02\x44\x00\x05\x00\x00\x00"))                                 // derive twice, bind, revoke all
	f.Add([]byte("\x00\x00\xe0\x10\x07\x00\x04\x01\x02\x01\x60\x00\x08\x00\x0f\x01"))                                 // a guarantee of 4, all asked back
	f.Add([]byte("\x00\x00\xe0\x10\x02\x01\x45\x00\x08\x00\x63\xc1\x08\x00\x6f\xa1\x00\x00\xe0\x10"))                 // a handler that gives, one that never answers
	f.Add([]byte("\x00\x00\xe0\x10\x02\x01\x40\x00\x02\x01\x43\x00\x00\x01\x46\x10\x02\x02\x26\x00\x08\x00\x87\x01")) // all three kinds to force from
	f.Fuzz(func(t *testing.T, data []byte) { newTrial(t).run(data) })
}

// TestCapabilitySequences is the fuzz target on random sequences, with the same numbers each time.
func TestCapabilitySequences(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 8))
	n := 1000
	if testing.Short() {
		n = 300
	}
	for range n {
		data := make([]byte, 4*(1+rng.IntN(60)))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		if rng.IntN(2) == 0 { // most of the space in one hand, so that something can happen there
			copy(data, "\x00\x00\xe0\x10")
		}
		newTrial(t).run(data)
	}
}
