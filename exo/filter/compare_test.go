package filter

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Compare's verdicts on random pairs: a witness is accepted by both, and where it says disjoint no packet that is tried is.
func TestCompareAgainstOracle(t *testing.T) {
	r := seeded(4)
	var verdicts [3]int
	opaque := 0
	for range 5000 {
		a, b := must(t, sensible(r)...), must(t, sensible(r)...)
		rel := checkCompare(t, a, b)
		verdicts[rel.Verdict]++
		switch rel.Verdict {
		case Unproven:
			if a.opaque+b.opaque != "" {
				opaque++
			}
		case Disjoint:
			tries := [][]byte{}
			for _, p := range slices.Concat(a.paths, b.paths) {
				if packet, ok := some(p); ok {
					tries = append(tries, packet)
				}
			}
			for range 50 {
				packet := someBytes(r)
				if len(tries) > 0 && r.IntN(2) == 0 {
					packet = append(slices.Clone(tries[r.IntN(len(tries))]), packet[:r.IntN(len(packet)+1)]...)
					if len(packet) > 0 {
						packet[r.IntN(len(packet))] = byte(r.IntN(4))
					}
				}
				one, _ := slowly(a.code, packet)
				other, _ := slowly(b.code, packet)
				if one != 0 && other != 0 {
					t.Fatalf("said to be disjoint, but both accept %x\n%v\n%v", packet, a.code, b.code)
				}
			}
		}
	}
	t.Logf("%d disjoint, %d overlapping, %d unproven (%d of them for programs that are opaque)", verdicts[Disjoint], verdicts[Overlapping], verdicts[Unproven], opaque)
	if verdicts[Disjoint] < 500 || verdicts[Overlapping] < 500 || verdicts[Unproven]-opaque > 150 {
		t.Error("too little was decided, or the pairs are too much alike")
	}
}

func checkCompare(t *testing.T, a, b *Program) Relation {
	t.Helper()
	rel, back := Compare(a, b), Compare(b, a)
	if rel.Verdict != back.Verdict && rel.Verdict != Unproven && back.Verdict != Unproven {
		t.Fatalf("one way round %v, the other %v\n%v\n%v", rel, back, a.code, b.code)
	}
	switch rel.Verdict {
	case Overlapping:
		one, _ := slowly(a.code, rel.Witness)
		other, _ := slowly(b.code, rel.Witness)
		if one == 0 || other == 0 {
			t.Fatalf("not both accept the witness %x\n%v\n%v", rel.Witness, a.code, b.code)
		}
	case Unproven:
		if rel.Why == "" {
			t.Fatalf("unproven without a reason\n%v\n%v", a.code, b.code)
		}
	}
	return rel
}

// Pairs that holders of a network card would make.
func TestCompare(t *testing.T) {
	field := func(op uint16, at uint32, jump uint16, k uint32) []Instruction {
		return []Instruction{{Op: op, K: at}, {Op: jump, K: k, Jf: 1}, {Op: RetK, K: 1}, {Op: RetK}}
	}
	not := func(code []Instruction) []Instruction {
		code = slices.Clone(code)
		code[len(code)-2].K, code[len(code)-1].K = code[len(code)-1].K, code[len(code)-2].K
		return code
	}
	http, dns := server(6, 0x0a000001, 80), server(17, 0x0a000001, 53)
	xor := []Instruction{{Op: LdAbsH, K: 12}, {Op: XorK, K: 0x800}, {Op: JeqK, Jf: 1}, {Op: RetK, K: 1}, {Op: RetK}}
	for _, c := range []struct {
		name string
		a, b []Instruction
		want Verdict
	}{
		{"the same", http, http, Overlapping},
		{"protocols", http, dns, Disjoint},
		{"ports behind a header of any length", http, server(6, 0x0a000001, 81), Disjoint},
		{"addresses", http, server(6, 0x0a000002, 80), Disjoint},
		{"all of IPv4", http, field(LdAbsH, 12, JeqK, 0x0800), Overlapping},
		{"IPv6", http, field(LdAbsH, 12, JeqK, 0x86dd), Disjoint},
		{"the complement", http, not(http), Disjoint},
		{"two words over the same bytes", field(LdAbsH, 12, JeqK, 0x0806), []Instruction{{Op: LdAbsW, K: 10}, {Op: AndK, K: 0xffff}, {Op: JeqK, K: 0x0800, Jf: 1}, {Op: RetK, K: 1}, {Op: RetK}}, Disjoint},
		{"two words that agree", field(LdAbsH, 12, JeqK, 0x0806), field(LdAbsB, 13, JeqK, 6), Overlapping},
		{"ranges apart", not(field(LdAbsH, 36, JgeK, 1024)), field(LdAbsH, 36, JgeK, 1024), Disjoint},
		{"ranges that touch", not(field(LdAbsH, 36, JgtK, 1024)), field(LdAbsH, 36, JgeK, 1024), Overlapping},
		{"a range and its high byte", field(LdAbsH, 36, JgeK, 0x1000), field(LdAbsB, 36, JeqK, 0x0f), Disjoint},
		{"lengths apart", not(field(LdLen, 0, JgtK, 100)), field(LdAbsB, 100, JeqK, 1), Disjoint},
		{"lengths that meet", not(field(LdLen, 0, JgtK, 100)), field(LdAbsB, 99, JeqK, 1), Overlapping},
		{"a header length that leaves one layout", append([]Instruction{{Op: LdAbsB, K: 14}, {Op: JeqK, K: 0x45, Jf: 12}}, http...), field(LdAbsH, 36, JeqK, 81), Disjoint},
		{"a header length that leaves others", http, field(LdAbsH, 36, JeqK, 81), Overlapping},
		{"nothing", []Instruction{{Op: RetK}}, []Instruction{{Op: RetK, K: 1}}, Disjoint},
		{"everything", []Instruction{{Op: RetK, K: 1}}, []Instruction{{Op: RetK, K: 1}}, Overlapping},
		{"opaque, met by a witness", xor, http, Overlapping},
		{"opaque, not met", xor, field(LdAbsH, 12, JeqK, 0x86dd), Unproven},
		{"too long to show", field(LdLen, 0, JgtK, 1<<20), []Instruction{{Op: RetK, K: 1}}, Unproven},
		{"too long, but apart", field(LdLen, 0, JgtK, 1<<20), not(field(LdLen, 0, JgtK, 1<<20)), Disjoint},
	} {
		if got := checkCompare(t, must(t, c.a...), must(t, c.b...)); got.Verdict != c.want {
			t.Errorf("%s: %+v, want verdict %d", c.name, got, c.want)
		}
	}
	why := Compare(must(t, xor...), must(t, field(LdAbsH, 12, JeqK, 0x86dd)...)).Why
	if !strings.Contains(why, "instruction 2 compares") {
		t.Errorf("%q does not say what stood in the way", why)
	}
}

