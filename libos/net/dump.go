package inet

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
)

// ended sums up what connections that are no more have counted.
type ended struct {
	sync.Mutex
	tcp.Stats
}

func (e *ended) add(c *tcp.Conn) {
	i := c.Info()
	e.Lock()
	e.Stats.Add(&i.Stats)
	e.Unlock()
}

// A Drop is a reason why packets were dropped, and how many were.
type Drop struct {
	Why   string
	Count uint64
}

// Dropped gives the count of every reason for which the stack drops packets, those that never happened too.
func (s *Stack) Dropped() (list []Drop) {
	s.host.Counts(func(r ip.Reason, n uint64) {
		switch r {
		case ip.Reassembled, ip.PacketsIn, ip.PacketsOut, ip.FragmentsOut:
		default:
			list = append(list, Drop{"ip: " + r.String(), n})
		}
	})
	c := &s.Counters
	for _, x := range []struct {
		why string
		n   *atomic.Uint64
	}{
		{"ip: unknown protocol", &c.NoProtocol}, {"ip: no route", &c.NoRoute}, {"ip: no memory to send", &c.NoMemory}, {"loopback: queue full", &c.LoopbackFull},
		{"udp: nobody listens", &c.UDPNoEndpoint}, {"udp: malformed", &c.UDPMalformed}, {"udp: checksum", &c.UDPChecksum},
		{"tcp: nobody listens", &c.TCPNoEndpoint}, {"tcp: malformed", &c.TCPMalformed}, {"tcp: checksum", &c.TCPChecksum}, {"tcp: from or to many hosts", &c.TCPAddress},
		{"tcp: backlog full", &c.TCPBacklog}, {"tcp: no such cookie", &c.TCPCookie},
	} {
		list = append(list, Drop{x.why, x.n.Load()})
	}
	for _, c := range *s.cards.Load() {
		if c == nil {
			continue
		}
		if d, ok := c.iface.Device.(link.Counting); ok {
			d.Dropped(func(why string, n uint64) { list = append(list, Drop{c.iface.Info.Name + ": " + why, n}) })
		}
	}
	all := s.Segments()
	return append(list, Drop{"tcp: not acceptable", all.Unacceptable}, Drop{"tcp: old timestamp", all.OldTimestamps}, Drop{"tcp: duplicate data", all.Duplicates},
		Drop{"tcp: connection holds too much", all.NoMemory}, Drop{"tcp: too many holes", all.Holes})
}

