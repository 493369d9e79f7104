package filter

import (
	"math/rand/v2"
	"testing"
	"time"
)

// servers is n filters of one shape: the ports of n/10 addresses.
func servers(t testing.TB, n int) []*Entry {
	entries := make([]*Entry, n)
	for i := range entries {
		entries[i] = &Entry{Program: must(t, server(6, 0x0a000000+uint32(i/10), uint16(8000+i%10))...), Tag: uint64(i)}
	}
	return entries
}

func packetFor(i int) []byte { return datagram(6, 0x0a000000+uint32(i/10), uint16(8000+i%10)) }

// worst is the most steps that any filter's own packet costs, and a packet that misses by one field.
func worst(t *testing.T, c *Classifier, n int) (hit, miss int) {
	for i := range n {
		e, steps := c.Probe(packetFor(i))
		if e == nil || e.Tag != uint64(i) {
			t.Fatalf("the packet for %d goes to %v", i, e)
		}
		hit = max(hit, steps)
		wrong := [][]byte{
			datagram(17, 0x0a000000+uint32(i/10), uint16(8000+i%10)),
			datagram(6, 0x0b000000+uint32(i), uint16(8000+i%10)),
			datagram(6, 0x0a000000+uint32(i/10), uint16(9000+i)),
			packetFor(i)[:30],
			packetFor(i)[:36],
		}
		for _, packet := range wrong {
			e, steps := c.Probe(packet)
			if e != nil {
				t.Fatalf("%x goes to %v", packet, e)
			}
			miss = max(miss, steps)
		}
	}
	return hit, miss
}

// What 1000 filters of one shape cost a packet at the worst is at most twice what one costs.
func TestCostOfThousand(t *testing.T) {
	one, oneMiss := worst(t, Merge(servers(t, 1)), 1)
	for _, n := range []int{10, 100, 1000} {
		c := Merge(servers(t, n))
		hit, miss := worst(t, c, n)
		t.Logf("%4d filters: at most %d steps for a hit and %d for a miss; 1 filter: %d and %d; %d nodes, %d slots", n, hit, miss, one, oneMiss, len(c.nodes), len(c.slots))
		if hit > 2*one || miss > 2*oneMiss {
			t.Errorf("%d filters cost more than twice what one costs", n)
		}
	}
}

// Filters whose tests stand in another order, or that test other fields, cost by shape, not by number.
func TestCostOfShapes(t *testing.T) {
	shape := func(kind, i int) []Instruction {
		port := uint32(8000 + i)
		switch kind {
		case 0:
			return server(6, 0x0a000001, uint16(port))
		case 1: // the port first
			return []Instruction{{Op: LdxMsh, K: 14}, {Op: LdIndH, K: 16}, {Op: JeqK, K: port, Jf: 3}, {Op: LdAbsH, K: 12}, {Op: JeqK, K: 0x800, Jf: 1}, {Op: RetK, K: 1}, {Op: RetK}}
		}
		return []Instruction{{Op: LdAbsH, K: 12}, {Op: JeqK, K: 0x86dd, Jf: 3}, {Op: LdAbsH, K: 56}, {Op: JeqK, K: port, Jf: 1}, {Op: RetK, K: 1}, {Op: RetK}}
	}
	most := func(n int) (steps int) {
		var entries []*Entry
		for i := range n {
			entries = append(entries, &Entry{Program: must(t, shape(i%3, i)...)})
		}
		c := Merge(entries)
		for i := range 20_000 {
			packet := datagram(6, 0x0a000001, uint16(7000+i))
			checked, s := c.Probe(packet)
			if i%97 == 0 && checked != first(entries, packet) {
				t.Fatalf("port %d goes to %v", 7000+i, checked)
			}
			steps = max(steps, s)
		}
		return steps
	}
	few, many := most(3), most(999)
	t.Logf("3 filters of 3 shapes: at most %d steps; 999: %d", few, many)
	if many > 2*few {
		t.Error("filters of few shapes cost by their number")
	}
}

