//go:build !hardtack

package exo

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

// testSpace is a space of 100 names with the capability of all.
func testSpace(t testing.TB) (*Space, Cap) {
	s, root, err := NewSpace("block", "disk", 0, 99)
	if err != nil {
		t.Fatal(err)
	}
	return s, root
}

func derive(t testing.TB, c Cap, holder string, lo, hi uint64, r Rights) Cap {
	t.Helper()
	k, err := c.Derive(holder, lo, hi, r)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// consistent checks that each name of n is in one place: free, below, or bound.
func consistent(t testing.TB, n *node) {
	t.Helper()
	n.in.mu.Lock()
	defer n.in.mu.Unlock()
	var walk func(n *node)
	walk = func(n *node) {
		var sum nameSet
		put := func(lo, hi uint64, where string) {
			if _, twice := sum.overlap(lo, hi); twice {
				t.Errorf("%s: [%d, %d] of %s is elsewhere, too", n.holder, lo, hi, where)
			}
			sum.add(lo, hi)
		}
		for _, r := range n.free {
			put(r.Lo, r.Hi, "the free")
		}
		for i, b := range n.bound {
			put(b.lo, b.hi, b.holder)
			if b.at != i || b.err() != nil {
				t.Errorf("%s: binding %d of %s", n.holder, i, b.holder)
			}
		}
		promised := uint64(0)
		for i, k := range n.below {
			for _, r := range k.names {
				put(r.Lo, r.Hi, k.holder)
			}
			promised += k.least
			if k.at != i || k.dead != nil || k.up != n {
				t.Errorf("%s: child %d, %s", n.holder, i, k.holder)
			}
			walk(k)
		}
		if !same(n.names, sum) {
			t.Errorf("%s has %v, its parts make %v", n.holder, n.names, sum)
		}
		if promised != n.promised {
			t.Errorf("%s has promised %d, its children say %d", n.holder, n.promised, promised)
		}
	}
	walk(n)
}

// Each misuse of a capability is refused by an error of its own, and changes nothing.
func TestRefusedCapabilities(t *testing.T) {
	s, root := testSpace(t)
	other, alien, _ := NewSpace("queue", "card", 0, 7)
	a := derive(t, root, "a", 10, 29, Read|Bind|Derive)
	b := derive(t, root, "b", 30, 39, All)
	low := derive(t, a, "low", 10, 14, Read)
	gone := derive(t, root, "gone", 40, 49, All)
	gone.Release()
	taken := derive(t, b, "taken", 30, 34, All)
	narrow := derive(t, root, "narrow", 50, 59, All)
	if err := root.RevokeRange(50, 54); err != nil {
		t.Fatal(err)
	}
	if err := b.Revoke(); err != nil {
		t.Fatal(err)
	}
	d := Demand{Names: 1}
	for _, c := range []struct {
		name string
		want string
		call func() error
	}{
		{"zero derive", "empty", func() error { _, err := Cap{}.Derive("x", 0, 0, 0); return err }},
		{"zero bind", "empty", func() error { _, err := s.Bind(Cap{}, "x", 0, 0, 0, nil); return err }},
		{"zero release", "empty", Cap{}.Release},
		{"zero revoke", "empty", Cap{}.Revoke},
		{"zero give up", "empty", func() error { return Cap{}.GiveUp(0, 0) }},
		{"zero handle", "empty", func() error { return Cap{}.Handle(nil) }},
		{"zero reclaim", "empty", func() error { _, err := Cap{}.Reclaim(a, d); return err }},
		{"reclaim of zero", "empty", func() error { _, err := root.Reclaim(Cap{}, d); return err }},
		{"zero err", "empty", Cap{}.Err},
		{"more rights", "rights", func() error { _, err := a.Derive("x", 20, 20, Write); return err }},
		{"derive without Derive", "rights", func() error { _, err := low.Derive("x", 10, 10, Read); return err }},
		{"bind without Bind", "rights", func() error { _, err := s.Bind(low, "x", 10, 10, Read, nil); return err }},
		{"revoke without Derive", "rights", low.Revoke},
		{"revoke a range without Derive", "rights", func() error { return low.RevokeRange(10, 10) }},
		{"guarantee without Derive", "rights", func() error { return low.Guarantee(a, 1) }},
		{"bind for more than it gives", "rights", func() error { _, err := s.Bind(a, "x", 20, 20, Write, nil); return err }},
		{"another space's", "rights", func() error { _, err := s.Bind(alien, "x", 0, 0, 0, nil); return err }},
		{"into another space", "rights", func() error { _, err := other.Bind(a, "x", 10, 10, 0, nil); return err }},
		{"guarantee for a grandchild", "rights", func() error { return root.Guarantee(low, 1) }},
		{"reclaim of a sibling", "rights", func() error { _, err := a.Reclaim(b, d); return err }},
		{"reclaim of another space's", "rights", func() error { _, err := root.Reclaim(alien, d); return err }},
		{"release the root", "rights", root.Release},
		{"give up the root's", "rights", func() error { return root.GiveUp(90, 90) }},
		{"outside", "range", func() error { _, err := a.Derive("x", 9, 10, Read); return err }},
		{"far outside", "range", func() error { _, err := root.Derive("x", 100, ^uint64(0), Read); return err }},
		{"backwards", "range", func() error { _, err := root.Derive("x", 95, 94, Read); return err }},
		{"give up what it has not", "range", func() error { return a.GiveUp(29, 30) }},
		{"revoke what it has not", "range", func() error { return a.RevokeRange(0, 99) }},
		{"guarantee of more than it has", "range", func() error { return root.Guarantee(a, 21) }},
		{"a guarantee from nothing", "exhausted", func() error { return a.Guarantee(low, 1) }},
		{"a sibling's", "held", func() error { _, err := root.Derive("x", 0, 10, Read); return err }},
		{"bind what is derived", "held", func() error { _, err := s.Bind(a, "x", 14, 15, Read, nil); return err }},
		{"released", "released", gone.Err},
		{"derive from released", "released", func() error { _, err := gone.Derive("x", 40, 40, Read); return err }},
		{"release twice", "released", gone.Release},
		{"revoked", "revoked", taken.Err},
		{"bind from revoked", "revoked", func() error { _, err := s.Bind(taken, "x", 30, 30, Read, nil); return err }},
		{"derive what was taken", "revoked", func() error { _, err := narrow.Derive("x", 50, 50, Read); return err }},
		{"an empty space", "range", func() error { _, _, err := NewSpace("x", "x", 1, 0); return err }},
		{"too large a space", "range", func() error { _, _, err := NewSpace("x", "x", 0, ^uint64(0)); return err }},
	} {
		err := c.call()
		if kind(err) != c.want {
			t.Errorf("%s: %v, want an error of kind %q", c.name, err, c.want)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "exo: ") || len(err.Error()) < 30) {
			t.Errorf("%s: %v does not say where and what to do", c.name, err)
		}
	}
	var held *HeldError
	if _, err := root.Derive("x", 0, 10, Read); !errors.As(err, &held) || held.Holder != "a" || held.At != 10 || held.To != 29 {
		t.Errorf("%+v", held)
	}
	var rev *RevokedError
	if err := taken.Err(); !errors.As(err, &rev) || rev.By != "b" || rev.Why != "Revoke" || rev.When <= 0 || rev.When > Now() {
		t.Errorf("%+v", rev)
	}
	if got := narrow.Names(); len(got) != 1 || got[0] != (Range{55, 59}) {
		t.Errorf("what was left is %v", got)
	}
	if list, _ := narrow.Repossessions(); len(list) != 1 || list[0].Range != (Range{50, 54}) || list[0].By != "disk" {
		t.Errorf("%+v", list)
	}
	consistent(t, root.n)
	if free := a.Free(); len(free) != 1 || free[0] != (Range{15, 29}) {
		t.Errorf("a refusal changed something: %v", free)
	}
}

