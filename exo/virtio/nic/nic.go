// Package nic is the driver of virtio's network card: VIRTIO 1.2, 5.1. It is mechanism only: it opens the card, says what was agreed on, gives the two queues to who moves
// frames, and reads and writes the header that goes with each frame. libos/net/card makes a network device of it.
//
// Of the features it takes checksums and segmentation offload both ways, mergeable receive buffers (without which it takes no joined segments), MAC, MTU, STATUS and the
// ring's EVENT_IDX. Not here yet: more than one pair of queues, the control queue (the card hears all groups, as cards without one do), USO.
package nic

import (
	"encoding/binary"

	"github.com/hardtack-os/hardtack/exo/virtio"
)

// DeviceID is the network card's (VIRTIO 1.2, chapter 5).
const DeviceID = 1

// Feature bits: 5.1.3.
const (
	Checksum      = 1 << 0  // CSUM: it computes checksums of what we send
	GuestChecksum = 1 << 1  // GUEST_CSUM: it may deliver frames whose checksum was not computed, or was verified
	mtuGiven      = 1 << 3  // MTU
	macGiven      = 1 << 5  // MAC
	GuestTSO4     = 1 << 7  // it may deliver joined segments
	GuestTSO6     = 1 << 8  //
	HostTSO4      = 1 << 11 // it cuts segments
	HostTSO6      = 1 << 12 //
	Mergeable     = 1 << 15 // MRG_RXBUF: a frame may lie in several buffers
	status        = 1 << 16 // STATUS
)

// Registers of the card's configuration: 5.1.4.
const (
	cfgMAC    = 0
	cfgStatus = 6
	cfgMTU    = 10

	linkUp = 1 // VIRTIO_NET_S_LINK_UP
)

const (
	holder = "virtio-net"

	receiveQueue  = 0 // 5.1.2
	transmitQueue = 1
)

// A NIC is an open card. Each queue is for one goroutine at a time.
type NIC struct {
	Receive  *virtio.Queue
	Transmit *virtio.Queue

	d *virtio.Device
}

// Places are the machine's cards. They discover the machine if nobody has yet.
func Places() []virtio.Place { return virtio.Find(DeviceID) }

// Open takes a card, its queues with at most size descriptors each. It does not run before Start. It parks while the card resets.
func Open(p virtio.Place, size int) (*NIC, error) {
	const want = Checksum | GuestChecksum | mtuGiven | macGiven | GuestTSO4 | GuestTSO6 | HostTSO4 | HostTSO6 | Mergeable | status
	d, err := virtio.OpenWith(holder, p, virtio.EventIndex, func(offered uint64) uint64 {
		f := offered & want
		if f&Checksum == 0 {
			f &^= HostTSO4 | HostTSO6 // 5.1.3.1: these need that
		}
		if f&GuestChecksum == 0 || f&Mergeable == 0 {
			f &^= GuestTSO4 | GuestTSO6 // a buffer of 64 KiB for each frame would be dear
		}
		return f
	})
	if err != nil {
		return nil, err
	}
	n := &NIC{d: d}
	if n.Receive, err = d.Queue(holder, receiveQueue, size); err == nil {
		n.Transmit, err = d.Queue(holder, transmitQueue, size)
	}
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// Start lets the card run.
func (n *NIC) Start() { n.d.Start() }

// Name tells where the card is.
func (n *NIC) Name() string { return n.d.Name() }

// Features are the bits that both sides agreed on.
func (n *NIC) Features() uint64 { return n.d.Features() }

// MAC is the card's address; ok is false if it has none of its own.
func (n *NIC) MAC() (mac [6]byte, ok bool) {
	if n.d.Features()&macGiven == 0 {
		return mac, false
	}
	for i := range mac {
		mac[i] = n.d.Config8(cfgMAC + uintptr(i))
	}
	return mac, mac[0]&1 == 0 && mac != [6]byte{}
}

// MTU is what the host says the network takes, 0 if it says nothing.
func (n *NIC) MTU() int {
	if n.d.Features()&mtuGiven == 0 {
		return 0
	}
	return int(n.config16(cfgMTU))
}

// Up tells whether there is a carrier.
func (n *NIC) Up() bool {
	return n.d.Features()&status == 0 || n.config16(cfgStatus)&linkUp != 0
}

func (n *NIC) config16(off uintptr) uint16 {
	return uint16(n.d.Config8(off)) | uint16(n.d.Config8(off+1))<<8
}

// Wait parks until the card has raised an interrupt since the last Wait, for either queue or a change of the link, or the deadline passes (0: none). It may return for nothing.
func (n *NIC) Wait(deadline int64) error {
	if _, err := n.d.Wait(deadline); err != nil {
		return err
	}
	if n.d.NeedsReset() {
		return &virtio.DeviceError{Device: n.d.Name(), Why: "it asks for a reset"}
	}
	return nil
}

// Wake makes a Wait return, now or the next one.
func (n *NIC) Wake() { n.d.Wake() }

// Close gives the card back. It says false if it did not stop: the buffers that it has must stay out of use then, for ever.
func (n *NIC) Close() (stopped bool) { return n.d.Close() }

// HeaderSize is the length of a Header in memory.
const HeaderSize = 12

// Flags and kinds of a Header: 5.1.6.
const (
	NeedsChecksum = 1 // NEEDS_CSUM
	DataValid     = 2 // DATA_VALID

	GSONone = 0
	GSOTCP4 = 1
	GSOTCP6 = 4
	GSOECN  = 0x80
)

// A Header is virtio_net_hdr (5.1.6), which goes before each frame.
type Header struct {
	Flags          uint8
	GSO            uint8
	HeaderLen      uint16 // of the frame's headers, with a GSO
	SegmentSize    uint16
	ChecksumStart  uint16
	ChecksumOffset uint16
	Buffers        uint16 // received, with Mergeable: how many the frame lies in
}

var le = binary.LittleEndian

// Put writes the header to b.
func (h *Header) Put(b []byte) {
	b = b[:HeaderSize]
	b[0], b[1] = h.Flags, h.GSO
	le.PutUint16(b[2:], h.HeaderLen)
	le.PutUint16(b[4:], h.SegmentSize)
	le.PutUint16(b[6:], h.ChecksumStart)
	le.PutUint16(b[8:], h.ChecksumOffset)
	le.PutUint16(b[10:], h.Buffers)
}

// Get reads it from b.
func (h *Header) Get(b []byte) {
	b = b[:HeaderSize]
	*h = Header{b[0], b[1], le.Uint16(b[2:]), le.Uint16(b[4:]), le.Uint16(b[6:]), le.Uint16(b[8:]), le.Uint16(b[10:])}
}
