package wire

import (
	"encoding/binary"

	"github.com/hardtack-os/hardtack/libos/net/link"
)

var be = binary.BigEndian

// EtherTypes (IEEE 802 numbers, IANA).
const (
	TypeIPv4 = 0x0800
	TypeARP  = 0x0806
	TypeIPv6 = 0x86dd
)

// EthernetSize is the length of an Ethernet header without a tag.
const EthernetSize = 14

// Ethernet is an Ethernet header (IEEE 802.3, 3.2).
type Ethernet []byte

func (h Ethernet) Dst() link.MAC { return link.MAC(h[0:6]) }
func (h Ethernet) Src() link.MAC { return link.MAC(h[6:12]) }
func (h Ethernet) Type() uint16  { return be.Uint16(h[12:]) }

// Set writes the header.
func (h Ethernet) Set(dst, src link.MAC, typ uint16) {
	copy(h[0:6], dst[:])
	copy(h[6:12], src[:])
	be.PutUint16(h[12:], typ)
}
