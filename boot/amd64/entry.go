// Package amd64 holds what an image runs before Go on amd64: the 32-bit PVH entry and the 16-bit entry of application
// processors. Entry is entry.S assembled for physical address 0x100000; entry_test.go assembles it again and compares.
package amd64

import _ "embed"

// Entry is the boot segment's code, to be placed at physical Base; PVH entry is its first byte.
//
//go:embed entry.bin
var Entry []byte

// Base is the physical address that Entry is linked for, and the PVH entry point.
const Base = 0x100000

//go:generate sh -c "as --64 -o entry.o entry.S && ld -Ttext 0x100000 -o entry.elf entry.o && objcopy -O binary -j .text entry.elf entry.bin && rm entry.o entry.elf"