// Two holders ask for the same names at once, many times: one wins, the other is told who.
func TestRaceForNames(t *testing.T) {
	s, root := testSpace(t)
	for range 300 {
		var bs [2]*Binding
		var errs [2]error
		var wg sync.WaitGroup
		for i, holder := range []string{"first", "second"} {
			wg.Go(func() { bs[i], errs[i] = s.Bind(root, holder, 7, 8, Read, nil) })
		}
		wg.Wait()
		win := 0
		if errs[0] != nil {
			win = 1
		}
		var held *HeldError
		if errs[win] != nil || !errors.As(errs[1-win], &held) || held.Holder != []string{"first", "second"}[win] {
			t.Fatal(errs)
		}
		bs[win].Release()
	}
}

// Everybody derives, binds, gives up, revokes and reclaims at once; afterwards each name is in one place, and comes back.
func TestConcurrentCapabilities(t *testing.T) {
	s, root := testSpace(t)
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() {
			for i := range uint64(200) {
				lo := (g*7 + i) % 90
				c, err := root.Derive("g", lo, lo+3, All)
				if err != nil {
					root.RevokeRange(lo, lo+1)
					continue
				}
				c.Handle(func(r *Request) { r.GiveUp(lo, lo) })
				root.Guarantee(c, 1)
				k, _ := c.Derive("k", lo, lo+1, All)
				b, _ := s.Bind(k, "b", lo, lo, Read, func() {})
				s.Bind(c, "b", lo+2, lo+3, Read, func() {})
				switch i % 5 {
				case 0:
					c.GiveUp(lo, lo)
				case 1:
					c.Revoke()
				case 2:
					root.Reclaim(c, Demand{Names: 2, Deadline: Now() + 1e9})
				case 3:
					k.Release()
				}
				b.Err()
				c.Names()
				if i%3 != 0 {
					c.Release()
				}
			}
		})
	}
	wg.Wait()
	consistent(t, root.n)
	if err := root.Revoke(); err != nil {
		t.Fatal(err)
	}
	if free := root.Free(); len(free) != 1 || free[0] != (Range{0, 99}) {
		t.Errorf("free after all was revoked: %v", free)
	}
	consistent(t, root.n)
}

