package tcp

// Urgent data are part of the stream (RFC 9293, 3.8.5; RFC 6093): what is said of them is where they end. A program is told that there are some and reads up to
// there; it gets each byte in its place, as with SO_OOBINLINE.

// Urge says that everything that was written is urgent, up to its last byte. It has an effect while that is not acknowledged.
func (c *Conn) Urge() {
	if n := c.out.Len(); n > 0 && c.err == nil {
		c.sndUrg, c.sndUp = true, c.sndUna.Add(n)
	}
}

// urgentOut has a segment say where urgent data end: at the first byte that is not (MUST-62), or so far ahead as its field can tell.
func (c *Conn) urgentOut(out *Segment) {
	if !c.sndUrg {
		return
	}
	if c.sndUp.LessEq(c.sndUna) {
		c.sndUrg = false
		return
	}
	if n := c.sndUp.Sub(out.Seq); n > 0 {
		out.Flags |= URG
		out.Urgent = uint16(min(n, 0xffff))
	}
}

// urgentIn takes in where a segment that is acceptable says that urgent data end (RFC 9293, 3.10.7.4, sixth step), with or without room for its data (MUST-66).
func (c *Conn) urgentIn(s *Segment) {
	if s.Flags&URG == 0 || s.Urgent == 0 || c.peerFin || c.readOff {
		return
	}
	up := s.Seq.Add(int(s.Urgent))
	if up.LessEq(c.readSeq()) || c.rcvUrg && up.LessEq(c.rcvUp) {
		return
	}
	c.rcvUrg, c.rcvUp = true, up
	c.events |= Pressing
}

// readSeq is the sequence number of the next byte that the program reads.
func (c *Conn) readSeq() Seq {
	at := c.rcvNxt.Add(-c.in.Len())
	if c.peerFin && c.rcvNxt == c.finSeq.Add(1) {
		at = at.Add(-1)
	}
	return at
}

// Urgent tells how many bytes are left to be read up to the last urgent one and with it; they may not all have come. 0: none is urgent.
func (c *Conn) Urgent() int {
	if !c.rcvUrg {
		return 0
	}
	n := c.rcvUp.Sub(c.readSeq())
	if n <= 0 || c.peerFin && c.finSeq.Less(c.rcvUp) || c.state == Closed {
		c.rcvUrg = false // it was read, or the peer has promised what it never sent
		return 0
	}
	return n
}
