// The bottom half of the runtime: what a Go program needs of a machine, kept inside package runtime (files exo_*.go).
//
// It holds mechanism only: frames, page tables, contexts, vectors, clocks. It runs at CPL 0 with interrupts off on stacks of its own
// ("kernel side"), entered by traps, interrupts and SYSCALL; see exo_trap_amd64.s. Rules of the kernel side:
//
//   - it never allocates Go memory, never blocks on a runtime lock, never stores a pointer to a Go heap object (types are NotInHeap,
//     entry points carry go:nowritebarrierrec) and never calls an ABI0 function;
//   - it never lets the page-fault handler touch lazily backed memory: all its state is in the data segment, in frames reached
//     through the direct map, or on its stacks;
//   - what is called from many places and is not hot is kept out of line (go:noinline): each copy costs its line table, too;
//   - every lock is an exoLock, taken with interrupts off, in this order: console, futex bucket, CPU or context table, vector table,
//     region, frame. A page fault on the kernel side takes the last two.

package runtime

import (
	"internal/runtime/sys"
)

const exoMagic = 0x4b43415444524148 // "HARDTACK", little endian

const (
	exoPageSize  = 4096
	exoPageShift = 12
	exoHugeSize  = 2 << 20
	exoMaxCPU    = 64
)

// exoState is everything the bottom half knows of the machine. It stands in the data segment, not in BSS: BSS is backed on
// first touch, by code that needs this state.
type exoState struct {
	magic  uintptr // not zero, so that the linker keeps exo in the data segment
	xcr0   uint32  // vector state that XSAVE keeps; 0: use FXSAVE
	fpSize uint32  // bytes of it, at most exoFPMax
	ncpu   uint32  // CPUs that were found
	online uint32  // CPUs that run
	cpus   [exoMaxCPU]*exoCPU
	lapic  uintptr // address of the local APIC registers; 0 with x2APIC
	clock  exoClock

	frames exoFrames
	vm     exoVM
	ctx    exoContexts
	futex  exoFutexes
	con    exoConsole
	cmd    exoCommand
	irq    exoVectorTable
	prof   exoProfile
	rng    exoRandom
	power  [3]exoPower
	acpi   exoACPI

	memmap  [64]exoMemory
	nmemmap int
	cold    *exoCold
}

// exoCold is state that is large or seldom touched: in a frame, so that the image's file need not hold it.
type exoCold struct {
	_      sys.NotInHeap
	act    [64]sigactiont // what rt_sigaction set, by signal modulo 64
	count  [256]uint32    // times each vector fired; atomic
	fired  [4]uint64      // vectors that fired since netpoll last looked; atomic
	unback [96]uintptr    // entries of pages that are unmapped and not yet free; region lock
	fault  uintptr        // PC of exoOpFault, once a range has a handler
	stage  uintptr        // PC of exoOpStage, once a vector has a program; atomic
	stages uintptr        // its exoStages; atomic
}

var exo = exoState{magic: exoMagic}

// exoBootG is the g of the boot stack, until the first context runs.
var exoBootG = g{goid: 1 << 62}

// exoMemory is one entry of the memory map as the boot protocol gave it (PVH and e820 kinds: 1 is RAM).
type exoMemory struct {
	base, size uint64
	kind       uint32
}

// exoFrame is the machine state that a trap pushes (exo_trap_amd64.s), lowest address first.
type exoFrame struct {
	r15, r14, r13, r12, r11, r10, r9, r8 uintptr
	rbp, rdi, rsi, rdx, rcx, rbx, rax    uintptr
	vec, err                             uintptr
	rip, cs, rflags, rsp, ss             uintptr
}

const exoFPMax = 2880

// exoContext is a thread of execution: what Linux calls a thread and the runtime an M. One frame each.
type exoContext struct {
	_       sys.NotInHeap
	regs    exoFrame
	fsbase  uintptr
	fpValid uint32 // fp holds vector state to be restored at the next entry
	state   uint32 // exoCtx*; atomic
	tid     uint32
	cpu     uint32 // where it ran last
	pending uint64 // signals; atomic
	sigmask uint64 // signals held back; own CPU only
	altLo   uintptr
	altSize uintptr

	next     *exoContext // in a run queue, a futex bucket or the free list
	prev     *exoContext // in a futex bucket
	bucket   *exoBucket  // where it waits
	key      uintptr     // futex word's address
	deadline int64       // monotonic ns; 0 none
	timer    *exoCPU     // whose sleepers list it is on, if deadline != 0
	later    *exoContext // in the sleepers list
	restart  uintptr     // result of the call when the wait ends by deadline

	upcalls uint64       // fault upcalls in progress; own thread only
	await   *exoAwaiting // of the last goroutine that went on here; own thread only

	_  [1088 - 22*8 - 8 - 16 - 32 - 64 - 16]byte
	fp [exoFPMax]byte
}

// States of a context. Only the CAS from waiting to ready decides who ends a wait.
const (
	exoCtxFree = iota
	exoCtxReady
	exoCtxRunning
	exoCtxWaiting
)

// exoCPU is one processor. GS points at it.
type exoCPU struct {
	_         sys.NotInHeap
	self      uintptr
	scratch   uintptr
	callStack uintptr // top of the stack for SYSCALL and the idle loop
	fsbase    uintptr // what IA32_FS_BASE holds
	fpArea    uintptr // vector state of an exception in progress
	cur       *exoContext
	id        uint32
	apicID    uint32
	idle      uint32 // atomic: halted or about to
	up        uint32 // atomic: runs
	tlbSeen   uint32 // atomic: generation of the last flush
	resched   uint32 // the current context should give way; own CPU only

	lock     exoLock
	nready   uint32 // length of the run queue; written under lock, read without
	runHead  *exoContext
	runTail  *exoContext
	only     *exoContext // who has this CPU for itself, see exo_isolate.go; written under lock, read without
	sleepers *exoContext // by deadline, soonest first; under lock
	armed    int64       // when the timer interrupts; 0 never. Own CPU only
	slice    int64       // when the current context's turn is over, if others wait
	profAt   int64       // next SIGPROF tick
	idleAt   int64       // since when there was nothing to run; 0: there is. Written by its own CPU
	idled    int64       // how long there was not, in all, before
	divide   uint32      // the timer's divide register
	taken    uint32      // interrupts, modulo 2^32. Own CPU only

	mag  [32]uintptr // frames at hand, physical; own CPU only
	nmag uint32

	run, runEnd uintptr // and these, in a row; own CPU only

	gCall, gTrap, gFault, gIRQ g
	gdt                        [8]uint64
	tss                        [26]uint32
	gdtr, idtr                 [2]uint64

	// Here, where they move nothing that code reaches with one byte.
	onlyM  uintptr // only's M; likewise
	urgent uint32  // so many at the head of the run queue shall run before who has the CPU; written under lock, read without
	haste  int64   // until when who has the CPU runs before these, being one of them; 0: not one. Own CPU only
	aged   int64   // when exoTLBAge flushes next; own CPU only

	switches uint64 // contexts that got this CPU; written by its own CPU
	forced   uint64 // contexts that had to give it up; likewise
}

// exoLock is a spin lock for the kernel side. Who waits keeps answering TLB shootdowns: the holder may be waiting for that.
type exoLock struct {
	v uint32
}
