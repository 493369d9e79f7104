package wire

// ICMPSize is the length of an ICMP header, of either version.
const ICMPSize = 8

// Types of ICMP (RFC 792) and codes of Destination Unreachable (RFC 792, RFC 1122, 3.2.2.1).
const (
	ICMPEchoReply    = 0
	ICMPUnreachable  = 3
	ICMPEcho         = 8
	ICMPTimeExceeded = 11
	ICMPParameter    = 12

	// Types of ICMPv6 (RFC 4443).
	ICMP6Unreachable  = 1
	ICMP6TooBig       = 2
	ICMP6TimeExceeded = 3
	ICMP6Parameter    = 4
	ICMP6Echo         = 128
	ICMP6EchoReply    = 129

	// Codes of ICMPv6's Destination Unreachable (RFC 4443, 3.1) and Parameter Problem (RFC 4443, 3.4; RFC 7112).
	Code6NoRoute    = 0
	Code6Prohibited = 1
	Code6Scope      = 2
	Code6Address    = 3
	Code6Port       = 4
	Code6Policy     = 5
	Code6Reject     = 6
	Code6Field      = 0
	Code6Next       = 1
	Code6Option     = 2
	Code6Incomplete = 3
	Code6HopLimit   = 0
	Code6Reassembly = 1

	CodeNet         = 0
	CodeHost        = 1
	CodeProtocol    = 2
	CodePort        = 3
	CodeFragment    = 4
	CodeSourceRoute = 5
	CodeNetUnknown  = 6
	CodeHostUnknown = 7
	CodeProhibited  = 13
)

// ICMPHeader is the beginning of an ICMP message.
type ICMPHeader []byte

func (h ICMPHeader) Type() uint8  { return h[0] }
func (h ICMPHeader) Code() uint8  { return h[1] }
func (h ICMPHeader) Rest() uint32 { return be.Uint32(h[4:]) }

// Set writes the header, its checksum 0.
func (h ICMPHeader) Set(typ, code uint8, rest uint32) {
	h[0], h[1], h[2], h[3] = typ, code, 0, 0
	be.PutUint32(h[4:], rest)
}

// ICMPChecksumOffset is where the checksum is.
const ICMPChecksumOffset = 2
