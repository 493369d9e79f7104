package virtio

import "testing"

// TestDue: a device that has taken any number of chains without being told, and then rests, is told of the next one; one that is busy is not told.
func TestDue(t *testing.T) {
	for _, size := range []uint16{1, 16, 1 << 15} {
		for _, step := range []uint16{1, min(size, 7), size} {
			q := Queue{size: size, told: 5}
			if !q.due(4, 4) {
				t.Fatalf("size %d: not told of the first", size)
			}
			event := q.told - 1 // the device is busy with that one, and has not said what it waits for next
			for n := uint32(0); n < 3<<16; n += uint32(step) {
				rests := q
				before := rests.told
				if rests.told++; !rests.due(before, before) {
					t.Fatalf("size %d: a device that rests after %d chains is not told of the next", size, n)
				}
				before = q.told
				q.told += step
				if q.due(before, event) {
					if lag := q.told - event - 1; lag >= size {
						t.Fatalf("size %d: a busy device is told %d chains later", size, lag)
					}
					event = q.told - 1
				}
			}
		}
	}
}
