//go:build linux

package peer

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	inet "github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/ip"
)

// The network layer, UDP and groups with Linux at the other end.

const (
	linuxAddr6 = "fd09::1"
	ourAddr6   = "fd09::2"
)

// newEnd6 is newEnd with addresses of IPv6, once neither side looks for duplicates any more.
func newEnd6(t *testing.T, loss, reorder float64) (*end, *ip.Interface) {
	t.Helper()
	e := newEnd(t, loss, reorder)
	e.run(t, "address add "+linuxAddr6+"/64 dev tap0 nodad")
	i := e.stack.Host().Interfaces()[1]
	e.stack.AddAddress6(i, netip.MustParsePrefix(ourAddr6+"/64"))
	e.until(t, "our addresses of IPv6", func() bool { return len(i.Addresses()) == 3 })
	return e, i
}

// run runs ip(8) in the namespace.
func (e *end) run(t *testing.T, words string) {
	t.Helper()
	if err := e.ns.Run("ip", strings.Fields(words)...); err != nil {
		t.Fatal(err)
	}
}

func (e *end) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("no %s after a minute", what)
		}
	}
}

func (e *end) listenPacket(t *testing.T, network, addr string) (c net.PacketConn) {
	t.Helper()
	if err := e.ns.Do(func() (err error) {
		c, err = net.ListenPacket(network, addr)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	return c
}

// TestLinuxFragments: datagrams of all sizes, in fragments the longer ones, there and back.
func TestLinuxFragments(t *testing.T) {
	e, _ := newEnd6(t, 0, 0)
	for _, x := range []struct{ linux, our string }{{linuxAddr, ourAddr}, {linuxAddr6, ourAddr6}} {
		c := e.listenPacket(t, "udp", net.JoinHostPort(x.linux, "0"))
		go func() {
			b := make([]byte, 1<<16)
			for {
				n, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				c.WriteTo(b[:n], from)
			}
		}()
		u, err := e.stack.ListenUDP(netip.AddrPortFrom(netip.MustParseAddr(x.our), 0))
		if err != nil {
			t.Fatal(err)
		}
		to := c.LocalAddr().(*net.UDPAddr).AddrPort()
		in := make([]byte, 1<<16)
		for _, n := range []int{0, 1, 1400, 1452, 1453, 1472, 1473, 2960, 9000, 40000, 65507} {
			u.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := u.WriteTo(pattern(n), to); err != nil {
				t.Fatalf("%s: %d bytes: %v", x.linux, n, err)
			}
			k, from, err := u.ReadFrom(in)
			if err != nil || from != to || !bytes.Equal(in[:k], pattern(n)) {
				t.Fatalf("%s: of %d bytes came %d from %v: %v", x.linux, n, k, from, err)
			}
		}
		// Many in one message: UDP_SEGMENT. What comes back comes one by one.
		u.SetOptions(func(o *inet.UDPOptions) { o.Segment = 1000 })
		if _, err := u.WriteTo(pattern(5500), to); err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, want := range []int{1000, 1000, 1000, 1000, 1000, 500} {
			k, _, err := u.ReadFrom(in)
			if err != nil || k != want || !bytes.Equal(in[:k], pattern(5500)[got:got+k]) {
				t.Errorf("%s: of a message in six parts came %d bytes, want %d: %v", x.linux, k, want, err)
				break
			}
			got += k
		}
		u.Close()
	}
}

// TestLinuxEchoes: each side pings the other.
func TestLinuxEchoes(t *testing.T) {
	e, i := newEnd6(t, 0, 0)
	lladdr := i.Addresses()[1].Addr()
	for _, x := range []struct{ network, linux, our string }{
		{"ip4:icmp", linuxAddr, ourAddr}, {"ip6:ipv6-icmp", linuxAddr6, ourAddr6}, {"ip6:ipv6-icmp", linuxAddr6, lladdr.String() + "%tap0"},
	} {
		six := x.network[2] == '6'
		echo, reply := byte(8), byte(0)
		if six {
			echo, reply = 128, 129
		}
		for _, n := range []int{0, 56, 3000, 20000} {
			m := append([]byte{echo, 0, 0, 0, 0x12, 0x34, 0, byte(n)}, pattern(n)...)
			if !six {
				m[2], m[3] = sum(m)
			}
			c := e.listenPacket(t, x.network, "")
			to, err := net.ResolveIPAddr("ip", x.our)
			if i := strings.IndexByte(x.our, '%'); i >= 0 {
				to, err = &net.IPAddr{IP: net.ParseIP(x.our[:i]), Zone: "tap0"}, nil
			}
			if err == nil {
				err = e.ns.Do(func() error {
					if to.Zone != "" { // package net looks its number up where the caller is
						out, err := net.InterfaceByName("tap0")
						if err != nil {
							return err
						}
						to.Zone = fmt.Sprint(out.Index)
					}
					_, err := c.WriteTo(m, to)
					return err
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			for b := make([]byte, 1<<16); ; {
				k, _, err := c.ReadFrom(b)
				if err != nil {
					t.Fatalf("Linux pings %s with %d bytes: %v", x.our, n, err)
				}
				if k == len(m) && b[0] == reply && bytes.Equal(b[4:k], m[4:]) {
					break
				}
			}
			c.Close()

			done := make(chan struct{}, 100)
			p := e.stack.NewPing(six, hook(done))
			if _, err := p.TrySend(m, netip.AddrPortFrom(netip.MustParseAddr(x.linux), 0), nil); err != nil {
				t.Fatal(err)
			}
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Fatalf("Linux does not answer a ping of %d bytes", n)
			}
			b := make([]byte, 1<<16)
			if k, _, err := p.TryRecv(b, false); err != nil || k != len(m) || b[0] != reply || !bytes.Equal(b[6:k], m[6:]) {
				t.Errorf("Linux answers %d bytes: %v", k, err)
			}
			p.Close()
		}
	}
}

type hook chan struct{}

func (h hook) Happened(inet.Events) {
	select {
	case h <- struct{}{}:
	default:
	}
}

// sum is RFC 1071's, word by word.
func sum(b []byte) (byte, byte) {
	s := uint32(0)
	for i := 0; i < len(b); i += 2 {
		s += uint32(b[i]) << 8
		if i+1 < len(b) {
			s += uint32(b[i+1])
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return byte(^s >> 8), byte(^s)
}

// TestLinuxUnreachable: a port that nobody has is told of, both ways.
func TestLinuxUnreachable(t *testing.T) {
	e, _ := newEnd6(t, 0, 0)
	for _, x := range []struct{ linux, our string }{{linuxAddr, ourAddr}, {linuxAddr6, ourAddr6}} {
		c, err := e.dial("udp", net.JoinHostPort(x.our, "9"))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		c.Write([]byte("lost"))
		if _, err := c.Read(make([]byte, 10)); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("Linux, to %s: %v", x.our, err)
		}
		c.Close()

		done := make(hook, 100)
		u := e.stack.NewUDP(x.linux == linuxAddr6, done)
		u.SetOptions(func(o *inet.UDPOptions) { o.RecvErr = true })
		to := netip.AddrPortFrom(netip.MustParseAddr(x.linux), 9)
		if _, err := u.TrySend([]byte("lost, too"), to, nil); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is told")
		}
		b := make([]byte, 100)
		n, what, err := u.TryRecvError(b)
		if err != nil || what.Errno != syscall.ECONNREFUSED || what.From != to.Addr() || what.To != to || string(b[:n]) != "lost, too" {
			t.Errorf("told %+v, %q, %v", what, b[:n], err)
		}
		u.Close()
	}
}

// TestLinuxPathMTU: Linux is a router to a network of a lower MTU (RFC 1191, RFC 8201): it tells, and what is sent then arrives; probes go through nonetheless as far as they can.
func TestLinuxPathMTU(t *testing.T) {
	e, i := newEnd6(t, 0, 0)
	e.run(t, "link add far type veth peer name further")
	for _, s := range []string{"link set far mtu 1300", "link set far up", "link set further up", "address add 10.8.0.1/24 dev far", "address add fd08::1/64 dev far nodad",
		"neighbour add 10.8.0.2 lladdr 02:00:00:00:00:77 dev far", "neighbour add fd08::2 lladdr 02:00:00:00:00:77 dev far"} {
		e.run(t, s)
	}
	for _, f := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		if err := e.ns.Run("sh", "-c", "echo 1 > /proc/sys/"+f); err != nil {
			t.Fatal(err)
		}
	}
	h := e.stack.Host()
	h.AddRoute(ip.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr(linuxAddr), Interface: i})
	h.AddRoute(ip.Route{Prefix: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr(linuxAddr6), Interface: i})
	for _, x := range []struct {
		dst    string
		header int
	}{{"10.8.0.2", 28}, {"fd08::2", 48}} {
		done := make(hook, 100)
		u := e.stack.NewUDP(strings.Contains(x.dst, ":"), done)
		u.SetOptions(func(o *inet.UDPOptions) { o.Discover, o.RecvErr = inet.DiscoverDo, true })
		to := netip.AddrPortFrom(netip.MustParseAddr(x.dst), 7)
		if err := u.Connect(to); err != nil {
			t.Fatal(err)
		}
		if n, _ := u.PathMTU(); n != 1500 {
			t.Errorf("%s: MTU %d before anything was sent", x.dst, n)
		}
		if _, err := u.TrySend(pattern(1472-20), netip.AddrPort{}, nil); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the router has told nothing", x.dst)
		}
		if _, what, err := u.TryRecvError(nil); err != nil || what.Errno != syscall.EMSGSIZE || what.MTU != 1300 || what.Origin == inet.FromLocal {
			t.Errorf("%s: told %+v, %v", x.dst, what, err)
		}
		if n, err := u.PathMTU(); n != 1300 || err != nil {
			t.Errorf("%s: MTU %d, %v, after the router has told", x.dst, n, err)
		}
		if _, err := u.TrySend(pattern(1301-x.header), netip.AddrPort{}, nil); err != syscall.EMSGSIZE {
			t.Errorf("%s: a byte too many: %v", x.dst, err)
		}
		if _, what, err := u.TryRecvError(nil); err != nil || what.Origin != inet.FromLocal || what.MTU != 1300 {
			t.Errorf("%s: told %+v, %v", x.dst, what, err)
		}
		if _, err := u.TrySend(pattern(1300-x.header), netip.AddrPort{}, nil); err != nil {
			t.Errorf("%s: as many as fit: %v", x.dst, err)
		}
		u.SetOptions(func(o *inet.UDPOptions) { o.Discover = inet.DiscoverProbe })
		if _, err := u.TrySend(pattern(1400), netip.AddrPort{}, nil); err != nil {
			t.Errorf("%s: a probe: %v", x.dst, err)
		}
		e.until(t, "word of the probe", func() bool {
			_, what, err := u.TryRecvError(nil)
			return err == nil && what.Origin != inet.FromLocal
		})
		u.SetOptions(func(o *inet.UDPOptions) { o.Discover = inet.DiscoverWant })
		if _, err := u.TrySend(pattern(5000), netip.AddrPort{}, nil); err != nil {
			t.Errorf("%s: in fragments: %v", x.dst, err)
		}
		u.Close()
	}
}

// TestLinuxGroups: multicasts both ways, and the reports that routers hear (IGMPv3, MLDv2), and what an older querier is answered.
func TestLinuxGroups(t *testing.T) {
	e, i := newEnd6(t, 0, 0)
	for _, x := range []struct {
		group, raw string
		linuxIface string
		reports    func(b []byte) bool // the membership report with the group in it
		bye        func(b []byte) bool
	}{
		{"239.7.7.7", "ip4:igmp", linuxAddr, func(b []byte) bool { return b[0] == 0x22 && bytes.Contains(b, []byte{4, 0, 0, 0, 239, 7, 7, 7}) },
			func(b []byte) bool { return b[0] == 0x22 && bytes.Contains(b, []byte{3, 0, 0, 0, 239, 7, 7, 7}) }},
		{"ff15::77", "ip6:ipv6-icmp", linuxAddr6, func(b []byte) bool {
			return b[0] == 143 && bytes.Contains(b, append([]byte{4, 0, 0, 0}, netip.MustParseAddr("ff15::77").AsSlice()...))
		}, func(b []byte) bool {
			return b[0] == 143 && bytes.Contains(b, append([]byte{3, 0, 0, 0}, netip.MustParseAddr("ff15::77").AsSlice()...))
		}},
	} {
		group := netip.MustParseAddr(x.group)
		six := group.Is6()
		// Linux listens for reports as a router would: on the groups that they go to.
		raw := e.listenPacket(t, x.raw, "")
		to := net.IPv4(224, 0, 0, 22)
		if six {
			to = net.ParseIP("ff02::16")
		}
		e.join(t, raw, to)
		u, err := e.stack.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 4500))
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Join(group, i.Index); err != nil {
			t.Fatal(err)
		}
		heard := func(what string, ok func([]byte) bool) {
			t.Helper()
			for b := make([]byte, 4096); ; {
				n, _, err := raw.ReadFrom(b)
				if err != nil {
					t.Errorf("%s: no %s: %v", group, what, err)
					return
				}
				if n >= 8 && ok(b[:n]) {
					return
				}
			}
		}
		heard("report", x.reports)
		heard("second report", x.reports)
		// To the group from Linux, and to Linux from us.
		c := e.listenPacket(t, "udp", net.JoinHostPort(x.linuxIface, "0"))
		e.via(t, c, six)
		if err := e.ns.Do(func() error {
			_, err := c.WriteTo([]byte("to the group"), &net.UDPAddr{IP: group.AsSlice(), Port: 4500, Zone: ""})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		u.SetReadDeadline(time.Now().Add(20 * time.Second))
		b := make([]byte, 100)
		n, _, err := u.ReadFrom(b)
		if err != nil || string(b[:n]) != "to the group" {
			t.Errorf("%s: %q, %v", group, b[:n], err)
		}
		d := e.listenPacket(t, "udp", net.JoinHostPort(map[bool]string{false: "0.0.0.0", true: "::"}[six], "4501"))
		e.join(t, d, group.AsSlice())
		u.SetOptions(func(o *inet.UDPOptions) { o.MulticastIndex = i.Index })
		if _, err := u.WriteTo([]byte("from us"), netip.AddrPortFrom(group, 4501)); err != nil {
			t.Fatal(err)
		}
		if n, _, err := d.ReadFrom(b); err != nil || string(b[:n]) != "from us" {
			t.Errorf("%s: Linux received %q, %v", group, b[:n], err)
		}
		d.Close()
		if err := u.Leave(group, i.Index); err != nil {
			t.Error(err)
		}
		heard("good-bye", x.bye)
		u.Close()
	}
}

// fd runs f on a socket's descriptor, in the namespace.
func (e *end) fd(t *testing.T, c net.PacketConn, f func(fd, index int) error) {
	t.Helper()
	err := e.ns.Do(func() error {
		i, err := net.InterfaceByName("tap0")
		if err != nil {
			return err
		}
		r, err := c.(syscall.Conn).SyscallConn()
		if err != nil {
			return err
		}
		var inner error
		if err := r.Control(func(fd uintptr) { inner = f(int(fd), i.Index) }); err != nil {
			return err
		}
		return inner
	})
	if err != nil {
		t.Fatal(err)
	}
}

// join has a socket of Linux receive a group.
func (e *end) join(t *testing.T, c net.PacketConn, group net.IP) {
	t.Helper()
	e.fd(t, c, func(fd, index int) error {
		if v4 := group.To4(); v4 != nil {
			return syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP, &syscall.IPMreqn{Multiaddr: [4]byte(v4), Ifindex: int32(index)})
		}
		return syscall.SetsockoptIPv6Mreq(fd, syscall.IPPROTO_IPV6, syscall.IPV6_JOIN_GROUP, &syscall.IPv6Mreq{Multiaddr: [16]byte(group), Interface: uint32(index)})
	})
}

