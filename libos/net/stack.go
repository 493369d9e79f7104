package inet

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A Stack is a host on its networks: endpoints, and the devices that packets come and go by. It has the loopback network from the start.
type Stack struct {
	clock    func() tick.Time
	secret   tcp.Secret
	timers   *timers
	udp      *udpTable
	tcp      *tcpTable
	udpPorts *ports
	tcpPorts *ports
	heads    *buf.Pool // headers of packets that are sent
	small    *buf.Pool // datagrams with their headers
	data     *buf.Pool // what programs write otherwise
	outputs  sync.Pool // of *output
	loop     loopback
	groups   groups

	Counters Counters
}

// Config is what a Stack needs of its surroundings.
type Config struct {
	// Clock tells the time. It must not stand still: timers wait on the system's.
	Clock func() tick.Time

	// Random fills p with what nobody outside can guess.
	Random func(p []byte)

	// Memory is where packets lie; nil: the heap. A device that reads memory needs a source that knows physical addresses.
	Memory buf.Source

	// MaxMemory bounds the bytes that written data and headers may take; 0: 64 MiB.
	MaxMemory int
}

// Counters count what was dropped, by reason.
type Counters struct {
	UDPNoEndpoint, UDPMalformed, UDPChecksum atomic.Uint64
	TCPNoEndpoint, TCPMalformed, TCPChecksum atomic.Uint64
	LoopbackFull, NoMemory, NoRoute          atomic.Uint64
}

// An output is room for a segment on its way out.
type output struct {
	segment tcp.Segment
}

// Sizes of blocks. A header block has Ethernet, IP and transport headers with options; a data block is what a program's writes are collected in.
const (
	headBlock  = 256
	smallBlock = 2048
	dataBlock  = 16 << 10
	headRoom   = 96 // before a transport header: device's room, Ethernet, IPv6
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
	go s.timers.run(c.Clock)
	return s
}

// Close ends the stack's goroutines. Endpoints are the program's to close before.
func (s *Stack) Close() { s.timers.close() }

func (s *Stack) now() tick.Time { return s.clock() }

// Memory gives the accounts of the stack's pools.
func (s *Stack) Memory() []buf.Stats {
	return []buf.Stats{s.heads.Stats(), s.small.Stats(), s.data.Stats()}
}

// flush has the devices look at what was sent, and delivers what was sent to ourselves. No lock of an endpoint is held.
func (s *Stack) flush() {
	s.loop.drain(s)
}

// config is what a connection by a path is made with; nil: it is not known yet.
func (s *Stack) config(via *path, o *TCPOptions) tcp.Config {
	c := tcp.Defaults()
	c.Options = o.Socket
	c.FinTimeout, c.TimeWait = finTimeout, time.Minute
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
		c.MSS = via.mtu - via.headers()
		c.MaxSend = max(via.maxSend, c.MSS)
		via.set(o)
	}
	if o.MSS > 0 {
		c.MSS = min(c.MSS, o.MSS)
	}
	return c
}

// A path is where an endpoint's packets go.
type path struct {
	local    bool // to ourselves
	src, dst netip.Addr
	ttl, tos uint8
	mtu      int // of a network layer packet
	maxSend  int // payload of a segment that the device cuts, at most; 0: it cuts none
}

// source is the address that packets have.
func (p *path) source() netip.Addr { return p.src }

// headers is how many bytes of network and TCP header a packet has, without options.
func (p *path) headers() int {
	if p.src.Is4() {
		return 20 + tcp.HeaderSize
	}
	return 40 + tcp.HeaderSize
}

func (p *path) set(o *TCPOptions) { p.ttl, p.tos = hopLimit(o.TTL), uint8(o.TOS) }

// hopLimit is a packet's where nothing else was asked for: RFC 1700's.
func hopLimit(n int) uint8 {
	if n <= 0 || n > 255 {
		return 64
	}
	return uint8(n)
}

// loopbackMTU is that of Linux's lo.
const loopbackMTU = 65536

// isLocal tells whether an address is one of ours.
func (s *Stack) isLocal(a netip.Addr) bool { return a.IsLoopback() }

// isBroadcast tells whether an address means all hosts of a network.
func (s *Stack) isBroadcast(a netip.Addr) bool {
	return a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// pathTo finds a way to dst, from src if that is valid.
func (s *Stack) pathTo(dst, src netip.Addr) (path, syscall.Errno) {
	if s.isLocal(dst) {
		if !src.IsValid() {
			src = dst
		}
		return path{local: true, src: src, dst: dst, mtu: loopbackMTU, ttl: 64}, 0
	}
	return path{}, syscall.ENETUNREACH
}

// sourceFor is the address that packets to dst have, for who is bound to bound, if that is valid.
func (s *Stack) sourceFor(dst, bound netip.Addr) (netip.Addr, syscall.Errno) {
	p, e := s.pathTo(dst, bound)
	return p.src, e
}
