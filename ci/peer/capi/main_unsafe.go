// Command capi is libos/net/hosted for C: build it with -buildmode=c-shared, and a tool in any language can drive the stack. The calls are those of package hosted,
// which says what they do. A result below zero is an errno, negated. Addresses are struct sockaddr as Linux has them.
//
// A host is one thread's at a time.
package main

/*
#include <stdint.h>
*/
import "C"

import (
	"net/netip"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/net/hosted"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

func main() {}

var (
	mu    sync.Mutex
	hosts []*hosted.Net
)

// at is a host by number; nil: there is none.
func at(h C.int) *hosted.Net {
	mu.Lock()
	defer mu.Unlock()
	if h < 0 || int(h) >= len(hosts) {
		return nil
	}
	return hosts[h]
}

// bytes are n bytes of the caller's.
func bytes(p unsafe.Pointer, n C.int) []byte {
	if p == nil || n <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(p), int(n))
}

func result(n int, e syscall.Errno) C.int {
	if e != 0 {
		return -C.int(e)
	}
	return C.int(n)
}

func address(p unsafe.Pointer, n C.int) (netip.AddrPort, syscall.Errno) {
	if p == nil || n == 0 {
		return netip.AddrPort{}, 0
	}
	var a sock.Addr
	if e := a.Set(bytes(p, n)); e != 0 {
		return netip.AddrPort{}, e
	}
	if a.Family() == syscall.AF_INET6 {
		return a.Inet6()
	}
	return a.Inet4()
}

// give stores an address where the caller wants it, and its length, which says before how much room there is.
func give(a netip.AddrPort, p unsafe.Pointer, n *C.int) {
	if p == nil || n == nil {
		return
	}
	var s sock.Addr
	switch {
	case a.Addr().Is4():
		s.SetInet4(a)
	case a.Addr().Is6():
		s.SetInet6(a)
	}
	copy(bytes(p, *n), s.Raw())
	*n = C.int(len(s.Raw()))
}

// ht_new makes a host with an address ("10.0.0.1/24"), a gateway or "", a station address of 6 bytes or NULL, an MTU or 0, and a seed. It gives its number.
//
//export ht_new
func ht_new(prefix, gateway *C.char, mac unsafe.Pointer, mtu C.int, seed C.uint64_t) C.int {
	c := hosted.Config{MTU: int(mtu), Seed: uint64(seed)}
	var err error
	if c.Address, err = netip.ParsePrefix(C.GoString(prefix)); err != nil {
		return -C.int(syscall.EINVAL)
	}
	if g := C.GoString(gateway); g != "" {
		if c.Gateway, err = netip.ParseAddr(g); err != nil {
			return -C.int(syscall.EINVAL)
		}
	}
	if mac != nil {
		c.MAC = link.MAC(bytes(mac, 6))
	}
	n := hosted.New(c)
	mu.Lock()
	defer mu.Unlock()
	hosts = append(hosts, n)
	return C.int(len(hosts) - 1)
}

// ht_advance moves the host's clock on by so many nanoseconds, and says after how many it is wanted again; -1: no timer is set.
//
//export ht_advance
func ht_advance(h C.int, ns C.int64_t) C.int64_t {
	n := at(h)
	if n == nil {
		return -1
	}
	next := n.Advance(n.Now().Add(time.Duration(max(ns, 0))))
	if next == tick.Time(0) {
		return -1
	}
	return C.int64_t(max(next.Sub(n.Now()), 0))
}

//export ht_frame_in
func ht_frame_in(h C.int, p unsafe.Pointer, size C.int) C.int {
	n := at(h)
	if n == nil {
		return -C.int(syscall.EBADF)
	}
	n.FrameIn(bytes(p, size))
	return 0
}

// ht_frame_out stores the next frame and gives its length; 0: there is none.
//
//export ht_frame_out
func ht_frame_out(h C.int, p unsafe.Pointer, size C.int) C.int {
	n := at(h)
	if n == nil {
		return -C.int(syscall.EBADF)
	}
	return C.int(copy(bytes(p, size), n.FrameOut()))
}

