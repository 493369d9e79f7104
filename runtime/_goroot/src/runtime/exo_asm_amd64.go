package runtime

// Instructions and entry points in exo_asm_amd64.s and exo_trap_amd64.s.

//go:noescape
func exoCPUID(leaf, sub uint32) (ax, bx, cx, dx uint32)
func exoOut8(port, v uintptr)
func exoOut16(port, v uintptr)
func exoOut32(port, v uintptr)
func exoOutN(port, p, n uintptr)
func exoIn8(port uintptr) uintptr
func exoIn32(port uintptr) uintptr
func exoWrmsr(msr, v uintptr)
func exoRdmsr(msr uintptr) uintptr
func exoTSC() uint64
func exoXsetbv(v uintptr)
func exoInvlpg(va uintptr)
func exoWriteCR3(v uintptr)
func exoWriteCR4(v uintptr)
func exoReadCR4() uintptr
func exoLoadTables(gdtr, idtr, tr uintptr)
func exoSelf() *exoCPU
func exoCurrent() *exoContext
func exoAt(pc, a1, a2, a3 uintptr) uintptr
func exoPause()
func exoHalt()
func exoRdrand() (v, ok uintptr)
func exoRdseed() (v, ok uintptr)
func exoMul32(a, b uintptr) uintptr
func exoDiv128(hi, lo, d uintptr) uintptr
func exoZeroPage(va uintptr)
func exoStoreDevice(p uintptr, v uint32)
func exoReachable(p, n, write uintptr) uintptr
func exoCopy(dst, src, n uintptr)

// Code addresses, never called from Go.

func exoAPStart()
func exoSyscallEntry()
func exoResume()
func exoPageFault()
func exoExceptions()
func exoVectors()
func exoVDSO()
func exoVDSOTime()
func exoTrapDoor()
func exoUpcallStart()
func exoAwaitEnd()
func exoUnreachable()
func exoOOM()

func exoIn16(port uintptr) uintptr
func exoTripleFault()

//go:noescape
func exoKernel(pc, a1, a2, a3 uintptr) uintptr

func exoCall6(nr, a1, a2, a3, a4, a5, a6 uintptr) uintptr
