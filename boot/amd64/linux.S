# What makes an image a bzImage, for loaders that know Linux's boot protocol (Documentation/arch/x86/boot.rst; field names and offsets
# are from its chapters "The Real-Mode Kernel Header" and "Details of Header Fields"). The file is
#
#	0		this code: setup, then, from SETUP on, the beginning of the protected-mode part, which is loaded at 0x100000
#	SETUP + PM	the image as ELF: header field payload_offset names it
#
# Fields marked (*) are filled in by internal/elfimage, which appends the image.
	.set SETUP, 0x600		# two sectors behind the first one
	.set PM, 0x300
	.include "vga.S"
	.set PARAMS, 0x1000		# offset of boot_params in the real-mode segment: nothing of ours lies behind setup
	.code16
	.globl _start
_start:
	.org	0x1f1
	.byte	SETUP / 512 - 1		# setup_sects
	.word	1			# root_flags: read-only
	.long	0			# syssize (*)
	.word	0			# ram_size
	.word	0xffff			# vid_mode: normal
	.word	0			# root_dev
	.word	0xaa55			# boot_flag
	.byte	0xeb, setup - 1f	# jump
1:	.ascii	"HdrS"
	.word	0x020e			# version 2.14: the last that adds a field here
	.long	0			# realmode_swtch
	.word	0x1000			# start_sys_seg
	.word	version - 0x200		# kernel_version
	.byte	0			# type_of_loader
	.byte	1			# loadflags: LOADED_HIGH
	.word	0x8000			# setup_move_size
code32:	.long	0x100000		# code32_start
	.long	0, 0			# ramdisk_image, ramdisk_size
	.long	0			# bootsect_kludge
	.word	0			# heap_end_ptr
	.byte	0, 0			# ext_loader_ver, ext_loader_type
	.long	0			# cmd_line_ptr
	.long	0x7fffffff		# initrd_addr_max
	.long	0x100000		# kernel_alignment
	.byte	0			# relocatable_kernel: no, the image has its addresses
	.byte	20			# min_alignment, a power of two
	.word	1			# xloadflags: XLF_KERNEL_64
	.long	4095			# cmdline_size
	.long	0			# hardware_subarch
	.quad	0			# hardware_subarch_data
	.long	PM			# payload_offset
	.long	0			# payload_length (*)
	.quad	0			# setup_data
	.quad	0x100000		# pref_address
	.long	0			# init_size (*)
	.long	0			# handover_offset

# The real-mode entry: CS:IP = the header's segment + 0x20:0, DS = ES = SS = that segment, SP the loader's.
setup:
	cld
	mov	$PARAMS, %di
	xor	%ax, %ax
	mov	$0x800, %cx
	rep stosw
	mov	$0x1f1, %si		# the header's copy in boot_params
	mov	$PARAMS + 0x1f1, %di
	mov	$setup - 0x1f1, %cx
	rep movsb
	vga	PARAMS

	# The memory map (INT 15h, AX = E820h; ACPI 6.5, 15.1), to e820_table.
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
	cmpb	$128, PARAMS + 0x1e8
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
1:	cli
	xor	%ebx, %ebx
	mov	%ds, %bx
	shl	$4, %ebx
	lea	gdt(%ebx), %eax
	mov	%eax, gdtr + 2
	lgdtl	gdtr
	lea	PARAMS(%ebx), %esi
	mov	code32, %edi
	lea	1f(%ebx), %eax
	mov	%eax, far
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	*far
	.code32
1:	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%eax, %fs
	mov	%eax, %gs
	jmp	*%edi
	.align	8
gdt:	.quad	0, 0
	.quad	0x00cf9b000000ffff	# __BOOT_CS, 0x10
	.quad	0x00cf93000000ffff	# __BOOT_DS, 0x18
gdtr:	.word	31
	.long	0
far:	.long	0
	.word	0x10
version:
	.asciz	"Hardtack"

# The protected-mode part, at 0x100000. ESI = boot_params.
	.org	SETUP
	.set BASE, 0x100000 - SETUP	# labels plus this are addresses
pm32:
	cli
	cld
	mov	%esi, %ebp
	# Long mode (CPUID 8000_0001h, EDX bit 29; SDM vol. 2, CPUID)?
	mov	$0x80000000, %eax
	cpuid
	cmp	$0x80000001, %eax
	jb	1f
	mov	$0x80000001, %eax
	cpuid
	bt	$29, %edx
	jc	move
1:	mov	$BASE + nolong, %esi
	mov	$0xb8000, %edi		# the screen's first line, and COM1
2:	lodsb
	test	%al, %al
	jz	4f
	mov	%al, %bl
	mov	$7, %ah
	stosw
	mov	$0x3fd, %dx
	mov	$0x10000, %ecx		# there may be no UART
3:	in	%dx, %al
	test	$0x20, %al
	loopz	3b
	mov	$0x3f8, %dx
	mov	%bl, %al
	out	%al, %dx
	jmp	2b
4:	hlt
	jmp	4b
	# Does boot_params or the command line, of a page each, reach into the page from PLACE on? Then both are copied behind the image.
	.set below, PLACE - 0xfff
move:	mov	0x228(%ebp), %esi	# hdr.cmd_line_ptr
	lea	-below(%ebp), %eax
	cmp	$0x1fff, %eax
	jb	1f
	lea	-below(%esi), %eax
	cmp	$0x1fff, %eax
	jae	2f
1:	mov	BASE + spare, %edi
	mov	%edi, %ebx
	xchg	%ebp, %esi
	mov	$0x400, %ecx
	rep movsl
	mov	%ebp, %esi
	mov	%ebx, %ebp
	test	%esi, %esi		# no command line
	jz	2f
	mov	%edi, 0x228(%ebp)
	mov	$0x400, %ecx
	rep movsl
2:	mov	%ebp, %ebx
	mov	$BASE + place, %esi
	mov	$PLACE, %edi
	mov	$place_end - place, %ecx
	rep movsb
	mov	%ebx, %esi
	mov	$0x100000 + PM, %eax
	mov	BASE + length, %edx
	mov	$PLACE, %ecx
	jmp	*%ecx
nolong:	.asciz	"hardtack: this processor has no 64-bit mode\r\n"
	.include "place.S"

# 64-bit entry: RSI = boot_params. Back to 32-bit mode, and on as above.
	.org	SETUP + 0x200
	.code64
	cli
	lgdt	BASE + gdtr64
	ljmp	*(BASE + far64)
	.code32
1:	mov	$0x18, %eax
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
	jmp	pm32
	.align	8
gdt64:	.quad	0, 0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
gdtr64:	.word	31
	.quad	BASE + gdt64
far64:	.long	BASE + 1b
	.word	0x10
	.org	SETUP + PM - 16
length:	.long	0			# (*) of the image
spare:	.long	0			# (*) two pages behind the image, which init_size counts
	.org	SETUP + PM
