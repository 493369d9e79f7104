package dhcp

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
)

var be = binary.BigEndian

// The format of a message: RFC 2131, 2, figure 1.
const (
	offOp     = 0
	offHtype  = 1
	offHlen   = 2
	offXid    = 4
	offSecs   = 8
	offFlags  = 10
	offCiaddr = 12
	offYiaddr = 16
	offChaddr = 28
	offSname  = 44
	offFile   = 108
	offMagic  = 236
	offOption = 240

	bootRequest = 1
	bootReply   = 2
	broadcast   = 0x8000
	magic       = 0x63825363

	// leastMessage is what old relays want (RFC 1542, 2.1).
	leastMessage = 300
)

// Options: RFC 2132, RFC 3397 (search), RFC 3442 (routes).
const (
	optPad        = 0
	optMask       = 1
	optRouter     = 3
	optDNS        = 6
	optHostName   = 12
	optDomain     = 15
	optMTU        = 26
	optNTP        = 42
	optRequested  = 50
	optLease      = 51
	optOverload   = 52
	optType       = 53
	optServer     = 54
	optParameters = 55
	optMaxSize    = 57
	optT1         = 58
	optT2         = 59
	optClientID   = 61
	optSearch     = 119
	optRoutes     = 121
	optEnd        = 255
)

// Message types: RFC 2132, 9.6.
const (
	discover = 1
	offer    = 2
	request  = 3
	decline  = 4
	ack      = 5
	nak      = 6
	release  = 7
)

// A reply is what a server's message says.
type reply struct {
	typ    uint8
	yiaddr netip.Addr
	server netip.Addr
	lease  Lease
	t1, t2 time.Duration
}

// parse reads a server's message to us; false: it is none, or makes no sense.
func parse(p []byte, xid uint32, mac link.MAC) (r reply, ok bool) {
	if len(p) < offOption || p[offOp] != bootReply || p[offHtype] != 1 || p[offHlen] != 6 || be.Uint32(p[offXid:]) != xid ||
		link.MAC(p[offChaddr:offChaddr+6]) != mac || be.Uint32(p[offMagic:]) != magic {
		return r, false
	}
	r.yiaddr = netip.AddrFrom4([4]byte(p[offYiaddr:]))
	overload := byte(0)
	var opts [256][]byte
	collect := func(b []byte) bool {
		for len(b) > 0 {
			switch b[0] {
			case optPad:
				b = b[1:]
				continue
			case optEnd:
				return true
			}
			if len(b) < 2 || len(b) < 2+int(b[1]) {
				return false
			}
			n := 2 + int(b[1])
			// One that is there several times is one long one (RFC 3396).
			opts[b[0]] = append(opts[b[0]][:len(opts[b[0]]):len(opts[b[0]])], b[2:n]...)
			b = b[n:]
		}
		return true
	}
	if !collect(p[offOption:]) {
		return r, false
	}
	if v := opts[optOverload]; len(v) == 1 {
		overload = v[0]
	}
	if overload&1 != 0 && !collect(p[offFile:offMagic]) || overload&2 != 0 && !collect(p[offSname:offFile]) {
		return r, false
	}
	if v := opts[optType]; len(v) == 1 {
		r.typ = v[0]
	}
	if v := addresses(opts[optServer]); len(v) > 0 {
		r.server = v[0]
	}
	l := &r.lease
	bits := defaultBits(r.yiaddr)
	if v := opts[optMask]; len(v) == 4 {
		if n, ok := maskBits(be.Uint32(v)); ok {
			bits = n
		}
	}
	l.Address = netip.PrefixFrom(r.yiaddr, bits)
	l.Server = r.server
	l.Routers, l.DNS, l.NTP = addresses(opts[optRouter]), addresses(opts[optDNS]), addresses(opts[optNTP])
	l.HostName, l.Domain = name(opts[optHostName]), name(opts[optDomain])
	l.Search = search(opts[optSearch])
	l.Routes = routes(opts[optRoutes])
	if v := opts[optMTU]; len(v) == 2 {
		if n := int(be.Uint16(v)); n >= 576 {
			l.MTU = n
		}
	}
	l.Time, r.t1, r.t2 = seconds(opts[optLease]), seconds(opts[optT1]), seconds(opts[optT2])
	return r, r.typ != 0
}

