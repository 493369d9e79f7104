package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
)

// Boot: from the boot protocol's handover to the state in which Go's own entry code expects a Linux process.
//
// It runs on the boot stack with the boot page tables (first GiB at 0 and at the direct map), later on the final ones. BSS does not exist yet.

// hvm_start_info (Xen public/arch-x86/hvm/start_info.h), byte offsets.
const (
	exoPVHMagic   = 0x336ec578
	exoPVHVersion = 4
	exoPVHModules = 12
	exoPVHModList = 16
	exoPVHCmdline = 24
	exoPVHRSDP    = 32
	exoPVHMemmap  = 40
	exoPVHEntries = 48
	exoPVHSize    = 56
)

// The image table (ARCHITECTURE.md), byte offsets.
const (
	exoImgSegments = 0x10
	exoImgCmdline  = 0x18
	exoImgLength   = 0x20
	exoImgList     = 0x30
)

const (
	exoStackTop  = 0x7fffff000000 // the first context's stack: Go's entry code takes 64 KiB of it for g0
	exoStackSize = 256 << 10

	exoBootStart = 0x100000
	exoBootEnd   = 0x116000 // code, tables, page table root
	exoBootStack = 0x1f0000 // [exoBootStack, exoBootStackTop) serves until the first context runs
	exoBootTop   = 0x200000
	exoBootReach = 1 << 30 // what the boot page tables map
)

// exoBoot takes the machine over and returns the stack pointer for Go's entry code.
//
//go:nowritebarrierrec
func exoBoot(info, table uintptr) uintptr {
	exoConsoleInit()
	exoOut8(0x21, 0xff) // legacy PICs: all masked
	exoOut8(0xa1, 0xff)
	info, table = exoDirect(info), exoDirect(table)
	if exoLoad32(info) != exoPVHMagic || exoLoad32(info+exoPVHVersion) < 1 {
		exoPanic("not started by PVH version 1 or later", nil, uintptr(exoLoad32(info)))
	}

	exoMemoryMap(info)
	var reserved exoRangeList
	exoReserved(&reserved, info, table)
	// The frame allocator's magazine is the CPU's; until there is one, a record at the bottom of the boot stack serves.
	old := (*exoCPU)(exoPtr(exoDirect(exoBootStack)))
	old.self = exoDirect(exoBootStack)
	old.nmag, old.run, old.runEnd = 0, 0, 0
	exoWrmsr(0xc0000101, old.self)
	exo.online = 1
	exoFramesInit(reserved.r[:reserved.n])
	f := exoFrameZeroed()
	if f == 0 {
		exoNeedMemory()
	}
	exo.cold = (*exoCold)(exoPtr(exoDirect(f)))
	exo.vm.spare = exoFrameRun(exoSpareFrames, exoPageSize)
	exoCopyCommand(info, table)
	exoCommandSettings()
	if exo.frames.free<<exoPageShift < exoLeastFree {
		exoNeedMemory()
	}
	exo.acpi.rsdp = exoLoad(info + exoPVHRSDP)

	exoVectorState()
	exoBootTables(table)
	exoWriteCR3(exoPML4)
	exoIDT()
	exoLAPICFind()
	exoProcessors(exoLAPICID())
	if f := exoFrameZeroed(); f != 0 {
		exo.futex.buckets = exoDirect(f)
	}
	for i := uint32(0); i < exo.ncpu; i++ {
		exoNewCPU(i, exo.acpi.ids[i])
	}
	c := exo.cpus[0]
	c.mag, c.nmag, c.run, c.runEnd = old.mag, old.nmag, old.run, old.runEnd
	exoEnterCPU(c)
	exoLapicSet(exoLapicSpur, 0x100|exoVecSpurious)
	exoClockInit()
	exoLAPICOn()
	atomic.Store(&c.up, 1)
	exo.clock.wall0 = exoRTC() * 1e9
	vdsoClockgettimeSym = abi.FuncPCABI0(exoVDSO)
	vdsoGettimeofdaySym = abi.FuncPCABI0(exoVDSOTime)
	exoStartAPs()

	return exoFirstContext(c)
}

