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
	JMP	end
nog:
	MOVL	$1, AX
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
	MOVL	·exo+exoState_xcr0(SB), AX
	TESTL	AX, AX
	JEQ	legacyback
	XORL	DX, DX
	BYTE $0x49; BYTE $0x0f; BYTE $0xae; BYTE $0x6d; BYTE $0x00	// XRSTOR64 (R13)
	JMP	restored
legacyback:
	FXRSTOR64	(R13)
restored:
	MOVQ	R12, SP
	MOVQ	(exoUpcallFrame_regs+exoFrame_r15)(SP), R15
	MOVQ	(exoUpcallFrame_regs+exoFrame_r14)(SP), R14
	MOVQ	(exoUpcallFrame_regs+exoFrame_r13)(SP), R13
	MOVQ	(exoUpcallFrame_regs+exoFrame_r12)(SP), R12
	MOVQ	(exoUpcallFrame_regs+exoFrame_r11)(SP), R11
	MOVQ	(exoUpcallFrame_regs+exoFrame_r10)(SP), R10
	MOVQ	(exoUpcallFrame_regs+exoFrame_r9)(SP), R9
	MOVQ	(exoUpcallFrame_regs+exoFrame_r8)(SP), R8
	MOVQ	(exoUpcallFrame_regs+exoFrame_rbp)(SP), BP
	MOVQ	(exoUpcallFrame_regs+exoFrame_rdi)(SP), DI
	MOVQ	(exoUpcallFrame_regs+exoFrame_rsi)(SP), SI
	MOVQ	(exoUpcallFrame_regs+exoFrame_rdx)(SP), DX
	MOVQ	(exoUpcallFrame_regs+exoFrame_rcx)(SP), CX
	MOVQ	(exoUpcallFrame_regs+exoFrame_rbx)(SP), BX
	MOVQ	(exoUpcallFrame_regs+exoFrame_rax)(SP), AX
	ADDQ	$exoFrame_rip, SP
	IRETQ
trap:
	MOVQ	$const_exoCallRun, AX
	MOVQ	$·exoOpUpcallEnd<ABIInternal>(SB), DI
	MOVQ	R12, SI
	MOVQ	BX, DX
	MOVQ	R13, R10
	SYSCALL
	INT	$3

// func exoCurrent() *exoContext: this thread's context, by one instruction, so that no interrupt can come between.
TEXT ·exoCurrent<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	exoCPU_cur(GS), AX
	RET
