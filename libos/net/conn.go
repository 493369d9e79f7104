package inet

import (
	"errors"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A Conn is a connection of TCP: package tcp's state machine with what it lacks, which is a lock, a timer, an address and a way out. Its Try methods
// never wait: EAGAIN is told, and later the Hook. Errors are syscall.Errno, with Linux's meanings.
//
// Who calls a method has the segments that it leads to sent on his own goroutine, and has the devices look at them once, at the end.
type Conn struct {
	s     *Stack
	tuple tcp.Tuple
	via   path // where its packets go
	timer timer
	chain *Conn // the next in the tcpTable's bucket, under its shard's lock

	mu       sync.Mutex
	c        *tcp.Conn
	hook     Hook
	listener *Listener // whose it is until it is accepted
	hold     *holding  // of a connection that was bound before it was made
	failed   syscall.Errno
	finished chan struct{} // of CloseWithin: to be closed with the end of the connection, or when all has arrived; nil: nobody waits
	queued   bool          // it waits to be accepted
	gone     bool          // it is in no table and has no timer
	closed   bool          // the program wants no more of it
	hungUp   bool
	due      bool // a receiver will drive it
}

// errnoOf says why a connection ended as Linux does; 0 if it did in order.
func errnoOf(err error) syscall.Errno {
	var e syscall.Errno
	switch {
	case err == nil, err == tcp.ErrClosed:
		return 0
	case err == tcp.ErrRefused:
		return syscall.ECONNREFUSED
	case err == tcp.ErrReset:
		return syscall.ECONNRESET
	case err == tcp.ErrTimeout:
		return syscall.ETIMEDOUT
	case err == tcp.ErrPipe:
		return syscall.EPIPE
	case errors.As(err, &e):
		return e
	}
	return syscall.EIO
}

// Dial begins to connect from local, whose address or port may be left open, to remote. The Hook hears Writable when the connection is made, or Failed.
func (s *Stack) Dial(local, remote netip.AddrPort, o TCPOptions, h Hook) (*Conn, error) {
	return s.dial(local, remote, nil, o, h)
}

// DialBound is Dial from what b has bound, which the connection takes over where it succeeds.
func (s *Stack) DialBound(b *Binding, remote netip.AddrPort, o TCPOptions, h Hook) (*Conn, error) {
	return s.dial(netip.AddrPortFrom(b.h.addr, b.h.port), remote, b.h, o, h)
}

func (s *Stack) dial(local, remote netip.AddrPort, hold *holding, o TCPOptions, h Hook) (*Conn, error) {
	if remote.Addr().IsUnspecified() {
		remote = netip.AddrPortFrom(loopbackOf(remote.Addr()), remote.Port())
	}
	if remote.Addr().IsMulticast() || s.isBroadcast(remote.Addr()) {
		return nil, syscall.ENETUNREACH
	}
	from := local.Addr()
	if !from.IsValid() || from.IsUnspecified() {
		from = netip.Addr{}
	} else if !s.isLocal(from) {
		return nil, syscall.EADDRNOTAVAIL
	}
	via, e := s.pathTo(remote.Addr(), from, zoneIndex(remote.Addr()))
	if e != 0 {
		return nil, e
	}
	now := s.now()
	via.ip.KeepSource()
	c := &Conn{s: s, via: via, hook: h, hold: hold}
	c.timer.conn = c
	c.mu.Lock()
	defer s.flush()
	defer c.mu.Unlock()
	c.tuple = tcp.Tuple{Local: netip.AddrPortFrom(via.source(), local.Port()), Remote: remote}
	if !s.tcp.add(c, &s.secret) {
		if local.Port() == 0 {
			return nil, syscall.EADDRNOTAVAIL
		}
		return nil, syscall.EADDRINUSE
	}
	c.via.steer(c.tuple.Local.Port(), remote.Port())
	config := s.config(&via, &o)
	c.c = tcp.Open(now, config, c.tuple.Local.Port(), remote.Port(), s.secret.ISN(now, c.tuple), s.secret.Stamp(c.tuple))
	c.drive(now)
	return c, nil
}

// Local and Remote are the ends.
func (c *Conn) Local() netip.AddrPort  { return c.tuple.Local }
func (c *Conn) Remote() netip.AddrPort { return c.tuple.Remote }

// SetHook sets who is told from now on.
func (c *Conn) SetHook(h Hook) {
	c.mu.Lock()
	c.hook = h
	c.mu.Unlock()
}

// input takes d's segment in, and its payload over. It says false where the connection does not exist any more for it: then it is a listener's. Where d gathers, what a segment that only
// acknowledges lets go waits for those that came along with it: one by one they would let go small segments, which are acknowledged one by one again.
func (c *Conn) input(now tick.Time, d *delivery) bool {
	s := &d.in
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	if c.c.State() == tcp.TimeWait && c.c.Reusable(s) {
		c.leave()
		return false
	}
	later := d.gathers && s.Flags == tcp.ACK && s.Size == 0 && c.c.State() == tcp.Established
	c.c.Input(now, s)
	if !later || c.c.State() != tcp.Established {
		c.driveBy(now, &d.out)
	} else if !c.due {
		c.due = true
		d.later = append(d.later, c)
	}
	return true
}

// settle drives those that waited for the end of a batch.
func (d *delivery) settle(now tick.Time) {
	for i, c := range d.later {
		c.mu.Lock()
		if c.due && !c.gone {
			c.driveBy(now, &d.out)
		}
		c.due = false
		c.mu.Unlock()
		d.later[i] = nil
	}
	d.later = d.later[:0]
}

// tick is the timer's.
func (c *Conn) tick(now tick.Time) {
	c.mu.Lock()
	if !c.gone {
		if c.c.Deadline().Due(now) {
			c.c.Tick(now)
			if l := c.listener; l != nil && !c.queued && l.flooded(now) {
				c.c.Spare()
			}
		}
		c.drive(now)
	}
	c.mu.Unlock()
	c.s.flush()
}

// drive sends what is to be sent, tells what has happened and arms the timer; mu is held.
func (c *Conn) drive(now tick.Time) {
	o := c.s.outputs.Get().(*output)
	c.driveBy(now, o)
	c.s.outputs.Put(o)
}

// driveBy is drive for who has room for segments.
func (c *Conn) driveBy(now tick.Time, o *output) {
	c.due = false
	for c.c.Next(now, &o.segment) {
		c.s.sendSegment(now, &c.via, o)
	}
	c.tell(c.c.Events())
	if !c.gone {
		c.s.timers.arm(&c.timer, c.c.Deadline())
	}
}

// tell passes events on; mu is held.
func (c *Conn) tell(e tcp.Events) {
	if e == 0 {
		return
	}
	var ev Events
	if e&tcp.Connected != 0 {
		ev |= Writable
		if c.listener != nil {
			c.listener.established(c)
		}
	}
	if e&tcp.Readable != 0 {
		ev |= Readable
	}
	if e&tcp.Writable != 0 {
		ev |= Writable
	}
	if e&tcp.Pressing != 0 {
		ev |= Pressing
	}
	if e&tcp.PeerClosed != 0 {
		ev |= Readable | EOF
	}
	if e&tcp.Ended != 0 {
		ev |= Readable | Writable | EOF | HangUp
		if c.failed = errnoOf(c.c.Err()); c.failed != 0 {
			ev |= Failed
		}
		c.hungUp = true
		c.leave()
	}
	if e&(tcp.Finished|tcp.Ended) != 0 && c.finished != nil {
		close(c.finished)
		c.finished = nil
	}
	if c.hook != nil {
		c.hook.Happened(ev)
	}
}

// leave takes it out of the tables; mu is held.
func (c *Conn) leave() {
	if c.gone {
		return
	}
	c.gone = true
	c.s.ended.add(c.c)
	c.s.tcp.remove(c)
	c.s.timers.stop(&c.timer)
	if c.hold != nil {
		c.s.tcpPorts.drop(c.hold)
		c.hold = nil
	}
	if l := c.listener; l != nil && !c.queued {
		l.failed()
		c.listener = nil
	}
	if c.closed {
		c.c.Release()
	}
}

// TryRead copies what has come into p. 0 without an error is the end.
func (c *Conn) TryRead(p []byte, peek bool) (int, error) {
	c.mu.Lock()
	defer c.done()
	if len(p) == 0 {
		return 0, nil
	}
	n, eof := c.c.Readable()
	if u := c.c.Urgent(); u > 1 && len(p) >= u {
		p = p[:u-1] // it stops before the last urgent byte, so that who looks for it finds it
	}
	switch {
	case n > 0 && peek:
		return c.c.Peek(p), nil
	case n > 0:
		now := c.s.now()
		n = c.c.Read(now, p)
		c.afterwards(now)
		return n, nil
	case c.failed != 0:
		e := c.failed
		c.failed = 0
		return 0, e
	case eof || c.hungUp:
		return 0, nil
	}
	return 0, syscall.EAGAIN
}

// TryReadBuf hands over the first piece of what has come, most of it at most, without a copy. The zero Ref without an error is the end.
func (c *Conn) TryReadBuf(most int) (buf.Ref, error) {
	c.mu.Lock()
	defer c.done()
	n, eof := c.c.Readable()
	switch {
	case n > 0:
		now := c.s.now()
		r := c.c.Take(now, most)
		c.afterwards(now)
		return r, nil
	case c.failed != 0:
		e := c.failed
		c.failed = 0
		return buf.Ref{}, e
	case eof || c.hungUp:
		return buf.Ref{}, nil
	}
	return buf.Ref{}, syscall.EAGAIN
}

// TryWrite copies p, or the part that there is room for, to be sent.
func (c *Conn) TryWrite(p []byte) (int, error) { return c.write(p, false) }

// TryWriteUrgent is TryWrite of urgent data (RFC 9293, 3.8.5). The peer is told where what was taken ends.
func (c *Conn) TryWriteUrgent(p []byte) (int, error) { return c.write(p, true) }

func (c *Conn) write(p []byte, urgent bool) (int, error) {
	c.mu.Lock()
	defer c.done()
	if e := c.unwritable(); e != 0 {
		return 0, e
	}
	if len(p) == 0 {
		return 0, nil
	}
	now := c.s.now()
	n, err := c.c.WriteCopy(now, c.s.data, p)
	if err != nil {
		return 0, c.writeError(err)
	}
	if n == 0 {
		return 0, syscall.EAGAIN
	}
	if urgent {
		c.c.Urge()
	}
	c.afterwards(now)
	return n, nil
}

// TryWriteBuf hands over r's bytes where they lie. Where it succeeds r is the zero Ref afterwards, and the bytes must not change until the block comes back.
func (c *Conn) TryWriteBuf(r *buf.Ref) error {
	c.mu.Lock()
	defer c.done()
	if e := c.unwritable(); e != 0 {
		return e
	}
	now := c.s.now()
	ok, err := c.c.Write(now, r)
	if err != nil {
		return c.writeError(err)
	}
	if !ok {
		return syscall.EAGAIN
	}
	c.afterwards(now)
	return nil
}

// TryWriteBufs is TryWriteBuf for as many of n as there is room for, at once: segments may begin in one and end in another. ref gives them, in order, and is called with the
// connection's lock held. EAGAIN where there is room for none.
func (c *Conn) TryWriteBufs(n int, ref func(i int) buf.Ref) (taken int, err error) {
	c.mu.Lock()
	defer c.done()
	if e := c.unwritable(); e != 0 {
		return 0, e
	}
	now := c.s.now()
	taken, err = c.c.WriteEach(now, n, ref)
	switch {
	case err != nil && taken == 0:
		return 0, c.writeError(err)
	case taken == 0:
		return 0, syscall.EAGAIN
	}
	c.afterwards(now)
	return taken, nil
}

// Room is how many bytes TryWrite would take now; 0 where it has an error to tell.
func (c *Conn) Room() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, _ := c.c.Writable()
	return n
}

