package filter

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// first is the oracle of merging: it runs every program, one after the other.
func first(entries []*Entry, packet []byte) *Entry {
	var best *Entry
	for _, e := range entries {
		if keep, _ := slowly(e.Program.code, packet); keep != 0 && (best == nil || e.Rank < best.Rank) {
			best = e
		}
	}
	return best
}

// checkMerge holds a classifier against the oracle, and against what its documentation says of the cost.
func checkMerge(t *testing.T, c *Classifier, entries []*Entry, packet []byte) *Entry {
	t.Helper()
	want := first(entries, packet)
	got, steps := c.Probe(packet)
	if got != want {
		t.Fatalf("Probe gives %v, running every filter %v\npacket %x", got, want, packet)
	}
	most := 0
	for _, e := range entries {
		if e.Program.opaque != "" {
			most += len(e.Program.code)
		}
		for _, p := range e.Program.paths {
			most += len(p) * (2 + maxProbes)
		}
	}
	if steps > most {
		t.Fatalf("%d steps, more than %d", steps, most)
	}
	return got
}

// mixed is a set of programs of all kinds, some of which have a shape in common.
func mixed(t testing.TB, r *rand.Rand, n int) []*Entry {
	var entries []*Entry
	for len(entries) < n {
		var code []Instruction
		switch r.IntN(6) {
		case 0:
			code = anything(r)
		case 1, 2:
			code = server(uint8(r.IntN(3)), uint32(r.IntN(3)), uint16(r.IntN(40)))
		case 3: // a range of ports
			code = server(1, 1, 1)
			code[10] = Instruction{Op: pick[uint16](r, JgtK, JgeK), K: uint32(r.IntN(40)), Jt: uint8(r.IntN(2)), Jf: 1}
		default:
			code = sensible(r)
		}
		entries = append(entries, &Entry{Program: must(t, code...), Rank: uint32(r.IntN(4)), Tag: uint64(len(entries))})
	}
	return entries
}

func TestMergeAgainstOracle(t *testing.T) {
	r := seeded(5)
	hits, misses, late := 0, 0, 0
	for n := range 400 {
		entries := mixed(t, r, 1+n%60)
		c := Merge(entries)
		var aimed [][]byte
		for _, e := range entries {
			for _, p := range e.Program.paths {
				if packet, ok := some(p); ok {
					aimed = append(aimed, packet)
				}
			}
		}
		for range 60 {
			packet := someBytes(r)
			switch {
			case r.IntN(3) == 0:
				packet = datagram(uint8(r.IntN(3)), uint32(r.IntN(3)), uint16(r.IntN(40)))
			case len(aimed) > 0 && r.IntN(2) == 0:
				packet = append(slices.Clone(aimed[r.IntN(len(aimed))]), packet...)
				if len(packet) > 0 && r.IntN(2) == 0 {
					packet[r.IntN(len(packet))]++
				}
			}
			switch e := checkMerge(t, c, entries, packet); {
			case e == nil:
				misses++
			case e != entries[0]:
				late++
				fallthrough
			default:
				hits++
			}
		}
	}
	t.Logf("%d hits (%d of them not by the first filter), %d misses", hits, late, misses)
	if late < 2000 || misses < 1000 {
		t.Error("the packets are too much alike to show anything")
	}
}

// Ranges of one field, apart and overlapping, with inequalities among them.
func TestMergeRanges(t *testing.T) {
	r := seeded(9)
	for n := range 200 {
		var entries []*Entry
		at := uint32(0)
		for i := range 1 + n%20 {
			lo, hi := at+uint32(r.IntN(9)), uint32(0)
			if hi = lo + uint32(r.IntN(9)); n%2 == 0 {
				at = hi + 1 // apart
			} else {
				lo = uint32(r.IntN(100))
				hi = lo + uint32(r.IntN(60))
			}
			code := []Instruction{{Op: LdAbsB}, {Op: JgeK, K: lo, Jf: 2}, {Op: JgtK, K: hi, Jt: 1}, {Op: RetK, K: 1}, {Op: RetK}}
			if n%5 == 0 && r.IntN(3) == 0 {
				code = []Instruction{{Op: LdAbsB}, {Op: JeqK, K: lo, Jt: 1}, {Op: RetK, K: 1}, {Op: RetK}}
			}
			entries = append(entries, &Entry{Program: must(t, code...), Rank: uint32(r.IntN(5)), Tag: uint64(i)})
		}
		c := Merge(entries)
		for v := range 256 {
			checkMerge(t, c, entries, []byte{byte(v)})
		}
	}
}

