package tcp

// recovery is the time from the detection of a loss until all that was on its way then is acknowledged. What may be sent in it follows what arrives: proportional
// rate reduction (RFC 9937, before RFC 6937), but that an acknowledgment that tells of a further loss is none of less worth (SafeACK there).
type recovery struct {
	on      bool
	timeout bool // begun by the retransmission timer: the window counts, not the rate
	end     Seq  // RecoveryPoint: SND.NXT when it began

	threshold int32 // ssthresh
	flight    int32 // RecoverFS: what was on its way when it began and not known to have arrived
	delivered int32 // prr_delivered
	out       int32 // prr_out
	quota     int32 // sndcnt: what may be sent now

	// Without SACK: each duplicate acknowledgment says that one segment has left the path (RFC 6582).
	dups int32
}

// begin starts a recovery.
func (p *recovery) begin(end Seq, threshold, flight, mss int) {
	*p = recovery{on: true, end: end, threshold: int32(threshold), flight: int32(max(flight, mss)), dups: p.dups, quota: int32(mss)}
}

// update takes in how much an acknowledgment says has arrived (RFC 9937, 7).
func (p *recovery) update(delivered, pipe, mss int, progress bool) {
	p.delivered += int32(delivered)
	if threshold := int(p.threshold); pipe > threshold {
		flight := int(p.flight)
		p.quota = int32((int(p.delivered)*threshold+flight-1)/flight) - p.out
	} else {
		limit := int(p.delivered - p.out)
		if progress { // slow start reduction bound
			limit = max(limit, delivered) + mss
		}
		p.quota = int32(min(threshold-pipe, limit))
	}
	if p.out == 0 { // what was lost first is sent again at once (RFC 5681, 3.2)
		p.quota = max(p.quota, int32(mss))
	}
}

// sent takes in what went out.
func (p *recovery) sent(n int) {
	if p.on {
		p.out += int32(n)
		p.quota -= int32(n)
	}
}