// via has a socket of Linux send multicasts by the TAP device.
func (e *end) via(t *testing.T, c net.PacketConn, six bool) {
	t.Helper()
	e.fd(t, c, func(fd, index int) error {
		if six {
			return syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_IF, index)
		}
		return syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, &syscall.IPMreqn{Ifindex: int32(index)})
	})
}

// TestLinuxDuplicate: an address that Linux has is not taken (RFC 4862, 5.4), and Linux does not take ours.
func TestLinuxDuplicate(t *testing.T) {
	e, i := newEnd6(t, 0, 0)
	before := e.stack.Host().Count(ip.AddressConflict)
	e.stack.AddAddress6(i, netip.MustParsePrefix(linuxAddr6+"/64"))
	e.until(t, "conflict", func() bool { return e.stack.Host().Count(ip.AddressConflict) > before })
	time.Sleep(2 * time.Second) // longer than it takes where nobody has it
	if e.stack.Host().Count(ip.AddressConflict) != before+1 || e.stack.Host().Local(netip.MustParseAddr(linuxAddr6)) {
		t.Errorf("addresses %v: Linux has one of them", i.Addresses())
	}
	e.run(t, "address add "+ourAddr6+"/64 dev tap0")
	e.until(t, "failure of Linux's own detection", func() bool {
		out, err := e.ns.Output("ip", "-6", "address", "show", "dev", "tap0")
		return err == nil && strings.Contains(out, "dadfailed")
	})
}

