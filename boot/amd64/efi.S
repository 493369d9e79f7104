# What makes an image a UEFI program (UEFI 2.10, chapter 2.1.1; Microsoft PE/COFF specification): headers, and the code that leaves the
# firmware. The file is
#
#	0	headers, and at 0x400 a table of relocations, which is empty: this code does not care where it lies
#	0x800	this code, a page, which is loaded at 0x1000 from the beginning of all
#	0x1800	the image as ELF, as section .image, which is loaded at 0x3000: on a CD, it begins with a block there
#
# Fields marked (*) are filled in by mkimage, which appends the image. If there is none, the program is the loader of slots: files beside it, in the
# same FAT volume, whose state (libos/boot/slot/FORMAT.md) and places it knows by block numbers.
	.set IMAGE, 0x3000
	.set SHIFT, 0x800		# this code's address, as loaded, less its place in the file
	.set MAPMAX, 64			# entries of a memory map that the runtime keeps
	.include "hash.S"
	.code64
	.globl _start
_start:
	.ascii	"MZ"
	.org	0x3c
	.long	0x40			# e_lfanew

	.ascii	"PE\0\0"
	.word	0x8664			# Machine: x64
	.word	3			# NumberOfSections
	.long	0, 0, 0			# TimeDateStamp, PointerToSymbolTable, NumberOfSymbols
	.word	sections - optional	# SizeOfOptionalHeader
	.word	0x22			# Characteristics: EXECUTABLE_IMAGE, LARGE_ADDRESS_AWARE
optional:
	.word	0x20b			# Magic: PE32+
	.byte	0, 0			# linker version
	.long	0x1000			# SizeOfCode
	.long	0			# SizeOfInitializedData (*)
	.long	0			# SizeOfUninitializedData
	.long	main - _start + SHIFT	# AddressOfEntryPoint
	.long	0x1000			# BaseOfCode
	.quad	0			# ImageBase
	.long	0x1000			# SectionAlignment
	.long	0x200			# FileAlignment
	.word	0, 0, 0, 0, 0, 0	# versions of system, image, subsystem
	.long	0			# Win32VersionValue
size:	.long	0			# SizeOfImage (*)
	.long	0x400			# SizeOfHeaders
	.long	0			# CheckSum
	.word	10			# Subsystem: EFI application
	.word	0			# DllCharacteristics: not NX_COMPAT, since it runs what it copies into memory it allocated
	.quad	0x10000, 0x10000	# stack
	.quad	0x10000, 0x10000	# heap
	.long	0			# LoaderFlags
	.long	6			# NumberOfRvaAndSizes
	.quad	0, 0, 0, 0, 0
	.long	0x2000, 12		# base relocations
sections:
	.ascii	".text\0\0\0"
	.long	0x1000, 0x1000, 0x1000, 0x800, 0, 0
	.word	0, 0
	.long	0x60000020		# code, execute, read
	.ascii	".reloc\0\0"
	.long	12, 0x2000, 0x200, 0x400, 0, 0
	.word	0, 0
	.long	0x42000040		# initialised data, discardable, read
	.ascii	".image\0\0"
	.long	0, IMAGE, 0, 0x1800, 0, 0	# VirtualSize (*), , SizeOfRawData (*)
	.word	0, 0
	.long	0x40000040		# initialised data, read

	.org	0x400
	.long	0, 12			# one block, for page 0, of one entry and one that pads
	.word	0, 0

