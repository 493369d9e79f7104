package buddy

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/vm/pool"
)

// piece is RAM: frames first up to end.
type piece struct{ first, end uintptr }

// memory has these pieces free.
func memory(t testing.TB, pieces ...piece) *pool.Memory {
	t.Helper()
	m := &pool.Memory{N: pieces[len(pieces)-1].end}
	records := make([]uint64, need(m.N)/8+1)
	for i := range records {
		records[i] = 0xa5a5a5a5a5a5a5a5 // records begin with anything
	}
	m.Records = uintptr(unsafe.Pointer(&records[0]))
	t.Cleanup(func() { records[0] = 0 })
	start(m)
	for _, p := range pieces {
		if give(m, p.first, p.end-p.first) != p.end-p.first {
			t.Fatal("memory is not taken")
		}
	}
	return m
}

// odd is RAM that begins and ends amid chunks, with a gap, and a piece smaller than a chunk.
var odd = []piece{{5, 3*chunkFrames + 7}, {8 * chunkFrames, 12 * chunkFrames}, {20*chunkFrames + 1, 20*chunkFrames + 9}}

func frames(pieces []piece) (n uintptr) {
	for _, p := range pieces {
		n += p.end - p.first
	}
	return n
}

// TestOracle takes, gives and picks at random and compares with a set of frames.
func TestOracle(t *testing.T) {
	m := memory(t, odd...)
	taken := map[uintptr]bool{}
	var runs [][2]uintptr
	inRAM := func(f uintptr) bool {
		for _, p := range odd {
			if f >= p.first && f < p.end {
				return true
			}
		}
		return false
	}
	mark := func(first, n uintptr) {
		for f := first; f < first+n; f++ {
			if taken[f] || !inRAM(f) {
				t.Fatalf("frame %d is given out twice, or is no RAM", f)
			}
			taken[f] = true
		}
		runs = append(runs, [2]uintptr{first, n})
	}
	for range 20000 {
		switch k := rand.IntN(10); {
		case k < 4 || len(runs) == 0:
			n, align := uintptr(1), uintptr(1)
			if k < 2 {
				n, align = 1+rand.N[uintptr](40), 1<<rand.IntN(6)
			}
			if rand.IntN(100) == 0 {
				n, align = chunkFrames, chunkFrames
			}
			if f := take(m, n, align); f != pool.None {
				if f%align != 0 {
					t.Fatalf("%d is not aligned to %d", f, align)
				}
				mark(f, n)
			}
		case k < 9:
			i := rand.IntN(len(runs))
			first, n := runs[i][0], runs[i][1]
			if n > 1 && rand.IntN(2) == 0 { // a part of it
				part := 1 + rand.N[uintptr](n-1)
				runs[i] = [2]uintptr{first + part, n - part}
				n = part
			} else {
				runs[i] = runs[len(runs)-1]
				runs = runs[:len(runs)-1]
			}
			if got := give(m, first, n); got != n {
				t.Fatalf("give of %d frames at %d: %d", n, first, got)
			}
			for f := first; f < first+n; f++ {
				delete(taken, f)
			}
		default:
			p := odd[rand.IntN(len(odd))]
			f := p.first + rand.N(p.end-p.first)
			if pick(m, f) == taken[f] {
				t.Fatalf("pick of %d, taken %v", f, taken[f])
			} else if !taken[f] {
				mark(f, 1)
			}
		}
	}
	for _, r := range runs {
		if give(m, r[0], r[1]) != r[1] {
			t.Fatal("give")
		}
	}
	// All of it is free again, and whole: every large page there can be is there.
	large := 0
	for take(m, chunkFrames, chunkFrames) != pool.None {
		large++
	}
	if large != 2+4 {
		t.Errorf("%d large pages at the end, want 6", large)
	}
	n := uintptr(0)
	for take(m, 1, 1) != pool.None {
		n++
	}
	if want := frames(odd) - 6*chunkFrames; n != want {
		t.Errorf("%d frames beside them, want %d", n, want)
	}
}

func TestMistakes(t *testing.T) {
	m := memory(t, odd...)
	a := take(m, 16, 1)
	if give(m, a, 16) != 16 {
		t.Fatal("give")
	}
	for name, c := range map[string][2]uintptr{"twice": {a, 1}, "twice, all": {a, 16}, "never taken": {11 * chunkFrames, 1}} {
		if got := give(m, c[0], c[1]); got != pool.None {
			t.Errorf("%s: %d", name, got)
		}
	}
	if pick(m, 4*chunkFrames) || !pick(m, 11*chunkFrames) || pick(m, 11*chunkFrames) {
		t.Error("pick")
	}
}

// TestLongRuns takes more than a chunk.
func TestLongRuns(t *testing.T) {
	m := memory(t, odd...)
	if f := take(m, 3*chunkFrames+5, 2*chunkFrames); f != 8*chunkFrames {
		t.Error(f)
	}
	if f := take(m, 2*chunkFrames, 1); f != chunkFrames {
		t.Error(f)
	}
	if f := take(m, 2*chunkFrames, 1); f != pool.None {
		t.Error(f)
	}
	// No whole chunk is left. 507 frames in a row are, but not as one block: that is what a buddy system does not see.
	if f := take(m, 257, 1); f != pool.None {
		t.Error(f)
	}
	if f := take(m, 256, 1); f == pool.None {
		t.Error("no block of 256")
	}
}

func BenchmarkSixteen(b *testing.B) {
	m := memory(b, piece{0, 64 * chunkFrames})
	for range b.N {
		give(m, take(m, 16, 1), 16)
	}
}

func TestRecordSizes(t *testing.T) {
	if unsafe.Sizeof(chunk{}) != chunkRecord || unsafe.Sizeof(state{}) != stateRecord {
		t.Errorf("a chunk has %d bytes, the state %d", unsafe.Sizeof(chunk{}), unsafe.Sizeof(state{}))
	}
}
