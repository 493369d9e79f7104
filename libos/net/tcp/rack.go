package tcp

import (
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// rack detects losses by time: what was sent before something that has arrived, and some more time ago, is lost (RFC 8985).
type rack struct {
	sent  tick.Time // RACK.xmit_ts: when the latest sent of what has arrived was sent
	rtt   time.Duration
	end   Seq // RACK.end_seq
	valid bool

	reordering bool // RACK.reordering_seen
	roundOpen  bool
	roundEnd   Seq   // no more than one increment of mult a round trip
	fack       Seq   // RACK.fack: the highest that has arrived
	mult       int32 // RACK.reo_wnd_mult, less one
	persist    int32 // recoveries until mult is forgotten
}

// sentAfter orders by time and, within one moment, by sequence (RFC 8985, 6.1).
func sentAfter(t1 tick.Time, q1 Seq, t2 tick.Time, q2 Seq) bool {
	return t1 > t2 || t1 == t2 && q2.Less(q1)
}

// delivered takes in that a record has arrived, by an acknowledgment or a SACK (6.2, steps 2 and 3).
func (k *rack) delivered(now tick.Time, r *record, echo, minRTT time.Duration) {
	switch {
	case k.fack.Less(r.end):
		k.fack = r.end
	case r.end.Less(k.fack) && !r.is(again):
		k.reordering = true
	}
	d := now.Sub(r.sent)
	if r.is(again) {
		// The answer may be to the first one: so it is if it comes sooner than any answer can, or says so by its timestamp (echo: how long ago the segment
		// that is echoed was sent; 0: not known).
		if d < minRTT || echo > d+time.Millisecond {
			return
		}
	}
	if !k.valid || sentAfter(r.sent, r.end, k.sent, k.end) {
		k.valid, k.sent, k.end, k.rtt = true, r.sent, r.end, d
	}
}

// duplicate takes in a DSACK: something was sent again for nothing, so wait longer before that (6.2, step 4).
func (k *rack) duplicate(una, nxt Seq) {
	if k.roundOpen && una.Less(k.roundEnd) {
		return
	}
	k.roundOpen, k.roundEnd = true, nxt
	k.mult = min(k.mult+1, 15)
	k.persist = 16
}

// recovered notes the end of a recovery.
func (k *rack) recovered() {
	if k.persist > 0 {
		if k.persist--; k.persist == 0 {
			k.mult = 0
		}
	}
}

// window is how much later than expected something may arrive and not be lost: RACK.reo_wnd.
func (k *rack) window(r *rtt, recovering bool, sackedSegments int) time.Duration {
	const dupThresh = 3
	if !k.reordering && (recovering || sackedSegments >= dupThresh) {
		return 0
	}
	return min(time.Duration(k.mult+1)*r.least.get()/4, r.srtt)
}

// detect marks what is lost by now and returns how many bytes that is, and when to look again (0: no need) (6.2, step 5).
func (k *rack) detect(now tick.Time, b *scoreboard, wait time.Duration) (news int, next tick.Time) {
	if !k.valid {
		return 0, 0
	}
	for i := range b.records {
		r := &b.records[i]
		if r.state&(sacked|lost) != 0 {
			continue
		}
		if !sentAfter(k.sent, k.end, r.sent, r.end) {
			continue
		}
		at := r.sent.Add(k.rtt + wait)
		if at <= now {
			b.lose(i)
			news += r.len()
			continue
		}
		next = tick.Sooner(next, at)
	}
	return news, next
}