// Rights read well.
func TestRightsString(t *testing.T) {
	for r, want := range map[Rights]string{0: "none", Read: "read", All: "read, write, bind, derive", Write | Derive: "write, derive"} {
		if r.String() != want {
			t.Errorf("%d: %q", r, r.String())
		}
	}
}

// TestGrow has a space get more names, and bindings extended into them.
func TestGrow(t *testing.T) {
	simulated(t)
	s, all := testSpace(t)
	some := derive(t, all, "some", 20, 29, All)
	end := 0
	b, err := s.Bind(all, "log", 90, 99, Read, func() { end++ })
	if err != nil {
		t.Fatal(err)
	}
	for hi, want := range map[uint64]string{0: "range", 98: "range", 99: "range", ^uint64(0): "range"} {
		if err := s.Grow(hi); kind(err) != want {
			t.Errorf("to %d: %v", hi, err)
		}
		if err := b.Extend(hi, func() { t.Error("extended") }); kind(err) != "range" {
			t.Errorf("to %d: %v", hi, err)
		}
	}
	if err := s.Grow(199); err != nil {
		t.Fatal(err)
	}
	other, err := s.Bind(all, "other", 150, 159, Read, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Extend(155, func() { t.Error("extended") }); kind(err) != "held" || b.Range() != (Range{90, 99}) {
		t.Error(err, b.Range())
	}
	if err := b.Extend(149, func() { end = 10 }); err != nil || end != 10 || b.Range() != (Range{90, 149}) {
		t.Error(err, end, b.Range())
	}
	if err := other.Release(); err != nil {
		t.Error(err)
	}
	if _, err := s.Bind(all, "x", 100, 100, Read, nil); kind(err) != "held" {
		t.Error(err)
	}
	if err := b.Release(); err != nil || end != 11 {
		t.Error(err, end)
	}
	if err := b.Extend(160, func() { t.Error("extended") }); kind(err) != "released" {
		t.Error(err)
	}
	if free := all.Free(); len(free) != 2 || free[1] != (Range{30, 199}) {
		t.Error(free)
	}
	// What was derived has what it had.
	if _, err := s.Bind(some, "x", 100, 100, Read, nil); kind(err) != "range" {
		t.Error(err)
	}
	if err := new(Binding).Extend(5, nil); kind(err) != "empty" {
		t.Error(err)
	}
	all.Revoke()
	if err := s.Grow(299); all.Err() != nil && kind(err) == "" {
		t.Error("a space whose capability ended has grown")
	}
}
