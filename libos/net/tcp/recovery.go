package tcp

// recovery is the time from the detection of a loss until all that was on its way then is acknowledged. What may be sent in it follows what arrives: proportional
// rate reduction (RFC 6937).
type recovery struct {
	on      bool
	timeout bool // begun by the retransmission timer: the window counts, not the rate
	end     Seq  // RecoveryPoint: SND.NXT when it began

	threshold int // ssthresh
	flight    int // RecoverFS: what was on its way when it began
	delivered int // prr_delivered
	out       int // prr_out
	quota     int // sndcnt: what may be sent now

	// Without SACK: each duplicate acknowledgment says that one segment has left the path (RFC 6582).
	dups int
}

// begin starts a recovery.
func (p *recovery) begin(end Seq, threshold, flight, mss int) {
	*p = recovery{on: true, end: end, threshold: threshold, flight: max(flight, mss), dups: p.dups, quota: mss}
}

// update takes in how much an acknowledgment says has arrived (RFC 6937, 3).
func (p *recovery) update(delivered, pipe, mss int, progress bool) {
	p.delivered += delivered
	if pipe > p.threshold {
		p.quota = (p.delivered*p.threshold+p.flight-1)/p.flight - p.out
		return
	}
	limit := p.delivered - p.out
	if progress { // slow start reduction bound
		limit = max(limit, delivered) + mss
	}
	p.quota = min(p.threshold-pipe, limit)
}

// sent takes in what went out.
func (p *recovery) sent(n int) {
	if p.on {
		p.out += n
		p.quota -= n
	}
}
