package socket

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
	"unique"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// A tcpSocket is a SOCK_STREAM socket of AF_INET or AF_INET6. It becomes a listener or a connection once.
//
// Lock order: mu, then an endpoint's own.
type tcpSocket struct {
	base
	s *inet.Stack

	mu        sync.Mutex
	bound     *inet.Binding // until it listens or connects
	listener  *inet.Listener
	conn      *inet.Conn
	connected bool                           // it was told that the connection is made
	options   unique.Handle[inet.TCPOptions] // connections of a server have the same, and one copy of them
	kept      []taken                        // advices
	released  bool
}

func newTCP(s *inet.Stack, family int) *tcpSocket {
	t := &tcpSocket{s: s, options: unique.Make(inet.DefaultTCPOptions())}
	t.family = family
	t.opts.init()
	t.opts.send.Store(16 << 10) // what Linux says of a socket whose buffers adjust themselves
	t.opts.recv.Store(128 << 10)
	return t
}

// Bind implements sock.Socket.
func (t *tcpSocket) Bind(a *sock.Addr) syscall.Errno {
	ap, e := t.localAddr(a)
	if e != 0 {
		return e
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bound != nil || t.listener != nil || t.conn != nil {
		return syscall.EINVAL
	}
	return t.bind(ap)
}

// bind claims an address; mu is held.
func (t *tcpSocket) bind(ap netip.AddrPort) syscall.Errno {
	b, err := t.s.BindTCP(ap, t.dual(), t.opts.has(flagReuseAddr), t.opts.has(flagReusePort))
	if err != nil {
		return errno(err)
	}
	t.bound = b
	return 0
}

// Listen implements sock.Socket.
func (t *tcpSocket) Listen(backlog int) syscall.Errno {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.listener != nil:
		t.listener.SetBacklog(backlog)
		return 0
	case t.conn != nil:
		return syscall.EINVAL
	}
	if t.bound == nil {
		if e := t.bind(netip.AddrPortFrom(t.any(), 0)); e != 0 {
			return e
		}
	}
	l, err := t.bound.Listen(backlog, t.options.Value(), t)
	if err != nil {
		return errno(err)
	}
	t.listener, t.bound = l, nil
	return 0
}

// Accept implements sock.Socket.
func (t *tcpSocket) Accept() (sock.Socket, syscall.Errno) {
	t.mu.Lock()
	l := t.listener
	t.mu.Unlock()
	if l == nil {
		return nil, syscall.EINVAL
	}
	c, err := l.TryAccept()
	if err != nil {
		return nil, errno(err)
	}
	s := &tcpSocket{s: t.s, conn: c, connected: true}
	s.family, s.opts = t.family, t.opts
	t.mu.Lock()
	s.options, s.kept = t.options, slices.Clone(t.kept)
	t.mu.Unlock()
	s.only6.Store(t.only6.Load())
	c.SetHook(s)
	return s, 0
}

// Connect implements sock.Socket.
func (t *tcpSocket) Connect(a *sock.Addr) syscall.Errno {
	if a.Family() == syscall.AF_UNSPEC {
		return syscall.EOPNOTSUPP // Linux takes a connection apart; nobody has asked for that
	}
	to, e := t.addr(a)
	if e != 0 {
		return e
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listener != nil {
		return syscall.EISCONN
	}
	if c := t.conn; c != nil {
		if t.connected {
			return syscall.EISCONN
		}
		if e := c.TakeError(); e != 0 {
			return e
		}
		if !c.Connected() {
			return syscall.EALREADY
		}
		t.connected = true
		return 0
	}
	var c *inet.Conn
	var err error
	if t.bound != nil {
		c, err = t.s.DialBound(t.bound, to, t.options.Value(), t)
	} else {
		c, err = t.s.Dial(netip.AddrPort{}, to, t.options.Value(), t)
	}
	if err != nil {
		return errno(err)
	}
	t.conn, t.bound = c, nil
	return syscall.EINPROGRESS
}

// Name implements sock.Socket.
func (t *tcpSocket) Name(a *sock.Addr) syscall.Errno {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.conn != nil:
		t.put(a, t.conn.Local())
	case t.listener != nil:
		t.put(a, t.listener.Addr())
	case t.bound != nil:
		t.put(a, t.bound.Addr())
	default:
		t.put(a, netip.AddrPortFrom(t.any(), 0))
	}
	return 0
}

