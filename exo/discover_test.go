//go:build !hardtack

package exo

import (
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

func TestDiscoverVirtio(t *testing.T) {
	m, a := simulated(t)
	for i, id := range []uint32{4, 0, 1} {
		m.AddVirtioMMIO(&sim.Virtio{ID: id}, 0xfeb00000+uintptr(i)*0x200, a, 5)
	}
	m.Install(definitions(t, "reduced"), sim.FADT{Flags: fadtHWReduced}.Bytes())
	m.CmdlineText = "console=ttyS0 virtio_mmio.device=512@0xfeb00000:16 virtio_mmio.device=4K@0xfeb00400:12:7 " +
		"virtio_mmio.device=512@0x1000:5 virtio_mmio.device=512 virtio_mmio.device=512@0xfec80000:5"
	inv := Discover()
	if len(inv.Virtio) != 2 || inv.Virtio[0].Device != 4 || inv.Virtio[0].GSI != 16 || inv.Virtio[1].Device != 1 || inv.Virtio[1].GSI != 12 {
		t.Errorf("%+v", inv.Virtio)
	}
	all := ""
	for _, p := range inv.Problems {
		all += p.Error() + "\n"
	}
	for _, want := range []string{"form is", "RAM at", "nothing there"} {
		if !strings.Contains(all, want) {
			t.Errorf("no problem tells of %q:\n%s", want, all)
		}
	}
	if len(inv.Problems) != 3 {
		t.Error(all)
	}
	if Discover() != inv {
		t.Error("discovered twice")
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]uint64{"512": 512, "0x200": 512, "4K": 4096, "1m": 1 << 20, "010": 8, "0": 0} {
		if v, ok := parseSize(s); v != want || !ok {
			t.Errorf("%s: %d %v", s, v, ok)
		}
	}
	for _, s := range []string{"", "K", "0x", "12a", "-1", "08", "0xfffffffffffffffff", "0x400000000000000G"} {
		if v, ok := parseSize(s); ok {
			t.Errorf("%q is %d", s, v)
		}
	}
}

func FuzzCommandLine(f *testing.F) {
	f.Add("virtio_mmio.device=512@0xfeb00e00:12 x=\"y\"")
	f.Fuzz(func(t *testing.T, s string) {
		list, _ := cmdlineVirtio(s)
		for _, v := range list {
			if v.Size == 0 || uint64(v.Base)+uint64(v.Size) < uint64(v.Base) {
				t.Errorf("%+v", v)
			}
		}
	})
}
