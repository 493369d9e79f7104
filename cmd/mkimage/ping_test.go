package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
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
		capture := filepath.Join(dir, machine+".pcap")
		c.mkimage(t, "run", "--machine", machine, "--pcap", capture, dir, "--", "10.0.2.2", "fec0::2")
		c.want(t, 0, "all is well", "udp4 10.0.2.2:0 answers", "ip4:icmp 10.0.2.2 answers", "package net 10.0.2.2 answers", "header 10.0.2.2 answers", "udp6 [fec0::2]:0 answers", "ip6:ipv6-icmp fec0::2 answers")
		pings := map[string]int{}
		for _, f := range captured(t, capture) {
			const ipv4, icmp = 0x0800, 1
			if len(f) > 34 && binary.BigEndian.Uint16(f[12:]) == ipv4 && f[23] == icmp {
				src, dst := netip.AddrFrom4([4]byte(f[26:30])), netip.AddrFrom4([4]byte(f[30:34]))
				pings[fmt.Sprint(src, " to ", dst, ", type ", f[14+int(f[14]&15)*4])]++
			}
		}
		if out, in := pings["10.0.2.15 to 10.0.2.2, type 8"], pings["10.0.2.2 to 10.0.2.15, type 0"]; out < 3 || in != out {
			t.Errorf("%s: the capture has the pings %v", machine, pings)
		}
	}
}

// captured gives the frames of a capture as Wireshark reads it: libpcap's format of Ethernet (pcap-savefile(5)).
func captured(t *testing.T, file string) (frames [][]byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const header, record, ethernet = 24, 16, 1
	if len(b) < header || binary.NativeEndian.Uint32(b) != 0xa1b2c3d4 || binary.NativeEndian.Uint32(b[20:]) != ethernet {
		t.Fatalf("%s is no capture of Ethernet: %x", file, b[:min(len(b), header)])
	}
	for b = b[header:]; len(b) >= record; {
		n := int(binary.NativeEndian.Uint32(b[8:]))
		if b = b[record:]; n > len(b) {
			break // QEMU ended in the middle of it
		}
		frames, b = append(frames, b[:n]), b[n:]
	}
	return frames
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
