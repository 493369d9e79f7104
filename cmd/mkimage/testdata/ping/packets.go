package main

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// packets has golang.org/x/net/ipv4 and golang.org/x/net/ipv6 do what servers ask of them, over the loopback network: groups, control messages, batches.
func packets() {
	lo, err := net.InterfaceByName("lo")
	check(err)
	group := &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 4000}
	m, err := net.ListenMulticastUDP("udp4", lo, group)
	check(err)
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	check(err)
	p := ipv4.NewPacketConn(c)
	check(p.SetMulticastInterface(lo))
	check(p.SetMulticastTTL(3))
	check(p.SetMulticastLoopback(true))
	check(p.SetTOS(0x28))
	q := ipv4.NewPacketConn(m)
	check(q.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst|ipv4.FlagInterface, true))
	check(m.SetDeadline(time.Now().Add(10 * time.Second)))
	_, err = p.WriteTo([]byte("to the group"), nil, group)
	check(err)
	b := make([]byte, 100)
	n, cm, from, err := q.ReadFrom(b)
	check(err)
	fmt.Println(string(b[:n]), cm.TTL, cm.Dst, cm.IfIndex == lo.Index, from.String() == c.LocalAddr().String())
	check(q.LeaveGroup(lo, group))
	check(q.JoinGroup(lo, group))

	// Batches: recvmmsg and sendmmsg.
	d, err := net.ListenPacket("udp4", "127.0.0.1:0")
	check(err)
	check(d.SetDeadline(time.Now().Add(10 * time.Second)))
	var out []ipv4.Message
	for i := range 5 {
		out = append(out, ipv4.Message{Buffers: [][]byte{[]byte("batch "), {byte('0' + i)}}, Addr: d.LocalAddr()})
	}
	sent, err := p.WriteBatch(out, 0)
	check(err)
	in := make([]ipv4.Message, 8)
	for i := range in {
		in[i].Buffers = [][]byte{make([]byte, 50)}
	}
	e := ipv4.NewPacketConn(d)
	got := 0
	for got < sent {
		k, err := e.ReadBatch(in[got:], 0)
		check(err)
		got += k
	}
	fmt.Println("batch", sent, got, string(in[4].Buffers[0][:in[4].N]), in[4].Addr)

	s, err := net.ListenPacket("udp6", "[::1]:0")
	check(err)
	r := ipv6.NewPacketConn(s)
	check(s.SetDeadline(time.Now().Add(10 * time.Second)))
	check(r.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst|ipv6.FlagInterface|ipv6.FlagTrafficClass, true))
	_, err = r.WriteTo([]byte("six"), &ipv6.ControlMessage{HopLimit: 9, TrafficClass: 0x20}, s.LocalAddr())
	check(err)
	n, c6, _, err := r.ReadFrom(b)
	check(err)
	fmt.Println(string(b[:n]), c6.HopLimit, c6.TrafficClass, c6.Dst, c6.IfIndex == lo.Index)
	check(r.JoinGroup(lo, &net.UDPAddr{IP: net.ParseIP("ff02::7")}))
	check(r.LeaveGroup(lo, &net.UDPAddr{IP: net.ParseIP("ff02::7")}))
	// Groups of one source: RFC 4607.
	one, two := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}
	ssm := &net.UDPAddr{IP: net.IPv4(232, 1, 2, 3)}
	check(q.JoinSourceSpecificGroup(lo, ssm, one))
	check(q.JoinSourceSpecificGroup(lo, ssm, two))
	check(q.LeaveSourceSpecificGroup(lo, ssm, one))
	check(q.LeaveSourceSpecificGroup(lo, ssm, two))
	fmt.Println("left", q.LeaveSourceSpecificGroup(lo, ssm, two) != nil)
	check(q.JoinGroup(lo, ssm))
	check(q.ExcludeSourceSpecificGroup(lo, ssm, one))
	check(q.IncludeSourceSpecificGroup(lo, ssm, one))
	check(q.LeaveGroup(lo, ssm))
	ssm6, one6 := &net.UDPAddr{IP: net.ParseIP("ff32::7")}, &net.UDPAddr{IP: net.IPv6loopback}
	check(r.JoinSourceSpecificGroup(lo, ssm6, one6))
	check(r.LeaveSourceSpecificGroup(lo, ssm6, one6))
	check(r.JoinGroup(lo, ssm6))
	check(r.ExcludeSourceSpecificGroup(lo, ssm6, one6))
	check(r.IncludeSourceSpecificGroup(lo, ssm6, one6))
	check(r.LeaveGroup(lo, ssm6))
	fmt.Println("all is well")
	os.Exit(0)
}
