package inet

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/loop"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// A Stack is a host on its networks: endpoints, and the devices that packets come and go by. It has the loopback network from the start.
type Stack struct {
	clock     func() tick.Time
	secret    tcp.Secret
	timers    *timers
	udp       *udpTable
	tcp       *tcpTable
	raw       rawTable
	udpPorts  *ports
	tcpPorts  *ports
	heads     *buf.Pool // headers of packets that are sent
	small     *buf.Pool // datagrams with their headers
	data      *buf.Pool // what programs write otherwise
	outputs   sync.Pool // of *output
	loop      loopback
	host      *ip.Host
	lo        *ip.Interface
	cards     atomic.Pointer[[]*card] // by interface index
	hostTick  timer
	hostArmed atomic.Bool // the timer will look at what is there now
	driven    bool
	told      atomic.Pointer[func()] // Changed

	mu sync.Mutex // for changes of cards

	ended    ended
	Counters Counters
}

// Config is what a Stack needs of its surroundings.
type Config struct {
	// Clock tells the time. Without Driven it must not stand still: timers wait on the system's.
	Clock func() tick.Time

	// Random fills p with what nobody outside can guess.
	Random func(p []byte)

	// Memory is where packets lie; nil: the heap. A device that reads memory needs a source that knows physical addresses.
	Memory buf.Source

	// Driven asks for a stack without goroutines: nothing is received and no timer fires but in Step. The clock may stand still then.
	Driven bool

	// MaxMemory bounds the bytes that written data and headers may take; 0: 64 MiB.
	MaxMemory int
}

// Counters count what was dropped, by reason.
type Counters struct {
	UDPNoEndpoint, UDPMalformed, UDPChecksum atomic.Uint64
	TCPNoEndpoint, TCPMalformed, TCPChecksum atomic.Uint64
	TCPAddress                               atomic.Uint64 // from or to many hosts
	TCPBacklog                               atomic.Uint64 // SYNs to programs that do not keep up
	TCPCookie                                atomic.Uint64 // acknowledgments of what nobody has sent
	NoProtocol                               atomic.Uint64
	LoopbackFull, NoMemory, NoRoute          atomic.Uint64
}

// An output is room for a segment on its way out.
type output struct {
	segment tcp.Segment
	frame   link.Frame
}

// Sizes of blocks. A header block has Ethernet, IP and transport headers with options; a data block is what a program's writes are collected in.
const (
	headBlock  = 256
	smallBlock = 2048
	dataBlock  = 16 << 10
	headRoom   = ip.HeadRoom
)

// New makes a stack, which works at once.
func New(c Config) *Stack {
	if c.Memory == nil {
		c.Memory = buf.Heap
	}
	if c.MaxMemory == 0 {
		c.MaxMemory = 64 << 20
	}
	s := &Stack{
		clock: c.Clock, timers: newTimers(), udp: newUDPTable(), tcp: newTCPTable(),
		heads: buf.NewPool("headers", headBlock, max(c.MaxMemory/8/headBlock, 64), c.Memory),
		small: buf.NewPool("datagrams", smallBlock, max(c.MaxMemory/4/smallBlock, 64), c.Memory),
		data:  buf.NewPool("data", dataBlock, max(c.MaxMemory/dataBlock, 16), c.Memory),
	}
	c.Random(s.secret[:])
	var seed [32]byte
	c.Random(seed[:])
	var mu sync.Mutex
	r := rand.New(rand.NewChaCha8(seed))
	random := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
	s.udpPorts, s.tcpPorts = newPorts(random), newPorts(random)
	s.outputs.New = func() any { return new(output) }
	s.timers.host = s.tickHost
	s.host = ip.New(s.small, func() uint64 { return uint64(random(1 << 62)) })
	s.host.Changed(s.changes)
	s.host.Lost(s.failure)
	s.lo = s.host.Attach(loop.New(), true)
	s.host.AddAddress(s.now(), s.lo, netip.PrefixFrom(loopbackOf(netip.IPv4Unspecified()), 8))
	s.cards.Store(&[]*card{nil, nil}) // the loopback interface has none: see loopback
	if s.driven = c.Driven; !s.driven {
		go s.timers.run(c.Clock)
	}
	return s
}

