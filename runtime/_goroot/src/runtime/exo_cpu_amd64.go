package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
)

// Processors: descriptor tables, stacks, and how the others are started.

// Kernel stacks of one CPU, offsets in its slot of exoStackBase; what lies between is never mapped. The trap stack is lowest: code
// that runs with its g on a stack above it passes Go's stack check.
const (
	exoStackSlot   = 128 << 10
	exoTrapLo      = 0x1000
	exoTrapHi      = 0x5000
	exoFaultLo     = 0x6000
	exoFaultHi     = 0x9000
	exoIRQLo       = 0xa000
	exoIRQHi       = 0xd000
	exoDoubleLo    = 0xe000
	exoDoubleHi    = 0xf000
	exoCallLo      = 0x10000
	exoCallHi      = 0x14000
	exoStackMargin = 512 // Go's stack guard: small frames may use this much below stackguard
)

// IST entries (SDM vol. 3, 6.14.5).
const (
	exoISTTrap   = 1
	exoISTFault  = 2
	exoISTIRQ    = 3
	exoISTDouble = 4
)

// Interrupt vectors. 32..47 are left to legacy PICs that ignore their mask; devices get 48 to 238.
const (
	exoVecFirst    = 48
	exoVecLast     = 238
	exoVecTimer    = 239
	exoVecIPI      = 240
	exoVecSpurious = 255
)

// exoStacks maps a stack and returns its top.
func exoStacks(slot, lo, hi uintptr) uintptr {
	e := exoTable(slot+lo, 0, true) // a slot lies within one table
	for va := slot + lo; va < slot+hi; va += exoPageSize {
		f := exoFrameRaw()
		if f == 0 || e == 0 {
			exoPanic("no memory for kernel stacks", nil, va)
		}
		exoStore(e, f|exoPteP|exoPteW|exoPteNX|exoPteG|exoPteA|exoPteD)
		e += 8
	}
	return slot + hi
}

// exoStackG makes g the g of a stack. Its m is one word at the stack's bottom, just enough of one for m.g0, its first field, to be g:
// the runtime's maymorestack hooks look there in every prologue.
//
//go:noinline
func exoStackG(g *g, slot, lo, hi uintptr) {
	exoStore(slot+lo, exoAddrG(g))
	exoStoreM(g, slot+lo)
	g.stack.lo = slot + lo
	g.stack.hi = slot + hi
	g.stackguard0 = g.stack.lo + exoStackMargin
	g.stackguard1 = g.stackguard0
}

// exoNewCPU prepares CPU i: its record, stacks, GDT, TSS.
func exoNewCPU(i uint32, apicID uint32) *exoCPU {
	pa := exoFrameRun(2, exoPageSize)
	if pa == 0 {
		exoPanic("no memory for a CPU's record", nil, uintptr(i))
	}
	exoZeroPage(exoDirect(pa))
	exoZeroPage(exoDirect(pa + exoPageSize))
	c := (*exoCPU)(exoPtr(exoDirect(pa)))
	c.self = exoDirect(pa)
	c.id = i
	c.apicID = apicID
	c.idleAt = int64(i) // all but the first have nothing to run yet
	exo.cpus[i] = c
	fp := exoFrameZeroed()
	if fp == 0 {
		exoPanic("no memory for vector state", nil, uintptr(i))
	}
	c.fpArea = exoDirect(fp)

	slot := uintptr(exoStackBase) + uintptr(i)*exoStackSlot
	trap := exoStacks(slot, exoTrapLo, exoTrapHi)
	fault := exoStacks(slot, exoFaultLo, exoFaultHi)
	irq := exoStacks(slot, exoIRQLo, exoIRQHi)
	double := exoStacks(slot, exoDoubleLo, exoDoubleHi)
	c.callStack = exoStacks(slot, exoCallLo, exoCallHi)
	exoStackG(&c.gTrap, slot, exoTrapLo, exoTrapHi)
	exoStackG(&c.gFault, slot, exoFaultLo, exoFaultHi)
	exoStackG(&c.gIRQ, slot, exoIRQLo, exoIRQHi)
	exoStackG(&c.gCall, slot, exoCallLo, exoCallHi)

	// TSS (SDM vol. 3, figure 8-11): IST1.. at byte 36, I/O map base beyond the limit.
	ist := [...]uintptr{trap, fault, irq, double}
	for k, v := range ist {
		c.tss[9+2*k] = uint32(v)
		c.tss[10+2*k] = uint32(v >> 32)
	}
	c.tss[25] = 104 << 16
	tss := exoAddr(&c.tss[0])
	c.gdt[1] = 0x00af9b000000ffff
	c.gdt[2] = 0x00cf93000000ffff
	c.gdt[3] = uint64(103 | tss&0xffffff<<16 | 0x89<<40 | tss>>24&0xff<<56)
	c.gdt[4] = uint64(tss >> 32)
	gdt := exoAddr64(&c.gdt[0])
	c.gdtr = [2]uint64{uint64(8*len(c.gdt)-1) | uint64(gdt)<<16, uint64(gdt >> 48)}
	c.idtr = [2]uint64{256*16 - 1 | uint64(exo.irq.idt)<<16, uint64(exo.irq.idt >> 48)}
	return c
}

// exoEnterCPU makes this processor use its own tables. From here on GS, traps and SYSCALL work.
func exoEnterCPU(c *exoCPU) {
	exoWriteCR3(exoPML4)
	exoLoadTables(exoAddr64(&c.gdtr[0]), exoAddr64(&c.idtr[0]), 0x18)
	const gsBase, star, lstar, sfmask = 0xc0000101, 0xc0000081, 0xc0000082, 0xc0000084
	exoWrmsr(gsBase, c.self)
	exoWrmsr(star, 0x08<<32)
	exoWrmsr(lstar, abi.FuncPCABI0(exoSyscallEntry))
	exoWrmsr(sfmask, 0x40700) // AC, DF, IF, TF
	const pge = 1 << 7
	exoWriteCR4(exoReadCR4() | pge)
	if exo.xcr0 != 0 {
		exoUseVectorState(exo.xcr0)
	}
}

