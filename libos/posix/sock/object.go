package sock

import (
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// An object is the posix.Object of a socket: it adds to the family's what every socket has.
type object struct {
	Socket
	domain, kind, protocol int16
	ino                    uint64

	recvTimeout, sendTimeout atomic.Int64 // ns; 0: for ever
}

// newObject makes the object of a socket that a family has made: the numbers are small ones.
func newObject(s Socket, domain, kind, protocol int) *object {
	return &object{Socket: s, domain: int16(domain), kind: int16(kind), protocol: int16(protocol), ino: newIno()}
}

// devSocket is the device number of sockets' filesystem.
const devSocket = 8

var lastIno atomic.Uint64

func newIno() uint64 { return lastIno.Add(1) }

// Stat implements posix.Object.
func (o *object) Stat(st *syscall.Stat_t) {
	st.Ino, st.Mode, st.Dev = o.ino, syscall.S_IFSOCK|0o777, devSocket
}

// Read implements posix.Object.
func (o *object) Read(f *posix.File, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	return o.recv(f, p, nil)
}

// Write implements posix.Object.
func (o *object) Write(f *posix.File, p []byte) (int, syscall.Errno) {
	return o.send(f, p, nil)
}

// recv receives, and waits where the descriptor and the flags are such.
func (o *object) recv(f *posix.File, p []byte, m *Receiving) (int, syscall.Errno) {
	n, e := o.Recv(p, m)
	waitall := m != nil && m.Flags&syscall.MSG_WAITALL != 0 && m.Flags&syscall.MSG_PEEK == 0 && o.kind == syscall.SOCK_STREAM
	if e != syscall.EAGAIN && !(waitall && e == 0 && n > 0 && n < len(p)) || f.Nonblock() || m != nil && m.Flags&(syscall.MSG_DONTWAIT|syscall.MSG_ERRQUEUE) != 0 {
		if e != 0 {
			n = -1
		}
		return n, e
	}
	got := 0
	if e == 0 {
		got = n
	}
	w := o.wait(posix.In|posix.RdHup|posix.Hup|posix.Err, &o.recvTimeout)
	defer w.end()
	for {
		n, e = o.Recv(p[got:], m)
		switch {
		case e == syscall.EAGAIN && o.Ready()&posix.RdHup != 0:
			return got, 0 // datagrams that were shut for receiving: EAGAIN is for those who do not wait
		case e == syscall.EAGAIN:
			if w.park() {
				continue
			}
		case e == 0 && waitall && n > 0 && got+n < len(p):
			got += n
			continue
		case e == 0:
			got += n
		}
		if e != 0 && got == 0 {
			return -1, e
		}
		return got, 0
	}
}

// send sends, and waits likewise: a stream until all is sent.
func (o *object) send(f *posix.File, p []byte, m *Sending) (int, syscall.Errno) {
	n, e := o.Send(p, m)
	if e == syscall.EPIPE && o.kind != syscall.SOCK_DGRAM && (m == nil || m.Flags&syscall.MSG_NOSIGNAL == 0) {
		posix.Kill(posix.PID, int(syscall.SIGPIPE))
	}
	if e != syscall.EAGAIN && (e != 0 || n == len(p)) || f.Nonblock() || m != nil && m.Flags&syscall.MSG_DONTWAIT != 0 {
		if e != 0 {
			n = -1
		}
		return n, e
	}
	sent := 0
	if e == 0 {
		sent = n
		m = rest(m)
	}
	w := o.wait(posix.Out|posix.Hup|posix.Err, &o.sendTimeout)
	defer w.end()
	for {
		n, e = o.Send(p[sent:], m)
		switch {
		case e == syscall.EAGAIN:
			if w.park() {
				continue
			}
		case e == 0:
			sent += n
			if m = rest(m); sent < len(p) {
				continue
			}
		}
		if e != 0 && sent == 0 {
			return -1, e
		}
		return sent, 0
	}
}

// rest is what goes with the second part of a stream's bytes: nothing that goes once.
func rest(m *Sending) *Sending {
	if m == nil || m.Files == nil && m.Control == nil {
		return m
	}
	c := *m
	c.Files, c.Control = nil, nil
	return &c
}