// Close closes the listeners, so that who waits for a connection hears of it, and the devices, and ends the stack's goroutines. Other endpoints are the program's to close before.
func (s *Stack) Close() {
	for _, l := range s.tcp.listeners() {
		l.Close()
	}
	for _, c := range *s.cards.Load() {
		if c != nil {
			c.iface.Device.Close()
		}
	}
	s.timers.close()
}

func (s *Stack) now() tick.Time { return s.clock() }

// Memory gives the accounts of the stack's pools.
func (s *Stack) Memory() []buf.Stats {
	return []buf.Stats{s.heads.Stats(), s.small.Stats(), s.data.Stats()}
}

// Conns gives the connections of TCP that there are, in no order.
func (s *Stack) Conns() []*Conn { return s.tcp.all() }

// flush has the devices look at what was sent, and delivers what was sent to ourselves. No lock of an endpoint is held.
func (s *Stack) flush() {
	if s.loop.some.Load() {
		s.loop.drain(s)
	}
	for _, c := range *s.cards.Load() {
		if c != nil && c.dirty.Load() != 0 {
			c.flush()
		}
	}
}

// Flush has the devices send what TryQueue has left. It does not park.
func (s *Stack) Flush() { s.flush() }

// config is what a connection by a path is made with; nil: it is not known yet.
func (s *Stack) config(via *path, o *TCPOptions) tcp.Config {
	c := tcp.Defaults()
	c.Options = o.Socket
	c.FinTimeout, c.TimeWait, c.MaxRate = o.finTimeout(), time.Minute, o.MaxRate
	if o.SynRetries > 0 {
		c.SynRetries = o.SynRetries
	}
	if cc := congestion(o.Congestion); cc != nil {
		c.Congestion = cc
	}
	if o.SendBuffer > 0 {
		c.SendBuffer, c.SendMax = o.SendBuffer, o.SendBuffer
	}
	if o.RecvBuffer > 0 {
		c.RecvBuffer, c.RecvMax = o.RecvBuffer, o.RecvBuffer
	}
	if via != nil {
		c.MSS, c.IPv6 = s.mss(via, o), via.ip.Src.Is6()
		c.MaxSend = max(int(via.maxSend), c.MSS)
		c.MaxPieces = int(via.maxPieces)
		via.set(o)
	}
	return c
}

// mss is what we take in one segment by a path.
func (s *Stack) mss(via *path, o *TCPOptions) int {
	m := int(via.mtu) - via.headers()
	if o.MSS > 0 {
		m = min(m, o.MSS)
	}
	return m
}

// A path is where an endpoint's packets go.
type path struct {
	ip        ip.Path // local: its ends only
	mtu       int32   // of a network layer packet
	maxSend   uint16  // payload of a segment that the device cuts, at most; 0: it cuts none
	local     bool    // to ourselves
	broadcast bool    // to all hosts of a network
	ttl, tos  uint8
	maxPieces uint8 // Refs a segment
}

// source is the address that packets have.
func (p *path) source() netip.Addr {
	if p.local || !p.ip.Src.Is6() {
		return p.ip.Src
	}
	return zoned(p.ip.Src, p.ip.Interface.Index)
}

// headers is how many bytes of network and TCP header a packet has, without options.
func (p *path) headers() int {
	if p.ip.Src.Is4() {
		return 20 + tcp.HeaderSize
	}
	return 40 + tcp.HeaderSize
}

