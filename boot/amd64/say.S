# say: in real mode, writes the string at SI, which ends with 0, to the screen (INT 10h, AH = 0Eh) and to COM1, and a newline. Included by the BIOS loaders.
	.code16
say:	cld				# a BIOS may leave any direction
	lodsb
	test	%al, %al
	jz	3f
	mov	%al, %cl
	mov	$0x0e, %ah
	mov	$7, %bx
	int	$0x10
	mov	$0x3fd, %dx
	mov	$0x1000, %bx		# there may be no UART
1:	in	%dx, %al
	test	$0x20, %al
	jnz	2f
	dec	%bx
	jnz	1b
2:	mov	$0x3f8, %dx
	mov	%cl, %al
	out	%al, %dx
	jmp	say
3:	ret
