package tcp

import (
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A SYN cookie is an initial sequence number in which a listener that has no memory left notes what it must know when the handshake's last segment comes
// (RFC 4987, 3.6): from the top, the low five bits of a count of minutes, three bits for the peer's MSS, and 24 bits that only who has the secret can compute.
// What else the SYN said rides in the low bits of the timestamp that the peer echoes: four for the window's scale, one for SACK.

// cookieMSS are the sizes that a cookie can tell.
var cookieMSS = [8]int{defaultMSS, 966, 1200, 1300, 1400, 1440, 1460, 8960}

const (
	cookieTick = time.Minute
	cookieLife = 2 // ticks

	stampBits    = 5
	stampScale   = 0xf // no scaling
	stampSACK    = 1 << 4
	cookieSecret = 1<<24 - 1
)

// value is the cookie of a moment.
func (l *Listener) value(count uint64, mss int, irs Seq, t Tuple) Seq {
	h := l.Secret.hash(useCookie, t, uint64(irs)<<32|count<<3&0xfffffff8|uint64(mss))
	return Seq(count&31)<<27 | Seq(mss)<<24 | Seq(h&cookieSecret)
}

// cookie answers a SYN.
func (l *Listener) cookie(now tick.Time, t Tuple, s, reply *Segment) {
	mss := int(s.Options.MSS)
	if mss == 0 {
		mss = defaultFor(l.Config.IPv6)
	}
	i := len(cookieMSS) - 1
	for i > 0 && cookieMSS[i] > mss {
		i--
	}
	window := min(l.Config.RecvBuffer, 0xffff)
	*reply = Segment{
		Payload: reply.Payload[:0], SrcPort: s.DstPort, DstPort: s.SrcPort, Flags: SYN | ACK,
		Seq: l.value(uint64(now)/uint64(cookieTick), i, s.Seq, t), Ack: s.Seq.Add(1), Window: uint16(window),
	}
	o := &reply.Options
	o.MSS = uint16(min(l.Config.MSS, 0xffff))
	if l.Config.NoTimestamp || !s.Options.HasTimestamps {
		return // there is nowhere to note the rest
	}
	bits := uint32(stampScale)
	if s.Options.HasScale {
		bits = uint32(min(s.Options.Scale, maxScale))
		o.HasScale, o.Scale = true, scaleFor(l.Config.RecvMax)
	}
	if s.Options.SACKPermitted {
		bits |= stampSACK
		o.SACKPermitted = true
	}
	o.HasTimestamps, o.TSEcr = true, s.Options.TSVal
	stamp := l.stamp(now, t)
	o.TSVal = stamp&^(1<<stampBits-1) | bits
	if int32(o.TSVal-stamp) > 0 {
		o.TSVal -= 1 << stampBits // it must not be ahead of what the connection will say
	}
}

// stamp is the timestamp that a connection of the tuple has at now.
func (l *Listener) stamp(now tick.Time, t Tuple) uint32 {
	return l.Secret.Stamp(t) + uint32(now/tick.Time(time.Millisecond))
}

// byCookie makes a connection of the segment that answers a cookie; nil: it does not.
func (l *Listener) byCookie(now tick.Time, t Tuple, s *Segment) *Conn {
	// Only a listener that has sent cookies lately believes in any.
	if l.flooded == 0 || now.Sub(l.flooded) > (cookieLife+1)*cookieTick || s.Flags&SYN != 0 {
		return nil
	}
	iss, irs := s.Ack.Add(-1), s.Seq.Add(-1)
	count := uint64(now) / uint64(cookieTick)
	age := (count - uint64(iss>>27)) & 31
	mss := int(iss >> 24 & 7)
	if age > cookieLife || age > count || l.value(count-age, mss, irs, t) != iss {
		l.BadCookies++
		return nil
	}
	if l.ready >= max(l.Backlog, 1) {
		l.Dropped++
		return nil
	}
	syn := Segment{Seq: irs, Flags: SYN, Options: Options{MSS: uint16(cookieMSS[mss])}}
	o, echo := &syn.Options, s.Options.TSEcr
	if s.Options.HasTimestamps && !l.Config.NoTimestamp {
		o.HasTimestamps, o.TSVal = true, s.Options.TSVal
		if scale := uint8(echo & 0xf); scale != stampScale {
			o.HasScale, o.Scale = true, scale
		}
		o.SACKPermitted = echo&stampSACK != 0
	}
	l.half++
	c := l.accept(now, t, &syn, iss)
	c.needSyn = false
	c.sndNxt = iss.Add(1)
	c.rcvAdv = c.rcvNxt.Add(min(l.Config.RecvBuffer, 0xffff))
	c.retries = 1 // nobody has measured the round trip
	c.Input(now, s)
	return c
}
