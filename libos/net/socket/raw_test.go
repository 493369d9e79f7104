package socket

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// echoRequest is a message of ICMP or ICMPv6 with its checksum, but for ICMPv6's pseudo header, which the kernel sums itself.
func echoRequest(typ uint8, id, seq uint16, data string) []byte {
	b := buffer(8 + len(data))
	copy(b[8:], data)
	b[0] = typ
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	binary.BigEndian.PutUint16(b[2:], ^wire.Fold(wire.Sum(0, b)))
	return b
}

// maskHeader takes from an IPv4 packet what each kernel numbers for itself: identifier, flags, checksum.
func maskHeader(b []byte) {
	if len(b) >= 20 && b[0]>>4 == 4 {
		b[4], b[5], b[6], b[10], b[11] = 0, 0, 0, 0, 0
	}
}

// TestRawAgainstLinux: raw sockets and ping sockets, judged by the host's kernel.
func TestRawAgainstLinux(t *testing.T) {
	const four, six = syscall.AF_INET, syscall.AF_INET6
	for name, s := range map[string]script{
		"which there are": func(r *recorder) {
			for _, f := range []int{four, six} {
				for _, x := range [][2]int{{syscall.SOCK_RAW, 0}, {syscall.SOCK_RAW, 300}, {syscall.SOCK_RAW, -1}, {syscall.SOCK_DGRAM, 300}, {syscall.SOCK_DGRAM, 200}, {syscall.SOCK_STREAM, 1}, {syscall.SOCK_SEQPACKET, 0}} {
					r.socket(f, x[0], x[1])
				}
			}
		},
		"ping by a raw socket": func(r *recorder) {
			r.mask = maskHeader
			s := r.socket(four, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
			r.names(s, true)
			r.send(s, "127.0.0.1:0", echoRequest(8, 7, 1, "hello"), nil)
			r.recv(s, 200, 0)
			r.recv(s, 200, 0)
			r.recv(s, 200, 0)
			r.set(s, solRaw, icmpFilter, word(1<<8))
			r.get(s, solRaw, icmpFilter, 4)
			r.send(s, "127.0.0.1:99", echoRequest(8, 7, 2, "filtered"), nil)
			r.recv(s, 20, 0) // cut
			r.recv(s, 200, 0)
			bad := echoRequest(8, 7, 3, "a wrong checksum")
			bad[2]++
			r.send(s, "127.0.0.1:0", bad, nil)
			r.recv(s, 200, 0)
			r.set(s, syscall.IPPROTO_IP, syscall.IP_TTL, word(9))
			r.set(s, syscall.IPPROTO_IP, syscall.IP_TOS, word(16))
			r.set(s, solRaw, icmpFilter, word(1))
			r.send(s, "127.0.0.1:0", echoRequest(8, 7, 4, "ttl and tos"), nil)
			r.recv(s, 200, 0)
			r.recv(s, 200, 0)
			r.send(s, "", echoRequest(8, 7, 5, "to nobody"), nil)
			r.connect(s, "127.0.0.1:0")
			r.names(s, true)
			r.connect(s, "127.0.0.1:5")
			r.names(s, true)
			r.send(s, "", echoRequest(8, 7, 6, ""), nil)
			r.recv(s, 200, 0)
			r.send(s, "127.0.0.2:0", echoRequest(8, 7, 7, "from another"), nil)
			r.recv(s, 200, 0)
			r.recv(s, 200, 0)
			r.send(s, "", nil, nil)
			r.recv(s, 200, 0)
			r.send(s, "", buffer(70000), nil)
			r.shutdown(s, syscall.SHUT_RDWR)
			r.send(s, "", echoRequest(8, 7, 6, ""), nil)
		},
		"who gets which": func(r *recorder) {
			r.mask = maskHeader
			all, bound, other := r.socket(four, syscall.SOCK_RAW, 200), r.socket(four, syscall.SOCK_RAW, 200), r.socket(four, syscall.SOCK_RAW, 201)
			r.bind(bound, "127.0.0.5:77")
			r.names(bound, true)
			r.bind(other, "9.9.9.9:0")
			r.send(all, "127.0.0.1:0", []byte("to one"), nil)
			r.send(all, "127.0.0.5:0", []byte("to both"), nil)
			for range 3 {
				r.recv(all, 100, 0)
				r.recv(bound, 100, 0)
				r.recv(other, 100, 0)
			}
			r.send(bound, "127.0.0.1:0", []byte("from five"), nil)
			r.recv(all, 100, 0)
			r.set(all, syscall.IPPROTO_IP, syscall.IP_PKTINFO, word(1))
			r.set(all, syscall.IPPROTO_IP, syscall.IP_RECVTTL, word(1))
			r.set(all, syscall.IPPROTO_IP, syscall.IP_RECVTOS, word(1))
			r.send(bound, "127.0.0.9:0", []byte("told of"), nil)
			r.recv(all, 100, 0)
			r.send(all, "127.0.0.9:0", []byte("with"), control(syscall.IPPROTO_IP, syscall.IP_PKTINFO, append(word(0), 127, 0, 0, 3, 0, 0, 0, 0)...))
			r.recv(all, 100, 0)
			r.send(all, "127.0.0.9:0", []byte("with"), control(syscall.IPPROTO_IP, syscall.IP_TTL, word(3)...))
			r.recv(all, 100, 0)
			r.get(all, solRaw, icmpFilter, 4)
			r.set(all, solRaw, icmpFilter, word(4))
			r.get(all, solRaw, 5, 4)
		},
		"udp as raw sockets see it": func(r *recorder) {
			r.mask = func(b []byte) {
				maskHeader(b)
				if len(b) >= 28 {
					b[26], b[27] = 0, 0
				}
			}
			u, v, raw := r.socket(four, syscall.SOCK_DGRAM, 0), r.socket(four, syscall.SOCK_DGRAM, 0), r.socket(four, syscall.SOCK_RAW, syscall.IPPROTO_UDP)
			r.bind(u, "127.0.0.1:4000")
			r.bind(v, "127.0.0.1:4001")
			r.send(u, "127.0.0.1:4001", []byte("seen by two"), nil)
			r.recv(v, 100, 0)
			r.recv(raw, 100, 0)
			d := append([]byte{0x0f, 0xa0, 0x0f, 0xa1, 0, 13, 0, 0}, "forge"...)
			r.send(raw, "127.0.0.1:0", d, nil)
			r.recv(v, 100, 0)
			r.recv(raw, 100, 0)
		},
		"the program's own header": func(r *recorder) {
			r.mask = maskHeader
			s, all := r.socket(four, syscall.SOCK_RAW, syscall.IPPROTO_RAW), r.socket(four, syscall.SOCK_RAW, 201)
			r.get(s, syscall.IPPROTO_IP, syscall.IP_HDRINCL, 4)
			r.get(all, syscall.IPPROTO_IP, syscall.IP_HDRINCL, 4)
			h := buffer(28)
			h[0], h[1], h[8], h[9] = 0x45, 8, 33, 201
			copy(h[12:], []byte{127, 0, 0, 7, 127, 0, 0, 8})
			copy(h[20:], "payload.")
			r.send(s, "127.0.0.1:0", h, nil)
			r.recv(all, 100, 0)
			copy(h[12:], []byte{0, 0, 0, 0})
			r.send(s, "127.0.0.1:0", h, nil)
			r.recv(all, 100, 0)
			r.recv(s, 100, 0)
			r.send(s, "127.0.0.1:0", h[:10], nil)
			h[0] = 0x4f
			r.send(s, "127.0.0.1:0", h, nil)
			o := buffer(32)
			o[0], o[8], o[9], o[20], o[21], o[22], o[23] = 0x46, 5, 201, 1, 1, 1, 0
			copy(o[16:], []byte{127, 0, 0, 1})
			copy(o[24:], "options!")
			r.send(s, "127.0.0.1:0", o, nil)
			r.recv(all, 100, 0)
			r.set(all, syscall.IPPROTO_IP, syscall.IP_HDRINCL, word(1))
			r.get(all, syscall.IPPROTO_IP, syscall.IP_HDRINCL, 4)
			r.send(all, "127.0.0.1:0", o, nil)
			r.recv(all, 100, 0)
		},
		"ping sockets": func(r *recorder) {
			r.mask = func(b []byte) {
				if len(b) >= 8 {
					b[2], b[3], b[4], b[5] = 0, 0, 0, 0
				}
			}
			s := r.socket(four, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMP)
			r.names(s, true)
			r.send(s, "127.0.0.1:0", echoRequest(8, 99, 1, "hello"), nil)
			r.names(s, false)
			r.recv(s, 100, 0)
			r.recv(s, 100, 0)
			r.send(s, "127.0.0.1:0", echoRequest(0, 99, 1, "no request"), nil)
			r.send(s, "127.0.0.1:0", []byte("short"), nil)
			r.send(s, "", echoRequest(8, 99, 1, ""), nil)
			a, b := r.socket(four, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMP), r.socket(four, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMP)
			r.bind(a, "127.0.0.1:1234")
			r.bind(b, "127.0.0.1:1234")
			r.bind(a, "127.0.0.1:1235")
			r.bind(b, "9.9.9.9:0")
			r.names(a, true)
			r.connect(a, "127.0.0.1:0")
			r.names(a, true)
			r.send(a, "", echoRequest(8, 1, 2, "connected"), nil)
			r.recv(a, 100, 0)
			r.recv(b, 100, 0)
			r.get(a, solRaw, icmpFilter, 4)
			r.get(a, syscall.SOL_SOCKET, syscall.SO_TYPE, 4)
		},
		"six": func(r *recorder) {
			s := r.socket(six, syscall.SOCK_RAW, syscall.IPPROTO_ICMPV6)
			r.names(s, true)
			r.send(s, "[::1]:0", echoRequest(128, 7, 1, "hello"), nil)
			r.recv(s, 200, 0)
			r.recv(s, 200, 0)
			r.get(s, syscall.IPPROTO_IPV6, ipv6Checksum, 4)
			r.set(s, syscall.IPPROTO_IPV6, ipv6Checksum, word(2))
			f := buffer(32)
			for i := range f {
				f[i] = 0xff
			}
			f[129/8] &^= 1 << (129 % 8)
			r.set(s, syscall.IPPROTO_ICMPV6, icmp6Filter, f)
			r.get(s, syscall.IPPROTO_ICMPV6, icmp6Filter, 32)
			r.set(s, syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, word(1))
			r.set(s, syscall.IPPROTO_IPV6, syscall.IPV6_RECVHOPLIMIT, word(1))
			r.send(s, "[::1]:0", echoRequest(128, 7, 2, "filtered"), nil)
			r.recv(s, 200, 0)
			r.recv(s, 200, 0)
			a, b := r.socket(six, syscall.SOCK_RAW, 200), r.socket(six, syscall.SOCK_RAW, 200)
			r.set(a, syscall.IPPROTO_IPV6, ipv6Checksum, word(3))
			r.set(a, syscall.IPPROTO_IPV6, ipv6Checksum, word(4))
			r.get(a, syscall.IPPROTO_IPV6, ipv6Checksum, 4)
			r.send(a, "[::1]:0", []byte("0123456789"), nil)
			r.send(a, "[::1]:0", []byte("012"), nil)
			r.recv(b, 200, 0)
			r.recv(a, 200, 0)
			r.send(b, "[::1]:0", []byte("no checksum"), nil)
			r.recv(b, 200, 0)
			r.recv(a, 200, 0)
		},
		"ping sockets of six": func(r *recorder) {
			r.mask = func(b []byte) {
				if len(b) >= 8 {
					b[2], b[3], b[4], b[5] = 0, 0, 0, 0
				}
			}
			s := r.socket(six, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMPV6)
			r.send(s, "[::1]:0", echoRequest(128, 99, 1, "hello"), nil)
			r.names(s, false)
			r.recv(s, 100, 0)
			r.recv(s, 100, 0)
			r.send(s, "[::1]:0", echoRequest(129, 99, 1, "no request"), nil)
		},
	} {
		t.Run(name, func(t *testing.T) { compare(t, s) })
	}
}
