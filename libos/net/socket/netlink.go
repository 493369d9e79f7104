package socket

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/internal/fifo"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// A netlink is a socket of AF_NETLINK, netlink(7) and rtnetlink(7): it answers requests for all links and all addresses, which is what package net's
// Interfaces makes of it. Other requests get an error message, EOPNOTSUPP; there are no notifications.
type netlink struct {
	watch posix.Watchers
	opts  options

	mu      sync.Mutex
	port    uint32 // 0: not bound
	answers fifo.Queue[[]byte]
	queued  int // bytes of answers
}

// An Interface is a network interface as programs see it.
type Interface struct {
	Index   int
	Name    string
	MTU     int
	Type    uint16 // ARPHRD_..., netdevice(7)
	Flags   uint32 // IFF_...
	Address []byte // of the link layer
	IPs     []InterfaceIP
}

// An InterfaceIP is an address of an interface.
type InterfaceIP struct {
	IP    []byte // 4 or 16 bytes
	Bits  int    // of the prefix
	Scope uint8  // RT_SCOPE_...
	Flags uint8  // IFA_F_...
}

// interfaces tells the interfaces that there are; nil: none.
var interfaces func() []Interface

var lastPort atomic.Uint32

func init() { sock.Register(syscall.AF_NETLINK, newNetlink, nil) }

func newNetlink(kind, protocol int) (sock.Socket, syscall.Errno) {
	switch {
	case kind != syscall.SOCK_RAW && kind != syscall.SOCK_DGRAM:
		return nil, syscall.ESOCKTNOSUPPORT
	case protocol != syscall.NETLINK_ROUTE:
		return nil, syscall.EPROTONOSUPPORT
	}
	n := new(netlink)
	n.opts.init()
	return n, 0
}