// Peer implements sock.Socket.
func (t *tcpSocket) Peer(a *sock.Addr) syscall.Errno {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil || !t.connected && !t.conn.Connected() {
		return syscall.ENOTCONN
	}
	t.connected = true
	t.put(a, t.conn.Remote())
	return 0
}

func (t *tcpSocket) connection() *inet.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conn
}

// Send implements sock.Socket.
func (t *tcpSocket) Send(p []byte, m *sock.Sending) (int, syscall.Errno) {
	if m != nil && len(m.Files) > 0 {
		return 0, syscall.EINVAL
	}
	if m != nil && m.Flags&msgFastOpen != 0 {
		return 0, syscall.EOPNOTSUPP // as Linux where TCP Fast Open (RFC 7413) is off: programs connect first
	}
	c := t.connection()
	if c == nil {
		return 0, syscall.EPIPE
	}
	write := c.TryWrite
	if m != nil && m.Flags&syscall.MSG_OOB != 0 {
		write = c.TryWriteUrgent
	}
	n, err := write(p)
	return n, errno(err)
}

// Room implements sock.Borrower.
func (t *tcpSocket) Room() int {
	if c := t.connection(); c != nil {
		return c.Room()
	}
	return 0
}

// SendLoans implements sock.Borrower.
func (t *tcpSocket) SendLoans(list []posix.Loan) (int, syscall.Errno) {
	c := t.connection()
	if c == nil {
		return 0, syscall.EPIPE
	}
	n, err := c.TryWriteBufs(len(list), func(i int) buf.Ref {
		l := list[i]
		if l.Of == nil {
			return buf.Lend(l.Bytes, nil)
		}
		return buf.Lend(l.Bytes, l.Return)
	})
	return n, errno(err)
}

// Recv implements sock.Socket.
func (t *tcpSocket) Recv(p []byte, m *sock.Receiving) (int, syscall.Errno) {
	if m != nil && m.Flags&syscall.MSG_OOB != 0 {
		return 0, syscall.EINVAL // urgent data are in their place in the stream, as with SO_OOBINLINE
	}
	c := t.connection()
	if c == nil {
		return 0, syscall.ENOTCONN
	}
	n, err := c.TryRead(p, m != nil && m.Flags&syscall.MSG_PEEK != 0)
	return n, errno(err)
}

// Shutdown implements sock.Socket.
func (t *tcpSocket) Shutdown(how int) syscall.Errno {
	t.mu.Lock()
	l, c := t.listener, t.conn
	t.mu.Unlock()
	switch {
	case l != nil && how != syscall.SHUT_WR:
		l.Close()
		return 0
	case c == nil:
		return syscall.ENOTCONN
	}
	return errno(c.Shutdown(inet.Shut(how + 1))) // SHUT_RD, SHUT_WR and SHUT_RDWR are 0, 1 and 2
}

// AtMark is SIOCATMARK: whether the next byte to be read is the last urgent one.
func (t *tcpSocket) AtMark() bool {
	c := t.connection()
	return c != nil && c.Urgent() == 1
}

// Queued is FIONREAD.
func (t *tcpSocket) Queued() int {
	if c := t.connection(); c != nil {
		return c.Queued()
	}
	return 0
}

// Ready implements sock.Socket.
func (t *tcpSocket) Ready() posix.Events {
	t.mu.Lock()
	l, c := t.listener, t.conn
	t.mu.Unlock()
	switch {
	case l != nil:
		return events(l.Ready())
	case c != nil:
		return events(c.Ready())
	}
	return posix.Out | posix.OutN | posix.Hup
}

