package ip

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

var wanted = netip.MustParsePrefix("10.0.0.9/24")

// A claimant is a node whose claims are noted.
type claimant struct {
	*node
	told []bool
}

func (c *claimant) claim(now tick.Time, how Probing) {
	c.Claim(now, c.eth, wanted, how, false, func(ours bool) { c.told = append(c.told, ours) })
}

func (c *claimant) has() bool { return slices.Contains(c.eth.Addresses(), wanted) }

// run lets time pass until nothing is due any more, or until the end.
func run(now, end tick.Time, nodes ...*node) tick.Time {
	for {
		settle(now, nodes...)
		d := tick.Time(0)
		for _, n := range nodes {
			d = tick.Sooner(d, n.Deadline())
		}
		if d == 0 || d > end {
			return end
		}
		now = max(d, now)
		for _, n := range nodes {
			n.Tick(now)
		}
	}
}

// A listener writes down the ARP packets that come by a wire, and when.
type listener struct {
	card *memwire.Card
	got  []string
	at   []tick.Time
}

func (l *listener) take(now tick.Time) {
	var f link.Frame
	for l.card.Receive(0, &f) {
		if p := wire.ARP(f.Head.Bytes()[wire.EthernetSize:]); wire.Ethernet(f.Head.Bytes()).Type() == wire.TypeARP {
			l.got = append(l.got, fmt.Sprint(p.Op(), p.Sender(), p.Target()))
			l.at = append(l.at, now)
		}
		f.Release()
	}
}

// alone is a claimant on a wire that only a listener is at.
func alone() (*claimant, *listener) {
	x, y := memwire.New(memwire.Options{})
	n := &node{pool: buf.NewPool("test", 2048, 1<<12, buf.Heap), card: x}
	n.Host = New(n.pool, rand.New(rand.NewPCG(1, 2)).Uint64)
	n.eth = n.Attach(x, false)
	return &claimant{node: n}, &listener{card: y}
}

const (
	probed    = "1 0.0.0.0 10.0.0.9"
	announced = "1 10.0.0.9 10.0.0.9"
)

// TestClaim: an address that nobody has is asked for, taken and told of as RFC 5227 says, or after one question.
func TestClaim(t *testing.T) {
	for how, want := range map[Probing][]string{
		Quickly: {probed, announced, announced},
		Fully:   {probed, probed, probed, announced, announced},
		Not:     {announced, announced},
	} {
		c, l := alone()
		began := tick.Time(1)
		c.claim(began, how)
		var taken tick.Time
		for now := began; ; {
			l.take(now)
			if c.has() && taken == 0 {
				taken = now
			}
			if c.has() != slices.Equal(c.told, []bool{true}) {
				t.Fatalf("%d: has the address %v, told %v", how, c.has(), c.told)
			}
			d := c.Deadline()
			if d == 0 {
				break
			}
			now = d
			c.Tick(now)
		}
		if !slices.Equal(l.got, want) {
			t.Errorf("%d: sent %q, want %q", how, l.got, want)
		}
		between := func(what string, d, least, most time.Duration) {
			if d < least || d > most {
				t.Errorf("%d: %s after %v, want %v to %v", how, what, d, least, most)
			}
		}
		n := len(want)
		between("announced again", l.at[n-1].Sub(l.at[n-2]), announceInterval, announceInterval)
		switch how {
		case Quickly:
			between("taken", taken.Sub(began), quickWait, quickWait)
		case Fully:
			between("first probe", l.at[0].Sub(began), 0, probeWait+1)
			between("second probe", l.at[1].Sub(l.at[0]), probeMin, probeMax)
			between("third probe", l.at[2].Sub(l.at[1]), probeMin, probeMax)
			between("taken", taken.Sub(l.at[2]), announceWait, announceWait)
		case Not:
			between("taken", taken.Sub(began), 0, 0)
		}
	}
}

// TestClaimOfAnother: an address that another station has, or wants at the same time, is left to it.
func TestClaimOfAnother(t *testing.T) {
	for _, how := range []Probing{Quickly, Fully} {
		a, b := two(memwire.Options{})
		b.AddAddress(1, b.eth, wanted)
		c := &claimant{node: a}
		settle(1, a, b)
		c.claim(2, how)
		run(2, tick.Time(time.Minute), a, b)
		if c.has() || !slices.Equal(c.told, []bool{false}) || c.Count(AddressConflict) != 1 || c.Deadline() != 0 {
			t.Errorf("%d: has it %v, told %v, %d conflicts", how, c.has(), c.told, c.Count(AddressConflict))
		}
		if b.Count(AddressConflict) != 0 {
			t.Errorf("%d: its owner has seen a conflict where somebody asked", how)
		}
		a.clean(t)
		b.clean(t)

		a, b = two(memwire.Options{})
		c, d := &claimant{node: a}, &claimant{node: b}
		c.claim(2, how)
		d.claim(2, how)
		run(2, tick.Time(time.Minute), a, b)
		if c.has() && d.has() {
			t.Errorf("%d: both have it", how)
		}
		if how == Quickly && (c.has() || d.has()) {
			t.Errorf("%d: both asked at once, and one of them took it", how)
		}
	}
}

// TestDefence: an address in use is defended once in ten seconds; who has another one to turn to gives it up if that does not help, and who has not keeps it.
func TestDefence(t *testing.T) {
	c, l := alone()
	c.claim(1, Not)
	now := run(1, tick.Time(time.Minute), c.node)
	l.take(now)
	l.got = nil
	attack := func() {
		r, _ := c.pool.Get()
		r.TrimFront(link.Room)
		r.Truncate(wire.EthernetSize + wire.ARPSize)
		wire.Ethernet(r.Bytes()).Set(link.Broadcast, link.MAC{2, 3}, wire.TypeARP)
		wire.ARP(r.Bytes()[wire.EthernetSize:]).Set(wire.ARPRequest, link.MAC{2, 3}, wanted.Addr(), link.MAC{}, wanted.Addr())
		l.card.Send(0, &link.Frame{Head: r})
		l.card.Flush(0)
		settle(now, c.node)
		l.take(now)
	}
	attack()
	if !c.has() || !slices.Equal(l.got, []string{announced}) {
		t.Fatalf("after one: has it %v, said %q", c.has(), l.got)
	}
	now = now.Add(11 * time.Second)
	attack()
	if !c.has() || len(l.got) != 2 {
		t.Fatalf("after another one, much later: has it %v, said %q", c.has(), l.got)
	}
	now = now.Add(9 * time.Second)
	attack()
	if c.has() || !slices.Equal(c.told, []bool{true, false}) || len(l.got) != 2 {
		t.Errorf("after two in nine seconds: has it %v, told %v, said %q", c.has(), c.told, l.got)
	}

	c.AddAddress(now, c.eth, wanted)
	now = run(now, now.Add(time.Minute), c.node)
	l.take(now)
	l.got = nil
	for range 30 {
		now = now.Add(time.Second)
		attack()
	}
	if !c.has() || len(l.got) != 3 {
		t.Errorf("half a minute of claims: has it %v, said so %d times", c.has(), len(l.got))
	}
	c.clean(t)
}
