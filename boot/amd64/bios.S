# The loader of disks and CDs on machines with a BIOS. Runs at 0x2000 in real mode, DL = the drive; mbr.S or cd.S brought it there.
#
#	0x2000	this code, at most 0xe00 bytes; from 0x2d80 on the fields that mkimage fills in (*)
#	0x3000	the slots' state (libos/boot/slot/FORMAT.md), of disks that have slots
#	0x4000	boot_params (Linux, Documentation/arch/x86/boot.rst)
#	0x7000	stack, growing down
#	0x8000	place.S
#	0x10000	what INT 13h reads, up to 60 KiB at once
#
# It reads the image, an ELF file, to where place.S would move it first, compares its hash, and enters place.S. Of two slots it takes the one that
# the state says, or the other one where that cannot be loaded.
	.set STATE, 0x3000
	.set PARAMS, 0x4000
	.set STACK, 0x7000
	.set BUFFER, 0x10000
	.include "hash.S"
	.include "vga.S"
	.code16
	.globl _start
_start:
	mov	$STACK, %sp
	mov	%dl, drive

	# Long mode (CPUID 8000_0001h, EDX bit 29)? A processor without CPUID would stop here; none has had A20 and this disk.
	mov	$0x80000000, %eax
	cpuid
	mov	$nolong, %si
	cmp	$0x80000001, %eax
	jb	fail
	mov	$0x80000001, %eax
	cpuid
	bt	$29, %edx
	jnc	fail

	# boot_params: nothing but the memory map (INT 15h, AX = E820h; ACPI 6.5, 15.1). The RSDP is found without it.
	mov	$PARAMS, %di
	xor	%ax, %ax
	mov	$0x800, %cx
	rep stosw
	vga	PARAMS
	mov	$PARAMS + 0x2d0, %di
	xor	%ebx, %ebx
1:	mov	$0xe820, %eax
	mov	$0x534d4150, %edx	# "SMAP"
	mov	$20, %ecx
	int	$0x15
	jc	2f
	cmp	$0x534d4150, %eax
	jne	2f
	add	$20, %di
	incb	PARAMS + 0x1e8		# e820_entries
	cmpb	$128, PARAMS + 0x1e8	# as many as e820_table has
	je	2f
	test	%ebx, %ebx
	jnz	1b
2:
	# A20: by the BIOS, else by port 92h.
	mov	$0x2401, %ax
	int	$0x15
	jnc	1f
	in	$0x92, %al
	or	$2, %al
	and	$~1, %al
	out	%al, $0x92
1:
	# Bytes a sector: 512 of disks, 2048 of CDs. 0 is what a BIOS says that does not know.
	mov	$0x48, %ah
	mov	drive, %dl
	mov	$answer, %si
	int	$0x13
	mov	$noread, %si
	jc	fail
	movzwl	answer + 0x18, %ebp
	test	%ebp, %ebp
	jnz	2f
	mov	$512, %bp
2:	cmp	$2048, %bp
	je	1f
	mov	$sectors, %si
	cmp	$512, %bp
	jne	fail
1:	cmpl	$0, state
	je	load

	# Both copies of the slots' state. One that cannot be read, however often, is none.
	mov	$0x4200, %ax
	mov	state, %edx
	mov	$BUFFER >> 4, %di
	call	sector
	mov	$0x4200, %ax
	mov	state, %edx
	add	$8, %edx
	mov	$(BUFFER + 512) >> 4, %di
	call	sector
	mov	$do_state, %eax
	call	in32
	mov	$nostate, %si
	test	%eax, %eax
	js	fail
choose:	mov	$do_choose, %eax
	call	in32
	mov	$noslot, %si
	test	%eax, %eax
	js	fail
	mov	$512, %ebp
load:
	# Does memory reach from FIRST to LAST? An entry of RAM must hold both.
	mov	$nomem, %si
	movzbw	PARAMS + 0x1e8, %cx
	mov	$PARAMS + 0x2d0, %di
	test	%cx, %cx
	jz	bad
1:	cmpl	$1, 16(%di)
	jne	2f
	cmpl	$0, 4(%di)
	jne	2f
	mov	(%di), %eax
	cmp	first, %eax
	ja	2f
	add	8(%di), %eax
	jc	3f			# ends above 4 GiB
	cmpl	$0, 12(%di)
	jne	3f
	cmp	last, %eax
	jae	3f
2:	add	$20, %di
	loop	1b
	jmp	bad
3:
	mov	block, %eax		# in units of 512 bytes, and divisible by 4 on CDs
	shl	$9, %eax
	mov	block, %edx
	shr	$23, %edx
	div	%ebp
	mov	%eax, packet + 8
	mov	length, %edi		# bytes still to read
	mov	first, %ebx		# and where to