// dear is a program that is made to be hard on Verify and Compare: 256 paths, each behind two indexes of 16 values, with ranges and inequalities.
func dear(at uint32) (code []Instruction) {
	for i := range uint32(8) {
		code = append(code, Instruction{Op: LdAbsB, K: at + i}, Instruction{Op: JsetK, K: 1, Jt: 1}, Instruction{Op: St})
	}
	code = append(code, Instruction{Op: LdxMsh, K: 40})
	for i := range uint32(10) {
		code = append(code, Instruction{Op: LdIndH, K: 60 + i}, Instruction{Op: JgtK, K: 0x8000 + at + i, Jf: uint8(40 - 2*i)})
	}
	code = append(code, Instruction{Op: LdxMsh, K: 41})
	for i := range uint32(10) {
		code = append(code, Instruction{Op: LdIndH, K: 61 + i}, Instruction{Op: JsetK, K: 0x7f00 + at, Jf: uint8(19 - 2*i)})
	}
	return append(code, Instruction{Op: RetK, K: 1}, Instruction{Op: RetK})
}

// The times are for the reader; that the test ends is the point.
func TestCompareEnds(t *testing.T) {
	start := time.Now()
	a, b := must(t, dear(0)...), must(t, dear(3)...)
	verified := time.Since(start)
	rel := checkCompare(t, a, b)
	t.Logf("%d and %d paths %s: verified in %v, compared both ways in %v: verdict %d %s", len(a.paths), len(b.paths), a.opaque, verified, time.Since(start)-verified, rel.Verdict, rel.Why)
}

// On programs that look at two bytes only, Compare is held against all packets of up to two bytes.
func TestCompareExhaustively(t *testing.T) {
	r := seeded(8)
	tiny := func() *Program {
		for {
			var code []Instruction
			for range 1 + r.IntN(4) {
				code = append(code, pick(r, Instruction{Op: LdAbsH}, Instruction{Op: LdAbsB}, Instruction{Op: LdAbsB, K: 1}, Instruction{Op: LdLen}))
				if r.IntN(2) == 0 {
					code = append(code, pick(r, Instruction{Op: AndK, K: r.Uint32()}, Instruction{Op: RshK, K: uint32(r.IntN(12))}, Instruction{Op: LshK, K: uint32(r.IntN(30))}))
				}
				code = append(code, Instruction{Op: pick[uint16](r, JeqK, JgtK, JgeK, JsetK), K: r.Uint32() >> (16 + r.IntN(16)), Jt: uint8(r.IntN(3))})
			}
			code = append(code, Instruction{Op: RetK, K: 1}, Instruction{Op: RetK}, Instruction{Op: RetK, K: uint32(r.IntN(2))})
			for i := range code {
				if in := &code[i]; conditional(in.Op) && r.IntN(4) > 0 { // one of the ways rejects
					in.Jt, in.Jf = 0, uint8(len(code)-i-3)
					if r.IntN(3) == 0 {
						in.Jt, in.Jf = in.Jf, in.Jt
					}
				}
			}
			if p := must(t, code...); len(p.paths) > 0 {
				return p
			}
		}
	}
	packets := [][]byte{{}}
	for a := range 256 {
		packets = append(packets, []byte{byte(a)})
		for b := range 256 {
			packets = append(packets, []byte{byte(a), byte(b)})
		}
	}
	shared, disjoint, unproven := 0, 0, 0
	for range 200 {
		a, b := tiny(), tiny()
		rel := checkCompare(t, a, b)
		met := slices.IndexFunc(packets, func(p []byte) bool { return a.Match(p) && b.Match(p) })
		switch {
		case met >= 0 && rel.Verdict == Unproven:
			unproven++
		case met >= 0 && rel.Verdict == Disjoint:
			t.Fatalf("verdict %d %s, but both accept %x\n%v\n%v", rel.Verdict, rel.Why, packets[met], a.code, b.code)
		case met >= 0:
			shared++
		case rel.Verdict == Disjoint:
			disjoint++
		}
	}
	t.Logf("%d pairs share a packet of up to two bytes, %d are disjoint, %d could not be decided", shared, disjoint, unproven)
	if unproven > 4 {
		t.Error("too much is left undecided")
	}
	if shared < 50 || disjoint < 10 {
		t.Error("the pairs are too much alike to show anything")
	}
}