# Offsets in EFI_SYSTEM_TABLE (4.3.1), EFI_BOOT_SERVICES (4.4.1), EFI_LOADED_IMAGE_PROTOCOL (9.1.1), EFI_MEMORY_DESCRIPTOR (7.2.3).
	.set ConOut, 0x40
	.set RuntimeServices, 0x58
	.set BootServices, 0x60
	.set NumberOfTableEntries, 0x68
	.set ConfigurationTable, 0x70
	.set OutputString, 8
	.set AllocatePages, 0x28
	.set FreePages, 0x30
	.set GetMemoryMap, 0x38
	.set HandleProtocol, 0x98
	.set ExitBootServices, 0xe8
	.set LocateProtocol, 0x140
	.set ResetSystem, 0x68		# of EFI_RUNTIME_SERVICES (4.5.1)
	.set DeviceHandle, 0x18
	.set LoadOptionsSize, 0x30
	.set LoadOptions, 0x38
	.set Media, 8			# of EFI_BLOCK_IO_PROTOCOL (13.9.1), and in what it points to MediaId, 0, and
	.set BlockSize, 12
	.set ReadBlocks, 0x18
	.set WriteBlocks, 0x20
	.set FlushBlocks, 0x28
	.set AllocateAnyPages, 0
	.set AllocateMaxAddress, 1
	.set AllocateAddress, 2
	.set EfiLoaderCode, 1
	.set EfiLoaderData, 2
	.set EFI_LOAD_ERROR, 0x8000000000000001

# This code's variables, below RBP. The firmware may map what it loads read-only.
	.set handle, -8
	.set system, -16
	.set services, -24
	.set low, -32			# address of four pages below 1 MiB: boot_params, command line, code and stack
	.set map, -40
	.set mapsize, -48
	.set mapkey, -56
	.set descsize, -64
	.set descver, -72
	.set tmp, -80
	.set owned, -192		# seven times address and pages, of what was claimed; the last ones are both copies of the state
	.set copies, -96
	.set ilength, -208		# the image: its fields
	.set ihash, -204
	.set ifirst, -200
	.set ilast, -196
	.set source, -216		# and where it is
	.set blocks, -224		# EFI_BLOCK_IO_PROTOCOL
	.set state, -232		# the newer copy; 0: there are no slots
	.set which, -236		# which one it is
	.set slot, -240
	.set skip, -244			# a bit for each slot that could not be loaded
	.set variables, -248

# services NAME: calls a boot service (Microsoft's convention, 2.3.4.1). RAX = its status.
	.macro service name
	mov	services(%rbp), %rax
	call	*\name(%rax)
	.endm

# Claims R8 pages, as the N-th of those that fail gives back, at or below an address; or goes to fail.
	.macro claim n, how, kind, addr
	movq	\addr, tmp(%rbp)
	mov	%r8, owned + 16 * \n + 8(%rbp)
	mov	$\how, %ecx
	mov	$\kind, %edx
	lea	tmp(%rbp), %r9
	service	AllocatePages
	lea	taken(%rip), %rsi
	test	%rax, %rax
	jnz	fail
	mov	tmp(%rbp), %rax
	mov	%rax, owned + 16 * \n(%rbp)
	.endm

# RCX = our handle, RDX = the system table.
	.org	0x800
main:
	push	%rbp
	mov	%rsp, %rbp
	push	%rbx
	push	%rsi
	push	%rdi
	sub	$0x128, %rsp		# variables, arguments and 32 bytes below them; RSP is 16-byte aligned
	sub	$0x18, %rbp		# the registers pushed lie above
	cld
	mov	%rcx, handle(%rbp)
	mov	%rdx, system(%rbp)
	mov	BootServices(%rdx), %rax
	mov	%rax, services(%rbp)
	lea	variables(%rbp), %rdi
	xor	%eax, %eax
	mov	$-variables / 8 - 3, %ecx	# up to services
	rep stosq

	mov	fields(%rip), %rax
	mov	fields+8(%rip), %rdx
	mov	%rax, ilength(%rbp)
	mov	%rdx, ifirst(%rbp)
	lea	_start + IMAGE - SHIFT(%rip), %rdx
	mov	%rdx, source(%rbp)
	test	%eax, %eax
	jnz	check

	# Both copies of the slots' state, from the disk that this program was read from. One that cannot be read is none.
	mov	handle(%rbp), %rcx
	lea	loadedimage(%rip), %rdx
	lea	tmp(%rbp), %r8
	service	HandleProtocol
	lea	noread(%rip), %rsi
	test	%rax, %rax
	jnz	fail
	mov	tmp(%rbp), %rax
	mov	DeviceHandle(%rax), %rcx
	lea	blockio(%rip), %rdx
	lea	blocks(%rbp), %r8
	service	HandleProtocol
	test	%rax, %rax
	jnz	fail
	mov	blocks(%rbp), %rax
	mov	Media(%rax), %rax
	lea	sectors(%rip), %rsi
	cmpl	$512, BlockSize(%rax)
	jne	fail
	mov	$2, %r8d
	claim	6, AllocateAnyPages, EfiLoaderData, $0
	mov	%rax, %rbx
	mov	%rax, %r9
	mov	stateblock(%rip), %edx
	call	readsector
	lea	0x1000(%rbx), %r9
	mov	stateblock(%rip), %edx
	add	$8, %edx
	call	readsector
	movl	$-1, which(%rbp)
	mov	copies(%rbp), %rsi
	call	valid
	jne	1f
	movl	$0, which(%rbp)
