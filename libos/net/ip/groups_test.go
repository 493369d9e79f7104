package ip

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// igmpSeen gives the messages of IGMP that were sent since the last call, with whom they went to.
func (f *fake) igmpSeen() (list []string) {
	f.listen()
	for _, b := range f.seen {
		if wire.Ethernet(b).Type() != wire.TypeIPv4 {
			continue
		}
		x := wire.IPv4(b[wire.EthernetSize:])
		if !x.Check() || x.Protocol() != wire.IGMP || x.TTL() != 1 || x.HeaderLen() != 24 {
			continue
		}
		m := x[x.HeaderLen():x.TotalLen()]
		if wire.Fold(wire.Sum(0, m)) != 0xffff || wire.Ethernet(b).Dst() != wire.GroupMAC(x.Dst()) {
			list = append(list, "broken")
			continue
		}
		s := x.Dst().String() + " "
		if m[0] == igmpReport3 {
			for r := m[8:]; len(r) >= 8; {
				s += string('0'+rune(r[0])) + ":" + netip.AddrFrom4([4]byte(r[4:8])).String() + " "
				n := int(r[2])<<8 | int(r[3])
				for r = r[8:]; n > 0; n-- {
					s += netip.AddrFrom4([4]byte(r[:4])).String() + " "
					r = r[4:]
				}
			}
		} else {
			s += map[byte]string{igmpReport1: "v1:", igmpReport2: "v2:", igmpLeave: "leave:"}[m[0]] + netip.AddrFrom4([4]byte(m[4:8])).String()
		}
		list = append(list, s)
	}
	f.seen = nil
	return list
}

// TestIGMP: what routers hear of groups, in each version, when they ask and when they do not (RFC 3376, RFC 2236, RFC 1112).
func TestIGMP(t *testing.T) {
	now := tick.Time(1)
	n, f := withFake(&now, 1500*time.Millisecond)
	n.AddAddress(now, n.eth, netip.MustParsePrefix("10.0.0.2/24"))
	g, h := netip.MustParseAddr("239.1.1.1"), netip.MustParseAddr("239.1.1.2")
	want := func(what string, w ...string) {
		t.Helper()
		if got := f.igmpSeen(); !slices.Equal(got, w) {
			t.Errorf("%s: %q, want %q", what, got, w)
		}
	}
	want("nothing joined")
	n.Join(now, n.eth, g)
	n.Join(now, n.eth, g)
	pass(&now, 3*time.Second, n)
	want("joined", "224.0.0.22 4:239.1.1.1 ", "224.0.0.22 4:239.1.1.1 ")
	n.Leave(now, n.eth, g)
	pass(&now, 3*time.Second, n)
	want("joined twice, left once")
	query := func(code byte, group netip.Addr, long bool) {
		m := []byte{igmpQuery, code, 0, 0, 0, 0, 0, 0}
		a := group.As4()
		copy(m[4:], a[:])
		if long {
			m = append(m, 2, 125, 0, 0)
		}
		dst := allHosts
		if !group.IsUnspecified() {
			dst = group
		}
		f.raw(igmpFrame(dst, m))
		settle(now, n)
	}
	query(20, netip.IPv4Unspecified(), true)
	want("before the delay is over")
	pass(&now, 3*time.Second, n)
	want("a query of version 3", "224.0.0.22 2:239.1.1.1 ")
	query(20, h, true)
	pass(&now, 3*time.Second, n)
	want("about a group that nobody here is in")
	query(20, g, true)
	pass(&now, 3*time.Second, n)
	want("about one that somebody is in", "224.0.0.22 2:239.1.1.1 ")

	query(20, netip.IPv4Unspecified(), false)
	pass(&now, 3*time.Second, n)
	want("a query of version 2", "239.1.1.1 v2:239.1.1.1")
	query(20, netip.IPv4Unspecified(), false)
	m := []byte{igmpReport2, 0, 0, 0, 239, 1, 1, 1}
	f.raw(igmpFrame(g, m))
	pass(&now, 3*time.Second, n)
	want("somebody else has answered")
	n.Join(now, n.eth, h)
	pass(&now, 3*time.Second, n)
	want("joined, with a querier of version 2", "239.1.1.2 v2:239.1.1.2", "239.1.1.2 v2:239.1.1.2")
	n.Leave(now, n.eth, h)
	pass(&now, 3*time.Second, n)
	want("left", "224.0.0.2 leave:239.1.1.2")

	query(0, netip.IPv4Unspecified(), false)
	pass(&now, 11*time.Second, n)
	want("a query of version 1", "239.1.1.1 v1:239.1.1.1")
	now = now.Add(olderQuerier + time.Second)
	pass(&now, time.Second, n)
	n.Leave(now, n.eth, g)
	pass(&now, 3*time.Second, n)
	want("left, long after the old queriers", "224.0.0.22 3:239.1.1.1 ", "224.0.0.22 3:239.1.1.1 ")
	if n.Joined(n.eth, g) || len(n.eth.groups) != 1 { // the solicited-node group of the link-local address
		t.Errorf("groups %v are left", n.eth.groups)
	}
	bad := n.Count(BadICMP)
	wrong := igmpFrame(allHosts, []byte{igmpQuery, 1, 0, 0, 0, 0, 0, 0})
	wrong[len(wrong)-1]++
	f.raw(wrong)
	f.raw(igmpFrame(allHosts, []byte{igmpQuery, 1, 0, 0, 0, 0, 0, 0, 0}))
	f.raw(igmpFrame(allHosts, []byte{igmpQuery, 1, 0}))
	f.raw(igmpFrame(allHosts, []byte{igmpQuery, 1, 0, 0, 10, 0, 0, 1}))
	settle(now, n)
	if got := n.Count(BadICMP) - bad; got != 4 {
		t.Errorf("%d of 4 malformed messages were refused", got)
	}
	n.clean(t)
}