// exoMemoryMap copies the memory map as given.
func exoMemoryMap(info uintptr) {
	p, n := exoDirect(exoLoad(info+exoPVHMemmap)), int(exoLoad32(info+exoPVHEntries))
	if n == 0 {
		exoPanic("there is no memory map", nil, 0)
	}
	for _, at := range [...]uintptr{p - exoDirectBase, exoLoad(info + exoPVHCmdline), exoLoad(info + exoPVHModList)} {
		if at >= exoBootReach {
			exoPanic("boot tables beyond the first GiB", nil, at)
		}
	}
	for i := 0; i < n && i < len(exo.memmap); i++ {
		e := p + uintptr(i)*24
		exo.memmap[i] = exoMemory{base: uint64(exoLoad(e)), size: uint64(exoLoad(e + 8)), kind: exoLoad32(e + 16)}
		exo.nmemmap++
	}
}

// exoReserved lists what the frame allocator must not take. (That memory reaches as far as the image, entry.S has seen.)
func exoReserved(l *exoRangeList, info, table uintptr) {
	l.add(0, exoPageSize)
	l.add(exoAPPage, exoAPPage+exoPageSize)
	l.add(exoBootStart, exoBootEnd)
	if p := exoLoad(table + exoImgCmdline); p != 0 {
		l.add(p, p+exoLoad(table+exoImgLength)+1)
	}
	l.add(exoBootStack, exoBootTop)
	l.add(info-exoDirectBase, info-exoDirectBase+exoPVHSize)
	if p := exoLoad(info + exoPVHCmdline); p != 0 {
		n := uintptr(0)
		for exoLoad8(exoDirect(p)+n) != 0 {
			n++
		}
		l.add(p, p+n+1)
	}
	for i := uintptr(0); i < exoLoad(table+exoImgSegments); i++ {
		s := table + exoImgList + i*32
		l.add(exoLoad(s), exoLoad(s)+exoLoad(s+8))
	}
	for i, m := uintptr(0), exoLoad(info+exoPVHModList); i < uintptr(exoLoad32(info+exoPVHModules)); i++ {
		e := exoDirect(m) + i*32
		l.add(exoLoad(e), exoLoad(e)+exoLoad(e+8))
	}
}

// exoRangeList is a list of ranges with room for what the boot protocol names.
type exoRangeList struct {
	n int
	r [16]exoRange
}

// add rounds to whole pages.
//
//go:noinline
func (l *exoRangeList) add(lo, hi uintptr) {
	if l.n == len(l.r) {
		exoPanic("too many boot modules", nil, lo)
	}
	l.r[l.n] = exoRange{lo: lo &^ (exoPageSize - 1), hi: alignUp(hi, exoPageSize)}
	l.n++
}

// exoLeastFree is what a small program needs beside its image: page tables, stacks, Go's heap records.
const exoLeastFree = 1 << 20

// exoNeedMemory says on the console how much memory there is and how much is needed, and ends the image.
func exoNeedMemory() {
	have := uintptr(0)
	for i := 0; i < exo.nmemmap; i++ {
		if m := &exo.memmap[i]; m.kind == 1 {
			have += uintptr(m.size)
		}
	}
	exoPuts("hardtack: this machine has ")
	exoPutDec(have >> 10)
	exoPuts(" KiB of memory; the image needs at least ")
	exoPutDec((have + exoLeastFree - exo.frames.free<<exoPageShift) >> 10)
	exoPuts(" KiB\n")
	exoExit(1)
}

// exoCopyCommand copies both command lines to frames of their own.
func exoCopyCommand(info, table uintptr) {
	m := &exo.cmd
	from := [2]uintptr{exoLoad(table + exoImgCmdline), exoLoad(info + exoPVHCmdline)}
	for i, p := range from {
		if p == 0 {
			continue
		}
		p = exoDirect(p)
		n := uintptr(0)
		for exoLoad8(p+n) != 0 {
			n++
		}
		f := exoFrameRun((n+exoPageSize)>>exoPageShift, exoPageSize)
		if f == 0 {
			exoPanic("no memory for the command line", nil, n)
		}
		exoCopy(exoDirect(f), p, n+1)
		m.text[i], m.size[i] = exoDirect(f), n
	}
}