// maskBits is how long a prefix a mask makes.
func maskBits(m uint32) (n int, ok bool) {
	for n < 32 && m&(1<<31) != 0 {
		m <<= 1
		n++
	}
	return n, m == 0 && n > 0
}

// defaultBits is the class of an address, for servers that give no mask.
func defaultBits(a netip.Addr) int {
	switch b := a.As4()[0]; {
	case b < 128:
		return 8
	case b < 192:
		return 16
	}
	return 24
}

// infinite is a lease for good (RFC 2131, 3.3).
const infinite = time.Duration(1<<63 - 1)

func seconds(v []byte) time.Duration {
	if len(v) != 4 {
		return 0
	}
	s := be.Uint32(v)
	if s == 0xffffffff {
		return infinite
	}
	return time.Duration(s) * time.Second
}

func addresses(v []byte) (list []netip.Addr) {
	for ; len(v) >= 4; v = v[4:] {
		if a := netip.AddrFrom4([4]byte(v)); !a.IsUnspecified() && !a.IsMulticast() {
			list = append(list, a)
		}
	}
	return list
}

// name reads a text that is to be a host's or domain's name: anything else in it makes it none.
func name(v []byte) string {
	s := strings.TrimRight(string(v), "\x00")
	for _, c := range []byte(s) {
		if !(c == '-' || c == '.' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return ""
		}
	}
	if len(s) > 253 {
		return ""
	}
	return s
}

// search reads names in DNS's form, with its compression (RFC 3397, 2; RFC 1035, 4.1.4).
func search(v []byte) (list []string) {
	for at := 0; at < len(v) && len(list) < 6; {
		var labels []string
		i, end, jumps := at, -1, 0
		for {
			if i >= len(v) {
				return list
			}
			n := int(v[i])
			if n == 0 {
				i++
				break
			}
			if n&0xc0 == 0xc0 {
				if i+1 >= len(v) || jumps > 8 {
					return list
				}
				if end < 0 {
					end = i + 2
				}
				i = n&0x3f<<8 | int(v[i+1])
				jumps++
				continue
			}
			if n > 63 || i+1+n > len(v) || len(labels) > 32 {
				return list
			}
			labels = append(labels, string(v[i+1:i+1+n]))
			i += 1 + n
		}
		if end < 0 {
			end = i
		}
		at = end
		if s := name([]byte(strings.Join(labels, "."))); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// routes reads classless static routes (RFC 3442).
func routes(v []byte) (list []Route) {
	for len(v) > 0 {
		n := int(v[0])
		k := (n + 7) / 8
		if n > 32 || len(v) < 1+k+4 {
			return list
		}
		var dst [4]byte
		copy(dst[:], v[1:1+k])
		gw := netip.AddrFrom4([4]byte(v[1+k:]))
		list = append(list, Route{netip.PrefixFrom(netip.AddrFrom4(dst), n).Masked(), gw})
		v = v[1+k+4:]
	}
	return list
}

// builder writes a message.
type builder struct {
	b []byte
}

func newMessage(b []byte, xid uint32, secs uint16, mac link.MAC, typ byte) *builder {
	b = b[:offOption]
	clear(b)
	b[offOp], b[offHtype], b[offHlen] = bootRequest, 1, 6
	be.PutUint32(b[offXid:], xid)
	be.PutUint16(b[offSecs:], secs)
	copy(b[offChaddr:], mac[:])
	be.PutUint32(b[offMagic:], magic)
	m := &builder{b}
	m.option(optType, typ)
	return m
}

func (m *builder) option(code byte, v ...byte) {
	m.b = append(append(m.b, code, byte(len(v))), v...)
}

func (m *builder) address(code byte, a netip.Addr) {
	x := a.As4()
	m.option(code, x[:]...)
}

// end closes the message and returns its length.
func (m *builder) end() int {
	m.b = append(m.b, optEnd)
	for len(m.b) < leastMessage {
		m.b = append(m.b, optPad)
	}
	return len(m.b)
}
