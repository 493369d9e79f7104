#include "textflag.h"

// func heldBy(p *byte, word *uint64, how int) uint64
//
// There are no stack maps: what the frame holds is the collector's to find.
TEXT ·heldBy(SB),NOSPLIT,$32-32
	MOVQ	p+0(FP), SI
	MOVQ	word+8(FP), AX
	MOVQ	how+16(FP), CX
	MOVQ	$0, word+8(FP)
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
	LEAQ	8(AX), DX	// 1: the end of it, in a register
	XORL	AX, AX
	MOVBLZX	(SI), R8
	MOVQ	-8(DX), AX
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
	MOVQ	AX, word+8(FP)	// 5: its own argument
	XORL	AX, AX
	CALL	touch<>(SB)
	MOVQ	word+8(FP), AX
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
