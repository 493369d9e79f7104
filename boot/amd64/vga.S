# vga: in real mode, has VGA's text mode on, and tells so in screen_info (Linux, include/uapi/linux/screen_info.h) of the boot_params at P; nothing where there is no VGA
# (INT 10h, AX = 1A00h). Changes AX, BX. Included by the loaders that run under a BIOS.
	.macro vga p
	mov	$0x1a00, %ax
	int	$0x10
	cmp	$0x1a, %al
	jne	9f
	mov	$0x0f, %ah
	int	$0x10
	and	$0x7f, %al
	cmp	$3, %al
	je	8f
	mov	$3, %ax
	int	$0x10
8:	movw	$80 << 8 | 3, \p + 6	# orig_video_mode, orig_video_cols
	movw	$1 << 8 | 25, \p + 0xe	# orig_video_lines, orig_video_isVGA
9:	cld
	.endm
