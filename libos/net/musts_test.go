package inet

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// The MUSTs of RFC 9293 that are the stack's, not a connection's. tcp/RFC9293.md says which test holds which.

// TestChecksums: what the wire has damaged is counted and not believed, and what is sent has a checksum that is right (MUST-2, 3).
func TestChecksums(t *testing.T) {
	a, b := two(t, memwire.Options{Seed: 3, Damage: 0.05})
	exchange(t, a, b, 2, 200<<10)
	if a.Counters.TCPChecksum.Load()+b.Counters.TCPChecksum.Load() == 0 {
		t.Error("no damaged segment is counted")
	}
	if a.Counters.TCPMalformed.Load()+b.Counters.TCPMalformed.Load() > a.Counters.TCPChecksum.Load()+b.Counters.TCPChecksum.Load() {
		t.Error("headers are looked at before the checksum")
	}
}

// TestOpens: several listeners of one port with an address each, or with SO_REUSEPORT; a second for the same is refused and disturbs nobody (MUST-41, 42); who connects may name
// his address, or has the one that leads there, and keeps it (MUST-43 to 45).
func TestOpens(t *testing.T) {
	s := newStack(t)
	listen := func(a string, reusePort bool) (*Listener, error) {
		b, err := s.BindTCP(addr(a), false, true, reusePort)
		if err != nil {
			return nil, err
		}
		l, err := b.Listen(4, DefaultTCPOptions(), nil)
		if err != nil {
			b.Close()
		} else {
			t.Cleanup(l.Close)
		}
		return l, err
	}
	one, err := listen("127.0.0.1:80", false)
	if err != nil {
		t.Fatal(err)
	}
	two, err := listen("127.0.0.2:80", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen("127.0.0.1:80", false); err != syscall.EADDRINUSE {
		t.Errorf("a second listener of an address: %v", err)
	}
	var share []*Listener
	for range 4 {
		l, err := listen("127.0.0.1:81", true)
		if err != nil {
			t.Fatal(err)
		}
		share = append(share, l)
	}
	dial := func(from, to string) *Conn {
		local := netip.AddrPort{}
		if from != "" {
			local = netip.AddrPortFrom(netip.MustParseAddr(from), 0)
		}
		c, err := s.Dial(local, addr(to), DefaultTCPOptions(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(true) })
		return c
	}
	took := func(l *Listener) (n int) {
		for {
			c, err := l.TryAccept()
			if err != nil {
				return n
			}
			n++
			c.Close(true)
		}
	}
	c := dial("127.0.0.9", "127.0.0.2:80")
	if c.Local().Addr() != netip.MustParseAddr("127.0.0.9") {
		t.Errorf("connected from %v", c.Local())
	}
	if c := dial("", "127.0.0.1:80"); c.Local().Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("connected from %v", c.Local())
	}
	if x, y := took(one), took(two); x != 1 || y != 1 {
		t.Errorf("%d and %d connections, want one each", x, y)
	}
	for range 4 {
		for i := range 64 {
			dial("127.1.0."+string([]byte{'1' + byte(i/10), '0' + byte(i%10)}), "127.0.0.1:81")
		}
		all, least := 0, 1<<30
		for _, l := range share {
			n := took(l)
			all, least = all+n, min(least, n)
		}
		if all > 0 && least == 0 {
			t.Errorf("of %d connections a listener that shares its port gets none", all)
		}
	}
}

// TestManyHosts: TCP is between two hosts. Opens to all of a network or to a group are refused (MUST-46), and segments to or from such are dropped and counted, without an
// answer (MUST-57, 63).
func TestManyHosts(t *testing.T) {
	var sent atomic.Int64
	a, b := two(t, memwire.Options{Observe: func(to int, f []byte) {
		if len(f) > 34 && wire.IPv4(f[14:]).Protocol() == wire.TCP && to == 0 {
			sent.Add(1)
		}
	}})
	for _, to := range []string{"224.0.0.1:80", "255.255.255.255:80", "10.0.0.255:80"} {
		if _, err := a.Dial(netip.AddrPort{}, addr(to), DefaultTCPOptions(), nil); err == nil {
			t.Errorf("a connection to %s", to)
		}
	}
	l, err := b.ListenTCP(addr("0.0.0.0:80"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := uint64(0)
	for _, x := range []struct {
		src, dst string
		group    bool
		port     uint16
	}{{"10.0.0.1", "10.0.0.255", true, 80}, {"10.0.0.1", "224.0.0.1", true, 80}, {"10.0.0.255", "10.0.0.2", false, 80}, {"224.0.0.1", "10.0.0.2", false, 80}, {"0.0.0.0", "10.0.0.2", false, 80}, {"10.0.0.255", "10.0.0.2", false, 9}} {
		s := tcp.Segment{SrcPort: 1000, DstPort: x.port, Flags: tcp.SYN}
		r, _ := b.heads.Get()
		r.Truncate(s.Marshal(r.Bytes()))
		b.deliver(b.now(), &delivery{packet: packet{proto: protoTCP, src: netip.MustParseAddr(x.src), dst: netip.MustParseAddr(x.dst), group: x.group, verified: true, body: []buf.Ref{r}}})
		b.flush()
		if n++; b.Counters.TCPAddress.Load() != n {
			t.Errorf("%+v is not counted", x)
		}
	}
	time.Sleep(10 * time.Millisecond)
	if sent.Load() != 0 || l.core.Half() != 0 {
		t.Errorf("%d answers, %d connections", sent.Load(), l.core.Half())
	}
}

// TestTOSAndTTL: what a program sets is in each packet from then on, on connections that were made and that were accepted (MUST-48, 49).
func TestTOSAndTTL(t *testing.T) {
	var mu sync.Mutex
	got := map[[2]uint8]int{}
	a, b := two(t, memwire.Options{Observe: func(to int, f []byte) {
		if len(f) > 34 && binary.BigEndian.Uint16(f[12:]) == wire.TypeIPv4 && wire.IPv4(f[14:]).Protocol() == wire.TCP {
			mu.Lock()
			got[[2]uint8{wire.IPv4(f[14:]).TOS(), wire.IPv4(f[14:]).TTL()}]++
			mu.Unlock()
		}
	}})
	take := func() map[[2]uint8]int {
		mu.Lock()
		defer mu.Unlock()
		m := got
		got = map[[2]uint8]int{}
		return m
	}
	o := DefaultTCPOptions()
	o.TOS, o.TTL = 0x20, 7
	bind, err := b.BindTCP(addr("10.0.0.2:80"), false, true, false)
	if err != nil {
		t.Fatal(err)
	}
	var w waker
	l, err := bind.Listen(1, o, &w)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := a.DialTCP(t.Context(), addr("10.0.0.2:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	handshake := map[[2]uint8]int{}
	for end := time.Now().Add(20 * time.Second); handshake[[2]uint8{0, 64}] < 2 && time.Now().Before(end); time.Sleep(time.Millisecond) { // whoever has received its answer may still be sending the third segment
		for k, n := range take() {
			handshake[k] += n
		}
	}
	if m := handshake; m[[2]uint8{0, 64}] < 2 || m[[2]uint8{0x20, 7}] == 0 || len(m) != 2 {
		t.Errorf("(TOS, TTL) of the handshake: %v", m)
	}
	o.TOS, o.TTL = 0x48, 33
	c.SetOptions(o)
	c.Write([]byte("x"))
	m := map[[2]uint8]int{}
	for end := time.Now().Add(time.Minute); m[[2]uint8{0x48, 33}] == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		for k, n := range take() {
			m[k] += n
		}
	}
	if m[[2]uint8{0x48, 33}] == 0 || m[[2]uint8{0, 64}] != 0 {
		t.Errorf("(TOS, TTL) afterwards: %v", m)
	}
}

// TestUrgent: a byte is marked, whoever waits hears of it, and reading stops once before it.
func TestUrgent(t *testing.T) {
	s := newStack(t)
	c, d := pair(t, s, s, "127.0.0.1:80")
	var seen atomic.Uint32
	d.SetHook(hook(func(e Events) { seen.Or(uint32(e)) }))
	if n, err := c.TryWrite([]byte("calm ")); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := c.TryWriteUrgent([]byte("now")); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	c.TryWrite([]byte(" and calm again"))
	for range 1000 {
		if d.Queued() == 23 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if Events(seen.Load())&Pressing == 0 || d.Ready()&Pressing == 0 || d.Urgent() != 8 {
		t.Errorf("events %b, ready %b, %d urgent bytes, want 8", seen.Load(), d.Ready(), d.Urgent())
	}
	p := make([]byte, 100)
	var got []string
	for range 2 {
		n, err := d.TryRead(p, false)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(p[:n]))
	}
	if got[0] != "calm no" || got[1] != "w and calm again" {
		t.Errorf("%q", got)
	}
	if d.Urgent() != 0 || d.Ready()&Pressing != 0 {
		t.Error("it is urgent still")
	}
}

type hook func(Events)

func (h hook) Happened(e Events) { h(e) }

// raw sends a packet of IPv4 with options and a payload from one end of a wire to 10.0.0.2 at the other, whatever the stack at this end thinks of it.
func raw(from *Stack, protocol uint8, options, payload []byte) {
	c := (*from.cards.Load())[2]
	n := wire.IPv4Size + len(options)
	b := make([]byte, wire.EthernetSize+n+len(payload))
	wire.Ethernet(b).Set(link.MAC{2, 0, 0, 0, 0, 2}, link.MAC{2, 0, 0, 0, 0, 1}, wire.TypeIPv4)
	h := wire.IPv4(b[wire.EthernetSize:])
	h.Set(wire.V4{Len: n + len(payload), TTL: 9, Protocol: protocol, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")})
	h[0] = 0x40 | byte(n/4)
	copy(h[wire.IPv4Size:], options)
	h.Complete(n+len(payload), 1, netip.Addr{})
	copy(h[n:], payload)
	c.iface.Device.Send(0, &link.Frame{Head: buf.Lend(b, nil)})
	c.iface.Device.Flush(0)
}

// TestNetworkLayer: options of IP that mean nothing to TCP are passed over (MUST-50); a source route has the packet dropped, which is where MUST-51 to 53 are not kept; and a
// source quench does nothing (MUST-55).
func TestNetworkLayer(t *testing.T) {
	var mu sync.Mutex
	answered := map[uint16]bool{}
	a, b := two(t, memwire.Options{Observe: func(to int, f []byte) {
		if h := wire.IPv4(f[14:]); to == 0 && len(f) > 54 && h.Protocol() == wire.TCP && tcp.Flags(f[14+20+13]).Has(tcp.SYN|tcp.ACK) {
			mu.Lock()
			answered[binary.BigEndian.Uint16(f[14+20+2:])] = true
			mu.Unlock()
		}
	}})
	l, err := b.ListenTCP(addr("10.0.0.2:80"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i, x := range []struct {
		what    string
		options []byte
		want    bool
	}{
		{"a loose source route", []byte{1, 131, 7, 4, 10, 0, 0, 9}, false},
		{"a strict source route", []byte{1, 137, 7, 4, 10, 0, 0, 9}, false},
		{"none", nil, true},
		{"record route", []byte{1, 7, 7, 4, 0, 0, 0, 0}, true},
		{"timestamps", []byte{68, 8, 5, 0, 0, 0, 0, 0}, true},
		{"one that nobody knows", []byte{0x9e, 4, 1, 2}, true},
	} {
		port := 5000 + uint16(i)
		s := tcp.Segment{SrcPort: port, DstPort: 80, Flags: tcp.SYN, Seq: 7}
		p := make([]byte, s.HeaderLen())
		s.Marshal(p)
		sum := ^wire.Fold(wire.Sum(wire.PseudoSum(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), wire.TCP, len(p)), p))
		binary.BigEndian.PutUint16(p[tcp.ChecksumOffset:], sum)
		raw(a, wire.TCP, x.options, p)
		got, most := false, 200 // ms
		if x.want {
			most = 20_000
		}
		for range most {
			mu.Lock()
			got = answered[port]
			mu.Unlock()
			if got {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if got != x.want {
			t.Errorf("%s: a SYN is answered: %v", x.what, got)
		}
	}
	// ICMP's type 4, about what a peer that reads nothing leaves on its way.
	m, err := a.ListenTCP(addr("10.0.0.1:9999"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := b.DialTCP(t.Context(), addr("10.0.0.1:9999"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Conn.Close(true)
	was := c.Info()
	message := make([]byte, wire.ICMPSize+wire.IPv4Size+8)
	inner := message[wire.ICMPSize:]
	wire.IPv4(inner).Set(wire.V4{Len: 40, TTL: 9, Protocol: wire.TCP, Src: c.Local().Addr(), Dst: c.Remote().Addr()})
	binary.BigEndian.PutUint16(inner[20:], c.Local().Port())
	binary.BigEndian.PutUint16(inner[22:], 9999)
	const quench = 4
	wire.ICMPHeader(message).Set(quench, 0, 0)
	binary.BigEndian.PutUint16(message[wire.ICMPChecksumOffset:], ^wire.Fold(wire.Sum(0, message)))
	raw(a, wire.ICMP, nil, message)
	time.Sleep(10 * time.Millisecond)
	if i := c.Info(); i.Window != was.Window || i.State != was.State || b.host.Count(ip.BadICMP) != 0 {
		t.Errorf("a source quench: %+v, was %+v", i, was)
	}
}
