// Package amd64 holds what an image runs before Go on amd64, and the loaders that put it where it runs. Each is assembler
// source beside the bytes made of it; entry_test.go assembles them again and compares.
//
//   - entry.S: the entries of the PVH boot protocol (32 bits) and of Linux's (32 and 64 bits), and the 16-bit entry of
//     application processors. Part of each image.
//   - linux.S: what makes a bzImage of an image.
//   - efi.S: what makes a UEFI program of an image.
//   - mbr.S, cd.S, bios.S: the loader of disks and CDs under a BIOS; say.S is what it says.
//   - vga.S: how they have VGA's text mode, and tell of it. Included by them, and by linux.S.
//   - hash.S: the hash by which loaders know that an image is whole. Included by them.
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

// EFI is what stands before the image in a UEFI program; efi.S says which fields are still to be filled in.
//
//go:embed efi.bin
var EFI []byte

// MBR and CD bring BIOS, the loader, into memory: from a disk and from a CD. Fields marked (*) in their sources are still to be
// filled in.
//
//go:embed mbr.bin
var MBR []byte

//go:embed cd.bin
var CD []byte

//go:embed bios.bin
var BIOS []byte

//go:generate sh -c "as --64 -o entry.o entry.S && ld -Ttext 0x100000 -o entry.elf entry.o && objcopy -O binary -j .text entry.elf entry.bin && rm entry.o entry.elf"
//go:generate sh -c "as --64 -o linux.o linux.S && ld -Ttext 0 -o linux.elf linux.o && objcopy -O binary -j .text linux.elf linux.bin && rm linux.o linux.elf"
//go:generate sh -c "as --64 -o efi.o efi.S && ld -Ttext 0 -o efi.elf efi.o && objcopy -O binary -j .text efi.elf efi.bin && rm efi.o efi.elf"
//go:generate sh -c "as --64 -o mbr.o mbr.S && ld -Ttext 0x7c00 -o mbr.elf mbr.o && objcopy -O binary -j .text mbr.elf mbr.bin && rm mbr.o mbr.elf"
//go:generate sh -c "as --64 -o cd.o cd.S && ld -Ttext 0x7c00 -o cd.elf cd.o && objcopy -O binary -j .text cd.elf cd.bin && rm cd.o cd.elf"
//go:generate sh -c "as --64 -o bios.o bios.S && ld -Ttext 0x2000 -o bios.elf bios.o && objcopy -O binary -j .text bios.elf bios.bin && rm bios.o bios.elf"
