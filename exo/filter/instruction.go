package filter

// Instruction is one step of a program, in the layout of Linux's struct sock_filter. A program made by other tools (tcpdump -dd,
// golang.org/x/net/bpf) is taken word for word.
type Instruction struct {
	Op     uint16
	Jt, Jf uint8  // how many instructions a conditional jump leaves out
	K      uint32 // the constant
}

// MaxLength is how many instructions a program may have; Linux's BPF_MAXINSNS.
const MaxLength = 4096

// scratchWords is the number of words in scratch memory; Linux's BPF_MEMWORDS.
const scratchWords = 16

// extensions is where Linux's SKF_LL_OFF, SKF_NET_OFF and SKF_AD_OFF begin: offsets that are not in the packet.
const extensions = 0xffe00000

// The operations. P is the packet, M scratch memory; the names end in K or X for the operand.
const (
	LdImm  = 0x00 // A = K
	LdAbsW = 0x20 // A = P[K:4]
	LdAbsH = 0x28 // A = P[K:2]
	LdAbsB = 0x30 // A = P[K:1]
	LdIndW = 0x40 // A = P[X+K:4]
	LdIndH = 0x48 // A = P[X+K:2]
	LdIndB = 0x50 // A = P[X+K:1]
	LdMem  = 0x60 // A = M[K]
	LdLen  = 0x80 // A = len(P)

	LdxImm = 0x01 // X = K
	LdxMem = 0x61 // X = M[K]
	LdxLen = 0x81 // X = len(P)
	LdxMsh = 0xb1 // X = 4 * (P[K:1] & 15): the length of an IPv4 header

	St  = 0x02 // M[K] = A
	Stx = 0x03 // M[K] = X
	Tax = 0x07 // X = A
	Txa = 0x87 // A = X

	AddK = 0x04
	AddX = 0x0c
	SubK = 0x14
	SubX = 0x1c
	MulK = 0x24
	MulX = 0x2c
	DivK = 0x34
	DivX = 0x3c
	OrK  = 0x44
	OrX  = 0x4c
	AndK = 0x54
	AndX = 0x5c
	LshK = 0x64
	LshX = 0x6c
	RshK = 0x74
	RshX = 0x7c
	Neg  = 0x84
	ModK = 0x94
	ModX = 0x9c
	XorK = 0xa4
	XorX = 0xac

	Ja    = 0x05 // leave out K instructions
	JeqK  = 0x15 // A == K: leave out Jt, else Jf
	JeqX  = 0x1d
	JgtK  = 0x25 // A > K
	JgtX  = 0x2d
	JgeK  = 0x35 // A >= K
	JgeX  = 0x3d
	JsetK = 0x45 // A & K != 0
	JsetX = 0x4d

	RetK = 0x06 // keep K bytes
	RetA = 0x16 // keep A bytes
)

// byX is the bit in arithmetic and conditional jumps that makes X the operand.
const byX = 0x08

func known(op uint16) bool {
	switch op {
	case LdImm, LdAbsW, LdAbsH, LdAbsB, LdIndW, LdIndH, LdIndB, LdMem, LdLen,
		LdxImm, LdxMem, LdxLen, LdxMsh, St, Stx, Tax, Txa,
		Ja, RetK, RetA:
		return true
	}
	return arithmetic(op) || conditional(op)
}

func arithmetic(op uint16) bool {
	switch op {
	case AddK, AddX, SubK, SubX, MulK, MulX, DivK, DivX, OrK, OrX, AndK, AndX,
		LshK, LshX, RshK, RshX, Neg, ModK, ModX, XorK, XorX:
		return true
	}
	return false
}

func conditional(op uint16) bool {
	switch op {
	case JeqK, JeqX, JgtK, JgtX, JgeK, JgeX, JsetK, JsetX:
		return true
	}
	return false
}

// loadSize is how many bytes a load from the packet takes.
func loadSize(op uint16) uint8 {
	switch op {
	case LdAbsW, LdIndW:
		return 4
	case LdAbsH, LdIndH:
		return 2
	}
	return 1
}
