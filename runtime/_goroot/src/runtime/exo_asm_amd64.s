// Instructions that Go does not have, as ABIInternal functions: kernel-side code calls no other kind.

#include "go_asm.h"
#include "go_tls.h"
#include "textflag.h"

// func exoOut8(port, v uintptr)
TEXT ·exoOut8<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DX
	MOVQ	BX, AX
	OUTB
	RET

// func exoOut32(port, v uintptr)
TEXT ·exoOut32<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DX
	MOVQ	BX, AX
	OUTL
	RET

// func exoOut16(port, v uintptr)
TEXT ·exoOut16<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DX
	MOVQ	BX, AX
	OUTW
	RET

// func exoOutN(port uintptr, p uintptr, n uintptr): n bytes to one port
TEXT ·exoOutN<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DX
	MOVQ	BX, SI
	REP; OUTSB
	RET

// func exoIn8(port uintptr) uintptr
TEXT ·exoIn8<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DX
	XORL	AX, AX
	INB
	RET

// func exoIn32(port uintptr) uintptr
TEXT ·exoIn32<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DX
	XORL	AX, AX
	INL
	RET

// func exoWrmsr(msr, v uintptr)
TEXT ·exoWrmsr<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, CX
	MOVQ	BX, AX
	MOVQ	BX, DX
	SHRQ	$32, DX
	WRMSR
	RET

// func exoRdmsr(msr uintptr) uintptr
TEXT ·exoRdmsr<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, CX
	RDMSR
	SHLQ	$32, DX
	ORQ	DX, AX
	RET

// func exoTSC() uint64
TEXT ·exoTSC<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	RET

// func exoCPUID(leaf, sub uint32) (ax, bx, cx, dx uint32)
TEXT ·exoCPUID<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	BX, CX
	CPUID
	MOVL	DX, DI
	MOVL	CX, CX
	RET

// func exoXsetbv(v uintptr): XCR0
TEXT ·exoXsetbv<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	XORL	CX, CX
	XORL	DX, DX
	BYTE $0x0f; BYTE $0x01; BYTE $0xd1
	RET

// func exoInvlpg(va uintptr)
TEXT ·exoInvlpg<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	INVLPG	(AX)
	RET

// func exoWriteCR3(v uintptr)
TEXT ·exoWriteCR3<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, CR3
	RET

// func exoWriteCR4(v uintptr)
TEXT ·exoWriteCR4<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, CR4
	RET

// func exoReadCR4() uintptr
TEXT ·exoReadCR4<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	CR4, AX
	RET

// func exoLoadTables(gdtr, idtr uintptr, tr uintptr)
TEXT ·exoLoadTables<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	BYTE $0x0f; BYTE $0x01; BYTE $0x10	// LGDT (AX)
	BYTE $0x0f; BYTE $0x01; BYTE $0x1b	// LIDT (BX)
	BYTE $0x0f; BYTE $0x00; BYTE $0xd9	// LTR CX
	RET

// func exoSelf() *exoCPU
TEXT ·exoSelf<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	exoCPU_self(GS), AX
	RET

// func exoAt(pc, a1, a2, a3 uintptr) uintptr: calls the function at pc with the other arguments.
TEXT ·exoAt<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DX
	MOVQ	BX, AX
	MOVQ	CX, BX
	MOVQ	DI, CX
	JMP	DX

// func exoPause()
TEXT ·exoPause<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	PAUSE
	RET

// func exoRdrand() (v uintptr, ok uintptr)
TEXT ·exoRdrand<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	XORL	BX, BX
	BYTE $0x48; BYTE $0x0f; BYTE $0xc7; BYTE $0xf0	// RDRAND RAX
	ADCQ	$0, BX
	RET

// func exoRdseed() (v uintptr, ok uintptr)
TEXT ·exoRdseed<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	XORL	BX, BX
	BYTE $0x48; BYTE $0x0f; BYTE $0xc7; BYTE $0xf8	// RDSEED RAX
	ADCQ	$0, BX
	RET

