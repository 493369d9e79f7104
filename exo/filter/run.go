package filter

// Match reports whether the program accepts packet. Any bytes will do.
func (p *Program) Match(packet []byte) bool { return p.Run(packet) != 0 }

// Run executes the program on packet and returns how many bytes of it to keep: 0 rejects it, and more than it has means all. It allocates nothing.
func (p *Program) Run(packet []byte) uint32 {
	var a, x uint32
	var m [scratchWords]uint32
	code := p.code
	for pc := 0; pc < len(code); pc++ {
		in := &code[pc]
		operand := in.K
		if in.Op&byX != 0 && in.Op&7 >= 4 {
			operand = x
		}
		var ok bool
		switch in.Op {
		case LdImm:
			a = in.K
		case LdLen:
			a = uint32(len(packet))
		case LdMem:
			a = m[in.K&(scratchWords-1)]
		case LdAbsW, LdAbsH, LdAbsB:
			if a, ok = fetch(packet, in.K, loadSize(in.Op)); !ok {
				return 0
			}
		case LdIndW, LdIndH, LdIndB:
			if a, ok = fetch(packet, x+in.K, loadSize(in.Op)); !ok {
				return 0
			}
		case LdxImm:
			x = in.K
		case LdxLen:
			x = uint32(len(packet))
		case LdxMem:
			x = m[in.K&(scratchWords-1)]
		case LdxMsh:
			if x, ok = fetch(packet, in.K, 1); !ok {
				return 0
			}
			x = x & 15 << 2
		case St:
			m[in.K&(scratchWords-1)] = a
		case Stx:
			m[in.K&(scratchWords-1)] = x
		case Tax:
			x = a
		case Txa:
			a = x
		case Ja:
			pc += int(in.K)
		case JeqK, JeqX, JgtK, JgtX, JgeK, JgeX, JsetK, JsetX:
			if holds(in.Op, a, operand) {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		case RetK:
			return in.K
		case RetA:
			return a
		default:
			if a, ok = compute(in.Op, a, operand); !ok {
				return 0
			}
		}
	}
	return 0 // not reached: the last instruction is RET
}

// holds is the condition of a jump.
func holds(op uint16, a, operand uint32) bool {
	switch op &^ byX {
	case JeqK:
		return a == operand
	case JgtK:
		return a > operand
	case JgeK:
		return a >= operand
	}
	return a&operand != 0 // JSET
}

// compute is arithmetic; false is a division by 0.
func compute(op uint16, a, operand uint32) (uint32, bool) {
	switch op &^ byX {
	case AddK:
		return a + operand, true
	case SubK:
		return a - operand, true
	case MulK:
		return a * operand, true
	case OrK:
		return a | operand, true
	case AndK:
		return a & operand, true
	case XorK:
		return a ^ operand, true
	case LshK:
		return a << (operand & 31), true
	case RshK:
		return a >> (operand & 31), true
	case Neg:
		return -a, true
	}
	if operand == 0 {
		return 0, false
	}
	if op&^byX == ModK {
		return a % operand, true
	}
	return a / operand, true
}

// fetch loads size bytes at off, if they are in the packet.
func fetch(packet []byte, off uint32, size uint8) (uint32, bool) {
	if uint64(off)+uint64(size) > uint64(len(packet)) || off >= extensions {
		return 0, false
	}
	p := packet[off:]
	switch size {
	case 4:
		return uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3]), true
	case 2:
		return uint32(p[0])<<8 | uint32(p[1]), true
	}
	return uint32(p[0]), true
}
