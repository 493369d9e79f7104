package setup

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/libos/net/ip"
)

func (c Card) text() string {
	return fmt.Sprint(c.Off, c.DHCP, c.SLAAC, " ", c.Addresses, c.Gateways, c.Servers, c.Search, int(c.Probe))
}

func TestParse(t *testing.T) {
	for v, want := range map[string]string{
		"":             "false true true [] [] [] [] 0",
		"dhcp":         "false true true [] [] [] [] 0",
		"off":          "true false true [] [] [] [] 0",
		"10.0.2.15/24": "false false true [10.0.2.15/24] [] [] [] 0",
		"10.0.2.15/24,gw=10.0.2.2,dns=1.1.1.1,dns=9.9.9.9,search=a.b": "false false true [10.0.2.15/24] [10.0.2.2] [1.1.1.1 9.9.9.9] [a.b] 0",
		"10.0.2.15/24,slaac=off":                               "false false false [10.0.2.15/24] [] [] [] 0",
		"fec0::15/64,gw=fec0::2,dns=fec0::3":                   "false false false [fec0::15/64] [fec0::2] [fec0::3] [] 0",
		"fec0::15/64,gw=fe80::1,slaac=on":                      "false false true [fec0::15/64] [fe80::1] [] [] 0",
		"10.0.2.15/24,addr=fec0::15/64,gw=10.0.2.2,gw=fec0::2": "false false false [10.0.2.15/24 fec0::15/64] [10.0.2.2 fec0::2] [] [] 0",
		"dhcp,slaac=off,dns=9.9.9.9,probe=full":                "false true false [] [] [9.9.9.9] [] 1",
		"10.0.2.15/24,probe=off":                               "false false true [10.0.2.15/24] [] [] [] 2",
		"10.0.2.15/24,probe=fast":                              "false false true [10.0.2.15/24] [] [] [] 0",
	} {
		cs, err := Parse(v)
		if err != nil || len(cs) != 1 {
			t.Errorf("%q: %v, %v", v, cs, err)
			continue
		}
		if got := cs.For("eth0", "52:54:00:12:34:56").text(); got != want {
			t.Errorf("%q: %s", v, got)
		}
	}
	for _, v := range []string{
		"x", "10.0.2.15", "10.0.2.15/33", "::1/64", "0.0.0.0/0", "10.0.2.15/24,gw=10.0.3.2", "10.0.2.15/24,gw=x", "10.0.2.15/24,zz=1", "10.0.2.15/24,gw=fec0::2", "224.0.0.1/4",
		"::ffff:10.0.2.15/120", "10.0.2.15/24,slaac=maybe", "10.0.2.15/24,gw=10.0.2.2,gw=10.0.2.3", "10.0.2.15/24,addr=ff02::1/64", "10.0.2.15/24,addr=x", "10.0.2.15/24,probe=x",
		"10.0.2.15/24,search=", "10.0.2.15/24,search=a..b", "dhcp;dhcp", "eth0=dhcp;eth0=off", "wlan0=dhcp", "eth=dhcp", "eth01=dhcp", "52:54:00=dhcp", "dhcp;10.0.2.15/24", "=dhcp", "gw=10.0.2.2",
	} {
		if cs, err := Parse(v); err == nil {
			t.Errorf("%q: %+v", v, cs)
		}
	}
}

// TestCards: which card what is said is about.
func TestCards(t *testing.T) {
	const auto, off = "false true true [] [] [] [] 0", "true false true [] [] [] [] 0"
	const one, two = "false false true [10.0.2.15/24] [] [] [] 0", "false false true [10.0.3.15/24] [] [] [] 0"
	for v, want := range map[string][3]string{
		"":                                      {auto, auto, auto},
		"10.0.2.15/24":                          {one, auto, auto},
		"off":                                   {off, off, off},
		"off;eth1=dhcp":                         {off, auto, off},
		"10.0.2.15/24;eth1=10.0.3.15/24":        {one, two, auto},
		"eth1=10.0.3.15/24;10.0.2.15/24":        {one, two, auto},
		"eth2=off":                              {auto, auto, off},
		"52:54:00:12:34:57=10.0.3.15/24":        {auto, two, auto},
		"52:54:00:AB:CD:EF=10.0.3.15/24;off":    {off, off, two},
		"eth1=10.0.3.15/24;eth0=10.0.2.15/24":   {one, two, auto},
		"dhcp;eth1=off;eth2=10.0.3.15/24":       {auto, off, two},
		"eth0=;eth1=off;52:54:00:ab:cd:ef=dhcp": {auto, off, auto},
	} {
		cs, err := Parse(v)
		if err != nil {
			t.Errorf("%q: %v", v, err)
			continue
		}
		for i, mac := range []string{"52:54:00:12:34:56", "52:54:00:12:34:57", "52:54:00:ab:cd:ef"} {
			if got := cs.For(fmt.Sprint("eth", i), mac).text(); got != want[i] {
				t.Errorf("%q, card %d: %s", v, i, got)
			}
		}
		if cs.AllOff() != (v == "off") {
			t.Errorf("%q: all off: %v", v, cs.AllOff())
		}
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[string]bool{"a": true, "web-1": true, "web.example.com": true, "": false, "a b": false, "a..b": false, ".a": false, "a.": false, "ä": false, strings.Repeat("a", 64): false,
		strings.Repeat("a", 60) + ".bcd": true, strings.Repeat("a", 60) + ".bcde": false} {
		if IsHostName(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

// FuzzParse: any value is refused, or says something that can be done.
func FuzzParse(f *testing.F) {
	f.Add("10.0.2.15/24,addr=fec0::15/64,gw=10.0.2.2,gw=fec0::2,dns=1.1.1.1,search=a.b,slaac=on,probe=full;eth1=dhcp;52:54:00:12:34:56=off")
	f.Fuzz(func(t *testing.T, v string) {
		cs, err := Parse(v)
		if err != nil {
			return
		}
		for _, c := range cs {
			if len(c.Gateways) > 2 || c.Probe > ip.Not {
				t.Errorf("%q: %+v", v, c)
			}
			for _, p := range c.Addresses {
				if !usable(p) {
					t.Errorf("%q: %v", v, p)
				}
			}
		}
	})
}
