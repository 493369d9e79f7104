package tcp

// A Seq is a sequence number: a position in one direction's stream, modulo 2^32 (RFC 9293, 3.4). Two of them can be compared if they are
// less than 2^31 apart, which windows make sure of.
type Seq uint32

// Less tells whether s comes before t.
func (s Seq) Less(t Seq) bool { return int32(s-t) < 0 }

// LessEq tells whether s comes before t or is t.
func (s Seq) LessEq(t Seq) bool { return int32(s-t) <= 0 }

// Add gives the position n bytes after s.
func (s Seq) Add(n int) Seq { return s + Seq(n) }

// Sub gives how many bytes s comes after t; below 0: before.
func (s Seq) Sub(t Seq) int { return int(int32(s - t)) }

// In tells whether s lies in the n positions from first on.
func (s Seq) In(first Seq, n int) bool { return uint32(s-first) < uint32(n) }

func maxSeq(s, t Seq) Seq {
	if s.Less(t) {
		return t
	}
	return s
}

func minSeq(s, t Seq) Seq {
	if s.Less(t) {
		return s
	}
	return t
}
