//go:build !hardtack

package virtio

import (
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

// The device's side of a queue is any bytes, between any calls of the driver. Nothing may panic, no chain may come back
// twice, and descriptors never get lost while the queue works.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{1, 1, 1, 0, 0, 0, 0})
	f.Add([]byte{1, 2, 3, 1, 0, 5, 0, 0, 2, 1, 0, 0})
	f.Add([]byte{2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 0, 2, 0, 1, 3, 0, 4, 0, 1, 3, 2, 3, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		defer exo.Simulate(sim.New(1 << 17))()
		q, err := newQueue("t", "t", 0, 8)
		if err != nil {
			t.Fatal(err)
		}
		q.indirect = true
		if err := q.Tables("t", 3, 4); err != nil {
			t.Fatal(err)
		}
		next := func() (v byte) {
			if len(b) > 0 {
				v, b = b[0], b[1:]
			}
			return v
		}
		out := map[uint64]int{}
		var token uint64
		for len(b) > 0 {
			switch op := next(); op % 4 {
			case 0: // the device writes a used entry and moves on
				e := q.used[usedHead+usedSize*int(next()&7):]
				le.PutUint32(e, uint32(next()))
				le.PutUint32(e[4:], uint32(next())<<(op>>3))
				fallthrough
			case 1: // or only moves on
				q.usedWord.Store(q.usedWord.Load() + uint32(next()&3)<<16)
			case 2:
				token++
				bufs := make([]Buffer, next()%4)
				for i := range bufs {
					bufs[i] = Buffer{Addr: 1, Len: uint32(op), Write: i > 0}
				}
				before, room := q.Free(), q.Room()
				took := q.Add(token, bufs...)
				if took {
					out[token] = before - q.Free()
				}
				if took != (len(bufs) > 0 && len(bufs) <= room && q.Err() == nil) {
					t.Fatalf("a chain of %d where there is room for %d: %v", len(bufs), room, took)
				}
			case 3:
				for {
					tok, _, ok := q.Next()
					if !ok {
						break
					}
					if out[tok] == 0 {
						t.Fatalf("token %d came back and was not out", tok)
					}
					delete(out, tok)
				}
			}
			n := q.Free()
			for _, k := range out {
				n += k
			}
			if n != q.Size() {
				t.Fatalf("%d descriptors of %d", n, q.Size())
			}
			tables := len(q.tables.free)
			for i := range q.chains {
				if c := &q.chains[i]; c.n > 0 && c.table > 0 {
					tables++
				}
			}
			if tables != 3 {
				t.Fatalf("%d tables of 3", tables)
			}
		}
	})
}

func FuzzCapabilities(f *testing.F) {
	f.Add(make([]byte, 256), uint64(64))
	f.Fuzz(func(t *testing.T, b []byte, at uint64) {
		var space [256 + 8]byte
		copy(space[:256], b)
		load8 := func(o int) uint8 { return space[o] }
		load32 := func(o int) uint32 { return le.Uint32(space[o:]) }
		w, ok := readWindows([]int{int(at & 0xfc), int(at >> 8 & 0xfc), int(at >> 16 & 0xfc)}, load8, load32)
		if ok && (w.common.size < commonSize || w.notify.size == 0 || w.common.bar > 5 || w.notify.bar > 5) {
			t.Errorf("%+v", w)
		}
	})
}
