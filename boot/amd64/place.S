# How every loader of this folder ends, in 32-bit protected mode with paging off. Included by each; runs where start-up code of
# other processors will lie later, from PLACE on, which the loader has copied it to: all other memory may be the image's.
#
# The image is an ELF file of P bytes, anywhere. Its segments are copied to their addresses, which may overlap the file. So the file is
# first moved, as a whole, to end where its last segment will end. From there each segment goes down or stays, and the first ones first:
# what is overwritten has been read. (Segments follow one another in the file without much between them; mkimage refuses
# others.) This needs no memory that the image does not fill.
#
# In: ESI = boot_params (Documentation/arch/x86/boot.rst, "The Zero Page"), outside of what is loaded; EAX = the file, EDX = P.
# Flat segments in DS, ES and SS, interrupts off. Uses no stack.
	.set PLACE, 0x8000
	.set HEADERS, PLACE + 0x800
	.set LINUX32, 0x100540
	.code32
place:
	cld
	mov	%esi, %ebp
	mov	%eax, %esi
	add	$15, %edx
	and	$~15, %edx

	# The ELF header and the program headers behind it, which segments will overwrite.
	mov	%esi, %ebx
	mov	$HEADERS, %edi
	mov	$(64 + 10 * 56) / 4, %ecx
	rep movsl
	mov	%ebx, %esi

	# EBX = the end of the last segment, as loaded.
	movzwl	HEADERS + 56, %ecx	# e_phnum
	mov	$HEADERS + 64, %edi
	xor	%ebx, %ebx
1:	cmpl	$1, (%edi)		# PT_LOAD
	jne	2f
	mov	24(%edi), %eax		# p_paddr
	add	32(%edi), %eax		# p_filesz
	cmp	%eax, %ebx
	jae	2f
	mov	%eax, %ebx
2:	add	$56, %edi
	loop	1b
	add	$15, %ebx
	and	$~15, %ebx

	# Without memory there, only the boot segment is loaded: its code says how much there is and how much is needed.
	mov	-4(%ebx), %ecx
	mov	%ecx, %eax
	not	%eax
	mov	%eax, -4(%ebx)
	wbinvd				# or a cache would answer
	cmp	%eax, -4(%ebx)
	mov	%ecx, -4(%ebx)
	jne	4f

	sub	%edx, %ebx		# where the file goes
	mov	%edx, %ecx
	shr	$2, %ecx
	mov	%ebx, %edi
	cmp	%edi, %esi
	je	3f
	ja	1f
	lea	-4(%esi,%edx), %esi
	lea	-4(%edi,%edx), %edi
	std
1:	rep movsl
	cld
3:	movzwl	HEADERS + 56, %edx
	mov	$HEADERS + 64, %eax
1:	cmpl	$1, (%eax)
	jne	2f
	mov	8(%eax), %esi		# p_offset
	add	%ebx, %esi
	mov	24(%eax), %edi
	mov	32(%eax), %ecx
	add	$3, %ecx
	shr	$2, %ecx
	rep movsl
2:	add	$56, %eax
	dec	%edx
	jnz	1b
5:	mov	%ebp, %esi
	mov	$LINUX32, %eax
	jmp	*%eax

4:	mov	$HEADERS + 64, %eax
1:	cmpl	$1, (%eax)
	lea	56(%eax), %eax
	jne	1b
	add	8-56(%eax), %esi
	mov	24-56(%eax), %edi
	mov	32-56(%eax), %ecx
	rep movsb
	jmp	5b
place_end:
