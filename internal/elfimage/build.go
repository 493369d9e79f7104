package elfimage

import (
	"debug/elf"
	"errors"
	"fmt"
	"strings"
)

// Options says what goes into an image besides the program.
type Options struct {
	Boot    []byte  // the entry code, loaded at BootBase
	Cmdline string  // the baked command line; ARCHITECTURE.md has its syntax
	Record  *Record // stored as a note, if not nil
}

// Build returns the bootable image of a linked program.
func Build(in []byte, opts Options) ([]byte, error) {
	prog, err := checkProgram(in)
	if err != nil {
		return nil, err
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	notes, err := imageNotes(opts.Record)
	if err != nil {
		return nil, err
	}
	return assemble(in, prog, bootSegment(prog, opts), notes), nil
}

func (o Options) check() error {
	switch {
	case len(o.Boot) == 0:
		return errors.New("no boot code given")
	case len(o.Boot) > MaxBootCode:
		return fmt.Errorf("boot code of %d bytes; there is room for %d", len(o.Boot), MaxBootCode)
	case len(o.Cmdline) > MaxCmdline:
		return fmt.Errorf("arguments and environment of %d bytes to bake in; there is room for %d", len(o.Cmdline), MaxCmdline)
	case strings.ContainsRune(o.Cmdline, 0):
		return errors.New("arguments and environment must not contain a NUL byte")
	}
	return nil
}

// imageFilesz is how many bytes of a segment the image holds: where zeroed
// memory follows the file's bytes, up to the end of their last page, so that
// the entry code needs to clear whole pages only.
func (s Segment) imageFilesz() uint64 {
	if s.Memsz > s.Filesz {
		return pageUp(s.Filesz)
	}
	return s.Filesz
}

// LoadEnd returns the first physical address above everything that a loader
// would put in memory for the image of a linked program.
func LoadEnd(in []byte) (uint64, error) {
	prog, err := checkProgram(in)
	if err != nil {
		return 0, err
	}
	last := prog.segments[len(prog.segments)-1]
	return last.Vaddr + last.imageFilesz(), nil
}

// bootSegment lays out the entry code, the image table and the command line.
func bootSegment(prog *program, opts Options) []byte {
	b := make([]byte, cmdlineBase-BootBase)
	copy(b, opts.Boot)
	table := b[tableBase-BootBase:]
	le.PutUint64(table[tabMagic:], tableMagic)
	le.PutUint64(table[tabEntry:], prog.entry)
	le.PutUint64(table[tabSegments:], uint64(len(prog.segments)))
	for i, s := range prog.segments {
		rec := table[tabFirst+i*tabStride:]
		filesz := s.imageFilesz()
		le.PutUint64(rec[0:], s.Vaddr)
		le.PutUint64(rec[8:], filesz)
		le.PutUint64(rec[16:], max(s.Memsz, filesz))
		le.PutUint64(rec[24:], uint64(s.Flags&(elf.PF_R|elf.PF_W|elf.PF_X)))
		le.PutUint64(table[tabEnd:], max(le.Uint64(table[tabEnd:]), pageUp(s.Vaddr+filesz)))
	}
	if opts.Cmdline == "" {
		return b
	}
	le.PutUint64(table[tabCmdline:], cmdlineBase)
	le.PutUint64(table[tabCmdlineLen:], uint64(len(opts.Cmdline)))
	return append(append(b, opts.Cmdline...), 0)
}

// assemble writes the file: headers and notes, the boot segment, the program's
// segments, one behind the other.
//
// A program segment's memory size equals its file size here. A loader would
// have to clear the difference, tens of megabytes of which are never touched;
// the true size is in the image table, and the memory is given when it is used.
func assemble(in []byte, prog *program, boot, notes []byte) []byte {
	nph := 2 + len(prog.segments)
	notesOff := uint64(ehdrSize + nph*phdrSize)
	bootOff := alignUp(notesOff + uint64(len(notes)))

	out := appendEhdr(nil, nph)
	out = appendPhdr(out, elf.PT_NOTE, elf.PF_R, notesOff, 0, uint64(len(notes)), noteAlign)
	out = appendPhdr(out, elf.PT_LOAD, elf.PF_R|elf.PF_X, bootOff, BootBase, uint64(len(boot)), fileAlign)
	off := bootOff + alignUp(uint64(len(boot)))
	for _, s := range prog.segments {
		out = appendPhdr(out, elf.PT_LOAD, s.Flags, off, s.Vaddr, s.imageFilesz(), fileAlign)
		off += alignUp(s.imageFilesz())
	}
	out = append(out, notes...)

	file := make([]byte, off)
	copy(file, out)
	copy(file[bootOff:], boot)
	off = bootOff + alignUp(uint64(len(boot)))
	for _, s := range prog.segments {
		copy(file[off:], in[s.offset:s.offset+s.Filesz])
		off += alignUp(s.imageFilesz())
	}
	return file
}

func appendEhdr(b []byte, nph int) []byte {
	ident := [elf.EI_NIDENT]byte{
		elf.EI_CLASS:   byte(elf.ELFCLASS64),
		elf.EI_DATA:    byte(elf.ELFDATA2LSB),
		elf.EI_VERSION: byte(elf.EV_CURRENT),
	}
	copy(ident[:], elf.ELFMAG)
	b = append(b, ident[:]...)
	b = le.AppendUint16(b, uint16(elf.ET_EXEC))
	b = le.AppendUint16(b, uint16(elf.EM_X86_64))
	b = le.AppendUint32(b, uint32(elf.EV_CURRENT))
	b = le.AppendUint64(b, Linux64)  // entry; PVH loaders take the note's
	b = le.AppendUint64(b, ehdrSize) // program headers follow at once
	b = le.AppendUint64(b, 0)        // no sections
	b = le.AppendUint32(b, 0)        // flags
	for _, v := range []int{ehdrSize, phdrSize, nph, 0, 0, 0} {
		b = le.AppendUint16(b, uint16(v))
	}
	return b
}

func appendPhdr(b []byte, typ elf.ProgType, flags elf.ProgFlag, off, addr, size, align uint64) []byte {
	b = le.AppendUint32(b, uint32(typ))
	b = le.AppendUint32(b, uint32(flags))
	for _, v := range []uint64{off, addr, addr, size, size, align} {
		b = le.AppendUint64(b, v)
	}
	return b
}
