// Package amd64 holds what an image runs before Go on amd64, and the loaders that put it where it runs. Each is assembler
// source beside the bytes made of it; entry_test.go assembles them again and compares.
//
//   - entry.S: the entries of the PVH boot protocol (32 bits) and of Linux's (32 and 64 bits), and the 16-bit entry of
//     application processors. Part of each image.
//   - linux.S: what makes a bzImage of an image.
//   - place.S: how the loaders put the image's segments where they belong. Included by them.
package amd64

import _ "embed"

// Entry is the boot segment's code, to be placed at physical Base; PVH entry is its first byte.
//
//go:embed entry.bin
var Entry []byte

// Base is the physical address that Entry is linked for, and the PVH entry point.
const Base = 0x100000

// Linux64 is the entry point of the 64-bit Linux boot protocol.
const Linux64 = Base + 0x500

// Linux is what stands before the image in a bzImage; linux.S says which fields are still to be filled in.
//
//go:embed linux.bin
var Linux []byte

//go:generate sh -c "as --64 -o entry.o entry.S && ld -Ttext 0x100000 -o entry.elf entry.o && objcopy -O binary -j .text entry.elf entry.bin && rm entry.o entry.elf"
//go:generate sh -c "as --64 -o linux.o linux.S && ld -Ttext 0 -o linux.elf linux.o && objcopy -O binary -j .text linux.elf linux.bin && rm linux.o linux.elf"
