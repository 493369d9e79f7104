// The upcall's entry and way back.

#include "go_asm.h"
#include "go_tls.h"
#include "textflag.h"

// exoUpcallStart is entered in place of a faulting instruction, on the M's signal stack: SP = exoUpcallFrame, 64-byte aligned, all
// signals held back, the vector state that of the faulting code.
TEXT ·exoUpcallStart(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CLD
	MOVQ	SP, R12
	MOVL	·exo+exoState_fpSize(SB), AX
	SUBQ	AX, SP
	ANDQ	$~63, SP
	MOVQ	SP, R13
	MOVL	·exo+exoState_xcr0(SB), AX
	TESTL	AX, AX
	JEQ	legacy
	XORL	DX, DX
	MOVQ	DX, 512(SP)	// the header of the XSAVE area (SDM vol. 1, 13.4.2); FXSAVE's has none
	MOVQ	DX, 520(SP)
	MOVQ	DX, 528(SP)
	MOVQ	DX, 536(SP)
	MOVQ	DX, 544(SP)
	MOVQ	DX, 552(SP)
	MOVQ	DX, 560(SP)
	MOVQ	DX, 568(SP)
	BYTE $0x48; BYTE $0x0f; BYTE $0xae; BYTE $0x24; BYTE $0x24	// XSAVE64 (SP)
	JMP	saved
legacy:
	FXSAVE64	(SP)
saved:
	MOVQ	$0x1f80, AX	// what a thread starts with (SDM vol. 1, 13.6): the faulting code may round otherwise, unmask exceptions, use MMX; strangers run next
	PUSHQ	AX
	LDMXCSR	(SP)
	POPQ	AX
	BYTE $0xdb; BYTE $0xe3	// FNINIT
	MOVL	·exo+exoState_xcr0(SB), AX
	TESTL	$4, AX
	JEQ	noavx
	VZEROUPPER
noavx:
	ADJSP	$64
	MOVQ	R12, 32(SP)
	MOVQ	R13, 40(SP)
	get_tls(CX)
	MOVQ	g(CX), BX
	MOVQ	BX, 48(SP)
	MOVQ	R12, AX
	TESTQ	BX, BX
	JEQ	nog
	MOVQ	g_m(BX), DX
	MOVQ	m_gsignal(DX), R14
	MOVQ	R14, g(CX)
	XORL	BP, BP
	XORPS	X15, X15
	CALL	·exoUpcall1<ABIInternal>(SB)
	CMPQ	AX, $const_exoUpcallAwait
	JNE	end
	MOVQ	48(SP), AX
	MOVQ	32(SP), BX
	MOVQ	40(SP), DI
	MOVQ	g_m(AX), DX
	MOVQ	m_g0(DX), R14
	get_tls(CX)
	MOVQ	R14, g(CX)
	MOVQ	(g_sched+gobuf_sp)(R14), SP
	MOVQ	DI, CX
	XORL	BP, BP
	ADJSP	$64
	CALL	·exoAwait<ABIInternal>(SB)
	INT	$3
nog:
	MOVL	$const_exoUpcallSegv, AX
end:
	get_tls(CX)
	MOVQ	48(SP), BX
	MOVQ	BX, g(CX)
	MOVQ	32(SP), R12
	MOVQ	40(SP), R13
	ADJSP	$-64
	MOVQ	AX, BX
	CLI
	MOVQ	exoCPU_cur(GS), R11
	MOVQ	(exoUpcallFrame_mask)(R12), CX
	MOVQ	CX, exoContext_sigmask(R11)
	DECQ	exoContext_upcalls(R11)
	TESTQ	BX, BX
	JNE	trap
	NOTQ	CX
	TESTQ	CX, exoContext_pending(R11)
	JNE	trap
	JMP	exoFrameBack<>(SB)
trap:
	MOVQ	$const_exoCallRun, AX
	MOVQ	$·exoOpUpcallEnd<ABIInternal>(SB), DI
	MOVQ	R12, SI
	MOVQ	BX, DX
	MOVQ	R13, R10
	SYSCALL
	INT	$3

// exoAwaitEnd is where a goroutine that waited for a page goes on, on any thread: SP = its own, DX = its exoAwaiting.
TEXT ·exoAwaitEnd(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	R14, AX
	MOVQ	DX, BX
	MOVQ	g_m(AX), DX
	MOVQ	m_g0(DX), R14
	get_tls(CX)
	MOVQ	R14, g(CX)
	MOVQ	(g_sched+gobuf_sp)(R14), SP
	XORL	BP, BP
	ADJSP	$80
	MOVQ	AX, 64(SP)
	MOVQ	BX, 72(SP)
	CALL	·exoAwaited<ABIInternal>(SB)
	CLI
	get_tls(CX)
	MOVQ	64(SP), AX
	MOVQ	AX, g(CX)
	MOVQ	72(SP), R12
	ADJSP	$-80
	LEAQ	exoAwaiting_fp(R12), R13
	JMP	exoFrameBack<>(SB)

// exoFrameBack goes on as the exoFrame at R12 and the vector state at R13 say. Interrupts are off: SP comes to stand in the frame.
TEXT exoFrameBack<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVL	·exo+exoState_xcr0(SB), AX
	TESTL	AX, AX
	JEQ	legacy
	XORL	DX, DX
	BYTE $0x49; BYTE $0x0f; BYTE $0xae; BYTE $0x6d; BYTE $0x00	// XRSTOR64 (R13)
	JMP	restored
legacy:
	FXRSTOR64	(R13)
restored:
	MOVQ	R12, SP
	MOVQ	exoFrame_r15(SP), R15
	MOVQ	exoFrame_r14(SP), R14
	MOVQ	exoFrame_r13(SP), R13
	MOVQ	exoFrame_r12(SP), R12
	MOVQ	exoFrame_r11(SP), R11
	MOVQ	exoFrame_r10(SP), R10
	MOVQ	exoFrame_r9(SP), R9
	MOVQ	exoFrame_r8(SP), R8
	MOVQ	exoFrame_rbp(SP), BP
	MOVQ	exoFrame_rdi(SP), DI
	MOVQ	exoFrame_rsi(SP), SI
	MOVQ	exoFrame_rdx(SP), DX
	MOVQ	exoFrame_rcx(SP), CX
	MOVQ	exoFrame_rbx(SP), BX
	MOVQ	exoFrame_rax(SP), AX
	ADDQ	$exoFrame_rip, SP
	IRETQ

// func exoCurrent() *exoContext: this thread's context, by one instruction, so that no interrupt can come between.
TEXT ·exoCurrent<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	exoCPU_cur(GS), AX
	RET
