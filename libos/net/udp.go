package inet

import (
	"net/netip"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/internal/fifo"
	"github.com/hardtack-os/hardtack/libos/net/ip"
)

// A UDP is an endpoint of UDP (RFC 768). Its Try methods never wait: EAGAIN is told, and later the Hook. Errors are syscall.Errno, with Linux's
// meanings.
type UDP struct {
	s    *Stack
	v6   bool // it was made for IPv6: it speaks IPv4 too, unless Only6
	hook Hook

	mu      sync.Mutex
	only6   bool
	hold    *holding // nil: not bound
	local   netip.AddrPort
	remote  netip.AddrPort // valid: connected
	err     syscall.Errno  // of a datagram that was sent, from ICMP; for a connected endpoint
	shut    Shut
	closed  bool
	opts    UDPOptions
	groups  []group
	bytes   buf.Queue // of all datagrams
	rx      fifo.Queue[datagram]
	limit   int // bytes of memory that what was received may hold on to
	Dropped uint64
}

// Shut says which ways of an endpoint were shut.
type Shut uint8

// Ways.
const (
	ShutReceive Shut = 1 << iota
	ShutSend
)

// UDPOptions are what can be set of a UDP endpoint.
type UDPOptions struct {
	TTL            int // unicast hop limit; 0: the default
	MulticastTTL   int // -1: the default, 1
	MulticastIndex int
	NoLoop         bool // multicasts are not looped back (IP_MULTICAST_LOOP off)
	TOS            int
	Broadcast      bool
	ReuseAddr      bool
	ReusePort      bool
}

// A datagram is what there is of one beside its bytes.
type datagram struct {
	n    int
	from netip.AddrPort
	info Info
}

// Info is what IP_PKTINFO, IP_RECVTTL and the like tell of a datagram.
type Info struct {
	To        netip.Addr // whom it was sent to
	Interface int
	TTL, TOS  uint8
}

// A group is a multicast group and the interface that it is listened to on, 0: any.
type group struct {
	addr   netip.Addr
	index  int
	joined *ip.Interface
}

// datagramCost is what a datagram counts against the limit beside the blocks it is in.
const datagramCost = 128

// NewUDP makes an endpoint for IPv4, or for IPv6 and IPv4.
func (s *Stack) NewUDP(v6 bool, h Hook) *UDP {
	return &UDP{s: s, v6: v6, hook: h, limit: 208 << 10, opts: UDPOptions{MulticastTTL: -1}}
}

// any is the endpoint's unspecified address.
func (u *UDP) any() netip.Addr {
	if u.v6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// Only6 is IPV6_V6ONLY.
func (u *UDP) Only6(on bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.hold != nil {
		return syscall.EINVAL
	}
	u.only6 = on
	return nil
}

// Options gives the options; SetOptions takes them as a whole.
func (u *UDP) Options() UDPOptions {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.opts
}

// SetOptions sets the options.
func (u *UDP) SetOptions(change func(*UDPOptions)) {
	u.mu.Lock()
	change(&u.opts)
	u.mu.Unlock()
}

// SetLimit sets how much memory received datagrams may hold on to.
func (u *UDP) SetLimit(n int) {
	u.mu.Lock()
	u.limit = n
	u.mu.Unlock()
}

// Bind gives the endpoint a local address; port 0 asks for a free one.
func (u *UDP) Bind(a netip.AddrPort) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.hold != nil {
		return syscall.EINVAL
	}
	return errOf(u.bind(a))
}

// bind does; mu is held.
func (u *UDP) bind(a netip.AddrPort) syscall.Errno {
	ip := a.Addr()
	if !ip.IsUnspecified() && !ip.IsMulticast() && !u.s.isLocal(ip) && !u.s.isBroadcast(ip) {
		return syscall.EADDRNOTAVAIL
	}
	h := &holding{addr: ip, port: a.Port(), dual: u.v6 && !u.only6, reuseAddr: u.opts.ReuseAddr, reusePort: u.opts.ReusePort, shares: true}
	if e := u.s.udpPorts.hold(h); e != 0 {
		return e
	}
	u.hold, u.local = h, netip.AddrPortFrom(ip, h.port)
	u.s.udp.add(u, h)
	return 0
}