// No look-up touches more than maxProbes slots, however the keys were chosen; where that cannot be, a sorted table serves.
func TestHashProbes(t *testing.T) {
	r := seeded(7)
	sets := map[string]func(i int) uint32{
		"in sequence":  func(i int) uint32 { return uint32(i) },
		"multiples":    func(i int) uint32 { return uint32(i) << 12 },
		"by chance":    func(int) uint32 { return r.Uint32() },
		"the high end": func(i int) uint32 { return ^uint32(i * i) },
	}
	for name, key := range sets {
		for _, n := range []int{5, 100, 1000, 20_000} {
			seen := map[uint32]bool{}
			var keys []slot
			for i := range n {
				if k := key(i); !seen[k] {
					seen[k] = true
					keys = append(keys, slot{k, int32(len(keys) + 1)})
				}
			}
			table, multiplier, ok := tabulate(keys)
			if !ok {
				t.Errorf("%d keys %s: no table was found", n, name)
				continue
			}
			look := func(k uint32) int32 {
				d := descent{}
				to := d.look(table, multiplier, k)
				if d.steps > maxProbes {
					t.Fatalf("%d keys %s: %d probes for %#x", n, name, d.steps, k)
				}
				return to
			}
			for _, s := range keys {
				if look(s.key) != s.node {
					t.Fatalf("%d keys %s: %#x is not found", n, name, s.key)
				}
			}
			for range 10_000 {
				if k := r.Uint32(); look(k) != 0 && !seen[k] {
					t.Fatalf("%d keys %s: %#x is found", n, name, k)
				}
			}
		}
	}
	// Keys that fall on one slot for each multiplier and size that is tried.
	keys := colliding(r)
	if _, _, ok := tabulate(keys); ok {
		t.Error("the colliding keys do not collide")
	}
	var entries []*Entry
	for i, s := range keys {
		entries = append(entries, &Entry{Program: must(t, Instruction{Op: LdAbsW}, Instruction{Op: JeqK, K: s.key, Jf: 1}, Instruction{Op: RetK, K: 1}, Instruction{Op: RetK}), Tag: uint64(i)})
	}
	c := Merge(entries)
	for i, s := range keys {
		e, steps := c.Probe([]byte{byte(s.key >> 24), byte(s.key >> 16), byte(s.key >> 8), byte(s.key)})
		if e == nil || e.Tag != uint64(i) || steps > 10 {
			t.Errorf("key %d of %d: %v after %d steps", i, len(keys), e, steps)
		}
	}
}

// colliding finds, for each multiplier, ten keys close together at the largest size.
func colliding(r *rand.Rand) []slot {
	var keys []slot
	m := uint32(0x9e3779b1)
	for range 4 {
		inverse := m // of an odd number modulo 2^32, by Newton
		for range 5 {
			inverse *= 2 - m*inverse
		}
		for i := range uint32(10) {
			keys = append(keys, slot{(0x12345678 + i) * inverse, int32(len(keys) + 1)})
		}
		m = m*0x2c9277b5 + 0x3504f334
	}
	r.Shuffle(len(keys), func(i, j int) { keys[i].key, keys[j].key = keys[j].key, keys[i].key })
	return keys
}

func TestUpdateOfThousandEnds(t *testing.T) {
	entries := servers(t, 1000)
	var table Table
	start := time.Now()
	if err := table.Update(nil, entries); err != nil {
		t.Fatal(err)
	}
	t.Logf("1000 filters are merged in %v", time.Since(start))
}

func benchmarkClassify(b *testing.B, n int) {
	c := Merge(servers(b, n))
	packets := make([][]byte, n)
	for i := range packets {
		packets[i] = packetFor(i)
	}
	b.ReportAllocs()
	steps := 0
	for i := 0; b.Loop(); i++ {
		e, s := c.Probe(packets[i%n])
		if e == nil {
			b.Fatal("rejected")
		}
		steps += s
	}
	b.ReportMetric(float64(steps)/float64(b.N), "steps/packet")
}

func BenchmarkClassify1(b *testing.B)    { benchmarkClassify(b, 1) }
func BenchmarkClassify1000(b *testing.B) { benchmarkClassify(b, 1000) }

// BenchmarkInTurn1000 is what the classifier saves: each program run until one accepts.
func BenchmarkInTurn1000(b *testing.B) {
	entries := servers(b, 1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		packet := packetFor(i % 1000)
		for _, e := range entries {
			if e.Program.Match(packet) {
				break
			}
		}
	}
}

func BenchmarkRun(b *testing.B) {
	p := must(b, server(6, 1, 80)...)
	packet := datagram(6, 1, 80)
	b.ReportAllocs()
	for b.Loop() {
		p.Match(packet)
	}
}

func BenchmarkVerify(b *testing.B) {
	code := server(6, 1, 80)
	for b.Loop() {
		if _, err := Verify(code); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdate is one change of a table of 1000.
func BenchmarkUpdate1000(b *testing.B) {
	var table Table
	entries := servers(b, 1001)
	if err := table.Update(nil, entries[1:]); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := table.Update(entries[:1], nil); err != nil {
			if err := table.Update(nil, entries[:1]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkCompare is the comparison of two servers' filters that differ in the port alone.
func BenchmarkCompare(b *testing.B) {
	one, other := must(b, server(6, 1, 80)...), must(b, server(6, 1, 81)...)
	for b.Loop() {
		if Compare(one, other).Verdict != Disjoint {
			b.Fatal("they are disjoint")
		}
	}
}