// Dump writes what netstat and ss would: listeners, connections, endpoints of UDP, what was dropped and why, memory. It takes each endpoint's lock for a moment.
func (s *Stack) Dump(w io.Writer) error {
	b := bufio.NewWriter(w)
	var lines []string
	line := func(proto string, in, out int, local, remote netip.AddrPort, state, more string) {
		peer := "*"
		if remote.IsValid() {
			peer = remote.String()
		}
		lines = append(lines, fmt.Sprintf("%-5s %8d %8d %-24s %-24s %-12s %s", proto, in, out, local, peer, state, more))
	}
	flush := func() {
		sort.Strings(lines)
		for _, l := range lines {
			fmt.Fprintln(b, strings.TrimRight(l, " "))
		}
		lines = lines[:0]
	}
	fmt.Fprintf(b, "%-5s %8s %8s %-24s %-24s %-12s\n", "proto", "recv-q", "send-q", "local", "remote", "state")
	for _, l := range s.tcp.listeners() {
		l.mu.Lock()
		c := &l.core
		more := fmt.Sprintf("half-open %d, cookies %d (wrong %d), dropped %d", c.Half(), c.Cookies, c.BadCookies, c.Dropped) + waiting(l.hook)
		line("tcp", c.Ready(), c.Backlog, l.Addr(), netip.AddrPort{}, "LISTEN", more)
		l.mu.Unlock()
	}
	flush()
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1fms", float64(d)/1e6) }
	for _, c := range s.Conns() {
		i := c.Info()
		more := fmt.Sprintf("rtt %s rto %s mss %d cwnd %d in-flight %d peer-window %d", ms(i.RTT), ms(i.RTO), i.MSS, i.Window, i.InFlight, i.PeerWindow)
		if n := i.Stats.Resent; n > 0 {
			more += fmt.Sprintf(" resent %d", n)
		}
		if i.Backoff > 0 {
			more += fmt.Sprintf(" backoff %d", i.Backoff)
		}
		more += c.waiting()
		more += fmt.Sprintf(" in %d out %d copied %d/%d", i.Stats.BytesIn, i.Stats.BytesOut, i.Stats.CopiedIn, i.Stats.CopiedOut)
		line("tcp", i.RecvQueue, i.SendQueue, c.Local(), c.Remote(), i.State.String(), more)
	}
	flush()
	for _, u := range s.udp.all() {
		u.mu.Lock()
		local, remote, queued, dropped := u.local, u.remote, u.bytes.Len(), u.Dropped
		u.mu.Unlock()
		more := ""
		if dropped > 0 {
			more = fmt.Sprintf("dropped %d", dropped)
		}
		more = strings.TrimPrefix(more+u.waiting(), " ")
		line("udp", queued, 0, local, remote, "", more)
	}
	flush()
	for _, d := range s.Dropped() {
		if d.Count > 0 {
			fmt.Fprintf(b, "dropped %d: %s\n", d.Count, d.Why)
		}
	}
	for _, m := range s.Memory() {
		fmt.Fprintf(b, "memory %s: %d of %d blocks of %d bytes, %d times none\n", m.Name, m.InUse, m.Limit, m.Size, m.Failed)
	}
	return b.Flush()
}

// A Waited is a Hook that knows which goroutines wait for its endpoint, by number, to read or to write.
type Waited interface {
	Waiting(f func(goroutine uint64, write bool))
}

// waiting says who waits behind a hook, whose endpoint's lock is held.
func waiting(h Hook) (text string) {
	if w, ok := h.(Waited); ok {
		w.Waiting(func(goroutine uint64, write bool) {
			how := " read"
			if write {
				how = " written"
			}
			text += fmt.Sprintf("%s by goroutine %d", how, goroutine)
		})
	}
	return text
}

func (c *Conn) waiting() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return waiting(c.hook)
}

func (u *Endpoint) waiting() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return waiting(u.hook)
}

// Waiting calls f for each goroutine that waits for an endpoint, and says for what, as "tcp 10.0.0.1:80 10.0.0.2:4711 read".
func (s *Stack) Waiting(f func(goroutine uint64, what string)) {
	tell := func(h Hook, what string) {
		if w, ok := h.(Waited); ok {
			w.Waiting(func(goroutine uint64, write bool) {
				if write {
					f(goroutine, what+" write")
				} else {
					f(goroutine, what+" read")
				}
			})
		}
	}
	for _, l := range s.tcp.listeners() {
		l.mu.Lock()
		tell(l.hook, "tcp "+l.Addr().String())
		l.mu.Unlock()
	}
	for _, c := range s.Conns() {
		c.mu.Lock()
		tell(c.hook, "tcp "+c.Local().String()+" "+c.Remote().String())
		c.mu.Unlock()
	}
	for _, u := range s.udp.all() {
		u.mu.Lock()
		what := "udp " + u.local.String()
		if u.remote.IsValid() {
			what += " " + u.remote.String()
		}
		tell(u.hook, what)
		u.mu.Unlock()
	}
}

// listeners gives all of TCP's.
func (t *tcpTable) listeners() (all []*Listener) {
	t.listening.RLock()
	defer t.listening.RUnlock()
	for _, list := range t.listening.of {
		all = append(all, list...)
	}
	return all
}

// all gives every endpoint.
func (t *udpTable) all() (list []*UDP) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, es := range t.of {
		for _, e := range es {
			list = append(list, e.u)
		}
	}
	return list
}