// exoUseVectorState enables XSAVE and the given state on this processor.
func exoUseVectorState(xcr0 uint32) {
	const osxsave = 1 << 18
	exoWriteCR4(exoReadCR4() | osxsave)
	exoXsetbv(uintptr(xcr0))
}

// exoVectorState finds what vector state this processor has and how large it is (SDM vol. 1, 13.2).
func exoVectorState() {
	exo.fpSize = 512
	if _, _, cx, _ := exoCPUID(1, 0); cx>>26&1 == 0 {
		return
	}
	ax, _, _, _ := exoCPUID(13, 0)
	const x87, sse, avx, avx512 = 1, 2, 4, 0xe0
	want := ax & (x87 | sse | avx)
	if ax&(avx|avx512) == avx|avx512 {
		want |= avx512
	}
	size := uint32(576)
	for i := uint32(2); i < 8; i++ {
		if want>>i&1 != 0 {
			n, off, _, _ := exoCPUID(13, i)
			size = max(size, off+n)
		}
	}
	if size > exoFPMax {
		want &^= avx512
		size = 832
	}
	exo.fpSize = size
	exoUseVectorState(want)
	exo.xcr0 = want // from here on wide stores are used
}

// exoIDT fills the interrupt descriptor table.
func exoIDT() {
	f := exoFrameZeroed()
	if f == 0 {
		exoPanic("no memory for the IDT", nil, 0)
	}
	exo.irq.idt = exoDirect(f)
	exc := abi.FuncPCABI0(exoExceptions)
	for v := uintptr(0); v < 22; v++ {
		ist := uintptr(exoISTTrap)
		if v == 8 || v == 2 || v == 18 {
			ist = exoISTDouble
		}
		exoGate(v, exc+5*v, ist)
	}
	exoGate(14, abi.FuncPCABI0(exoPageFault), exoISTFault)
	for _, v := range [...]uintptr{39, 47, exoVecTimer, exoVecIPI, exoVecSpurious} {
		exoVectorGate(v) // 39 and 47: what masked legacy PICs may still send
	}
}

// exoVectorGate opens the gate of an interrupt vector.
func exoVectorGate(v uintptr) {
	exoGate(v, abi.FuncPCABI0(exoVectors)+5*(v-32), exoISTIRQ)
}

// exoGate writes one interrupt gate: present, DPL 0, type 14 (SDM vol. 3, figure 6-8).
func exoGate(v, pc, ist uintptr) {
	p := exo.irq.idt + v*16
	exoStore(p, pc&0xffff|0x08<<16|ist<<32|0x8e<<40|pc>>16&0xffff<<48)
	exoStore(p+8, pc>>32)
}

// Application processors. All are told to start at once and take tickets for their stacks; nobody waits for them.
const (
	exoAPCode    = 0x100400 // in the boot segment
	exoAPPage    = 0x8000
	exoAPLen     = 0x100
	exoAPMailbox = 0xe0
	exoBootPML4  = 0x110000
)

// exoStartAPs starts every processor but this one.
func exoStartAPs() {
	if exo.ncpu == 1 {
		return
	}
	// The processors arrive on the boot tables: lend these the kernel half.
	for i := uintptr(256); i < 512; i++ {
		exoStore(exoDirect(exoBootPML4)+i*8, exoLoad(exoDirect(exoPML4)+i*8))
	}
	exoCopy(exoDirect(exoAPPage), exoDirect(exoAPCode), exoAPLen)
	box := exoDirect(exoAPPage) + exoAPMailbox
	list := box + 0x100
	for i := uint32(1); i < exo.ncpu; i++ {
		exoStore(list+uintptr(i-1)*16, exo.cpus[i].callStack)
		exoStore(list+uintptr(i-1)*16+8, exo.cpus[i].self)
	}
	exoStore(box, 0)
	exoStore(box+8, abi.FuncPCABI0(exoAPStart))
	exoStore(box+16, list)
	var ids [exoMaxCPU]uint32 // a processor that arrives renames its record
	for i := uint32(1); i < exo.ncpu; i++ {
		ids[i] = exo.cpus[i].apicID
	}
	for i := uint32(1); i < exo.ncpu; i++ {
		exoICR(ids[i], 0x4500) // INIT, assert (SDM vol. 3, 10.6.1)
	}
	// The manual's 10 ms after INIT are for discrete APICs; every processor with long mode is ready at once.
	exoSpin(10_000)
	for i := uint32(1); i < exo.ncpu; i++ {
		exoICR(ids[i], 0x4600|exoAPPage>>12) // start-up
	}
}

// exoAPInit is an application processor's way to its idle loop; it returns with a context to run. Tickets are drawn in any order, so the
// record that came with the stack learns here which processor it describes.
//
//go:nowritebarrierrec
func exoAPInit(c *exoCPU) {
	exoEnterCPU(c)
	if exo.lapic == 0 {
		exoWrmsr(exoMSRApicBase, exoRdmsr(exoMSRApicBase)|0xc00) // x2APIC, as firmware left the boot processor
	}
	exoLAPICOn()
	c.apicID = exoLAPICID()
	atomic.Xadd(&exo.online, 1)
	atomic.Store(&c.up, 1)
	gen := atomic.Load(&exo.vm.tlbGen)
	exoWriteCR3(exoPML4)
	atomic.Store(&c.tlbSeen, gen)
	exoSchedule(c)
}
