// Package nic is the driver of virtio's network card: VIRTIO 1.2, 5.1. It is mechanism only: it opens the card, says what was agreed on, gives the queues to who moves
// frames, carries commands, and reads and writes the header that goes with each frame. libos/net/card makes a network device of it.
//
// Of the features it takes checksums and segmentation offload of TCP and UDP (USO) both ways, mergeable receive buffers (without which it takes no joined segments), MAC,
// MTU, STATUS, the control queue with filters of received frames and announcements, several pairs of queues, and the ring's EVENT_IDX and INDIRECT_DESC. With several pairs the
// card sends what it receives of a flow to the pair that the flow was last sent by (5.1.6.5.6, automatic receive steering). Not taken: UFO, which is no part of
// what others cut today, RSS, whose key would have to be told, and VLAN filters.
package nic

import (
	"encoding/binary"
	"errors"

	"github.com/hardtack-os/hardtack/exo"
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
	Commands      = 1 << 17 // CTRL_VQ
	Filters       = 1 << 18 // CTRL_RX: it can be told what to receive
	announce      = 1 << 21 // GUEST_ANNOUNCE
	multiqueue    = 1 << 22 // MQ
	GuestUSO4     = 1 << 54 // it may deliver joined datagrams
	GuestUSO6     = 1 << 55 //
	HostUSO       = 1 << 56 // it cuts datagrams
)

// Registers of the card's configuration: 5.1.4.
const (
	cfgMAC    = 0
	cfgStatus = 6
	cfgPairs  = 8
	cfgMTU    = 10

	linkUp       = 1 // VIRTIO_NET_S_LINK_UP
	wantAnnounce = 2 // VIRTIO_NET_S_ANNOUNCE
)

const holder = "virtio-net"

// Tables for frames in many pieces: as many as half of a ring of 256 takes, of the pieces that a segment of 64 KiB from pages has.
const (
	tableCount = 128
	tableSize  = 18
)

// A NIC is an open card.
type NIC struct {
	d     *virtio.Device
	pairs []Pair
	ctl   *control // nil: it takes no commands
}

// A Pair is a receive and a transmit queue (5.1.2). Each queue is for one goroutine at a time.
type Pair struct {
	Receive  *virtio.Queue
	Transmit *virtio.Queue

	in *virtio.Interrupt // nil: the card's, with all else
}

// Places are the machine's cards. They discover the machine if nobody has yet.
func Places() []virtio.Place { return virtio.Find(DeviceID) }

