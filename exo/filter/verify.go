package filter

import "slices"

// A Program is a verified filter. It never changes.
type Program struct {
	code   []Instruction
	paths  []path // the accepting paths, if opaque is ""
	opaque string // why the program could not be taken apart
}

// Verify checks a program by the rules in the package's documentation and takes it apart for merging. The program keeps a copy of code.
//
// Errors: *RuleError.
func Verify(code []Instruction) (*Program, error) {
	if len(code) == 0 || len(code) > MaxLength {
		return nil, &RuleError{Rule: RuleLength, At: len(code), Fix: "split the filter, or let it accept more and look again behind it"}
	}
	p := &Program{code: slices.Clone(code)}
	for at := range p.code {
		if rule, fix := check(p.code, at); rule != "" {
			return nil, &RuleError{Rule: rule, At: at, Code: p.code[at], Fix: fix}
		}
	}
	if at := unwritten(p.code); at >= 0 {
		return nil, &RuleError{Rule: RuleUnwritten, At: at, Code: p.code[at], Fix: "store to word " + decimal(uint64(p.code[at].K)) + " on every way to it"}
	}
	p.paths, p.opaque = walk(p.code)
	return p, nil
}

// Opaque says why the program is interpreted where it is merged; it is "" if the program could be taken apart.
func (p *Program) Opaque() string { return p.opaque }

// check holds one instruction against the rules that need no other.
func check(code []Instruction, at int) (Rule, string) {
	in := code[at]
	left := uint32(len(code) - at - 1)
	switch {
	case !known(in.Op):
		return RuleOpcode, "use those of classic BPF, with MOD and XOR"
	case in.Op == Ja && in.K >= 1<<31:
		return RuleBackward, "unroll the loop"
	case in.Op == Ja && in.K >= left, conditional(in.Op) && (uint32(in.Jt) >= left || uint32(in.Jf) >= left):
		return RuleOutside, "there are " + decimal(uint64(left)) + " instructions behind it"
	case (in.Op == DivK || in.Op == ModK) && in.K == 0:
		return RuleDivision, "divide by something else, or return 0"
	case (in.Op == LshK || in.Op == RshK) && in.K >= 32:
		return RuleShift, "load 0 if that is what is meant"
	case (in.Op == LdMem || in.Op == LdxMem || in.Op == St || in.Op == Stx) && in.K >= scratchWords:
		return RuleScratch, "there are 16 words"
	case (in.Op == LdAbsW || in.Op == LdAbsH || in.Op == LdAbsB || in.Op == LdxMsh) && in.K >= extensions:
		return RuleExtension, "Linux's extensions (protocol, interface, CPU ...) are not there: test what the packet holds"
	case left == 0 && in.Op != RetK && in.Op != RetA:
		return RuleEnd, "add a RET"
	}
	return "", ""
}

// unwritten returns the first instruction that may read a scratch word before it is written, or -1. Since jumps go forward, one
// pass in order sees every way to an instruction before the instruction.
func unwritten(code []Instruction) int {
	written := make([]uint16, len(code)) // what is written by every way that leads here
	for i := 1; i < len(written); i++ {
		written[i] = 1<<scratchWords - 1 // no way is known yet
	}
	for at, in := range code {
		w := written[at]
		switch in.Op {
		case LdMem, LdxMem:
			if w>>in.K&1 == 0 {
				return at
			}
		case St, Stx:
			w |= 1 << in.K
		}
		switch {
		case in.Op == RetK || in.Op == RetA:
		case in.Op == Ja:
			written[at+1+int(in.K)] &= w
		case conditional(in.Op):
			written[at+1+int(in.Jt)] &= w
			written[at+1+int(in.Jf)] &= w
		default:
			written[at+1] &= w
		}
	}
	return -1
}
