package bump

import (
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/vm/pool"
)

func TestBump(t *testing.T) {
	records := make([]uint64, need(1000)/8)
	for i := range records {
		records[i] = 0xa5a5a5a5a5a5a5a5
	}
	m := &pool.Memory{N: 1000, Records: uintptr(unsafe.Pointer(&records[0]))}
	start(m)
	add(m, 3, 47)
	add(m, 50, 50)
	add(m, 512, 100)
	taken := map[uintptr]bool{}
	for n := uintptr(0); n < 40; n++ {
		first := take(m, 1+n%5, 1<<(n%3))
		if first == pool.None {
			t.Fatal("no frames at", n)
		}
		if first%(1<<(n%3)) != 0 {
			t.Errorf("%d is not aligned", first)
		}
		for f := first; f < first+1+n%5; f++ {
			if taken[f] || f < 3 || f >= 100 && f < 512 || f >= 612 {
				t.Fatalf("frame %d is given out twice, or is no RAM", f)
			}
			taken[f] = true
		}
		if back := give(m, first, 1); back != 0 {
			t.Error("a frame came back")
		}
	}
	s := (*state)(pool.At(m.Records))
	if next := s.pieces[1].next; !pick(m, next) || pick(m, next) || pick(m, next+5) {
		t.Error("pick")
	}
	if f := take(m, 200, 1); f != pool.None {
		t.Error(f)
	}
	if f := take(m, 1, 1<<63); f != pool.None {
		t.Error(f)
	}
	if unsafe.Sizeof(*s) != record {
		t.Error(unsafe.Sizeof(*s))
	}
}
