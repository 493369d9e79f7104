package socket

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/internal/fifo"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// A channel is what was sent to a unix socket and is not received yet: bytes in a ring that grows, and marks that say what belongs to which of them.
// A message of a datagram or packet socket is a mark and its bytes. A stream has a mark only where something goes with its bytes. The receiving
// socket's mutex guards it.
type channel struct {
	ring  []byte // length a power of two, or none yet
	base  uint64 // stream position of the first byte
	end   uint64 // and behind the last one
	marks fifo.Queue[mark]
}

// A mark is bytes [start, end) and what goes with them.
type mark struct {
	start, end uint64
	from       *unix         // the sender: its name counts when this is received, as on Linux
	files      []*posix.File // SCM_RIGHTS
	cred       *syscall.Ucred
}

const leastRing = 4096

// used is what counts against a sender's SO_SNDBUF: bytes, and something for each message, be it empty.
func (c *channel) used() int { return int(c.end-c.base) + 64*c.marks.Len() }

func (c *channel) len() int { return int(c.end - c.base) }

// put appends bytes.
func (c *channel) put(p []byte) {
	if need := c.len() + len(p); need > len(c.ring) {
		size := max(leastRing, len(c.ring))
		for size < need {
			size *= 2
		}
		old := *c
		c.ring = make([]byte, size)
		for at := c.base; at < c.end; {
			at += uint64(copy(c.from(at), old.upTo(at, c.end)))
		}
	}
	for len(p) > 0 {
		n := copy(c.from(c.end), p)
		p, c.end = p[n:], c.end+uint64(n)
	}
}

// from is the ring from position at on, as far as it goes in one piece.
func (c *channel) from(at uint64) []byte { return c.ring[at&uint64(len(c.ring)-1):] }

// upTo is the same, but ends at position end.
func (c *channel) upTo(at, end uint64) []byte {
	p := c.from(at)
	return p[:min(uint64(len(p)), end-at)]
}

// get copies bytes from position at on, up to end.
func (c *channel) get(p []byte, at, end uint64) (n int) {
	for n < len(p) && at < end {
		k := copy(p[n:], c.upTo(at, end))
		n, at = n+k, at+uint64(k)
	}
	return n
}

// skip drops what comes before position at. A channel that was emptied gives a large ring back.
func (c *channel) skip(at uint64) {
	const keep = 64 << 10
	if c.base = at; c.base == c.end && len(c.ring) > keep {
		c.ring = nil
	}
}
