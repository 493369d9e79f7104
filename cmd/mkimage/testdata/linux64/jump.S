# A boot loader of the 64-bit Linux boot protocol, for TestLinux64: QEMU starts it by PVH, and has put the kernel where it belongs. It makes
# boot_params of what PVH tells (memory map, command line; the RSDP is for the kernel to find), and jumps to TARGET. It puts boot_params at PARAMS and the command line at
# LINE, where these are not 0. Before the memory map it puts as many entries of its own as EXTRA says, of reserved addresses far above all memory.
	.section .note, "a"
	.long	4, 4, 18		# XEN_ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	_start
	.text
	.code32
	.globl _start
_start:
	cli
	cld
	mov	%ebx, %ebp
	mov	$params, %edi
	xor	%eax, %eax
	mov	$1024, %ecx
	rep stosl
	mov	24(%ebp), %eax
	mov	%eax, params + 0x228
	mov	40(%ebp), %esi
	mov	48(%ebp), %edx
	lea	EXTRA(%edx), %eax
	mov	%al, params + 0x1e8
	mov	$params + 0x2d0, %edi
	.if	EXTRA
	mov	$EXTRA, %eax
2:	movl	$0, (%edi)
	mov	%eax, 4(%edi)		# at as many times 4 GiB, and 16 TiB
	orl	$0x1000, 4(%edi)
	movl	$0x1000, 8(%edi)
	movl	$2, 16(%edi)		# reserved
	add	$20, %edi
	dec	%eax
	jnz	2b
	.endif
1:	mov	$5, %ecx
	rep movsl
	add	$4, %esi
	dec	%edx
	jnz	1b
	# Page tables: 4 GiB in pages of 2 MiB, all mapped 1:1.
	mov	$pdir, %edi
	mov	$0x83, %eax
	mov	$2048, %ecx
1:	mov	%eax, (%edi)
	movl	$0, 4(%edi)
	add	$8, %edi
	add	$0x200000, %eax
	loop	1b
	movl	$pdpt + 3, pml4
	movl	$pdir + 0x0003, pdpt
	movl	$pdir + 0x1003, pdpt + 8
	movl	$pdir + 0x2003, pdpt + 16
	movl	$pdir + 0x3003, pdpt + 24
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$0x20, %eax
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x100, %eax
	wrmsr
	mov	%cr0, %eax
	or	$0x80000001, %eax
	mov	%eax, %cr0
	lgdt	gdtr
	ljmp	$0x10, $1f
	.code64
1:	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	.if	LINE
	mov	params + 0x228, %esi
	mov	$LINE, %edi
	mov	%edi, params + 0x228
	mov	$0x100, %ecx
	rep movsb
	.endif
	mov	$params, %esi
	.if	PARAMS
	mov	$PARAMS, %edi
	mov	$0x200, %ecx
	rep movsq
	mov	$PARAMS, %esi
	.endif
	mov	$TARGET, %eax
	jmp	*%rax
	.align	8
gdt:	.quad	0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:	.word	31
	.long	gdt
	.bss
	.align	4096
pml4:	.skip	4096
pdpt:	.skip	4096
pdir:	.skip	4 * 4096
params:	.skip	4096
