package exo

// A Repossession tells a holder what was taken from it.
type Repossession struct {
	Range  Range
	When   int64  // as Now
	By     string // the holder of the capability that it was taken back to
	Why    string
	Answer string // how the handler had answered, where there was a demand: see Reclaim
}

// maxRecords bounds the records of one capability: the oldest make room.
const maxRecords = 16

// record adds to the records of n; lock held. A record that continues the last one makes it longer.
func (n *node) record(r Repossession) {
	if k := len(n.records); k > 0 {
		p := &n.records[k-1]
		if p.When == r.When && p.By == r.By && p.Why == r.Why && p.Answer == r.Answer {
			switch {
			case r.Range.Hi+1 == p.Range.Lo:
				p.Range.Lo = r.Range.Lo
				return
			case p.Range.Hi+1 == r.Range.Lo:
				p.Range.Hi = r.Range.Hi
				return
			}
		}
		if k == maxRecords {
			copy(n.records, n.records[1:])
			n.records = n.records[:k-1]
			n.dropped++
		}
	}
	n.records = append(n.records, r)
}

// Repossessions lists what was taken from the capability by force, the oldest first, and how many older records had to make room. It
// answers for an ended capability, too.
func (c Cap) Repossessions() (list []Repossession, dropped uint64) {
	if c.n == nil {
		return nil, 0
	}
	c.n.in.mu.Lock()
	defer c.n.in.mu.Unlock()
	return append([]Repossession(nil), c.n.records...), c.n.dropped
}
