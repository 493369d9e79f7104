package tcp

import (
	"encoding/binary"
	"errors"

	"github.com/hardtack-os/hardtack/libos/net/buf"
)

// Flags are the control bits of a segment (RFC 9293, 3.1).
type Flags uint8

// The control bits, with those of RFC 3168.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has tells whether all bits of g are set.
func (f Flags) Has(g Flags) bool { return f&g == g }

// String names the bits that are set, as "SYN|ACK".
func (f Flags) String() string {
	s := ""
	for i, name := range [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if f&(1<<i) != 0 {
			if s != "" {
				s += "|"
			}
			s += name
		}
	}
	return s
}

// A Block is a range of sequence numbers [Left, Right) of the SACK option (RFC 2018).
type Block struct{ Left, Right Seq }

// MaxSACK is how many blocks a header has room for.
const MaxSACK = 4

// Options are those that this implementation knows. Others are skipped.
type Options struct {
	MSS           uint16 // 0: not there (RFC 9293, 3.7.1)
	Scale         uint8  // with HasScale (RFC 7323, 2)
	HasScale      bool
	SACKPermitted bool
	HasTimestamps bool // RFC 7323, 3
	TSVal, TSEcr  uint32
	Blocks        uint8 // how many of SACK are there
	SACK          [MaxSACK]Block
}

// A Segment is one TCP segment, or several of a stream that a device has joined or will cut.
type Segment struct {
	SrcPort, DstPort uint16
	Seq, Ack         Seq // Ack with the flag only
	Flags            Flags
	Window           uint16 // as in the header, unscaled
	Urgent           uint16 // with URG: how far behind Seq the first byte is that is not urgent
	Options          Options

	Payload []buf.Ref
	Size    int // bytes of Payload
	Share   int // received: bytes of the payload's memory that one connection may hold on to; 0: any, negative: none

	CE  bool // received: the IP header says that congestion was experienced
	ECT bool // to be sent in a packet that says that its ends know ECN

	// SegmentSize is how much payload each piece has or shall have, where the segment is of several; 0: it is one.
	SegmentSize int
}

// Len is how much of the sequence space the segment takes: SEG.LEN of RFC 9293.
func (s *Segment) Len() int {
	n := s.Size
	if s.Flags&SYN != 0 {
		n++
	}
	if s.Flags&FIN != 0 {
		n++
	}
	return n
}

// End is the sequence number behind the segment's last one.
func (s *Segment) End() Seq { return s.Seq.Add(s.Len()) }

// release gives the payload up.
func (s *Segment) release() {
	for i := range s.Payload {
		s.Payload[i].Release()
	}
	s.Payload = s.Payload[:0]
	s.Size = 0
}

// own copies the payload to memory of the heap and lets go of where it lay. It allocates.
func (s *Segment) own() {
	p := make([]byte, 0, s.Size)
	for i := range s.Payload {
		p = append(p, s.Payload[i].Bytes()...)
	}
	s.release()
	s.Payload, s.Size = append(s.Payload[:0], buf.Lend(p, nil)), len(p)
}

// trimFront drops the first n bytes of the payload.
func (s *Segment) trimFront(n int) {
	s.Seq = s.Seq.Add(n)
	s.Size -= n
	drop := 0
	for n > 0 {
		r := &s.Payload[drop]
		if m := r.Len(); m > n {
			r.TrimFront(n)
			break
		} else {
			n -= m
		}
		r.Release()
		drop++
	}
	s.Payload = append(s.Payload[:0], s.Payload[drop:]...)
}

// truncate keeps the first n bytes of the payload.
func (s *Segment) truncate(n int) {
	s.Size = n
	for i := range s.Payload {
		r := &s.Payload[i]
		if m := r.Len(); n >= m {
			n -= m
			continue
		}
		if n > 0 {
			r.Truncate(n)
			n = 0
			continue
		}
		for j := i; j < len(s.Payload); j++ {
			s.Payload[j].Release()
		}
		s.Payload = s.Payload[:i]
		return
	}
}

// Offsets in the header (RFC 9293, 3.1).
const (
	offSrcPort  = 0
	offDstPort  = 2
	offSeq      = 4
	offAck      = 8
	offData     = 12 // length of the header in 32-bit words, in the upper four bits
	offFlags    = 13
	offWindow   = 14
	offChecksum = 16
	offUrgent   = 18
	offOptions  = 20
)

// HeaderSize is the least that a header has, MaxHeader the most.
const (
	HeaderSize = offOptions
	MaxHeader  = 60
)

// ChecksumOffset is where the header has its checksum.
const ChecksumOffset = offChecksum

// Kinds of options (IANA, TCP Option Kind Numbers).
const (
	optEnd           = 0
	optNop           = 1
	optMSS           = 2
	optScale         = 3
	optSACKPermitted = 4
	optSACK          = 5
	optTimestamps    = 8
)

// maxScale is the largest shift of a window (RFC 7323, 2.3).
const maxScale = 14