// Bind implements sock.Socket.
func (n *netlink) Bind(a *sock.Addr) syscall.Errno {
	port, _, e := a.Netlink()
	if e != 0 {
		return e
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.port != 0 && port != 0 && n.port != port {
		return syscall.EINVAL
	}
	if n.port == 0 {
		n.bind(port)
	}
	return 0
}

// bind gives the socket a port; mu is held.
func (n *netlink) bind(port uint32) {
	if port == 0 {
		port = lastPort.Add(1)
	}
	n.port = port
}

// Connect implements sock.Socket: the peer is the kernel, port 0.
func (n *netlink) Connect(a *sock.Addr) syscall.Errno {
	port, _, e := a.Netlink()
	if e == 0 && port != 0 {
		e = syscall.ECONNREFUSED
	}
	return e
}

// Listen implements sock.Socket.
func (n *netlink) Listen(int) syscall.Errno { return syscall.EOPNOTSUPP }

// Accept implements sock.Socket.
func (n *netlink) Accept() (sock.Socket, syscall.Errno) { return nil, syscall.EOPNOTSUPP }

// Shutdown implements sock.Socket.
func (n *netlink) Shutdown(int) syscall.Errno { return syscall.EOPNOTSUPP }

// Name implements sock.Socket.
func (n *netlink) Name(a *sock.Addr) syscall.Errno {
	n.mu.Lock()
	a.SetNetlink(n.port, 0)
	n.mu.Unlock()
	return 0
}

// Peer implements sock.Socket.
func (n *netlink) Peer(a *sock.Addr) syscall.Errno {
	a.SetNetlink(0, 0)
	return 0
}

// Sizes and fields of netlink(7) and rtnetlink(7), named as there.
const (
	nlmsgHeader  = 16
	answerBytes  = 3584     // of one answer at most: programs read with a page
	netlinkQueue = 64 << 10 // bytes of answers that nobody reads
)

// Send implements sock.Socket: it answers each request at once.
func (n *netlink) Send(p []byte, m *sock.Sending) (int, syscall.Errno) {
	if m != nil {
		sock.Drop(m.Files)
		if len(m.To.Raw()) > 0 {
			port, _, e := m.To.Netlink()
			if e == 0 && port != 0 {
				e = syscall.ECONNREFUSED
			}
			if e != 0 {
				return 0, e
			}
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.port == 0 {
		n.bind(0)
	}
	for rest := p; len(rest) >= nlmsgHeader; {
		size := binary.NativeEndian.Uint32(rest)
		if size < nlmsgHeader || uint64(size) > uint64(len(rest)) {
			break
		}
		n.serve(rest[:size])
		rest = rest[min((int(size)+3)&^3, len(rest)):]
	}
	n.watch.Notify(posix.In | posix.InN)
	return len(p), 0
}

// serve answers a request; mu is held.
func (n *netlink) serve(request []byte) {
	kind, flags := binary.NativeEndian.Uint16(request[4:]), binary.NativeEndian.Uint16(request[6:])
	seq := binary.NativeEndian.Uint32(request[8:])
	if flags&syscall.NLM_F_REQUEST == 0 {
		return
	}
	family := uint8(syscall.AF_UNSPEC)
	if len(request) > nlmsgHeader {
		family = request[nlmsgHeader]
	}
	d := dump{n: n, seq: seq}
	switch {
	case kind == syscall.RTM_GETLINK && flags&syscall.NLM_F_DUMP == syscall.NLM_F_DUMP:
		for _, i := range all() {
			d.link(&i)
		}
	case kind == syscall.RTM_GETADDR && flags&syscall.NLM_F_DUMP == syscall.NLM_F_DUMP:
		for _, i := range all() {
			for _, ip := range i.IPs {
				d.address(&i, &ip, family)
			}
		}
	default:
		begin := d.begin(syscall.NLMSG_ERROR, 0)
		eopnotsupp := -int32(syscall.EOPNOTSUPP)
		d.b = binary.NativeEndian.AppendUint32(d.b, uint32(eopnotsupp))
		d.b = append(d.b, request[:nlmsgHeader]...)
		d.end(begin)
		d.flush()
		return
	}
	begin := d.begin(syscall.NLMSG_DONE, syscall.NLM_F_MULTI)
	d.b = binary.NativeEndian.AppendUint32(d.b, 0)
	d.end(begin)
	d.flush()
}

func all() []Interface {
	if interfaces == nil {
		return nil
	}
	return interfaces()
}

// A dump is the answer to a request as it grows.
type dump struct {
	n   *netlink
	seq uint32
	b   []byte
}

// begin appends a message's header and returns where it is.
func (d *dump) begin(kind, flags uint16) int {
	if len(d.b) > answerBytes-512 {
		d.flush()
	}
	at := len(d.b)
	d.b = binary.NativeEndian.AppendUint32(d.b, 0)
	d.b = binary.NativeEndian.AppendUint16(d.b, kind)
	d.b = binary.NativeEndian.AppendUint16(d.b, flags)
	d.b = binary.NativeEndian.AppendUint32(d.b, d.seq)
	d.b = binary.NativeEndian.AppendUint32(d.b, d.n.port)
	return at
}

// end fills in the length of the message at.
func (d *dump) end(at int) {
	binary.NativeEndian.PutUint32(d.b[at:], uint32(len(d.b)-at))
	d.pad()
}

func (d *dump) pad() {
	for len(d.b)%4 != 0 {
		d.b = append(d.b, 0)
	}
}

func (d *dump) attr(kind uint16, v []byte) {
	d.b = binary.NativeEndian.AppendUint16(d.b, uint16(4+len(v)))
	d.b = binary.NativeEndian.AppendUint16(d.b, kind)
	d.b = append(d.b, v...)
	d.pad()
}

// flush makes what there is one message to receive. What nobody reads is dropped beyond a limit, as Linux does (ENOBUFS is not told).
func (d *dump) flush() {
	if len(d.b) > 0 && d.n.queued < netlinkQueue {
		d.n.answers.Push(d.b)
		d.n.queued += len(d.b)
	}
	d.b = nil
}

func (d *dump) link(i *Interface) {
	at := d.begin(syscall.RTM_NEWLINK, syscall.NLM_F_MULTI)
	d.b = append(d.b, syscall.AF_UNSPEC, 0)
	d.b = binary.NativeEndian.AppendUint16(d.b, i.Type)
	d.b = binary.NativeEndian.AppendUint32(d.b, uint32(i.Index))
	d.b = binary.NativeEndian.AppendUint32(d.b, i.Flags)
	d.b = binary.NativeEndian.AppendUint32(d.b, 0)
	d.attr(syscall.IFLA_IFNAME, append([]byte(i.Name), 0))
	d.attr(syscall.IFLA_MTU, binary.NativeEndian.AppendUint32(nil, uint32(i.MTU)))
	if len(i.Address) > 0 {
		d.attr(syscall.IFLA_ADDRESS, i.Address)
	}
	d.end(at)
}

func (d *dump) address(i *Interface, ip *InterfaceIP, family uint8) {
	of := uint8(syscall.AF_INET6)
	if len(ip.IP) == 4 {
		of = syscall.AF_INET
	}
	if family != syscall.AF_UNSPEC && family != of {
		return
	}
	at := d.begin(syscall.RTM_NEWADDR, syscall.NLM_F_MULTI)
	d.b = append(d.b, of, uint8(ip.Bits), ip.Flags, ip.Scope)
	d.b = binary.NativeEndian.AppendUint32(d.b, uint32(i.Index))
	d.attr(syscall.IFA_ADDRESS, ip.IP)
	if of == syscall.AF_INET {
		d.attr(syscall.IFA_LOCAL, ip.IP)
		d.attr(syscall.IFA_LABEL, append([]byte(i.Name), 0))
	}
	d.end(at)
}

// Recv implements sock.Socket.
func (n *netlink) Recv(p []byte, m *sock.Receiving) (int, syscall.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.answers.Len() == 0 {
		return 0, syscall.EAGAIN
	}
	b := *n.answers.At(0)
	c := copy(p, b)
	if m == nil || m.Flags&syscall.MSG_PEEK == 0 {
		n.answers.Pop()
		n.queued -= len(b)
	}
	if m != nil {
		m.From.SetNetlink(0, 0)
		if c < len(b) {
			m.Got |= syscall.MSG_TRUNC
			if m.Flags&syscall.MSG_TRUNC != 0 {
				c = len(b)
			}
		}
	}
	return c, 0
}

// SetOption implements sock.Socket. Those of SOL_NETLINK are accepted where they would only tell more.
func (n *netlink) SetOption(level, name int, v []byte) syscall.Errno {
	if level == syscall.SOL_SOCKET {
		return n.opts.set(name, v)
	}
	return syscall.ENOPROTOOPT
}

// Option implements sock.Socket.
func (n *netlink) Option(v []byte, level, name int) ([]byte, syscall.Errno) {
	switch {
	case level != syscall.SOL_SOCKET:
		return nil, syscall.ENOPROTOOPT
	case name == syscall.SO_ERROR, name == syscall.SO_ACCEPTCONN:
		return sock.AppendInt(v, 0), 0
	}
	return n.opts.get(v, name)
}

// Ready implements sock.Socket.
func (n *netlink) Ready() posix.Events {
	n.mu.Lock()
	defer n.mu.Unlock()
	ev := posix.Out | posix.OutN
	if n.answers.Len() > 0 {
		ev |= posix.In | posix.InN
	}
	return ev
}

// Watchers implements sock.Socket.
func (n *netlink) Watchers() *posix.Watchers { return &n.watch }

// Release implements sock.Socket.
func (n *netlink) Release() {}