// steer picks the transmit queue of a flow. A card with several sends what it receives of a flow to the pair that the flow was sent by (VIRTIO 1.2, 5.1.6.5.6); so flows are spread, and
// one stays where it is.
func (p *path) steer(local, remote uint16) {
	if p.local || p.ip.Interface.Info.Queues < 2 {
		return
	}
	h := (spread(netip.AddrPortFrom(p.ip.Dst, remote)) ^ uint32(local)) * 16777619
	p.ip.Queue = int32((h ^ h>>16) % uint32(p.ip.Interface.Info.Queues))
}

// hopLimit is that of packets where nothing else is asked for.
func (p *path) hopLimit() uint8 {
	if p.local || p.ip.Dst.Is4() {
		return 64
	}
	return uint8(p.ip.Interface.HopLimit())
}

// set has packets be as a connection's options say.
func (p *path) set(o *TCPOptions) {
	p.ttl = p.hopLimit()
	p.hops(o.TTL)
	p.tos = uint8(o.TOS)
}

// hops sets the hop limit of packets to n; 0: it stays what it is where nothing else was asked for.
func (p *path) hops(n int) {
	if n > 0 && n <= 255 {
		p.ttl = uint8(n)
	}
}

// loopbackMTU is that of Linux's lo.
const loopbackMTU = 65536

// isLocal tells whether an address is one of ours.
func (s *Stack) isLocal(a netip.Addr) bool { return a.IsLoopback() || s.host.Local(a) }

// isBroadcast tells whether an address means all hosts of a network.
func (s *Stack) isBroadcast(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	return s.host.Broadcast(a)
}

// pathTo finds a way to dst, from src if that is valid, by the interface of a number if that is not 0.
func (s *Stack) pathTo(dst, src netip.Addr, index int) (path, syscall.Errno) {
	if index == 0 {
		index = zoneIndex(dst)
	}
	if dst.IsMulticast() && dst.Is6() && index == loopbackIndex {
		return path{}, syscall.ENETUNREACH // as Linux, whose loopback interface has no route for groups of IPv6
	}
	if s.isLocal(dst) || dst.IsMulticast() && index == loopbackIndex {
		if !src.IsValid() {
			if src = dst; dst.IsMulticast() || dst.Is4() && dst.IsLoopback() {
				src = loopbackOf(dst) // of 127/8 one address is anybody's, and it is the source of what goes to the others
			}
		}
		return path{local: true, broadcast: s.isBroadcast(dst), ip: ip.Path{Src: src, Dst: dst}, mtu: loopbackMTU, ttl: 64, maxPieces: 64}, 0
	}
	var by *ip.Interface
	if index != 0 {
		c := s.card(index)
		if c == nil && index == zoneIndex(dst) {
			return path{}, syscall.ENETUNREACH
		}
		if c == nil {
			return path{}, syscall.ENODEV
		}
		by = c.iface
	}
	p, err := s.host.Path(s.now(), dst, src, by, spread(netip.AddrPortFrom(dst, 0)))
	if err != nil {
		return path{}, errnoOfIP(err)
	}
	if p.Interface.Loopback || s.card(p.Interface.Index) == nil {
		return path{}, syscall.ENETUNREACH
	}
	v := path{mtu: p.MTU, ip: p, broadcast: p.Broadcast}
	v.ttl = v.hopLimit()
	info := &p.Interface.Info
	v.maxPieces = uint8(max(1, min(info.MaxBody, 64)))
	if info.Offloads&link.TxTSO4 != 0 && dst.Is4() {
		v.maxSend = uint16(max(min(info.MaxSend, 65535)-wire.EthernetSize-20-tcp.MaxHeader, 0))
	}
	if info.Offloads&link.TxTSO6 != 0 && dst.Is6() {
		v.maxSend = uint16(max(min(info.MaxSend, 65535)-wire.EthernetSize-40-tcp.MaxHeader, 0))
	}
	return v, 0
}

// sourceFor is the address that packets to dst have, for who is bound to bound, if that is valid.
func (s *Stack) sourceFor(dst, bound netip.Addr) (netip.Addr, syscall.Errno) {
	p, e := s.pathTo(dst, bound, 0)
	return p.source(), e
}
