package filter

import "testing"

// Run agrees with an interpreter that shares nothing with it, and with the paths that the program was taken apart into.
func TestRunAgainstOracle(t *testing.T) {
	r := seeded(1)
	accepted, opaque, paths := 0, 0, 0
	const programs, packets = 6000, 40
	for n := range programs {
		code := anything(r)
		if n%2 == 1 {
			code = sensible(r)
		}
		p := must(t, code...)
		if p.opaque != "" {
			opaque++
		}
		paths += len(p.paths)
		for range packets {
			packet := someBytes(r)
			if checkRun(t, p, packet) {
				accepted++
			}
		}
	}
	t.Logf("%d programs, %d of them opaque, %d paths; %d of %d packets accepted", programs, opaque, paths, accepted, programs*packets)
	if accepted < programs*packets/20 || opaque > programs/2 || paths < programs/3 {
		t.Error("the programs are too much alike to show anything")
	}
}

// checkRun holds Run, and the paths, against slowly.
func checkRun(t *testing.T, p *Program, packet []byte) bool {
	t.Helper()
	want, _ := slowly(p.code, packet)
	if got := p.Run(packet); got != want {
		t.Fatalf("Run = %d, want %d\nprogram %v\npacket %x", got, want, p.code, packet)
	}
	if p.opaque != "" {
		return want != 0
	}
	passed := 0
	for _, way := range p.paths {
		if way.passes(packet) {
			passed++
		}
	}
	if (passed == 1) != (want != 0) || passed > 1 {
		t.Fatalf("%d paths pass, but the program returns %d\nprogram %v\npaths %v\npacket %x", passed, want, p.code, p.paths, packet)
	}
	return want != 0
}

// A load behind an index whose offset wraps around says nothing of the packet's length.
func TestOffsetsThatWrap(t *testing.T) {
	for _, c := range []struct {
		code   []Instruction
		packet []byte // 9 bytes that are accepted; with 8, the load at 8 rejects
	}{
		{[]Instruction{{Op: LdAbsB, K: 8}, {Op: LdxMsh}, {Op: LdIndB, K: 0xfffffff0}, {Op: JeqK, K: 7, Jf: 1}, {Op: RetK, K: 1}, {Op: RetK}},
			[]byte{5, 0, 0, 0, 7, 0, 0, 0, 0}}, // 4*5 - 16
		{[]Instruction{{Op: LdAbsB, K: 8}, {Op: LdAbsW}, {Op: Tax}, {Op: LdIndB, K: 13}, {Op: JeqK, K: 7, Jf: 1}, {Op: RetK, K: 1}, {Op: RetK}},
			[]byte{0xff, 0xff, 0xff, 0xf8, 0, 7, 0, 0, 0}}, // 13 - 8
	} {
		p := must(t, c.code...)
		if len(p.paths) == 0 || !checkRun(t, p, c.packet) || checkRun(t, p, c.packet[:8]) {
			t.Errorf("%v: %v", c.code, p.paths)
		}
	}
}

func TestUseAllocatesNothing(t *testing.T) {
	p := must(t, server(6, 0x0a000001, 80)...)
	opaque := must(t, Instruction{Op: LdAbsB}, Instruction{Op: XorK, K: 1}, Instruction{Op: RetA})
	var table Table
	if err := table.Update(nil, []*Entry{{Program: p}, {Program: opaque}}); err != nil {
		t.Fatal(err)
	}
	packet := datagram(6, 0x0a000001, 80)
	if n := testing.AllocsPerRun(100, func() {
		p.Match(packet)
		opaque.Match(packet)
		table.Classify(packet)
		table.Classify(packet[:20])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add(encode(server(17, 0x0a000001, 53)), datagram(17, 0x0a000001, 53))
	f.Add(encode([]Instruction{{Op: LdLen}, {Op: SubK, K: 4}, {Op: Tax}, {Op: LdIndW}, {Op: RetA}}), []byte{1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, program, packet []byte) {
		if p, err := Verify(decode(program)); err == nil {
			checkRun(t, p, packet)
		}
	})
}
