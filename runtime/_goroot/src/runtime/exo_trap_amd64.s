// The ways into and out of the bottom half on amd64: the first instruction of an image, traps, interrupts, SYSCALL at CPL 0,
// and the return to a context.
//
// Everything here and below runs at CPL 0 with interrupts off, on a stack of this CPU's own and with a g of that stack in R14
// (exoCPU.gCall and so on). Such code calls ABIInternal functions only: an ABI0 wrapper would reload R14 from TLS,
// which is the interrupted thread's. Callers reserve one stack word for each register argument, since the callee may spill there.
// GS holds the address of this CPU's exoCPU; nothing else uses GS.

#include "go_asm.h"
#include "funcdata.h"
#include "go_tls.h"
#include "textflag.h"

// SPILL is room for eight spilled register arguments; it keeps the stack 16-byte aligned.
#define SPILL 64

// SAVE pushes the general registers in exoFrame's order; REST takes them back and drops vec and err.
#define SAVE \
	ADJSP	$120; \
	MOVQ	R15, 0(SP); \
	MOVQ	R14, 8(SP); \
	MOVQ	R13, 16(SP); \
	MOVQ	R12, 24(SP); \
	MOVQ	R11, 32(SP); \
	MOVQ	R10, 40(SP); \
	MOVQ	R9, 48(SP); \
	MOVQ	R8, 56(SP); \
	MOVQ	BP, 64(SP); \
	MOVQ	DI, 72(SP); \
	MOVQ	SI, 80(SP); \
	MOVQ	DX, 88(SP); \
	MOVQ	CX, 96(SP); \
	MOVQ	BX, 104(SP); \
	MOVQ	AX, 112(SP)

#define REST \
	MOVQ	0(SP), R15; \
	MOVQ	8(SP), R14; \
	MOVQ	16(SP), R13; \
	MOVQ	24(SP), R12; \
	MOVQ	32(SP), R11; \
	MOVQ	40(SP), R10; \
	MOVQ	48(SP), R9; \
	MOVQ	56(SP), R8; \
	MOVQ	64(SP), BP; \
	MOVQ	72(SP), DI; \
	MOVQ	80(SP), SI; \
	MOVQ	88(SP), DX; \
	MOVQ	96(SP), CX; \
	MOVQ	104(SP), BX; \
	MOVQ	112(SP), AX; \
	ADJSP	$-136

// SAVEX keeps the sixteen XMM registers, all that Go code compiled for kernel use touches of the vector state
// (no memmove or memclr with AVX is called down here; TestKernelSide of ci/image keeps it so).
#define SAVEX \
	ADJSP	$256; \
	CALL	exoSaveX<>(SB)

#define RESTX \
	CALL	exoRestX<>(SB); \
	ADJSP	$-256

TEXT exoSaveX<>(SB),NOSPLIT|NOFRAME,$0
	MOVUPS	X0, 8(SP)
	MOVUPS	X1, 24(SP)
	MOVUPS	X2, 40(SP)
	MOVUPS	X3, 56(SP)
	MOVUPS	X4, 72(SP)
	MOVUPS	X5, 88(SP)
	MOVUPS	X6, 104(SP)
	MOVUPS	X7, 120(SP)
	MOVUPS	X8, 136(SP)
	MOVUPS	X9, 152(SP)
	MOVUPS	X10, 168(SP)
	MOVUPS	X11, 184(SP)
	MOVUPS	X12, 200(SP)
	MOVUPS	X13, 216(SP)
	MOVUPS	X14, 232(SP)
	MOVUPS	X15, 248(SP)
	RET

