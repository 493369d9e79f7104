//go:build hardtack

#include "go_asm.h"
#include "textflag.h"

// Comparison and access of MMIO, Ports and Frames. They are assembly so that nothing comes between the two: a goroutine is never
// stopped inside an assembly function (the runtime's preempt.go has no safe point there), so that stopping all goroutines
// once, as hwQuiesce does, ends every access whose comparison came before. NOSPLIT because they use no stack. On refusal they jump to the
// Go function that panics, which finds its two arguments where these had them.

// COMPARE leaves the address of the access in CX: m is compared with LIMIT, a field's offset, for an access of N bytes.
#define COMPARE(LIMIT, N) \
	MOVQ m+0(FP), AX; \
	MOVQ off+8(FP), CX; \
	MOVQ LIMIT(AX), DX; \
	TESTQ $(N-1), CX; \
	JNE  refuse; \
	SUBQ CX, DX; \
	JB   refuse; \
	CMPQ DX, $N; \
	JB   refuse; \
	ADDQ MMIO_va(AX), CX

#define REFUSE(NAME) \
refuse: \
	JMP NAME(SB)

// PCOMPARE leaves the port in DX.
#define PCOMPARE(LIMIT, N) \
	MOVQ p+0(FP), AX; \
	MOVL off+8(FP), DX; \
	MOVL LIMIT(AX), CX; \
	SUBL DX, CX; \
	JB   refuse; \
	CMPL CX, $N; \
	JB   refuse; \
	ADDW Ports_first(AX), DX

// FCOMPARE leaves the number of bytes in CX and the address in a frame in REG. The runtime keeps the direction flag clear.
#define FCOMPARE(REG) \
	MOVQ f+0(FP), AX; \
	MOVQ off+8(FP), REG; \
	MOVQ n+24(FP), CX; \
	MOVQ Frames_size(AX), DX; \
	SUBQ REG, DX; \
	JB   refuse; \
	CMPQ DX, CX; \
	JB   refuse; \
	ADDQ Frames_at(AX), REG

TEXT ·mmioLoad8(SB), NOSPLIT, $0-17
	COMPARE(MMIO_readable, 1)
	MOVB (CX), AX
	MOVB AX, ret+16(FP)
	RET
	REFUSE(·mmioRefuseLoad)

TEXT ·mmioLoad16(SB), NOSPLIT, $0-18
	COMPARE(MMIO_readable, 2)
	MOVW (CX), AX
	MOVW AX, ret+16(FP)
	RET
	REFUSE(·mmioRefuseLoad)

TEXT ·mmioLoad32(SB), NOSPLIT, $0-20
	COMPARE(MMIO_readable, 4)
	MOVL (CX), AX
	MOVL AX, ret+16(FP)
	RET
	REFUSE(·mmioRefuseLoad)

TEXT ·mmioLoad64(SB), NOSPLIT, $0-24
	COMPARE(MMIO_readable, 8)
	MOVQ (CX), AX
	MOVQ AX, ret+16(FP)
	RET
	REFUSE(·mmioRefuseLoad)

TEXT ·mmioStore8(SB), NOSPLIT, $0-17
	COMPARE(MMIO_writable, 1)
	MOVB v+16(FP), AX
	MOVB AX, (CX)
	RET
	REFUSE(·mmioRefuseStore)

TEXT ·mmioStore16(SB), NOSPLIT, $0-18
	COMPARE(MMIO_writable, 2)
	MOVW v+16(FP), AX
	MOVW AX, (CX)
	RET
	REFUSE(·mmioRefuseStore)

TEXT ·mmioStore32(SB), NOSPLIT, $0-20
	COMPARE(MMIO_writable, 4)
	MOVL v+16(FP), AX
	MOVL AX, (CX)
	RET
	REFUSE(·mmioRefuseStore)

TEXT ·mmioStore64(SB), NOSPLIT, $0-24
	COMPARE(MMIO_writable, 8)
	MOVQ v+16(FP), AX
	MOVQ AX, (CX)
	RET
	REFUSE(·mmioRefuseStore)

TEXT ·portsIn8(SB), NOSPLIT, $0-17
	PCOMPARE(Ports_readable, 1)
	INB
	MOVB AX, ret+16(FP)
	RET
	REFUSE(·portsRefuseIn)

TEXT ·portsIn16(SB), NOSPLIT, $0-18
	PCOMPARE(Ports_readable, 2)
	INW
	MOVW AX, ret+16(FP)
	RET
	REFUSE(·portsRefuseIn)

TEXT ·portsIn32(SB), NOSPLIT, $0-20
	PCOMPARE(Ports_readable, 4)
	INL
	MOVL AX, ret+16(FP)
	RET
	REFUSE(·portsRefuseIn)

TEXT ·portsOut8(SB), NOSPLIT, $0-13
	PCOMPARE(Ports_writable, 1)
	MOVB v+12(FP), AX
	OUTB
	RET
	REFUSE(·portsRefuseOut)

TEXT ·portsOut16(SB), NOSPLIT, $0-14
	PCOMPARE(Ports_writable, 2)
	MOVW v+12(FP), AX
	OUTW
	RET
	REFUSE(·portsRefuseOut)

TEXT ·portsOut32(SB), NOSPLIT, $0-16
	PCOMPARE(Ports_writable, 4)
	MOVL v+12(FP), AX
	OUTL
	RET
	REFUSE(·portsRefuseOut)

TEXT ·framesIn(SB), NOSPLIT, $0-33
	FCOMPARE(DI)
	MOVQ p+16(FP), SI
	REP; MOVSB
	MOVB $1, ret+32(FP)
	RET
refuse:
	MOVB $0, ret+32(FP)
	RET

TEXT ·framesOut(SB), NOSPLIT, $0-33
	FCOMPARE(SI)
	MOVQ p+16(FP), DI
	REP; MOVSB
	MOVB $1, ret+32(FP)
	RET
refuse:
	MOVB $0, ret+32(FP)
	RET