// Release implements sock.Socket.
func (t *tcpSocket) Release() {
	t.mu.Lock()
	b, l, c := t.bound, t.listener, t.conn
	t.released = true
	t.mu.Unlock()
	switch {
	case b != nil:
		b.Close()
	case l != nil:
		l.Close()
	case c != nil:
		switch linger := t.opts.linger.Load(); linger {
		case 0:
			c.Close(false)
		case 1: // SO_LINGER with no time
			c.Close(true)
		default:
			c.CloseWithin(time.Duration(linger-1) * time.Second) // whether the descriptor blocks or not, as on Linux
		}
	}
}

// apply changes the options of the connection, or of those that a listener makes from now on.
func (t *tcpSocket) apply(change func(o *inet.TCPOptions)) syscall.Errno {
	t.mu.Lock()
	c, l, o := t.conn, t.listener, t.options.Value()
	change(&o)
	t.options = unique.Make(o)
	t.mu.Unlock()
	switch {
	case c != nil:
		c.SetOptions(o)
	case l != nil:
		l.SetOptions(o)
	}
	return 0
}

// msgFastOpen is MSG_FASTOPEN of tcp(7).
const msgFastOpen = 0x20000000

// Options of TCP that package syscall does not name: tcp(7). TCP_FASTOPEN and TCP_FASTOPEN_CONNECT (RFC 7413) are refused as unknown.
const (
	tcpUserTimeout = 18
	tcpThinLinear  = 16
	tcpNotSent     = 25
)

// SetOption implements sock.Socket.
func (t *tcpSocket) SetOption(level, name int, v []byte) syscall.Errno {
	switch level {
	case syscall.SOL_SOCKET:
		return t.setSocketOption(name, v)
	case syscall.IPPROTO_TCP:
		return t.setTCPOption(name, v)
	case syscall.IPPROTO_IP, syscall.IPPROTO_IPV6:
		return t.setIPOption(level, name, v)
	}
	return syscall.ENOPROTOOPT
}

func (t *tcpSocket) setSocketOption(name int, v []byte) syscall.Errno {
	if name == soMaxPacing {
		return t.setMaxRate(v)
	}
	if e := t.opts.set(name, v); e != 0 {
		return e
	}
	switch name {
	case syscall.SO_REUSEADDR:
		t.mu.Lock()
		if t.bound != nil {
			t.bound.SetReuseAddr(t.opts.has(flagReuseAddr))
		}
		t.mu.Unlock()
	case syscall.SO_KEEPALIVE:
		return t.apply(func(o *inet.TCPOptions) { o.Socket.KeepAlive = t.opts.has(flagKeepAlive) })
	case syscall.SO_SNDBUF, syscall.SO_SNDBUFFORCE:
		return t.apply(func(o *inet.TCPOptions) { o.SendBuffer = t.opts.send.Load() })
	case syscall.SO_RCVBUF, syscall.SO_RCVBUFFORCE:
		return t.apply(func(o *inet.TCPOptions) { o.RecvBuffer = t.opts.recv.Load() })
	}
	return 0
}

// soMaxPacing is SO_MAX_PACING_RATE: bytes a second, as a number of 32 bits or of 64. The highest of either is that of a socket which nothing bounds, and so is 0.
const (
	soMaxPacing = 47
	anyRate     = 1<<64 - 1
)

func (t *tcpSocket) setMaxRate(v []byte) syscall.Errno {
	if len(v) < 4 {
		return syscall.EINVAL
	}
	rate := uint64(binary.NativeEndian.Uint32(v))
	if len(v) >= 8 {
		rate = binary.NativeEndian.Uint64(v)
	} else if rate == anyRate>>32 {
		rate = anyRate
	}
	if rate == anyRate {
		rate = 0
	}
	return t.apply(func(o *inet.TCPOptions) { o.MaxRate = rate })
}

// maxRate is a rate as programs are told it.
func maxRate(n uint64) uint64 {
	if n == 0 {
		return anyRate
	}
	return n
}

