package exo

// Resource templates: ACPI 6.5, 6.4.

// resources is what a _CRS gives of fixed memory and interrupts.
type resources struct {
	mem  []memRange
	irqs []irqUse
}

type memRange struct {
	base Phys
	size uint64
}

type irqUse struct {
	gsi       GSI
	level     bool
	activeLow bool
}

// parseResources reads a template up to its end tag (6.4.2.9).
func parseResources(b []byte) (r resources, err error) {
	for len(b) > 0 {
		if b[0]&0x80 == 0 { // small item: 6.4.2
			n := int(b[0] & 7)
			if len(b) < 1+n {
				break
			}
			if b[0]>>3 == 0x0f {
				return r, nil
			}
			if b[0]>>3 == 4 && n >= 2 { // IRQ: 6.4.2.1
				r.legacy(b[1 : 1+n])
			}
			b = b[1+n:]
			continue
		}
		if len(b) < 3 || len(b) < 3+int(le16(b, 1)) { // large item: 6.4.3
			break
		}
		tag, d := b[0], b[3:3+int(le16(b, 1))]
		b = b[3+len(d):]
		var m memRange
		switch {
		case tag == 0x86 && len(d) >= 9: // 32-bit fixed memory: 6.4.3.4
			m = memRange{Phys(le32(d, 1)), uint64(le32(d, 5))}
		case tag == 0x87 && len(d) >= 23 && d[0] == 0: // DWord address space, memory: 6.4.3.5.2
			m = memRange{Phys(le32(d, 7)), uint64(le32(d, 19))}
		case tag == 0x8a && len(d) >= 43 && d[0] == 0: // QWord address space, memory: 6.4.3.5.1
			m = memRange{Phys(le64(d, 11)), le64(d, 35)}
		case tag == 0x89 && len(d) >= 2 && len(d) >= 2+4*int(d[1]): // extended interrupt: 6.4.3.6
			for i := 0; i < int(d[1]); i++ {
				r.irq(GSI(le32(d, 2+4*i)), d[0]&2 == 0, d[0]&4 != 0)
			}
		}
		if m.size != 0 {
			r.mem = append(r.mem, m)
		}
	}
	return r, fault("ACPI resource template", "it has no end tag, or an item runs past its end")
}

func (r *resources) legacy(d []byte) {
	flags := byte(1)
	if len(d) >= 3 {
		flags = d[2]
	}
	for i := 0; i < 16; i++ {
		if le16(d, 0)>>i&1 != 0 {
			r.irq(GSI(i), flags&1 == 0, flags&8 != 0)
		}
	}
}

//go:noinline
func (r *resources) irq(g GSI, level, low bool) { r.irqs = append(r.irqs, irqUse{g, level, low}) }

// resources gives a device's _CRS (6.2.2).
func (ns *namespace) resources(d device) (resources, error) {
	v, ok := ns.value(d.path + "_CRS")
	if !ok || v.kind != valBuffer {
		return resources{}, faultIn("ACPI device", d.path, 0, "its _CRS is missing or not one exo can evaluate")
	}
	return parseResources(v.b)
}
