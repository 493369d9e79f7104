package elfimage

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
)

// An Image is what an image file tells about itself.
type Image struct {
	Segments []Segment // the program's, with the sizes they have in memory
	BootSize uint64    // bytes of the boot segment in the file
	Size     uint64    // bytes the file must have to be whole
	GoEntry  uint64    // where the entry code jumps
	Entry    uint64    // that of the ELF header
	PVHEntry uint64    // physical address of the entry code, 0 if the file has no PVH note
	Cmdline  string
	Record   *Record          // nil if the image holds none
	Build    *debug.BuildInfo // nil if the program's build information cannot be read
}

// ErrNotImage is returned for an ELF file that Build has not made.
var ErrNotImage = errors.New("an ELF file, but not one that mkimage built")

// Read reads an image back.
func Read(b []byte) (*Image, error) {
	img, err := ReadHead(b)
	if err != nil {
		return nil, err
	}
	if img.Size > uint64(len(b)) {
		return nil, fmt.Errorf("cut off: %d of %d bytes are there", len(b), img.Size)
	}
	if bi, err := buildinfo.Read(bytes.NewReader(b)); err == nil {
		img.Build = bi
	}
	return img, nil
}

// ReadHead reads an image of which only the beginning is given, at least up to
// the end of the boot segment. It does not fill in Build.
func ReadHead(b []byte) (*Image, error) {
	loads, h, err := readHeaders(b)
	if err != nil {
		return nil, err
	}
	if len(loads) == 0 || loads[0].Vaddr != BootBase {
		return nil, ErrNotImage
	}
	img := &Image{BootSize: loads[0].Filesz, Entry: h.entry}
	for _, s := range loads {
		if s.offset > 1<<62 || s.Filesz > 1<<62 {
			return nil, ErrNotImage
		}
		img.Size = max(img.Size, s.offset+alignUp(s.Filesz))
	}
	if err := img.readNotes(b, h.notes); err != nil {
		return nil, err
	}
	boot := span{loads[0].offset, loads[0].Filesz}.in(b)
	if err := img.readTable(boot); err != nil {
		return nil, err
	}
	return img, nil
}

func (img *Image) readNotes(b []byte, notes []span) error {
	for _, n := range notes {
		notes := n.in(b)
		if desc, ok := findNote(notes, xenNote, xenPhys32Entry); ok && len(desc) >= 4 {
			img.PVHEntry = uint64(le.Uint32(desc))
		}
		if desc, ok := findNote(notes, hardtackNote, hardtackRecord); ok {
			img.Record = new(Record)
			if err := json.Unmarshal(desc, img.Record); err != nil {
				return fmt.Errorf("the image's record: %w", err)
			}
		}
	}
	return nil
}

func (img *Image) readTable(boot []byte) error {
	if len(boot) < cmdlineBase-BootBase {
		return ErrNotImage
	}
	table := boot[tableBase-BootBase:]
	n := le.Uint64(table[tabSegments:])
	if le.Uint64(table[tabMagic:]) != tableMagic || n > MaxSegments {
		return ErrNotImage
	}
	img.GoEntry = le.Uint64(table[tabEntry:])
	for i := range n {
		rec := table[tabFirst+i*tabStride:]
		img.Segments = append(img.Segments, Segment{
			Vaddr:  le.Uint64(rec[0:]),
			Filesz: le.Uint64(rec[8:]),
			Memsz:  le.Uint64(rec[16:]),
			Flags:  elf.ProgFlag(le.Uint64(rec[24:])),
		})
	}
	addr, size := le.Uint64(table[tabCmdline:]), le.Uint64(table[tabCmdlineLen:])
	if addr == 0 {
		return nil
	}
	if addr < BootBase {
		return ErrNotImage
	}
	text := span{addr - BootBase, size}.in(boot)
	if text == nil {
		return ErrNotImage
	}
	img.Cmdline = string(text)
	return nil
}

// LoadEnd returns the first physical address above everything that a loader
// puts in memory: a machine must have more than that.
func (img *Image) LoadEnd() uint64 {
	end := uint64(BootEnd)
	for _, s := range img.Segments {
		end = max(end, s.Vaddr+s.Filesz)
	}
	return end
}

// Protocols names the boot protocols the image can be started by.
func (img *Image) Protocols() []string {
	var all []string
	if img.PVHEntry != 0 {
		all = append(all, "PVH")
	}
	if img.Entry == Linux64 {
		all = append(all, "Linux (64-bit)")
	}
	return all
}

// Perm returns the segment's permissions as "r-x".
func (s Segment) Perm() string {
	p := []byte("---")
	for i, f := range []elf.ProgFlag{elf.PF_R, elf.PF_W, elf.PF_X} {
		if s.Flags&f != 0 {
			p[i] = "rwx"[i]
		}
	}
	return string(p)
}
