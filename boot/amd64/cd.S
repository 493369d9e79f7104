# The beginning of a CD's boot image (El Torito 1.0, 2.2: no emulation; loaded whole at 0x7c00, DL = the drive). The loader, bios.S, is behind it.
	.set STAGE, 0x2000
	.set STAGE_SECTORS, 7
	.code16
	.globl _start
_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp
	sti
	cld
	ljmp	$0, $1f			# CS may be 0x7c0
1:	mov	$0x7e00, %si
	mov	$STAGE, %di
	mov	$STAGE_SECTORS * 256, %cx
	rep movsw
	ljmp	$0, $STAGE
	.org	0x200
