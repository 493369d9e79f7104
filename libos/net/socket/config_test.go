package socket

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestParseNetwork(t *testing.T) {
	for v, want := range map[string]string{
		"":             "false true true [] [] [] []",
		"dhcp":         "false true true [] [] [] []",
		"off":          "true false true [] [] [] []",
		"10.0.2.15/24": "false false true [10.0.2.15/24] [] [] []",
		"10.0.2.15/24,gw=10.0.2.2,dns=1.1.1.1,dns=9.9.9.9,search=a.b": "false false true [10.0.2.15/24] [10.0.2.2] [1.1.1.1 9.9.9.9] [a.b]",
		"10.0.2.15/24,slaac=off":                               "false false false [10.0.2.15/24] [] [] []",
		"fec0::15/64,gw=fec0::2,dns=fec0::3":                   "false false false [fec0::15/64] [fec0::2] [fec0::3] []",
		"fec0::15/64,gw=fe80::1,slaac=on":                      "false false true [fec0::15/64] [fe80::1] [] []",
		"10.0.2.15/24,addr=fec0::15/64,gw=10.0.2.2,gw=fec0::2": "false false false [10.0.2.15/24 fec0::15/64] [10.0.2.2 fec0::2] [] []",
		"dhcp,slaac=off,dns=9.9.9.9":                           "false true false [] [] [9.9.9.9] []",
	} {
		n, err := parseNetwork(v)
		if got := fmt.Sprint(n.off, n.dhcp, n.slaac, " ", n.addresses, n.gateways, n.servers, n.search); got != want || err != nil {
			t.Errorf("%q: %s, %v", v, got, err)
		}
	}
	for _, v := range []string{
		"x", "10.0.2.15", "10.0.2.15/33", "::1/64", "0.0.0.0/0", "10.0.2.15/24,gw=10.0.3.2", "10.0.2.15/24,gw=x", "10.0.2.15/24,zz=1", "10.0.2.15/24,gw=fec0::2", "224.0.0.1/4",
		"::ffff:10.0.2.15/120", "10.0.2.15/24,slaac=maybe", "10.0.2.15/24,gw=10.0.2.2,gw=10.0.2.3", "10.0.2.15/24,addr=ff02::1/64", "10.0.2.15/24,addr=x",
	} {
		if n, err := parseNetwork(v); err == nil {
			t.Errorf("%q: %+v", v, n)
		}
	}
}

// TestSources: name servers of the command line go before those of a lease; time servers are the lease's.
func TestSources(t *testing.T) {
	a := netip.MustParseAddr
	configured.Store(&nameSource{servers: []netip.Addr{a("10.0.0.1")}, search: []string{"x.example"}})
	defer func() {
		configured.Store(nil)
		learn(nil)
	}()
	learn(&nameSource{servers: []netip.Addr{a("10.0.0.2")}, search: []string{"x.example", "y.example"}, times: []netip.Addr{a("10.0.0.3")}})
	if got := string(resolvConf()); got != "nameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch x.example y.example\n" {
		t.Errorf("resolv.conf: %q", got)
	}
	was := changed()
	learn(nil)
	if got := string(resolvConf()); got != "nameserver 10.0.0.1\nsearch x.example\n" || changed() <= was {
		t.Errorf("after the lease: %q, changed %d, before %d", got, changed(), was)
	}
	learn(&nameSource{times: []netip.Addr{a("10.0.0.3")}})
	if got := TimeServers(); len(got) != 1 || got[0] != a("10.0.0.3") {
		t.Errorf("time servers %v", got)
	}
}
