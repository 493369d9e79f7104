package inet

import (
	"bytes"
	"crypto/rand"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// TestBothWays has many connections send at once both ways over the loopback network, with memory for an eighth of what they would like to hold. Everything arrives: no
// writer is told that there is no memory, and none waits for ever.
func TestBothWays(t *testing.T) {
	conns, size := 200, 1<<20
	if race || testing.Short() {
		conns, size = 50, 512<<10
	}
	s := New(Config{
		Clock:     func() tick.Time { return tick.Time(time.Since(start)) + 1e9 },
		Random:    func(p []byte) { rand.Read(p) },
		MaxMemory: 4 << 20,
	})
	defer s.Close()
	l, err := s.ListenTCP(addr("127.0.0.1:80"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := pattern(size)
	both := func(c *Stream) {
		defer c.Close()
		c.SetReadDeadline(time.Now().Add(2 * time.Minute))
		c.SetWriteDeadline(time.Now().Add(2 * time.Minute))
		var all sync.WaitGroup
		all.Go(func() {
			if n, err := c.Write(want); err != nil {
				t.Errorf("%d written: %v; %+v", n, err, c.Info())
			}
			c.CloseWrite()
		})
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d of %d bytes came, or others: %v; %+v", len(got), size, err, c.Info())
		}
		all.Wait()
	}
	began := time.Now()
	var all sync.WaitGroup
	for range conns {
		all.Go(func() {
			c, err := s.DialTCP(t.Context(), addr("127.0.0.1:80"))
			if err != nil {
				t.Error(err)
				return
			}
			both(c)
		})
		all.Go(func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			both(c)
		})
	}
	all.Wait()
	t.Logf("%d connections, %d MiB: %v; dropped: %d by the loopback queue; pools %+v", conns, 2*conns*size>>20, time.Since(began).Round(time.Millisecond), s.Counters.LoopbackFull.Load(), s.Memory())
}