func (t *tcpSocket) setTCPOption(name int, v []byte) syscall.Errno {
	if name == syscall.TCP_CONGESTION {
		cc := string(v)
		for i, c := range v {
			if c == 0 {
				cc = string(v[:i])
				break
			}
		}
		switch {
		case cc == "":
			return syscall.EINVAL
		case !inet.HasCongestion(cc):
			return syscall.ENOENT
		}
		return t.apply(func(o *inet.TCPOptions) { o.Congestion = cc })
	}
	n, e := sock.Int(v)
	if e != 0 {
		return e
	}
	within := func(least, most int) bool { return n >= least && n <= most }
	switch {
	case name == syscall.TCP_NODELAY:
		return t.apply(func(o *inet.TCPOptions) { o.Socket.NoDelay = n != 0 })
	case name == syscall.TCP_CORK:
		return t.apply(func(o *inet.TCPOptions) { o.Socket.Cork = n != 0 })
	case name == syscall.TCP_QUICKACK:
		return t.apply(func(o *inet.TCPOptions) { o.Socket.QuickAck = n != 0 })
	case name == syscall.TCP_KEEPIDLE && within(1, 32767):
		return t.apply(func(o *inet.TCPOptions) { o.Socket.KeepIdle = time.Duration(n) * time.Second })
	case name == syscall.TCP_KEEPINTVL && within(1, 32767):
		return t.apply(func(o *inet.TCPOptions) { o.Socket.KeepEvery = time.Duration(n) * time.Second })
	case name == syscall.TCP_KEEPCNT && within(1, 127):
		return t.apply(func(o *inet.TCPOptions) { o.Socket.KeepCount = int32(n) })
	case name == tcpUserTimeout && n >= 0:
		return t.apply(func(o *inet.TCPOptions) { o.Socket.UserTimeout = time.Duration(n) * time.Millisecond })
	case name == syscall.TCP_SYNCNT && within(1, 127):
		return t.apply(func(o *inet.TCPOptions) { o.SynRetries = n })
	case name == syscall.TCP_LINGER2 && n >= 0:
		if n > maxLinger2 {
			n = maxLinger2
		}
		return t.apply(func(o *inet.TCPOptions) { o.FinTimeout = time.Duration(n) * time.Second })
	case name == syscall.TCP_LINGER2: // do not wait at all
		return t.apply(func(o *inet.TCPOptions) { o.FinTimeout = -time.Second })
	case name == syscall.TCP_MAXSEG && (n == 0 || within(88, 32767)):
		return t.apply(func(o *inet.TCPOptions) { o.MSS = n })
	case name == syscall.TCP_NODELAY, name == syscall.TCP_KEEPIDLE, name == syscall.TCP_KEEPINTVL, name == syscall.TCP_KEEPCNT, name == tcpUserTimeout, name == syscall.TCP_MAXSEG,
		name == syscall.TCP_SYNCNT:
		return syscall.EINVAL
	}
	return t.take(syscall.IPPROTO_TCP, name, n)
}

// maxLinger2 is the most seconds of TCP_LINGER2, and least of TCP_WINDOW_CLAMP, as Linux has them.
const (
	maxLinger2 = 120
	leastClamp = leastRecv / 2
)

