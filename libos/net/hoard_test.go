package inet

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/memwire"
)

// TestHoarders: programs that do not read what they have received leave memory to the others. Of a card with 256 blocks, two hundred connections and ten endpoints of UDP hold all they may; a
// connection still carries data both ways.
func TestHoarders(t *testing.T) {
	a, b := two(t, memwire.Options{Blocks: 256})
	serve := func(port string, each func(*Stream)) {
		l, err := b.ListenTCP(addr("0.0.0.0:"+port), 1000)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				t.Cleanup(func() { c.Close() })
				each(c)
			}
		}()
	}
	serve("80", func(*Stream) {})
	serve("7", func(c *Stream) {
		go func() {
			io.Copy(c, c)
			c.CloseWrite()
		}()
	})
	var udp []*Packets
	for range 10 {
		u, err := b.ListenUDP(addr("10.0.0.2:0"))
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		udp = append(udp, u)
	}
	s, err := a.ListenUDP(addr("0.0.0.0:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 200 {
		c, err := a.DialTCP(t.Context(), addr("10.0.0.2:80"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		c.Write(make([]byte, 64<<10))
		for _, u := range udp {
			s.WriteTo(make([]byte, 1400), u.Local())
		}
	}
	c, err := a.DialTCP(t.Context(), addr("10.0.0.2:7"))
	if err != nil {
		t.Fatalf("beside those who do not read: %v; %+v", err, b.Memory())
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	want := pattern(50_000)
	go func() {
		c.Write(want)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes came back: %v; %+v", len(got), len(want), err, c.Info())
	}
}
