package elfimage

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Names and types of the notes in an image or in its input.
const (
	xenNote          = "Xen"
	xenPhys32Entry   = 18 // XEN_ELFNOTE_PHYS32_ENTRY
	hardtackNote     = "Hardtack"
	hardtackRecord   = 1
	goNote           = "Go"
	goBuildIDNote    = 4 // cmd/internal/buildid
	maxNoteNameBytes = 64
)

// A Record says how an image was made. Build stores it in the image as JSON in
// a note, so that inspect can tell what the stripped image itself no longer shows.
type Record struct {
	// Key identifies everything the image was made from. An image whose Key
	// is the wanted one need not be made again.
	Key string `json:"key"`

	Package string   `json:"package"`           // import path of the main package
	Modules []string `json:"modules,omitempty"` // libOS modules, by import path
	Groups  []Group  `json:"groups,omitempty"`  // bytes of each part of the program
	Memory  string   `json:"memory,omitempty"`  // configured memory, as written
	CPUs    int      `json:"cpus,omitempty"`    // configured number of CPUs
}

// A Group is a part of the program and its size in the image.
type Group struct {
	Name  string `json:"name"`
	Bytes uint64 `json:"bytes"`
}

// appendNote appends one ELF note.
func appendNote(b []byte, name string, typ uint32, desc []byte) []byte {
	b = le.AppendUint32(b, uint32(len(name)+1))
	b = le.AppendUint32(b, uint32(len(desc)))
	b = le.AppendUint32(b, typ)
	b = appendAligned(b, append([]byte(name), 0))
	return appendAligned(b, desc)
}

func appendAligned(b, data []byte) []byte {
	b = append(b, data...)
	for range -len(data) & (noteAlign - 1) {
		b = append(b, 0)
	}
	return b
}

// findNote returns the descriptor of a note among notes, and whether it is there.
func findNote(notes []byte, name string, typ uint32) ([]byte, bool) {
	for len(notes) >= 12 {
		namesz, descsz, t := uint64(le.Uint32(notes)), uint64(le.Uint32(notes[4:])), le.Uint32(notes[8:])
		notes = notes[12:]
		descOff := (namesz + noteAlign - 1) &^ (noteAlign - 1)
		if namesz > maxNoteNameBytes || descOff > uint64(len(notes)) || descsz > uint64(len(notes))-descOff {
			return nil, false
		}
		desc := notes[descOff : descOff+descsz]
		// The Go linker counts the padding of the name, so there may be several NULs.
		if t == typ && strings.TrimRight(string(notes[:namesz]), "\x00") == name {
			return desc, true
		}
		next := min(descOff+(descsz+noteAlign-1)&^(noteAlign-1), uint64(len(notes)))
		notes = notes[next:]
	}
	return nil, false
}

// imageNotes returns the contents of an image's note segment. The Xen note
// comes first and all are in one segment: loaders look at the first note they
// can read and at one note segment.
func imageNotes(rec *Record) ([]byte, error) {
	notes := appendNote(nil, xenNote, xenPhys32Entry, le.AppendUint32(nil, BootBase))
	if rec == nil {
		return notes, nil
	}
	desc, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("the image's record: %w", err)
	}
	return appendNote(notes, hardtackNote, hardtackRecord, desc), nil
}

// BuildID returns the Go build ID of a linked program, which names its exact
// content, or "" if it has none. The beginning of the file is enough.
func BuildID(b []byte) string {
	_, h, err := readHeaders(b)
	if err != nil {
		return ""
	}
	for _, n := range h.notes {
		if desc, ok := findNote(n.in(b), goNote, goBuildIDNote); ok {
			return string(desc)
		}
	}
	return ""
}