func (c *Conn) unwritable() syscall.Errno {
	if e := c.failed; e != 0 {
		c.failed = 0
		return e
	}
	if c.hungUp {
		return syscall.EPIPE
	}
	return 0
}

func (c *Conn) writeError(err error) syscall.Errno {
	if e := errnoOf(err); e != 0 && e != syscall.ECONNRESET {
		return e
	}
	return syscall.EPIPE
}

// afterwards is drive, where there still is something to; mu is held.
func (c *Conn) afterwards(now tick.Time) {
	if !c.gone {
		c.drive(now)
	}
}

// done ends a method that may have sent something.
func (c *Conn) done() {
	c.mu.Unlock()
	c.s.flush()
}

// Shutdown shuts ways: shutdown(2).
func (c *Conn) Shutdown(w Shut) error {
	c.mu.Lock()
	defer c.done()
	switch c.c.State() {
	case tcp.Closed, tcp.SynSent, tcp.SynReceived, tcp.TimeWait:
		return syscall.ENOTCONN
	}
	now := c.s.now()
	if w&ShutReceive != 0 {
		c.c.CloseRead()
	}
	if w&ShutSend != 0 {
		c.c.CloseWrite(now)
	}
	c.afterwards(now)
	return nil
}

// Close ends the program's use of the connection. What was written goes out still; with reset, nothing does and the peer sees a reset.
func (c *Conn) Close(reset bool) {
	c.mu.Lock()
	defer c.done()
	if c.closed {
		return
	}
	c.closed, c.hook = true, nil
	if c.gone {
		c.c.Release()
		return
	}
	now := c.s.now()
	if reset {
		c.c.Abort()
	} else {
		c.c.Close(now)
	}
	c.afterwards(now)
}

