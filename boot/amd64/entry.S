# What runs before Go on amd64. Assembled by GNU as; the bytes stand in entry.bin (see entry.go for
# the test that they match). Position: physical 0x100000. At most 0x800 bytes; the image table follows.
#
# Scratch memory that this code fills (not part of the image file):
#	0x110000  boot PML4: entry 0 and entry 256 both name the boot PDPT
#	0x111000  boot PDPT: entry 0 names the boot page directory
#	0x112000  boot page directory: the first GiB in 2 MiB pages
#	0x180000  hvm_start_info and memory map, where a Linux boot protocol handed over
#	0x200000  boot stack, growing down
	.set TABLE, 0x100800
	.set PML4, 0x110000
	.set PDPT, 0x111000
	.set PDIR, 0x112000
	.set INFO, 0x180000
	.set STACK, 0xffff800000200000
	.set MAPMAX, 64			# entries of a memory map that the runtime keeps

# Turns on PAE, SSE, NX and long mode with the boot tables, then paging. Needs no stack.
	.macro longmode
	mov	$PML4, %eax
	mov	%eax, %cr3
	mov	$0x620, %eax		# CR4: PAE, OSFXSR, OSXMMEXCPT
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx	# EFER: SCE, LME, NXE
	rdmsr
	or	$0x901, %eax
	wrmsr
	mov	$0x80010033, %eax	# CR0: PE, MP, ET, NE, WP, PG
	mov	%eax, %cr0
	.endm

# PVH entry (Xen public headers, "x86/HVM direct boot ABI"): 32-bit protected mode, flat segments,
# paging and interrupts off, EBX = physical address of hvm_start_info.
	.code32

# Goes on at label 4 with EDI = the RSDP, if one lies on a 16-byte boundary in [EDI, EDX): its signature, and a sum of 0 over its first 20 bytes.
	.macro rsdp
1:	cmp	%edx, %edi
	jae	3f
	cmpl	$0x20445352, (%edi)	# "RSD "
	jne	2f
	cmpl	$0x20525450, 4(%edi)	# "PTR "
	jne	2f
	xor	%eax, %eax
	mov	$20, %ecx
6:	add	-1(%edi,%ecx), %al
	loop	6b
	test	%al, %al
	jz	4f
2:	add	$16, %edi
	jmp	1b
3:
	.endm
	.globl _start
_start:
	cli
	cld
	mov	%ebx, %ebp

	# Is there memory as far as the image reaches? Nothing of Go can be trusted before that: its data may not be there.
	# Memory map entries: base, size, type, reserved (64, 64, 32, 32 bits). EDI counts KiB of RAM.
	mov	40(%ebp), %esi
	mov	48(%ebp), %ecx
	xor	%edi, %edi
	xor	%ebx, %ebx		# set when an entry holds the image's end
1:	sub	$1, %ecx
	jb	3f
	cmpl	$1, 16(%esi)		# RAM
	jne	2f
	mov	8(%esi), %eax
	mov	12(%esi), %edx
	shrd	$10, %edx, %eax
	add	%eax, %edi
	cmpl	$0, 4(%esi)		# begins above 4 GiB
	jne	2f
	mov	(%esi), %eax
	cmp	TABLE+0x28, %eax
	jae	2f
	xor	%edx, %edx
	add	8(%esi), %eax
	adc	12(%esi), %edx
	jnz	4f			# ends above 4 GiB
	cmp	TABLE+0x28, %eax
	jb	2f
4:	inc	%ebx
2:	add	$24, %esi
	jmp	1b
3:	test	%ebx, %ebx
	jz	toosmall

	cmpl	$MAPMAX, 48(%ebp)
	jbe	2f
	mov	%ebp, %edi
	mov	$many, %esi
	mov	$1f, %esp
	jmp	puts
1:	mov	%edi, %ebp
2:
	# SSE, for stores of 16 bytes.
	mov	%cr4, %eax
	or	$0x600, %eax		# OSFXSR, OSXMMEXCPT
	mov	%eax, %cr4

	# Two pages of zeroes for PML4 and PDPT.
	xorps	%xmm0, %xmm0
	mov	$PML4, %edi
1:	movaps	%xmm0, (%edi)
	movaps	%xmm0, 16(%edi)
	movaps	%xmm0, 32(%edi)
	movaps	%xmm0, 48(%edi)
	add	$64, %edi
	cmp	$PML4+0x2000, %edi
	jb	1b
	movl	$(PDPT+3), PML4
	movl	$(PDPT+3), PML4+256*8
	movl	$(PDIR+3), PDPT

	# 512 large pages: present, writable, page size (SDM vol. 3, 4.5.4). Two entries to a store.
	movaps	pages, %xmm0
	movaps	step, %xmm1
	mov	$PDIR, %edi
