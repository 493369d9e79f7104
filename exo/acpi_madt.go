package exo

// The Multiple APIC Description Table: ACPI 6.5, 5.2.12. CPUs in it are the bottom half's business; exo reads where
// interrupts go in.

// GSI is a global system interrupt: an input of some I/O APIC, numbered over all of them (ACPI 6.5, 5.2.13).
type GSI uint32

// An inputAPIC is an I/O APIC (5.2.12.3).
type inputAPIC struct {
	base Phys
	from GSI
}

// An override says where an ISA interrupt really goes (5.2.12.5).
type override struct {
	irq   uint8
	gsi   GSI
	flags uint16
}

// MPS INTI flags (5.2.12.5, table 5.26).
const (
	intiPolarity  = 3
	intiActiveLow = 3
)

// parseMADT reads the interrupt inputs. A structure that does not fit ends the list with an error.
func parseMADT(t acpiTable) (apics []inputAPIC, overrides []override, err error) {
	const (
		first       = acpiHeader + 8
		kindIOAPIC  = 1
		kindReroute = 2
	)
	if len(t) < first {
		return nil, nil, fault("ACPI table APIC", "it is too short")
	}
	for b := []byte(t[first:]); len(b) > 0; {
		if len(b) < 2 || int(b[1]) < 2 || int(b[1]) > len(b) {
			return apics, overrides, fault("ACPI table APIC", "a structure runs past its end at offset "+hex(uint64(len(t)-len(b))))
		}
		e := b[:b[1]]
		b = b[b[1]:]
		switch {
		case e[0] == kindIOAPIC && len(e) >= 12:
			apics = append(apics, inputAPIC{base: Phys(le32(e, 4)), from: GSI(le32(e, 8))})
		case e[0] == kindReroute && len(e) >= 10 && e[2] == 0: // bus 0 is ISA
			overrides = append(overrides, override{irq: e[3], gsi: GSI(le32(e, 4)), flags: le16(e, 8)})
		}
	}
	return apics, overrides, nil
}
