package socket

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Servers of names and of time, from wherever the image learns of them.

// known is what was learnt of name servers.
var known atomic.Pointer[resolver]

// A nameSource is name servers and the like from one source.
type nameSource struct {
	index   int // of the card whose lease it is
	servers []netip.Addr
	search  []string
	times   []netip.Addr // time servers
}

// TimeServers gives those that leases name (RFC 2132, 8.3): libos/net/ntp asks them where it is told so. It waits, as a first socket does, until the cards are configured.
func TimeServers() (all []netip.Addr) {
	stack()
	relearning.Lock()
	defer relearning.Unlock()
	for _, l := range leased {
		all = append(all, l.times...)
	}
	return all
}

// configured is what the command line says of them.
var configured atomic.Pointer[nameSource]

// relearning keeps what is known in order: changes may come on several goroutines.
var relearning sync.Mutex

// leased is what leases say, one a card, in the cards' order. relearning
var leased []*nameSource

// relearn puts together what is known of name servers, and notes when that has changed.
func relearn() {
	relearning.Lock()
	defer relearning.Unlock()
	var r resolver
	all := append([]*nameSource{configured.Load()}, leased...)
	if s := theStack.Load(); s != nil {
		servers, search := s.Host().Learned()
		all = append(all, &nameSource{servers: servers, search: search})
	}
	for _, x := range all {
		if x == nil {
			continue
		}
		r.servers = append(r.servers, x.servers...)
		for _, d := range x.search {
			if !slices.Contains(r.search, d) {
				r.search = append(r.search, d)
			}
		}
	}
	old := known.Load()
	if old != nil && slices.Equal(old.servers, r.servers) && slices.Equal(old.search, r.search) {
		return
	}
	if r.changed = time.Now().Unix(); old != nil {
		r.changed = max(r.changed, old.changed+1) // who looks at the time sees two changes within a second, too
	}
	known.Store(&r)
}

// learn notes what a card's lease says of servers, a nil one nothing.
func learn(index int, l *nameSource) {
	relearning.Lock()
	leased = slices.DeleteFunc(leased, func(x *nameSource) bool { return x.index == index })
	if l != nil {
		l.index = index
		leased = append(leased, l)
		slices.SortFunc(leased, func(a, b *nameSource) int { return a.index - b.index })
	}
	relearning.Unlock()
	relearn()
}

func init() {
	interfaces = listInterfaces
	resolvers = func() resolver {
		stack() // waits until the cards are configured: a program whose first act is to look up a name asks whom the network names
		if r := known.Load(); r != nil {
			return *r
		}
		return resolver{changed: 1}
	}
}