1:	movaps	%xmm0, (%edi)
	paddd	%xmm1, %xmm0
	movaps	%xmm0, 16(%edi)
	paddd	%xmm1, %xmm0
	movaps	%xmm0, 32(%edi)
	paddd	%xmm1, %xmm0
	movaps	%xmm0, 48(%edi)
	paddd	%xmm1, %xmm0
	add	$64, %edi
	cmp	$PDIR+0x1000, %edi
	jb	1b

	longmode
	lgdt	gdtr
	ljmp	$0x08, $long

# Says so on the UART at COM1 and resets the machine. EDI = KiB of RAM. No stack: ESP is the return address.
toosmall:
	mov	$has, %esi
	mov	$1f, %esp
	jmp	puts
1:	mov	%edi, %eax
	mov	$2f, %esp
	jmp	putn
2:	mov	$needs, %esi
	mov	$3f, %esp
	jmp	puts
3:	mov	TABLE+0x28, %eax
	shr	$10, %eax
	mov	$4f, %esp
	jmp	putn
4:	mov	$kib, %esi
	mov	$5f, %esp
	jmp	puts
5:	mov	$0xfe, %al		# the keyboard controller's reset line
	out	%al, $0x64
	lidt	none			# and, where there is none, a triple fault
	int3
6:	hlt
	jmp	6b

# puts writes the string at ESI, putn the number in EAX; both go on at ESP.
puts:
	lodsb
	test	%al, %al
	jnz	1f
	jmp	*%esp
1:	mov	%al, %bl
	mov	$puts, %ebp
	jmp	putc
putn:
	mov	$1000000000, %ecx	# decimal places from the left; leading zeroes left out by BH
	xor	%ebx, %ebx
1:	xor	%edx, %edx
	div	%ecx
	mov	%edx, %edi
	or	%al, %bh
	cmp	$1, %ecx
	je	2f
	test	%bh, %bh
	jz	3f
2:	mov	%al, %bl
	add	$'0', %bl
	mov	$3f, %ebp
	jmp	putc
3:	mov	%ecx, %eax
	xor	%edx, %edx
	mov	$10, %ecx
	div	%ecx
	mov	%eax, %ecx
	mov	%edi, %eax
	test	%ecx, %ecx
	jnz	1b
	jmp	*%esp
putc:	# BL, on at EBP
	mov	$0x3fd, %dx
1:	in	%dx, %al
	test	$0x20, %al
	jz	1b
	mov	$0x3f8, %dx
	mov	%bl, %al
	out	%al, %dx
	jmp	*%ebp
has:	.asciz	"hardtack: this machine has "
needs:	.asciz	" KiB of memory; the image needs more than "
kib:	.asciz	" KiB\n"
none:	.word	0
	.long	0

	.code64
long:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	movabs	$STACK, %rsp
	mov	%ebp, %edi		# hvm_start_info, physical
	mov	$TABLE, %esi		# image table, physical
	mov	TABLE+8, %rax		# Go entry point
	jmp	*%rax

	.align	16
pages:	.long	0x000083, 0, 0x200083, 0
step:	.long	0x400000, 0, 0x400000, 0
gdt:	.quad	0
	.quad	0x00af9b000000ffff	# 0x08: 64-bit code
	.quad	0x00cf93000000ffff	# 0x10: data
	.quad	0x00cf9b000000ffff	# 0x18: 32-bit code, for the application processors
gdtr:	.word	31
	.long	gdt, 0			# LGDT reads 8 bytes of address in 64-bit mode

# What an application processor runs: copied to physical 0x8000, which is also its start-up vector
# (SDM vol. 3, 8.4.4). Real mode, CS:IP = 0x0800:0. The mailbox is filled by whoever starts it.
	.set AP, 0x8000
	.org	0x400
	.code16
ap:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	%ds:(apgdtr - ap)
	mov	$0x11, %eax		# CR0: PE, ET
	mov	%eax, %cr0
	ljmpl	$0x18, $(AP + ap32 - ap)
	.code32
ap32:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	longmode
	ljmp	$0x08, $(AP + ap64 - ap)
	.code64
ap64:
	mov	$0x10, %eax
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	# Each processor takes the next ticket; processors start in no particular order.
	mov	$1, %eax
	lock xadd %eax, AP + mailbox - ap
	mov	AP + mailbox - ap + 16, %rdi	# array of {stack, argument}
	shl	$4, %rax
	add	%rax, %rdi
	mov	(%rdi), %rsp
	mov	8(%rdi), %rdi
	mov	AP + mailbox - ap + 8, %rax	# where to go
	jmp	*%rax
	.align	8