//export ht_socket
func ht_socket(h, family, kind, protocol C.int) C.int {
	n := at(h)
	if n == nil {
		return -C.int(syscall.EBADF)
	}
	return result(n.Socket(int(family), int(kind), int(protocol)))
}

// with does something with a host and an address.
func with(h C.int, p unsafe.Pointer, size C.int, do func(*hosted.Net, netip.AddrPort) (int, syscall.Errno)) C.int {
	n := at(h)
	if n == nil {
		return -C.int(syscall.EBADF)
	}
	a, e := address(p, size)
	if e != 0 {
		return -C.int(e)
	}
	return result(do(n, a))
}

//export ht_bind
func ht_bind(h, fd C.int, addr unsafe.Pointer, size C.int) C.int {
	return with(h, addr, size, func(n *hosted.Net, a netip.AddrPort) (int, syscall.Errno) { return 0, n.Bind(int(fd), a) })
}

//export ht_connect
func ht_connect(h, fd C.int, addr unsafe.Pointer, size C.int) C.int {
	return with(h, addr, size, func(n *hosted.Net, a netip.AddrPort) (int, syscall.Errno) { return 0, n.Connect(int(fd), a) })
}

//export ht_listen
func ht_listen(h, fd, backlog C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) {
		return 0, n.Listen(int(fd), int(backlog))
	})
}

//export ht_accept
func ht_accept(h, fd C.int, addr unsafe.Pointer, size *C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) {
		c, from, e := n.Accept(int(fd))
		if e == 0 {
			give(from, addr, size)
		}
		return c, e
	})
}

//export ht_getsockname
func ht_getsockname(h, fd C.int, addr unsafe.Pointer, size *C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) {
		a, e := n.Name(int(fd))
		give(a, addr, size)
		return 0, e
	})
}

//export ht_getpeername
func ht_getpeername(h, fd C.int, addr unsafe.Pointer, size *C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) {
		a, e := n.Peer(int(fd))
		give(a, addr, size)
		return 0, e
	})
}

//export ht_write
func ht_write(h, fd C.int, p unsafe.Pointer, size C.int) C.int {
	return ht_sendto(h, fd, p, size, nil, 0)
}

//export ht_sendto
func ht_sendto(h, fd C.int, p unsafe.Pointer, size C.int, to unsafe.Pointer, room C.int) C.int {
	return with(h, to, room, func(n *hosted.Net, a netip.AddrPort) (int, syscall.Errno) {
		return n.SendTo(int(fd), bytes(p, size), a)
	})
}

//export ht_read
func ht_read(h, fd C.int, p unsafe.Pointer, size C.int) C.int {
	return ht_recvfrom(h, fd, p, size, 0, nil, nil)
}

//export ht_recvfrom
func ht_recvfrom(h, fd C.int, p unsafe.Pointer, size, flags C.int, from unsafe.Pointer, room *C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) {
		k, a, e := n.RecvFrom(int(fd), bytes(p, size), int(flags))
		if e == 0 {
			give(a, from, room)
		}
		return k, e
	})
}

//export ht_shutdown
func ht_shutdown(h, fd, how C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) { return 0, n.Shutdown(int(fd), int(how)) })
}

//export ht_close
func ht_close(h, fd C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) { return 0, n.Close(int(fd)) })
}

//export ht_setsockopt
func ht_setsockopt(h, fd, level, name C.int, v unsafe.Pointer, size C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) {
		return 0, n.SetOption(int(fd), int(level), int(name), bytes(v, size))
	})
}

// ht_getsockopt stores as much of the value as there is room for, and gives how much that is.
//
//export ht_getsockopt
func ht_getsockopt(h, fd, level, name C.int, v unsafe.Pointer, size C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) {
		got, e := n.Option(int(fd), int(level), int(name))
		return copy(bytes(v, size), got), e
	})
}

// ht_poll gives POLLIN and so on.
//
//export ht_poll
func ht_poll(h, fd C.int) C.int {
	return with(h, nil, 0, func(n *hosted.Net, _ netip.AddrPort) (int, syscall.Errno) { return n.Poll(int(fd)), 0 })
}