TEXT exoRestX<>(SB),NOSPLIT|NOFRAME,$0
	MOVUPS	8(SP), X0
	MOVUPS	24(SP), X1
	MOVUPS	40(SP), X2
	MOVUPS	56(SP), X3
	MOVUPS	72(SP), X4
	MOVUPS	88(SP), X5
	MOVUPS	104(SP), X6
	MOVUPS	120(SP), X7
	MOVUPS	136(SP), X8
	MOVUPS	152(SP), X9
	MOVUPS	168(SP), X10
	MOVUPS	184(SP), X11
	MOVUPS	200(SP), X12
	MOVUPS	216(SP), X13
	MOVUPS	232(SP), X14
	MOVUPS	248(SP), X15
	RET

// GO prepares registers for kernel-side Go code with the g at offset goff of the CPU structure.
#define GO(goff) \
	CLD; \
	MOVQ	exoCPU_self(GS), R14; \
	ADDQ	$goff, R14; \
	XORL	BP, BP; \
	XORPS	X15, X15

// The first Go instruction. DI = hvm_start_info, SI = image table (both physical), SP = boot stack in the direct map,
// boot page tables: the first GiB at 0 and at the direct map.
TEXT _exo_start(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	$·exoBootG(SB), R14
	MOVQ	SP, (g_stack+stack_hi)(R14)
	LEAQ	-(48*1024)(SP), AX	// below it the boot processor's first record
	MOVQ	AX, (g_stack+stack_lo)(R14)
	MOVQ	AX, g_m(R14)	// see exoStackG
	MOVQ	R14, 0(AX)
	ADDQ	$1024, AX
	MOVQ	AX, g_stackguard0(R14)
	MOVQ	AX, g_stackguard1(R14)
	XORL	BP, BP
	XORPS	X15, X15
	MOVQ	DI, AX
	MOVQ	SI, BX
	ADJSP	$SPILL
	CALL	·exoBoot<ABIInternal>(SB)
	ADJSP	$-SPILL
	// AX = the process image that an ELF program expects at its entry: argc, argv, environment, auxiliary vector.
	MOVQ	AX, SP
	XORL	DX, DX
	STI
	JMP	_rt0_amd64(SB)

// An application processor arrives here from the 16-bit entry. DI = its exoCPU, SP = its call stack, boot page tables.
TEXT ·exoAPStart(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	DI, R14
	ADDQ	$exoCPU_gCall, R14
	XORL	BP, BP
	XORPS	X15, X15
	MOVQ	DI, AX
	ADJSP	$SPILL
	CALL	·exoAPInit<ABIInternal>(SB)
	ADJSP	$-SPILL
	JMP	·exoResume(SB)

// SYSCALL from CPL 0 (LSTAR): CX = return address, R11 = flags, SP unchanged, interrupts off by SFMASK.
// All general registers but those two and the result survive; vector registers do not (ABI0 code keeps none across a call).
TEXT ·exoSyscallEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	R11, exoCPU_scratch(GS)
	MOVQ	exoCPU_cur(GS), R11
	MOVQ	R15, (exoContext_regs+exoFrame_r15)(R11)
	MOVQ	R14, (exoContext_regs+exoFrame_r14)(R11)
	MOVQ	R13, (exoContext_regs+exoFrame_r13)(R11)
	MOVQ	R12, (exoContext_regs+exoFrame_r12)(R11)
	MOVQ	R10, (exoContext_regs+exoFrame_r10)(R11)
	MOVQ	R9, (exoContext_regs+exoFrame_r9)(R11)
	MOVQ	R8, (exoContext_regs+exoFrame_r8)(R11)
	MOVQ	BP, (exoContext_regs+exoFrame_rbp)(R11)
	MOVQ	DI, (exoContext_regs+exoFrame_rdi)(R11)
	MOVQ	SI, (exoContext_regs+exoFrame_rsi)(R11)
	MOVQ	DX, (exoContext_regs+exoFrame_rdx)(R11)
	MOVQ	CX, (exoContext_regs+exoFrame_rcx)(R11)
	MOVQ	BX, (exoContext_regs+exoFrame_rbx)(R11)
	MOVQ	AX, (exoContext_regs+exoFrame_rax)(R11)
	MOVQ	CX, (exoContext_regs+exoFrame_rip)(R11)
	MOVQ	SP, (exoContext_regs+exoFrame_rsp)(R11)
	MOVQ	exoCPU_scratch(GS), CX
	MOVQ	CX, (exoContext_regs+exoFrame_rflags)(R11)
	MOVQ	CX, (exoContext_regs+exoFrame_r11)(R11)
	MOVQ	exoCPU_callStack(GS), SP
	GO(exoCPU_gCall)
	MOVQ	R11, AX
	ADJSP	$SPILL
	CALL	·exoSyscall<ABIInternal>(SB)
	ADJSP	$-SPILL
	JMP	·exoResume(SB)

// exoResume enters this CPU's current context. Any kernel stack, interrupts off.
TEXT ·exoResume(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	exoCPU_callStack(GS), SP
	MOVQ	exoCPU_cur(GS), R11
	MOVQ	exoContext_fsbase(R11), AX
	CMPQ	AX, exoCPU_fsbase(GS)
	JEQ	base
	MOVQ	AX, exoCPU_fsbase(GS)
	MOVQ	AX, DX
	SHRQ	$32, DX
	MOVL	$0xC0000100, CX	// IA32_FS_BASE
	WRMSR
base:
	CMPL	exoContext_fpValid(R11), $0
	JEQ	nofp
	MOVL	$0, exoContext_fpValid(R11)
	LEAQ	exoContext_fp(R11), DI
	CALL	exoFPRestore<>(SB)
nofp:
	PUSHQ	$0x10
	PUSHQ	(exoContext_regs+exoFrame_rsp)(R11)
	PUSHQ	(exoContext_regs+exoFrame_rflags)(R11)
	PUSHQ	$0x08
	PUSHQ	(exoContext_regs+exoFrame_rip)(R11)
	MOVQ	(exoContext_regs+exoFrame_r15)(R11), R15
	MOVQ	(exoContext_regs+exoFrame_r14)(R11), R14
	MOVQ	(exoContext_regs+exoFrame_r13)(R11), R13
	MOVQ	(exoContext_regs+exoFrame_r12)(R11), R12
	MOVQ	(exoContext_regs+exoFrame_r10)(R11), R10
	MOVQ	(exoContext_regs+exoFrame_r9)(R11), R9
	MOVQ	(exoContext_regs+exoFrame_r8)(R11), R8
	MOVQ	(exoContext_regs+exoFrame_rbp)(R11), BP
	MOVQ	(exoContext_regs+exoFrame_rdi)(R11), DI
	MOVQ	(exoContext_regs+exoFrame_rsi)(R11), SI
	MOVQ	(exoContext_regs+exoFrame_rdx)(R11), DX
	MOVQ	(exoContext_regs+exoFrame_rcx)(R11), CX
	MOVQ	(exoContext_regs+exoFrame_rbx)(R11), BX
	MOVQ	(exoContext_regs+exoFrame_rax)(R11), AX
	MOVQ	(exoContext_regs+exoFrame_r11)(R11), R11
	IRETQ

// exoFPSave and exoFPRestore move the whole vector state to and from the area at DI (64-byte aligned, header zeroed once).
// They use AX and DX.
TEXT exoFPSave<>(SB),NOSPLIT|NOFRAME,$0
	MOVL	·exo+exoState_xcr0(SB), AX
	TESTL	AX, AX
	JEQ	legacy
	XORL	DX, DX
	BYTE $0x48; BYTE $0x0f; BYTE $0xae; BYTE $0x27	// XSAVE64 (DI)
	RET
legacy:
	FXSAVE64	(DI)
	RET

TEXT exoFPRestore<>(SB),NOSPLIT|NOFRAME,$0
	MOVL	·exo+exoState_xcr0(SB), AX
	TESTL	AX, AX
	JEQ	legacy
	XORL	DX, DX
	BYTE $0x48; BYTE $0x0f; BYTE $0xae; BYTE $0x2f	// XRSTOR64 (DI)
	RET
legacy:
	FXRSTOR64	(DI)
	RET

// A page fault: mostly the first touch of a page. exoFault backs it and the instruction runs again;
// what it does not answer is an exception.
TEXT ·exoPageFault(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ	$14
	SAVE
	SAVEX
	GO(exoCPU_gFault)
	MOVQ	CR2, AX
	LEAQ	256(SP), BX
	ADJSP	$SPILL
	CALL	·exoFault<ABIInternal>(SB)
	ADJSP	$-SPILL
	MOVQ	AX, exoCPU_scratch(GS)
	RESTX
	CMPQ	exoCPU_scratch(GS), $0
	JEQ	exception
	REST
	IRETQ
exception:
	MOVQ	SP, AX
	JMP	exoExceptionTail<>(SB)

// The exceptions' common tail: SP = AX = exoFrame, the vector state still the interrupted code's.
TEXT exoExceptionTail<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	exoCPU_fpArea(GS), DI
	CALL	exoFPSave<>(SB)
	MOVQ	SP, AX
	MOVQ	CR2, BX
	GO(exoCPU_gTrap)
	ADJSP	$SPILL
	CALL	·exoException<ABIInternal>(SB)
	ADJSP	$-SPILL
	MOVQ	exoCPU_fpArea(GS), DI
	CALL	exoFPRestore<>(SB)
	REST
	IRETQ

// Exceptions without and with an error code. Each stub of exoExceptions calls one of these; the return address names the
// vector and stands where the frame has err (without) or vec (with).
TEXT exoTrapNoCode<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ	$0
	SAVE
	MOVQ	128(SP), AX
	MOVQ	$0, 128(SP)
	JMP	exoTrap<>(SB)

TEXT exoTrapCode<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	SAVE
	MOVQ	120(SP), AX
	JMP	exoTrap<>(SB)

// AX = return address into exoExceptions: vector = (AX - table) / 5 - 1.
TEXT exoTrap<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	$·exoExceptions(SB), BX
	SUBQ	BX, AX
	XORL	DX, DX
	MOVL	$5, CX
	DIVQ	CX
	DECQ	AX
	MOVQ	AX, 120(SP)
	JMP	exoExceptionTail<>(SB)

TEXT ·exoExceptions(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CALL	exoTrapNoCode<>(SB)	// 0 #DE
	CALL	exoTrapNoCode<>(SB)	// 1 #DB
	CALL	exoTrapNoCode<>(SB)	// 2 NMI
	CALL	exoTrapNoCode<>(SB)	// 3 #BP
	CALL	exoTrapNoCode<>(SB)	// 4 #OF
	CALL	exoTrapNoCode<>(SB)	// 5 #BR
	CALL	exoTrapNoCode<>(SB)	// 6 #UD
	CALL	exoTrapNoCode<>(SB)	// 7 #NM
	CALL	exoTrapCode<>(SB)	// 8 #DF
	CALL	exoTrapNoCode<>(SB)	// 9
	CALL	exoTrapCode<>(SB)	// 10 #TS
	CALL	exoTrapCode<>(SB)	// 11 #NP
	CALL	exoTrapCode<>(SB)	// 12 #SS
	CALL	exoTrapCode<>(SB)	// 13 #GP
	CALL	exoTrapCode<>(SB)	// 14 #PF has an entry of its own
	CALL	exoTrapNoCode<>(SB)	// 15
	CALL	exoTrapNoCode<>(SB)	// 16 #MF
	CALL	exoTrapCode<>(SB)	// 17 #AC
	CALL	exoTrapNoCode<>(SB)	// 18 #MC
	CALL	exoTrapNoCode<>(SB)	// 19 #XM
	CALL	exoTrapNoCode<>(SB)	// 20 #VE
	CALL	exoTrapCode<>(SB)	// 21 #CP

// An interrupt: handled by exoInterrupt, which says whether the CPU goes on with the same context.
TEXT exoIRQ<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ	$0
	SAVE
	SAVEX
	MOVQ	$·exoVectors(SB), AX
	LEAQ	256(SP), BX
	GO(exoCPU_gIRQ)
	ADJSP	$SPILL
	CALL	·exoInterrupt<ABIInternal>(SB)
	ADJSP	$-SPILL
	MOVQ	AX, exoCPU_scratch(GS)
	RESTX
	CMPQ	exoCPU_scratch(GS), $0
	JNE	leave
	REST
	IRETQ
leave:
	// exoInterrupt has copied the frame to the context; keep its vector state, then choose again.
	MOVQ	exoCPU_cur(GS), R11
	LEAQ	exoContext_fp(R11), DI
	MOVL	$1, exoContext_fpValid(R11)
	CALL	exoFPSave<>(SB)
	MOVQ	exoCPU_callStack(GS), SP
	GO(exoCPU_gCall)
	ADJSP	$SPILL
	CALL	·exoReschedule<ABIInternal>(SB)
	ADJSP	$-SPILL
	JMP	·exoResume(SB)

#define V4 CALL exoIRQ<>(SB); CALL exoIRQ<>(SB); CALL exoIRQ<>(SB); CALL exoIRQ<>(SB)
#define V16 V4; V4; V4; V4

// One 5-byte stub for each interrupt vector 32..255.
TEXT ·exoVectors(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	V16; V16; V16; V16; V16; V16; V16
	V16; V16; V16; V16; V16; V16; V16

// exoHalt waits for one interrupt with the idle flag up: the flag tells others to send an IPI after queueing work here,
// and that this CPU flushes its TLB before it touches anything that can be unmapped.
TEXT ·exoHalt<ABIInternal>(SB),NOSPLIT|NOFRAME,$0
	STI
	HLT
	CLI
	RET

// exoTrapDoor is where a SYSCALL of a program's own assembly goes on: registers as at the instruction, return address pushed.
// It keeps the general registers but AX, CX and R11, and the XMM registers; not the wider vector state, and not what lies below SP.
TEXT ·exoTrapDoor(SB),NOSPLIT|NOFRAME,$0-0
	NO_LOCAL_POINTERS
	PUSHQ	BP
	MOVQ	SP, BP
	ADJSP	$96
	MOVQ	R15, 0(SP)
	MOVQ	R14, 8(SP)
	MOVQ	R13, 16(SP)
	MOVQ	R12, 24(SP)
	MOVQ	R10, 32(SP)
	MOVQ	R9, 40(SP)
	MOVQ	R8, 48(SP)
	MOVQ	DI, 56(SP)
	MOVQ	SI, 64(SP)
	MOVQ	DX, 72(SP)
	MOVQ	BX, 80(SP)
	SAVEX
	// nr AX, a1 DI, a2 SI, a3 DX, a4 R10, a5 R8, a6 R9  ->  AX, BX, CX, DI, SI, R8, R9
	MOVQ	DI, BX
	MOVQ	SI, CX
	MOVQ	DX, DI
	MOVQ	R10, SI
	get_tls(R11)
	MOVQ	g(R11), R14
	XORPS	X15, X15
	ADJSP	$SPILL
	BTSQ	$62, AX // exoDoorStay: the registers kept here may lead to the stack, too
	CALL	syscall·exoDoor<ABIInternal>(SB)
	ADJSP	$-SPILL
	TESTQ	BX, BX
	JEQ	ok
	NEGQ	BX
	MOVQ	BX, AX
ok:
	RESTX
	MOVQ	0(SP), R15
	MOVQ	8(SP), R14
	MOVQ	16(SP), R13
	MOVQ	24(SP), R12
	MOVQ	32(SP), R10
	MOVQ	40(SP), R9
	MOVQ	48(SP), R8
	MOVQ	56(SP), DI
	MOVQ	64(SP), SI
	MOVQ	72(SP), DX
	MOVQ	80(SP), BX
	ADJSP	$-96
	POPQ	BP
	RET