// TestLinuxSources: of a group that is wanted from one source, Linux hears so in a report of IGMPv3 or MLDv2, and what others send to it is not delivered (RFC 4607).
func TestLinuxSources(t *testing.T) {
	e, i := newEnd6(t, 0, 0)
	const other4, other6 = "10.9.0.7", "fd09::7"
	e.run(t, "address add "+other4+"/24 dev tap0")
	e.run(t, "address add "+other6+"/64 dev tap0 nodad")
	for _, x := range []struct{ group, raw, reports, source, other string }{
		{"232.7.7.7", "ip4:igmp", "224.0.0.22", linuxAddr, other4},
		{"ff35::77", "ip6:ipv6-icmp", "ff02::16", linuxAddr6, other6},
	} {
		group, source := netip.MustParseAddr(x.group), netip.MustParseAddr(x.source)
		six := group.Is6()
		raw := e.listenPacket(t, x.raw, "")
		e.join(t, raw, net.ParseIP(x.reports))
		u, err := e.stack.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 4501))
		if err != nil {
			t.Fatal(err)
		}
		heard := func(kind byte) {
			t.Helper()
			want := append(append([]byte{kind, 0, 0, 1}, group.AsSlice()...), source.AsSlice()...)
			for b := make([]byte, 4096); ; {
				n, _, err := raw.ReadFrom(b)
				if err != nil {
					t.Errorf("%s: no record %d: %v", group, kind, err)
					return
				}
				if bytes.Contains(b[:n], want) {
					return
				}
			}
		}
		const allow, block = 5, 6
		if err := u.JoinSource(group, source, i.Index); err != nil {
			t.Fatal(err)
		}
		heard(allow)
		for _, from := range []string{x.other, x.source} {
			c := e.listenPacket(t, "udp", net.JoinHostPort(from, "0"))
			e.via(t, c, six)
			if err := e.ns.Do(func() error {
				_, err := c.WriteTo([]byte("by "+from), &net.UDPAddr{IP: group.AsSlice(), Port: 4501})
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		u.SetReadDeadline(time.Now().Add(20 * time.Second))
		b := make([]byte, 100)
		if n, _, err := u.ReadFrom(b); err != nil || string(b[:n]) != "by "+x.source {
			t.Errorf("%s: %q, %v", group, b[:n], err)
		}
		if err := u.LeaveSource(group, source, i.Index); err != nil {
			t.Fatal(err)
		}
		heard(block)
		u.Close()
		raw.Close()
	}
}

// TestLinuxConflict: an address that Linux has is not taken (RFC 5227, 2.1), one that nobody has is, and Linux's claim to that one is answered (2.4).
func TestLinuxConflict(t *testing.T) {
	e, i := newEnd6(t, 0, 0)
	claim := func(addr string, how ip.Probing) bool {
		told := make(chan bool, 1)
		e.stack.Claim(i, netip.MustParsePrefix(addr+"/24"), how, true, func(ours bool) { told <- ours })
		select {
		case ours := <-told:
			return ours
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing was told of %s", addr)
			return false
		}
	}
	if claim(linuxAddr, ip.Fully) || e.stack.Host().Local(netip.MustParseAddr(linuxAddr)) {
		t.Errorf("addresses %v: Linux has one of them", i.Addresses())
	}
	refused := false
	for k := 11; k < 20 && !refused; k++ { // on a busy host Linux's answer may be seen later than 20 ms
		theirs := fmt.Sprint("10.9.0.", k)
		e.run(t, "address add "+theirs+"/24 dev tap0")
		refused = !claim(theirs, ip.Quickly)
		if e.stack.Host().Local(netip.MustParseAddr(theirs)) == refused {
			t.Errorf("addresses %v: %s is refused: %v", i.Addresses(), theirs, refused)
		}
	}
	if !refused {
		t.Error("of no address that Linux has a quick look finds it")
	}
	const free = "10.9.0.99"
	if !claim(free, ip.Quickly) || !e.stack.Host().Local(netip.MustParseAddr(free)) {
		t.Errorf("addresses %v: nobody else has %s", i.Addresses(), free)
	}
	before := e.stack.Host().Count(ip.AddressConflict)
	e.run(t, "address add "+free+"/24 dev tap0")
	if err := e.ns.Do(func() error { // asks for us by ARP, as who has it
		c, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(free)}}).Dial("udp", ourAddr+":9")
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("x"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	e.until(t, "conflict", func() bool { return e.stack.Host().Count(ip.AddressConflict) > before })
	if !e.stack.Host().Local(netip.MustParseAddr(free)) {
		t.Error("the address was given up")
	}
}