// exoBootTables builds the final page tables: direct map, image segments, and the regions of BSS and the first stack.
func exoBootTables(table uintptr) {
	exoZeroPage(exoDirect(exoPML4))
	_, _, _, dx := exoCPUID(0x80000001, 0)
	giant := dx>>26&1 != 0
	v := &exo.vm
	v.top = exoStackTop - 64<<20
	list := table + exoImgList
	n := exoLoad(table + exoImgSegments)
	// The direct map leaves out what must not be written: the segments without PF_W.
	hole0, hole1 := ^uintptr(0), uintptr(0)
	for i := uintptr(0); i < n; i++ {
		s := list + i*32
		lo, hi := exoLoad(s), exoLoad(s)+alignUp(exoLoad(s+8), exoPageSize)
		if exoLoad(s+24)&2 == 0 {
			hole0, hole1 = min(hole0, lo), max(hole1, hi)
		}
		v.imageEnd = max(v.imageEnd, hi)
	}
	// On hardware the legacy hole below 1 MiB has another memory type and must not share a page with RAM; a virtual machine has none.
	first := uintptr(exoPageSize)
	if _, _, cx, _ := exoCPUID(1, 0); cx>>31 != 0 {
		first = exoHugeSize
		exoStore(exoTable(exoDirect(0), 1, true), exoPteP|exoPteW|exoPteNX|exoPteG|exoPteA|exoPteD|exoPtePS)
	}
	for i := 0; i < exo.nmemmap; i++ {
		m := &exo.memmap[i]
		if uintptr(m.base) < exoMMIOBase-exoDirectBase && (m.kind == 1 || m.kind == 3) {
			lo, hi := uintptr(m.base)&^(exoPageSize-1), alignUp(uintptr(m.base+m.size), exoPageSize)
			exoMapDirect(max(lo, first), hi, hole0, hole1, giant)
		}
	}
	for i := uintptr(0); i < n; i++ {
		s := list + i*32
		va, filesz, memsz, flags := exoLoad(s), exoLoad(s+8), exoLoad(s+16), exoLoad(s+24)
		pte := uintptr(exoPteP | exoPteA | exoPteD)
		if flags&2 != 0 {
			pte |= exoPteW
		}
		if flags&1 == 0 {
			pte |= exoPteNX
		}
		for o := uintptr(0); o < filesz; {
			if (va+o)&(exoHugeSize-1) == 0 && filesz-o >= exoHugeSize {
				exoStore(exoTable(va+o, 1, true), va+o|pte|exoPtePS)
				o += exoHugeSize
				continue
			}
			// One walk for each table, then its entries in a row.
			e := exoTable(va+o, 0, true)
			end := min(filesz, exoNext(va+o, 1)-va)
			exoFill(e, (end-o+exoPageSize-1)>>exoPageShift, va+o|pte, exoPageSize)
			o = end
		}
		if memsz > filesz {
			lo := va + alignUp(filesz, exoPageSize)
			if !v.insert(v.find(lo), lo, alignUp(va+memsz, exoPageSize), exoProtRead|exoProtWrite, 2) {
				exoPanic("no memory for regions", nil, lo)
			}
		}
	}
	const top, size = exoStackTop, exoStackSize
	v.insert(v.find(top-size), top-size, top, exoProtRead|exoProtWrite, 2)
}

// exoFirstContext makes what runs now the first context, and its stack.
func exoFirstContext(c *exoCPU) uintptr {
	t := exoNewContext()
	if t == nil {
		exoPanic("no memory for the first context", nil, 0)
	}
	atomic.Store(&t.state, exoCtxRunning)
	c.cur = t
	lo := uintptr(exoStackTop) - 4*exoPageSize - alignUp(exo.cmd.size[0]+exo.cmd.size[1], exoPageSize)
	if !exoPopulate(lo, exoStackTop) {
		exoPanic("no memory for the first stack", nil, 0)
	}
	return exoProcessImage(lo, exoStackTop)
}
