package sock

import (
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// A msghdr is struct msghdr, with addresses for pointers.
type msghdr struct {
	name       uintptr
	namelen    uint32
	_          uint32
	iov        uintptr
	iovlen     uintptr
	control    uintptr
	controllen uintptr
	flags      int32
	_          int32
}

// An mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr msghdr
	n   uint32
	_   uint32
}

const (
	msgWaitForOne = 0x10000

	maxControl = 20 << 10  // /proc/sys/net/core/optmem_max
	maxGather  = 256 << 10 // more bytes than any message has; a stream is asked again
)

// What goes with a message is scratch of the call that moves it: a Socket keeps none of it (see Sending), so it is used again.
var (
	sendings   = sync.Pool{New: func() any { return new(Sending) }}
	receivings = sync.Pool{New: func() any { return new(Receiving) }}
)

func newSending(flags int) *Sending {
	m := sendings.Get().(*Sending)
	m.Flags = flags
	return m
}

func (m *Sending) free() {
	*m = Sending{}
	sendings.Put(m)
}

func newReceiving(flags int) *Receiving {
	m := receivings.Get().(*Receiving)
	m.Flags = flags
	return m
}

func (m *Receiving) free() {
	*m = Receiving{Control: m.Control[:0]}
	receivings.Put(m)
}

// vector gives the memory of a message: where it is in several pieces, the pieces and the length of all.
func (h *msghdr) vector() (one []byte, iov []syscall.Iovec, total int, e syscall.Errno) {
	if h.iovlen > 1024 {
		return nil, nil, 0, syscall.EMSGSIZE
	}
	if iov, e = user.Vector(h.iov, h.iovlen); e != 0 {
		return nil, nil, 0, e
	}
	n, last := 0, 0
	for i := range iov {
		if iov[i].Len > 0 {
			n, last = n+1, i
			total = min(total+int(min(iov[i].Len, 1<<31)), 1<<31)
		}
	}
	switch n {
	case 0:
		return nil, nil, 0, 0
	case 1:
		return user.Buffer(&iov[last]), nil, total, 0
	}
	return nil, iov, total, 0
}

func (o *object) sendmsg(f *posix.File, p uintptr, flags int) (uintptr, syscall.Errno) {
	h := user.At[msghdr](p)
	if h == nil {
		return 0, syscall.EFAULT
	}
	data, iov, total, e := h.vector()
	if e != 0 {
		return 0, e
	}
	if iov != nil {
		if total > maxGather && o.kind != syscall.SOCK_STREAM {
			return 0, syscall.EMSGSIZE
		}
		data = make([]byte, 0, min(total, maxGather))
		for i := range iov {
			b := user.Buffer(&iov[i])
			data = append(data, b[:min(len(b), cap(data)-len(data))]...)
		}
	}
	m := newSending(flags)
	defer m.free()
	if h.name != 0 && h.namelen != 0 {
		if e := address(&m.To, h.name, min(uintptr(h.namelen), MaxAddr)); e != 0 { // Linux cuts a long one
			return 0, e
		}
	}
	if h.control != 0 && h.controllen != 0 {
		if h.controllen > maxControl {
			return 0, syscall.ENOBUFS
		}
		c, e := user.Bytes(h.control, h.controllen)
		if e == 0 {
			e = m.parseControl(c)
		}
		if e != 0 {
			return 0, e
		}
	}
	n, e := o.send(f, data, m)
	if e != 0 {
		m.drop()
	}
	return count(n, e)
}

func (o *object) recvmsg(f *posix.File, p uintptr, flags int) (uintptr, syscall.Errno) {
	h := user.At[msghdr](p)
	if h == nil {
		return 0, syscall.EFAULT
	}
	data, iov, total, e := h.vector()
	if e != 0 {
		return 0, e
	}
	var control []byte
	if h.control != 0 {
		if control, e = user.Bytes(h.control, min(h.controllen, maxControl)); e != 0 {
			return 0, e
		}
	}
	if iov != nil {
		data = make([]byte, min(total, maxGather))
	}
	m := newReceiving(flags)
	defer m.free()
	n, e := o.recv(f, data, m)
	if e != 0 {
		Drop(m.Files)
		return 0, e
	}
	rest := data[:min(n, len(data))]
	for i := 0; iov != nil && i < len(iov); i++ {
		rest = rest[copy(user.Buffer(&iov[i]), rest):]
	}
	if h.name != 0 {
		b, e := user.Bytes(h.name, min(uintptr(h.namelen), MaxAddr))
		if e != 0 {
			Drop(m.Files)
			return 0, e
		}
		copy(b, m.From.Raw())
		h.namelen = uint32(len(m.From.Raw()))
	}
	h.controllen = uintptr(m.deliver(control))
	h.flags = int32(m.Got | flags&syscall.MSG_CMSG_CLOEXEC)
	return uintptr(n), 0
}

// mmsg is sendmmsg and recvmmsg: one message after the other until one fails, which counts only if it is the first. A time-out (recvmmsg's fifth
// argument) is looked at by Linux after each message only, "not as intended" says the manual page; here it is not looked at.
func (o *object) mmsg(f *posix.File, a [6]uintptr, one func(*posix.File, uintptr, int) (uintptr, syscall.Errno)) (uintptr, syscall.Errno) {
	v, ok := user.Array[mmsghdr](a[1], min(uintptr(uint32(a[2])), 1024))
	if !ok {
		return 0, syscall.EFAULT
	}
	flags := int(int32(a[3]))
	for i := range v {
		n, e := one(f, a[1]+uintptr(i)*sizeMmsghdr, flags&^msgWaitForOne)
		if e != 0 {
			if i == 0 {
				return 0, e
			}
			return uintptr(i), 0
		}
		v[i].n = uint32(n)
		if flags&msgWaitForOne != 0 {
			flags |= syscall.MSG_DONTWAIT
		}
	}
	return uintptr(len(v)), 0
}

const sizeMmsghdr = 64
