package socket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// inetAddr is an address as a program passes it.
func inetAddr(s string) []byte {
	var a sock.Addr
	ap := netip.MustParseAddrPort(s)
	if ap.Addr().Is4() {
		a.SetInet4(ap)
	} else {
		a.SetInet6(ap)
	}
	b := buffer(len(a.Raw()))
	copy(b, a.Raw())
	return b
}

// portOf is the local port of a descriptor.
func portOf(w *world, fd int) uint16 {
	b, n := buffer(28), buffer(4)
	n[0] = 28
	w.call(syscall.SYS_GETSOCKNAME, fd, b, n)
	return binary.BigEndian.Uint16(b[2:])
}

// TestTCPLoopback runs clients against one server over the loopback network, with descriptors that block, each way of addressing it.
func TestTCPLoopback(t *testing.T) {
	for _, x := range []struct {
		server, client string
		family         int
	}{{"127.0.0.1:0", "127.0.0.1", syscall.AF_INET}, {"0.0.0.0:0", "127.5.6.7", syscall.AF_INET}, {"[::1]:0", "::1", syscall.AF_INET6}, {"[::]:0", "::1", syscall.AF_INET6}, {"[::]:0", "::ffff:127.0.0.1", syscall.AF_INET6}} {
		w := &world{kernel: posix.Call}
		l, e := w.call(syscall.SYS_SOCKET, x.family, syscall.SOCK_STREAM, 0)
		must(t, "socket", 0, e)
		sa := inetAddr(x.server)
		_, e = w.call(syscall.SYS_BIND, l, sa, len(sa))
		must(t, "bind", 0, e)
		_, e = w.call(syscall.SYS_LISTEN, l, 5)
		must(t, "listen", 0, e)
		to := netip.AddrPortFrom(netip.MustParseAddr(x.client), portOf(w, l)).String()
		const clients, size = 8, 3 << 20
		sent := bytes.Repeat([]byte("0123456789abcde"), size/15)
		var all sync.WaitGroup
		for range clients {
			all.Add(1)
			go func() {
				defer all.Done()
				w := &world{kernel: posix.Call}
				c, e := w.call(syscall.SYS_SOCKET, x.family, syscall.SOCK_STREAM, 0)
				must(t, "socket", 0, e)
				defer posix.Close(c)
				var a sock.Addr
				if ap := netip.MustParseAddrPort(to); x.family == syscall.AF_INET {
					a.SetInet4(ap)
				} else {
					a.SetInet6(ap)
				}
				sa := append([]byte(nil), a.Raw()...)
				if _, e := w.call(syscall.SYS_CONNECT, c, sa, len(sa)); e != 0 {
					t.Errorf("connect to %s: %v", to, e)
					return
				}
				if n, e := posix.Write(c, sent); n != len(sent) || e != 0 {
					t.Errorf("write: %d, %v", n, e)
				}
				w.call(syscall.SYS_SHUTDOWN, c, syscall.SHUT_WR)
				b := make([]byte, 10)
				if n, e := posix.Read(c, b); string(b[:max(n, 0)]) != "well" || e != 0 {
					t.Errorf("read: %d, %v", n, e)
				}
				if n, e := posix.Read(c, b); n != 0 || e != 0 {
					t.Errorf("read at the end: %d, %v", n, e)
				}
			}()
		}
		for range clients {
			c, e := w.call(syscall.SYS_ACCEPT4, l, 0, 0, 0)
			must(t, "accept", 0, e)
			all.Add(1)
			go func() {
				defer all.Done()
				defer posix.Close(c)
				got := make([]byte, 0, len(sent))
				b := make([]byte, 30000)
				for {
					n, e := posix.Read(c, b)
					if n <= 0 || e != 0 {
						break
					}
					got = append(got, b[:n]...)
				}
				if !bytes.Equal(got, sent) {
					t.Errorf("%d bytes of %d came, or others", len(got), len(sent))
				}
				posix.Write(c, []byte("well"))
			}()
		}
		all.Wait()
		posix.Close(l)
		if t.Failed() {
			return
		}
	}
	noBlocksLeft(t)
}

// noBlocksLeft waits until nobody holds a block, which a connection may do that is still closing.
func noBlocksLeft(t *testing.T) {
	t.Helper()
	var left string
	for range 3000 {
		left = ""
		for _, m := range stack().Memory() {
			if m.InUse != 0 {
				left += fmt.Sprintf(" %d %s", m.InUse, m.Name)
			}
		}
		if left == "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("blocks are left:%s", left)
}

// TestUDPLoopback: datagrams of all sizes, connected and not, and the answer to a port that nobody has.
func TestUDPLoopback(t *testing.T) {
	w := &world{kernel: posix.Call}
	s, e := w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	must(t, "socket", 0, e)
	sa := inetAddr("127.0.0.1:0")
	_, e = w.call(syscall.SYS_BIND, s, sa, len(sa))
	must(t, "bind", 0, e)
	c, e := w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	must(t, "socket", 0, e)
	to := inetAddr(fmt.Sprint("127.0.0.1:", portOf(w, s)))
	for _, n := range []int{0, 1, 100, 1900, 2000, 9000, 20000, 65507} {
		p := pattern(n)
		got, e := w.call(syscall.SYS_SENDTO, c, p, n, 0, to, len(to))
		if got != n || e != 0 {
			t.Errorf("sendto %d bytes: %d, %v", n, got, e)
		}
		b, from, fromLen := buffer(70000), buffer(28), buffer(4)
		fromLen[0] = 28
		got, e = w.call(syscall.SYS_RECVFROM, s, b, len(b), 0, from, fromLen)
		if e != 0 || !bytes.Equal(b[:got], p) {
			t.Errorf("recvfrom, %d bytes: %d, %v", n, got, e)
		}
		if port := binary.BigEndian.Uint16(from[2:]); port != portOf(w, c) {
			t.Errorf("it came from port %d, not %d", port, portOf(w, c))
		}
	}
	if _, e := w.call(syscall.SYS_SENDTO, c, buffer(65508), 65508, 0, to, len(to)); e != syscall.EMSGSIZE {
		t.Errorf("a datagram of 65508 bytes: %v", e)
	}
	posix.Close(s)
	_, e = w.call(syscall.SYS_CONNECT, c, to, len(to))
	must(t, "connect", 0, e)
	_, e = w.call(syscall.SYS_SENDTO, c, pattern(5), 5, 0, 0, 0)
	must(t, "send", 0, e)
	if _, e := w.call(syscall.SYS_RECVFROM, c, buffer(5), 5, 0, 0, 0); e != syscall.ECONNREFUSED {
		t.Errorf("recv of a connected socket whose peer is gone: %v", e)
	}
	posix.Close(c)
	noBlocksLeft(t)
}

// TestRefused: a port where nobody listens.
func TestRefused(t *testing.T) {
	w := &world{kernel: posix.Call}
	c, e := w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(t, "socket", 0, e)
	defer posix.Close(c)
	to := inetAddr("127.0.0.1:9")
	if _, e := w.call(syscall.SYS_CONNECT, c, to, len(to)); e != syscall.ECONNREFUSED {
		t.Errorf("connect: %v", e)
	}
}
