package inet

import (
	"net/netip"
	"sync"
	"syscall"
)

// ports says which endpoints of a protocol have which local address and port.
type ports struct {
	random func(n int) int // in [0, n)

	mu   sync.Mutex
	held map[uint16][]*holding
}

// A holding is one endpoint's local address.
type holding struct {
	addr                 netip.Addr // unspecified: all of its family
	dual                 bool       // :: of an endpoint that takes IPv4, too
	port                 uint16
	reuseAddr, reusePort bool
	listening            bool // a listener of TCP: SO_REUSEADDR does not let two of them share
	shares               bool // the protocol's SO_REUSEADDR does (UDP)
}

// Ports that are given out unasked: RFC 6335's dynamic range begins at 49152; Linux's own, and here, at 32768.
const (
	firstEphemeral = 32768
	lastEphemeral  = 60999
)

func newPorts(random func(int) int) *ports {
	return &ports{random: random, held: map[uint16][]*holding{}}
}

// overlap tells whether some destination belongs to both.
func (a *holding) overlap(b *holding) bool {
	switch {
	case a.addr.Is4() == b.addr.Is4():
		return a.addr == b.addr || a.addr.IsUnspecified() || b.addr.IsUnspecified()
	case a.addr.Is4():
		return b.dual && b.addr.IsUnspecified()
	}
	return a.dual && a.addr.IsUnspecified()
}

// conflict tells whether a may not be held, or begin to listen, beside b: SO_REUSEADDR and SO_REUSEPORT of socket(7).
func (a *holding) conflict(b *holding) bool {
	if !a.overlap(b) || a.reusePort && b.reusePort {
		return false
	}
	return !(a.reuseAddr && b.reuseAddr && (a.shares || !b.listening))
}

// hold gives h its port, or for port 0 one that nobody has: RFC 6056, 3.3.1 (a random first try, then in order). EADDRINUSE if that cannot be.
func (p *ports) hold(h *holding) syscall.Errno {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.port != 0 {
		if !p.free(h) {
			return syscall.EADDRINUSE
		}
		p.held[h.port] = append(p.held[h.port], h)
		return 0
	}
	const n = lastEphemeral - firstEphemeral + 1
	c := *h
	c.reuseAddr, c.reusePort = false, false // a port of one's own
	for i, from := 0, p.random(n); i < n; i++ {
		c.port = firstEphemeral + uint16((from+i)%n)
		if p.free(&c) {
			h.port = c.port
			p.held[h.port] = append(p.held[h.port], h)
			return 0
		}
	}
	return syscall.EADDRINUSE
}

func (p *ports) free(h *holding) bool {
	for _, o := range p.held[h.port] {
		if o != h && h.conflict(o) {
			return false
		}
	}
	return true
}

// listen makes h a listener's, which it may be only if no other listener is in the way.
func (p *ports) listen(h *holding) syscall.Errno {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := h.listening
	if h.listening = true; p.free(h) {
		return 0
	}
	h.listening = was
	return syscall.EADDRINUSE
}

// drop gives the port up.
func (p *ports) drop(h *holding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.held[h.port]
	for i, o := range list {
		if o == h {
			list[i] = list[len(list)-1]
			list[len(list)-1] = nil
			if list = list[:len(list)-1]; len(list) == 0 {
				delete(p.held, h.port)
			} else {
				p.held[h.port] = list
			}
			return
		}
	}
}
