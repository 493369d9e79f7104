package socket

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// options are those of SOL_SOCKET that are numbers, or yes or no. What is set can be asked for; what it does is the family's.
type options struct {
	send, recv atomicInt // SO_SNDBUF, SO_RCVBUF, in bytes as getsockopt tells them
	flags      atomicInt // bits of flagNames
	priority   atomicInt
	mark       atomicInt
	lowat      atomicInt
	busyPoll   atomicInt
	linger     atomicInt // seconds+1; 0: off
}

// atomicInt can be copied where nobody else has it yet: a new socket's options are the listener's.
type atomicInt struct{ v int32 }

func (a *atomicInt) Load() int   { return int(atomic.LoadInt32(&a.v)) }
func (a *atomicInt) Store(n int) { atomic.StoreInt32(&a.v, int32(n)) }

func (a *atomicInt) setBit(bit int, on bool) {
	for {
		old := atomic.LoadInt32(&a.v)
		v := old &^ (1 << bit)
		if on {
			v |= 1 << bit
		}
		if atomic.CompareAndSwapInt32(&a.v, old, v) {
			return
		}
	}
}

// Buffer sizes as Linux has them: /proc/sys/net/core/wmem_default, wmem_max, and the least that SO_SNDBUF and SO_RCVBUF can be made.
const (
	defaultBuffer = 212992
	maxBuffer     = 16 << 20 // 212992 on Linux; programs that ask for more get it here
	leastSend     = 4608
	leastRecv     = 2304
)

// flagNames are the options that are yes or no; the index is the bit.
var flagNames = [...]int{
	syscall.SO_REUSEADDR, soReusePort, syscall.SO_KEEPALIVE, syscall.SO_BROADCAST, syscall.SO_PASSCRED, syscall.SO_DONTROUTE, syscall.SO_OOBINLINE,
	syscall.SO_TIMESTAMP, syscall.SO_DEBUG, syscall.SO_NO_CHECK,
}

// Bits.
const (
	flagReuseAddr = iota
	flagReusePort
	flagKeepAlive
	flagBroadcast
	flagPassCred
)

// Options that package syscall does not name.
const (
	soReusePort = 15
	soBusyPoll  = 46
	soIncoming  = 49
)

func (o *options) init() {
	o.send.Store(defaultBuffer)
	o.recv.Store(defaultBuffer)
	o.lowat.Store(1)
}

func (o *options) sendBuffer() int  { return o.send.Load() }
func (o *options) has(bit int) bool { return o.flags.Load()>>bit&1 != 0 }
func (o *options) passCred() bool   { return o.has(flagPassCred) }

// word is the option that is a plain number.
func (o *options) word(name int) *atomicInt {
	switch name {
	case syscall.SO_PRIORITY:
		return &o.priority
	case syscall.SO_MARK:
		return &o.mark
	case syscall.SO_RCVLOWAT:
		return &o.lowat
	case soBusyPoll:
		return &o.busyPoll
	}
	return nil
}

// set sets an option of SOL_SOCKET.
func (o *options) set(name int, v []byte) syscall.Errno {
	if name == syscall.SO_LINGER {
		if len(v) < 8 {
			return syscall.EINVAL
		}
		n := 0
		if binary.NativeEndian.Uint32(v) != 0 {
			n = int(binary.NativeEndian.Uint32(v[4:])&0xffffff) + 1
		}
		o.linger.Store(n)
		return 0
	}
	n, e := sock.Int(v)
	if e != 0 {
		return e
	}
	switch name {
	case syscall.SO_SNDBUF, syscall.SO_SNDBUFFORCE:
		o.send.Store(max(leastSend, bufferSize(n)))
		return 0
	case syscall.SO_RCVBUF, syscall.SO_RCVBUFFORCE:
		o.recv.Store(max(leastRecv, bufferSize(n)))
		return 0
	}
	for bit, f := range flagNames {
		if f == name {
			o.flags.setBit(bit, n != 0)
			return 0
		}
	}
	if w := o.word(name); w != nil {
		switch {
		case name == syscall.SO_RCVLOWAT && n == 0:
			n = 1
		case name == syscall.SO_RCVLOWAT && n < 0:
			n = math.MaxInt32
		case name == soBusyPoll && n < 0:
			return syscall.EINVAL
		}
		w.Store(n)
		return 0
	}
	return syscall.ENOPROTOOPT
}

// bufferSize is what a program's SO_SNDBUF or SO_RCVBUF is told as: doubled (socket(7)). A negative number is a large one.
func bufferSize(n int) int { return 2 * int(min(uint32(n), maxBuffer/2)) }

// get appends an option of SOL_SOCKET.
func (o *options) get(v []byte, name int) ([]byte, syscall.Errno) {
	switch name {
	case syscall.SO_LINGER:
		n := o.linger.Load()
		return sock.AppendInt(sock.AppendBool(v, n > 0), max(n-1, 0)), 0
	case syscall.SO_SNDBUF:
		return sock.AppendInt(v, o.send.Load()), 0
	case syscall.SO_RCVBUF:
		return sock.AppendInt(v, o.recv.Load()), 0
	case syscall.SO_SNDLOWAT:
		return sock.AppendInt(v, 1), 0
	}
	for bit, f := range flagNames {
		if f == name {
			return sock.AppendBool(v, o.has(bit)), 0
		}
	}
	if w := o.word(name); w != nil {
		return sock.AppendInt(v, w.Load()), 0
	}
	return nil, syscall.ENOPROTOOPT
}

// SetOption implements sock.Socket.
func (u *unix) SetOption(level, name int, v []byte) syscall.Errno {
	if level != syscall.SOL_SOCKET {
		return syscall.EOPNOTSUPP
	}
	return u.opts.set(name, v)
}

// Option implements sock.Socket.
func (u *unix) Option(v []byte, level, name int) ([]byte, syscall.Errno) {
	if level != syscall.SOL_SOCKET {
		return nil, syscall.EOPNOTSUPP
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch name {
	case syscall.SO_ERROR:
		e := u.err
		u.err = 0
		return sock.AppendInt(v, int(e)), 0
	case syscall.SO_ACCEPTCONN:
		return sock.AppendBool(v, u.listening), 0
	case syscall.SO_PEERCRED:
		if u.had || u.listening {
			return sock.AppendInt(sock.AppendInt(sock.AppendInt(v, posix.PID), 0), 0), 0
		}
		return sock.AppendInt(sock.AppendInt(sock.AppendInt(v, 0), -1), -1), 0
	}
	return u.opts.get(v, name)
}