// func exoMul32(a, b uintptr) uintptr: a*b >> 32, 128 bits between
TEXT ·exoMul32<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MULQ	BX
	SHRQ	$32, AX
	SHLQ	$32, DX
	ORQ	DX, AX
	RET

// func exoDiv128(hi, lo, d uintptr) uintptr: hi < d
TEXT ·exoDiv128<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DX
	MOVQ	BX, AX
	DIVQ	CX
	RET

// func exoZeroPage(va uintptr): one 4 KiB page, by the widest stores that need no more than one register.
TEXT ·exoZeroPage<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVL	$4096, CX
	TESTL	$0xe0, ·exo+exoState_xcr0(SB)	// with AVX-512 a VEX store would clear the upper half of Z0
	JNE	sse
	TESTL	$4, ·exo+exoState_xcr0(SB)
	JEQ	sse
	ADJSP	$32
	VMOVDQU	Y0, 0(SP)
	VPXOR	Y0, Y0, Y0
avx:
	VMOVDQU	Y0, 0(AX)
	VMOVDQU	Y0, 32(AX)
	VMOVDQU	Y0, 64(AX)
	VMOVDQU	Y0, 96(AX)
	VMOVDQU	Y0, 128(AX)
	VMOVDQU	Y0, 160(AX)
	VMOVDQU	Y0, 192(AX)
	VMOVDQU	Y0, 224(AX)
	VMOVDQU	Y0, 256(AX)
	VMOVDQU	Y0, 288(AX)
	VMOVDQU	Y0, 320(AX)
	VMOVDQU	Y0, 352(AX)
	VMOVDQU	Y0, 384(AX)
	VMOVDQU	Y0, 416(AX)
	VMOVDQU	Y0, 448(AX)
	VMOVDQU	Y0, 480(AX)
	ADDQ	$512, AX
	SUBL	$512, CX
	JNE	avx
	VMOVDQU	0(SP), Y0
	ADJSP	$-32
	RET
sse:
	MOVUPS	X15, 0(AX)
	MOVUPS	X15, 16(AX)
	MOVUPS	X15, 32(AX)
	MOVUPS	X15, 48(AX)
	MOVUPS	X15, 64(AX)
	MOVUPS	X15, 80(AX)
	MOVUPS	X15, 96(AX)
	MOVUPS	X15, 112(AX)
	ADDQ	$128, AX
	SUBL	$128, CX
	JNE	sse
	RET

// func exoCopy(dst, src, n uintptr)
TEXT ·exoCopy<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DI
	MOVQ	BX, SI
	MOVQ	CX, DX
	SHRQ	$3, CX
	CLD
	REP; MOVSQ
	MOVQ	DX, CX
	ANDQ	$7, CX
	REP; MOVSB
	RET

// exoVDSO is called as Linux's clock_gettime of the vDSO (C calling convention): DI = clock, SI = *timespec.
// The words of exoClock are fixed before the first context runs.
TEXT ·exoVDSO(SB),NOSPLIT|NOFRAME,$0
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	SUBQ	·exo+(exoState_clock+exoClock_tsc0)(SB), AX
	MULQ	·exo+(exoState_clock+exoClock_mult)(SB)
	SHRQ	$32, AX
	SHLQ	$32, DX
	ORQ	DX, AX
	TESTL	DI, DI
	JNE	mono
	ADDQ	·exo+(exoState_clock+exoClock_wall0)(SB), AX
mono:
	XORL	DX, DX
	MOVL	$1000000000, CX
	DIVQ	CX
	MOVQ	AX, 0(SI)
	MOVQ	DX, 8(SI)
	XORL	AX, AX
	RET

// func exoIn16(port uintptr) uintptr
TEXT ·exoIn16<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, DX
	XORL	AX, AX
	INW
	RET

// func exoTripleFault(): an exception without an interrupt table, which every machine answers with a reset (SDM vol. 3, 6.15, interrupt 8).
TEXT ·exoTripleFault<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	PUSHQ	$0
	PUSHQ	$0
	BYTE $0x0f; BYTE $0x01; BYTE $0x1c; BYTE $0x24	// LIDT (SP)
	INT	$3