// TestSources: what routers hear of groups that are wanted from some sources (RFC 3376, 5; RFC 4607), and what is let in.
func TestSources(t *testing.T) {
	now := tick.Time(1)
	n, f := withFake(&now, 1500*time.Millisecond)
	n.AddAddress(now, n.eth, netip.MustParsePrefix("10.0.0.2/24"))
	g, a, b := netip.MustParseAddr("232.1.1.1"), netip.MustParseAddr("10.0.0.8"), netip.MustParseAddr("10.0.0.9")
	twice := func(what, w string) {
		t.Helper()
		pass(&now, 3*time.Second, n)
		if got := f.igmpSeen(); !slices.Equal(got, []string{w, w}) {
			t.Errorf("%s: %q, want %q twice", what, got, w)
		}
	}
	lets := func(what string, all, ofA, ofB bool) {
		t.Helper()
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.eth.in(g) != (all || ofA || ofB) || n.eth.takes(g, netip.MustParseAddr("10.0.0.7")) != all || n.eth.takes(g, a) != ofA || n.eth.takes(g, b) != ofB {
			t.Errorf("%s: in it %v, of a %v, of b %v", what, n.eth.in(g), n.eth.takes(g, a), n.eth.takes(g, b))
		}
	}
	f.igmpSeen()
	n.JoinSource(now, n.eth, g, a)
	n.JoinSource(now, n.eth, g, a)
	twice("one source", "224.0.0.22 5:232.1.1.1 10.0.0.8 ")
	lets("one source", false, true, false)
	n.JoinSource(now, n.eth, g, b)
	twice("another one", "224.0.0.22 5:232.1.1.1 10.0.0.9 ")
	query := func(want string) {
		t.Helper()
		m := append([]byte{igmpQuery, 20, 0, 0}, 0, 0, 0, 0, 2, 125, 0, 0)
		f.raw(igmpFrame(allHosts, m))
		settle(now, n)
		pass(&now, 3*time.Second, n)
		if got := f.igmpSeen(); !slices.Equal(got, []string{want}) {
			t.Errorf("a query: %q, want %q", got, want)
		}
	}
	query("224.0.0.22 1:232.1.1.1 10.0.0.8 10.0.0.9 ")
	n.LeaveSource(now, n.eth, g, a)
	pass(&now, 3*time.Second, n)
	if got := f.igmpSeen(); len(got) != 0 {
		t.Errorf("joined twice, left once: %q", got)
	}
	n.LeaveSource(now, n.eth, g, a)
	twice("the first left", "224.0.0.22 6:232.1.1.1 10.0.0.8 ")
	lets("the first left", false, false, true)
	n.Join(now, n.eth, g)
	twice("from all", "224.0.0.22 4:232.1.1.1 ")
	lets("from all", true, true, true)
	query("224.0.0.22 2:232.1.1.1 ")
	n.Leave(now, n.eth, g)
	twice("from one again", "224.0.0.22 3:232.1.1.1 10.0.0.9 ")
	n.LeaveSource(now, n.eth, g, b)
	twice("left", "224.0.0.22 6:232.1.1.1 10.0.0.9 ")
	lets("left", false, false, false)
	if n.eth.groups[g] != nil {
		t.Error("the group is not forgotten")
	}
	for k := range 200 { // in several reports
		n.JoinSource(now, n.eth, g, netip.AddrFrom4([4]byte{10, 1, 0, byte(k)}))
	}
	pass(&now, 3*time.Second, n)
	f.igmpSeen()
	f.raw(igmpFrame(allHosts, append([]byte{igmpQuery, 20, 0, 0}, 0, 0, 0, 0, 2, 125, 0, 0)))
	settle(now, n)
	pass(&now, 3*time.Second, n)
	sources := 0
	for _, s := range f.igmpSeen() {
		sources += strings.Count(s, " 10.1.0.")
	}
	if sources != 200 {
		t.Errorf("%d of 200 sources are named", sources)
	}
	n.clean(t)
}

