// asyncPreempt in place of Go's, which keeps XMM registers only: compiled code uses no more, but a goroutine may also wait for a page
// (exo_upcall_amd64.go) amid assembly that moves memory, with the upper halves in use and the direction flag set.

#include "go_asm.h"
#include "go_tls.h"
#include "textflag.h"

// Called by injection, at any instruction: nothing is its own but what it saves. The frame is scanned conservatively.
TEXT ·asyncPreempt(SB),NOSPLIT|NOFRAME,$0-0
	PUSHQ	BP
	MOVQ	SP, BP
	PUSHFQ
	CLD
	ADJSP	$112
	NOP	SP	// vet knows no ADJSP
	MOVQ	R15, 0(SP)
	MOVQ	R13, 8(SP)
	MOVQ	R12, 16(SP)
	MOVQ	R11, 24(SP)
	MOVQ	R10, 32(SP)
	MOVQ	R9, 40(SP)
	MOVQ	R8, 48(SP)
	MOVQ	DI, 56(SP)
	MOVQ	SI, 64(SP)
	MOVQ	DX, 72(SP)
	MOVQ	CX, 80(SP)
	MOVQ	BX, 88(SP)
	MOVQ	AX, 96(SP)
	MOVQ	R14, 104(SP)
	get_tls(DX)
	MOVQ	g(DX), R14
	MOVQ	g_m(R14), DX
	MOVQ	m_p(DX), DX
	ADDQ	$(p_xRegs+xRegPerP_scratch), DX
	TESTL	$4, ·exo+exoState_xcr0(SB)
	JEQ	narrow
	VMOVDQU	Y0, 0(DX)
	VMOVDQU	Y1, 64(DX)
	VMOVDQU	Y2, 128(DX)
	VMOVDQU	Y3, 192(DX)
	VMOVDQU	Y4, 256(DX)
	VMOVDQU	Y5, 320(DX)
	VMOVDQU	Y6, 384(DX)
	VMOVDQU	Y7, 448(DX)
	VMOVDQU	Y8, 512(DX)
	VMOVDQU	Y9, 576(DX)
	VMOVDQU	Y10, 640(DX)
	VMOVDQU	Y11, 704(DX)
	VMOVDQU	Y12, 768(DX)
	VMOVDQU	Y13, 832(DX)
	VMOVDQU	Y14, 896(DX)
	VMOVDQU	Y15, 960(DX)
	JMP	saved
narrow:
	MOVUPS	X0, 0(DX)
	MOVUPS	X1, 64(DX)
	MOVUPS	X2, 128(DX)
	MOVUPS	X3, 192(DX)
	MOVUPS	X4, 256(DX)
	MOVUPS	X5, 320(DX)
	MOVUPS	X6, 384(DX)
	MOVUPS	X7, 448(DX)
	MOVUPS	X8, 512(DX)
	MOVUPS	X9, 576(DX)
	MOVUPS	X10, 640(DX)
	MOVUPS	X11, 704(DX)
	MOVUPS	X12, 768(DX)
	MOVUPS	X13, 832(DX)
	MOVUPS	X14, 896(DX)
	MOVUPS	X15, 960(DX)
saved:
	CALL	·asyncPreempt2(SB)
	MOVQ	g_m(R14), DX
	MOVQ	m_p(DX), DX
	MOVQ	(p_xRegs+xRegPerP_cache)(DX), DX
	TESTL	$4, ·exo+exoState_xcr0(SB)
	JEQ	narrowback
	VMOVDQU	0(DX), Y0
	VMOVDQU	64(DX), Y1
	VMOVDQU	128(DX), Y2
	VMOVDQU	192(DX), Y3
	VMOVDQU	256(DX), Y4
	VMOVDQU	320(DX), Y5
	VMOVDQU	384(DX), Y6
	VMOVDQU	448(DX), Y7
	VMOVDQU	512(DX), Y8
	VMOVDQU	576(DX), Y9
	VMOVDQU	640(DX), Y10
	VMOVDQU	704(DX), Y11
	VMOVDQU	768(DX), Y12
	VMOVDQU	832(DX), Y13
	VMOVDQU	896(DX), Y14
	VMOVDQU	960(DX), Y15
	JMP	back
narrowback:
	MOVUPS	0(DX), X0
	MOVUPS	64(DX), X1
	MOVUPS	128(DX), X2
	MOVUPS	192(DX), X3
	MOVUPS	256(DX), X4
	MOVUPS	320(DX), X5
	MOVUPS	384(DX), X6
	MOVUPS	448(DX), X7
	MOVUPS	512(DX), X8
	MOVUPS	576(DX), X9
	MOVUPS	640(DX), X10
	MOVUPS	704(DX), X11
	MOVUPS	768(DX), X12
	MOVUPS	832(DX), X13
	MOVUPS	896(DX), X14
	MOVUPS	960(DX), X15
back:
	MOVQ	0(SP), R15
	MOVQ	8(SP), R13
	MOVQ	16(SP), R12
	MOVQ	24(SP), R11
	MOVQ	32(SP), R10
	MOVQ	40(SP), R9
	MOVQ	48(SP), R8
	MOVQ	56(SP), DI
	MOVQ	64(SP), SI
	MOVQ	72(SP), DX
	MOVQ	80(SP), CX
	MOVQ	88(SP), BX
	MOVQ	96(SP), AX
	MOVQ	104(SP), R14
	ADJSP	$-112
	POPFQ
	POPQ	BP
	RET
