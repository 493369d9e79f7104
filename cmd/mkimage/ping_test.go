package main

import (
	"os"
	"strings"
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

// TestPackets has golang.org/x/net/ipv4 and golang.org/x/net/ipv6 say the same in an image as on the host: groups, control messages and batches.
func TestPackets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/ping")); err != nil {
		t.Fatal(err)
	}
	var c call
	c.mkimage(t, "run", "--net", "none", "--missing-calls", dir, "--", "packets")
	c.want(t, 0, "to the group 3 239.1.2.3 true true\n", "batch 5 5 batch 4 127.0.0.1:", "six 9 32 ::1 true\n", "all is well")
	if strings.Contains(c.stdout+c.stderr, "missing") {
		t.Errorf("calls that are not there:\n%s%s", c.stdout, c.stderr)
	}
}
