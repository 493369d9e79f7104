package sock

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// A Socket is one end of communication, made by a family. Its methods are called on any goroutine, several at a time, and never wait.
//
// Memory given to a method is the caller's, perhaps on a goroutine's stack: it must not be kept, nor stored in the heap.
type Socket interface {
	// Bind gives the socket a name. The address has the length that the program gave; the family checks it, as in Connect.
	Bind(a *Addr) syscall.Errno

	// Connect begins to connect: 0 when that is done at once, EINPROGRESS when Watchers will be told (Out) and SO_ERROR has the outcome then, EAGAIN when
	// it has to be asked again, EALREADY, EISCONN ... An address of AF_UNSPEC dissolves an association, where the family can.
	Connect(a *Addr) syscall.Errno

	// Listen makes it accept connections, and keep up to backlog of them; it is not negative.
	Listen(backlog int) syscall.Errno

	// Accept gives the next connection.
	Accept() (Socket, syscall.Errno)

	// Name and Peer give the own address and the other end's; ENOTCONN where there is none.
	Name(a *Addr) syscall.Errno
	Peer(a *Addr) syscall.Errno

	// Send sends p: a stream may take a part of it. m says what there is beside the bytes; nil: nothing. Where it succeeds it has taken m.Files over.
	Send(p []byte, m *Sending) (int, syscall.Errno)

	// Recv receives into p and says in m what else came; with nil nobody wants to know. The count is that of bytes stored, or, with MSG_TRUNC in m.Flags
	// and messages, of the message's bytes. 0 without an error is the stream's end, or an empty message.
	Recv(p []byte, m *Receiving) (int, syscall.Errno)

	// Shutdown ends receiving (SHUT_RD), sending (SHUT_WR), or both; how is one of the three.
	Shutdown(how int) syscall.Errno

	// SetOption and Option set and get an option that this package does not have. Option appends the value to v. ENOPROTOOPT for what is not there.
	SetOption(level, name int, v []byte) syscall.Errno
	Option(v []byte, level, name int) ([]byte, syscall.Errno)

	// Ready, Watchers and Release are those of a posix.Object.
	Ready() posix.Events
	Watchers() *posix.Watchers
	Release()
}

// An Asked is a Socket that has options whose value holds a question, too.
type Asked interface {
	// Ask is Option, for getsockopt's value as the program gave it; ENOPROTOOPT for an option that holds no question.
	Ask(question []byte, level, name int) ([]byte, syscall.Errno)
}

// Sending is what goes with bytes that are sent.
type Sending struct {
	Flags   int           // MSG_DONTROUTE, MSG_MORE ...
	To      Addr          // the zero Addr: to the peer
	Files   []*posix.File // SCM_RIGHTS; the sender's references
	Cred    *syscall.Ucred
	Control []byte // other control messages, as cmsg(3) lays them out, each checked to be whole
}

// Receiving is what comes with bytes that are received.
type Receiving struct {
	Flags int // asked for: MSG_PEEK, MSG_TRUNC ...

	Got     int           // what recvmsg returns in msg_flags: MSG_TRUNC, MSG_CTRUNC, MSG_EOR ...
	From    Addr          // who sent it; the zero Addr: nobody in particular
	Files   []*posix.File // SCM_RIGHTS; references that are handed over
	Control []byte        // control messages, by AddControl
}

// AddControl adds a control message.
func (m *Receiving) AddControl(level, typ int, data []byte) {
	m.Control = appendControl(m.Control, level, typ, data)
}

// A Family makes a socket of a type (SOCK_STREAM ...) and protocol. ESOCKTNOSUPPORT, EPROTONOSUPPORT for what it does not have.
type Family func(typ, protocol int) (Socket, syscall.Errno)

// A PairFamily is a family that also makes connected pairs: socketpair(2).
type PairFamily func(typ, protocol int) (a, b Socket, e syscall.Errno)

// Register lets f make the sockets of an address family, and pair its pairs; nil: EOPNOTSUPP. It is for init functions.
func Register(domain int, f Family, pair PairFamily) {
	posix.RegisterSockets(domain, func(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
		kind, flags, e := typeOf(a[1])
		if e != 0 {
			return 0, e
		}
		protocol := int(int32(a[2]))
		if nr == syscall.SYS_SOCKETPAIR {
			if pair == nil {
				return 0, syscall.EOPNOTSUPP
			}
			return 0, socketpair(domain, kind, protocol, flags, pair, a[3])
		}
		s, e := f(kind, protocol)
		if e != 0 {
			return 0, e
		}
		return install(newObject(s, domain, kind, protocol), flags)
	})
}

// typeOf takes the flags of socket(2) from a type.
func typeOf(a uintptr) (kind, flags int, e syscall.Errno) {
	kind = int(int32(a))
	flags, kind = kind&^0xf, kind&0xf
	if flags&^(syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK) != 0 || kind > syscall.SOCK_PACKET {
		return 0, 0, syscall.EINVAL
	}
	return kind, flags, 0
}

// install opens a descriptor. SOCK_CLOEXEC and SOCK_NONBLOCK are O_CLOEXEC and O_NONBLOCK (socket(2)).
func install(o *object, flags int) (uintptr, syscall.Errno) {
	fd, e := posix.Install(o, flags&(syscall.O_CLOEXEC|syscall.O_NONBLOCK)|syscall.O_RDWR)
	return uintptr(fd), e
}
