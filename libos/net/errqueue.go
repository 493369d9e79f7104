package inet

import (
	"bytes"
	"net/netip"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// The queue of errors (IP_RECVERR of ip(7)), and what errors of ICMP mean.

// A Trouble is what became of a message that was sent, with as much of it as is known: struct sock_extended_err of ip(7).
type Trouble struct {
	Errno      syscall.Errno
	Origin     Origin
	Type, Code uint8
	MTU        int            // with EMSGSIZE
	From       netip.Addr     // who tells, where that is another host
	To         netip.AddrPort // whom the message was for
	Index      int            // of the interface that it was told by
	Payload    []byte         // of the message, as far as it was quoted
}

// Origin is who has found an error.
type Origin uint8

// Origins, numbered as ip(7) has them.
const (
	FromLocal Origin = 1
	FromICMP  Origin = 2
	FromICMP6 Origin = 3
)

// maxTroubles bounds the queue; what comes when it is full is dropped, as there.
const maxTroubles = 64

// trouble enters an error. hard: one that will not pass. mu is not held.
func (u *Endpoint) trouble(t Trouble, hard bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.closed:
		return
	case u.opts.RecvErr:
		if len(u.troubles) < maxTroubles {
			t.Payload = bytes.Clone(t.Payload)
			u.troubles = append(u.troubles, t)
		}
	case !hard || !u.remote.IsValid():
		return
	}
	u.err = t.Errno
	u.happened(Failed)
}

// TryRecvError takes the oldest error out of the queue and copies of its message what there is room for: MSG_ERRQUEUE.
func (u *Endpoint) TryRecvError(p []byte) (n int, t Trouble, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.troubles) == 0 {
		return 0, t, syscall.EAGAIN
	}
	t = u.troubles[0]
	u.troubles[0] = Trouble{}
	u.troubles = u.troubles[1:]
	if u.err = 0; len(u.troubles) > 0 {
		u.err = u.troubles[0].Errno // the next call is told of the next one
	} else {
		u.troubles = nil
	}
	return copy(p, t.Payload), t, nil
}

// Discovery is what is done about the MTU of a path: IP_MTU_DISCOVER of ip(7).
type Discovery uint8

// The ways, numbered as on Linux.
const (
	DiscoverDont      Discovery = iota // routers may cut packets
	DiscoverWant                       // packets that are too long for what is known of the path are cut here, others go whole or not at all
	DiscoverDo                         // those are EMSGSIZE
	DiscoverProbe                      // what is known of the path does not count
	DiscoverInterface                  // as DiscoverProbe, but routers may cut
	DiscoverOmit                       // and longer ones are cut here
)

// out adds to how a packet is sent what a way of discovery asks for.
func (d Discovery) out(o ip.Out) ip.Out {
	o.Fragment = d != DiscoverDo && d != DiscoverProbe && d != DiscoverInterface
	o.DontFragment = d == DiscoverWant || d == DiscoverDo || d == DiscoverProbe
	o.AnyMTU = d >= DiscoverProbe
	return o
}

// PathMTU is that of the path to whom the endpoint is connected to (IP_MTU); ENOTCONN: to nobody.
func (u *Endpoint) PathMTU() (int, error) {
	u.mu.Lock()
	to, from := u.remote, u.local.Addr()
	u.mu.Unlock()
	if !to.IsValid() {
		return 0, syscall.ENOTCONN
	}
	via, e := u.s.pathTo(to.Addr(), from, 0)
	if to.Addr().Is4() {
		via.mtu = min(via.mtu, 65535) // no packet of IPv4 is longer, whatever the interface
	}
	return int(via.mtu), errOf(e)
}

// icmpErrno says an ICMP error as an errno (Linux's icmp_err_convert and its twin for IPv6), and whether it is one that will not pass.
func icmpErrno(e *ip.Error) (syscall.Errno, bool) {
	table := unreachable4[:]
	if e.Remote.Addr().Is6() {
		table = unreachable6[:]
	}
	switch {
	case e.Err == ip.ErrMTU:
		return syscall.EMSGSIZE, true
	case e.Err == ip.ErrTimeExceeded:
		return syscall.EHOSTUNREACH, false
	case e.Type == wire.ICMPUnreachable && e.Remote.Addr().Is4(), e.Type == wire.ICMP6Unreachable && e.Remote.Addr().Is6():
		if int(e.Code) < len(table) {
			return table[e.Code].e, table[e.Code].hard
		}
		return syscall.EHOSTUNREACH, true
	}
	return syscall.EPROTO, true
}

var unreachable4 = [...]struct {
	e    syscall.Errno
	hard bool
}{
	{syscall.ENETUNREACH, false}, {syscall.EHOSTUNREACH, false}, {syscall.ENOPROTOOPT, true}, {syscall.ECONNREFUSED, true}, {syscall.EMSGSIZE, false}, {syscall.EOPNOTSUPP, false},
	{syscall.ENETUNREACH, true}, {syscall.EHOSTDOWN, true}, {syscall.ENONET, true}, {syscall.ENETUNREACH, true}, {syscall.EHOSTUNREACH, true}, {syscall.ENETUNREACH, false},
	{syscall.EHOSTUNREACH, false}, {syscall.EHOSTUNREACH, true}, {syscall.EHOSTUNREACH, true}, {syscall.EHOSTUNREACH, true},
}

var unreachable6 = [...]struct {
	e    syscall.Errno
	hard bool
}{
	{syscall.ENETUNREACH, false}, {syscall.EACCES, true}, {syscall.EHOSTUNREACH, false}, {syscall.EHOSTUNREACH, false}, {syscall.ECONNREFUSED, true}, {syscall.EACCES, true}, {syscall.EACCES, true},
}

// troubleOf makes an endpoint's error of one of ICMP's; header is how much of what is quoted the endpoint has not sent itself.
func troubleOf(e *ip.Error, index, header int) (t Trouble, hard bool) {
	t = Trouble{Origin: FromICMP, Type: e.Type, Code: e.Code, From: e.From, To: e.Remote, Index: index, MTU: e.MTU, Payload: e.Quoted[min(header, len(e.Quoted)):]}
	if e.Remote.Addr().Is6() {
		t.Origin = FromICMP6
		t.From, t.To = zoned(t.From, index), netip.AddrPortFrom(zoned(t.To.Addr(), index), t.To.Port())
	}
	t.Errno, hard = icmpErrno(e)
	return t, hard
}
