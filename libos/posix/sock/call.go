package sock

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// Call implements posix.Caller.
func (o *object) Call(f *posix.File, nr uintptr, a [6]uintptr) (r uintptr, e syscall.Errno, ok bool) {
	switch nr {
	case syscall.SYS_BIND:
		return 0, o.bind(a[1], a[2]), true
	case syscall.SYS_CONNECT:
		return 0, o.connect(f, a[1], a[2]), true
	case syscall.SYS_LISTEN:
		backlog := int(int32(a[1]))
		if backlog < 0 || backlog > somaxconn {
			backlog = somaxconn // a negative number is a large one to Linux
		}
		return 0, o.Listen(backlog), true
	case syscall.SYS_ACCEPT:
		r, e = o.accept(f, a[1], a[2], 0)
	case syscall.SYS_ACCEPT4:
		r, e = o.accept(f, a[1], a[2], int(int32(a[3])))
	case syscall.SYS_GETSOCKNAME:
		return 0, o.name(a[1], a[2], o.Name), true
	case syscall.SYS_GETPEERNAME:
		return 0, o.name(a[1], a[2], o.Peer), true
	case syscall.SYS_SENDTO:
		r, e = o.sendto(f, a)
	case syscall.SYS_RECVFROM:
		r, e = o.recvfrom(f, a)
	case syscall.SYS_SENDMSG:
		r, e = o.sendmsg(f, a[1], int(int32(a[2])))
	case syscall.SYS_RECVMSG:
		r, e = o.recvmsg(f, a[1], int(int32(a[2])))
	case sysSendmmsg:
		r, e = o.mmsg(f, a, o.sendmsg)
	case syscall.SYS_RECVMMSG:
		r, e = o.mmsg(f, a, o.recvmsg)
	case syscall.SYS_SENDFILE:
		r, e = o.sendfile(f, a)
	case syscall.SYS_SETSOCKOPT:
		return 0, o.setsockopt(a), true
	case syscall.SYS_GETSOCKOPT:
		return 0, o.getsockopt(a), true
	case syscall.SYS_SHUTDOWN:
		how := int(int32(a[1]))
		if how < syscall.SHUT_RD || how > syscall.SHUT_RDWR {
			return 0, syscall.EINVAL, true
		}
		return 0, o.Shutdown(how), true
	case syscall.SYS_IOCTL:
		if m, has := o.Socket.(interface{ AtMark() bool }); has && uint32(a[1]) == siocatmark {
			n := int32(0)
			if m.AtMark() {
				n = 1
			}
			return 0, user.Put(a[2], &n), true
		}
		q, has := o.Socket.(interface{ Queued() int })
		if !has || uint32(a[1]) != fionread {
			return 0, 0, false
		}
		n := int32(q.Queued())
		return 0, user.Put(a[2], &n), true
	default:
		return 0, 0, false
	}
	return r, e, true
}

// fionread is ioctl's FIONREAD: how many bytes the next read would find, which a Socket tells that has a method Queued() int.
const fionread = 0x541b

// siocatmark is ioctl's SIOCATMARK: whether reading has come to urgent data, which a Socket tells that has a method AtMark() bool.
const siocatmark = 0x8905

// somaxconn is the longest backlog, as /proc/sys/net/core/somaxconn of Linux since 5.4.
const somaxconn = 4096

// address takes an address of n bytes at p.
func address(a *Addr, p, n uintptr) syscall.Errno {
	if n = uintptr(uint32(n)); n > MaxAddr { // a negative length is a large one
		return syscall.EINVAL
	}
	b, e := user.Bytes(p, n)
	if e == 0 {
		e = a.Set(b)
	}
	return e
}

// putAddress stores an address at p, as much as the int at size says there is room for, and its true length there. p is 0 where nobody wants it.
func putAddress(a *Addr, p, size uintptr) syscall.Errno {
	if p == 0 {
		return 0
	}
	n := user.At[int32](size)
	switch {
	case n == nil:
		return syscall.EFAULT
	case *n < 0:
		return syscall.EINVAL
	}
	b, e := user.Bytes(p, uintptr(*n))
	if e != 0 {
		return e
	}
	copy(b, a.Raw())
	*n = int32(len(a.Raw()))
	return 0
}

func (o *object) bind(p, n uintptr) syscall.Errno {
	var a Addr
	if e := address(&a, p, n); e != 0 {
		return e
	}
	return o.Bind(&a)
}

