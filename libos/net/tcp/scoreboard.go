package tcp

import (
	"sort"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A record is a stretch of the sequence space that was sent at one time: RFC 8985's per-segment variables, for what may be many segments.
type record struct {
	first, end Seq
	sent       tick.Time // last
	state      recordState
}

type recordState uint8

const (
	sacked recordState = 1 << iota // the receiver has it (RFC 2018)
	lost                           // it counts as lost and was not sent again yet
	again                          // it was sent more than once, or taken back: when it arrives says nothing of the path
	syn                            // it has the SYN
	fin                            // it has the FIN
	probe                          // it was sent into a closed window
	larger                         // it is one segment, larger than they are now
)

func (r *record) is(s recordState) bool { return r.state&s != 0 }
func (r *record) len() int              { return r.end.Sub(r.first) }

// A scoreboard holds what was sent and not acknowledged, in order, without gaps (RFC 6675, 3). It allocates only to hold more records than ever
// before.
type scoreboard struct {
	records []record
	sacked  int // bytes
	lost    int // bytes
	hint    int // no record before it is lost
}

// outstanding is how much was sent and not acknowledged.
func (b *scoreboard) outstanding() int {
	if len(b.records) == 0 {
		return 0
	}
	return b.records[len(b.records)-1].end.Sub(b.records[0].first)
}

// pipe is how much of it is still on its way, as far as we know (RFC 6675, 4: SetPipe).
func (b *scoreboard) pipe() int { return b.outstanding() - b.sacked - b.lost }

// sentNew adds what was sent for the first time.
func (b *scoreboard) sentNew(first, end Seq, now tick.Time, s recordState) {
	if n := len(b.records); n > 0 && s == 0 {
		// Small writes in one go make one record.
		if last := &b.records[n-1]; last.state == 0 && last.sent == now && last.len()+end.Sub(first) <= maxRecord {
			last.end = end
			return
		}
	}
	b.records = append(b.records, record{first, end, now, s})
}

// maxRecord is how large a record may become by joining: what one segment that a device cuts may have.
const maxRecord = 64 << 10

// find gives the index of the record that holds q, which is outstanding.
func (b *scoreboard) find(q Seq) int {
	return sort.Search(len(b.records), func(i int) bool { return q.Less(b.records[i].end) })
}

// split makes a record begin at q, which is outstanding, and returns its index.
func (b *scoreboard) split(q Seq) int {
	i := b.find(q)
	if i == len(b.records) || b.records[i].first == q {
		return i
	}
	b.records = append(b.records, record{})
	copy(b.records[i+1:], b.records[i:])
	b.records[i].end = q
	b.records[i].state &^= fin
	b.records[i+1].first = q
	b.records[i+1].state &^= syn
	if b.hint > i {
		b.hint++
	}
	return i + 1
}

// acked removes what lies before una and tells each record, or part of one, to delivered unless it was sacked already.
func (b *scoreboard) acked(una Seq, delivered func(*record)) {
	i := 0
	for ; i < len(b.records); i++ {
		r := &b.records[i]
		if una.LessEq(r.first) {
			break
		}
		if una.Less(r.end) {
			part := *r
			part.end = una
			b.forget(&part)
			if !part.is(sacked) {
				delivered(&part)
			}
			r.first = una
			r.state &^= syn
			break
		}
		b.forget(r)
		if !r.is(sacked) {
			delivered(r)
		}
	}
	if i > 0 {
		b.records = b.records[:copy(b.records, b.records[i:])]
		b.hint = max(b.hint-i, 0)
	}
}

// forget takes a record out of the sums.
func (b *scoreboard) forget(r *record) {
	if r.is(sacked) {
		b.sacked -= r.len()
	}
	if r.is(lost) {
		b.lost -= r.len()
	}
}

// sack marks a block that the receiver has and tells what of it is news to delivered. It returns how many bytes those were.
func (b *scoreboard) sack(x Block, delivered func(*record)) (news int) {
	i := b.split(x.Left)
	if x.Right.Less(b.records[len(b.records)-1].end) {
		b.split(x.Right)
	}
	for ; i < len(b.records) && b.records[i].end.LessEq(x.Right); i++ {
		r := &b.records[i]
		if r.is(sacked) {
			continue
		}
		news += r.len()
		delivered(r)
		if r.is(lost) {
			b.lost -= r.len()
		}
		r.state = r.state&^lost | sacked
		b.sacked += r.len()
	}
	return news
}

// lose marks record i as lost.
func (b *scoreboard) lose(i int) {
	r := &b.records[i]
	if r.state&(sacked|lost) != 0 {
		return
	}
	r.state |= lost
	b.lost += r.len()
	b.hint = min(b.hint, i)
}

// loseAll marks all that the receiver has not said it has (RFC 8985, 6.3). What it has said it may take back, so with renege that counts no more
// (RFC 2018, 8).
func (b *scoreboard) loseAll(renege bool) {
	for i := range b.records {
		if r := &b.records[i]; renege && r.is(sacked) {
			r.state = r.state&^sacked | again
			b.sacked -= r.len()
		}
		b.lose(i)
	}
}

// firstLost gives the index of the first record to be sent again; false: none.
func (b *scoreboard) firstLost() (int, bool) {
	if b.lost == 0 {
		return 0, false
	}
	for ; b.hint < len(b.records); b.hint++ {
		if b.records[b.hint].is(lost) {
			return b.hint, true
		}
	}
	return 0, false
}

// sentAgain notes that the first n bytes of record i were sent again.
func (b *scoreboard) sentAgain(i, n int, now tick.Time) {
	if q := b.records[i].first.Add(n); q.Less(b.records[i].end) {
		b.split(q)
	}
	r := &b.records[i]
	if r.is(lost) {
		b.lost -= r.len()
	}
	r.state = r.state&^lost | again
	r.sent = now
}

func (b *scoreboard) clear() { *b = scoreboard{records: b.records[:0]} }
