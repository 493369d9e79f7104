package inet

import (
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A way is where an endpoint's last datagram went, for the next one to the same address: finding it costs as much as all the rest of sending a small one. It holds until something
// changes in the network layer, and for a second at most, for path MTUs age.
type way struct {
	mu    sync.Mutex // held while a datagram is sent by it. Under it no endpoint's mutex is taken
	to    netip.Addr
	src   netip.Addr // as it was asked for
	index int        // likewise
	until tick.Time  // 0: it is for one datagram
	gen   uint64     // the network layer's when it was found
	ttl   uint8      // of via, where no other is asked for
	via   path

	frame link.Frame // what the datagram is sent in
}

const wayLife = time.Second

// find has w lead where d goes.
func (w *way) find(now tick.Time, s *Stack, d *udpOut) syscall.Errno {
	if now < w.until && w.to == d.to.Addr() && w.src == d.src && w.index == d.index && w.gen == s.host.Generation() {
		return 0
	}
	var e syscall.Errno
	w.until, w.gen = 0, s.host.Generation()
	if w.via, e = s.pathTo(d.to.Addr(), d.src, d.index); e != 0 {
		return e
	}
	w.to, w.src, w.index, w.ttl = d.to.Addr(), d.src, d.index, w.via.ttl
	if !w.via.local {
		w.until = now.Add(wayLife)
	}
	return 0
}
