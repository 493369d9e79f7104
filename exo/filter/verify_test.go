package filter

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Each rule, with a program that breaks it and one that just keeps it.
func TestVerify(t *testing.T) {
	type code = []Instruction
	ret := Instruction{Op: RetK, K: 1}
	for _, c := range []struct {
		name string
		code code
		rule Rule // "" if it is right
		at   int
	}{
		{"empty", nil, RuleLength, 0},
		{"one instruction", code{ret}, "", 0},
		{"longest", append(make(code, MaxLength-1), ret), "", 0},
		{"too long", append(make(code, MaxLength), ret), RuleLength, MaxLength + 1},
		{"no such operation", code{{Op: 0xffff}, ret}, RuleOpcode, 0},
		{"high byte", code{{Op: LdImm | 0x100}, ret}, RuleOpcode, 0},
		{"RET X", code{{Op: 0x0e}}, RuleOpcode, 0},
		{"NEG X", code{{Op: Neg | byX}, ret}, RuleOpcode, 0},
		{"loop", code{{Op: LdAbsB}, {Op: Ja, K: 0xfffffffe}, ret}, RuleBackward, 1},
		{"loop on itself", code{{Op: Ja, K: 0xffffffff}, ret}, RuleBackward, 0},
		{"farthest back", code{{Op: Ja, K: 1 << 31}, ret}, RuleBackward, 0},
		{"jump to the end", code{{Op: Ja, K: 1}, ret}, RuleOutside, 0},
		{"jump to the last", code{{Op: Ja, K: 0}, ret}, "", 0},
		{"taken behind the end", code{{Op: JeqK, Jt: 1}, ret}, RuleOutside, 0},
		{"not taken behind the end", code{{Op: JsetX, Jf: 255}, ret}, RuleOutside, 0},
		{"no end", code{{Op: LdImm}}, RuleEnd, 0},
		{"jump as the end", code{{Op: Ja}}, RuleOutside, 0},
		{"divided by 0", code{{Op: DivK}, ret}, RuleDivision, 0},
		{"modulo 0", code{{Op: ModK}, ret}, RuleDivision, 0},
		{"divided by X", code{{Op: DivX}, ret}, "", 0},
		{"shift by 31", code{{Op: LshK, K: 31}, ret}, "", 0},
		{"shift by 32", code{{Op: RshK, K: 32}, ret}, RuleShift, 0},
		{"word 16", code{{Op: St, K: 16}, ret}, RuleScratch, 0},
		{"word 2^31", code{{Op: LdxMem, K: 1 << 31}, ret}, RuleScratch, 0},
		{"word not written", code{{Op: LdMem, K: 3}, ret}, RuleUnwritten, 0},
		{"word written", code{{Op: Stx, K: 15}, {Op: LdMem, K: 15}, ret}, "", 0},
		{"word written one way", code{{Op: JeqK, Jf: 1}, {Op: St, K: 2}, {Op: LdxMem, K: 2}, ret}, RuleUnwritten, 2},
		{"word written both ways", code{{Op: JeqK, Jt: 2}, {Op: St}, {Op: Ja, K: 1}, {Op: Stx}, {Op: LdMem}, ret}, "", 0},
		{"word written on the only way", code{{Op: St}, {Op: Ja, K: 1}, ret, {Op: LdMem}, ret}, "", 0},
		{"highest load", code{{Op: LdAbsB, K: 0xffdfffff}, ret}, "", 0},
		{"extension", code{{Op: LdAbsH, K: 0xfffff000}, ret}, RuleExtension, 0},
		{"extension by MSH", code{{Op: LdxMsh, K: 0xffe00000}, ret}, RuleExtension, 0},
	} {
		p, err := Verify(c.code)
		var broken *RuleError
		switch {
		case c.rule == "" && (err != nil || p == nil):
			t.Errorf("%s: %v", c.name, err)
		case c.rule == "":
		case p != nil || !errors.As(err, &broken):
			t.Errorf("%s: was taken, or refused by %v", c.name, err)
		case broken.Rule != c.rule || broken.At != c.at || broken.Fix == "":
			t.Errorf("%s: refused at %d for %q, want at %d for %q", c.name, broken.At, broken.Rule, c.at, c.rule)
		case !strings.Contains(err.Error(), string(c.rule)):
			t.Errorf("%s: %v does not name the rule", c.name, err)
		}
	}
}