// CloseWithin is Close, and waits until the peer has acknowledged all that was written and the end of it, or the connection has ended otherwise, or d is over: close(2) with
// SO_LINGER of socket(7). What is left then still goes out. A Stack that is driven does not wait: nobody else would drive it.
func (c *Conn) CloseWithin(d time.Duration) {
	arrived := make(chan struct{})
	c.mu.Lock()
	if !c.s.driven && !c.gone && !c.closed {
		c.finished = arrived
	}
	waits := c.finished == arrived
	c.mu.Unlock()
	c.Close(false)
	c.mu.Lock()
	st := c.c.State()
	waits = waits && !c.gone && (st == tcp.SynReceived || st == tcp.FinWait1 || st == tcp.Closing || st == tcp.LastAck)
	c.mu.Unlock()
	if !waits {
		return
	}
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-arrived:
	case <-over.C:
	}
}

// TakeError gives the error that ended the connection, once: SO_ERROR.
func (c *Conn) TakeError() syscall.Errno {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.failed
	c.failed = 0
	return e
}

// Connected tells whether the connection was made; it may have ended since.
func (c *Conn) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.c.State()
	return st >= tcp.Established
}

// Ready says what would not block.
func (c *Conn) Ready() (ev Events) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, eof := c.c.Readable()
	if n > 0 {
		ev |= Readable
	}
	if c.c.Urgent() > 0 {
		ev |= Pressing
	}
	if eof || c.hungUp {
		ev |= Readable | EOF
	}
	if c.c.Ready() {
		ev |= Writable
	}
	if c.hungUp {
		ev |= HangUp | Writable
	} else if eof {
		switch c.c.State() {
		case tcp.LastAck, tcp.Closing, tcp.TimeWait:
			ev |= HangUp
		}
	}
	if c.failed != 0 {
		ev |= Failed
	}
	return ev
}

