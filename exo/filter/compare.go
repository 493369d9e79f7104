package filter

// A Verdict tells whether two programs accept a packet in common.
type Verdict uint8

const (
	Unproven    Verdict = iota // neither was found to be so
	Disjoint                   // no packet is accepted by both
	Overlapping                // some packet is
)

// A Relation is a verdict and what it stands on.
type Relation struct {
	Verdict Verdict
	Witness []byte // if Overlapping: a packet that both accept
	Why     string // if Unproven: what stood in the way
}

// Compare tells whether a packet exists that both programs accept. Disjoint is proven, of packets of any length; Overlapping is shown by a
// packet that both programs have been run on. Which packet it is has no meaning.
//
// It costs a comparison of each path of one with each of the other. Where they do not contradict each other at once, a packet is
// looked for, which may take 256 layouts of 1024 tries; and 2^16 of these and of tests joined in all, so that hostile programs end too.
func Compare(a, b *Program) Relation {
	if a.opaque != "" || b.opaque != "" {
		return guess(a, b)
	}
	r := Relation{Verdict: Disjoint}
	work := budget(maxWork)
	for _, p := range a.paths {
		for _, q := range b.paths {
			if contradict(p, q) {
				continue
			}
			if !work.spend(len(q)) {
				return Relation{Why: "they have too many pairs of paths to be looked at"}
			}
			both, ok := p, true
			for i := 0; i < len(q) && ok; i++ {
				both, ok = both.and(q[i])
			}
			if !ok {
				continue
			}
			packet, verdict, why := solve(both, &work)
			if verdict == Overlapping && a.Match(packet) && b.Match(packet) {
				return Relation{Verdict: Overlapping, Witness: packet}
			}
			if verdict != Disjoint {
				r = Relation{Why: why}
			}
		}
	}
	return r
}

// contradict finds most of what contradicts, and allocates nothing.
func contradict(p, q path) bool {
	for i := range p {
		a := &p[i]
		for j := range q {
			if b := &q[j]; a.kind == eq && b.kind == eq && (a.lo^b.lo)&a.mask&b.mask != 0 && a.field == b.field {
				return true
			}
		}
	}
	return false
}

// guess is for programs that are not taken apart: it tries what the other accepts.
func guess(a, b *Program) Relation {
	packets := [][]byte{nil, make([]byte, 64), make([]byte, 1514)}
	work := budget(maxWork)
	for _, p := range [2]*Program{a, b} {
		for _, way := range p.paths {
			if packet, verdict, _ := solve(way, &work); verdict == Overlapping {
				packets = append(packets, packet)
			}
		}
	}
	for _, packet := range packets {
		if a.Match(packet) && b.Match(packet) {
			return Relation{Verdict: Overlapping, Witness: packet}
		}
	}
	opaque := a
	if a.opaque == "" {
		opaque = b
	}
	return Relation{Why: "a filter could not be taken apart: " + opaque.opaque}
}
