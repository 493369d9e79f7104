package filter

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// must verifies a program that has to be right.
func must(t testing.TB, code ...Instruction) *Program {
	t.Helper()
	p, err := Verify(code)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// slowly runs a program the plain way, apart from Run: it decodes each instruction by class, size and mode as the paper's tables do, and works in 64
// bits. It reports whether a load came out at Linux's extensions, where the kernel may differ.
func slowly(code []Instruction, packet []byte) (keep uint32, extension bool) {
	var a, x uint64
	m := map[uint32]uint64{}
	load := func(off uint64, size int) (uint64, bool) {
		off %= 1 << 32
		if off >= 0xffe00000 {
			extension = true
		}
		if off+uint64(size) > uint64(len(packet)) {
			return 0, false
		}
		var b [8]byte
		copy(b[8-size:], packet[off:off+uint64(size)])
		return binary.BigEndian.Uint64(b[:]), true
	}
	for pc := 0; ; pc++ {
		in := code[pc]
		k := uint64(in.K)
		second := k
		if in.Op>>3&1 == 1 {
			second = x
		}
		switch class := in.Op & 7; class {
		case 0, 1:
			var v uint64
			ok := true
			size := map[uint16]int{0: 4, 1: 2, 2: 1}[in.Op>>3&3]
			switch in.Op >> 5 {
			case 0:
				v = k
			case 1:
				v, ok = load(k, size)
			case 2:
				v, ok = load(x+k, size)
			case 3:
				v = m[in.K]
			case 4:
				v = uint64(len(packet))
			case 5:
				v, ok = load(k, 1)
				v = v % 16 * 4
			}
			if !ok {
				return 0, extension
			}
			if class == 0 {
				a = v
			} else {
				x = v
			}
		case 2:
			m[in.K] = a
		case 3:
			m[in.K] = x
		case 4:
			switch op := in.Op >> 4; op {
			case 0:
				a += second
			case 1:
				a += 1<<32 - second
			case 2:
				a *= second
			case 3, 9:
				if second == 0 {
					return 0, extension
				}
				if op == 3 {
					a /= second
				} else {
					a %= second
				}
			case 4:
				a |= second
			case 5:
				a &= second
			case 6:
				a <<= second % 32
			case 7:
				a >>= second % 32
			case 8:
				a = 1<<32 - a
			case 10:
				a ^= second
			}
			a %= 1 << 32
		case 5:
			taken := false
			switch in.Op >> 4 {
			case 0:
				pc += int(k)
				continue
			case 1:
				taken = a == second
			case 2:
				taken = a > second
			case 3:
				taken = a >= second
			case 4:
				taken = a&second > 0
			}
			if taken {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		case 6:
			if in.Op>>4 == 1 {
				return uint32(a), extension
			}
			return in.K, extension
		case 7:
			if in.Op>>7 == 1 {
				a = x
			} else {
				x = a
			}
		}
	}
}

var operations = []uint16{
	LdImm, LdAbsW, LdAbsH, LdAbsB, LdIndW, LdIndH, LdIndB, LdMem, LdLen, LdxImm, LdxMem, LdxLen, LdxMsh, St, Stx, Tax, Txa,
	AddK, AddX, SubK, SubX, MulK, MulX, DivK, DivX, OrK, OrX, AndK, AndX, LshK, LshX, RshK, RshX, Neg, ModK, ModX, XorK, XorX,
	Ja, JeqK, JeqX, JgtK, JgtX, JgeK, JgeX, JsetK, JsetX, RetK, RetA,
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// anything is a program of any operations that Verify takes.
func anything(r *rand.Rand) []Instruction {
	for {
		code := make([]Instruction, 2+r.IntN(20))
		var written []uint32
		for i := range code {
			in := Instruction{Op: pick(r, operations...)}
			left := len(code) - i - 1
			if left == 0 {
				in.Op = pick[uint16](r, RetK, RetA)
			} else if (in.Op == RetK || in.Op == RetA) && r.IntN(3) != 0 {
				in.Op = LdAbsB
			}
			switch in.K = pick(r, uint32(r.IntN(4)), uint32(r.IntN(40)), uint32(r.IntN(256)), r.Uint32()); {
			case in.Op == Ja:
				in.K = uint32(r.IntN(max(left, 1)))
			case conditional(in.Op):
				in.Jt, in.Jf = uint8(r.IntN(max(left, 1))), uint8(r.IntN(max(left, 1)))
			case in.Op == St || in.Op == Stx:
				in.K %= 16
				written = append(written, in.K)
			case in.Op == LdMem || in.Op == LdxMem:
				if len(written) == 0 {
					in.Op = Txa
					break
				}
				in.K = pick(r, written...)
			case in.Op == LshK || in.Op == RshK:
				in.K %= 32
			case loads(in.Op) && r.IntN(20) != 0:
				in.K %= 24
			}
			code[i] = in
		}
		if _, err := Verify(code); err == nil {
			return code
		}
	}
}

func loads(op uint16) bool {
	switch op {
	case LdAbsW, LdAbsH, LdAbsB, LdIndW, LdIndH, LdIndB, LdxMsh:
		return true
	}
	return false
}

// sensible is a program of the kind that compilers of filters write: load a field, maybe take a part of it, compare, jump. Nearly all of them can be taken
// apart.
func sensible(r *rand.Rand) []Instruction {
	for {
		var code []Instruction
		indexed := false
		for range 1 + r.IntN(6) {
			off := uint32(r.IntN(12))
			switch r.IntN(8) {
			case 0:
				code = append(code, Instruction{Op: LdxMsh, K: off})
				indexed = true
			case 1:
				code = append(code, Instruction{Op: LdAbsB, K: off}, Instruction{Op: AndK, K: 7}, Instruction{Op: Tax})
				indexed = true
			case 2:
				code = append(code, Instruction{Op: pick[uint16](r, LdAbsB, LdAbsH, LdAbsW), K: off}, Instruction{Op: St, K: 1}, Instruction{Op: LdMem, K: 1})
			}
			switch {
			case indexed && r.IntN(2) == 0:
				code = append(code, Instruction{Op: pick[uint16](r, LdIndB, LdIndH, LdIndW), K: pick(r, off, off, -off)})
			case indexed && r.IntN(3) == 0: // a constant on the left of what follows
				code = append(code, Instruction{Op: LdImm, K: uint32(r.IntN(40))},
					Instruction{Op: pick[uint16](r, JeqX, JgtX, JgeX, JsetX)})
			case r.IntN(8) == 0:
				code = append(code, Instruction{Op: LdLen})
			default:
				code = append(code, Instruction{Op: pick[uint16](r, LdAbsB, LdAbsH, LdAbsW), K: off})
			}
			for r.IntN(3) == 0 {
				code = append(code, pick(r, Instruction{Op: AndK, K: pick[uint32](r, 1, 3, 0xf, 0xf0, 0xff, 0xff00, 0xffff0000, 0x3c)},
					Instruction{Op: RshK, K: uint32(r.IntN(20))}, Instruction{Op: LshK, K: uint32(r.IntN(20))},
					Instruction{Op: DivK, K: 1 << r.IntN(9)}, Instruction{Op: ModK, K: 1 << r.IntN(9)}, Instruction{Op: MulK, K: 1 << r.IntN(9)},
					Instruction{Op: AddK, K: uint32(r.IntN(4))}, Instruction{Op: SubK, K: uint32(r.IntN(4))}, Instruction{Op: OrK}))
			}
			code = append(code, Instruction{Op: pick[uint16](r, JeqK, JeqK, JeqK, JgtK, JgeK, JsetK, JsetK+1),
				K: pick(r, uint32(r.IntN(4)), uint32(r.IntN(4))<<8|uint32(r.IntN(4)), 0x80, 0x01000000, 0x01020000, r.Uint32())})
			if in := &code[len(code)-1]; in.Op == JsetK+1 {
				*in = Instruction{Op: Ja} // leave the value for what follows
			}
			if r.IntN(6) == 0 {
				code = append(code, pick(r, Instruction{Op: RetK}, Instruction{Op: RetK, K: 9}, Instruction{Op: RetA}))
			}
		}
		code = append(code, Instruction{Op: RetK, K: uint32(r.IntN(2))}, Instruction{Op: RetK, K: 0xffff}, Instruction{Op: RetK})
		for i := range code {
			if conditional(code[i].Op) {
				left := len(code) - i - 1
				code[i].Jt, code[i].Jf = uint8(r.IntN(left)), uint8(pick(r, 0, left-1, r.IntN(left)))
			}
		}
		if _, err := Verify(code); err == nil {
			return code
		}
	}
}

// someBytes is a packet of few different bytes, so that random programs agree with it now and then.
func someBytes(r *rand.Rand) []byte {
	b := make([]byte, pick(r, r.IntN(24), 24, 40))
	for i := range b {
		b[i] = pick(r, 0, 0, 1, 2, 3, 8, 0x45, 0x80, byte(r.Uint32()))
	}
	return b
}

// server is the filter of a server's port on an Ethernet: an IPv4 packet, no later fragment, of a protocol to an address and port.
func server(protocol uint8, address uint32, port uint16) []Instruction {
	return []Instruction{
		{Op: LdAbsH, K: 12},
		{Op: JeqK, K: 0x0800, Jf: 10},
		{Op: LdAbsB, K: 23},
		{Op: JeqK, K: uint32(protocol), Jf: 8},
		{Op: LdAbsW, K: 30},
		{Op: JeqK, K: address, Jf: 6},
		{Op: LdAbsH, K: 20},
		{Op: JsetK, K: 0x1fff, Jt: 4},
		{Op: LdxMsh, K: 14},
		{Op: LdIndH, K: 16},
		{Op: JeqK, K: uint32(port), Jf: 1},
		{Op: RetK, K: 0xffff},
		{Op: RetK, K: 0},
	}
}

// datagram is a packet that server's filter accepts.
func datagram(protocol uint8, address uint32, port uint16) []byte {
	p := make([]byte, 60)
	binary.BigEndian.PutUint16(p[12:], 0x0800)
	p[14], p[23] = 0x45, protocol
	binary.BigEndian.PutUint32(p[30:], address)
	binary.BigEndian.PutUint16(p[36:], port)
	return p
}

// encode and decode are the form of programs in the fuzzers' corpora: eight bytes an instruction, as in struct sock_filter.
func encode(code []Instruction) []byte {
	var b []byte
	for _, in := range code {
		b = binary.LittleEndian.AppendUint16(b, in.Op)
		b = append(b, in.Jt, in.Jf)
		b = binary.LittleEndian.AppendUint32(b, in.K)
	}
	return b
}

func decode(b []byte) []Instruction {
	var code []Instruction
	for ; len(b) >= 8; b = b[8:] {
		code = append(code, Instruction{binary.LittleEndian.Uint16(b), b[2], b[3], binary.LittleEndian.Uint32(b[4:])})
	}
	return code
}

// seeded is a source of numbers that are the same in each run.
func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 0x9e3779b97f4a7c15)) }

// some returns a packet that passes a path, if one is found.
func some(p path) ([]byte, bool) {
	work := budget(maxWork)
	packet, verdict, _ := solve(p, &work)
	return packet, verdict == Overlapping
}
