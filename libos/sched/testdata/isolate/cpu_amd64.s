#include "textflag.h"

// func apicID() uint32: CPUID leaf 1, EBX bits 31 to 24 (Intel SDM vol. 2A, CPUID).
TEXT ·apicID(SB),NOSPLIT,$0-4
	MOVL	$1, AX
	XORL	CX, CX
	CPUID
	SHRL	$24, BX
	MOVL	BX, ret+0(FP)
	RET