func (o *object) connect(f *posix.File, p, n uintptr) syscall.Errno {
	var a Addr
	if e := address(&a, p, n); e != 0 {
		return e
	}
	if len(a.Raw()) < sizeFamily {
		return syscall.EINVAL
	}
	e := o.Connect(&a)
	if f.Nonblock() || e != syscall.EAGAIN && e != syscall.EINPROGRESS && e != syscall.EALREADY {
		return e
	}
	w := o.wait(posix.Out|posix.Hup|posix.Err, &o.sendTimeout)
	defer w.end()
	for e == syscall.EAGAIN {
		if e = o.Connect(&a); e == syscall.EAGAIN && !w.park() {
			return e
		}
	}
	if e != syscall.EINPROGRESS && e != syscall.EALREADY {
		return e
	}
	for o.Ready()&(posix.Out|posix.Hup|posix.Err) == 0 {
		if !w.park() {
			return syscall.EINPROGRESS // as SO_SNDTIMEO in socket(7)
		}
	}
	v, _ := o.Option(nil, syscall.SOL_SOCKET, syscall.SO_ERROR)
	err, _ := Int(v)
	return syscall.Errno(err)
}

// next waits for the next connection.
func (o *object) next(f *posix.File) (Socket, syscall.Errno) {
	s, e := o.Accept()
	if e != syscall.EAGAIN || f.Nonblock() {
		return s, e
	}
	w := o.wait(posix.In|posix.Hup|posix.Err, &o.recvTimeout)
	defer w.end()
	for {
		if s, e = o.Accept(); e == syscall.EAGAIN && o.Ready()&posix.RdHup != 0 {
			e = syscall.EINVAL // it was shut: none will come
		}
		if e != syscall.EAGAIN || !w.park() {
			return s, e
		}
	}
}

// take accepts a connection, and has put store the peer's address; nil: nobody wants it.
func (o *object) take(f *posix.File, flags int, put func(*Addr) syscall.Errno) (uintptr, syscall.Errno) {
	if flags&^(syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK) != 0 {
		return 0, syscall.EINVAL
	}
	s, e := o.next(f)
	if e != 0 {
		return 0, e
	}
	if put != nil {
		m := newReceiving(0)
		if e = s.Peer(&m.From); e != 0 {
			e = syscall.ECONNABORTED // it was reset before anybody saw it, accept(2)
		} else {
			e = put(&m.From)
		}
		m.free()
		if e != 0 {
			s.Release()
			return 0, e
		}
	}
	return install(newObject(s, int(o.domain), int(o.kind), int(o.protocol)), flags)
}

func (o *object) accept(f *posix.File, p, size uintptr, flags int) (uintptr, syscall.Errno) {
	if p == 0 {
		return o.take(f, flags, nil)
	}
	return o.take(f, flags, func(a *Addr) syscall.Errno { return putAddress(a, p, size) })
}

// Accept4 implements posix.Endpoint.
func (o *object) Accept4(f *posix.File, flags int, from []byte) (fd, size int, e syscall.Errno) {
	var put func(*Addr) syscall.Errno
	if from != nil {
		put = func(a *Addr) syscall.Errno {
			copy(from, a.Raw())
			size = len(a.Raw())
			return 0
		}
	}
	r, e := o.take(f, flags, put)
	if e != 0 {
		return -1, -1, e
	}
	return int(r), size, 0
}

// SockName implements posix.Endpoint.
func (o *object) SockName(name []byte) (size int, e syscall.Errno) {
	m := newReceiving(0)
	defer m.free()
	if e := o.Name(&m.From); e != 0 {
		return -1, e
	}
	copy(name, m.From.Raw())
	return len(m.From.Raw()), 0
}

func (o *object) name(p, size uintptr, get func(*Addr) syscall.Errno) syscall.Errno {
	m := newReceiving(0)
	defer m.free()
	if e := get(&m.From); e != 0 {
		return e
	}
	if p == 0 {
		return syscall.EFAULT
	}
	return putAddress(&m.From, p, size)
}

