package netstat

import (
	"bytes"
	"crypto/rand"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	inet "github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// TestRequests: more clients than are served at a time, with long heads, get their answers.
func TestRequests(t *testing.T) {
	start := time.Now()
	s := inet.New(inet.Config{Clock: func() tick.Time { return tick.Time(time.Since(start)) + 1e9 }, Random: func(p []byte) { rand.Read(p) }})
	t.Cleanup(s.Close)
	go listen(s, "7070")
	ask := func(head string) string {
		var c *inet.Stream
		for range 1000 { // until it listens, and has room
			var err error
			if c, err = s.DialTCP(t.Context(), netip.MustParseAddrPort("127.0.0.1:7070")); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if c == nil {
			return "no connection"
		}
		defer c.Close()
		if _, err := c.Write([]byte(head)); err != nil {
			return err.Error()
		}
		var all []byte
		var b [4096]byte
		for {
			n, err := c.Read(b[:])
			if all = append(all, b[:n]...); err != nil {
				return string(all)
			}
		}
	}
	long := "Cookie: " + strings.Repeat("x", 8000) + "\r\n\r\n"
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if got := ask("GET /goroutines HTTP/1.1\r\n" + long); !strings.HasPrefix(got, "HTTP/1.0 200 ") || !strings.Contains(got, "TestRequests") {
				t.Errorf("%.200q", got)
			}
		})
	}
	all.Wait()
	if got := ask("GET /" + string(bytes.Repeat([]byte("a"), 5000)) + " HTTP/1.1\r\n" + long); !strings.HasPrefix(got, "HTTP/1.0 404 ") {
		t.Errorf("%.200q", got)
	}
}
