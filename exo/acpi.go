package exo

// ACPI's static tables: ACPI 6.5, chapter 5.2. All integers are little endian and may be unaligned.

// An acpiTable is one table with its header, validated: as long as it says and with a sum of zero.
type acpiTable []byte

// Offsets in the header common to all tables (5.2.6).
const (
	acpiLength   = 4
	acpiRevision = 8
	acpiHeader   = 36
)

func (t acpiTable) signature() string { return string(t[:4]) }
func (t acpiTable) body() []byte      { return t[acpiHeader:] }

// tables is the list that the root table gives.
type tables struct {
	at   []Phys
	open func(phys, size uintptr) []byte
}

// acpiTables finds the root table once.
func (w *world) acpiTables() (*tables, error) {
	w.tables.once.Do(func() { w.tables.t, w.tables.err = openTables(hwRSDP(), tableBytes) })
	return w.tables.t, w.tables.err
}

// openTables reads the root pointer at rsdp (5.2.5.3) and the XSDT, or the RSDT where there is none (5.2.7, 5.2.8).
func openTables(rsdp uintptr, open func(phys, size uintptr) []byte) (*tables, error) {
	const size1, size2 = 20, 36 // ACPI 1.0's structure, and the extended one
	if rsdp == 0 {
		return nil, fault("ACPI", "no root pointer (RSDP): the boot protocol gave none and a scan found none; this machine has no ACPI")
	}
	p := open(rsdp, size1)
	if p == nil || string(p[:8]) != "RSD PTR " || sum(p) != 0 {
		return nil, faultAt("ACPI root pointer", uint64(rsdp), "it is not readable, its signature is wrong or its sum is not zero")
	}
	root, width := uintptr(le32(p, 16)), 4
	if p[15] >= 2 {
		if x := open(rsdp, size2); x != nil && sum(x) == 0 && le64(x, 24) != 0 {
			root, width = uintptr(le64(x, 24)), 8
		}
	}
	t, err := openTable(root, open)
	if err != nil {
		return nil, err
	}
	if s := t.signature(); width == 8 && s != "XSDT" || width == 4 && s != "RSDT" {
		return nil, faultAt("ACPI root table", uint64(root), "its signature is neither RSDT nor XSDT as the root pointer says")
	}
	list := &tables{open: open}
	for b := t.body(); len(b) >= width; b = b[width:] {
		a := uint64(le32(b, 0))
		if width == 8 {
			a = le64(b, 0)
		}
		if a != 0 {
			list.at = append(list.at, Phys(a))
		}
	}
	return list, nil
}

// maxTable bounds a table's length: real ones stay below a megabyte.
const maxTable = 16 << 20

func openTable(phys uintptr, open func(phys, size uintptr) []byte) (acpiTable, error) {
	h := open(phys, acpiHeader)
	if h == nil {
		return nil, faultAt("ACPI table", uint64(phys), "the address is not in memory that the machine gives")
	}
	n := uintptr(le32(h, acpiLength))
	if n < acpiHeader || n > maxTable {
		return nil, faultAt("ACPI table", uint64(phys), "its length cannot be")
	}
	t := open(phys, n)
	if t == nil {
		return nil, faultAt("ACPI table", uint64(phys), "it ends outside the memory that the machine gives")
	}
	if sum(t) != 0 {
		return nil, faultAt("ACPI table", uint64(phys), "its bytes do not sum to zero: the table is damaged")
	}
	return t, nil
}

// find gives the table with a signature, the nth of them; nil if there is none.
func (l *tables) find(signature string, nth int) (acpiTable, error) {
	for _, a := range l.at {
		h := l.open(uintptr(a), 4)
		if h == nil || string(h) != signature {
			continue
		}
		if nth--; nth < 0 {
			return openTable(uintptr(a), l.open)
		}
	}
	return nil, nil
}

func sum(b []byte) (s byte) {
	for _, v := range b {
		s += v
	}
	return s
}

// Reading little endian is out of line where it is cold, to keep every image small.

//go:noinline
func le16(b []byte, o int) uint16 { return uint16(b[o]) | uint16(b[o+1])<<8 }

//go:noinline
func le32(b []byte, o int) uint32 { return uint32(le16(b, o)) | uint32(le16(b, o+2))<<16 }

//go:noinline
func le64(b []byte, o int) uint64 { return uint64(le32(b, o)) | uint64(le32(b, o+4))<<32 }
