package exo

// The MCFG table: where PCI Express configuration space is in memory (PCI Firmware 3.3, 4.1.2; ECAM itself: PCI Express Base 5.0, 7.2.2).

// An ecam is one range of buses of segment 0 whose configuration space is in memory.
type ecam struct {
	base     Phys // of bus 0, whether or not it is in the range
	from, to uint8
}

func parseMCFG(t acpiTable) ([]ecam, error) {
	const first, size = acpiHeader + 8, 16
	var list []ecam
	if len(t) < first {
		return nil, fault("ACPI table MCFG", "it is too short")
	}
	for b := []byte(t[first:]); len(b) >= size; b = b[size:] {
		e := ecam{base: Phys(le64(b, 0)), from: b[10], to: b[11]}
		if le16(b, 8) != 0 {
			continue // other segments: no machine this runs on has one
		}
		if e.from > e.to || e.base == 0 || e.base&(1<<20-1) != 0 {
			return list, fault("ACPI table MCFG", "the entry at "+hex(uint64(e.base))+" has no bus or is not aligned to a bus")
		}
		list = append(list, e)
	}
	return list, nil
}

// hostBridges gives the spaces that host bridges name by _CBA (PCI Firmware 3.3, 4.1.3): QEMU's microvm has no MCFG.
func (ns *namespace) hostBridges() (list []ecam) {
	for _, d := range ns.devices("PNP0A08") {
		v, ok := ns.value(d.path + "_CBA")
		if seg, has := ns.value(d.path + "_SEG"); has && seg.n != 0 {
			continue
		}
		if ok && v.kind == valInt && v.n != 0 && v.n&(1<<20-1) == 0 {
			list = append(list, ecam{base: Phys(v.n), to: 255})
		}
	}
	return list
}