// Connect sets whom it sends to and receives from; an invalid address undoes that.
func (u *UDP) Connect(a netip.AddrPort) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !a.IsValid() {
		u.remote = netip.AddrPort{}
		if u.hold != nil {
			u.local = netip.AddrPortFrom(u.hold.addr, u.hold.port)
		}
		return nil
	}
	to := a
	if to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(loopbackOf(to.Addr()), to.Port()) // as Linux
	}
	src, err := u.s.sourceFor(to.Addr(), u.boundAddr())
	if err != 0 {
		return err
	}
	if u.hold == nil {
		if e := u.bind(netip.AddrPortFrom(u.any(), 0)); e != 0 {
			return e
		}
	}
	u.remote = to
	u.local = netip.AddrPortFrom(src, u.hold.port)
	u.err = 0
	return nil
}

// boundAddr is the address that it was bound to, or invalid.
func (u *UDP) boundAddr() netip.Addr {
	if u.hold == nil || u.hold.addr.IsUnspecified() {
		return netip.Addr{}
	}
	return u.hold.addr
}

// Local is the local address; not bound: the unspecified one.
func (u *UDP) Local() netip.AddrPort {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.hold == nil {
		return netip.AddrPortFrom(u.any(), 0)
	}
	return u.local
}

// Remote is whom it is connected to, or invalid.
func (u *UDP) Remote() netip.AddrPort {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.remote
}

// TrySend sends a datagram: to whom it is connected if to is invalid. with may say from which address and interface; nil: as the route has it.
func (u *UDP) TrySend(p []byte, to netip.AddrPort, with *Info) (int, error) {
	u.mu.Lock()
	if e := u.err; e != 0 {
		u.err = 0
		u.mu.Unlock()
		return 0, e
	}
	if u.shut&ShutSend != 0 || u.closed {
		u.mu.Unlock()
		return 0, syscall.EPIPE
	}
	if !to.IsValid() {
		if to = u.remote; !to.IsValid() {
			u.mu.Unlock()
			return 0, syscall.EDESTADDRREQ
		}
	}
	if to.Port() == 0 {
		u.mu.Unlock()
		return 0, syscall.EINVAL
	}
	if to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(loopbackOf(to.Addr()), to.Port())
	}
	if u.hold == nil {
		if e := u.bind(netip.AddrPortFrom(u.any(), 0)); e != 0 {
			u.mu.Unlock()
			return 0, e
		}
	}
	d := udpOut{to: to, port: u.hold.port, src: u.boundAddr(), ttl: u.opts.TTL, tos: u.opts.TOS, broadcast: u.opts.Broadcast}
	if to.Addr().IsMulticast() {
		d.index, d.loop = u.opts.MulticastIndex, !u.opts.NoLoop
		if d.ttl = u.opts.MulticastTTL; d.ttl < 0 {
			d.ttl = 1
		}
	}
	u.mu.Unlock()
	if with != nil {
		if with.To.IsValid() {
			d.src = with.To
		}
		if with.Interface != 0 {
			d.index = with.Interface
		}
		if with.TTL != 0 {
			d.ttl = int(with.TTL)
		}
	}
	if e := u.s.sendUDP(&d, p); e != 0 {
		return 0, e
	}
	return len(p), nil
}

// A udpOut says where a datagram goes.
type udpOut struct {
	to              netip.AddrPort
	src             netip.Addr // invalid: as the route has it
	port            uint16
	index           int
	ttl, tos        int
	broadcast, loop bool
}

// A Datagram is what TryRecv says of one.
type Datagram struct {
	Size int // of all of it
	From netip.AddrPort
	Info Info
}

// TryRecv receives a datagram into p, as much of it as there is room for; peek leaves it.
func (u *UDP) TryRecv(p []byte, peek bool) (n int, d Datagram, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if e := u.err; e != 0 {
		u.err = 0
		return 0, d, e
	}
	if u.rx.Len() == 0 {
		return 0, d, syscall.EAGAIN
	}
	r := u.rx.At(0)
	d = Datagram{Size: r.n, From: r.from, Info: r.info}
	n = min(len(p), r.n)
	u.bytes.CopyAt(p[:n], 0)
	if !peek {
		u.bytes.Discard(r.n)
		u.rx.Pop()
	}
	return n, d, nil
}

