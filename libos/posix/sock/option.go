package sock

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"syscall"
)

// Options of SOL_SOCKET that package syscall does not name, or names for one of their two forms.
const (
	soRcvTimeoNew = 66 // with 64-bit fields, which on 64-bit machines are the old ones'
	soSndTimeoNew = 67
)

// Int is an option's value as a C int: EINVAL for a shorter one.
func Int(v []byte) (int, syscall.Errno) {
	if len(v) < 4 {
		return 0, syscall.EINVAL
	}
	return int(int32(binary.NativeEndian.Uint32(v))), 0
}

// AppendInt appends a C int to an option's value.
func AppendInt(v []byte, n int) []byte { return binary.NativeEndian.AppendUint32(v, uint32(int32(n))) }

// AppendBool appends 1 or 0.
func AppendBool(v []byte, b bool) []byte {
	if b {
		return AppendInt(v, 1)
	}
	return AppendInt(v, 0)
}

// setOption sets an option of any socket, or the family's.
func (o *object) setOption(level, name int, v []byte) syscall.Errno {
	if level != syscall.SOL_SOCKET {
		return o.SetOption(level, name, v)
	}
	switch name {
	case syscall.SO_RCVTIMEO, soRcvTimeoNew:
		return setTimeout(&o.recvTimeout, v)
	case syscall.SO_SNDTIMEO, soSndTimeoNew:
		return setTimeout(&o.sendTimeout, v)
	case syscall.SO_TYPE, syscall.SO_DOMAIN, syscall.SO_PROTOCOL, syscall.SO_ERROR, syscall.SO_ACCEPTCONN:
		if len(v) < 4 {
			return syscall.EINVAL
		}
		return syscall.ENOPROTOOPT // to be read only
	}
	return o.SetOption(level, name, v)
}

// option gives an option of any socket, or the family's.
func (o *object) option(v []byte, level, name int) ([]byte, syscall.Errno) {
	if level == syscall.SOL_SOCKET {
		switch name {
		case syscall.SO_TYPE:
			return AppendInt(v, int(o.kind)), 0
		case syscall.SO_DOMAIN:
			return AppendInt(v, int(o.domain)), 0
		case syscall.SO_PROTOCOL:
			return AppendInt(v, o.protocolNumber()), 0
		case syscall.SO_RCVTIMEO, soRcvTimeoNew:
			return appendTimeout(v, &o.recvTimeout), 0
		case syscall.SO_SNDTIMEO, soSndTimeoNew:
			return appendTimeout(v, &o.sendTimeout), 0
		}
	}
	return o.Option(v, level, name)
}

// protocolNumber is that of the protocol which 0 asked for.
func (o *object) protocolNumber() int {
	if o.protocol == 0 && (o.domain == syscall.AF_INET || o.domain == syscall.AF_INET6) {
		switch o.kind {
		case syscall.SOCK_STREAM:
			return syscall.IPPROTO_TCP
		case syscall.SOCK_DGRAM:
			return syscall.IPPROTO_UDP
		}
	}
	return int(o.protocol)
}

// setTimeout stores a struct timeval. A negative time is one that is over at once, as on Linux; here the shortest there is.
func setTimeout(t *atomic.Int64, v []byte) syscall.Errno {
	if len(v) < 16 {
		return syscall.EINVAL
	}
	sec, usec := int64(binary.NativeEndian.Uint64(v)), int64(binary.NativeEndian.Uint64(v[8:]))
	switch {
	case usec < 0 || usec >= 1e6:
		return syscall.EDOM
	case sec < 0:
		t.Store(1)
	case sec >= math.MaxInt64/1_000_000_000-1:
		t.Store(0)
	default:
		t.Store(sec*1e9 + usec*1e3)
	}
	return 0
}

func appendTimeout(v []byte, t *atomic.Int64) []byte {
	ns := t.Load()
	v = binary.NativeEndian.AppendUint64(v, uint64(ns/1e9))
	return binary.NativeEndian.AppendUint64(v, uint64(ns%1e9/1e3))
}
