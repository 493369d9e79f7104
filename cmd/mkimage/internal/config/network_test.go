package config

import (
	"net/netip"
	"testing"
)

func TestPorts(t *testing.T) {
	at := netip.MustParseAddrPort
	for v, want := range map[string]Port{
		"8080:80":              {at("127.0.0.1:8080"), 80, false},
		"8080:80/tcp":          {at("127.0.0.1:8080"), 80, false},
		"53:5353/udp":          {at("127.0.0.1:53"), 5353, true},
		"0.0.0.0:53:5353/udp":  {at("0.0.0.0:53"), 5353, true},
		"10.1.2.3:65535:1/tcp": {at("10.1.2.3:65535"), 1, false},
	} {
		if got, err := Ports([]string{v}); err != nil || got[0] != want {
			t.Errorf("%s: %+v, %v", v, got, err)
		}
	}
	for _, v := range []string{"", "80", ":80", "80:", "80:0", "0:80", "80:65536", "a:80", "1.2.3:80:80", "::1:80:80", "80:80/sctp", "80:80/", "1.2.3.4:80", "-1:80", "80:80:80:80"} {
		if got, err := Ports([]string{v}); err == nil {
			t.Errorf("%q passes: %+v", v, got)
		}
	}
}

func TestCheckNet(t *testing.T) {
	for _, v := range []string{"", "user", "none", "tap=tap0", "tap=abcdefghijklmno"} {
		if err := CheckNet(v); err != nil {
			t.Error(err)
		}
	}
	for _, v := range []string{"bridge", "tap", "tap=", "tap=a,b", "tap=a b", "tap=a/b", "tap=abcdefghijklmnop"} {
		if CheckNet(v) == nil {
			t.Errorf("%q passes", v)
		}
	}
}
