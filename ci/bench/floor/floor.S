# The payload that only prints: PVH entry, one line on the first serial port, end of QEMU.
# Assemble and link at 0x100000 as raw bytes; floor.go has the commands, floor_test.go runs them.
.code32
.globl _start
_start:
	cld
	mov	$text, %esi
	mov	$(end - text), %ecx
	mov	$0x3f8, %edx		# 16550 transmit register; QEMU's is always ready
	rep outsb
	xor	%eax, %eax
	mov	$0xf4, %edx		# isa-debug-exit: status 0<<1|1
	out	%eax, (%dx)
1:	hlt
	jmp	1b
text:
	.ascii	"floor\r\n"
end:
