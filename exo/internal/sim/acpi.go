package sim

import "encoding/binary"

var le = binary.LittleEndian

// Table makes an ACPI table: the header of 36 bytes, then body, with a right sum.
func Table(signature string, revision byte, body []byte) []byte {
	t := make([]byte, 36, 36+len(body))
	copy(t, signature)
	t[8] = revision
	copy(t[10:], "HARDTKTESTMACH")
	t = append(t, body...)
	le.PutUint32(t[4:], uint32(len(t)))
	Fix(t)
	return t
}

// Fix makes the sum of a table right again after a change.
func Fix(t []byte) {
	t[9] = 0
	var s byte
	for _, c := range t {
		s += c
	}
	t[9] = -s
}

// FADT describes the fixed table. Registers are {space, address}; space 0 memory, 1 ports.
type FADT struct {
	Flags                uint32
	SCI                  uint16
	SMI                  uint32
	Enable               byte
	PM1Event, PM1Control uint32 // ports; the event block has 4 bytes
	Reset, Sleep         [2]uint64
	ResetValue           byte
}

// Bytes is the table; the DSDT's address is filled in by Install.
func (f FADT) Bytes() []byte {
	t := Table("FACP", 6, make([]byte, 276-36))
	le.PutUint16(t[46:], f.SCI)
	le.PutUint32(t[48:], f.SMI)
	t[52] = f.Enable
	le.PutUint32(t[56:], f.PM1Event)
	le.PutUint32(t[64:], f.PM1Control)
	t[88], t[89] = 4, 2
	le.PutUint32(t[112:], f.Flags)
	gas(t[116:], f.Reset)
	t[128] = f.ResetValue
	gas(t[244:], f.Sleep)
	return t
}

func gas(b []byte, r [2]uint64) {
	b[0], b[1] = byte(r[0]), 8
	le.PutUint64(b[4:], r[1])
}

// MADT names I/O APICs by {address, first input} and overrides by {irq, gsi, flags}.
func MADT(apics [][2]uint32, overrides [][3]uint32) []byte {
	b := make([]byte, 8)
	for i, a := range apics {
		e := []byte{1, 12, byte(i), 0, 0, 0, 0, 0, 0, 0, 0, 0}
		le.PutUint32(e[4:], a[0])
		le.PutUint32(e[8:], a[1])
		b = append(b, e...)
	}
	for _, o := range overrides {
		e := []byte{2, 10, 0, byte(o[0]), 0, 0, 0, 0, byte(o[2]), 0}
		le.PutUint32(e[4:], o[1])
		b = append(b, e...)
	}
	return Table("APIC", 5, b)
}

// MCFG says that buses from..to have their configuration space at base.
func MCFG(base uint64, from, to byte) []byte {
	b := make([]byte, 8+16)
	le.PutUint64(b[8:], base)
	b[18], b[19] = from, to
	return Table("MCFG", 1, b)
}

// Install puts the tables in RAM from 0x10000 on, with an XSDT and a root pointer over them, and the first FACP pointing to dsdt.
func (m *Machine) Install(dsdt []byte, list ...[]byte) {
	at := uintptr(0x10000)
	put := func(b []byte) uint64 {
		here := at
		copy(m.ram[here:], b)
		at = (at + uintptr(len(b)) + 63) &^ 63
		return uint64(here)
	}
	d := put(dsdt)
	var xsdt []byte
	for _, t := range list {
		if string(t[:4]) == "FACP" {
			le.PutUint64(t[140:], d)
			Fix(t)
		}
		xsdt = le.AppendUint64(xsdt, put(t))
	}
	root := make([]byte, 36)
	copy(root, "RSD PTR ")
	root[15] = 2
	le.PutUint32(root[20:], 36)
	le.PutUint64(root[24:], put(Table("XSDT", 1, xsdt)))
	fixRoot(root)
	m.RSDPAddress = uintptr(put(root))
}

// fixRoot makes both of a root pointer's sums right.
func fixRoot(r []byte) {
	for _, c := range []struct{ at, n int }{{8, 20}, {32, 36}} {
		r[c.at] = 0
		var s byte
		for _, v := range r[:c.n] {
			s += v
		}
		r[c.at] = -s
	}
}
