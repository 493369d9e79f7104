package socket

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

const (
	sendFlags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL | syscall.MSG_EOR | msgMore | syscall.MSG_DONTROUTE | syscall.MSG_CONFIRM
	msgMore   = 0x8000
)

// Send implements sock.Socket.
func (u *unix) Send(p []byte, m *sock.Sending) (int, syscall.Errno) {
	if m != nil && m.Flags&syscall.MSG_OOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	u.mu.Lock()
	t, shut, had, limit, err := u.peer, u.shut, u.had, u.opts.sendBuffer(), u.err
	if u.kind == syscall.SOCK_SEQPACKET {
		u.err = 0
	}
	u.mu.Unlock()
	if err != 0 && u.kind == syscall.SOCK_SEQPACKET {
		return 0, err // where nobody reads, what happened is told to who writes
	}
	if u.kind == syscall.SOCK_SEQPACKET && t == nil {
		return 0, syscall.ENOTCONN
	}
	if !u.streams() {
		if e := u.introduce(); e != 0 {
			return 0, e
		}
	}
	to := m != nil && len(m.To.Raw()) > 0
	if !u.connected() {
		if to {
			if name, e := m.To.Unix(); e != 0 || name == "" {
				return 0, syscall.EINVAL
			}
		}
		if shut&shutSend != 0 {
			return 0, syscall.EPIPE
		}
	}
	if to {
		switch {
		case !u.connected():
			var e syscall.Errno
			if t, e = u.find(&m.To); e != 0 {
				return 0, e
			}
		case u.kind == syscall.SOCK_SEQPACKET: // Linux ignores it there
		case had:
			return 0, syscall.EISCONN
		default:
			return 0, syscall.EOPNOTSUPP
		}
	}
	switch {
	case t == nil:
		return 0, syscall.ENOTCONN
	case shut&shutSend != 0:
		return 0, syscall.EPIPE
	}
	if u.streams() {
		return t.takeStream(p, m, limit)
	}
	if len(p) > limit-64 {
		return 0, syscall.EMSGSIZE
	}
	return u.sendMessage(t, p, m, limit)
}

// takeStream takes bytes of its peer.
func (t *unix) takeStream(p []byte, m *sock.Sending, limit int) (int, syscall.Errno) {
	t.mu.Lock()
	if t.released || t.shut&shutReceive != 0 {
		t.mu.Unlock()
		return 0, syscall.EPIPE
	}
	n := max(0, min(len(p), limit-t.in.used()))
	if n == 0 && len(p) > 0 {
		t.short = true
		t.mu.Unlock()
		return 0, syscall.EAGAIN
	}
	if n > 0 {
		start := t.in.end
		t.in.put(p[:n])
		if m != nil && (m.Files != nil || m.Cred != nil) {
			t.in.marks.Push(mark{start: start, end: t.in.end, files: m.Files, cred: m.Cred})
		}
		t.short = n < len(p)
		t.watch.Notify(posix.In | posix.InN)
	}
	t.mu.Unlock()
	if n == 0 && m != nil {
		sock.Drop(m.Files) // nothing carries them
	}
	return n, 0
}

// sendMessage sends a message to t.
func (u *unix) sendMessage(t *unix, p []byte, m *sock.Sending, limit int) (int, syscall.Errno) {
	lockBoth(u, t)
	defer unlockBoth(u, t)
	if e := u.err; e != 0 {
		u.err = 0
		return 0, e
	}
	if t.released {
		if !u.connected() {
			if u.peer == t {
				u.peer = nil
				u.forget()
			}
			return 0, syscall.ECONNREFUSED
		}
		return 0, syscall.EPIPE
	}
	if !u.connected() && t.peer != nil && t.peer != u {
		return 0, syscall.EPERM
	}
	if t.shut&shutReceive != 0 {
		return 0, syscall.EPIPE
	}
	if used := t.in.used(); used > 0 && used+64+len(p) > limit {
		t.short = true
		t.wait(u)
		return 0, syscall.EAGAIN
	}
	k := mark{start: t.in.end, from: u}
	if m != nil {
		k.files, k.cred = m.Files, m.Cred
	}
	t.in.put(p)
	k.end = t.in.end
	t.in.marks.Push(k)
	t.watch.Notify(posix.In | posix.InN)
	return len(p), 0
}

