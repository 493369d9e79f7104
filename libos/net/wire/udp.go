package wire

// UDPSize is the length of a UDP header.
const UDPSize = 8

// UDPChecksumOffset is where the checksum is.
const UDPChecksumOffset = 6

// UDPHeader is a UDP header (RFC 768).
type UDPHeader []byte

func (h UDPHeader) SrcPort() uint16  { return be.Uint16(h[0:]) }
func (h UDPHeader) DstPort() uint16  { return be.Uint16(h[2:]) }
func (h UDPHeader) Len() int         { return int(be.Uint16(h[4:])) }
func (h UDPHeader) Checksum() uint16 { return be.Uint16(h[6:]) }

// Set writes the header, its checksum 0. n is the length with the header.
func (h UDPHeader) Set(src, dst uint16, n int) {
	be.PutUint16(h[0:], src)
	be.PutUint16(h[2:], dst)
	be.PutUint16(h[4:], uint16(n))
	be.PutUint16(h[6:], 0)
}