func (o *object) sendto(f *posix.File, a [6]uintptr) (uintptr, syscall.Errno) {
	p, e := user.Bytes(a[1], a[2])
	if e != 0 {
		return 0, e
	}
	var to []byte
	if a[4] != 0 {
		n := uintptr(uint32(a[5]))
		if n > MaxAddr { // a negative length is a large one
			return 0, syscall.EINVAL
		}
		if to, e = user.Bytes(a[4], n); e != 0 {
			return 0, e
		}
	}
	return count(o.SendTo(f, p, int(int32(a[3])), to))
}

// SendTo implements posix.Endpoint.
func (o *object) SendTo(f *posix.File, p []byte, flags int, to []byte) (int, syscall.Errno) {
	if flags == 0 && to == nil {
		return o.send(f, p, nil)
	}
	m := newSending(flags)
	defer m.free()
	if e := m.To.Set(to); e != 0 {
		return -1, e
	}
	return o.send(f, p, m)
}

// RecvFrom implements posix.Endpoint.
func (o *object) RecvFrom(f *posix.File, p []byte, flags int, from []byte) (n, size int, e syscall.Errno) {
	if flags == 0 && from == nil {
		n, e = o.recv(f, p, nil)
		return n, -1, e
	}
	m := newReceiving(flags)
	defer m.free()
	if n, e = o.recv(f, p, m); e != 0 {
		return -1, -1, e
	}
	Drop(m.Files)
	copy(from, m.From.Raw())
	return n, len(m.From.Raw()), 0
}

func (o *object) recvfrom(f *posix.File, a [6]uintptr) (uintptr, syscall.Errno) {
	p, e := user.Bytes(a[1], a[2])
	if e != 0 {
		return 0, e
	}
	var m *Receiving
	if flags := int(int32(a[3])); flags != 0 || a[4] != 0 {
		m = newReceiving(flags)
		defer m.free()
	}
	n, e := o.recv(f, p, m)
	if m != nil {
		Drop(m.Files)
		if e == 0 {
			e = putAddress(&m.From, a[4], a[5])
		}
	}
	return count(n, e)
}

// count makes a result of a count and an errno.
func count(n int, e syscall.Errno) (uintptr, syscall.Errno) {
	if e != 0 {
		return 0, e
	}
	return uintptr(n), 0
}

func socketpair(domain, kind, protocol, flags int, pair PairFamily, p uintptr) syscall.Errno {
	fds := user.At[[2]int32](p)
	if fds == nil {
		return syscall.EFAULT
	}
	a, b, e := pair(kind, protocol)
	if e != 0 {
		return e
	}
	x, e := install(newObject(a, domain, kind, protocol), flags)
	if e != 0 {
		b.Release()
		return e
	}
	y, e := install(newObject(b, domain, kind, protocol), flags)
	if e != 0 {
		posix.Close(int(x))
		return e
	}
	fds[0], fds[1] = int32(x), int32(y)
	return 0
}

// maxOption is the longest value of an option that is looked at. MCAST_MSFILTER with 64 sources takes 8336 bytes.
const maxOption = 16 << 10

func (o *object) setsockopt(a [6]uintptr) syscall.Errno {
	n := int(int32(a[4]))
	if n < 0 {
		return syscall.EINVAL
	}
	p, e := user.Bytes(a[3], uintptr(min(n, maxOption)))
	if e != 0 {
		return e
	}
	return o.SetSockOpt(int(int32(a[1])), int(int32(a[2])), p)
}

// SetSockOpt implements posix.Endpoint.
func (o *object) SetSockOpt(level, name int, p []byte) syscall.Errno {
	v := make([]byte, min(len(p), maxOption)) // the family may keep it
	copy(v, p)
	return o.setOption(int(int32(level)), int(int32(name)), v)
}

func (o *object) getsockopt(a [6]uintptr) syscall.Errno {
	n := user.At[int32](a[4])
	switch {
	case n == nil:
		return syscall.EFAULT
	case *n < 0:
		return syscall.EINVAL
	}
	level, name := int(int32(a[1])), int(int32(a[2]))
	v, e := o.option(nil, level, name)
	if s, ok := o.Socket.(Asked); ok && e == syscall.ENOPROTOOPT {
		p, fault := user.Bytes(a[3], uintptr(min(*n, maxOption)))
		if fault != 0 {
			return fault
		}
		v, e = s.Ask(p, level, name)
	}
	if e != 0 {
		return e
	}
	p, e := user.Bytes(a[3], uintptr(min(int(*n), len(v))))
	if e != 0 {
		return e
	}
	*n = int32(copy(p, v))
	return 0
}