// Recv implements sock.Socket.
func (u *unix) Recv(p []byte, m *sock.Receiving) (int, syscall.Errno) {
	if m != nil && m.Flags&syscall.MSG_OOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.connected() && !u.had && u.streams():
		return 0, syscall.EINVAL
	case u.connected() && !u.had:
		return 0, syscall.ENOTCONN
	}
	if u.err != 0 && (u.in.used() == 0 || !u.streams()) { // a stream's bytes come before its error, a message after it
		e := u.err
		u.err = 0
		return 0, e
	}
	if u.in.used() == 0 {
		switch {
		case u.shut&shutReceive != 0 && u.connected():
			if m != nil && u.opts.passCred() && u.streams() {
				m.AddCred(&nobody)
			}
			return 0, 0
		}
		return 0, syscall.EAGAIN
	}
	if u.streams() {
		return u.recvStream(p, m), 0
	}
	return u.recvMessage(p, m), 0
}

// recvStream takes bytes; mu is held and there are some. It stops behind bytes that something goes with, as Linux does: what is received with a
// message's bytes is that message's.
func (u *unix) recvStream(p []byte, m *sock.Receiving) int {
	c := &u.in
	end := min(c.end, c.base+uint64(len(p)))
	var with *mark
	if c.marks.Len() > 0 && c.marks.At(0).start < max(end, c.base+1) { // the first byte's, even for who reads none
		with = c.marks.At(0)
		end = min(end, with.end)
	}
	n := c.get(p, c.base, end)
	peek := m != nil && m.Flags&syscall.MSG_PEEK != 0
	if m != nil && u.peer != nil {
		if name := u.peer.name(); name != "" {
			m.From.SetUnix(name)
		}
	}
	u.hand(m, with, peek)
	if peek {
		return n
	}
	before := writable(c, u.peerLimit())
	if with != nil && (end == with.end || with.cred == nil) { // the rest is bytes like others
		c.marks.Pop()
	}
	c.skip(end)
	if u.short && !before && writable(c, u.peerLimit()) {
		u.short = false
		u.peer.watch.Notify(posix.Out | posix.OutN)
	}
	return n
}

// peerLimit is how much the peer may have under way. Its option is read without its lock: it is one word.
func (u *unix) peerLimit() int { return u.peer.opts.sendBuffer() }

// recvMessage takes a message; mu is held and there is one.
func (u *unix) recvMessage(p []byte, m *sock.Receiving) int {
	c := &u.in
	k := c.marks.At(0)
	n := c.get(p, k.start, k.end)
	whole := int(k.end - k.start)
	peek := m != nil && m.Flags&syscall.MSG_PEEK != 0
	if m != nil {
		if n < whole {
			m.Got |= syscall.MSG_TRUNC
			if m.Flags&syscall.MSG_TRUNC != 0 {
				n = whole
			}
		}
		if name := k.from.name(); name != "" {
			m.From.SetUnix(name)
		}
	}
	u.hand(m, k, peek)
	if peek {
		return n
	}
	c.skip(k.end)
	c.marks.Pop()
	u.room()
	if u.short {
		u.short = false
		if u.peer != nil {
			u.peer.watch.Notify(posix.Out | posix.OutN)
		}
	}
	return n
}

// hand hands over what goes with a message: once, but for MSG_PEEK, which gives further references.
func (u *unix) hand(m *sock.Receiving, k *mark, peek bool) {
	if m != nil && u.opts.passCred() {
		cred := self
		if k != nil && k.cred != nil {
			cred = *k.cred
		}
		m.AddCred(&cred)
	}
	if k == nil || k.files == nil {
		return
	}
	switch {
	case peek && m != nil:
		for _, f := range k.files {
			m.Files = append(m.Files, f.Again())
		}
	case peek:
	case m != nil:
		m.Files = append(m.Files, k.files...)
		k.files = nil
	default:
		sock.Drop(k.files)
		k.files = nil
	}
}

// self is who everybody is, nobody who sent a stream's end.
var (
	self   = syscall.Ucred{Pid: posix.PID}
	nobody = syscall.Ucred{Uid: overflowID, Gid: overflowID}
)

// overflowID is what Linux says for a user it cannot name.
const overflowID = 65534

// Queued is how many bytes the next read would find: FIONREAD.
func (u *unix) Queued() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.streams() && u.in.marks.Len() > 0 {
		k := u.in.marks.At(0)
		return int(k.end - k.start)
	}
	return u.in.len()
}
