package virtio

import "github.com/hardtack-os/hardtack/exo"

// Where a PCI device keeps its registers: vendor-specific capabilities, VIRTIO 1.2, 4.1.4.

const (
	capVendor = 0x09

	cfgCommon = 1
	cfgNotify = 2
	cfgISR    = 3
	cfgDevice = 4
)

// A window is a part of a BAR.
type window struct {
	bar       uint8
	off, size uint32
}

// pciWindows are the parts that the transport needs. multiplier is notify_off_multiplier (4.1.4.4).
type pciWindows struct {
	common, notify, device window
	multiplier             uint32
}

// readWindows reads the capabilities at the given offsets. Of several with one type the first that can be used counts (4.1.4.1).
func readWindows(caps []int, load8 func(int) uint8, load32 func(int) uint32) (w pciWindows, ok bool) {
	for _, at := range caps {
		if at+16 > 256 || load8(at+2) < 16 { // cap_len
			continue
		}
		p := window{bar: load8(at + 4), off: load32(at + 8), size: load32(at + 12)}
		if p.bar > 5 || p.size == 0 || p.off > ^uint32(0)-p.size {
			continue // reserved values are to be ignored
		}
		switch load8(at + 3) { // cfg_type
		case cfgCommon:
			if w.common.size == 0 && p.size >= commonSize && p.off%4 == 0 {
				w.common = p
			}
		case cfgNotify:
			if w.notify.size == 0 && at+20 <= 256 && load8(at+2) >= 20 && p.off%2 == 0 {
				w.notify, w.multiplier = p, load32(at+16)
			}
		case cfgDevice:
			if w.device.size == 0 && p.off%4 == 0 {
				w.device = p
			}
		}
	}
	return w, w.common.size != 0 && w.notify.size != 0
}

// fits says whether the window lies in the registers that its BAR gave.
func (w window) fits(m *exo.MMIO) bool {
	return uint64(w.off)+uint64(w.size) <= uint64(m.Size())
}