next:	mov	$60 << 10, %eax
	cmp	%eax, %edi
	jae	1f
	lea	-1(%edi,%ebp), %eax
1:	xor	%edx, %edx
	div	%ebp
	mov	%ax, packet + 2
	mov	$tries, %cx
again:	pushal
	mov	drive, %dl
	mov	$packet, %si
	mov	$0x42, %ah
	int	$0x13
	popal
	jc	3f
	cmpw	$0, packet + 2
	jne	1f
3:	cld				# the BIOS may leave any direction, and has put there how many it read
	xor	%edx, %edx
	mov	$60 << 10, %eax
	cmp	%eax, %edi
	jae	2f
	lea	-1(%edi,%ebp), %eax
2:	div	%ebp
	mov	%ax, packet + 2
	loop	again
	mov	$noread, %si
	jmp	bad
1:	movzwl	packet + 2, %eax
	add	%eax, packet + 8
	adcl	$0, packet + 12
	mul	%ebp			# bytes read
	cmp	%edi, %eax
	jbe	1f
	mov	%edi, %eax
1:	sub	%eax, %edi
	mov	%eax, %ecx
	mov	%edi, left
	mov	%ebx, %edi
	call	copy			# ECX bytes from BUFFER to EDI
	mov	%edi, %ebx
	mov	left, %edi
	test	%edi, %edi
	jnz	next

	mov	$do_hash, %eax
	call	in32
	mov	$damaged, %si
	cmp	%eax, hash
	jne	bad

	# One try less, in the copy that is older, before it begins.
	cmpl	$0, state
	je	1f
	mov	$do_count, %eax
	call	in32
	test	%eax, %eax
	jz	1f
	mov	which, %edx
	xor	$1, %edx
	shl	$3, %edx
	add	state, %edx
	mov	$0x4300, %ax
	mov	$BUFFER >> 4, %di
	call	sector
	jnc	1f
	mov	$nowrite, %si
	call	say
1:	mov	$do_place, %eax
	jmp	in32

# What is to be loaded cannot be: the line at SI says why. Then the other slot is tried, if there are slots.
bad:	cmpl	$0, state
	je	fail
	call	say
	mov	slot, %ax
	bts	%ax, skip
	jmp	choose

fail:	call	say
1:	hlt
	jmp	1b
	.include "say.S"

# Reads (AX = 4200h) or writes (AX = 4300h) one sector, EDX, at DI:0, and tries again where that fails. Carry where it did, and the sector is cleared then.
sector:	mov	%edx, packet + 8
	movl	$0, packet + 12
	mov	%di, packet + 6
	mov	$tries, %cx
2:	movw	$1, packet + 2
	pushal
	mov	drive, %dl
	mov	$packet, %si
	int	$0x13
	popal
	cld
	jnc	3f
	loop	2b
	stc
3:	movw	$BUFFER >> 4, packet + 6
	jnc	1f
	mov	%di, %es
	xor	%di, %di
	xor	%ax, %ax
	mov	$256, %cx
	rep stosw
	mov	%ax, %es
	stc
1:	ret

copy:	mov	$do_copy, %eax
# in32 calls the code at EAX, with interrupts off, in 32-bit protected mode.
in32:	cli
	mov	%eax, target
	lgdtl	gdtr
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	cld
	ljmp	$0x08, $1f
	.code32
1:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	movzwl	%sp, %esp
	call	*target
	# Back: 16-bit segments first (SDM vol. 3, 10.9.2).
	ljmp	$0x18, $1f
	.code16
1:	mov	$0x20, %dx
	mov	%dx, %ds
	mov	%dx, %es
	mov	%dx, %ss
	mov	%cr0, %edx
	and	$~1, %dl
	mov	%edx, %cr0
	ljmp	$0, $1f
1:	xor	%dx, %dx
	mov	%dx, %ds
	mov	%dx, %es
	mov	%dx, %ss
	sti
	ret

	.code32
do_copy:
	mov	$BUFFER, %esi
	add	$3, %ecx
	shr	$2, %ecx
	rep movsl
	ret
do_hash:
	mov	first, %esi
	mov	length, %ecx
# EAX = the hash of ECX bytes at ESI.
sum:	push	%ecx
	xxh32	%esi
	pop	%ebx
	xxend
	ret

# Keeps the newer copy of the state. EAX = which one it is, or -1.
do_state:
	movl	$-1, which
	mov	$BUFFER, %esi
	call	valid
	jne	1f
	movl	$0, which
1:	mov	$BUFFER + 512, %esi
	call	valid
	jne	3f
	cmpl	$0, which
	jl	2f
	mov	8(%esi), %eax		# sequence numbers, which may wrap
	sub	BUFFER + 8, %eax
	js	3f