1:	mov	copies(%rbp), %rsi
	add	$0x1000, %rsi
	call	valid
	jne	3f
	cmpl	$0, which(%rbp)
	jl	2f
	mov	copies(%rbp), %rsi
	mov	0x1008(%rsi), %eax	# sequence numbers, which may wrap
	sub	8(%rsi), %eax
	js	3f
2:	movl	$1, which(%rbp)
3:	mov	which(%rbp), %eax
	lea	nostate(%rip), %rsi
	test	%eax, %eax
	js	fail
	shl	$12, %eax
	add	copies(%rbp), %rax
	mov	%rax, state(%rbp)

	# The slot to load: the one that is wanted, else the other one; first those that work or have tries left, then any.
choose:	mov	state(%rbp), %rbx
	xor	%edx, %edx		# not 0: any
1:	mov	12(%rbx), %eax
	and	$1, %eax
	mov	$2, %ecx
2:	bt	%eax, skip(%rbp)
	jc	3f
	mov	%eax, %esi
	shl	$5, %esi
	lea	16(%rbx,%rsi), %rsi
	cmpl	$0, 16(%rsi)		# empty
	je	3f
	mov	(%rsi), %edi
	or	4(%rsi), %edi
	or	%edx, %edi
	jnz	4f
3:	xor	$1, %eax
	loop	2b
	inc	%edx
	cmp	$2, %edx
	jb	1b
	movq	$0, state(%rbp)
	lea	noslot(%rip), %rsi
	jmp	fail
4:	mov	%eax, slot(%rbp)
	mov	8(%rsi), %ebx		# its block number
	mov	16(%rsi), %rax
	mov	24(%rsi), %rdx
	mov	%rax, ilength(%rbp)
	mov	%rdx, ifirst(%rbp)
	lea	0xfff(%eax), %r8d
	shr	$12, %r8d
	claim	4, AllocateAnyPages, EfiLoaderData, $0
	mov	%rax, source(%rbp)
	mov	%rax, %r9
	mov	%ebx, %edx
	mov	ilength(%rbp), %r8d
	add	$511, %r8d
	and	$~511, %r8d
	mov	$ReadBlocks, %r10d
	call	transfer
	lea	noread(%rip), %rsi
	test	%rax, %rax
	jnz	fail

	# Is the image what mkimage wrote?