// TestMLD: the same for IPv6 (RFC 3810, RFC 2710); what did not come from a router of the link is not heeded.
func TestMLD(t *testing.T) {
	now := tick.Time(1)
	n, f := withFake(&now, 4*time.Second)
	g := netip.MustParseAddr("ff15::1")
	alert := []byte{0, 0, 5, 2, 0, 0, 1, 0}
	f.listen()
	f.seen = nil
	n.Join(now, n.eth, g)
	pass(&now, 3*time.Second, n)
	if got := len(f.icmpSeen(mldReport2)); got != 2 {
		t.Errorf("%d reports of a group that was joined", got)
	}
	f.seen = nil
	query := func(hops uint8, ext []byte, src string, long bool) {
		m := append([]byte{mldQuery, 0, 0, 0, 0x03, 0xe8, 0, 0}, make([]byte, 16)...)
		if long {
			m = append(m, 2, 125, 0, 0)
		}
		f.icmp(netip.MustParseAddr(src), allNodes, hops, ext, m)
		pass(&now, 2*time.Second, n)
	}
	query(1, alert, "fe80::99", true)
	if r := f.icmpSeen(mldReport2); len(r) != 1 || r[0][7] != 2 { // with the solicited-node group
		t.Errorf("answers to a query: %x", r)
	}
	f.seen = nil
	query(2, alert, "fe80::99", true)
	query(1, nil, "fe80::99", true)
	query(1, alert, "2001:db8::1", true)
	if r := f.icmpSeen(mldReport2); len(r) != 0 {
		t.Errorf("forged queries are answered: %x", r)
	}
	f.seen = nil
	query(1, alert, "fe80::99", false)
	if r := f.icmpSeen(mldReport1); len(r) != 2 {
		t.Errorf("%d answers to a query of version 1", len(r))
	}
	n.Leave(now, n.eth, g)
	pass(&now, 2*time.Second, n)
	if r := f.icmpSeen(mldDone); len(r) != 1 {
		t.Errorf("%d good-byes", len(r))
	}
	n.clean(t)
}
