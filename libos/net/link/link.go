// Package link is what the network stack and a network device are to each other: frames, and the calls that move them.
//
// Drivers' adapters, the in-memory wire of tests and hosted TAP devices implement [Device]; the stack uses it. Nothing here copies.
package link

import "github.com/hardtack-os/hardtack/libos/net/buf"

// MAC is an Ethernet address (IEEE 802.3, 3.2.3).
type MAC [6]byte

// String writes it as 52:54:00:12:34:56.
func (m MAC) String() string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 17)
	for i, x := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[x>>4], digits[x&15])
	}
	return string(b)
}

// Broadcast is the address of all stations.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Multicast reports whether m is a group's address, the broadcast address among them.
func (m MAC) Multicast() bool { return m[0]&1 != 0 }

// Offloads are things that a device does for the stack.
type Offloads uint32

// The names are VIRTIO 1.2's, 5.1.3, seen from the stack.
const (
	TxChecksum Offloads = 1 << iota // it fills in the checksum that Frame.ChecksumStart names
	RxChecksum                      // it may deliver frames with Verified set
	TxTSO4                          // it cuts TCP over IPv4 into segments
	TxTSO6                          // and over IPv6
	TxUSO                           // it cuts UDP into datagrams of SegmentSize
	RxTSO4                          // it may deliver segments that were joined
	RxTSO6
	RxUSO
)

// Info is what a device is.
type Info struct {
	Name     string // for messages and package net's Interface.Name: "eth0"
	MAC      MAC
	MTU      int // bytes of a network layer packet, at most
	Offloads Offloads
	Queues   int // pairs of a receive and a transmit queue
	MaxBody  int // Refs that Frame.Body may have when it is sent
	MaxSend  int // bytes of a frame that TSO or USO cut, at most; MTU+14 without these
}

// GSO says what a frame that is larger than the MTU is made of: what the device has joined, or shall cut (generic segmentation offload).
type GSO uint8

// Kinds of such frames.
const (
	NoGSO GSO = iota
	GSOTCP4
	GSOTCP6
	GSOUDP
)

// Room is how many bytes of its block lie before Frame.Head, for the device's own header.
const Room = 16

// HeadSize is how many bytes of headers a received frame has in one piece, if it is so long: Ethernet with a tag, IPv6 with an extension, TCP with options.
const HeadSize = 192

// A Frame is an Ethernet frame without its check sequence, on its way in or out.
type Frame struct {
	Head buf.Ref   // sent: the headers. Received: the first piece, which has all of the frame or at least HeadSize bytes
	Body []buf.Ref // what follows, in order

	Kind        GSO
	SegmentSize uint16 // bytes of transport payload of each piece, the last one may have fewer; with Kind

	// Sent: ChecksumStart > 0 asks the device to sum from there to the frame's end and to store the complement at ChecksumStart +
	// ChecksumOffset, where the sum of the pseudo header is now (VIRTIO 1.2, 5.1.6.2).
	ChecksumStart, ChecksumOffset uint16

	Verified bool // received: the transport checksum was verified, or the frame never was on a wire
}

// Len is the number of bytes.
func (f *Frame) Len() int {
	n := f.Head.Len()
	for i := range f.Body {
		n += f.Body[i].Len()
	}
	return n
}

// Release gives up what the frame refers to and empties it; Body keeps its array.
func (f *Frame) Release() {
	f.Head.Release()
	for i := range f.Body {
		f.Body[i].Release()
	}
	*f = Frame{Body: f.Body[:0]}
}

// A Device is a network card.
//
// Receive and Wait of one queue are for one goroutine at a time. Send and Flush may be called by any goroutine; the device has its own lock
// for each queue, which is held for the time of a call only. Nothing but Wait parks, and only growing pools allocate.
type Device interface {
	Info() Info

	// Send puts a frame into transmit queue q. It takes the frame's references over and leaves *f empty for the next one. false: there is no room; f is
	// untouched, and Wait of q returns once there is room again. The frame may not move before Flush.
	Send(q int, f *Frame) bool

	// Flush has the device look at what was sent on q (rings the doorbell): once for a batch.
	Flush(q int)

	// Receive fills *f, which is empty, with the next frame that has arrived on q; false: none.
	Receive(q int, f *Frame) bool

	// Wait parks until there may be frames to receive on q, or room after a Send that found none, or the link's state has changed, or Close. It may
	// return for nothing. An error says why the device works no more.
	Wait(q int) error

	// Up tells whether there is a carrier.
	Up() bool

	// Close stops the device and releases all it holds. Receivers in Wait get an error.
	Close() error
}

// Some devices can do more. Who uses them asks by a type assertion.

// A Listening device hears only what it is told to, beside frames to its own address and to everybody. Until Hear is called it hears everything.
type Listening interface {
	// Hear says which groups' frames to receive, all of them: it replaces what was said before. It neither parks nor calls back; the device follows soon. A device that
	// has no room for so many hears more than that.
	Hear(groups []MAC)
}

// Changes are what can happen to a link.
type Changes uint8

// The changes.
const (
	LinkUp   Changes = 1 << iota // there is a carrier again
	LinkDown                     // there is none any more
	Announce                     // the network has to learn anew where our addresses are: the machine has moved (VIRTIO 1.2, 5.1.6.5.4)
)

// A Changing device tells when its link changes. Wait of queue 0 returns then.
type Changing interface {
	// Changes gives what has happened since it was called last. It costs next to nothing where that is nothing.
	Changes() Changes

	// Announced says that addresses were announced (gratuitous ARP), after Announce.
	Announced()
}

// A Counting device counts what it drops.
type Counting interface {
	// Dropped calls f for each reason for which it drops frames, with how many it has dropped.
	Dropped(f func(why string, n uint64))
}
