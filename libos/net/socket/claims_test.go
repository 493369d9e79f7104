package socket

import (
	"crypto/rand"
	"net/netip"
	"testing"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/dhcp"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/setup"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// TestCards: a card publishes nothing that the next one would change, and where nothing can be leased nobody waits for it.
func TestCards(t *testing.T) {
	s := inet.New(inet.Config{Clock: func() tick.Time { return 1e9 }, Random: func(p []byte) { rand.Read(p) }})
	t.Cleanup(s.Close)
	x, y := memwire.New(memwire.Options{})
	configured.Store(nil)
	b := bringing{leases: &leases{stack: s}} // its port could not be opened
	for i, c := range []*memwire.Card{x, y} {
		b.card(s, s.Attach(c), setup.Card{DHCP: true, Servers: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i), 1})}})
		if configured.Load() != nil {
			t.Error("servers are published before they are whole")
		}
		if n := b.cards[i].left.Load(); n != 0 {
			t.Errorf("%d addresses are waited for", n)
		}
	}
	if len(b.servers.servers) != 2 {
		t.Error(b.servers)
	}
}

// TestClaimOfAnotherLease: what became of a claim to an address that the lease no longer is of says nothing of the one that it is of.
func TestClaimOfAnotherLease(t *testing.T) {
	now, before := netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("10.0.0.1/24")
	l := &leasing{had: dhcp.Lease{Address: now}, first: func() { t.Error("it has an address") }}
	l.claimed(verdict{before, true})
	l.claimed(verdict{before, false}) // or it would decline, with a client that there is not
}
