package socket

import (
	"net/netip"
	"testing"
)

// TestSources: name servers of the command line go before those of leases, which are in the cards' order; time servers are the leases'.
func TestSources(t *testing.T) {
	a := netip.MustParseAddr
	configured.Store(&nameSource{servers: []netip.Addr{a("10.0.0.1")}, search: []string{"x.example"}})
	defer func() {
		configured.Store(nil)
		learn(2, nil)
	}()
	learn(3, &nameSource{servers: []netip.Addr{a("10.0.1.2")}, search: []string{"z.example"}, times: []netip.Addr{a("10.0.1.3")}})
	learn(2, &nameSource{servers: []netip.Addr{a("10.0.0.2")}, search: []string{"x.example", "y.example"}, times: []netip.Addr{a("10.0.0.3")}})
	if got := string(resolvConf()); got != "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.1.2\nsearch x.example y.example z.example\n" {
		t.Errorf("resolv.conf: %q", got)
	}
	if got := TimeServers(); len(got) != 2 || got[0] != a("10.0.0.3") || got[1] != a("10.0.1.3") {
		t.Errorf("time servers %v", got)
	}
	was := changed()
	learn(2, nil)
	learn(3, nil)
	if got := string(resolvConf()); got != "nameserver 10.0.0.1\nsearch x.example\n" || changed() <= was {
		t.Errorf("after the leases: %q, changed %d, before %d", got, changed(), was)
	}
	learn(2, &nameSource{times: []netip.Addr{a("10.0.0.3")}})
	if got := TimeServers(); len(got) != 1 || got[0] != a("10.0.0.3") {
		t.Errorf("time servers %v", got)
	}
}
