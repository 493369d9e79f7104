package socket

import (
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/internal/fifo"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// A unix is a socket of AF_UNIX.
//
//	fresh --bind--> named --listen--> listening
//	fresh, named --connect--> connected             a stream's peer is made by connect and waits in the listener's queue
//	any --release--> released                       the peer of a stream is shut both ways
type unix struct {
	kind  int    // SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM
	id    uint64 // later sockets have higher ones: the order of locks
	watch posix.Watchers
	bound atomic.Pointer[string] // set once

	mu       sync.Mutex
	owner    bool // the name ends with this socket
	released bool
	peer     *unix
	had      bool // it was connected once: for errors
	shut     int  // of shutReceive and shutSend, whoever shut it
	in       channel
	short    bool // a sender found no room
	err      syscall.Errno
	waiting  []*unix // those whose connect or datagram found no room here
	opts     options

	listening bool
	backlog   int
	queue     fifo.Queue[*unix] // made by connect, not accepted yet
}

// Bits of unix.shut.
const (
	shutReceive = 1
	shutSend    = 2
	shutBoth    = 3
)

var lastUnix atomic.Uint64

func init() { sock.Register(syscall.AF_UNIX, newUnix, newPair) }

func newUnix(kind, protocol int) (sock.Socket, syscall.Errno) {
	switch kind {
	case syscall.SOCK_STREAM, syscall.SOCK_SEQPACKET, syscall.SOCK_DGRAM:
	case syscall.SOCK_RAW:
		kind = syscall.SOCK_DGRAM // as Linux believes BSD to do
	default:
		return nil, syscall.ESOCKTNOSUPPORT
	}
	if protocol != 0 && protocol != syscall.AF_UNIX {
		return nil, syscall.EPROTONOSUPPORT
	}
	return makeUnix(kind), 0
}

func makeUnix(kind int) *unix {
	u := &unix{kind: kind, id: lastUnix.Add(1)}
	u.opts.init()
	return u
}

func newPair(kind, protocol int) (sock.Socket, sock.Socket, syscall.Errno) {
	s, e := newUnix(kind, protocol)
	if e != 0 {
		return nil, nil, e
	}
	a := s.(*unix)
	b := makeUnix(a.kind)
	a.peer, b.peer, a.had, b.had = b, a, true, true
	return a, b, 0
}

// connected tells kinds whose sockets have one peer, for good.
func (u *unix) connected() bool { return u.kind != syscall.SOCK_DGRAM }

func (u *unix) name() string {
	if p := u.bound.Load(); p != nil {
		return *p
	}
	return ""
}

// lockBoth locks two sockets, which may be one.
func lockBoth(a, b *unix) {
	if a.id > b.id {
		a, b = b, a
	}
	a.mu.Lock()
	if a != b {
		b.mu.Lock()
	}
}

func unlockBoth(a, b *unix) {
	a.mu.Unlock()
	if a != b {
		b.mu.Unlock()
	}
}

// Bind implements sock.Socket.
func (u *unix) Bind(a *sock.Addr) syscall.Errno {
	name, e := a.Unix()
	if e != 0 {
		return e
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if name == "" {
		if u.bound.Load() != nil {
			return 0
		}
		return u.autobind()
	}
	if u.bound.Load() != nil {
		return syscall.EINVAL
	}
	if e := names.claim(name, u); e != 0 {
		return e
	}
	u.owner = true
	u.bound.Store(&name)
	return 0
}

// autobind gives a socket without a name one; mu is held.
func (u *unix) autobind() syscall.Errno {
	name, e := names.claimAny(u)
	if e == 0 {
		u.owner = true
		u.bound.Store(&name)
	}
	return e
}

// introduce gives a socket with SO_PASSCRED a name, before it connects or sends: whom it asks for credentials shall see some.
func (u *unix) introduce() syscall.Errno {
	if !u.opts.passCred() || u.bound.Load() != nil {
		return 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bound.Load() != nil {
		return 0
	}
	return u.autobind()
}

// find gives the socket that a names, for a socket of the same kind.
func (u *unix) find(a *sock.Addr) (*unix, syscall.Errno) {
	name, e := a.Unix()
	if e == 0 && name == "" {
		e = syscall.EINVAL
	}
	if e != 0 {
		return nil, e
	}
	t, e := names.find(name, u.kind)
	if e == 0 && t.kind != u.kind {
		e = syscall.EPROTOTYPE
	}
	return t, e
}

// Connect implements sock.Socket.
func (u *unix) Connect(a *sock.Addr) syscall.Errno {
	if !u.connected() && a.Family() == syscall.AF_UNSPEC {
		u.mu.Lock()
		old := u.peer
		u.peer = nil
		unread := old != nil && u.forget()
		u.mu.Unlock()
		if unread {
			old.left(u)
		}
		return 0
	}
	if name, e := a.Unix(); e != 0 || name == "" {
		return syscall.EINVAL
	}
	if e := u.introduce(); e != 0 {
		return e
	}
	t, e := u.find(a)
	if e != 0 {
		return e
	}
	if !u.connected() {
		return u.associate(t)
	}
	lockBoth(u, t)
	defer unlockBoth(u, t)
	switch {
	case t.released || !t.listening || t.shut&shutReceive != 0:
		return syscall.ECONNREFUSED
	case t.queue.Len() > t.backlog:
		t.wait(u)
		return syscall.EAGAIN
	case u.listening:
		return syscall.EINVAL
	case u.had:
		return syscall.EISCONN
	}
	s := makeUnix(u.kind)
	s.opts = t.opts
	s.bound.Store(t.bound.Load())
	s.peer, s.had, u.peer, u.had = u, true, s, true
	t.queue.Push(s)
	t.watch.Notify(posix.In | posix.InN)
	return 0
}

// associate makes t who a datagram socket sends to and receives from.
func (u *unix) associate(t *unix) syscall.Errno {
	lockBoth(u, t)
	e, old, unread := syscall.Errno(0), u.peer, false
	switch {
	case t.released:
		e = syscall.ECONNREFUSED
	case t.peer != nil && t.peer != u:
		e = syscall.EPERM
	}
	if e == 0 {
		u.peer = t
		unread = old != nil && old != t && u.forget()
		u.watch.Notify(posix.Out | posix.OutN)
	}
	unlockBoth(u, t)
	if unread {
		old.left(u)
	}
	return e
}

// forget drops what a datagram socket's former peer had sent, as Linux does, and says whether there was anything; mu is held.
func (u *unix) forget() bool {
	marks := u.in.marks.All()
	u.in = channel{}
	if len(marks) > 0 {
		go dropAll(marks) // a file's release may come to this very socket
	}
	return len(marks) > 0
}

func dropAll(marks []mark) {
	for _, m := range marks {
		sock.Drop(m.files)
	}
}

// left tells u that its peer turned away, with something unread.
func (u *unix) left(from *unix) {
	u.mu.Lock()
	if !u.released && u.peer == from {
		u.err = syscall.ECONNRESET
		u.watch.Notify(posix.Err)
	}
	u.mu.Unlock()
}

// wait remembers that u found no room here; both are locked.
func (t *unix) wait(u *unix) {
	for _, w := range t.waiting {
		if w == u {
			return
		}
	}
	t.waiting = append(t.waiting, u)
}

// room tells those who found none to try again; mu is held.
func (t *unix) room() {
	for i, w := range t.waiting {
		w.watch.Notify(posix.Out | posix.OutN)
		t.waiting[i] = nil
	}
	t.waiting = t.waiting[:0]
}

// Listen implements sock.Socket.
func (u *unix) Listen(backlog int) syscall.Errno {
	if !u.connected() {
		return syscall.EOPNOTSUPP
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bound.Load() == nil || u.had {
		return syscall.EINVAL
	}
	u.listening = true
	u.backlog = backlog
	u.room()
	return 0
}

// Accept implements sock.Socket.
func (u *unix) Accept() (sock.Socket, syscall.Errno) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case !u.connected():
		return nil, syscall.EOPNOTSUPP
	case !u.listening:
		return nil, syscall.EINVAL
	case u.queue.Len() == 0:
		return nil, syscall.EAGAIN
	}
	s := u.queue.Pop()
	u.room()
	return s, 0
}

// Name implements sock.Socket.
func (u *unix) Name(a *sock.Addr) syscall.Errno {
	a.SetUnix(u.name())
	return 0
}

// Peer implements sock.Socket.
func (u *unix) Peer(a *sock.Addr) syscall.Errno {
	u.mu.Lock()
	p := u.peer
	u.mu.Unlock()
	if p == nil {
		return syscall.ENOTCONN
	}
	a.SetUnix(p.name())
	return 0
}

// Shutdown implements sock.Socket.
func (u *unix) Shutdown(how int) syscall.Errno {
	bits := how + 1 // SHUT_RD, SHUT_WR and SHUT_RDWR are 0, 1 and 2
	u.mu.Lock()
	u.shut |= bits
	p := u.peer
	u.watch.Notify(told(u.shut))
	u.mu.Unlock()
	if p == nil || !u.connected() {
		return 0
	}
	p.mu.Lock()
	p.shut |= bits>>1&1 | bits<<1&2
	p.watch.Notify(told(p.shut))
	p.mu.Unlock()
	return 0
}

// told is what watchers of a socket that is shut in some way hear.
func told(shut int) posix.Events {
	ev := posix.Out | posix.OutN
	if shut&shutReceive != 0 {
		ev |= posix.In | posix.InN | posix.RdHup
	}
	if shut == shutBoth {
		ev |= posix.Hup
	}
	return ev
}

// Release implements sock.Socket.
func (u *unix) Release() {
	u.mu.Lock()
	u.released = true
	u.shut = shutBoth
	peer, unread := u.peer, u.in.len() > 0 || u.in.marks.Len() > 1 // one empty message does not count on Linux
	marks, queue := u.in.marks.All(), u.queue.All()
	u.in = channel{}
	u.room()
	if u.owner {
		names.free(u.name(), u)
	}
	u.mu.Unlock()
	dropAll(marks)
	for _, s := range queue {
		s.reset()
		s.Release()
	}
	if peer == nil || !u.connected() {
		return
	}
	peer.mu.Lock()
	peer.shut = shutBoth
	if unread {
		peer.err = syscall.ECONNRESET
	}
	peer.watch.Notify(posix.Everything | posix.RdHup)
	peer.mu.Unlock()
}

// reset tells the peer of a connection that was never accepted.
func (u *unix) reset() {
	p := u.peer
	p.mu.Lock()
	p.err = syscall.ECONNRESET
	p.mu.Unlock()
}

// Watchers implements sock.Socket.
func (u *unix) Watchers() *posix.Watchers { return &u.watch }

// Ready implements sock.Socket.
func (u *unix) Ready() (ev posix.Events) {
	u.mu.Lock()
	peer, listening, limit := u.peer, u.listening, u.opts.sendBuffer()
	if u.err != 0 {
		ev |= posix.Err
	}
	if u.shut&shutReceive != 0 {
		ev |= posix.In | posix.InN | posix.RdHup
	}
	if u.shut == shutBoth || u.connected() && !u.had && !listening {
		ev |= posix.Hup
	}
	if u.in.used() > 0 || u.queue.Len() > 0 {
		ev |= posix.In | posix.InN
	}
	u.mu.Unlock()
	switch {
	case listening:
		return ev
	case peer == nil:
		return ev | posix.Out | posix.OutN
	}
	peer.mu.Lock()
	if peer.released || writable(&peer.in, limit) && !(peer.short && !u.streams()) {
		ev |= posix.Out | posix.OutN
	}
	peer.mu.Unlock()
	return ev
}

func (u *unix) streams() bool { return u.kind == syscall.SOCK_STREAM }

// writable is when a sender that waits is told: a quarter of its buffer is free, so that it is not woken for each byte that is read.
func writable(c *channel, limit int) bool { return limit-c.used() >= limit/4 }
