#include "textflag.h"

// func raw(nr, a1, a2, a3, a4 uintptr) uintptr
TEXT ·raw(SB),NOSPLIT,$0-48
	MOVQ	nr+0(FP), AX
	MOVQ	a1+8(FP), DI
	MOVQ	a2+16(FP), SI
	MOVQ	a3+24(FP), DX
	MOVQ	a4+32(FP), R10
	SYSCALL
	MOVQ	AX, ret+40(FP)
	RET

// func faultOn(sp uintptr)
TEXT ·faultOn(SB),NOSPLIT,$0-8
	MOVQ	sp+0(FP), SP
	XORL	AX, AX
	MOVQ	AX, (AX)
	RET

// func pushOn(sp uintptr)
TEXT ·pushOn(SB),NOSPLIT,$0-8
	MOVQ	sp+0(FP), SP
	BYTE	$0x50	// PUSH AX, unknown to the assembler's frame
	RET

// func storeGDT(p *[10]byte)
TEXT ·storeGDT(SB),NOSPLIT,$0-8
	MOVQ	p+0(FP), DI
	BYTE $0x0f; BYTE $0x01; BYTE $0x07	// SGDT (DI)
	RET
