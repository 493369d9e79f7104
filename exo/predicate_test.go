package exo

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

// wordsOf gives frames of a simulated machine, and a way to write their words as a device does.
func wordsOf(t testing.TB) (f *Frames, store func(off uintptr, v uint32)) {
	t.Cleanup(Simulate(sim.New(1 << 20)))
	f, err := TakeFrames("test", 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f, func(off uintptr, v uint32) { f.at.word(off).Store(v) }
}

// TestPredicateWaits: each alternative wakes when all of it is true, and not before; the deadline ends a wait.
func TestPredicateWaits(t *testing.T) {
	f, store := wordsOf(t)
	var own atomic.Uint32
	p, err := NewPredicate(
		[]Term{{Frames: f, Off: 8, Mask: 0xffff0000, Op: NotEqual, Value: 0}, {Word: &own, Op: AtLeast, Value: 3}},
		[]Term{{Frames: f, Off: 2*PageSize - 4, Op: Below, Value: 5}, {Frames: f, Off: 0, Value: 7}},
	)
	if err != nil {
		t.Fatal(err)
	}
	store(2*PageSize-4, 9)
	store(8, 0xffff) // the mask takes it away
	if i, err := p.Wait(Now() + 2e6); i != -1 || err != nil {
		t.Errorf("nothing is true: %d, %v", i, err)
	}
	for _, c := range []struct {
		change func()
		want   int
	}{
		{func() { store(8, 0x10000); own.Store(3) }, 0},
		{func() { own.Store(2); store(2*PageSize-4, 4); store(0, 7) }, 1},
		{func() { own.Store(1 << 31) }, 0}, // the first of two
	} {
		done := make(chan int)
		go func() {
			i, err := p.Wait(0)
			if err != nil {
				t.Error(err)
			}
			done <- i
		}()
		c.change()
		Poke()
		if i := <-done; i != c.want {
			t.Errorf("alternative %d, want %d", i, c.want)
		}
	}
	p.Set(0, 0x10000)
	p.Set(3, 8)
	if i, _ := p.Wait(Now() + 1); i != -1 {
		t.Errorf("alternative %d after both were set to what is not", i)
	}
	p.Set(0, 0xffff) // all of it the mask takes away: that is 0
	if i, _ := p.Wait(Now() + 1); i != 0 {
		t.Errorf("alternative %d, want 0", i)
	}
}

// TestPredicateEnds: memory that ends wakes who waits with the reason, and nothing waits for it again.
func TestPredicateEnds(t *testing.T) {
	for name, end := range map[string]func(*Frames){
		"released": func(f *Frames) { f.Release() },
		"revoked":  func(*Frames) { Root().Caps(FrameSpace)[0].Revoke() },
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := wordsOf(t)
			p, err := NewPredicate([]Term{{Frames: f, Off: 4, Value: 1}})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			go func() {
				_, err := p.Wait(0)
				done <- err
			}()
			for !p.inside.Load() {
				time.Sleep(time.Millisecond)
			}
			if _, err := p.Wait(0); !errors.As(err, new(*BusyError)) {
				t.Errorf("a second one waits: %v", err)
			}
			end(f)
			for range 2 {
				if err := <-done; err == nil || err.Error() != f.Err().Error() {
					t.Errorf("%v, want %v", err, f.Err())
				}
				go func() {
					_, err := p.Wait(0)
					done <- err
				}()
			}
			<-done
			if _, err := NewPredicate([]Term{{Frames: f, Off: 4}}); err == nil {
				t.Error("a predicate about memory that has ended")
			}
		})
	}
}

// TestPredicateRefused: what makes no sense is refused when it is made.
func TestPredicateRefused(t *testing.T) {
	f, _ := wordsOf(t)
	var own atomic.Uint32
	good := Term{Frames: f, Off: 4}
	many := make([]Term, MaxTerms)
	for i := range many {
		many[i] = good
	}
	if _, err := NewPredicate(many); err != nil {
		t.Error(err)
	}
	for name, c := range map[string][][]Term{
		"nothing":              {},
		"an empty alternative": {{good}, {}},
		"too many":             {many, {good}},
		"both":                 {{{Frames: f, Word: &own}}},
		"neither":              {{{}}},
		"outside":              {{{Frames: f, Off: 2 * PageSize}}},
		"far outside":          {{{Frames: f, Off: ^uintptr(3)}}},
		"across the end":       {{{Frames: f, Off: 2*PageSize - 2}}},
		"not aligned":          {{{Frames: f, Off: 6}}},
		"no such comparison":   {{{Frames: f, Op: ops}}},
		"what cannot be":       {{{Frames: f, Mask: 0xf, Value: 0x10}}},
	} {
		if _, err := NewPredicate(c...); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestPredicateUse: what is used again and again allocates nothing.
func TestPredicateUse(t *testing.T) {
	var own atomic.Uint32
	own.Store(1)
	p, err := NewPredicate([]Term{{Word: &own, Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		p.Set(0, 1)
		p.Wait(0)
		Poke()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzPredicate compares a predicate with the plain reading of its terms.
func FuzzPredicate(f *testing.F) {
	f.Add(uint64(1), uint8(2), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, alternatives, each uint8) {
		r := rand.New(rand.NewPCG(seed, 0))
		mem := make([]atomic.Uint32, 4)
		for i := range mem {
			mem[i].Store(r.Uint32N(4))
		}
		want := -1
		var list [][]Term
		for i := range int(alternatives % 5) {
			all := true
			var terms []Term
			for range each%4 + 1 {
				x := Term{Word: &mem[r.IntN(len(mem))], Mask: r.Uint32N(4), Op: Op(r.IntN(int(ops))), Value: r.Uint32N(4)}
				mask := x.Mask
				if mask == 0 {
					mask = ^uint32(0)
				}
				x.Value &= mask
				v := x.Word.Load() & mask
				all = all && []bool{v == x.Value, v != x.Value, v >= x.Value, v < x.Value}[x.Op]
				terms = append(terms, x)
			}
			if all && want < 0 {
				want = i
			}
			list = append(list, terms)
		}
		p, err := NewPredicate(list...)
		if err != nil {
			if n := int(alternatives%5) * int(each%4+1); n >= 1 && n <= MaxTerms {
				t.Fatal(err)
			}
			return
		}
		if got, err := p.Wait(1); got != want || err != nil {
			t.Errorf("alternative %d, %v, want %d", got, err, want)
		}
	})
}
