package inet

import (
	"runtime"
	"testing"
)

// idleBytes is what a connection may hold that has said something once and is idle since, buffers and all.
const idleBytes = 1700

// TestIdleConnections weighs ten thousand of them, both ends of five thousand. Unlike figures of time, bytes are the same on a busy host.
func TestIdleConnections(t *testing.T) {
	if race {
		t.Skip("the race detector makes what is allocated larger")
	}
	s := newStack(t)
	l, err := s.ListenTCP(addr("127.0.0.1:80"), 16)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const pairs = 5000
	all := make([]*Stream, 0, 2*pairs)
	p := make([]byte, 3000)
	more := func() {
		x, err := s.DialTCP(t.Context(), addr("127.0.0.1:80"))
		if err != nil {
			t.Fatal(err)
		}
		y, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x, y)
		for _, way := range [][2]*Stream{{x, y}, {y, x}} {
			if n, err := way[0].Write(p); err != nil {
				t.Fatal(n, err)
			}
			for got := 0; got < len(p); {
				n, err := way[1].Read(p)
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
		}
	}
	weight := func() (bytes int64) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		bytes = int64(m.HeapAlloc)
		for _, p := range s.Memory() {
			bytes += int64(p.InUse) * int64(p.Size)
		}
		return bytes
	}
	for range 100 {
		more()
	}
	before := weight()
	for range pairs {
		more()
	}
	each := (weight() - before) / (2 * pairs)
	t.Logf("%d bytes an idle connection", each)
	if each > idleBytes {
		t.Errorf("an idle connection holds %d bytes, want at most %d", each, idleBytes)
	}
	for _, c := range all {
		c.Close()
	}
}
