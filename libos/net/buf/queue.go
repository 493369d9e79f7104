package buf

import "sort"

// A Queue is a stream of bytes made of Refs: a connection's data on its way in or out. Positions count from its first byte. Finding one costs
// log2 of the number of Refs. The zero value is empty. It allocates only when it holds more Refs than ever before.
type Queue struct {
	ring []piece // length a power of two
	base uint64  // stream offset of the first byte, ever growing
	end  uint64  // stream offset behind the last one
	held int     // bytes of memory that the Refs keep from others
	head uint32  // of the first piece, taken modulo len(ring)
	n    uint32  // pieces
	tail bool    // the last piece is a pool's block that AppendCopy took and may go on filling
}

type piece struct {
	at  uint64 // stream offset of its first byte
	ref Ref
}

// Len is the number of bytes.
func (q *Queue) Len() int { return int(q.end - q.base) }

// Held is how much memory the bytes keep from others: what their blocks have, a block counted once for pieces that follow each other. Lent memory is the program's own, and counts by
// the bytes.
func (q *Queue) Held() int { return q.held }

// weight is what a piece counts in held; next to another of the same block it counts nothing.
func (p *piece) weight(neighbour *piece) int {
	b := p.ref.block
	if _, ok := b.home.(*lent); ok {
		return p.ref.Len()
	}
	if neighbour != nil && neighbour.ref.block == b {
		return 0
	}
	return len(b.mem)
}

// Pieces is the number of Refs.
func (q *Queue) Pieces() int { return int(q.n) }

func (q *Queue) at(i uint32) *piece { return &q.ring[(q.head+i)&uint32(len(q.ring)-1)] }

// Append adds r's bytes at the end and takes r over. A Ref without bytes is released.
func (q *Queue) Append(r Ref) {
	if r.Len() == 0 {
		r.Release()
		return
	}
	if int(q.n) == len(q.ring) {
		ring := make([]piece, max(2, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = *q.at(i)
		}
		q.ring, q.head = ring, 0
	}
	p := q.at(q.n)
	*p = piece{q.end, r}
	var last *piece
	if q.n > 0 {
		last = q.at(q.n - 1)
	}
	q.held += p.weight(last)
	q.n++
	q.end += uint64(r.Len())
	q.tail = false
}

// AppendCopy copies p to the end, into blocks of the pool, and returns how many bytes it had room for: all, unless the pool has no more.
// Small writes share a block.
func (q *Queue) AppendCopy(pool *Pool, p []byte) (n int) {
	for n < len(p) {
		if !q.tail || q.at(q.n-1).ref.Back() == 0 {
			r, ok := pool.Get()
			if !ok {
				return n
			}
			c := copy(r.Bytes(), p[n:])
			r.Truncate(c)
			q.Append(r)
			q.tail = true
			n += c
			continue
		}
		r := &q.at(q.n - 1).ref
		c := copy(r.block.mem[r.hi:], p[n:])
		r.hi += uint32(c)
		q.end += uint64(c)
		n += c
	}
	return n
}

// Discard drops the first n bytes; it panics if there are not so many.
func (q *Queue) Discard(n int) {
	if n < 0 || n > q.Len() {
		panic("buf: more bytes were discarded than the queue has")
	}
	q.base += uint64(n)
	for q.n != 0 {
		p := q.at(0)
		if p.at+uint64(p.ref.Len()) > q.base {
			q.held -= p.weight(nil)
			p.ref.TrimFront(int(q.base - p.at))
			q.held += p.weight(nil)
			p.at = q.base
			return
		}
		q.drop()
	}
}

// drop releases the first piece.
func (q *Queue) drop() {
	p := q.at(0)
	var next *piece
	if q.n > 1 {
		next = q.at(1)
	}
	q.held -= p.weight(next)
	p.ref.Release()
	q.head++
	if q.n--; q.n == 0 {
		q.head, q.tail = 0, false
	}
}

// Read moves bytes to p by copying and returns how many.
func (q *Queue) Read(p []byte) int {
	n := q.CopyAt(p, 0)
	q.Discard(n)
	return n
}

// Take removes the first Ref, or its first n bytes where it has more, and hands it over. The zero Ref: the queue is empty, or n is 0.
func (q *Queue) Take(n int) Ref {
	if q.n == 0 || n <= 0 {
		return Ref{}
	}
	r := q.at(0).ref
	r = r.Part(0, min(n, r.Len()))
	q.Discard(r.Len())
	return r
}

// find gives the piece that holds the byte at position off, which exists.
func (q *Queue) find(off int) uint32 {
	at := q.base + uint64(off)
	return uint32(sort.Search(int(q.n), func(i int) bool { return q.at(uint32(i)).at > at })) - 1
}

// CopyAt copies the bytes from position off on to p and returns how many there were.
func (q *Queue) CopyAt(p []byte, off int) (n int) {
	if off < 0 || off >= q.Len() {
		return 0
	}
	for i := q.find(off); i < q.n && n < len(p); i++ {
		e := q.at(i)
		n += copy(p[n:], e.ref.Bytes()[q.base+uint64(off+n)-e.at:])
	}
	return n
}

// View appends to dst further references to the n bytes from position off on, in at most max pieces, and returns it with the number of bytes that
// they are: less than n if there are not so many, or they lie in more pieces.
func (q *Queue) View(dst []Ref, off, n, max int) ([]Ref, int) {
	got := 0
	if off < 0 || off >= q.Len() || n <= 0 {
		return dst, 0
	}
	for i := q.find(off); i < q.n && got < n && max > 0; i, max = i+1, max-1 {
		e := q.at(i)
		lo := int(q.base + uint64(off+got) - e.at)
		hi := min(e.ref.Len(), lo+n-got)
		dst = append(dst, e.ref.Part(lo, hi))
		got += hi - lo
	}
	return dst, got
}

// Clear drops everything.
func (q *Queue) Clear() { q.Discard(q.Len()) }