// exoOOM is entered in place of an access that found no frame left, on the signal stack of the current M. DI, SI, DX = PC, SP, BP of the access.
TEXT ·exoOOM(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	get_tls(CX)
	MOVQ	g(CX), R14
	MOVQ	g_m(R14), BX
	MOVQ	m_gsignal(BX), R14
	MOVQ	R14, g(CX)
	XORPS	X15, X15
	XORL	BP, BP
	ADJSP	$64
	MOVQ	DI, AX
	MOVQ	SI, BX
	MOVQ	DX, CX
	CALL	·exoThrowOOM<ABIInternal>(SB)
	INT	$3

// func exoKernel(pc, a1, a2, a3 uintptr) uintptr: runs a function on the kernel side, from ordinary Go code.
TEXT ·exoKernel(SB),NOSPLIT,$0-40
	MOVQ	$const_exoCallRun, AX
	MOVQ	pc+0(FP), DI
	MOVQ	a1+8(FP), SI
	MOVQ	a2+16(FP), DX
	MOVQ	a3+24(FP), R10
	SYSCALL
	MOVQ	AX, ret+32(FP)
	RET

// func exoCall6(nr, a1, a2, a3, a4, a5, a6 uintptr) uintptr: a Linux call of the bottom half, from ordinary Go code.
TEXT ·exoCall6(SB),NOSPLIT,$0-64
	MOVQ	nr+0(FP), AX
	MOVQ	a1+8(FP), DI
	MOVQ	a2+16(FP), SI
	MOVQ	a3+24(FP), DX
	MOVQ	a4+32(FP), R10
	MOVQ	a5+40(FP), R8
	MOVQ	a6+48(FP), R9
	SYSCALL
	MOVQ	AX, ret+56(FP)
	RET

// exoVDSOTime is called as gettimeofday of the vDSO (C calling convention): DI = *timeval.
TEXT ·exoVDSOTime(SB),NOSPLIT|NOFRAME,$0
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	SUBQ	·exo+(exoState_clock+exoClock_tsc0)(SB), AX
	MULQ	·exo+(exoState_clock+exoClock_mult)(SB)
	SHRQ	$32, AX
	SHLQ	$32, DX
	ORQ	DX, AX
	ADDQ	·exo+(exoState_clock+exoClock_wall0)(SB), AX
	XORL	DX, DX
	MOVL	$1000000000, CX
	DIVQ	CX
	MOVQ	AX, 0(DI)
	MOVQ	DX, AX
	XORL	DX, DX
	MOVL	$1000, CX
	DIVQ	CX
	MOVQ	AX, 8(DI)
	XORL	AX, AX
	RET

// func exoReachable(p, n, write uintptr) uintptr: 1 if every page of [p, p+n) can be read, or written, now. A page that is only
// reserved is backed by the attempt. A fault in here that nothing answers goes on at exoUnreachable (exoException).
TEXT ·exoReachable<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	TESTQ	BX, BX
	JEQ	yes
	LEAQ	-1(AX)(BX*1), DX	// last byte
	CMPQ	DX, AX
	JCS	no
	MOVQ	$const_exoUserEnd, BX
	CMPQ	DX, BX
	JCC	no
loop:
	TESTL	CX, CX
	JNE	write
	MOVBLZX	(AX), BX
	JMP	next
write:
	LOCK
	ORB	$0, (AX)
next:
	ORQ	$0xfff, AX
	INCQ	AX
	CMPQ	AX, DX
	JLS	loop
yes:
	MOVL	$1, AX
	RET
no:
	XORL	AX, AX
	RET

// exoUnreachable ends exoReachable with "no"; it must follow it.
TEXT ·exoUnreachable(SB),NOSPLIT|NOFRAME,$0
	XORL	AX, AX
	RET

// func exoStoreDevice(p uintptr, v uint32): a plain store that stays where it is. (An atomic one would lock the bus.)
TEXT ·exoStoreDevice<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVL	BX, (AX)
	RET