// A table is right after each change, and says no to changes that make no sense without doing half of them.
func TestTable(t *testing.T) {
	r := seeded(6)
	var table Table
	if e := table.Classify(nil); e != nil {
		t.Error("an empty table accepts")
	}
	all := mixed(t, r, 30)
	var in []*Entry
	for range 200 {
		var remove, insert []*Entry
		for _, e := range all {
			switch held := slices.Contains(in, e); {
			case r.IntN(4) != 0:
			case held:
				remove = append(remove, e)
			default:
				insert = append(insert, e)
			}
		}
		if err := table.Update(remove, insert); err != nil {
			t.Fatal(err)
		}
		in = slices.DeleteFunc(in, func(e *Entry) bool { return slices.Contains(remove, e) })
		in = append(in, insert...)
		for range 20 {
			packet := someBytes(r)
			if got, want := table.Classify(packet), first(in, packet); got != want {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	}
	before := table.current.Load()
	spare := &Entry{Program: all[0].Program}
	for _, c := range []struct{ remove, insert []*Entry }{
		{[]*Entry{spare}, nil},
		{in[:1], []*Entry{in[1]}},
		{nil, []*Entry{spare, spare}},
		{nil, []*Entry{spare, {}}},
		{nil, []*Entry{{Program: new(Program)}}},
	} {
		if err := table.Update(c.remove, c.insert); err == nil {
			t.Errorf("removing %v and inserting %v is taken", c.remove, c.insert)
		} else {
			t.Log(err)
		}
	}
	if table.current.Load() != before {
		t.Error("a change that was refused has changed something")
	}
}

// Readers go on while a table changes, and see one of its states. This is for the race detector.
func TestTableReaders(t *testing.T) {
	var table Table
	always := &Entry{Program: must(t, Instruction{Op: RetK, K: 1}), Rank: 9}
	sometimes := &Entry{Program: must(t, server(6, 1, 80)...)}
	if err := table.Update(nil, []*Entry{always}); err != nil {
		t.Fatal(err)
	}
	packet := datagram(6, 1, 80)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if e := table.Classify(packet); e != always && e != sometimes {
					t.Error("neither of the states there are")
					return
				}
			}
		})
	}
	for range 500 {
		if err := table.Update(nil, []*Entry{sometimes}); err != nil {
			t.Error(err)
		}
		if err := table.Update([]*Entry{sometimes}, nil); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
}

// Programs are set apart by an empty instruction in the fuzzer's bytes.
func FuzzMerge(f *testing.F) {
	set := func(programs ...[]Instruction) (b []byte) {
		for _, p := range programs {
			b = append(append(b, encode(p)...), make([]byte, 8)...)
		}
		return b
	}
	f.Add(set(server(6, 1, 80), server(6, 1, 81), server(17, 1, 53)), datagram(6, 1, 81))
	f.Add(set([]Instruction{{Op: LdAbsB}, {Op: XorK, K: 1}, {Op: RetA}}, []Instruction{{Op: RetK, K: 1}}), []byte{1})
	f.Fuzz(func(t *testing.T, programs, packet []byte) {
		var entries []*Entry
		var code []Instruction
		for i, in := range append(decode(programs), Instruction{}) {
			if in != (Instruction{}) {
				code = append(code, in)
				continue
			}
			if p, err := Verify(code); err == nil && len(entries) < 50 {
				entries = append(entries, &Entry{Program: p, Rank: uint32(i) % 3})
			}
			code = nil
		}
		c := Merge(entries)
		checkMerge(t, c, entries, packet)
		for i, e := range entries {
			for _, p := range e.Program.paths {
				if aimed, ok := some(p); ok {
					checkMerge(t, c, entries, aimed)
				}
			}
			if i > 0 && i < 4 {
				checkCompare(t, entries[i-1].Program, e.Program)
			}
		}
	})
}
