package inet

import (
	"net/netip"
	"sync"
)

// Which endpoint a packet is for.

// A udpTable finds endpoints of UDP by local port. Lock order: an endpoint's mutex, then udpTable.mu for changes; who looks up holds none of theirs.
type udpTable struct {
	mu sync.RWMutex
	of map[uint16][]*udpEntry
}

// A udpEntry is an endpoint with its local address, which is all that looking up needs but for whom it is connected to.
type udpEntry struct {
	u *UDP
	h *holding
}

func newUDPTable() *udpTable { return &udpTable{of: map[uint16][]*udpEntry{}} }

func (t *udpTable) add(u *UDP, h *holding) {
	t.mu.Lock()
	t.of[h.port] = append(t.of[h.port], &udpEntry{u, h})
	t.mu.Unlock()
}

func (t *udpTable) remove(u *UDP, h *holding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.of[h.port]
	for i, e := range list {
		if e.u != u {
			continue
		}
		rest := append(append([]*udpEntry(nil), list[:i]...), list[i+1:]...) // somebody may be looking through the old one
		if len(rest) == 0 {
			delete(t.of, h.port)
		} else {
			t.of[h.port] = rest
		}
		return
	}
}

func (t *udpTable) list(port uint16) []*udpEntry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.of[port]
}

// find gives the endpoint for a datagram: a connected one before a bound one, a bound one before one for all addresses; of several that
// share a port by SO_REUSEPORT, one by the sender's address.
func (t *udpTable) find(src, dst netip.AddrPort) *UDP {
	var best *UDP
	score, n := 0, 0
	for _, e := range t.list(dst.Port()) {
		s := e.score(src, dst)
		switch {
		case s == 0 || s < score:
		case s > score:
			best, score, n = e.u, s, 1
		case e.h.reusePort:
			if n++; spread(src)%uint32(n) == 0 {
				best = e.u
			}
		}
	}
	return best
}

// score says how well an endpoint matches; 0: not at all.
func (e *udpEntry) score(src, dst netip.AddrPort) int {
	if !e.h.takes(dst.Addr()) {
		return 0
	}
	s := 1
	if !e.h.addr.IsUnspecified() {
		s += 2
	}
	remote := e.u.Remote()
	if !remote.IsValid() {
		return s
	}
	if remote.Port() != src.Port() || remote.Addr().WithZone("") != src.Addr().WithZone("") || e.u.Local().Addr().WithZone("") != dst.Addr().WithZone("") {
		return 0
	}
	return s + 4
}

// takes tells whether what is sent to dst belongs to h.
func (h *holding) takes(dst netip.Addr) bool {
	if h.addr.IsUnspecified() {
		return h.addr.Is4() == dst.Is4() || h.addr.Is6() && h.dual
	}
	return h.addr.WithZone("") == dst.WithZone("")
}

// spread is a hash of an address, for sharing among several endpoints.
func spread(a netip.AddrPort) uint32 {
	b := a.Addr().As16()
	h := uint32(2166136261) ^ uint32(a.Port())
	for _, c := range b[8:] {
		h = (h ^ uint32(c)) * 16777619
	}
	return h ^ h>>15
}

// members gives those who receive what is sent to a group on an interface.
func (t *udpTable) members(src, dst netip.AddrPort, index int) (all []*UDP) {
	for _, e := range t.list(dst.Port()) {
		if e.u.member(src, dst, index) {
			all = append(all, e.u)
		}
	}
	return all
}

func (u *UDP) member(src, dst netip.AddrPort, index int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.hold == nil || !u.hold.addr.IsUnspecified() && u.hold.addr.WithZone("") != dst.Addr().WithZone("") || u.hold.addr.Is4() != dst.Addr().Is4() && !u.hold.dual {
		return false
	}
	if u.remote.IsValid() && u.remote != src {
		return false
	}
	return u.hears(dst.Addr(), src.Addr(), index)
}
