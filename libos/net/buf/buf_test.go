package buf

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestQueueOracle holds a Queue against a plain slice, under seeded random operations, and counts blocks at the end.
func TestQueueOracle(t *testing.T) {
	pool := NewPool("test", 64, 64, Heap)
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var q Queue
		var want []byte
		lent, back := 0, 0
		var views []Ref
		for range 300 {
			switch rnd.IntN(7) {
			case 0, 1:
				p := random(rnd, rnd.IntN(200))
				n := q.AppendCopy(pool, p)
				if n < len(p) && pool.Stats().InUse != 64 {
					t.Fatalf("seed %d: %d of %d bytes with %d blocks in use", seed, n, len(p), pool.Stats().InUse)
				}
				want = append(want, p[:n]...)
			case 2:
				p := random(rnd, rnd.IntN(50))
				lent++
				q.Append(Lend(p, func() { back++ }))
				want = append(want, p...)
			case 3:
				p := make([]byte, rnd.IntN(300))
				n := q.Read(p)
				if !bytes.Equal(p[:n], want[:n]) || n != min(len(p), len(want)) {
					t.Fatalf("seed %d: Read gave other bytes", seed)
				}
				want = want[n:]
			case 4:
				r := q.Take(rnd.IntN(100))
				if !bytes.Equal(r.Bytes(), want[:r.Len()]) {
					t.Fatalf("seed %d: Take gave other bytes", seed)
				}
				want = want[r.Len():]
				r.Release()
			case 5:
				off, n, most := rnd.IntN(len(want)+1), rnd.IntN(200), rnd.IntN(6)
				var got int
				before := len(views)
				views, got = q.View(views, off, n, most)
				var all []byte
				for _, v := range views[before:] {
					all = append(all, v.Bytes()...)
				}
				if len(all) != got || got > n || !bytes.Equal(all, want[off:off+got]) || len(views)-before > most {
					t.Fatalf("seed %d: View(%d, %d, %d) gave %d bytes in %d pieces", seed, off, n, most, got, len(views)-before)
				}
				if got < min(n, len(want)-off) && len(views)-before < most {
					t.Fatalf("seed %d: View(%d, %d, %d) gave %d bytes only", seed, off, n, most, got)
				}
			case 6:
				for i := range views {
					views[i].Release()
				}
				views = views[:0]
			}
			if q.Len() != len(want) {
				t.Fatalf("seed %d: Len %d, want %d", seed, q.Len(), len(want))
			}
		}
		q.Clear()
		for i := range views {
			views[i].Release()
		}
		if in := pool.Stats().InUse; in != 0 || lent != back || q.Held() != 0 {
			t.Fatalf("seed %d: %d blocks in use, %d of %d lent came back, %d bytes held", seed, in, back, lent, q.Held())
		}
	}
}

func random(rnd *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rnd.Uint32())
	}
	return p
}

// TestViewsOutliveDiscard: bytes that were sent stay readable for the device while the stream forgets and refills them.
func TestViewsOutliveDiscard(t *testing.T) {
	pool := NewPool("test", 64, 2, Heap)
	var q Queue
	q.AppendCopy(pool, []byte("first"))
	v, _ := q.View(nil, 0, 5, 1)
	q.Discard(5)
	q.AppendCopy(pool, bytes.Repeat([]byte{'x'}, 64))
	if got := v[0].Bytes(); string(got) != "first" {
		t.Errorf("the view holds %q now", got)
	}
	if n := q.AppendCopy(pool, []byte("more")); n != 0 {
		t.Errorf("a pool of two blocks gave a third: %d bytes", n)
	}
	v[0].Release()
	if n := q.AppendCopy(pool, []byte("more")); n != 4 {
		t.Errorf("a block that came back was not given again: %d bytes", n)
	}
	if s := pool.Stats(); s.Failed != 1 || s.InUse != 2 {
		t.Errorf("%+v", s)
	}
}

// TestHeld: a block counts once for pieces that follow each other, lent memory by its bytes.
func TestHeld(t *testing.T) {
	pool := NewPool("test", 1024, 4, Heap)
	var q Queue
	want := func(n int) {
		t.Helper()
		if q.Held() != n {
			t.Errorf("%d bytes are held, want %d", q.Held(), n)
		}
	}
	a, _ := pool.Get()
	b, _ := pool.Get()
	for i := range 3 {
		q.Append(a.Part(i*10, i*10+10))
	}
	want(1024)
	q.Append(b.Part(0, 10))
	q.Append(a.Part(50, 60))
	want(3 * 1024)
	q.Append(Lend(make([]byte, 5000), nil))
	want(3*1024 + 5000)
	q.Discard(15)
	want(3*1024 + 5000)
	q.Discard(15)
	want(2*1024 + 5000)
	q.Discard(20 + 1000)
	want(4000)
	q.Clear()
	want(0)
	a.Release()
	b.Release()
}

// TestMisuse: bugs of callers do not go on quietly.
func TestMisuse(t *testing.T) {
	pool := NewPool("test", 64, 1, Heap)
	r, _ := pool.Get()
	for name, f := range map[string]func(){
		"trim":  func() { r := r; r.TrimFront(65) },
		"grow":  func() { r := r; r.Grow(1, 0) },
		"part":  func() { r.Part(3, 2) },
		"twice": func() { a := r; r.Release(); a.Release() },
		"queue": func() { new(Queue).Discard(1) },
		"size":  func() { NewPool("odd", 100, 1, Heap) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// TestNoAllocation: what is done for each packet allocates nothing.
func TestNoAllocation(t *testing.T) {
	pool := NewPool("test", 2048, 64, Heap)
	var q Queue
	views := make([]Ref, 0, 8)
	p := make([]byte, 3000)
	if n := testing.AllocsPerRun(100, func() {
		q.AppendCopy(pool, p)
		views, _ = q.View(views[:0], 100, 2500, 4)
		for i := range views {
			views[i].Release()
		}
		q.Read(p)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
