//go:build hardtack

#include "textflag.h"

// Device accesses. They are functions, not Go loads and stores, because the compiler may merge, split or reorder those;
// NOSPLIT because they use no stack.

TEXT ·load8(SB), NOSPLIT, $0-9
	MOVQ va+0(FP), AX
	MOVB (AX), CX
	MOVB CX, ret+8(FP)
	RET

TEXT ·load16(SB), NOSPLIT, $0-10
	MOVQ va+0(FP), AX
	MOVW (AX), CX
	MOVW CX, ret+8(FP)
	RET

TEXT ·load32(SB), NOSPLIT, $0-12
	MOVQ va+0(FP), AX
	MOVL (AX), CX
	MOVL CX, ret+8(FP)
	RET

TEXT ·load64(SB), NOSPLIT, $0-16
	MOVQ va+0(FP), AX
	MOVQ (AX), CX
	MOVQ CX, ret+8(FP)
	RET

TEXT ·store8(SB), NOSPLIT, $0-9
	MOVQ va+0(FP), AX
	MOVB v+8(FP), CX
	MOVB CX, (AX)
	RET

TEXT ·store16(SB), NOSPLIT, $0-10
	MOVQ va+0(FP), AX
	MOVW v+8(FP), CX
	MOVW CX, (AX)
	RET

TEXT ·store32(SB), NOSPLIT, $0-12
	MOVQ va+0(FP), AX
	MOVL v+8(FP), CX
	MOVL CX, (AX)
	RET

TEXT ·store64(SB), NOSPLIT, $0-16
	MOVQ va+0(FP), AX
	MOVQ v+8(FP), CX
	MOVQ CX, (AX)
	RET

// Port input and output: Intel SDM vol. 1, 19.3.

TEXT ·in8(SB), NOSPLIT, $0-9
	MOVW port+0(FP), DX
	INB
	MOVB AX, ret+8(FP)
	RET

TEXT ·in16(SB), NOSPLIT, $0-10
	MOVW port+0(FP), DX
	INW
	MOVW AX, ret+8(FP)
	RET

TEXT ·in32(SB), NOSPLIT, $0-12
	MOVW port+0(FP), DX
	INL
	MOVL AX, ret+8(FP)
	RET

TEXT ·out8(SB), NOSPLIT, $0-3
	MOVW port+0(FP), DX
	MOVB v+2(FP), AX
	OUTB
	RET

TEXT ·out16(SB), NOSPLIT, $0-4
	MOVW port+0(FP), DX
	MOVW v+2(FP), AX
	OUTW
	RET

TEXT ·out32(SB), NOSPLIT, $0-8
	MOVW port+0(FP), DX
	MOVL v+4(FP), AX
	OUTL
	RET

TEXT ·fence(SB), NOSPLIT, $0-0
	MFENCE
	RET
