//go:build linux

package netns

import (
	"net"
	"strings"
	"testing"
)

// TestApart: a namespace has interfaces of its own, and a socket that was opened there stays there.
func TestApart(t *testing.T) {
	n := For(t)
	if out, err := n.Output("ip", "-o", "link"); err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, "lo:") || !strings.Contains(out, "UP") {
		t.Errorf("%v: %s", err, out)
	}
	if err := n.Run("ip", "link", "add", "one", "type", "veth", "peer", "name", "two"); err != nil {
		t.Error(err)
	}
	if _, err := net.InterfaceByName("one"); err == nil {
		t.Error("what was made there is here")
	}
	var l net.Listener
	if err := n.Do(func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("what listens there is reached from here")
	}
	if err := n.Do(func() error {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			c.Close()
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if err := n.Run("false"); err == nil {
		t.Error("a command that fails passes")
	}
}
