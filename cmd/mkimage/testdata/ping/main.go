// Command ping sends echo requests to the addresses that it is given, each way that Go programs have for it, and to itself; or,
// given the word packets, has golang.org/x/net do what servers ask of it.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "packets" {
		packets()
	}
	for _, a := range append([]string{"127.0.0.1", "::1"}, os.Args[1:]...) {
		ip, err := net.ResolveIPAddr("ip", a)
		check(err)
		if ip.IP.To4() != nil {
			library("udp4", "0.0.0.0", &net.UDPAddr{IP: ip.IP})
			library("ip4:icmp", "0.0.0.0", ip)
			plain(ip)
			header(ip)
		} else {
			waitFor6(ip.IP)
			library("udp6", "::", &net.UDPAddr{IP: ip.IP, Zone: ip.Zone})
			library("ip6:ipv6-icmp", "::", ip)
		}
	}
	fmt.Println("all is well")
}

// waitFor6 waits until a router has given this host an address that is good for more than the link: Linux, too, takes some seconds for it.
func waitFor6(to net.IP) {
	for start := time.Now(); !to.IsLoopback() && time.Since(start) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
		all, err := net.InterfaceAddrs()
		check(err)
		for _, a := range all {
			if ip := a.(*net.IPNet).IP; ip.To4() == nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
				return
			}
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

var seq int

// request makes an echo request and what its answer is.
func request(six bool, size int) (p []byte, body *icmp.Echo) {
	seq++
	body = &icmp.Echo{ID: 0x1234, Seq: seq, Data: bytes.Repeat([]byte{byte(seq)}, size)}
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: body}
	if six {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	p, err := m.Marshal(nil)
	check(err)
	return p, body
}

// answered tells whether p is the answer; anyID: the kernel has chosen the identifier.
func answered(p []byte, six, anyID bool, want *icmp.Echo) bool {
	protocol := 1
	if six {
		protocol = 58
	}
	m, err := icmp.ParseMessage(protocol, p)
	check(err)
	got, ok := m.Body.(*icmp.Echo)
	return ok && (m.Type == ipv4.ICMPTypeEchoReply || m.Type == ipv6.ICMPTypeEchoReply) && (anyID || got.ID == want.ID) && got.Seq == want.Seq && bytes.Equal(got.Data, want.Data)
}

// library is golang.org/x/net/icmp: a ping socket or a raw one.
func library(network, local string, to net.Addr) {
	c, err := icmp.ListenPacket(network, local)
	check(err)
	defer c.Close()
	check(c.SetDeadline(time.Now().Add(10 * time.Second)))
	six := c.IPv6PacketConn() != nil
	for _, size := range []int{0, 56, 1000} {
		p, want := request(six, size)
		_, err = c.WriteTo(p, to)
		check(err)
		for b := make([]byte, 2000); ; {
			n, _, err := c.ReadFrom(b)
			check(err)
			if answered(b[:n], six, network[0] == 'u', want) {
				break
			}
		}
	}
	fmt.Println(network, to, "answers")
}

// plain is package net's own.
func plain(to *net.IPAddr) {
	c, err := net.ListenPacket("ip4:icmp", "0.0.0.0")
	check(err)
	defer c.Close()
	check(c.SetDeadline(time.Now().Add(10 * time.Second)))
	p, want := request(false, 40)
	_, err = c.WriteTo(p, to)
	check(err)
	for b := make([]byte, 2000); ; {
		n, from, err := c.ReadFrom(b)
		check(err)
		if from.String() == to.String() && answered(b[:n], false, false, want) {
			break
		}
	}
	fmt.Println("package net", to, "answers")
}

// header makes the IPv4 header itself.
func header(to *net.IPAddr) {
	c, err := net.ListenPacket("ip4:icmp", "0.0.0.0")
	check(err)
	defer c.Close()
	r, err := ipv4.NewRawConn(c)
	check(err)
	check(r.SetDeadline(time.Now().Add(10 * time.Second)))
	var f ipv4.ICMPFilter
	f.SetAll(true)
	f.Accept(ipv4.ICMPTypeEchoReply)
	check(r.SetICMPFilter(&f))
	p, want := request(false, 40)
	check(r.WriteTo(&ipv4.Header{Version: 4, Len: 20, TotalLen: 20 + len(p), TTL: 20, Protocol: 1, Dst: to.IP}, p, nil))
	for b := make([]byte, 2000); ; {
		h, payload, _, err := r.ReadFrom(b)
		check(err)
		if !h.Src.Equal(to.IP) || h.TotalLen != 20+len(payload) {
			fmt.Println("header:", h)
			os.Exit(1)
		}
		if answered(payload, false, false, want) {
			break
		}
	}
	fmt.Println("header", to, "answers")
}