// Errors of Parse.
var (
	errShort   = errors.New("tcp: a segment is shorter than its header")
	errOffset  = errors.New("tcp: a header's length is below 20 bytes")
	errOptions = errors.New("tcp: an option reaches beyond its header")
)

var be = binary.BigEndian

// Parse reads the header at the beginning of b into s and returns its length. It leaves alone what the header does not tell: payload, size,
// CE. It does not look at the checksum and does not allocate.
func Parse(b []byte, s *Segment) (n int, err error) {
	if len(b) < HeaderSize {
		return 0, errShort
	}
	n = int(b[offData]>>4) * 4
	switch {
	case n < HeaderSize:
		return 0, errOffset
	case n > len(b):
		return 0, errShort
	}
	s.SrcPort, s.DstPort = be.Uint16(b[offSrcPort:]), be.Uint16(b[offDstPort:])
	s.Seq, s.Ack = Seq(be.Uint32(b[offSeq:])), Seq(be.Uint32(b[offAck:]))
	s.Flags = Flags(b[offFlags])
	s.Window = be.Uint16(b[offWindow:])
	s.Urgent = be.Uint16(b[offUrgent:])
	return n, s.Options.parse(b[HeaderSize:n])
}

// parse reads options. One whose length is not what its kind has is skipped; one that reaches beyond the header is an error, for then nothing after
// it can be believed (RFC 9293, 3.1: MUST-7).
func (o *Options) parse(b []byte) error {
	*o = Options{}
	for len(b) > 0 {
		switch b[0] {
		case optEnd:
			return nil
		case optNop:
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return errOptions
		}
		v := b[2:b[1]]
		switch {
		case b[0] == optMSS && len(v) == 2:
			o.MSS = be.Uint16(v)
		case b[0] == optScale && len(v) == 1:
			o.Scale, o.HasScale = min(v[0], maxScale), true
		case b[0] == optSACKPermitted && len(v) == 0:
			o.SACKPermitted = true
		case b[0] == optTimestamps && len(v) == 8:
			o.HasTimestamps, o.TSVal, o.TSEcr = true, be.Uint32(v), be.Uint32(v[4:])
		case b[0] == optSACK && len(v)%8 == 0 && len(v) <= 8*MaxSACK:
			o.Blocks = uint8(len(v) / 8)
			for i := range int(o.Blocks) {
				o.SACK[i] = Block{Seq(be.Uint32(v[8*i:])), Seq(be.Uint32(v[8*i+4:]))}
			}
		}
		b = b[b[1]:]
	}
	return nil
}

// size is how many bytes the options take, a multiple of four.
func (o *Options) size() int {
	n := 0
	if o.MSS != 0 {
		n += 4
	}
	if o.SACKPermitted && !o.HasTimestamps {
		n += 4
	}
	if o.HasTimestamps {
		n += 12 // SACK-permitted takes the place of the padding
	}
	if o.HasScale {
		n += 4
	}
	if o.Blocks > 0 {
		n += 4 + 8*int(o.Blocks)
	}
	return n
}

// HeaderLen is the length of the header that Marshal writes.
func (s *Segment) HeaderLen() int { return HeaderSize + s.Options.size() }

// Marshal writes the header to b, which has at least HeaderLen bytes, and returns its length. The checksum is left 0.
func (s *Segment) Marshal(b []byte) int {
	n := s.HeaderLen()
	b = b[:n]
	be.PutUint16(b[offSrcPort:], s.SrcPort)
	be.PutUint16(b[offDstPort:], s.DstPort)
	be.PutUint32(b[offSeq:], uint32(s.Seq))
	be.PutUint32(b[offAck:], uint32(s.Ack))
	b[offData] = byte(n/4) << 4
	b[offFlags] = byte(s.Flags)
	be.PutUint16(b[offWindow:], s.Window)
	be.PutUint16(b[offChecksum:], 0)
	be.PutUint16(b[offUrgent:], s.Urgent)
	s.Options.marshal(b[HeaderSize:])
	return n
}

func (o *Options) marshal(b []byte) {
	if o.MSS != 0 {
		b[0], b[1] = optMSS, 4
		be.PutUint16(b[2:], o.MSS)
		b = b[4:]
	}
	if o.SACKPermitted || o.HasTimestamps {
		b[0], b[1], b[2], b[3] = optNop, optNop, optNop, optNop
		if o.SACKPermitted {
			b[0], b[1] = optSACKPermitted, 2
		}
		if o.HasTimestamps {
			b[2], b[3] = optTimestamps, 10
			be.PutUint32(b[4:], o.TSVal)
			be.PutUint32(b[8:], o.TSEcr)
			b = b[8:]
		}
		b = b[4:]
	}
	if o.HasScale {
		b[0], b[1], b[2], b[3] = optNop, optScale, 3, o.Scale
		b = b[4:]
	}
	if o.Blocks > 0 {
		b[0], b[1], b[2], b[3] = optNop, optNop, optSACK, 2+8*o.Blocks
		for i, x := range o.SACK[:o.Blocks] {
			be.PutUint32(b[4+8*i:], uint32(x.Left))
			be.PutUint32(b[8+8*i:], uint32(x.Right))
		}
	}
}