check:	mov	source(%rbp), %rsi
	mov	ilength(%rbp), %ecx
	call	sum
	lea	damaged(%rip), %rsi
	cmp	%eax, ihash(%rbp)
	jne	fail

	# What boot/amd64 uses on the way must be nobody's. The image waits anywhere in 32 bits: where it will lie the firmware may have
	# memory until it is left.
	mov	$1, %r8d
	claim	0, AllocateAddress, EfiLoaderData, $PLACE
	mov	$0x100, %r8d
	claim	1, AllocateAddress, EfiLoaderData, $0x100000
	mov	$4, %r8d
	claim	3, AllocateMaxAddress, EfiLoaderCode, $0x9ffff
	mov	%rax, %rbx
	mov	%rbx, low(%rbp)
	mov	ilength(%rbp), %r8d
	add	$0xfff, %r8d
	shr	$12, %r8d
	claim	2, AllocateMaxAddress, EfiLoaderData, $0x7fffffff

	mov	source(%rbp), %rsi
	mov	owned + 16 * 2(%rbp), %rdi
	mov	ilength(%rbp), %ecx
	shr	$3, %ecx
	rep movsq
	lea	place(%rip), %rsi
	mov	$PLACE, %edi
	mov	$place_end - place, %ecx
	rep movsb
	lea	leave(%rip), %rsi
	lea	0x2000(%rbx), %rdi
	mov	$leave_end - leave, %ecx
	rep movsb

	# boot_params: nothing but the command line, the RSDP and the memory map.
	mov	%rbx, %rdi
	xor	%eax, %eax
	mov	$0x2000 / 8, %ecx
	rep stosq
	lea	0x1000(%rbx), %eax
	mov	%eax, 0x228(%rbx)	# hdr.cmd_line_ptr

	# One try less, in the copy that is older, before it begins.
	lea	0x1000(%rbx), %rdi
	mov	state(%rbp), %rsi
	test	%rsi, %rsi
	jz	3f
	mov	slot(%rbp), %eax
	mov	%eax, %ecx
	shl	$5, %ecx
	lea	16(%rsi,%rcx), %rcx
	cmpl	$0, 4(%rcx)		# works
	jne	1f
	cmpl	$0, (%rcx)		# has none left
	je	1f
	decl	(%rcx)
	incl	8(%rsi)
	push	%rbx
	push	%rbx
	mov	$496, %ecx
	call	sum
	pop	%rbx
	pop	%rbx
	mov	state(%rbp), %r9
	mov	%eax, 496(%r9)
	mov	which(%rbp), %edx
	xor	$1, %edx
	shl	$3, %edx
	add	stateblock(%rip), %edx
	mov	$512, %r8d
	mov	$WriteBlocks, %r10d
	call	transfer
	test	%rax, %rax
	jnz	5f
	mov	blocks(%rbp), %rcx
	call	*FlushBlocks(%rcx)
	test	%rax, %rax
	jz	1f
5:	mov	system(%rbp), %rax
	mov	ConOut(%rax), %rcx
	lea	nowrite(%rip), %rdx
	call	*OutputString(%rcx)
1:	lea	0x1000(%rbx), %rdi
	lea	text(%rip), %rsi
2:	lodsb
	stosb
	test	%al, %al
	jnz	2b
	mov	slot(%rbp), %eax
	add	%al, 0x1005(%rbx)	# slot=A
	movb	$' ', -1(%rdi)
3:	mov	%rdi, source(%rbp)

	# LoadOptions is text in UCS-2, if it is text: what a boot manager passes.
	mov	handle(%rbp), %rcx
	lea	loadedimage(%rip), %rdx
	lea	tmp(%rbp), %r8
	service	HandleProtocol
	test	%rax, %rax
	jnz	3f
	mov	tmp(%rbp), %rax
	mov	LoadOptions(%rax), %rsi
	mov	LoadOptionsSize(%rax), %ecx
	shr	$1, %ecx
	cmp	$4095 - 64, %ecx
	ja	3f
	mov	source(%rbp), %rdi
1:	sub	$1, %ecx
	jb	3f
	lodsw
	test	%ax, %ax
	jz	3f
	cmp	$' ', %ax
	jb	2f
	cmp	$'~', %ax
	ja	2f
	stosb
	jmp	1b
2:	movb	$0, (%rdi)		# no text
	mov	source(%rbp), %rdi
	movb	$0, (%rdi)
3:
	# The screen (12.9), if its pixels have 32 bits: screen_info (Linux, include/uapi/linux/screen_info.h).
	lea	gop(%rip), %rcx
	xor	%edx, %edx
	lea	tmp(%rbp), %r8
	service	LocateProtocol
	test	%rax, %rax
	jnz	3f
	mov	tmp(%rbp), %rax
	mov	0x18(%rax), %rax	# Mode
	mov	8(%rax), %rcx		# Info
	cmpl	$1, 12(%rcx)		# PixelFormat: RGB or BGR
	ja	3f
	mov	0x18(%rax), %rdx	# FrameBufferBase
	mov	%edx, 0x18(%rbx)	# lfb_base, ext_lfb_base
	shr	$32, %rdx
	mov	%edx, 0x3a(%rbx)
	mov	4(%rcx), %eax
	mov	%ax, 0x12(%rbx)		# lfb_width
	mov	8(%rcx), %eax
	mov	%ax, 0x14(%rbx)		# lfb_height
	mov	32(%rcx), %eax		# PixelsPerScanLine
	shl	$2, %eax
	mov	%ax, 0x24(%rbx)		# lfb_linelength
	movw	$32, 0x16(%rbx)		# lfb_depth
	movb	$0x70, 0xf(%rbx)	# orig_video_isVGA: EFI