2:	movl	$1, which
3:	mov	which, %eax
	test	%eax, %eax
	js	4f
	mov	%eax, %esi
	shl	$9, %esi
	add	$BUFFER, %esi
	mov	$STATE, %edi
	mov	$128, %ecx
	rep movsl
4:	ret

# Is the copy at ESI whole? ZF if so.
valid:	cmpl	$0x4c535448, (%esi)	# "HTSLOTS1"
	jne	1f
	cmpl	$0x3153544f, 4(%esi)
	jne	1f
	push	%esi
	mov	$496, %ecx
	call	sum
	pop	%esi
	cmp	%eax, 496(%esi)
1:	ret

# The slot to load: the one that is wanted, else the other one; first those that work or have tries left, then any. EAX = 0 or 1, or -1.
do_choose:
	xor	%edx, %edx		# not 0: any
1:	mov	STATE + 12, %eax
	and	$1, %eax
	mov	$2, %ecx
2:	bt	%eax, skip
	jc	3f
	mov	%eax, %esi
	shl	$5, %esi
	add	$STATE + 16, %esi
	cmpl	$0, 16(%esi)		# empty
	je	3f
	mov	(%esi), %ebx
	or	4(%esi), %ebx
	or	%edx, %ebx
	jnz	4f
3:	xor	$1, %eax
	loop	2b
	inc	%edx
	cmp	$2, %edx
	jb	1b
	or	$-1, %eax
	ret
4:	mov	%eax, slot
	mov	8(%esi), %ebx
	add	esp_first, %ebx
	mov	%ebx, block
	add	$16, %esi
	mov	$length, %edi
	mov	$4, %ecx
	rep movsl
	ret

# Counts a try of the slot, unless it works or has none left. EAX = 1 if the state at BUFFER is to be written.
do_count:
	movl	$text, PARAMS + 0x228	# hdr.cmd_line_ptr
	mov	slot, %eax
	mov	%eax, %esi
	shl	$5, %esi
	add	$STATE + 16, %esi
	add	%al, text + 5		# slot=A
	xor	%eax, %eax
	cmp	%eax, 4(%esi)
	jne	1f
	cmp	%eax, (%esi)
	je	1f
	decl	(%esi)
	incl	STATE + 8
	mov	$STATE, %esi
	mov	$496, %ecx
	call	sum
	mov	%eax, STATE + 496
	mov	$STATE, %esi
	mov	$BUFFER, %edi
	mov	$128, %ecx
	rep movsl
	mov	$1, %eax
1:	ret

do_place:
	mov	$place, %esi
	mov	$PLACE, %edi
	mov	$place_end - place, %ecx
	rep movsb
	mov	$PARAMS, %esi
	mov	first, %eax
	mov	length, %edx
	mov	$PLACE, %ecx
	jmp	*%ecx
	.include "place.S"

	.align	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	# 0x08: 32-bit code
	.quad	0x00cf93000000ffff	# 0x10: data
	.quad	0x00009b000000ffff	# 0x18: 16-bit code
	.quad	0x000093000000ffff	# 0x20: data of 64 KiB
gdtr:	.word	39
	.long	gdt
target:	.long	0
which:	.long	0			# copy of the state
slot:	.long	0
skip:	.long	0			# a bit for each slot that could not be loaded
left:	.long	0
	.set tries, 5
packet:	.word	16, 0
	.word	0, BUFFER >> 4
	.quad	0
drive:	.byte	0
nolong:	.asciz	"hardtack: this processor has no 64-bit mode\r\n"
nomem:	.asciz	"hardtack: this machine has too little memory for the image\r\n"
noread:	.asciz	"hardtack: disk read error\r\n"
sectors: .asciz	"hardtack: this disk has no sectors of 512 bytes\r\n"
damaged: .asciz	"hardtack: the image is damaged\r\n"
nostate: .asciz	"hardtack: the state of the slots is damaged\r\n"
noslot:	.asciz	"hardtack: there is no slot left to boot\r\n"
nowrite: .asciz	"hardtack: disk write error: the try is not counted\r\n"
	.align	2
answer:	.word	0x1e
	.skip	0x1c
	.org	0xd80
text:	.skip	64			# (*) the word slot= of the command line, for slot A
state:	.quad	0			# (*) block number of the slots' state; 0: there are no slots
esp_first: .quad	0		# (*) of the partition that slots are in
	.org	0xde0
block:	.long	0, 0			# (*) where the image is, in units of 512 bytes
length:	.long	0			# (*) its length
hash:	.long	0			# (*) its XXH32
first:	.long	0			# (*) where place.S would move it
last:	.long	0			# (*) end of the last segment, as loaded
	.org	0xe00
