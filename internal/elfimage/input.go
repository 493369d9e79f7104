package elfimage

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// A Segment is one loadable part of a program.
type Segment struct {
	Vaddr, Filesz, Memsz uint64
	Flags                elf.ProgFlag
	offset               uint64 // in the file it was read from
}

// ErrNotELF is returned for a file that is no ELF file at all.
var ErrNotELF = errors.New("not an ELF file")

// A program is a linked executable that passed every check Build makes.
type program struct {
	entry    uint64
	segments []Segment
}

// checkProgram reads the headers of a linked executable and refuses all that
// the entry code could not start.
func checkProgram(in []byte) (*program, error) {
	segs, hdr, err := readHeaders(in)
	if err != nil {
		return nil, err
	}
	if hdr.machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("built for %v; only GOARCH=amd64 can be booted", hdr.machine)
	}
	if hdr.typ != elf.ET_EXEC {
		return nil, fmt.Errorf("an ELF file of type %v; need a static executable (build without -buildmode and with CGO_ENABLED=0)", hdr.typ)
	}
	if hdr.interp {
		return nil, errors.New("dynamically linked; need a static executable (build with CGO_ENABLED=0)")
	}
	if len(segs) == 0 {
		return nil, errors.New("has no loadable segment")
	}
	if len(segs) > MaxSegments {
		return nil, fmt.Errorf("has %d loadable segments; an image holds at most %d", len(segs), MaxSegments)
	}
	if err := checkSegments(in, segs); err != nil {
		return nil, err
	}
	p := &program{entry: hdr.entry, segments: segs}
	for _, s := range segs {
		if s.Flags&elf.PF_X != 0 && s.Vaddr <= p.entry && p.entry-s.Vaddr < s.Filesz {
			return p, nil
		}
	}
	return nil, fmt.Errorf("entry point %#x is in no executable segment", p.entry)
}

// checkSegments refuses segments that are cut off, unaligned, out of reach, or
// overlap each other or the boot segment.
func checkSegments(in []byte, segs []Segment) error {
	end := uint64(BootEnd)
	for i, s := range segs {
		switch {
		case s.offset > uint64(len(in)) || s.Filesz > uint64(len(in))-s.offset:
			return fmt.Errorf("segment %d is cut off: %#x bytes at %#x in a file of %#x", i, s.Filesz, s.offset, len(in))
		case s.Filesz > s.Memsz:
			return fmt.Errorf("segment %d has %#x bytes in the file but only %#x in memory", i, s.Filesz, s.Memsz)
		case s.Vaddr%pageSize != 0:
			return fmt.Errorf("segment %d starts at %#x, which is not a page boundary", i, s.Vaddr)
		case s.Vaddr >= maxAddr || s.Memsz > maxAddr-s.Vaddr:
			return fmt.Errorf("segment %d ends above 4 GiB", i)
		case s.Vaddr+s.Filesz > bootReach:
			return fmt.Errorf("segment %d is loaded above 1 GiB, which is all that is mapped when an image starts", i)
		case s.Vaddr < BootEnd:
			return fmt.Errorf("segment %d at %#x overlaps the boot segment, %#x to %#x", i, s.Vaddr, BootBase, BootEnd)
		case s.Vaddr < end:
			return fmt.Errorf("segment %d at %#x overlaps the one before it, which ends at %#x", i, s.Vaddr, end)
		}
		end = s.Vaddr + pageUp(s.Memsz)
	}
	return nil
}

// header is what an ELF file header tells that matters here.
type header struct {
	typ     elf.Type
	machine elf.Machine
	entry   uint64
	interp  bool // it asks for a dynamic loader
	notes   []span
}

// A span is a range of bytes of the file.
type span struct{ off, size uint64 }

// in returns the bytes of b in the span, or nil if it is cut off.
func (s span) in(b []byte) []byte {
	if s.off > uint64(len(b)) || s.size > uint64(len(b))-s.off {
		return nil
	}
	return b[s.off : s.off+s.size]
}

// readHeaders reads the file header and the program headers. It looks at
// nothing else: sections may be missing or wrong.
func readHeaders(b []byte) ([]Segment, *header, error) {
	if len(b) < ehdrSize || !bytes.HasPrefix(b, []byte(elf.ELFMAG)) {
		return nil, nil, ErrNotELF
	}
	if elf.Class(b[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(b[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, nil, errors.New("not a 64-bit little-endian ELF file")
	}
	h := &header{
		typ:     elf.Type(le.Uint16(b[16:])),
		machine: elf.Machine(le.Uint16(b[18:])),
		entry:   le.Uint64(b[24:]),
	}
	phoff, phentsize, phnum := le.Uint64(b[32:]), uint64(le.Uint16(b[54:])), uint64(le.Uint16(b[56:]))
	if phnum > 0 && phentsize != phdrSize {
		return nil, nil, fmt.Errorf("program headers of %d bytes; ELF64 has %d", phentsize, phdrSize)
	}
	table := span{phoff, phnum * phdrSize}.in(b)
	if table == nil {
		return nil, nil, errors.New("program headers are cut off")
	}
	var segs []Segment
	for ; len(table) > 0; table = table[phdrSize:] {
		off, size := le.Uint64(table[8:]), le.Uint64(table[32:])
		switch elf.ProgType(le.Uint32(table)) {
		case elf.PT_INTERP:
			h.interp = true
		case elf.PT_NOTE:
			h.notes = append(h.notes, span{off, size})
		case elf.PT_LOAD:
			segs = append(segs, Segment{
				Vaddr:  le.Uint64(table[16:]),
				Filesz: size,
				Memsz:  le.Uint64(table[40:]),
				Flags:  elf.ProgFlag(le.Uint32(table[4:])),
				offset: off,
			})
		}
	}
	return segs, h, nil
}
