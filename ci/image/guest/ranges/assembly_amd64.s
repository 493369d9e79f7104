#include "textflag.h"

// func heldBy(p *byte, hidden uint64, how int) uint64
//
// There are no stack maps: what the frame holds is the collector's to find.
TEXT ·heldBy(SB),NOSPLIT,$32-32
	MOVQ	p+0(FP), SI
	MOVQ	hidden+8(FP), AX
	NOTQ	AX
	MOVQ	how+16(FP), CX
	MOVQ	$0, hidden+8(FP)
	MOVQ	$0, 0(SP)
	MOVQ	$0, 8(SP)
	MOVQ	$0, 16(SP)
	MOVQ	BP, 24(SP)
	PXOR	X7, X7
	XORL	BX, BX
	XORL	DX, DX
	CMPQ	CX, $1
	JEQ	end
	CMPQ	CX, $2
	JEQ	vector
	CMPQ	CX, $3
	JEQ	frame
	CMPQ	CX, $4
	JEQ	inner
	CMPQ	CX, $5
	JEQ	argument
	MOVQ	AX, BX	// 0: a register
	XORL	AX, AX
	MOVBLZX	(SI), R8
	MOVQ	(BX), AX
	JMP	done
end:
	LEAQ	32(AX), DX	// 1: the end of it, in a register
	XORL	AX, AX
	MOVBLZX	(SI), R8
	MOVQ	-32(DX), AX
	JMP	done
vector:
	MOVQ	AX, X7	// 2: a vector register
	XORL	AX, AX
	MOVBLZX	(SI), R8
	MOVQ	X7, AX
	MOVQ	(AX), AX
	JMP	done
frame:
	MOVQ	AX, 16(SP)	// 3: the caller's frame, which is of assembly
	XORL	AX, AX
	CALL	touch<>(SB)
	MOVQ	16(SP), AX
	MOVQ	(AX), AX
	JMP	done
inner:
	MOVQ	AX, BP	// 4: where the callee saves what it takes for a frame pointer
	XORL	AX, AX
	CALL	saves<>(SB)
	MOVQ	(BP), AX
	MOVQ	24(SP), BP
	JMP	done
argument:
	MOVQ	AX, hidden+8(FP)	// 5: its own argument
	XORL	AX, AX
	CALL	touch<>(SB)
	MOVQ	hidden+8(FP), AX
	MOVQ	(AX), AX
done:
	MOVQ	AX, ret+24(FP)
	RET

TEXT touch<>(SB),NOSPLIT|NOFRAME,$0
	MOVBLZX	(SI), R8
	RET

TEXT saves<>(SB),NOSPLIT,$16
	XORL	BP, BP
	MOVBLZX	(SI), R8
	RET

// func aligned(p *byte) byte
TEXT ·aligned(SB),NOSPLIT,$64-9
	MOVQ	p+0(FP), SI
	MOVQ	SP, BX
	ANDQ	$~63, SP
	MOVBLZX	(SI), R8
	MOVQ	BX, SP
	MOVB	R8, ret+8(FP)
	RET

// func modes() (mxcsr, control, tags uint32)
TEXT ·modes(SB),NOSPLIT,$40-12
	STMXCSR	0(SP)
	FSTENV	8(SP)	// SDM vol. 1, 8.1.10
	LEAQ	8(SP), DI
	BYTE $0xd9; BYTE $0x27	// FLDENV (DI)
	MOVL	0(SP), AX
	MOVL	AX, mxcsr+0(FP)
	MOVWLZX	8(SP), AX
	MOVL	AX, control+4(FP)
	MOVWLZX	16(SP), AX
	MOVL	AX, tags+8(FP)
	RET

// func moded(p *byte) uint32
//
// It reads p with MXCSR 0x5f80, x87's control word 0x0b7f and its registers in use by MMX, and returns both words as they are then.
TEXT ·moded(SB),NOSPLIT,$40-12
	MOVQ	p+0(FP), SI
	STMXCSR	0(SP)
	FSTENV	8(SP)
	MOVL	$0x5f80, 4(SP)
	LDMXCSR	4(SP)
	MOVW	$0x0b7f, 36(SP)
	FLDCW	36(SP)
	MOVQ	SI, M0
	MOVBLZX	(SI), AX
	STMXCSR	4(SP)
	FSTCW	36(SP)
	MOVQ	M0, DX
	EMMS
	MOVL	4(SP), AX
	MOVWLZX	36(SP), BX
	SHLL	$16, BX
	ORL	BX, AX
	CMPQ	DX, SI
	JEQ	kept
	XORL	AX, AX
kept:
	MOVL	AX, ret+8(FP)
	LEAQ	8(SP), DI
	BYTE $0xd9; BYTE $0x27	// FLDENV (DI)
	LDMXCSR	0(SP)
	RET