// Queued is how many bytes the next datagram has.
func (u *UDP) Queued() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rx.Len() == 0 {
		return 0
	}
	return u.rx.At(0).n
}

// TakeError gives the error that ICMP brought, once: SO_ERROR.
func (u *UDP) TakeError() syscall.Errno {
	u.mu.Lock()
	defer u.mu.Unlock()
	e := u.err
	u.err = 0
	return e
}

// Shutdown shuts ways. ENOTCONN, as on Linux, where it is not connected; the ways are shut all the same.
func (u *UDP) Shutdown(w Shut) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.shut |= w
	u.happened(u.ready())
	if !u.remote.IsValid() {
		return syscall.ENOTCONN
	}
	return nil
}

// Ready says what would not block.
func (u *UDP) Ready() Events {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ready()
}

func (u *UDP) ready() Events {
	ev := Writable
	if u.rx.Len() > 0 {
		ev |= Readable
	}
	if u.shut&ShutReceive != 0 {
		ev |= Readable | EOF
	}
	if u.shut == ShutReceive|ShutSend {
		ev |= HangUp
	}
	if u.err != 0 {
		ev |= Failed
	}
	return ev
}

func (u *UDP) happened(ev Events) {
	if u.hook != nil {
		u.hook.Happened(ev)
	}
}

// Close ends the endpoint.
func (u *UDP) Close() {
	u.mu.Lock()
	h, groups := u.hold, u.groups
	u.closed, u.hold, u.groups = true, nil, nil
	u.bytes.Clear()
	u.rx.All()
	u.mu.Unlock()
	if h != nil {
		u.s.udp.remove(u, h)
		u.s.udpPorts.drop(h)
	}
	for i := range groups {
		u.s.leave(&groups[i])
	}
}

// Join makes it receive what is sent to a group on an interface, 0: where the route to it leads.
func (u *UDP) Join(addr netip.Addr, index int) error {
	if !addr.IsMulticast() {
		return syscall.EINVAL
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	g := group{addr: addr, index: index}
	for _, have := range u.groups {
		if have.addr == addr && have.index == index {
			return syscall.EADDRINUSE
		}
	}
	if e := u.s.join(&g); e != 0 {
		return e
	}
	u.groups = append(u.groups, g)
	return nil
}

// Leave ends what Join began.
func (u *UDP) Leave(addr netip.Addr, index int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, have := range u.groups {
		if have.addr == addr && have.index == index {
			u.groups = append(u.groups[:i], u.groups[i+1:]...)
			u.s.leave(&have)
			return nil
		}
	}
	return syscall.EADDRNOTAVAIL
}

// deliver takes a datagram's bytes over, which are those of refs, or drops them.
func (u *UDP) deliver(d datagram, refs []buf.Ref) {
	u.mu.Lock()
	defer u.mu.Unlock()
	cost := datagramCost * (u.rx.Len() + 1)
	for i := range refs {
		cost += blockSize(refs[i])
	}
	if u.closed || u.shut&ShutReceive != 0 || u.bytes.Held()+cost > u.limit {
		u.Dropped++
		release(refs)
		return
	}
	for i := range refs {
		u.bytes.Append(refs[i])
		refs[i] = buf.Ref{}
	}
	u.rx.Push(d)
	u.happened(Readable)
}

// fail tells of an ICMP error.
func (u *UDP) fail(e syscall.Errno) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.remote.IsValid() && !u.closed {
		u.err = e
		u.happened(Failed)
	}
}

func blockSize(r buf.Ref) int {
	if r.Block() == nil {
		return 0
	}
	return r.Block().Size()
}

func release(refs []buf.Ref) {
	for i := range refs {
		refs[i].Release()
	}
}

func errOf(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// loopbackOf is the loopback address of a's family.
func loopbackOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}
