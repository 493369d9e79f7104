package inet

import (
	"net/netip"
	"syscall"
)

// A UDP is an endpoint of UDP (RFC 768). Its Try methods never wait: EAGAIN is told, and later the Hook. Errors are syscall.Errno, with Linux's
// meanings.
type UDP struct {
	Endpoint
	hold *holding // nil: not bound. Endpoint.mu
}

// NewUDP makes an endpoint for IPv4, or for IPv6 and IPv4.
func (s *Stack) NewUDP(v6 bool, h Hook) *UDP {
	return &UDP{Endpoint: newEndpoint(s, v6, h)}
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

// source is the address that datagrams have, or invalid: as the route has it. That of a connected one stays.
func (u *UDP) source() netip.Addr {
	if u.remote.IsValid() {
		return u.local.Addr()
	}
	return u.boundAddr()
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
	n, err := u.TryQueue(p, to, with)
	u.s.flush()
	return n, err
}

// TryQueue is TrySend, but the device need not be told yet: Stack.Flush, which the sender owes, is for all that was queued. Telling a device costs as much as a datagram itself.
func (u *UDP) TryQueue(p []byte, to netip.AddrPort, with *Info) (int, error) {
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
	d := udpOut{to: to, port: u.hold.port, src: u.source(), ttl: u.opts.TTL, tos: u.opts.TOS, broadcast: u.opts.Broadcast, discover: u.opts.Discover, segment: u.opts.Segment}
	queue := u.opts.RecvErr
	d.group(&u.opts)
	u.mu.Unlock()
	d.with(with)
	if e := u.s.queueUDP(&u.last, &d, p); e != 0 {
		if queue && e == syscall.EMSGSIZE && d.mtu > 0 {
			u.trouble(Trouble{Errno: e, Origin: FromLocal, MTU: d.mtu, To: to, Payload: p}, false)
			u.TakeError() // the call itself tells it
		}
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
	discover        Discovery
	segment         int // bytes of each datagram; 0: it is one

	mtu int // set with EMSGSIZE: what the path takes
}

// group takes what is special about a multicast from the options.
func (d *udpOut) group(o *UDPOptions) {
	if !d.to.Addr().IsMulticast() {
		return
	}
	d.index, d.loop = o.MulticastIndex, !o.NoLoop
	if d.ttl = o.MulticastTTL; d.ttl < 0 {
		d.ttl = 1
	}
}

// with takes what was said for this message only.
func (d *udpOut) with(i *Info) {
	if i == nil {
		return
	}
	if i.To.IsValid() {
		d.src = i.To
	}
	if i.Interface != 0 {
		d.index = i.Interface
	}
	if i.TTL != 0 {
		d.ttl = int(i.TTL)
	}
	if i.TOS != 0 {
		d.tos = int(i.TOS)
	}
	if i.Segment != 0 {
		d.segment = i.Segment
	}
}

// Close ends the endpoint.
func (u *UDP) Close() {
	u.mu.Lock()
	h := u.hold
	u.hold, u.closed = nil, true
	u.mu.Unlock()
	u.drop()
	if h != nil {
		u.s.udp.remove(u, h)
		u.s.udpPorts.drop(h)
	}
}
