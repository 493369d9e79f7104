//go:build linux && !hardtack

package exo_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio/rng"
)

// These tests run exo, hosted, against QEMU's own device models and the tables that its firmware leaves: the judge is
// another's work, not exo/internal/sim.

func TestQEMU(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		rng    func(inv *exo.Inventory) int
		button uintptr
		reset  bool // the FADT names a reset register
	}{
		"q35":                    {[]string{"-M", "q35", "-device", "virtio-rng-pci"}, pciRNG, 0x600, true},
		"q35 behind a root port": {[]string{"-M", "q35", "-device", "pcie-root-port,id=rp,chassis=1", "-device", "virtio-rng-pci,bus=rp"}, pciRNG, 0x600, true},
		"microvm with PCI":       {[]string{"-M", "microvm,acpi=on,rtc=on,pcie=on", "-device", "virtio-rng-pci"}, pciRNG, 0xfea00000, true},
		"pc":                     {[]string{"-M", "pc", "-device", "virtio-rng-pci"}, pciRNG, 0x600, false},
		"microvm": {[]string{"-M", "microvm,acpi=on,rtc=on", "-global", "virtio-mmio.force-legacy=false", "-device", "virtio-rng-device"},
			mmioRNG, 0xfea00000, true},
	} {
		t.Run(name, func(t *testing.T) {
			q := startQEMU(t, c.args...)
			defer exo.Simulate(q)()

			inv := exo.Discover()
			for _, err := range inv.Problems {
				t.Error(err)
			}
			if n := c.rng(inv); n != 1 {
				t.Errorf("%d entropy devices in %+v", n, *inv)
			}
			for range 2 {
				if err := rng.Feed(64); err != nil {
					t.Error(err)
				}
			}
			if a := q.mixed; len(a) != 128 || bytes.Equal(a[:64], a[64:]) || bytes.Count(a, []byte{0}) > 16 {
				t.Errorf("entropy % x", a)
			}

			if err := exo.Arm(); err != nil {
				t.Fatal(err)
			}
			b := q.button
			if b.addr != c.button {
				t.Fatalf("button %+v", b)
			}
			if v := q.load(b.kind, b.addr) & b.mask; v != 0 {
				t.Errorf("the button is pressed before anyone did: %#x", v)
			}
			q.qmp("system_powerdown")
			if v := q.load(b.kind, b.addr) & b.mask; v == 0 {
				t.Error("the button was pressed and does not show")
			} else if b.ack != 0 {
				q.store(b.kind, b.addr, v&b.ack)
			}
			if v := q.load(b.kind, b.addr) & b.mask; v != 0 {
				t.Errorf("the button stays pressed: %#x", v)
			}

			off := q.power[0]
			if (q.power[1].kind != 0) != c.reset || off.kind == 0 {
				t.Fatalf("power %+v", q.power)
			}
			q.store(off.kind, off.addr, off.value)
			if !q.ends(time.Minute) {
				t.Error("the machine is not off")
			}
		})
	}
}

func pciRNG(inv *exo.Inventory) (n int) {
	for _, f := range inv.Functions {
		if f.Vendor == 0x1af4 && (f.Device == 0x1005 || f.Device == 0x1044) {
			n++
		}
	}
	return n
}

func mmioRNG(inv *exo.Inventory) (n int) {
	for _, v := range inv.Virtio {
		if v.Device == rng.DeviceID {
			n++
		}
	}
	return n
}
