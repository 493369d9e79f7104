package ntp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// messageLen is an NTP message without extension fields or authentication (RFC 5905, section 7.3).
const messageLen = 48

// Fields of the first byte.
const (
	leapUnknown = 3 // the server's own clock is not set
	version     = 4
	modeClient  = 3
	modeServer  = 4
)

// maxDistance is how far a server may say that it is from the true time (MAXDISP of RFC 5905, section 7.2).
const maxDistance = 16 * time.Second

// request fills p with a client's question. cookie takes the place of the time that it is sent: it tells the answer that belongs to it from any other, and
// tells nobody what the clock says.
func request(p *[messageLen]byte, cookie uint64) {
	*p = [messageLen]byte{version<<3 | modeClient}
	binary.BigEndian.PutUint64(p[40:], cookie)
}

// A sample is what an answer tells.
type sample struct {
	offset time.Duration // the server's clock less ours
	delay  time.Duration // there and back; the offset is known to within half of it, and the server's own distance
}

// errForeign is of what answers another question, or none: it is as if it had not come.
var errForeign = errors.New("not an answer to this question")

// A refusal is a kiss-o'-death message (RFC 5905, section 7.4).
type refusal string

func (r refusal) Error() string { return fmt.Sprintf("the server refuses: %q", string(r)) }

// answer reads a server's answer to the question with cookie, sent and received when our clock said so.
func answer(p []byte, cookie uint64, sent, received time.Time) (s sample, err error) {
	if len(p) < messageLen {
		return s, errForeign
	}
	leap, v, mode, stratum := p[0]>>6, p[0]>>3&7, p[0]&7, p[1]
	if mode != modeServer || v == 0 || v > version || binary.BigEndian.Uint64(p[24:]) != cookie {
		return s, errForeign
	}
	if stratum == 0 {
		return s, refusal(p[12:16])
	}
	in, out := binary.BigEndian.Uint64(p[32:]), binary.BigEndian.Uint64(p[40:])
	distance := short(p[4:])/2 + short(p[8:])
	switch {
	case leap == leapUnknown || stratum > 15 || in == 0 || out == 0:
		return s, errors.New("the server's own clock is not set")
	case distance < 0 || distance > maxDistance:
		return s, fmt.Errorf("the server is unsure of the time by %v", distance)
	case out-in > 1<<63:
		return s, errors.New("the server answered before it was asked")
	}
	took := fixed(out - in)
	s.delay = max(0, received.Sub(sent)-took)
	s.offset = at(in).Sub(sent.Round(0)) - s.delay/2
	return s, nil
}

// short reads a number of seconds, 16.16.
func short(p []byte) time.Duration {
	return time.Duration(int64(int32(binary.BigEndian.Uint32(p))) * int64(time.Second) >> 16)
}

// fixed is a span of seconds, 32.32, as a duration.
func fixed(span uint64) time.Duration {
	return time.Duration(span>>32)*time.Second + time.Duration(span&(1<<32-1)*uint64(time.Second)>>32)
}

// Seconds of the prime epoch, 1900, at 1970 and at 2020.
const (
	at1970 = 2_208_988_800
	at2020 = at1970 + 1_577_836_800
)

// at is a timestamp as time. It has no era: one that would be before 2020 is of the era that begins in 2036 (RFC 5905, section 6).
func at(stamp uint64) time.Time {
	s := int64(stamp >> 32)
	if s < at2020 {
		s += 1 << 32
	}
	return time.Unix(s-at1970, int64(fixed(stamp&(1<<32-1))))
}