apgdtr:	.word	31
	.long	gdt
	.org	0x4e0
mailbox: # +0 next ticket (u32), +8 entry point, +16 address of the array
	.quad	0, 0, 0
	.org	0x500

# The 64-bit entry of the Linux boot protocol (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol"): RSI = boot_params,
# below 4 GiB, mapped 1:1 as this code is. It is the ELF header's entry point, which loaders without PVH jump to.
linux64:
	cli
	lgdt	gdtr
	ljmp	*far32
	.code32
1:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%cr0, %eax
	btr	$31, %eax		# PG: leaves long mode (SDM vol. 3, 10.8.5.4)
	mov	%eax, %cr0
	mov	$0xc0000080, %ecx	# EFER: LME off
	rdmsr
	btr	$8, %eax
	wrmsr
	jmp	linux32
	.align	4
far32:	.long	1b
	.word	0x18

# The 32-bit entry (boot.rst, "32-bit Boot Protocol"): ESI = boot_params, flat segments, paging and interrupts off. The loaders
# of this folder end here. What boot_params says is told in PVH's words, and PVH's entry goes on.
	.org	0x540
linux32:
	cli
	cld
	mov	%esi, %ebp
	mov	$INFO, %edi
	xor	%eax, %eax
	mov	$14, %ecx		# hvm_start_info has 56 bytes
	rep stosl
	# screen_info, 64 bytes, for an image that has the console on a screen: the protocol of PVH has no word for it.
	mov	$INFO + 0xefc, %edi
	mov	$0x43535448, %eax	# "HTSC"
	stosl
	mov	%ebp, %esi
	mov	$16, %ecx
	rep movsl
	mov	$INFO, %ebx
	movl	$0x336ec578, (%ebx)
	incl	4(%ebx)			# version 1
	mov	0x228(%ebp), %eax	# hdr.cmd_line_ptr
	mov	%eax, 24(%ebx)
	# The memory map: entries of 20 bytes at 0x2d0 become entries of 24, with the same types.
	movzbl	0x1e8(%ebp), %edx	# e820_entries
	cmp	$128, %edx		# as many as e820_table has
	jbe	1f
	mov	$128, %edx
1:	mov	%edx, 48(%ebx)
	mov	$INFO + 0x40, %edi
	mov	%edi, 40(%ebx)
	lea	0x2d0(%ebp), %esi
1:	sub	$1, %edx
	jb	2f
	mov	$5, %ecx
	rep movsl
	xor	%eax, %eax
	stosl
	jmp	1b
	# ACPI's root: from acpi_rsdp_addr; else from the EFI system table that efi_info names; else where a BIOS has it.
2:	mov	0x74(%ebp), %edx
	mov	0x70(%ebp), %eax
	mov	%eax, %ecx
	or	%edx, %ecx
	jnz	5f
	cmpl	$0x34364c45, 0x1c0(%ebp)	# efi_loader_signature, "EL64"
	jne	3f
	cmpl	$0, 0x1d8(%ebp)		# efi_systab_hi: beyond what this code reaches
	jne	3f
	mov	0x1c4(%ebp), %esi	# efi_systab
	cmpl	$0, 116(%esi)
	jne	3f
	mov	104(%esi), %ecx		# NumberOfTableEntries (UEFI 2.10, 4.3.1)
	mov	112(%esi), %eax		# ConfigurationTable: GUID, pointer
1:	sub	$1, %ecx
	jb	3f
	mov	%eax, %edi
	mov	$acpi20, %esi
	mov	%ecx, %edx
	mov	$4, %ecx
	repe cmpsl
	mov	%edx, %ecx
	lea	24(%eax), %eax
	jne	1b
	mov	-4(%eax), %edx
	mov	-8(%eax), %eax
	jmp	5f
	# ACPI 6.5, 5.2.5.1: on 16-byte boundaries in the first KiB of the EBDA, then from 0xe0000 to 0xfffff.
3:	movzwl	0x40e, %edi
	shl	$4, %edi
	lea	0x400(%edi), %edx
	rsdp
	mov	$0xe0000, %edi
	mov	$0x100000, %edx
	rsdp
	jmp	_start
4:	mov	%edi, %eax
	xor	%edx, %edx
5:	mov	%eax, 32(%ebx)
	mov	%edx, 36(%ebx)
	jmp	_start
acpi20:	.long	0x8868e871, 0x11d3e4f1, 0x800022bc, 0x81883cc7
many:	.asciz	"hardtack: the memory map has more than 64 entries: the others are left out\n"
	.org	0x740
