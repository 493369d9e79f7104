package ip

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
)

// A choosy card notes what it is told to hear.
type choosy struct {
	*memwire.Card
	told [][]link.MAC
}

func (c *choosy) Hear(groups []link.MAC) { c.told = append(c.told, groups) }

// TestHear: a card is told of the groups that somebody is in, each address once, when they change and not otherwise.
func TestHear(t *testing.T) {
	a, _ := memwire.New(memwire.Options{})
	c := &choosy{Card: a}
	h := New(buf.NewPool("test", 2048, 64, buf.Heap), func() uint64 { return 1 })
	i := h.Attach(c, false)
	group := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	always := []link.MAC{{1, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1}}
	expect := func(times int, more ...link.MAC) {
		t.Helper()
		if len(c.told) != times {
			t.Fatalf("it was told %d times, want %d: %v", len(c.told), times, c.told)
		}
		got, want := c.told[times-1], append(slices.Clone(always), more...)
		cmp := func(a, b link.MAC) int { return slices.Compare(a[:], b[:]) }
		slices.SortFunc(got, cmp)
		slices.SortFunc(want, cmp)
		if !slices.Equal(got, want) {
			t.Errorf("it was told to hear %v, want %v", got, want)
		}
	}
	mdns, twin, mdns6 := link.MAC{1, 0, 0x5e, 0, 0, 251}, group("239.128.0.251"), link.MAC{0x33, 0x33, 0, 0, 0, 0xfb}
	expect(1)
	h.Join(1, i, group("224.0.0.251"))
	expect(2, mdns)
	h.Join(1, i, group("224.0.0.251"))
	expect(2, mdns)
	h.Join(1, i, twin) // has the same station address
	expect(3, mdns)
	h.Join(1, i, group("ff02::fb"))
	expect(4, mdns, mdns6)
	h.Leave(1, i, group("224.0.0.251"))
	expect(4, mdns, mdns6)
	h.Leave(1, i, group("224.0.0.251"))
	expect(5, mdns, mdns6)
	h.Leave(1, i, twin)
	expect(6, mdns6)
}
