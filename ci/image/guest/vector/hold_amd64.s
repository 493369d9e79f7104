#include "textflag.h"

// func hasAVX2() bool
TEXT ·hasAVX2(SB),NOSPLIT,$0-1
	MOVB	$0, ret+0(FP)
	MOVL	$1, AX
	XORL	CX, CX
	CPUID
	BTL	$27, CX	// OSXSAVE
	JCC	no
	XORL	CX, CX
	XGETBV
	ANDL	$6, AX	// SSE and AVX state
	CMPL	AX, $6
	JNE	no
	MOVL	$7, AX
	XORL	CX, CX
	CPUID
	BTL	$5, BX	// AVX2
	JCC	no
	MOVB	$1, ret+0(FP)
no:
	RET

// FILL puts AX into all words of Y, then counts AX on.
#define FILL(Y) \
	MOVQ	AX, word-8(SP); \
	VPBROADCASTQ	word-8(SP), Y; \
	INCQ	AX

// CHECK adds to DX how many words of Y differ from AX, then counts AX on.
#define CHECK(Y) \
	VMOVDQU	Y, copy-40(SP); \
	XORL	BX, BX; \
	CMPQ	AX, copy-40(SP); \
	SETNE	BX; \
	ADDQ	BX, DX; \
	CMPQ	AX, copy-32(SP); \
	SETNE	BX; \
	ADDQ	BX, DX; \
	CMPQ	AX, copy-24(SP); \
	SETNE	BX; \
	ADDQ	BX, DX; \
	CMPQ	AX, copy-16(SP); \
	SETNE	BX; \
	ADDQ	BX, DX; \
	INCQ	AX

// func hold(seed, n uint64) (bad uint64)
TEXT ·hold(SB),NOSPLIT,$40-24
	MOVQ	seed+0(FP), AX
	MOVQ	n+8(FP), CX
	XORL	DX, DX
	FILL(Y0)
	FILL(Y1)
	FILL(Y2)
	FILL(Y3)
	FILL(Y4)
	FILL(Y5)
	FILL(Y6)
	FILL(Y7)
	FILL(Y8)
	FILL(Y9)
	FILL(Y10)
	FILL(Y11)
	FILL(Y12)
	FILL(Y13)
	FILL(Y14)
	FILL(Y15)
	SUBQ	$1, CX
spin:
	// two registers each time, all of them at the end: what is lost stays lost
	MOVQ	seed+0(FP), AX
	CHECK(Y0)
	ADDQ	$14, AX
	CHECK(Y15)
	DECQ	CX
	JNE	spin
	MOVQ	seed+0(FP), AX
	CHECK(Y0)
	CHECK(Y1)
	CHECK(Y2)
	CHECK(Y3)
	CHECK(Y4)
	CHECK(Y5)
	CHECK(Y6)
	CHECK(Y7)
	CHECK(Y8)
	CHECK(Y9)
	CHECK(Y10)
	CHECK(Y11)
	CHECK(Y12)
	CHECK(Y13)
	CHECK(Y14)
	CHECK(Y15)
	MOVQ	DX, bad+16(FP)
	VZEROUPPER
	RET
