package socket

import (
	"syscall"
	"testing"
)

// TestValuesAgainstLinux: options of datagrams and raw sockets refuse the values that the host's kernel refuses, and tell what it tells.
func TestValuesAgainstLinux(t *testing.T) {
	const four, six = syscall.AF_INET, syscall.AF_INET6
	const ip, ip6, any = syscall.IPPROTO_IP, syscall.IPPROTO_IPV6, syscall.SOL_SOCKET
	both := func(r *recorder, s, level, name int, values ...[]byte) {
		for _, v := range values {
			r.set(s, level, name, v)
			r.get(s, level, name, 40)
		}
	}
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	local, none, wrong := []byte{127, 0, 0, 1}, make([]byte, 4), []byte{9, 9, 9, 9}
	compare(t, func(r *recorder) {
		for _, kind := range [][2]int{{syscall.SOCK_DGRAM, 0}, {syscall.SOCK_RAW, 253}} {
			s, v := r.socket(four, kind[0], kind[1]), r.socket(six, kind[0], kind[1])
			r.get(s, ip, syscall.IP_MULTICAST_IF, 40)
			both(r, s, ip, syscall.IP_MULTICAST_IF, local, wrong, join(none, local), join(none, local, word(0)), join(none, none, word(1)), join(none, local, word(1)), join(none, wrong, word(1)),
				join(none, none, word(7)), join(none, wrong, word(0)), none, local[:3])
			both(r, s, ip, ipMulticastAll, word(0), word(1), word(2), word(-1))
			both(r, s, ip, syscall.IP_TOS, word(0), word(4), word(1)[:1])
			both(r, v, ip6, syscall.IPV6_MULTICAST_IF, word(1), word(9), word(-1), word(0), word(1)[:1])
			both(r, v, ip6, syscall.IPV6_MULTICAST_LOOP, word(0), word(1), word(2), word(-1), word(0)[:1])
			both(r, v, ip6, syscall.IPV6_MULTICAST_HOPS, word(7), word(-1), word(-2), word(256), word(3)[:1])
			both(r, v, ip6, ipv6MulticastAll, word(0), word(1), word(2))
			both(r, v, ip6, ipv6Class, word(8), word(-1), word(-2), word(256), word(255))
			r.get(v, ip6, ipv6PathMTU, 40)
			r.connect(v, "[::1]:9")
			r.get(v, ip6, ipv6PathMTU, 40)
			both(r, v, ip, syscall.IP_TTL, word(3)) // of a raw socket of IPv6 not even that
			for _, s := range []int{s, v} {
				both(r, s, any, syscall.SO_RCVLOWAT, word(0), word(5), word(-1))
				both(r, s, any, soBusyPoll, word(0), word(5), word(-1))
			}
		}
	})
}
