package socket

import (
	"fmt"
	"testing"
)

func TestParseNetwork(t *testing.T) {
	for v, want := range map[string]string{
		"":             "false true invalid Prefix invalid IP [] []",
		"dhcp":         "false true invalid Prefix invalid IP [] []",
		"off":          "true false invalid Prefix invalid IP [] []",
		"10.0.2.15/24": "false false 10.0.2.15/24 invalid IP [] []",
		"10.0.2.15/24,gw=10.0.2.2,dns=1.1.1.1,dns=9.9.9.9,search=a.b": "false false 10.0.2.15/24 10.0.2.2 [1.1.1.1 9.9.9.9] [a.b]",
	} {
		n, err := parseNetwork(v)
		if got := fmt.Sprint(n.off, n.dhcp, " ", n.prefix, n.gateway, n.servers, n.search); got != want || err != nil {
			t.Errorf("%q: %s, %v", v, got, err)
		}
	}
	for _, v := range []string{"x", "10.0.2.15", "10.0.2.15/33", "::1/64", "0.0.0.0/0", "10.0.2.15/24,gw=10.0.3.2", "10.0.2.15/24,gw=x", "10.0.2.15/24,dns=::1", "10.0.2.15/24,zz=1"} {
		if n, err := parseNetwork(v); err == nil {
			t.Errorf("%q: %+v", v, n)
		}
	}
}