func TestLoopError(t *testing.T) {
	_, err := Verify([]Instruction{{Op: LdAbsB, K: 9}, {Op: Ja, K: 0xfffffffe}, {Op: RetK}})
	const want = "filter: instruction 1 (op 0x5, jt 0, jf 0, k 0xfffffffe): jumps go forward, so that no filter loops; unroll the loop"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// A program keeps no hold of what it was made from.
func TestVerifyCopies(t *testing.T) {
	code := []Instruction{{Op: RetK, K: 1}}
	p := must(t, code...)
	code[0] = Instruction{Op: Ja, K: 1 << 31}
	if !p.Match(nil) {
		t.Error("the program changed with the slice")
	}
}

// What is left whole is left whole for a reason that is told.
func TestOpaque(t *testing.T) {
	wide := func(n, each int) (code []Instruction) { // n times each ways
		for range n {
			code = append(code, Instruction{Op: LdAbsB, K: uint32(len(code))})
			for i := range each {
				code = append(code, Instruction{Op: JeqK, K: uint32(i)})
			}
		}
		return append(code, Instruction{Op: RetK, K: 1})
	}
	split := func(n int) (code []Instruction) { // doubles at each field
		for i := range n {
			code = append(code, Instruction{Op: LdAbsB, K: uint32(i)}, Instruction{Op: JsetK, K: 1, Jt: 1}, Instruction{Op: St, K: 0})
		}
		return append(code, Instruction{Op: RetK, K: 1})
	}
	var long []Instruction // one path of 70 tests
	for i := range 70 {
		long = append(long, Instruction{Op: LdAbsB, K: uint32(i)}, Instruction{Op: JeqK, K: 7, Jf: uint8(2*(70-i) - 1)})
	}
	long = append(long, Instruction{Op: RetK, K: 1}, Instruction{Op: RetK})
	for _, c := range []struct {
		name string
		code []Instruction
		why  string
	}{
		{"two fields", []Instruction{{Op: LdxMsh}, {Op: LdAbsB}, {Op: JeqX, Jt: 1}, {Op: RetK}, {Op: RetK, K: 1}}, "instruction 2 compares"},
		{"exclusive or", []Instruction{{Op: LdAbsB}, {Op: XorK, K: 1}, {Op: RetA}}, "instruction 2 returns"},
		{"index by an index", []Instruction{{Op: LdxMsh}, {Op: LdIndB}, {Op: Tax}, {Op: LdIndB}, {Op: RetK, K: 1}}, "instruction 3 indexes"},
		{"divided by the unknown", []Instruction{{Op: LdAbsB}, {Op: Neg}, {Op: Tax}, {Op: DivX}, {Op: RetK, K: 1}}, "instruction 3 divides"},
		{"many paths", split(9), "more than 256 accepting paths"},
		{"many tests", split(400), "more than 64 tests"},
		{"many steps", append(split(8)[:24], append(make([]Instruction, 1000), Instruction{Op: RetK, K: 1})...), "65536 steps"},
		{"long path", long, "more than 64 tests"},
		{"jumps that decide nothing", wide(20, 100), ""},
		{"as many paths as may be", split(8), ""},
	} {
		start := time.Now()
		p := must(t, c.code...)
		if c.why == "" != (p.Opaque() == "") || !strings.Contains(p.Opaque(), c.why) {
			t.Errorf("%s: opaque because %q, want %q", c.name, p.Opaque(), c.why)
		}
		t.Logf("%s: %d paths, %v", c.name, len(p.paths), time.Since(start))
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(encode(server(6, 1, 80)))
	f.Add(encode([]Instruction{{Op: LdAbsB}, {Op: Ja, K: 0xfffffffe}, {Op: RetK}}))
	f.Add(encode([]Instruction{{Op: JeqK, Jt: 2}, {Op: St}, {Op: Ja, K: 1}, {Op: Stx}, {Op: LdMem}, {Op: RetA}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		code := decode(b)
		p, err := Verify(code)
		var broken *RuleError
		switch {
		case err == nil:
			for n := range 64 {
				p.Match(make([]byte, n))
			}
			for _, way := range p.paths[:min(len(p.paths), 16)] {
				if packet, ok := some(way); ok && !p.Match(packet) {
					t.Fatalf("packet %x passes %v, but %v rejects it", packet, way, code)
				}
			}
		case !errors.As(err, &broken) || broken.At > len(code) || broken.Fix == "" || p != nil:
			t.Fatalf("%v", err)
		}
	})
}
