package wire

import (
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/net/link"
)

// ARPSize is the length of a packet for IPv4 over Ethernet.
const ARPSize = 28

// Operations of ARP (RFC 826).
const (
	ARPRequest = 1
	ARPReply   = 2
)

// ARP is an ARP packet for IPv4 over Ethernet (RFC 826).
type ARP []byte

// Check tells whether the packet is one.
func (p ARP) Check() bool {
	return len(p) >= ARPSize && be.Uint16(p[0:]) == 1 && be.Uint16(p[2:]) == TypeIPv4 && p[4] == 6 && p[5] == 4
}

func (p ARP) Op() uint16          { return be.Uint16(p[6:]) }
func (p ARP) SenderMAC() link.MAC { return link.MAC(p[8:14]) }
func (p ARP) Sender() netip.Addr  { return netip.AddrFrom4([4]byte(p[14:18])) }
func (p ARP) TargetMAC() link.MAC { return link.MAC(p[18:24]) }
func (p ARP) Target() netip.Addr  { return netip.AddrFrom4([4]byte(p[24:28])) }

// Set writes the packet. sender may be the zero address of a probe (RFC 5227, 1.1).
func (p ARP) Set(op uint16, senderMAC link.MAC, sender netip.Addr, targetMAC link.MAC, target netip.Addr) {
	be.PutUint16(p[0:], 1)
	be.PutUint16(p[2:], TypeIPv4)
	p[4], p[5] = 6, 4
	be.PutUint16(p[6:], op)
	copy(p[8:], senderMAC[:])
	s, t := sender.As4(), target.As4()
	copy(p[14:], s[:])
	copy(p[18:], targetMAC[:])
	copy(p[24:], t[:])
}