3:
	# The RSDP (4.6.1.1): ACPI 2.0's, or else 1.0's.
	mov	system(%rbp), %rdx
	mov	ConfigurationTable(%rdx), %rsi
	mov	NumberOfTableEntries(%rdx), %rcx
1:	sub	$1, %rcx
	jb	3f
	mov	(%rsi), %rax
	mov	8(%rsi), %rdi
	cmp	acpi20(%rip), %rax
	jne	2f
	cmp	acpi20+8(%rip), %rdi
	jne	2f
	mov	16(%rsi), %rax
	mov	%rax, 0x70(%rbx)	# acpi_rsdp_addr
	jmp	3f
2:	cmp	acpi10(%rip), %rax
	jne	2f
	cmp	acpi10+8(%rip), %rdi
	jne	2f
	mov	16(%rsi), %rax
	mov	%rax, 0x70(%rbx)
2:	add	$24, %rsi
	jmp	1b
3:
	# Room for the memory map and what getting the room adds to it. The room of a slot that was given up is not ours any more.
	andq	$0, mapsize(%rbp)
	call	getmap
	mov	mapsize(%rbp), %r8
	add	$0x2fff, %r8
	shr	$12, %r8
	claim	5, AllocateAnyPages, EfiLoaderData, $0
	mov	%rax, map(%rbp)
	mov	owned + 16 * 5 + 8(%rbp), %rax
	shl	$12, %rax
	mov	%rax, tmp(%rbp)
	mov	%rax, mapsize(%rbp)
	call	getmap
	lea	nomap(%rip), %rsi
	test	%rax, %rax
	jnz	fail

	# All memory that the image will lie in must be free once the firmware is left. R11 = bytes of it that are not known to be.
	mov	ifirst(%rbp), %r9d
	mov	ilast(%rbp), %r10d
	mov	%r10, %r11
	sub	%r9, %r11
	mov	map(%rbp), %rsi
	mov	mapsize(%rbp), %r8
	add	%rsi, %r8		# its end
	lea	types(%rip), %rdi
1:	cmp	%r8, %rsi
	jae	3f
	mov	(%rsi), %eax
	mov	8(%rsi), %rcx		# PhysicalStart
	mov	24(%rsi), %rdx		# NumberOfPages
	shl	$12, %rdx
	add	%rcx, %rdx
	add	descsize(%rbp), %rsi
	cmp	$15, %eax
	jae	1b
	cmpb	$1, (%rdi,%rax)		# RAM
	jne	1b
	cmp	%r9, %rcx
	cmovb	%r9, %rcx
	cmp	%r10, %rdx
	cmova	%r10, %rdx
	sub	%rcx, %rdx
	jbe	1b
	sub	%rdx, %r11
	jmp	1b
3:	lea	taken(%rip), %rsi
	test	%r11, %r11
	jnz	fail
	mov	$4, %edi		# the map may change until the firmware is left
1:	mov	tmp(%rbp), %rax
	mov	%rax, mapsize(%rbp)
	call	getmap
	test	%rax, %rax
	jnz	stuck
	mov	handle(%rbp), %rcx
	mov	mapkey(%rbp), %rdx
	service	ExitBootServices
	test	%rax, %rax
	jz	2f
	dec	%edi
	jnz	1b
	jmp	stuck
2:	cli

	# The map in e820's words, neighbours of a type joined: first all memory that is free, then the rest, of which as much is left out as
	# there is no room for: nobody takes what the map does not name. R11D = 1 the first time.
	lea	0x2d0(%rbx), %rdi	# e820_table
	lea	types(%rip), %r9
	mov	$1, %r11d
map1:	mov	map(%rbp), %rsi
	mov	mapsize(%rbp), %r8
	add	%rsi, %r8		# its end
