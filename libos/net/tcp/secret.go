package tcp

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A Tuple is the two ends of a connection.
type Tuple struct{ Local, Remote netip.AddrPort }

// A Secret is a random key that nobody outside knows: what strangers must not guess is made with it.
type Secret [16]byte

// hash is SipHash-2-4 (Aumasson and Bernstein, 2012) of a use and a tuple.
func (k *Secret) hash(use byte, t Tuple, more uint64) uint64 {
	var m [48]byte
	binary.LittleEndian.PutUint16(m[0:], t.Local.Port())
	binary.LittleEndian.PutUint16(m[2:], t.Remote.Port())
	m[4] = use
	binary.LittleEndian.PutUint64(m[8:], more)
	if t.Local.Addr().Is4() && t.Remote.Addr().Is4() { // their message is shorter, so it is no other's
		l, r := t.Local.Addr().As4(), t.Remote.Addr().As4()
		copy(m[16:], l[:])
		copy(m[20:], r[:])
		return sipHash(k, m[:24])
	}
	l, r := t.Local.Addr().As16(), t.Remote.Addr().As16()
	copy(m[16:], l[:])
	copy(m[32:], r[:])
	return sipHash(k, m[:])
}

// sipHash hashes a message whose length is a multiple of eight.
func sipHash(k *Secret, m []byte) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(k[0:]), binary.LittleEndian.Uint64(k[8:])
	v0, v1, v2, v3 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d, k0^0x6c7967656e657261, k1^0x7465646279746573
	round := func() {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	n := len(m)
	for ; len(m) >= 8; m = m[8:] {
		w := binary.LittleEndian.Uint64(m)
		v3 ^= w
		round()
		round()
		v0 ^= w
	}
	last := uint64(n) << 56
	v3 ^= last
	round()
	round()
	v0 ^= last
	v2 ^= 0xff
	round()
	round()
	round()
	round()
	return v0 ^ v1 ^ v2 ^ v3
}

// Uses of the secret.
const (
	useISN = iota
	useStamp
	useCookie
	usePort
	usePortTable
)

// ISN is the initial sequence number for a connection (RFC 6528): a clock of 4 µs and an offset of the tuple's own.
func (k *Secret) ISN(now tick.Time, t Tuple) Seq {
	return Seq(now/tick.Time(4*time.Microsecond)) + Seq(k.hash(useISN, t, 0))
}

// Stamp is where the timestamps of a connection begin (RFC 7323, 7.1); one for each pair of addresses, or RFC 6191 could not compare them.
func (k *Secret) Stamp(t Tuple) uint32 {
	t.Local = netip.AddrPortFrom(t.Local.Addr(), 0)
	t.Remote = netip.AddrPortFrom(t.Remote.Addr(), 0)
	return uint32(k.hash(useStamp, t, 0))
}

// Ports picks local ports by RFC 6056's double hash (3.3.4): each peer sees its own sequence, and no port comes again soon.
type Ports struct {
	First, Last uint16 // the range, inclusive
	table       [64]uint16
}

// Pick gives a port for which busy says false; false: all are busy. t's local port does not matter.
func (p *Ports) Pick(k *Secret, t Tuple, busy func(port uint16) bool) (uint16, bool) {
	t.Local = netip.AddrPortFrom(t.Local.Addr(), 0)
	n := uint32(p.Last-p.First) + 1
	offset := uint32(k.hash(usePort, t, 0))
	slot := &p.table[k.hash(usePortTable, t, 0)%uint64(len(p.table))]
	for range n {
		port := p.First + uint16((offset+uint32(*slot))%n)
		*slot++
		if !busy(port) {
			return port, true
		}
	}
	return 0, false
}