// Open takes a card with at most so many pairs of queues, of at most size descriptors each. It does not run before Start. It parks while the card resets.
func Open(p virtio.Place, size, pairs int) (*NIC, error) {
	want := uint64(Checksum | GuestChecksum | mtuGiven | macGiven | GuestTSO4 | GuestTSO6 | HostTSO4 | HostTSO6 | Mergeable | status | Commands | Filters | announce |
		GuestUSO4 | GuestUSO6 | HostUSO)
	if pairs > 1 {
		want |= multiqueue
	}
	d, err := virtio.OpenWith(holder, p, virtio.EventIndex|virtio.Indirect, func(offered uint64) uint64 {
		f := offered & want
		if f&Checksum == 0 {
			f &^= HostTSO4 | HostTSO6 | HostUSO // 5.1.3.1: these need that
		}
		if f&GuestChecksum == 0 || f&Mergeable == 0 {
			f &^= GuestTSO4 | GuestTSO6 | GuestUSO4 | GuestUSO6 // a buffer of 64 KiB for each frame would be dear
		}
		if f&Commands == 0 {
			f &^= Filters | announce | multiqueue
		}
		if f&status == 0 {
			f &^= announce // it is told there
		}
		return f
	})
	if err != nil {
		return nil, err
	}
	n := &NIC{d: d}
	if err := n.queues(size, pairs); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// queues sets them up: the pairs in order, the control queue behind all that the card has (5.1.2).
func (n *NIC) queues(size, pairs int) (err error) {
	most := 1
	if n.d.Features()&multiqueue != 0 {
		most = int(n.config16(cfgPairs))
		if most < 1 || most > 0x8000 { // 5.1.4.1
			return &virtio.DeviceError{Device: n.d.Name(), Why: "it says that it has an impossible number of queues"}
		}
	}
	pairs = max(1, min(pairs, most))
	own := n.d.Messages() > 0
	if own {
		pairs = min(pairs, n.d.Messages())
	}
	for i := range pairs {
		var p Pair
		if own {
			if p.in, err = n.d.Interrupt(holder, i%exo.CPUs()); err != nil {
				return err
			}
		}
		if p.Receive, err = n.d.QueueTo(holder, 2*i, size, p.in); err != nil {
			return err
		}
		if p.Transmit, err = n.d.QueueTo(holder, 2*i+1, size, p.in); err != nil {
			return err
		}
		if err = p.Transmit.Tables(holder, tableCount, tableSize); err != nil {
			return err
		}
		n.pairs = append(n.pairs, p)
	}
	if n.d.Features()&Commands != 0 {
		n.ctl, err = openControl(n.d, 2*most)
	}
	return err
}

// ErrSilent is what Start gives where the card does not say whether it will use its pairs.
var ErrSilent = errors.New("nic: the card does not answer a command")

// Start lets the card run. Afterwards Pairs are those that it uses. With ErrSilent nobody knows which they are, for it may still do what it was told: it is to be closed, and opened
// with one pair.
func (n *NIC) Start() error {
	n.d.Start()
	if len(n.pairs) == 1 {
		return nil
	}
	answered, ok := n.usePairs(len(n.pairs))
	if !answered {
		return ErrSilent
	}
	if !ok {
		n.pairs = n.pairs[:1] // what it does without being asked
	}
	return nil
}

// Pairs are the card's pairs of queues.
func (n *NIC) Pairs() []Pair { return n.pairs }

// Own says whether pair i has an interrupt of its own; if not, Wait and WaitPair are about the same one.
func (n *NIC) Own(i int) bool { return n.pairs[i].in != nil }

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

// Status tells whether there is a carrier, and whether the card wants our addresses announced, which it wants until it is told that they were.
func (n *NIC) Status() (up, announced bool) {
	if n.d.Features()&status == 0 {
		return true, false
	}
	s := n.config16(cfgStatus)
	return s&linkUp != 0, s&wantAnnounce != 0 && n.d.Features()&announce != 0
}

func (n *NIC) config16(off uintptr) uint16 {
	return uint16(n.d.Config8(off)) | uint16(n.d.Config8(off+1))<<8
}

// Wait parks until the card has raised an interrupt since the last Wait, or the deadline passes (0: none): for a change, a command that has ended, and for queues of pairs that have
// no interrupt of their own. It may return for nothing.
func (n *NIC) Wait(deadline int64) error {
	_, err := n.d.Wait(deadline)
	return err
}

// WaitPair is Wait for what pair i's queues raise.
func (n *NIC) WaitPair(i int, deadline int64) error {
	in := n.pairs[i].in
	if in == nil {
		return n.Wait(deadline)
	}
	_, err := in.Wait(deadline)
	return err
}

// Changed says whether Status may have changed since it was asked last, and whether the card can go on.
func (n *NIC) Changed() (changed bool, err error) {
	if !n.d.Changed() {
		return false, nil
	}
	if n.d.NeedsReset() {
		return true, &virtio.DeviceError{Device: n.d.Name(), Why: "it asks for a reset"}
	}
	return true, nil
}

// Wake makes a Wait return, now or the next one; WakePair a WaitPair.
func (n *NIC) Wake() { n.d.Wake() }

// WakePair is Wake for pair i.
func (n *NIC) WakePair(i int) {
	if in := n.pairs[i].in; in != nil {
		in.Wake()
		return
	}
	n.Wake()
}

// Close gives the card back. It says false if it did not stop: the buffers that it has must stay out of use then, for ever.
func (n *NIC) Close() (stopped bool) {
	stopped = n.d.Close()
	if stopped && n.ctl != nil {
		n.ctl.mem.Release()
	}
	return stopped
}

// HeaderSize is the length of a Header in memory.
const HeaderSize = 12

// Flags and kinds of a Header: 5.1.6.
const (
	NeedsChecksum = 1 // NEEDS_CSUM
	DataValid     = 2 // DATA_VALID

	GSONone = 0
	GSOTCP4 = 1
	GSOTCP6 = 4
	GSOUDP  = 5 // UDP_L4: datagrams
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
