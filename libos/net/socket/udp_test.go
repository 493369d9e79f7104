package socket

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"testing"
)

// TestUDPAgainstLinux: what UDP sockets say of errors, of MTUs and of datagrams that are cut and joined, and multicasts, judged by the host's kernel.
func TestUDPAgainstLinux(t *testing.T) {
	const four, six, dgram = syscall.AF_INET, syscall.AF_INET6, syscall.SOCK_DGRAM
	const ip, ip6 = syscall.IPPROTO_IP, syscall.IPPROTO_IPV6
	mreq := func(group, iface [4]byte) []byte { return append(append([]byte(nil), group[:]...), iface[:]...) }
	group := [4]byte{239, 1, 2, 3}
	local := [4]byte{127, 0, 0, 1}
	for name, s := range map[string]script{
		"errors of a connected socket": func(r *recorder) {
			s := r.socket(four, dgram, 0)
			r.connect(s, "127.0.0.1:9")
			r.send(s, "", []byte("lost"), nil)
			r.get(s, syscall.SOL_SOCKET, syscall.SO_ERROR, 4)
			r.get(s, syscall.SOL_SOCKET, syscall.SO_ERROR, 4)
			r.send(s, "", []byte("lost"), nil)
			r.recv(s, 100, 0)
			r.recv(s, 100, syscall.MSG_ERRQUEUE)
		},
		"broadcast": func(r *recorder) {
			s := r.socket(four, dgram, 0)
			r.send(s, "127.255.255.255:9", []byte("x"), nil)
			r.set(s, syscall.SOL_SOCKET, syscall.SO_BROADCAST, word(1))
			r.send(s, "127.255.255.255:9", []byte("x"), nil)
			r.set(s, syscall.SOL_SOCKET, syscall.SO_BROADCAST, word(0))
			r.send(s, "127.255.255.255:9", []byte("x"), nil)
		},
		"the queue of errors": func(r *recorder) {
			for _, f := range []int{four, six} {
				to, level, name := "127.0.0.1:9", ip, syscall.IP_RECVERR
				if f == six {
					to, level, name = "[::1]:9", ip6, syscall.IPV6_RECVERR
				}
				s := r.socket(f, dgram, 0)
				r.get(s, level, name, 4)
				r.set(s, level, name, word(1))
				r.get(s, level, name, 4)
				r.send(s, to, []byte("one"), nil)
				r.send(s, to, []byte("two"), nil)
				r.recv(s, 100, syscall.MSG_ERRQUEUE)
				r.recv(s, 100, syscall.MSG_ERRQUEUE)
				r.send(s, to, bytes.Repeat([]byte("long"), 100), nil)
				r.recv(s, 100, syscall.MSG_ERRQUEUE)
				r.recv(s, 100, 0)
				r.set(s, level, name, word(0))
				r.send(s, to, []byte("three"), nil)
				r.recv(s, 100, syscall.MSG_ERRQUEUE)
				r.recv(s, 100, 0)
			}
		},
		"mtu": func(r *recorder) {
			s, v := r.socket(four, dgram, 0), r.socket(six, dgram, 0)
			r.get(s, ip, syscall.IP_MTU_DISCOVER, 4)
			r.get(v, ip6, syscall.IPV6_MTU_DISCOVER, 4)
			for _, n := range []int{0, 1, 2, 3, 4, 5, 6, -1} {
				r.set(s, ip, syscall.IP_MTU_DISCOVER, word(n))
				r.set(v, ip6, syscall.IPV6_MTU_DISCOVER, word(n))
			}
			r.get(s, ip, syscall.IP_MTU_DISCOVER, 4)
			r.get(s, ip, ipMTU, 4)
			r.connect(s, "127.0.0.1:9")
			r.get(s, ip, ipMTU, 4)
			r.get(v, ip6, syscall.IPV6_MTU, 4)
		},
		"cut and joined": func(r *recorder) {
			s, to, all := r.socket(four, dgram, 0), r.socket(four, dgram, 0), r.socket(four, dgram, 0)
			r.bind(to, "127.0.0.1:4002")
			r.bind(all, "127.0.0.1:4003")
			r.bind(s, "127.0.0.1:4001")
			r.get(s, solUDP, udpSegment, 4)
			r.set(s, solUDP, udpSegment, word(-1))
			r.set(s, solUDP, udpSegment, word(70000))
			r.set(s, solUDP, udpSegment, word(10))
			r.get(s, solUDP, udpSegment, 4)
			r.get(all, solUDP, udpGRO, 4)
			r.set(all, solUDP, udpGRO, word(1))
			r.get(all, solUDP, udpGRO, 4)
			text := []byte("0123456789abcdefghijABCDE")
			for _, n := range []int{25, 20, 10, 5} {
				r.send(s, "127.0.0.1:4002", text[:n], nil)
				for range 4 {
					r.recv(to, 100, 0)
				}
				r.send(s, "127.0.0.1:4003", text[:n], nil)
				r.recv(all, 100, 0)
				r.recv(all, 100, 0)
			}
			r.send(s, "127.0.0.1:4002", text, control(solUDP, udpSegment, binary.NativeEndian.AppendUint16(nil, 20)...))
			r.recv(to, 100, 0)
			r.recv(to, 100, 0)
			r.recv(to, 100, 0)
			r.set(s, solUDP, udpSegment, word(1))
			r.send(s, "127.0.0.1:4002", bytes.Repeat([]byte("x"), 300), nil)
			r.recv(to, 100, 0)
		},
		"multicasts": func(r *recorder) {
			s, a, b, other := r.socket(four, dgram, 0), r.socket(four, dgram, 0), r.socket(four, dgram, 0), r.socket(four, dgram, 0)
			for _, x := range []int{a, b} {
				r.set(x, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, word(1))
				r.bind(x, "0.0.0.0:4004")
			}
			r.bind(other, "0.0.0.0:4005")
			r.bind(s, "127.0.0.1:4006")
			r.set(s, ip, syscall.IP_MULTICAST_IF, local[:])
			r.send(s, "239.1.2.3:4004", []byte("to nobody"), nil)
			r.recv(a, 100, 0)
			r.set(a, ip, syscall.IP_ADD_MEMBERSHIP, mreq([4]byte{10, 0, 0, 1}, local))
			r.set(a, ip, syscall.IP_ADD_MEMBERSHIP, mreq(group, [4]byte{9, 9, 9, 9}))
			r.set(a, ip, syscall.IP_ADD_MEMBERSHIP, group[:])
			r.set(a, ip, syscall.IP_ADD_MEMBERSHIP, mreq(group, local))
			r.set(a, ip, syscall.IP_ADD_MEMBERSHIP, mreq(group, local))
			r.send(s, "239.1.2.3:4004", []byte("to both"), nil)
			r.recv(a, 100, 0)
			r.recv(b, 100, 0)
			r.recv(other, 100, 0)
			r.get(b, ip, ipMulticastAll, 4)
			r.set(b, ip, ipMulticastAll, word(0))
			r.set(a, ip, syscall.IP_PKTINFO, word(1))
			r.set(a, ip, syscall.IP_RECVTTL, word(1))
			r.send(s, "239.1.2.3:4004", []byte("to the member"), nil)
			r.recv(a, 100, 0)
			r.recv(b, 100, 0)
			r.get(s, ip, syscall.IP_MULTICAST_TTL, 4)
			r.get(s, ip, syscall.IP_MULTICAST_LOOP, 4)
			r.set(s, ip, syscall.IP_MULTICAST_TTL, word(7))
			r.send(s, "239.1.2.3:4004", []byte("further"), nil)
			r.recv(a, 100, 0)
			r.set(a, ip, syscall.IP_DROP_MEMBERSHIP, mreq([4]byte{239, 9, 9, 9}, local))
			r.set(a, ip, syscall.IP_DROP_MEMBERSHIP, mreq(group, local))
			r.send(s, "239.1.2.3:4004", []byte("to nobody"), nil)
			r.recv(a, 100, 0)
			// MCAST_JOIN_GROUP: struct group_req.
			req := make([]byte, 136)
			binary.NativeEndian.PutUint32(req, 1)
			binary.NativeEndian.PutUint16(req[8:], four)
			copy(req[12:], group[:])
			r.set(a, ip, 42, req)
			r.set(a, ip, 42, req[:100])
			r.send(s, "239.1.2.3:4004", []byte("by the newer call"), nil)
			r.recv(a, 100, 0)
			r.set(a, ip, 45, req)
			r.set(a, ip, 45, req)
		},
		"multicasts of sources": func(r *recorder) {
			one, two, a := r.socket(four, dgram, 0), r.socket(four, dgram, 0), r.socket(four, dgram, 0)
			r.bind(a, "0.0.0.0:4004")
			r.bind(one, "127.0.0.1:4006")
			r.bind(two, "127.0.0.2:4006")
			for _, s := range []int{one, two} {
				r.set(s, ip, syscall.IP_MULTICAST_IF, local[:])
			}
			both := func(what string) {
				r.send(one, "239.1.2.3:4004", []byte(what+" of one"), nil)
				r.send(two, "239.1.2.3:4004", []byte(what+" of two"), nil)
				r.recv(a, 100, 0)
				r.recv(a, 100, 0)
			}
			req := func(group [4]byte, source byte) []byte {
				return append(mreq(group, local), 127, 0, 0, source)
			}
			const unblock, block, add, drop = syscall.IP_UNBLOCK_SOURCE, syscall.IP_BLOCK_SOURCE, syscall.IP_ADD_SOURCE_MEMBERSHIP, syscall.IP_DROP_SOURCE_MEMBERSHIP
			for _, name := range []int{unblock, block, drop} {
				r.set(a, ip, name, req(group, 1)) // not joined
			}
			r.set(a, ip, add, req([4]byte{10, 0, 0, 1}, 1))
			r.set(a, ip, add, req(group, 1)[:11])
			r.set(a, ip, add, append(mreq(group, [4]byte{9, 9, 9, 9}), 127, 0, 0, 1))
			both("none")
			r.set(a, ip, add, req(group, 1))
			r.set(a, ip, add, req(group, 1))
			both("one")
			r.set(a, ip, block, req(group, 1))
			r.set(a, ip, add, req(group, 2))
			both("both")
			r.set(a, ip, drop, req(group, 1))
			r.set(a, ip, drop, req(group, 1))
			both("two")
			for n := range 12 {
				r.set(a, ip, add, req(group, byte(10+n)))
			}
			r.set(a, ip, syscall.IP_ADD_MEMBERSHIP, mreq(group, local))
			r.set(a, ip, syscall.IP_DROP_MEMBERSHIP, mreq(group, local))
			both("left")
			r.set(a, ip, syscall.IP_ADD_MEMBERSHIP, mreq(group, local))
			r.set(a, ip, unblock, req(group, 1))
			r.set(a, ip, block, req(group, 1))
			r.set(a, ip, block, req(group, 1))
			r.set(a, ip, add, req(group, 1))
			both("but one")
			r.set(a, ip, unblock, req(group, 1))
			both("all")
			r.set(a, ip, drop, req(group, 1))
			r.set(a, ip, add, req(group, 2))
			both("not switched")
			r.set(a, ip, syscall.IP_DROP_MEMBERSHIP, mreq(group, local))
			r.set(a, ip, syscall.IP_ADD_MEMBERSHIP, mreq(group, local))
			r.set(a, ip, drop, req(group, 2)) // it goes from all sources to none
			both("switched")
			r.set(a, ip, add, req(group, 2))
			both("only two")
			r.set(a, ip, drop, req(group, 2))
			r.set(a, ip, drop, req(group, 2))
			// MCAST_JOIN_SOURCE_GROUP and its like: struct group_source_req.
			long := make([]byte, 264)
			binary.NativeEndian.PutUint32(long, 1)
			binary.NativeEndian.PutUint16(long[8:], four)
			copy(long[12:], group[:])
			binary.NativeEndian.PutUint16(long[136:], four)
			copy(long[140:], []byte{127, 0, 0, 2})
			r.set(a, ip, mcastJoinSource, long[:200])
			r.set(a, ip, mcastJoinSource, long)
			both("by the newer call")
			r.set(a, ip, mcastBlockSource, long)
			r.set(a, ip, mcastLeaveSource, long)
			r.set(a, ip, mcastLeaveSource, long)
			both("left by it")
		},
		"lists of sources": func(r *recorder) {
			one, two, a := r.socket(four, dgram, 0), r.socket(four, dgram, 0), r.socket(four, dgram, 0)
			r.bind(a, "0.0.0.0:4004")
			r.bind(one, "127.0.0.1:4006")
			r.bind(two, "127.0.0.2:4006")
			for _, s := range []int{one, two} {
				r.set(s, ip, syscall.IP_MULTICAST_IF, local[:])
			}
			both := func(what string) {
				r.send(one, "239.1.2.3:4004", []byte(what+" of one"), nil)
				r.send(two, "239.1.2.3:4004", []byte(what+" of two"), nil)
				r.recv(a, 100, 0)
				r.recv(a, 100, 0)
			}
			list := func(group [4]byte, mode int, sources ...byte) []byte {
				b := append(append(mreq(group, local), word(mode)...), word(len(sources))...)
				for _, s := range sources {
					b = append(b, 127, 0, 0, s)
				}
				return b
			}
			ask := func(value []byte, lens ...int) {
				for _, n := range append(lens, len(value)) {
					r.ask(a, ip, ipFilter, value[:n])
				}
			}
			ask(list(group, 0), 0, 15) // not joined
			ask(list([4]byte{10, 0, 0, 1}, 0))
			r.set(a, ip, ipFilter, list(group, 1, 1))
			r.set(a, ip, ipFilter, list(group, 1))
			r.set(a, ip, ipFilter, list([4]byte{10, 0, 0, 1}, 1, 1))
			r.set(a, ip, syscall.IP_ADD_MEMBERSHIP, mreq(group, local))
			r.set(a, ip, ipFilter, list(group, 1, 1)[:15])
			r.set(a, ip, ipFilter, list(group, 1, 1, 2)[:23])
			r.set(a, ip, ipFilter, list(group, 2, 1))
			r.set(a, ip, ipFilter, list(group, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
			r.set(a, ip, ipFilter, append(append(mreq(group, [4]byte{9, 9, 9, 9}), word(1)...), word(0)...))
			both("all")
			for _, l := range [][]byte{list(group, 1, 1), list(group, 1, 2, 1), list(group, 1, 2), list(group, 0, 2), list(group, 0, 1, 1), list(group, 0), list(group, 1, 9, 2), list(group, 0, 2)} {
				r.set(a, ip, ipFilter, l)
				both("listed")
				if len(l) != 24 || l[19] != l[23] { // sources that are listed twice Linux tells twice
					ask(list(group, 0), 15)
					ask(list(group, 7, 0))
					ask(list(group, 1, 0, 0, 0))
				}
			}
			r.set(a, ip, syscall.IP_BLOCK_SOURCE, append(mreq(group, local), 127, 0, 0, 1))
			both("neither")
			ask(list(group, 1, 0, 0, 0))
			ask(append(append(mreq(group, [4]byte{9, 9, 9, 9}), word(1)...), word(0)...))
			ask(append(append(mreq(group, [4]byte{}), word(1)...), word(0)...))
			r.set(a, ip, ipFilter, list(group, 1)) // is to leave it
			both("left")
			r.set(a, ip, syscall.IP_DROP_MEMBERSHIP, mreq(group, local))
			// MCAST_MSFILTER: struct group_filter.
			long := func(mode int, sources ...byte) []byte {
				b := make([]byte, 144+128*len(sources))
				binary.NativeEndian.PutUint32(b, 1)
				binary.NativeEndian.PutUint16(b[8:], four)
				copy(b[12:], group[:])
				copy(b[136:], append(word(mode), word(len(sources))...))
				for i, s := range sources {
					binary.NativeEndian.PutUint16(b[144+128*i:], four)
					copy(b[148+128*i:], []byte{127, 0, 0, s})
				}
				return b
			}
			r.set(a, ip, mcastFilter, long(1, 1))
			r.set(a, ip, mcastJoinGroup, long(0)[:136])
			r.set(a, ip, mcastFilter, long(1, 1)[:140])
			r.set(a, ip, mcastFilter, long(1, 1, 2)[:300])
			r.set(a, ip, mcastFilter, long(7, 1))
			wrong := long(1, 1)
			wrong[144] = six
			r.set(a, ip, mcastFilter, wrong)
			for _, l := range [][]byte{long(1, 1), long(0, 1), long(1, 2, 1), long(1)} {
				r.set(a, ip, mcastFilter, l)
				both("by the newer call")
				for _, q := range [][]byte{long(7), long(0, 0), long(0, 0, 0, 0), long(0)[:143], wrong} {
					r.ask(a, ip, mcastFilter, q)
				}
				elsewhere := long(0)
				elsewhere[0] = 7
				r.ask(a, ip, mcastFilter, elsewhere)
				unnamed := long(0)
				copy(unnamed[12:], []byte{10, 0, 0, 1})
				r.ask(a, ip, mcastFilter, unnamed)
				unnamed[8] = six
				r.ask(a, ip, mcastFilter, unnamed)
				r.ask(a, ip, mcastFilter+1, unnamed)
			}
		},
		"lists of sources of six": func(r *recorder) {
			s, a := r.socket(six, dgram, 0), r.socket(six, dgram, 0)
			r.bind(a, "[::]:4004")
			r.bind(s, "[::1]:4006")
			r.set(s, ip6, syscall.IPV6_MULTICAST_IF, word(1))
			list := func(mode int, sources ...byte) []byte {
				b := make([]byte, 144+128*len(sources))
				binary.NativeEndian.PutUint32(b, 1)
				binary.NativeEndian.PutUint16(b[8:], six)
				copy(b[16:], []byte{0xff, 0x12, 15: 0x79})
				copy(b[136:], append(word(mode), word(len(sources))...))
				for i, x := range sources {
					binary.NativeEndian.PutUint16(b[144+128*i:], six)
					b[144+128*i+8+15] = x
				}
				return b
			}
			r.set(a, ip6, mcastFilter, list(1, 1))
			r.set(a, ip6, mcastJoinGroup, list(0)[:136])
			many := make([]byte, 65)
			for i := range many {
				many[i] = byte(i)
			}
			for _, n := range []int{11, 64, 65} {
				r.set(a, ip6, mcastFilter, list(1, many[:n]...))
			}
			for _, l := range [][]byte{list(1, 2), list(1, 2, 1), list(0, 1), list(0, 2), list(0), list(2), list(1)} {
				r.set(a, ip6, mcastFilter, l)
				r.send(s, "[ff12::79%1]:4004", []byte("listed"), nil)
				r.recv(a, 100, 0)
				for _, q := range [][]byte{list(7), list(0, 0), list(0, 0, 0, 0), list(0)[:143]} {
					r.ask(a, ip6, mcastFilter, q)
				}
				r.ask(a, ip, mcastFilter, list(0))
				r.ask(s, ip6, mcastFilter, list(0))
				r.ask(a, ip6, ipFilter, list(0))
			}
		},
		"multicasts of sources of six": func(r *recorder) {
			s, a := r.socket(six, dgram, 0), r.socket(six, dgram, 0)
			r.bind(a, "[::]:4004")
			r.bind(s, "[::1]:4006")
			r.set(s, ip6, syscall.IPV6_MULTICAST_IF, word(1))
			req := func(source byte) []byte {
				b := make([]byte, 264)
				binary.NativeEndian.PutUint32(b, 1)
				for _, at := range []int{8, 136} {
					binary.NativeEndian.PutUint16(b[at:], six)
				}
				copy(b[16:], []byte{0xff, 0x12, 15: 0x79})
				b[144+15] = source
				return b
			}
			send := func(what string) {
				r.send(s, "[ff12::79%1]:4004", []byte(what), nil)
				r.recv(a, 100, 0)
			}
			for _, name := range []int{mcastLeaveSource, mcastBlockSource, mcastUnblockSource} {
				r.set(a, ip6, name, req(1))
			}
			r.set(a, ip6, mcastJoinSource, req(2))
			send("of another")
			r.set(a, ip6, mcastJoinSource, req(1))
			r.set(a, ip6, mcastJoinSource, req(1))
			send("of it")
			r.set(a, ip6, mcastLeaveSource, req(1))
			send("left")
			r.set(a, ip6, mcastLeaveSource, req(1))
			r.set(a, ip6, mcastLeaveSource, req(2))
			r.set(a, ip6, mcastJoinGroup, req(1)[:136])
			r.set(a, ip6, mcastBlockSource, req(1))
			send("blocked")
			r.set(a, ip6, mcastUnblockSource, req(1))
			send("all")
		},
		"multicasts of six": func(r *recorder) {
			s, a := r.socket(six, dgram, 0), r.socket(six, dgram, 0)
			r.bind(a, "[::]:4004")
			r.bind(s, "[::1]:4006")
			r.set(s, ip6, syscall.IPV6_MULTICAST_IF, word(1))
			r.get(s, ip6, syscall.IPV6_MULTICAST_IF, 4)
			req := make([]byte, 20)
			req[0], req[1], req[15] = 0xff, 0x12, 0x77
			binary.NativeEndian.PutUint32(req[16:], 77)
			r.set(a, ip6, syscall.IPV6_JOIN_GROUP, req)
			binary.NativeEndian.PutUint32(req[16:], 1)
			r.set(a, ip6, syscall.IPV6_JOIN_GROUP, req)
			r.set(a, ip6, syscall.IPV6_JOIN_GROUP, req)
			r.set(a, ip6, syscall.IPV6_RECVPKTINFO, word(1))
			r.set(a, ip6, syscall.IPV6_RECVHOPLIMIT, word(1))
			r.send(s, "[ff12::77%1]:4004", []byte("here"), nil)
			r.recv(a, 100, 0)
			r.set(s, ip6, syscall.IPV6_MULTICAST_LOOP, word(0))
			r.send(s, "[ff12::77%1]:4004", []byte("not looped"), nil)
			r.recv(a, 100, 0)
			r.set(s, ip6, syscall.IPV6_MULTICAST_LOOP, word(1))
			greq := make([]byte, 136)
			binary.NativeEndian.PutUint32(greq, 1)
			binary.NativeEndian.PutUint16(greq[8:], six)
			copy(greq[16:], req[:16])
			greq[16+15] = 0x78
			r.set(a, ip6, 42, greq)
			r.send(s, "[ff12::78%1]:4004", []byte("by the newer call"), nil)
			r.recv(a, 100, 0)
			r.set(a, ip6, 45, greq)
			r.set(a, ip6, syscall.IPV6_LEAVE_GROUP, req)
			r.set(a, ip6, syscall.IPV6_LEAVE_GROUP, req)
		},
	} {
		t.Run(name, func(t *testing.T) { compare(t, s) })
	}
}
