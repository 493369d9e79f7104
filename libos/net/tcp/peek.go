package tcp

// Peek copies what has come to p and leaves it.
func (c *Conn) Peek(p []byte) int { return c.in.CopyAt(p, 0) }

// Release gives up a segment's payload.
func (s *Segment) Release() { s.release() }

// InFlight tells whether a sequence number is of something sent and not acknowledged yet: whoever tells of a segment's fate by ICMP must know one
// (RFC 5927, 4.1).
func (c *Conn) InFlight(seq Seq) bool {
	return !seq.Less(c.sndUna) && (seq.Less(c.sndNxt) || c.state == SynSent && seq == c.iss)
}
