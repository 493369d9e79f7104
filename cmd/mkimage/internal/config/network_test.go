package config

import (
	"net/netip"
	"slices"
	"strings"
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
	for v, passes := range map[string]bool{
		"80:80 80:81":                     false,
		"80:80 80:80/tcp":                 false,
		"80:80 81:81 0.0.0.0:80:80":       false,
		"0.0.0.0:80:80 80:80":             false,
		"80:80 80:80/udp":                 true,
		"80:80 81:80":                     true,
		"127.0.0.1:80:80 127.0.0.2:80:80": true,
	} {
		if got, err := Ports(strings.Fields(v)); (err == nil) != passes {
			t.Errorf("%q: %+v, %v", v, got, err)
		}
	}
}

func TestCheckNet(t *testing.T) {
	for _, v := range []string{"", "user", "none", "tap=tap0", "tap=abcdefghijklmno", "user user", "tap=a user tap=b"} {
		if err := CheckNet(strings.Fields(v)); err != nil {
			t.Error(err)
		}
	}
	for _, v := range []string{"bridge", "tap", "tap=", "tap=a,b", "tap=a/b", "tap=abcdefghijklmnop", "user none", "none none", "tap=a tap=a", "user user user user user"} {
		if CheckNet(strings.Fields(v)) == nil {
			t.Errorf("%q passes", v)
		}
	}
	if CheckNet([]string{"tap=a b"}) == nil || CheckNet([]string{""}) == nil {
		t.Error("a name with a space, or none, passes")
	}
}

func TestCheckIP(t *testing.T) {
	for _, v := range []string{"", "dhcp", "off", "10.0.2.15/24,gw=10.0.2.2,dns=1.1.1.1", "10.0.2.15/24 eth1=dhcp 52:54:00:12:34:58=off"} {
		if err := CheckIP(strings.Fields(v)); err != nil {
			t.Error(err)
		}
	}
	for _, v := range []string{"x", "10.0.2.15", "dhcp off", "eth1=dhcp eth1=off", "10.0.2.15/24,search=\"", "wlan0=dhcp"} {
		if CheckIP(strings.Fields(v)) == nil {
			t.Errorf("%q passes", v)
		}
	}
	if CheckIP([]string{""}) == nil {
		t.Error("nothing said passes")
	}
}

func TestWords(t *testing.T) {
	s := Settings{IP: []string{"dhcp", "eth1=off"}, HostName: "web", Netstat: "70", NTP: []string{"a", "b"}, Mounts: []string{"label=x:/x"}, PageCache: "1g,8MiB"}
	got, err := s.Words()
	if want := []Word{{"ip", "dhcp;eth1=off"}, {"hostname", "web"}, {"netstat", "70"}, {"ntp", "a,b"}, {"disks", "label=x:/x"}, {"pagecache", "1048576K,8192K"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := (Settings{}).Words(); len(got) != 0 || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}
