# The boot sector of disks (BIOS Boot Specification 1.01, 6.5: loaded at 0x7c00, DL = the drive). It reads the loader, bios.S, from where
# mkimage says, to 0x2000. The partition table behind it is mkimage's (UEFI 2.10, 5.2.3: a protective MBR).
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
	mov	%dl, drive
	# INT 13h, AH = 42h (Enhanced Disk Drive Specification 3.0): is it there?
	mov	$0x41, %ah
	mov	$0x55aa, %bx
	int	$0x13
	mov	$noedd, %si
	jc	fail
	cmp	$0xaa55, %bx
	jne	fail
	test	$1, %cl			# the functions for disks by block numbers
	jz	fail
	cld				# a BIOS may leave any direction
	mov	drive, %dl
	mov	$packet, %si
	mov	$0x42, %ah
	int	$0x13
	mov	$noread, %si
	jc	fail
	cld
	mov	drive, %dl
	ljmp	$0, $STAGE
fail:	call	say
1:	hlt
	jmp	1b
	.include "say.S"
noedd:	.asciz	"hardtack: this BIOS cannot read the disk by block numbers\r\n"
noread:	.asciz	"hardtack: disk read error\r\n"
drive:	.byte	0
	.org	0x1a0
packet:	.word	16, STAGE_SECTORS
	.word	STAGE, 0		# offset, segment
	.quad	0			# (*) block number of bios.S
	.org	0x1b8