// Info is TCP_INFO.
func (c *Conn) Info() tcp.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.c.Info()
}

// Urgent tells how many bytes are left to be read up to the last urgent one and with it, some of which may not have come; 0: none is urgent. Reading stops before
// the last one, once.
func (c *Conn) Urgent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.c.Urgent()
}

// Queued is how many bytes could be read.
func (c *Conn) Queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, _ := c.c.Readable()
	return n
}

// SetOptions changes options.
func (c *Conn) SetOptions(o TCPOptions) {
	c.mu.Lock()
	defer c.done()
	now := c.s.now()
	c.via.set(&o)
	c.c.SetOptions(now, o.Socket)
	c.c.SetFinTimeout(o.finTimeout())
	c.c.SetMaxRate(o.MaxRate)
	if cc := congestion(o.Congestion); o.Congestion != "" && cc != nil && o.Congestion != c.c.Congestion() {
		c.c.SetCongestion(cc) // the window begins anew
	}
	c.afterwards(now)
}

// fail takes an ICMP error.
func (c *Conn) fail(e syscall.Errno, hard bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	if hard {
		c.c.HardError(e)
	} else {
		c.c.SoftError(e)
	}
	c.drive(c.s.now())
}

// setMTU takes what ICMP said of the path.
func (c *Conn) setMTU(mtu int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	now := c.s.now()
	c.c.SetMSS(now, mtu-c.via.headers())
	c.drive(now)
}

// sent tells whether a sequence number is of something on its way.
func (c *Conn) sent(seq tcp.Seq) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.gone && c.c.InFlight(seq)
}