1:	cmp	%r8, %rsi
	jae	4f
	mov	(%rsi), %eax
	cmp	$15, %eax
	jb	2f
	xor	%eax, %eax
2:	movzbl	(%r9,%rax), %eax
	mov	8(%rsi), %rcx		# PhysicalStart
	mov	24(%rsi), %rdx		# NumberOfPages
	shl	$12, %rdx
	add	descsize(%rbp), %rsi
	cmp	$1, %eax		# RAM
	sete	%r10b
	cmp	%r11b, %r10b
	jne	1b
	cmpb	$0, 0x1e8(%rbx)
	je	3f
	cmp	%eax, -4(%rdi)
	jne	3f
	mov	-20(%rdi), %r10
	add	-12(%rdi), %r10
	cmp	%rcx, %r10
	jne	3f
	add	%rdx, -12(%rdi)
	jmp	1b
3:	cmpb	$MAPMAX, 0x1e8(%rbx)
	je	4f
	mov	%rcx, (%rdi)
	mov	%rdx, 8(%rdi)
	mov	%eax, 16(%rdi)
	add	$20, %rdi
	incb	0x1e8(%rbx)
	jmp	1b
4:	dec	%r11d
	jz	map1

	# To the low pages, and to 32-bit mode.
	mov	%ebx, %esi
	mov	owned + 16 * 2(%rbp), %edi
	mov	ilength(%rbp), %r8d
	lea	0x3f00(%rbx), %rsp
	lea	gdt - leave + 0x2000(%rbx), %rax
	mov	%rax, gdtr - leave + 2 + 0x2000(%rbx)
	lgdt	gdtr - leave + 0x2000(%rbx)
	lea	leave32 - leave + 0x2000(%rbx), %rax
	push	$0x08
	push	%rax
	lea	leave - leave + 0x2000(%rbx), %rax
	jmp	*%rax

getmap:	sub	$0x38, %rsp		# fifth argument at 32
	lea	mapsize(%rbp), %rcx
	mov	map(%rbp), %rdx
	lea	mapkey(%rbp), %r8
	lea	descsize(%rbp), %r9
	lea	descver(%rbp), %rax
	mov	%rax, 32(%rsp)
	service	GetMemoryMap
	add	$0x38, %rsp
	ret

# RAX = the status of a function, R10, of EFI_BLOCK_IO_PROTOCOL: RDX = the block, R8 = bytes, R9 = memory.
transfer:
	sub	$0x38, %rsp		# fifth argument at 32
	mov	%r9, 32(%rsp)
	mov	%r8, %r9
	mov	%rdx, %r8
	mov	blocks(%rbp), %rcx
	mov	Media(%rcx), %rax
	mov	(%rax), %edx
	call	*(%rcx,%r10)
	add	$0x38, %rsp
	ret

# Reads block EDX to R9, and clears the first bytes where that fails.
readsector:
	push	%r9
	mov	$512, %r8d
	mov	$ReadBlocks, %r10d
	call	transfer
	pop	%r9
	test	%rax, %rax
	jz	1f
	movq	$0, (%r9)
1:	ret

# EAX = the hash of ECX bytes at RSI. Changes RBX, RSI and RDI, too.
sum:	push	%rbp
	push	%rcx
	xxh32	%rsi
	pop	%rbx
	pop	%rbp
	xxend
	ret

# Is the copy at RSI whole? ZF if so.
valid:	mov	magic(%rip), %rax
	cmp	%rax, (%rsi)
	jne	1f
	push	%rsi
	mov	$496, %ecx
	call	sum
	pop	%rsi
	cmp	%eax, 496(%rsi)
1:	ret

# Says the line at RSI and gives back what was claimed. Then the other slot is tried, if there are slots; else the firmware goes on.
fail:	mov	system(%rbp), %rax
	mov	ConOut(%rax), %rcx
	mov	%rsi, %rdx
	call	*OutputString(%rcx)
	mov	$6, %edi
	lea	owned(%rbp), %rsi
1:	call	free
	dec	%edi
	jnz	1b
	cmpq	$0, state(%rbp)
	je	2f
	mov	slot(%rbp), %eax
	bts	%eax, skip(%rbp)
	jmp	choose
