package socket

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// TestTCPAgainstLinux: options, names, states and errors of TCP sockets, judged by the host's kernel.
func TestTCPAgainstLinux(t *testing.T) {
	const four, six, stream = syscall.AF_INET, syscall.AF_INET6, syscall.SOCK_STREAM
	const ip, ip6, tcp, sol = syscall.IPPROTO_IP, syscall.IPPROTO_IPV6, syscall.IPPROTO_TCP, syscall.SOL_SOCKET
	pause := func(r *recorder) { // longer than Linux delays an acknowledgment; what comes later than that here is asked for again
		if r.said == nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
	pair := func(r *recorder, at string) (l, c, a int) {
		family := four
		if at[0] == '[' {
			family = six
		}
		l, c = r.socket(family, stream, 0), r.socket(family, stream, 0)
		r.bind(l, at)
		r.listen(l, 5)
		r.connect(c, at)
		pause(r)
		return l, c, r.accept(l)
	}
	for name, s := range map[string]script{
		"options": func(r *recorder) {
			s := r.socket(four, stream, 0)
			for _, name := range []int{
				syscall.TCP_NODELAY, syscall.TCP_CORK, syscall.TCP_QUICKACK, syscall.TCP_KEEPIDLE, syscall.TCP_KEEPINTVL, syscall.TCP_KEEPCNT, tcpUserTimeout, syscall.TCP_MAXSEG,
				syscall.TCP_SYNCNT, syscall.TCP_LINGER2, syscall.TCP_DEFER_ACCEPT, syscall.TCP_WINDOW_CLAMP, tcpNotSent, tcpThinLinear, 99,
			} {
				if name != syscall.TCP_QUICKACK {
					r.get(s, tcp, name, 4)
				}
				for _, n := range []int{1, 7, 200, 1 << 20, -1, 0} {
					if name == syscall.TCP_QUICKACK && n != 0 || name == syscall.TCP_DEFER_ACCEPT && n > 1 {
						continue // Linux tells of the mode that it is in, and counts in units of its own
					}
					r.set(s, tcp, name, word(n))
					r.get(s, tcp, name, 4)
				}
				r.set(s, tcp, name, []byte{1})
				r.set(s, tcp, name, nil)
			}
		},
		"options of sockets": func(r *recorder) {
			s := r.socket(six, stream, 0)
			for _, name := range []int{
				syscall.SO_TYPE, syscall.SO_DOMAIN, syscall.SO_PROTOCOL, syscall.SO_ERROR, syscall.SO_ACCEPTCONN, syscall.SO_REUSEADDR, soReusePort, syscall.SO_KEEPALIVE,
				syscall.SO_BROADCAST, syscall.SO_OOBINLINE, syscall.SO_DONTROUTE, syscall.SO_PRIORITY, syscall.SO_MARK, syscall.SO_RCVLOWAT,
			} {
				r.get(s, sol, name, 4)
				for _, n := range []int{1, 5, 0} {
					r.set(s, sol, name, word(n))
					r.get(s, sol, name, 4)
				}
				r.set(s, sol, name, []byte{1})
			}
			for _, n := range []int{0, 1, 5} {
				r.set(s, sol, syscall.SO_LINGER, append(word(1), word(n)...))
				r.get(s, sol, syscall.SO_LINGER, 8)
			}
			r.set(s, sol, syscall.SO_LINGER, word(1))
			for _, name := range []int{syscall.SO_RCVBUF, syscall.SO_SNDBUF} {
				for _, n := range []int{0, 1, 10000, 50000} {
					r.set(s, sol, name, word(n))
					r.get(s, sol, name, 4)
				}
			}
		},
		"a rate": func(r *recorder) {
			l, c, a := pair(r, "127.0.0.1:4001")
			for _, s := range []int{l, c, a} {
				for _, n := range []int{4, 8, 40, 3} {
					r.get(s, sol, soMaxPacing, n)
				}
				for _, v := range [][]byte{word(50000), word(-1), word(1)[:3], append(word(7), word(1)...), append(word(-1), word(-1)...), append(word(-1), word(0)...)} {
					r.set(s, sol, soMaxPacing, v)
					r.get(s, sol, soMaxPacing, 8)
				}
			}
			r.set(l, sol, soMaxPacing, word(300000))
			d := r.socket(four, stream, 0)
			r.connect(d, "127.0.0.1:4001")
			pause(r)
			r.get(r.accept(l), sol, soMaxPacing, 4)
		},
		"options of IP": func(r *recorder) {
			for _, f := range []int{four, six} {
				s := r.socket(f, stream, 0)
				for _, name := range []int{syscall.IP_TTL, syscall.IP_TOS, syscall.IP_MTU_DISCOVER, syscall.IP_RECVERR} {
					if f == six && name == syscall.IP_TOS {
						continue // Linux keeps it beside IPV6_TCLASS
					}
					r.get(s, ip, name, 4)
					for _, n := range []int{1, 4, 255, 256, 0, -1} {
						r.set(s, ip, name, word(n))
						r.get(s, ip, name, 4)
					}
				}
				for _, name := range []int{syscall.IPV6_UNICAST_HOPS, syscall.IPV6_V6ONLY, ipv6Class, syscall.IPV6_MTU_DISCOVER, syscall.IPV6_RECVERR} {
					r.get(s, ip6, name, 4)
					for _, n := range []int{1, 4, 255, 256, 0, -1} {
						if name == syscall.IPV6_UNICAST_HOPS && n == 0 {
							continue // Linux takes packets that reach nobody
						}
						r.set(s, ip6, name, word(n))
						r.get(s, ip6, name, 4)
					}
				}
			}
		},
		"congestion control": func(r *recorder) {
			s := r.socket(four, stream, 0)
			for _, name := range []string{"reno", "cubic", "reno\x00", "none", ""} {
				r.set(s, tcp, syscall.TCP_CONGESTION, []byte(name))
				r.get(s, tcp, syscall.TCP_CONGESTION, 16)
				r.get(s, tcp, syscall.TCP_CONGESTION, 3)
			}
		},
		"options of a listener": func(r *recorder) {
			l := r.socket(four, stream, 0)
			r.bind(l, "127.0.0.1:4001")
			r.listen(l, 5)
			values := []struct{ level, name, n int }{
				{tcp, syscall.TCP_NODELAY, 1}, {tcp, syscall.TCP_KEEPIDLE, 7}, {tcp, syscall.TCP_KEEPCNT, 3}, {tcp, tcpUserTimeout, 1234}, {tcp, tcpNotSent, 5000}, {sol, syscall.SO_KEEPALIVE, 1},
				{ip, syscall.IP_TTL, 9}, {ip, syscall.IP_TOS, 8}, {ip, syscall.IP_MTU_DISCOVER, 2}, {tcp, syscall.TCP_MAXSEG, 500},
			}
			for _, v := range values {
				r.set(l, v.level, v.name, word(v.n))
			}
			r.set(l, tcp, syscall.TCP_CONGESTION, []byte("reno"))
			c := r.socket(four, stream, 0)
			r.connect(c, "127.0.0.1:4001")
			a := r.accept(l)
			for _, v := range values {
				r.get(a, v.level, v.name, 4)
			}
			r.get(a, tcp, syscall.TCP_CONGESTION, 16)
			r.set(a, ip, syscall.IP_MTU_DISCOVER, word(1))
			r.get(l, ip, syscall.IP_MTU_DISCOVER, 4)
		},
		"states": func(r *recorder) {
			s := r.socket(four, stream, 0)
			r.get(s, tcp, syscall.TCP_INFO, 1)
			r.names(s, true)
			r.accept(s)
			r.send(s, "", []byte("x"), nil)
			r.recv(s, 10, 0)
			r.shutdown(s, syscall.SHUT_RDWR)
			r.bind(s, "192.0.2.1:80")
			r.bind(s, "127.0.0.1:4001")
			r.bind(s, "127.0.0.1:4002")
			r.names(s, true)
			r.listen(s, 1)
			r.listen(s, 2)
			r.get(s, tcp, syscall.TCP_INFO, 1)
			r.get(s, sol, syscall.SO_ACCEPTCONN, 4)
			r.connect(s, "127.0.0.1:4001")
			r.accept(s)
			r.send(s, "", []byte("x"), nil)
			r.recv(s, 10, 0)
			r.shutdown(s, syscall.SHUT_RD)
			r.accept(s)
		},
		"a connection": func(r *recorder) {
			for _, at := range []string{"127.0.0.1:4001", "[::1]:4001"} {
				l, c, a := pair(r, at)
				r.get(c, tcp, syscall.TCP_INFO, 1)
				r.get(a, tcp, syscall.TCP_INFO, 1)
				r.get(c, sol, syscall.SO_ERROR, 4)
				r.connect(c, at)
				r.connect(c, at)
				r.names(l, true)
				r.bind(c, "127.0.0.1:4009")
				r.listen(c, 1)
				r.accept(c)
				r.send(c, "", []byte("hello"), nil)
				pause(r)
				r.recv(a, 2, syscall.MSG_PEEK)
				r.recv(a, 10, 0)
				r.recv(a, 10, 0)
				r.shutdown(c, syscall.SHUT_WR)
				r.send(c, "", []byte("hello"), nil)
				pause(r)
				r.get(a, tcp, syscall.TCP_INFO, 1)
				r.recv(a, 10, 0)
				r.recv(a, 10, 0)
				r.send(a, "", []byte("bye"), nil)
				pause(r)
				r.recv(c, 10, 0)
				r.shutdown(a, syscall.SHUT_WR)
				pause(r)
				r.recv(c, 10, 0)
				r.get(a, tcp, syscall.TCP_INFO, 1)
				r.shutdown(a, syscall.SHUT_WR)
				r.shutdown(c, syscall.SHUT_WR)
			}
		},
		"inherited": func(r *recorder) {
			l, c := r.socket(four, stream, 0), r.socket(four, stream, 0)
			r.set(l, tcp, syscall.TCP_NODELAY, word(1))
			r.set(l, tcp, syscall.TCP_KEEPIDLE, word(77))
			r.set(l, tcp, tcpUserTimeout, word(1234))
			r.set(l, sol, syscall.SO_KEEPALIVE, word(1))
			r.set(l, ip, syscall.IP_TOS, word(0x20))
			r.set(l, ip, syscall.IP_TTL, word(33))
			r.set(l, tcp, syscall.TCP_CONGESTION, []byte("reno"))
			r.bind(l, "127.0.0.1:4001")
			r.listen(l, 5)
			r.connect(c, "127.0.0.1:4001")
			pause(r)
			a := r.accept(l)
			for _, x := range [][2]int{{tcp, syscall.TCP_NODELAY}, {tcp, syscall.TCP_KEEPIDLE}, {tcp, tcpUserTimeout}, {sol, syscall.SO_KEEPALIVE}, {ip, syscall.IP_TOS}, {ip, syscall.IP_TTL}} {
				r.get(a, x[0], x[1], 4)
			}
			r.get(a, tcp, syscall.TCP_CONGESTION, 16)
		},
		"refused and reset": func(r *recorder) {
			s := r.socket(four, stream, 0)
			r.connect(s, "127.0.0.1:9")
			pause(r)
			r.get(s, sol, syscall.SO_ERROR, 4)
			r.get(s, sol, syscall.SO_ERROR, 4)
			r.get(s, tcp, syscall.TCP_INFO, 1)
			_, c, a := pair(r, "127.0.0.1:4001")
			r.set(c, sol, syscall.SO_LINGER, append(word(1), word(0)...))
			r.close(c)
			pause(r)
			r.get(a, tcp, syscall.TCP_INFO, 1)
			r.send(a, "", []byte("x"), nil)
			r.send(a, "", []byte("x"), nil)
			r.recv(a, 10, 0)
			r.get(a, sol, syscall.SO_ERROR, 4)
		},
		"unread data reset": func(r *recorder) {
			_, c, a := pair(r, "127.0.0.1:4001")
			r.send(c, "", []byte("not read"), nil)
			pause(r)
			for i := 0; i < 6000 && r.unacknowledged(c) != 0; i++ { // it has to be there, unread
				time.Sleep(5 * time.Millisecond)
			}
			r.close(a)
			pause(r)
			r.recv(c, 10, 0)
			r.recv(c, 10, 0)
			r.send(c, "", []byte("x"), nil)
		},
		"addresses in use": func(r *recorder) {
			a, b := r.socket(four, stream, 0), r.socket(four, stream, 0)
			r.bind(a, "127.0.0.1:4001")
			r.bind(b, "127.0.0.1:4001")
			r.set(b, sol, syscall.SO_REUSEADDR, word(1))
			r.bind(b, "127.0.0.1:4001")
			r.set(a, sol, syscall.SO_REUSEADDR, word(1))
			r.bind(b, "127.0.0.1:4001")
			r.listen(a, 5)
			r.listen(b, 5)
			r.bind(b, "0.0.0.0:4001")
			c, d, e := r.socket(four, stream, 0), r.socket(four, stream, 0), r.socket(six, stream, 0)
			for _, s := range []int{c, d, e} {
				r.set(s, sol, soReusePort, word(1))
			}
			r.bind(c, "127.0.0.1:4005")
			r.bind(d, "127.0.0.1:4005")
			r.bind(e, "[::]:4005")
			r.listen(c, 5)
			r.listen(d, 5)
			r.listen(e, 5)
			f := r.socket(six, stream, 0)
			r.set(f, ip6, syscall.IPV6_V6ONLY, word(1))
			r.bind(f, "[::]:4001")
			r.listen(f, 5)
		},
		"families": func(r *recorder) {
			s, v := r.socket(four, stream, 0), r.socket(six, stream, 0)
			r.connect(s, "[::1]:4001")
			r.connect(v, "127.0.0.1:4001")
			r.connect(s, "224.0.0.1:4001")
			r.connect(s, "255.255.255.255:4001")
			r.connect(v, "[ff02::1]:4001")
			r.connect(s, "192.0.2.1:4001")
			r.connect(v, "[2001:db8::1]:4001")
			r.set(v, ip6, syscall.IPV6_V6ONLY, word(1))
			r.connect(v, "[::ffff:127.0.0.1]:4001")
			r.bind(v, "[::ffff:127.0.0.1]:4001")
			for _, x := range [][3]int{{four, stream, syscall.IPPROTO_UDP}, {four, stream, 132}, {four, 5, 0}, {four, 11, 0}, {four, syscall.SOCK_RAW, 0}, {four, stream, -1}} {
				r.socket(x[0], x[1], x[2])
			}
		},
	} {
		t.Run(name, func(t *testing.T) { compare(t, s) })
	}
}

// TestInfo: what TCP_INFO tells of a connection that has carried bytes, where golang.org/x/sys/unix.TCPInfo has it.
func TestInfo(t *testing.T) {
	r := &recorder{world: world{kernel: posix.Call}}
	defer r.closeAll(func(fd int) { posix.Close(fd) })
	l, c := r.socket(syscall.AF_INET, syscall.SOCK_STREAM, 0), r.socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	r.bind(l, "127.0.0.1:4001")
	r.listen(l, 5)
	r.connect(c, "127.0.0.1:4001")
	a := r.accept(l)
	r.send(c, "", make([]byte, 5000), nil)
	r.recv(a, 5000, 0)
	r.recv(a, 5000, 0)
	r.settle(t, c)
	info := func(s int) []byte {
		b, n := buffer(256), buffer(4)
		n[0], n[1] = 0, 1
		if _, e := r.call(syscall.SYS_GETSOCKOPT, r.fd(s), syscall.IPPROTO_TCP, syscall.TCP_INFO, b, n); e != 0 || n[0] != 232 {
			t.Fatal(e, n[0])
		}
		return b
	}
	out, in := info(c), info(a)
	word := func(b []byte, off int) int { return int(binary.NativeEndian.Uint32(b[off:])) }
	for what, x := range map[string][2]int{
		"acknowledged": {word(out, 120), 5000}, "received": {word(in, 128), 5000}, "sent": {word(out, 200), 5000}, "sent again": {word(out, 208), 0}, "not sent": {word(out, 144), 0},
		"unacknowledged": {word(out, 24), 0}, "state": {int(out[0]), 1}, "initial window": {word(out, 80), 2}, // RFC 6928, of the loopback network's large segments
	} {
		if x[0] != x[1] {
			t.Errorf("%s: %d, want %d", what, x[0], x[1])
		}
	}
	if word(out, 68) == 0 || word(out, 148) == 0 || word(out, 136) < 3 || word(in, 140) < 2 || word(out, 228) < 5000 {
		t.Errorf("round trip %d, least %d µs, %d segments out, %d in, window of the peer %d", word(out, 68), word(out, 148), word(out, 136), word(in, 140), word(out, 228))
	}
}

// TestOptionsLeaveTheWindow: what is set while a connection is in use, but for another congestion control, does not have its congestion window begin anew.
func TestOptionsLeaveTheWindow(t *testing.T) {
	r := &recorder{world: world{kernel: posix.Call}}
	defer r.closeAll(func(fd int) { posix.Close(fd) })
	l, c := r.socket(syscall.AF_INET, syscall.SOCK_STREAM, 0), r.socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	r.bind(l, "127.0.0.1:4001")
	r.listen(l, 5)
	r.connect(c, "127.0.0.1:4001")
	a := r.accept(l)
	window := func() int {
		r.settle(t, c)
		b, n := buffer(104), buffer(4)
		n[0] = 104
		r.call(syscall.SYS_GETSOCKOPT, r.fd(c), syscall.IPPROTO_TCP, syscall.TCP_INFO, b, n)
		return int(binary.NativeEndian.Uint32(b[80:]))
	}
	first := window()
	for range 100 {
		r.send(c, "", make([]byte, 1<<20), nil)
		for {
			if n, _ := r.call(syscall.SYS_RECVFROM, r.fd(a), buffer(1<<16), 1<<16, 0, 0, 0); n <= 0 {
				break
			}
		}
	}
	for range 1000 { // what came since
		if n, _ := r.call(syscall.SYS_RECVFROM, r.fd(a), buffer(1<<16), 1<<16, 0, 0, 0); n <= 0 && r.unacknowledged(c) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	grown := window()
	if grown <= first {
		t.Fatalf("the window is %d segments, after 100 MB %d", first, grown)
	}
	for _, x := range [][2]int{{syscall.TCP_NODELAY, 1}, {syscall.TCP_QUICKACK, 1}, {syscall.TCP_CORK, 0}} {
		r.set(c, syscall.IPPROTO_TCP, x[0], word(x[1]))
	}
	r.set(c, syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, []byte("cubic"))
	if now := window(); now != grown {
		t.Errorf("a window of %d segments is one of %d once options are set", grown, now)
	}
	r.set(c, syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, []byte("reno"))
	r.get(c, syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, 16)
	if now := window(); now != first {
		t.Errorf("another congestion control begins with %d segments, want %d", now, first)
	}
}

// unacknowledged is how many segments TCP_INFO says are on their way, or wait to be.
func (r *recorder) unacknowledged(s int) int {
	b, n := buffer(232), buffer(4)
	n[0] = 232
	r.call(syscall.SYS_GETSOCKOPT, r.fd(s), syscall.IPPROTO_TCP, syscall.TCP_INFO, b, n)
	return int(binary.NativeEndian.Uint32(b[24:]) + binary.NativeEndian.Uint32(b[144:]))
}

// settle waits until the peer has acknowledged all that was sent, which it may do later.
func (r *recorder) settle(t *testing.T, s int) {
	t.Helper()
	for range 5000 {
		if r.unacknowledged(s) == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("what was sent is never acknowledged")
}

func (r *recorder) listen(s, backlog int) {
	_, e := r.call(syscall.SYS_LISTEN, r.fd(s), backlog)
	r.note("listen %d: %v", s, e)
}

// accept returns the index of the connection.
func (r *recorder) accept(s int) int {
	fd, e := r.call(syscall.SYS_ACCEPT4, r.fd(s), 0, 0, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
	for try := 0; e == syscall.EAGAIN && (try < 20 || r.again(fmt.Sprintf("accept by %d: %v", s, e))); try++ {
		if try < 20 {
			time.Sleep(5 * time.Millisecond)
		}
		fd, e = r.call(syscall.SYS_ACCEPT4, r.fd(s), 0, 0, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
	}
	r.note("accept by %d: %v", s, e)
	if e != 0 {
		return 1 << 20
	}
	r.fds = append(r.fds, fd)
	return len(r.fds) - 1
}

func (r *recorder) close(s int) {
	_, e := r.call(syscall.SYS_CLOSE, r.fd(s))
	r.note("close %d: %v", s, e)
	r.fds[s] = 901
}
