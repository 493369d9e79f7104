// Package floor makes the smallest payload that QEMU can boot and that can be seen: it prints one line and ends
// QEMU. What it takes is the floor under every start time, the VMM's own part.
//
// floor.S is the source, floor.bin the bytes produced from it. After a change:
//
//	as --32 -o floor.o floor.S && ld -m elf_i386 -Ttext=0x100000 --oformat binary -o floor.bin floor.o
package floor

import (
	"bytes"
	"debug/elf"
	_ "embed"
	"encoding/binary"
	"os"
)

// Line is what the payload prints.
const Line = "floor"

// Entry is the physical address that the code is linked for and entered at.
const Entry = 0x100000

//go:embed floor.bin
var code []byte

// Write writes the payload to file as an ELF with a PVH entry.
func Write(file string) error { return os.WriteFile(file, image(code), 0o644) }

// image wraps code: an ELF header, two program headers, the note that names the entry, the code.
func image(code []byte) []byte {
	const headers = 64 + 2*56
	note := []uint32{4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */, binary.LittleEndian.Uint32([]byte("Xen\x00")), Entry}
	noteSize := uint64(binary.Size(note))
	size := uint64(len(code))
	var b bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident:     [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:      uint16(elf.ET_EXEC),
			Machine:   uint16(elf.EM_X86_64),
			Version:   uint32(elf.EV_CURRENT),
			Entry:     Entry,
			Phoff:     64,
			Ehsize:    64,
			Phentsize: 56,
			Phnum:     2,
		},
		elf.Prog64{Type: uint32(elf.PT_NOTE), Flags: uint32(elf.PF_R), Off: headers, Filesz: noteSize, Memsz: noteSize, Align: 4},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Off: headers + noteSize,
			Vaddr: Entry, Paddr: Entry, Filesz: size, Memsz: size, Align: 1},
		note,
		code,
	} {
		binary.Write(&b, binary.LittleEndian, part) // fixed-size values into memory: cannot fail
	}
	return b.Bytes()
}