2:	call	free
	mov	$EFI_LOAD_ERROR, %rax
	add	$0x18, %rbp
	lea	-0x18(%rbp), %rsp
	pop	%rdi
	pop	%rsi
	pop	%rbx
	pop	%rbp
	ret

free:	sub	$0x28, %rsp
	mov	(%rsi), %rcx
	mov	8(%rsi), %rdx
	movq	$0, (%rsi)
	add	$16, %rsi
	test	%rcx, %rcx
	jz	1f
	service	FreePages
1:	add	$0x28, %rsp
	ret

# The firmware does not let go. It has nothing more to give than memory, so there is no console (7.4.6): COM1 hears the line, and the machine is reset.
stuck:	lea	nomap(%rip), %rsi
1:	lodsw
	test	%al, %al
	jz	3f
	mov	%al, %bl
	mov	$0x3fd, %edx
	mov	$0x10000, %ecx		# there may be no UART
2:	in	%dx, %al
	test	$0x20, %al
	loopz	2b
	mov	$0x3f8, %edx
	mov	%bl, %al
	out	%al, %dx
	jmp	1b
3:	mov	system(%rbp), %rax
	mov	RuntimeServices(%rax), %rax
	xor	%ecx, %ecx		# EfiResetCold
	mov	$EFI_LOAD_ERROR, %rdx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	call	*ResetSystem(%rax)
4:	hlt
	jmp	4b

# Runs in low memory. ESI = boot_params, EDI = the image, R8D = its length.
leave:	mov	%r8d, %edx
	lretq
	.code32
leave32:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%cr0, %eax
	btr	$31, %eax		# PG: leaves long mode (SDM vol. 3, 10.8.5.4)
	mov	%eax, %cr0
	mov	%edx, %ebx
	mov	$0xc0000080, %ecx	# EFER: LME off
	rdmsr
	btr	$8, %eax
	wrmsr
	mov	%ebx, %edx
	mov	%edi, %eax
	mov	$PLACE, %ecx
	jmp	*%ecx
	.align	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
gdtr:	.word	23
	.quad	0
leave_end:

	.code32
	.include "place.S"
	.code64

	.align	8
acpi20:	.long	0x8868e871, 0x11d3e4f1, 0x800022bc, 0x81883cc7
acpi10:	.long	0xeb9d2d30, 0x11d32d88, 0x9000169a, 0x4dc13f27
loadedimage:
	.long	0x5b1b31a1, 0x11d29562, 0xa0003f8e, 0x3b7269c9
# e820's types of UEFI's (7.2.3; ACPI 6.5, 15.4): what boot services and loaders had is free.
types:	.byte	2, 1, 1, 1, 1, 2, 2, 1, 5, 3, 4, 2, 2, 2, 7
gop:	.long	0x9042a9de, 0x4a3823dc, 0xde7afb96, 0x6a5180d0
blockio: .long	0x964e5b21, 0x11d26459, 0xa000398e, 0x3b7269c9
magic:	.ascii	"HTSLOTS1"
	.align	2
damaged: .string16 "hardtack: the image is damaged\r\n"
taken:	.string16 "hardtack: the firmware keeps memory that the image needs\r\n"
nomap:	.string16 "hardtack: the firmware gives no memory map\r\n"
noread:	.string16 "hardtack: disk read error\r\n"
sectors: .string16 "hardtack: this disk has no sectors of 512 bytes\r\n"
nostate: .string16 "hardtack: the state of the slots is damaged\r\n"
noslot:	.string16 "hardtack: there is no slot left to boot\r\n"
nowrite: .string16 "hardtack: disk write error: the try is not counted\r\n"
	.org	0x17a0
text:	.skip	64			# (*) the word slot= of the command line, for slot A
	.org	0x17e8
stateblock:
	.long	0, 0			# (*) block number of the slots' state, in this program's partition
fields:	.long	0			# (*) length of the image; 0: there are slots
	.long	0			# (*) its XXH32
	.long	0			# (*) where place.S would move it: below the last by its length
	.long	0			# (*) end of the last segment, as loaded
	.org	0x1800
