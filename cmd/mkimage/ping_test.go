package main

import (
	"os"
	"testing"
)

// TestPing has golang.org/x/net/icmp, golang.org/x/net/ipv4 and package net ping the gateway of QEMU's user network, which answers itself, by a card on each machine.
func TestPing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // outside of our workspace
	if err := os.CopyFS(dir, os.DirFS("testdata/ping")); err != nil {
		t.Fatal(err)
	}
	for _, machine := range []string{"microvm", "q35", "pc"} {
		var c call
		c.mkimage(t, "run", "--machine", machine, dir, "--", "10.0.2.2", "fec0::2")
		c.want(t, 0, "all is well", "udp4 10.0.2.2:0 answers", "ip4:icmp 10.0.2.2 answers", "package net 10.0.2.2 answers", "header 10.0.2.2 answers", "udp6 [fec0::2]:0 answers", "ip6:ipv6-icmp fec0::2 answers")
	}
}
