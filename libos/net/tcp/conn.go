package tcp

import (
	"errors"
	"math"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A State is a connection's (RFC 9293, 3.3.2). LISTEN is a [Listener].
type State uint8

// The states.
const (
	Closed State = iota
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
)

var stateNames = [...]string{"CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"}

func (s State) String() string { return stateNames[s] }

// Why a connection has ended. The stack makes errno of them.
var (
	ErrRefused = errors.New("tcp: connection refused")
	ErrReset   = errors.New("tcp: connection reset by peer")
	ErrTimeout = errors.New("tcp: connection timed out")
	ErrClosed  = errors.New("tcp: connection closed")   // by Close or Abort
	ErrPipe    = errors.New("tcp: written after close") // of the sending side
)

// A Config is what a connection is made with. Fields can be changed later only where a Set method says so.
type Config struct {
	MSS         int  // the payload that we take in one segment, by the interface's MTU; what we send is bound by the path's, see SetMSS
	IPv6        bool // of a peer that names no MSS
	MaxSend     int  // the payload of a segment that Next gives, at most; above MSS: a device cuts it
	MaxPieces   int  // Refs that a segment's payload may have
	SendBuffer  int  // bytes that Write takes ahead of the window, to begin with and at most
	SendMax     int
	RecvBuffer  int // bytes that are taken and not read yet, to begin with and at most (it grows with the program's speed of reading)
	RecvMax     int
	Congestion  func() Congestion
	ECN         bool          // ask for it; a peer that asks is told yes anyway
	NoTimestamp bool          // do without RFC 7323's timestamps
	FinTimeout  time.Duration // how long a closed connection waits for the peer's FIN
	TimeWait    time.Duration // 2 MSL
	SynRetries  int           // SYNs that are sent again before the connection is given up: for 3 minutes at least (RFC 9293, 3.8.3, MUST-23), as the default does
	Retries     int           // timeouts in a row before that, once it is established: R2 of RFC 9293, 3.8.3
	MaxRate     uint64        // see SetMaxRate
	Options     SocketOptions
}

// SocketOptions can be changed at any time, by SetOptions.
type SocketOptions struct {
	NoDelay     bool          // do not wait for acknowledgments to fill segments (Nagle's algorithm, RFC 9293, 3.7.4)
	Cork        bool          // send full segments only, for 200 ms at most
	QuickAck    bool          // do not delay acknowledgments
	KeepAlive   bool          // RFC 9293, 3.8.4
	KeepCount   int32         // probes without answer before the connection is given up
	KeepIdle    time.Duration // without a segment, before the first probe
	KeepEvery   time.Duration // between probes
	UserTimeout time.Duration // RFC 9293, 3.8.3; 0: Retries count
}

// Defaults is a Config for a path of Ethernet.
func Defaults() Config {
	return Config{
		MSS: 1460, MaxSend: 1460, MaxPieces: 16,
		SendBuffer: 256 << 10, SendMax: 4 << 20, RecvBuffer: 128 << 10, RecvMax: 6 << 20,
		Congestion: Cubic, FinTimeout: time.Minute, TimeWait: time.Minute, SynRetries: 7, Retries: 15,
		Options: SocketOptions{KeepIdle: 2 * time.Hour, KeepEvery: 75 * time.Second, KeepCount: 9},
	}
}

// Events are what has changed and may interest the program.
type Events uint8

// The events.
const (
	Connected  Events = 1 << iota // the handshake is done
	Readable                      // there are data, or the end of them, or an error
	Writable                      // there is room in the send buffer again
	PeerClosed                    // the peer will send no more
	Pressing                      // there are urgent data on their way, or more of them than before
	Finished                      // the peer has acknowledged all that was written, and the end of it
	Ended                         // the connection is closed: Err tells why, nil after both sides have closed in order
)

// A Conn is a connection: RFC 9293's transmission control block. Make it by [Open] or get it from a [Listener]. It is for one goroutine at a time.
type Conn struct {
	config           config
	SrcPort, DstPort uint16
	state            State
	events           Events
	keepProbes       uint16 // since the peer was last heard
	err              error
	softErr          error

	// Sending (RFC 9293, 3.3.1; names as there).
	iss      Seq
	sndUna   Seq
	sndNxt   Seq // behind the highest sent
	sndWl1   Seq
	sndWl2   Seq
	sndUp    Seq
	peerMSS  int32
	pathMSS  int32 // 0: nobody has complained
	sendLim  int32 // bytes that out may hold
	sndUrg   bool  // up to sndUp it is urgent
	sendFull bool  // a writer found no room
	finQueue bool  // the program will send no more
	finSent  bool
	limited  bool // the congestion window was what held sending back
	sndScale uint8
	retries  int16 // timeouts in a row
	sndWnd   int   // scaled
	maxWnd   int   // the largest window the peer ever offered
	mss      int   // of what we send, without options
	hole     blackHole
	out      buf.Queue
	board    scoreboard
	rtt      rtt
	cc       Congestion
	rack     rack
	rec      recovery
	undo     *inquiry
	pace     *pacing
	corkEnd  tick.Time
	synAt    tick.Time // when the SYN was sent
	lastSent tick.Time // data

	// Receiving.
	irs       Seq
	rcvNxt    Seq
	rcvAdv    Seq // the right edge that the peer was told
	lastAcked Seq // what the last segment we sent acknowledged
	rcvUp     Seq
	finSeq    Seq  // with peerFin: the FIN's
	rcvUrg    bool // up to rcvUp it is urgent, until that has been read
	peerFin   bool
	readOff   bool // nobody will read: data are counted and dropped
	orphan    bool // the program has closed: data reset the connection
	rcvScale  uint8
	quick     int8 // segments to be acknowledged at once: at the start the peer's window depends on it
	in        buf.Queue
	ooo       *reassembly // nil: nothing has come out of order yet
	tune      tuning

	// Options in force.
	sackOK     bool
	tsOK       bool
	ecnOK      bool
	ecnEcho    bool   // tell the peer of a mark
	ecnReduced bool   // tell it that we have slowed down
	ecnEnd     Seq    // one reaction to marks up to here
	tsOff      uint32 // what our timestamps begin with
	tsLast     uint32 // TS.Recent
	tsSent     uint32 // the last of ours
	tsAt       tick.Time

	// What is to be sent besides data.
	needSyn     bool
	needRst     bool
	ackNow      bool
	keepProbe   bool
	windowProbe bool
	tlpProbe    bool
	hasDSACK    bool
	pushed      bool // the last data that came ended with PSH
	replies     bool // the program answers what it reads: an acknowledgment will ride on that
	tlpOut      bool
	tlpAgain    bool // it was a retransmission
	tlpEnd      Seq  // the tail loss probe that is out was sent when SND.NXT was this
	rstSeq      Seq
	dsack       Block
	share       int32     // what we may hold on to, which bounds the window: Segment.Share of the last segment
	ackLater    int32     // bytes that came in since we acknowledged
	rcvMSS      int32     // the largest segment that came
	cameAt      tick.Time // when data last came in
	challenge   tick.Time // when an acknowledgment was last sent for what somebody may have made up

	timers   timers
	heard    tick.Time // when the last acceptable segment came
	progress tick.Time // when something was last acknowledged, or began to wait for that
	stats    counts
}

// Open makes a connection to a peer's port and returns it in SYN-SENT. iss is from an [ISN], stamp from the same.
func Open(now tick.Time, config Config, src, dst uint16, iss Seq, stamp uint32) *Conn {
	c := newConn(now, config, src, dst, iss, stamp)
	c.state = SynSent
	c.needSyn = true
	return c
}

func newConn(now tick.Time, config Config, src, dst uint16, iss Seq, stamp uint32) *Conn {
	c := &Conn{config: config.compact(), SrcPort: src, DstPort: dst, iss: iss, tsOff: stamp}
	c.sndUna, c.sndNxt = iss, iss
	c.sndWnd, c.maxWnd = 1, 1 // for the SYN
	c.rack.fack = iss
	c.sendLim = int32(min(config.SendBuffer, math.MaxInt32))
	c.peerMSS = c.config.defaultMSS()
	c.setMSS()
	c.cc = config.Congestion()
	c.rcvScale = scaleFor(int(c.config.RecvMax))
	c.tune.size = int32(min(config.RecvBuffer, maxBuffer))
	c.quick = quickAcks
	c.heard, c.progress = now, now
	c.tsOK, c.sackOK = !config.NoTimestamp, true
	c.SetMaxRate(config.MaxRate)
	return c
}

// A config is what a connection keeps of its Config, in little room: there are many that do nothing.
type config struct {
	MSS, MaxSend, MaxPieces int32
	SendMax, RecvMax        int32
	SynRetries, Retries     int16
	IPv6, ECN               bool
	FinTimeout, TimeWait    millis
	Options                 SocketOptions
}

// millis is a duration in milliseconds, of 49 days at most.
type millis uint32

// inMillis rounds up: what is not nothing is a millisecond at least.
func inMillis(d time.Duration) millis {
	return millis(min((max(d, 0)+time.Millisecond-1)/time.Millisecond, math.MaxUint32))
}

func (m millis) duration() time.Duration { return time.Duration(m) * time.Millisecond }

// maxBuffer is the most that a buffer can be made: what a window can tell of (RFC 7323, 2.3).
const maxBuffer = 1 << 30

func (c *Config) compact() config {
	return config{
		MSS: int32(min(c.MSS, maxBuffer)), MaxSend: int32(min(c.MaxSend, maxBuffer)), MaxPieces: int32(min(c.MaxPieces, maxBuffer)),
		SendMax: int32(min(c.SendMax, maxBuffer)), RecvMax: int32(min(c.RecvMax, maxBuffer)),
		SynRetries: int16(min(c.SynRetries, math.MaxInt16)), Retries: int16(min(c.Retries, math.MaxInt16)),
		IPv6: c.IPv6, ECN: c.ECN, FinTimeout: inMillis(c.FinTimeout), TimeWait: inMillis(c.TimeWait), Options: c.Options,
	}
}

// defaultMSS is what a peer takes that says nothing (RFC 9293, 3.7.1, MUST-15), defaultMSS6 over IPv6, least what it is made to take at least if it says less: a peer that
// wants tinier segments wants to hurt.
const (
	defaultMSS  = 536
	defaultMSS6 = 1220
	leastMSS    = 88
)

func (c *config) defaultMSS() int32 { return int32(defaultFor(c.IPv6)) }

func defaultFor(ipv6 bool) int {
	if ipv6 {
		return defaultMSS6
	}
	return defaultMSS
}

// quickAcks is how many segments of a new connection are acknowledged at once.
const quickAcks = 16

// timestampLen is what the timestamps take of each segment.
const timestampLen = 12

// setMSS computes what fits into a segment (RFC 9293, 3.7.1, with RFC 6691: options come off).
func (c *Conn) setMSS() {
	m := min(c.peerMSS, c.config.MSS)
	if c.pathMSS > 0 {
		m = min(m, c.pathMSS)
	}
	m = max(m, leastMSS)
	if c.tsOK {
		m -= timestampLen
	}
	c.mss = int(m)
}

// SetMSS tells that the path takes segments of at most so many bytes of options and payload (RFC 9293, 3.7.2; the stack has it from ICMP). What is on its
// way in larger ones is sent again.
func (c *Conn) SetMSS(now tick.Time, mss int) {
	was := c.mss
	c.pathMSS = int32(min(max(mss, leastMSS), math.MaxInt32))
	if c.setMSS(); c.mss >= was {
		return
	}
	c.cc.Start(c.mss)
	for i := range c.board.records {
		if r := &c.board.records[i]; r.len() > c.mss {
			c.board.lose(i)
		}
	}
}

// SetLargest tells how much payload a segment that Next gives may have, in how many Refs: what the device cuts. Config has it for connections whose path is known when
// they are made; a listener's is not.
func (c *Conn) SetLargest(maxSend, maxPieces int) {
	c.config.MaxSend, c.config.MaxPieces = int32(max(maxSend, c.mss)), int32(max(maxPieces, 1))
}

// State is where the connection stands.
func (c *Conn) State() State { return c.state }

// Err tells why the connection has ended: nil while it has not, or if it did as both sides wished.
func (c *Conn) Err() error { return c.err }

// Events gives what has changed since the last call.
func (c *Conn) Events() Events {
	e := c.events
	c.events = 0
	return e
}

// SetOptions changes the socket options. Data that waited for a full segment go out.
func (c *Conn) SetOptions(now tick.Time, o SocketOptions) {
	if o.QuickAck && c.ackLater > 0 {
		c.ackNow = true
	}
	if !o.Cork {
		c.corkEnd = 0
	}
	c.config.Options = o
	c.armKeep(now)
}

// Options gives them.
func (c *Conn) Options() SocketOptions { return c.config.Options }

// SetFinTimeout changes how long a connection that is closed from now on waits for the peer's FIN.
func (c *Conn) SetFinTimeout(d time.Duration) { c.config.FinTimeout = inMillis(d) }

// Congestion is the congestion control's name.
func (c *Conn) Congestion() string { return c.cc.Name() }

// SetCongestion changes the congestion control (TCP_CONGESTION). It begins anew, and knows of no timeout that it could undo.
func (c *Conn) SetCongestion(make func() Congestion) {
	if c.undo != nil {
		c.undo.stage = decided
	}
	c.cc = make()
	c.cc.Start(c.mss)
}

// Writable is how many bytes Write has room for; the error says why none are taken any more.
func (c *Conn) Writable() (int, error) {
	switch {
	case c.finQueue && c.err == nil:
		return 0, ErrPipe
	case c.state == Closed && c.err == nil:
		return 0, ErrClosed
	case c.err != nil:
		return 0, c.err
	case c.state == SynSent, c.state == SynReceived:
		return 0, nil // once it is connected
	}
	return max(int(c.sendLim)-c.out.Len(), 0), nil
}

// leastWrite is what a connection that has nothing to send may always write, in memory of the heap where the pool has none: so none waits for another, and each
// that has written less than it wanted has something on its way whose acknowledgment says when to go on.
const leastWrite = 4 << 10

// Ready tells whether Write has room for enough to be worth waking somebody for, or an error to tell.
func (c *Conn) Ready() bool {
	room, err := c.Writable()
	return err != nil || room > 0 && !c.sendFull
}

// WriteCopy copies bytes into blocks of the pool, to be sent, and returns how many there was room for. With fewer than all, Writable will be an event.
func (c *Conn) WriteCopy(now tick.Time, pool *buf.Pool, p []byte) (int, error) {
	room, err := c.Writable()
	if err != nil {
		return 0, err
	}
	all := len(p)
	c.wrote(now)
	p = p[:min(room, len(p))]
	share := max(pool.Share()-c.out.Len(), 0)
	n := c.out.AppendCopy(pool, p[:min(share, len(p))])
	if n == 0 && len(p) > 0 && c.out.Len() == 0 {
		n = min(len(p), leastWrite)
		c.out.Append(buf.Lend(append([]byte(nil), p[:n]...), nil))
	}
	c.sendFull = c.sendFull || n < all
	c.stats.CopiedOut += uint64(n)
	return n, nil
}

// Write hands over bytes where they lie. It takes all or nothing, r with them: nothing if there is no room at all. One Ref may overfill the buffer.
func (c *Conn) Write(now tick.Time, r *buf.Ref) (bool, error) {
	room, err := c.Writable()
	if err != nil {
		return false, err
	}
	if room == 0 && r.Len() > 0 {
		c.sendFull = true
		return false, nil
	}
	c.wrote(now)
	c.out.Append(*r)
	*r = buf.Ref{}
	return true, nil
}

// WriteEach is Write for each of n in turn, as long as there is room. It says how many it took, and asks for no others.
func (c *Conn) WriteEach(now tick.Time, n int, ref func(i int) buf.Ref) (taken int, err error) {
	for taken < n {
		room, err := c.Writable()
		if err != nil {
			return taken, err
		}
		if room == 0 {
			c.sendFull = true
			break
		}
		c.wrote(now)
		c.out.Append(ref(taken))
		taken++
	}
	return taken, nil
}

// wrote notes that data begin to wait.
func (c *Conn) wrote(now tick.Time) {
	if c.out.Len() == 0 {
		c.progress = now
		c.idleRestart(now)
	}
}

// Readable is how many bytes can be read now. eof: after these there are no more, for the reason Err gives.
func (c *Conn) Readable() (n int, eof bool) {
	n = c.in.Len()
	return n, c.readOff || c.state == Closed || c.peerFin && c.rcvNxt == c.finSeq.Add(1)
}

// Read copies what has come to p and returns how much. 0: none is there now.
func (c *Conn) Read(now tick.Time, p []byte) int {
	n := c.in.Read(p)
	c.stats.CopiedIn += uint64(n)
	c.didRead(now, n)
	return n
}

// Take hands over the first piece of what has come, at most n bytes of it. The zero Ref: there is nothing.
func (c *Conn) Take(now tick.Time, n int) buf.Ref {
	r := c.in.Take(n)
	c.didRead(now, r.Len())
	return r
}

// CloseWrite says that no more will be written: a FIN follows the data (RFC 9293, 3.10.4).
func (c *Conn) CloseWrite(now tick.Time) error {
	switch {
	case c.err != nil:
		return c.err
	case c.state == Closed:
		return ErrClosed
	case c.finQueue:
		return nil
	}
	c.finQueue = true
	switch c.state {
	case SynSent:
		c.end(nil)
	case SynReceived, Established:
		// SYN-RECEIVED: the FIN goes out once the connection is established.
		if c.state == Established {
			c.state = FinWait1
		}
	case CloseWait:
		c.state = LastAck
	}
	return nil
}

// CloseRead says that what comes will not be read (shutdown with SHUT_RD): it is acknowledged and dropped, as Linux does.
func (c *Conn) CloseRead() {
	c.readOff = true
	c.in.Clear()
	c.events |= Readable
}

// Close is the program's goodbye. Data that were written are sent; if some that came were not read the connection is reset, so that the peer knows (RFC 9293,
// 3.6.1, and RFC 2525, 2.17). The Conn must be driven until it is Closed.
func (c *Conn) Close(now tick.Time) {
	if c.orphan || c.state == Closed {
		return
	}
	c.orphan = true
	if c.in.Len() > 0 || c.state == SynSent {
		c.Abort()
		return
	}
	c.CloseWrite(now)
	if c.state == FinWait2 {
		c.timers.fin = now.Add(c.config.FinTimeout.duration())
	}
}

// Abort ends the connection at once with a reset (RFC 9293, 3.10.5).
func (c *Conn) Abort() {
	switch c.state {
	case SynReceived, Established, FinWait1, FinWait2, CloseWait:
		c.needRst, c.rstSeq = true, c.sndNxt
	}
	c.end(ErrClosed)
}

// SoftError takes an ICMP error that may pass: it is told if the connection times out (RFC 9293, 3.9.2.2: MUST-56). HardError takes one that does not pass, which ends
// a connection that is not established yet only (RFC 5461).
func (c *Conn) SoftError(err error) { c.softErr = err }

// HardError see SoftError.
func (c *Conn) HardError(err error) {
	if c.state == SynSent || c.state == SynReceived {
		c.end(err)
		return
	}
	c.softErr = err
}

// end closes the connection for a reason and drops what it holds.
func (c *Conn) end(why error) {
	if c.state == Closed {
		return
	}
	c.state = Closed
	c.err = why
	c.needSyn, c.ackNow, c.keepProbe, c.windowProbe, c.tlpProbe = false, false, false, false, false
	c.out.Clear()
	c.board.clear()
	c.ooo.clear()
	c.timers, c.pace = timers{}, nil
	if c.orphan {
		c.in.Clear()
	}
	c.events |= Ended | Readable | Writable
}

// Release gives up all memory: after it the Conn is of no use.
func (c *Conn) Release() {
	c.orphan = true
	c.end(ErrClosed)
	c.in.Clear()
}
