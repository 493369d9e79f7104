package inet

import (
	"hash/maphash"
	"net/netip"
	"sync"

	"github.com/hardtack-os/hardtack/libos/net/tcp"
)

// A tcpTable finds connections by both ends, and listeners by port. Connections are spread over shards by a seeded hash, so that nobody outside can make
// one of them long.
//
// Lock order: a connection's mutex, then the table's. Who looks up holds none.
type tcpTable struct {
	seed   maphash.Seed
	shards [64]tcpShard

	ports struct {
		sync.Mutex
		tcp.Ports
	}

	listening struct {
		sync.RWMutex
		of map[uint16][]*Listener
	}
}

// A tcpShard chains the connections of a bucket by Conn.chain: a map would spend a third of what an idle connection weighs on keys and room.
type tcpShard struct {
	sync.RWMutex
	buckets []*Conn // as many as a power of two
	n       int     // connections
}

func newTCPTable() *tcpTable {
	t := &tcpTable{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].buckets = make([]*Conn, 1)
	}
	t.ports.First, t.ports.Last = firstEphemeral, lastEphemeral
	t.listening.of = map[uint16][]*Listener{}
	return t
}

// key is a tuple without zones: a link-local address is looked up without knowing which link it came by.
func key(t tcp.Tuple) tcp.Tuple {
	return tcp.Tuple{Local: unzoned(t.Local), Remote: unzoned(t.Remote)}
}

func unzoned(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Zone() == "" {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// shard gives where k belongs, and its hash there.
func (t *tcpTable) shard(k tcp.Tuple) (*tcpShard, uint64) {
	h := maphash.Comparable(t.seed, k)
	n := uint64(len(t.shards))
	return &t.shards[h%n], h / n
}

// find gives the link that leads to the connection with the ends k, or the last of its chain.
func (s *tcpShard) find(k tcp.Tuple, h uint64) **Conn {
	at := &s.buckets[h&uint64(len(s.buckets)-1)]
	for *at != nil && key((*at).tuple) != k {
		at = &(*at).chain
	}
	return at
}

// grow makes room for as many connections again.
func (t *tcpTable) grow(s *tcpShard) {
	old := s.buckets
	s.buckets = make([]*Conn, 2*len(old))
	for _, c := range old {
		for c != nil {
			next := c.chain
			_, h := t.shard(key(c.tuple))
			at := &s.buckets[h&uint64(len(s.buckets)-1)]
			c.chain, *at = *at, c
			c = next
		}
	}
}

func (t *tcpTable) get(k tcp.Tuple) *Conn {
	s, h := t.shard(k)
	s.RLock()
	defer s.RUnlock()
	return *s.find(k, h)
}

// put enters c unless another has its ends.
func (t *tcpTable) put(c *Conn) bool {
	k := key(c.tuple)
	s, h := t.shard(k)
	s.Lock()
	defer s.Unlock()
	at := s.find(k, h)
	if *at != nil {
		return false
	}
	*at = c
	if s.n++; s.n > len(s.buckets) {
		t.grow(s)
	}
	return true
}

// add enters c, and finds a local port for it where its own is 0.
func (t *tcpTable) add(c *Conn, secret *tcp.Secret) bool {
	if c.tuple.Local.Port() != 0 {
		return t.put(c)
	}
	local := c.tuple.Local.Addr()
	t.ports.Lock()
	defer t.ports.Unlock()
	_, ok := t.ports.Pick(secret, c.tuple, func(port uint16) bool {
		c.tuple.Local = netip.AddrPortFrom(local, port)
		return t.taken(port) || !t.put(c)
	})
	return ok
}

// taken tells whether a port is a listener's: a connection from there could meet itself.
func (t *tcpTable) taken(port uint16) bool {
	t.listening.RLock()
	defer t.listening.RUnlock()
	return len(t.listening.of[port]) > 0
}

func (t *tcpTable) remove(c *Conn) {
	k := key(c.tuple)
	s, h := t.shard(k)
	s.Lock()
	defer s.Unlock()
	if at := s.find(k, h); *at == c {
		*at, c.chain = c.chain, nil
		s.n--
	}
}

// all gives every connection.
func (t *tcpTable) all() (list []*Conn) {
	for i := range t.shards {
		s := &t.shards[i]
		s.RLock()
		for _, c := range s.buckets {
			for ; c != nil; c = c.chain {
				list = append(list, c)
			}
		}
		s.RUnlock()
	}
	return list
}

// count is how many connections there are.
func (t *tcpTable) count() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.RLock()
		n += s.n
		s.RUnlock()
	}
	return n
}

func (t *tcpTable) listen(l *Listener) {
	t.listening.Lock()
	t.listening.of[l.hold.port] = append(t.listening.of[l.hold.port], l)
	t.listening.Unlock()
}

func (t *tcpTable) unlisten(l *Listener) {
	t.listening.Lock()
	defer t.listening.Unlock()
	port := l.hold.port
	var rest []*Listener // a new list: somebody may be looking through the old one
	for _, o := range t.listening.of[port] {
		if o != l {
			rest = append(rest, o)
		}
	}
	if rest == nil {
		delete(t.listening.of, port)
	} else {
		t.listening.of[port] = rest
	}
}

// listener gives who listens at an address: one for it alone before one for all; of several with SO_REUSEPORT one by the peer's address.
func (t *tcpTable) listener(k tcp.Tuple) *Listener {
	t.listening.RLock()
	list := t.listening.of[k.Local.Port()]
	t.listening.RUnlock()
	var best *Listener
	score, n := 0, uint32(0)
	for _, l := range list {
		if !l.hold.takes(k.Local.Addr()) {
			continue
		}
		s := 1
		if !l.hold.addr.IsUnspecified() {
			s = 2
		}
		switch {
		case s > score:
			best, score, n = l, s, 1
		case s == score:
			if n++; spread(k.Remote)%n == 0 {
				best = l
			}
		}
	}
	return best
}
