package runtime

// The little of ACPI that is needed before Go runs: the processors and I/O APICs of the MADT (ACPI 6.5, 5.2.12). Power is in exo_acpipower_amd64.go, the rest is package exo's.

type exoACPI struct {
	rsdp    uintptr // physical; 0 none
	root    uintptr // XSDT or RSDT, physical
	width   uintptr // of its entries
	armed   uint32  // exo.power has been filled; atomic
	ids     [exoMaxCPU]uint32
	ioapic  [8]exoIOAPIC
	nioapic int
	isa     [16]uint32 // global interrupt of each ISA line, 1<<31: active low, 1<<30: level triggered
}

type exoIOAPIC struct {
	addr, base, va uintptr
}

// exoPhys returns an address at which n bytes of physical memory can be read. Boot, or region lock held.
func exoPhys(pa, n uintptr) uintptr {
	for i := 0; i < exo.nmemmap; i++ {
		m := &exo.memmap[i]
		if (m.kind == 1 || m.kind == 3) && uintptr(m.base+m.size) <= exoMMIOBase-exoDirectBase && pa >= uintptr(m.base) && pa+n <= uintptr(m.base+m.size) {
			return exoDirect(pa)
		}
	}
	return exoMapMMIO(pa, n)
}

// exoProcessors fills exo.acpi from the tables. Without tables, or with one CPU asked for, there is the boot processor alone.
func exoProcessors(self uint32) {
	a := &exo.acpi
	for i := range a.isa {
		a.isa[i] = uint32(i)
	}
	exo.ncpu = 1
	a.ids[0] = self
	if a.rsdp == 0 {
		return
	}
	p := exoPhys(a.rsdp, 36)
	if p == 0 || exoLoad(p) != 0x2052545020445352 { // "RSD PTR "
		a.rsdp = 0
		return
	}
	a.root, a.width = uintptr(exoLoad32(p+16)), 4
	if exoLoad8(p+15) >= 2 && exoLoad(p+24) != 0 {
		a.root, a.width = exoLoad(p+24), 8
	}
	if t, n := exoACPITable(0x43495041); n != 0 { // "APIC"
		exoMADT(t, n, self)
	}
}

// exoMADT reads the entries of the table at v.
func exoMADT(v, n uintptr, self uint32) {
	a := &exo.acpi
	for o := uintptr(44); o+2 <= n; {
		kind, size := exoLoad8(v+o), uintptr(exoLoad8(v+o+1))
		if size < 2 || o+size > n {
			return
		}
		e := v + o
		o += size
		switch {
		case kind == 0 && size >= 8 && exoLoad32(e+4)&1 != 0:
			exoAddCPU(uint32(exoLoad8(e+3)), self)
		case kind == 9 && size >= 16 && exoLoad32(e+8)&1 != 0:
			exoAddCPU(exoLoad32(e+4), self)
		case kind == 1 && size >= 12 && a.nioapic < len(a.ioapic):
			a.ioapic[a.nioapic] = exoIOAPIC{addr: uintptr(exoLoad32(e + 4)), base: uintptr(exoLoad32(e + 8))}
			a.nioapic++
		case kind == 2 && size >= 10:
			src, flags := exoLoad8(e+3), uint32(exoLoad16(e+8))
			if src < 16 {
				a.isa[src] = exoLoad32(e+4) & 0xffffff
				if flags&3 == 3 {
					a.isa[src] |= 1 << 31
				}
				if flags>>2&3 == 3 {
					a.isa[src] |= 1 << 30
				}
			}
		}
	}
}

func exoAddCPU(id, self uint32) {
	if id == self || exo.ncpu == exoMaxCPU || id >= 255 && exo.lapic != 0 {
		return
	}
	for _, have := range exo.acpi.ids[:exo.ncpu] {
		if have == id {
			return
		}
	}
	exo.acpi.ids[exo.ncpu] = id
	exo.ncpu++
}

// exoRouteISA sends an ISA interrupt line to a vector of the boot processor (82093AA data sheet: select at 0, window at 10h,
// redirection entries from 10h).
func exoRouteISA(line, vec uintptr) bool {
	s := exo.acpi.isa[line]
	low := vec
	if s>>31 != 0 {
		low |= 1 << 13
	}
	if s>>30&1 != 0 {
		low |= 1 << 15
	}
	return exoRoute(uintptr(s&0xffffff), low, exo.cpus[0].apicID)
}

// exoRoute writes the redirection entry of a global interrupt. False: no I/O APIC has it. Region lock held, for the mapping.
func exoRoute(gsi, low uintptr, apicID uint32) bool {
	a := &exo.acpi
	for i := 0; i < a.nioapic; i++ {
		io := &a.ioapic[i]
		if gsi < io.base {
			continue
		}
		if io.va == 0 {
			if io.va = exoMapMMIO(io.addr, exoPageSize); io.va == 0 {
				return false
			}
		}
		if gsi-io.base > uintptr(exoIndirect(io.va, 1, 0, false))>>16&0xff {
			continue
		}
		reg := uint32(0x10 + 2*(gsi-io.base))
		exoIndirect(io.va, reg, 1<<16, true) // masked while it changes
		exoIndirect(io.va, reg+1, apicID<<24, true)
		exoIndirect(io.va, reg, uint32(low), true)
		return true
	}
	return false
}

// exoIndirect selects a register of an I/O APIC and loads it, or stores v to it.
func exoIndirect(va uintptr, reg, v uint32, write bool) uint32 {
	l := &exo.irq.lock
	l.lock()
	exoMMIOStore(va, reg)
	if write {
		exoMMIOStore(va+0x10, v)
	} else {
		v = exoMMIOLoad(va + 0x10)
	}
	l.unlock()
	return v
}
