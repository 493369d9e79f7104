# XXH32 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md, "XXH32 algorithm"), with seed 0, of inputs whose length is a multiple of 16 and not 0: fast
# enough for loaders, in either mode, and good enough to tell damage. It is no defence against somebody who means harm.
#
# xxh32 P: P = ESI or RSI, the input; ECX = its length. Leaves a sum for xxend in EAX. Changes EBX, ECX, EDX, EDI, EBP, P.
	.set XXP1, 0x9e3779b1
	.set XXP2, 0x85ebca77
	.set XXP3, 0xc2b2ae3d
	.macro xxround off, v, p
	imul	$XXP2, \off(\p), %ebp
	add	%ebp, \v
	rol	$13, \v
	imul	$XXP1, \v, \v
	.endm
	.macro xxh32 p
	mov	$(XXP1 + XXP2) & 0xffffffff, %eax
	mov	$XXP2, %ebx
	xor	%edx, %edx
	mov	$-XXP1 & 0xffffffff, %edi
	shr	$4, %ecx
9:	xxround	0, %eax, \p
	xxround	4, %ebx, \p
	xxround	8, %edx, \p
	xxround	12, %edi, \p
	add	$16, \p
	dec	%ecx
	jnz	9b
	rol	$1, %eax
	rol	$7, %ebx
	rol	$12, %edx
	rol	$18, %edi
	add	%ebx, %eax
	add	%edx, %eax
	add	%edi, %eax
	.endm
# xxend: EAX = the sum that xxh32 leaves, EBX = the length. Afterwards EAX = the hash.
	.macro xxend
	add	%ebx, %eax
	mov	%eax, %ebx
	shr	$15, %ebx
	xor	%ebx, %eax
	imul	$XXP2, %eax, %eax
	mov	%eax, %ebx
	shr	$13, %ebx
	xor	%ebx, %eax
	imul	$XXP3, %eax, %eax
	mov	%eax, %ebx
	shr	$16, %ebx
	xor	%ebx, %eax
	.endm
