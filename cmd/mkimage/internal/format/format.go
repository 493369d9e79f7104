package format

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// A Source is what an image file is made from.
type Source struct {
	ELF  []byte // the image, as elfimage.Build returns it
	Name string // of the program
	Time time.Time
}

// A Format is a kind of file that an image can be written as.
type Format struct {
	Name     string
	Suffixes []string // of file names, the usual one first
	About    string   // what boots it

	// High says that the image has to be linked at HighBase: UEFI firmware keeps memory of its own below.
	High bool

	make func(Source) ([]byte, error)
}

// HighBase is where images of formats that UEFI loads are linked. OVMF keeps what has to survive sleep at 8 MiB; loaders of
// Linux take 16 MiB for the same reason.
const HighBase = 16 << 20

// Formats are all formats; the first one is what is built where nobody says anything.
var Formats = []Format{
	{Name: "elf", Suffixes: []string{".elf", ".image"}, About: "QEMU -kernel, Firecracker, Cloud Hypervisor (PVH; 64-bit Linux boot protocol)",
		make: func(s Source) ([]byte, error) { return s.ELF, nil }},
	{Name: "bzimage", Suffixes: []string{".bzimage", ".bzImage"}, About: "GRUB, iPXE, kexec, QEMU -kernel (Linux boot protocol)",
		make: func(s Source) ([]byte, error) { return bzImage(s.ELF) }},
}

// Find returns the format that is named, or else the one that a file's suffix names; a name without a suffix is an ELF's.
func Find(name, file string) (Format, error) {
	if name != "" {
		for _, f := range Formats {
			if f.Name == name {
				return f, nil
			}
		}
		return Format{}, fmt.Errorf("unknown format %q: have %s", name, names())
	}
	for _, f := range Formats {
		for _, s := range f.Suffixes {
			if strings.HasSuffix(file, s) && len(file) > len(s) {
				return f, nil
			}
		}
	}
	if ext := filepath.Ext(file); ext != "" && file[:len(file)-len(ext)] != "" {
		return Format{}, fmt.Errorf("%s: no format has the suffix %s: name one by --format (%s)", file, ext, names())
	}
	return Formats[0], nil
}

func names() string {
	var all []string
	for _, f := range Formats {
		all = append(all, f.Name)
	}
	return strings.Join(all, ", ")
}

// Make returns the file.
func (f Format) Make(s Source) ([]byte, error) {
	out, err := f.make(s)
	if err != nil {
		return nil, fmt.Errorf("as %s: %w", f.Name, err)
	}
	return out, nil
}
