// Package symbol finds addresses in the ELF files that the bench boots: where a PVH kernel starts, and where a
// function of a Go program lies when the symbol table is gone (an image and a stripped program have none, but
// Go's own function table, which the runtime needs for tracebacks, is always there).
package symbol

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// physEntryNote is XEN_ELFNOTE_PHYS32_ENTRY (Xen, public/elfnote.h).
const physEntryNote = 18

// PVHEntry returns the physical address at which a VMM enters the kernel in file by the PVH boot ABI.
func PVHEntry(file string) (uint64, error) {
	f, err := elf.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		notes, err := io.ReadAll(p.Open())
		if err != nil {
			return 0, err
		}
		if entry, ok := physEntry(notes); ok {
			return entry, nil
		}
	}
	return 0, fmt.Errorf("%s has no PVH entry note (Xen, type %d): it is no kernel that QEMU can boot directly", file, physEntryNote)
}

// physEntry walks notes: three words (name size, descriptor size, type), name, descriptor, each padded to 4.
func physEntry(notes []byte) (uint64, bool) {
	le := binary.LittleEndian
	pad := func(n uint32) int { return int(n+3) &^ 3 }
	for len(notes) >= 12 {
		nameLen, descLen, typ := le.Uint32(notes), le.Uint32(notes[4:]), le.Uint32(notes[8:])
		notes = notes[12:]
		if pad(nameLen)+pad(descLen) > len(notes) {
			break
		}
		name, desc := notes[:nameLen], notes[pad(nameLen):][:descLen]
		if string(name) == "Xen\x00" && typ == physEntryNote {
			switch descLen {
			case 4:
				return uint64(le.Uint32(desc)), true
			case 8:
				return le.Uint64(desc), true
			}
		}
		notes = notes[pad(nameLen)+pad(descLen):]
	}
	return 0, false
}
