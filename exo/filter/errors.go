package filter

// A Rule is what a program must keep. The rules are in the package's documentation.
type Rule string

const (
	RuleLength    Rule = "a program has 1 to 4096 instructions"
	RuleOpcode    Rule = "every operation is a known one"
	RuleBackward  Rule = "jumps go forward, so that no filter loops"
	RuleOutside   Rule = "jumps end inside the program"
	RuleEnd       Rule = "the last instruction is RET"
	RuleDivision  Rule = "no constant division is by 0"
	RuleShift     Rule = "no constant shift is by 32 or more"
	RuleScratch   Rule = "scratch words are 0 to 15"
	RuleUnwritten Rule = "a scratch word is written before it is read, whichever way leads there"
	RuleExtension Rule = "loads are from the packet, below 0xffe00000"
)

// RuleError says which rule a program breaks, and where.
type RuleError struct {
	Rule Rule
	At   int         // which instruction, from 0; the length where that is the fault
	Code Instruction // that instruction
	Fix  string      // what to do
}

func (e *RuleError) Error() string {
	if e.Rule == RuleLength {
		return "filter: program of " + decimal(uint64(e.At)) + " instructions: " + string(e.Rule) + "; " + e.Fix
	}
	return "filter: instruction " + decimal(uint64(e.At)) + " (op " + hex(uint64(e.Code.Op)) + ", jt " + decimal(uint64(e.Code.Jt)) +
		", jf " + decimal(uint64(e.Code.Jf)) + ", k " + hex(uint64(e.Code.K)) + "): " + string(e.Rule) + "; " + e.Fix
}

// DuplicateError says that an entry that is to be inserted is in the table already.
type DuplicateError struct{ Tag uint64 }

func (e *DuplicateError) Error() string {
	return "filter: the entry with tag " + decimal(e.Tag) + " is in the table already: remove it first, or insert another"
}

// MissingError says that an entry that is to be removed is not in the table.
type MissingError struct{ Tag uint64 }

func (e *MissingError) Error() string {
	return "filter: the entry with tag " + decimal(e.Tag) + " is not in the table: it was removed, or belongs to another table"
}

// The formatting is by hand because images pay for package fmt.

//go:noinline
func decimal(v uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			return string(b[i:])
		}
	}
}

//go:noinline
func hex(v uint64) string {
	var b [18]byte
	i := len(b)
	for {
		i--
		b[i] = "0123456789abcdef"[v&15]
		if v >>= 4; v == 0 {
			return "0x" + string(b[i:])
		}
	}
}
