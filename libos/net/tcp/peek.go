package tcp

// Peek copies what has come to p and leaves it.
func (c *Conn) Peek(p []byte) int { return c.in.CopyAt(p, 0) }

// Release gives up a segment's payload.
func (s *Segment) Release() { s.release() }