// take keeps an advice.
func (t *tcpSocket) take(level, name, n int) syscall.Errno {
	switch {
	case level == syscall.IPPROTO_TCP && name == syscall.TCP_WINDOW_CLAMP && n != 0:
		n = max(n, leastClamp)
	case level == syscall.IPPROTO_TCP && name == syscall.TCP_DEFER_ACCEPT:
		n = max(n, 0)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return take(&t.kept, level, name, n)
}

func (t *tcpSocket) setIPOption(level, name int, v []byte) syscall.Errno {
	n, e := sock.Int(v)
	if e != 0 {
		if len(v) == 0 {
			return e
		}
		n, e = int(v[0]), 0 // IP options may be a byte: ip(7)
	}
	switch {
	case level == syscall.IPPROTO_IPV6 && t.family != syscall.AF_INET6:
		return syscall.ENOPROTOOPT
	case level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_V6ONLY:
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.bound != nil || t.listener != nil || t.conn != nil {
			return syscall.EINVAL
		}
		t.only6.Store(n)
		return 0
	case level == syscall.IPPROTO_IP && name == syscall.IP_TTL, level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_UNICAST_HOPS:
		if n == -1 {
			n = 0
		} else if n < 1 || n > 255 {
			return syscall.EINVAL
		}
		return t.apply(func(o *inet.TCPOptions) { o.TTL = n })
	case level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_TCLASS && (n < -1 || n > 255):
		return syscall.EINVAL
	case level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_TCLASS && n == -1:
		return t.apply(func(o *inet.TCPOptions) { o.TOS = 0 })
	case level == syscall.IPPROTO_IP && name == syscall.IP_TOS, level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_TCLASS:
		return t.apply(func(o *inet.TCPOptions) { o.TOS = n & 0xfc }) // the lower two bits are ECN's
	}
	return t.take(level, name, n)
}

// Options of IP that package syscall does not name.
const (
	ipBindNoPort      = 24
	ipv6DontFrag      = 62
	ipv6AutoFlowLabel = 70
)

// Option implements sock.Socket.
func (t *tcpSocket) Option(v []byte, level, name int) ([]byte, syscall.Errno) {
	t.mu.Lock()
	l, c, o, kept := t.listener, t.conn, t.options.Value(), t.kept
	t.mu.Unlock()
	switch {
	case level == syscall.SOL_SOCKET && name == syscall.SO_ERROR:
		if c != nil {
			return sock.AppendInt(v, int(c.TakeError())), 0
		}
		return sock.AppendInt(v, 0), 0
	case level == syscall.SOL_SOCKET && name == syscall.SO_ACCEPTCONN:
		return sock.AppendBool(v, l != nil), 0
	case level == syscall.SOL_SOCKET && name == soMaxPacing:
		return binary.NativeEndian.AppendUint64(v, maxRate(o.MaxRate)), 0
	case level == syscall.SOL_SOCKET:
		return t.opts.get(v, name)
	case level == syscall.IPPROTO_IPV6 && t.family == syscall.AF_INET:
		return nil, syscall.EOPNOTSUPP
	case level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_V6ONLY:
		return sock.AppendBool(v, t.only6.Load() != 0), 0
	case level == syscall.IPPROTO_IP && name == syscall.IP_TTL, level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_UNICAST_HOPS:
		if o.TTL == 0 {
			o.TTL = 64
		}
		return sock.AppendInt(v, o.TTL), 0
	case level == syscall.IPPROTO_IP && name == syscall.IP_TOS, level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_TCLASS:
		return sock.AppendInt(v, o.TOS), 0
	case level != syscall.IPPROTO_TCP:
		return appendAdvice(v, kept, level, name)
	}
	switch name {
	case syscall.TCP_NODELAY:
		return sock.AppendBool(v, o.Socket.NoDelay), 0
	case syscall.TCP_CORK:
		return sock.AppendBool(v, o.Socket.Cork), 0
	case syscall.TCP_QUICKACK:
		return sock.AppendBool(v, o.Socket.QuickAck), 0
	case syscall.TCP_KEEPIDLE:
		return sock.AppendInt(v, int(o.Socket.KeepIdle/time.Second)), 0
	case syscall.TCP_KEEPINTVL:
		return sock.AppendInt(v, int(o.Socket.KeepEvery/time.Second)), 0
	case syscall.TCP_KEEPCNT:
		return sock.AppendInt(v, int(o.Socket.KeepCount)), 0
	case tcpUserTimeout:
		return sock.AppendInt(v, int(o.Socket.UserTimeout/time.Millisecond)), 0
	case syscall.TCP_MAXSEG:
		if c != nil {
			return sock.AppendInt(v, c.Info().MSS), 0
		}
		if o.MSS > 0 {
			return sock.AppendInt(v, o.MSS), 0
		}
		return sock.AppendInt(v, 536), 0
	case syscall.TCP_SYNCNT:
		if o.SynRetries > 0 {
			return sock.AppendInt(v, o.SynRetries), 0
		}
		return sock.AppendInt(v, linuxSynRetries), 0
	case syscall.TCP_LINGER2:
		switch {
		case o.FinTimeout == 0:
			return sock.AppendInt(v, int(inet.FinTimeout/time.Second)), 0
		case o.FinTimeout < 0:
			return sock.AppendInt(v, -1), 0
		}
		return sock.AppendInt(v, int(o.FinTimeout/time.Second)), 0
	case syscall.TCP_CONGESTION:
		name := o.Congestion
		if name == "" {
			name = "cubic"
		}
		return append(append(v, name...), make([]byte, 16-len(name))...), 0
	case syscall.TCP_INFO:
		if c == nil {
			return appendInfo(v, nil, l != nil), 0
		}
		i := c.Info()
		return appendInfo(v, &i, false), 0
	}
	return appendAdvice(v, kept, level, name)
}

// linuxSynRetries is what TCP_SYNCNT tells where nobody has set it, as Linux does (tcp_syn_retries); here a SYN is sent again as often as RFC 9293 wants.
const linuxSynRetries = 6

// linuxStates are struct tcp_info's numbers of the states (linux/tcp.h).
var linuxStates = [...]uint8{
	tcp.Closed: 7, tcp.SynSent: 2, tcp.SynReceived: 3, tcp.Established: 1, tcp.FinWait1: 4, tcp.FinWait2: 5,
	tcp.CloseWait: 8, tcp.Closing: 11, tcp.LastAck: 9, tcp.TimeWait: 6,
}

// appendInfo appends struct tcp_info up to tcpi_snd_wnd: linux/tcp.h. What is not known is 0.
func appendInfo(v []byte, i *tcp.Info, listening bool) []byte {
	const size = 232
	b := make([]byte, size)
	b[0] = linuxStates[tcp.Closed]
	if listening {
		b[0] = 10
	}
	if i == nil {
		return append(v, b...)
	}
	b[0] = linuxStates[i.State]
	if i.Recovering {
		b[1] = 3 // TCP_CA_Recovery
	}
	b[2], b[4] = uint8(i.Backoff), uint8(i.Backoff)
	for bit, on := range []bool{i.Timestamps, i.SACK, i.SndScale > 0 || i.RcvScale > 0, i.ECN} {
		if on {
			b[5] |= 1 << bit
		}
	}
	b[6] = i.SndScale&15 | i.RcvScale<<4
	mss := max(i.MSS, 1)
	segments := func(bytes int) int { return (bytes + mss - 1) / mss }
	micro := func(d time.Duration) int { return int(d / time.Microsecond) }
	st := &i.Stats
	for _, x := range [...]struct{ off, n int }{
		{8, micro(i.RTO)}, {16, i.MSS}, {20, i.RcvMSS}, {24, segments(i.Unacked)}, {28, segments(i.Sacked)}, {32, segments(i.Lost)},
		{68, micro(i.RTT)}, {72, micro(i.RTTVar)}, {76, min(i.Threshold/mss, 1<<31-1)}, {80, i.Window / mss}, {84, i.MSS}, {92, micro(i.RecvRTT)}, {96, i.RecvBuffer},
		{100, segments(int(st.Resent))}, {136, int(st.SegmentsOut)}, {140, int(st.SegmentsIn)}, {144, max(i.SendQueue-i.Unacked, 0)}, {148, micro(i.MinRTT)},
		{216, int(st.DSACKs)}, {224, int(st.OutOfOrder)}, {228, i.PeerWindow},
	} {
		binary.NativeEndian.PutUint32(b[x.off:], uint32(x.n))
	}
	for _, x := range [...]struct {
		off int
		n   uint64
	}{
		{104, maxRate(i.MaxRate)}, {112, maxRate(i.MaxRate)}, {120, st.BytesOut - min(uint64(i.Unacked), st.BytesOut)}, {128, st.BytesIn}, {200, st.BytesOut + st.Resent}, {208, st.Resent},
	} {
		binary.NativeEndian.PutUint64(b[x.off:], x.n)
	}
	return append(v, b...)
}
