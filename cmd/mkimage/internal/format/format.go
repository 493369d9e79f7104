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
	Data int64  // bytes of the disk's data partition, 0 for none
	Slot string // "A" or "B": which slot of a disk with two it is for; "": the disk has no slots

	DataID  [16]byte // the unique GUID of a data partition that is new; zero: one that is drawn from the image
	Files   []byte   // what is put into a partition of its own, for the image to read; nil: there is none
	FilesID [16]byte // that partition's unique GUID
}

// A Format is a kind of file that an image can be written as.
type Format struct {
	Name     string
	Suffixes []string // of file names, the usual one first
	About    string   // what boots it

	// Disk says that the file holds a disk, which may have slots.
	Disk bool

	// Screen says that machines which boot it have one.
	Screen bool

	// High says that the image has to be linked at HighBase: UEFI firmware keeps memory of its own below.
	High bool

	make func(Source) ([]byte, error)
}

// Names of formats that can be written to a disk itself.
const (
	Raw = "raw"
	ISO = "iso"
)

// HighBase is where images of formats that UEFI loads are linked. OVMF keeps what has to survive sleep at 8 MiB, and has
// unpacked itself from 9 MiB to 21 MiB.
const HighBase = 24 << 20

// Formats are all formats; the first one is what is built where nobody says anything.
var Formats = []Format{
	{Name: "elf", Suffixes: []string{".elf", ".image"}, About: "QEMU -kernel, Firecracker, Cloud Hypervisor (PVH; 64-bit Linux boot protocol)",
		make: func(s Source) ([]byte, error) { return s.ELF, nil }},
	{Name: "bzimage", Suffixes: []string{".bzimage", ".bzImage"}, About: "GRUB, iPXE, kexec, QEMU -kernel (Linux boot protocol)", Screen: true,
		make: func(s Source) ([]byte, error) { return bzImage(s.ELF) }},
	{Name: "efi", Suffixes: []string{".efi"}, About: "UEFI: as EFI/BOOT/BOOTX64.EFI, or from a boot manager", Screen: true, High: true,
		make: func(s Source) ([]byte, error) { return efi(s.ELF) }},
	{Name: ISO, Suffixes: []string{".iso"}, About: "a CD, and a stick that it is copied to: BIOS and UEFI", Screen: true, High: true, make: iso},
	{Name: Raw, Suffixes: []string{".img", ".raw"}, About: "a disk or stick: BIOS and UEFI", Disk: true, Screen: true, High: true, make: raw},
	{Name: "qcow2", Suffixes: []string{".qcow2"}, About: "the same disk for QEMU and clouds made of it", Disk: true, Screen: true, High: true,
		make: onDisk(func(d *disk, s Source) ([]byte, error) { return qcow2(d), nil })},
	{Name: "vmdk", Suffixes: []string{".vmdk"}, About: "the same disk for VMware, and for import at AWS", Disk: true, Screen: true, High: true,
		make: onDisk(func(d *disk, s Source) ([]byte, error) { return vmdk(d, s.ELF, isoName(s.Name)) })},
	{Name: "vhd", Suffixes: []string{".vhd"}, About: "the same disk for Azure and Hyper-V", Disk: true, Screen: true, High: true,
		make: onDisk(func(d *disk, s Source) ([]byte, error) { return vhd(d, s), nil })},
	{Name: "vdi", Suffixes: []string{".vdi"}, About: "the same disk for VirtualBox", Disk: true, Screen: true, High: true,
		make: onDisk(func(d *disk, s Source) ([]byte, error) { return vdi(d, s.ELF), nil })},
	{Name: "gce", Suffixes: []string{".tar.gz"}, About: "the same disk, of 1 GiB, for Google's cloud", Disk: true, Screen: true, High: true, make: gce},
	{Name: "ova", Suffixes: []string{".ova"}, About: "a machine with the same disk, for VMware and VirtualBox", Disk: true, Screen: true, High: true, make: ova},
}

// Find returns the format that is named, or else the one that a file's suffix names; a name without a suffix is an ELF's. One that is named must not be
// another than the suffix names: whoever opens the file goes by that. But .img, which is a raw disk's, is what disks of all formats are called.
func Find(name, file string) (Format, error) {
	says := bySuffix(file)
	if name != "" {
		for _, f := range Formats {
			switch {
			case f.Name != name:
			case says != nil && says.Name != name && !(f.Disk && strings.HasSuffix(file, ".img")):
				return Format{}, fmt.Errorf("--format %s: %s has the suffix of format %s; leave out one of the two", name, file, says.Name)
			default:
				return f, nil
			}
		}
		return Format{}, fmt.Errorf("unknown format %q: have %s", name, names(func(Format) bool { return true }))
	}
	if says != nil {
		return *says, nil
	}
	if ext := filepath.Ext(file); ext != "" && file[:len(file)-len(ext)] != "" {
		return Format{}, fmt.Errorf("%s: no format has the suffix %s: name one by --format (%s)", file, ext, names(func(Format) bool { return true }))
	}
	return Formats[0], nil
}

// bySuffix returns the format that a file's suffix names, nil if none does.
func bySuffix(file string) *Format {
	for i, f := range Formats {
		for _, s := range f.Suffixes {
			if strings.HasSuffix(file, s) && len(file) > len(s) {
				return &Formats[i]
			}
		}
	}
	return nil
}

// onDisk makes a file of a disk of whole MiB.
func onDisk(wrap func(*disk, Source) ([]byte, error)) func(Source) ([]byte, error) {
	return func(s Source) ([]byte, error) {
		d, err := newDisk(s, 1<<20)
		if err != nil {
			return nil, err
		}
		return wrap(d, s)
	}
}

// most is how large a data partition may be. What Make returns is in memory: a VHD whole, of other formats what is not zero and their tables.
func (f Format) most() int64 {
	switch f.Name {
	case Raw:
		return 4 << 30 // as Make returns it: WriteNew writes larger ones
	case "vhd":
		return 2 << 30
	}
	return 128 << 30
}

func names(which func(Format) bool) string {
	var all []string
	for _, f := range Formats {
		if which(f) {
			all = append(all, f.Name)
		}
	}
	return strings.Join(all, ", ")
}

// Make returns the file.
func (f Format) Make(s Source) ([]byte, error) {
	if s.Slot != "" && !f.Disk {
		return nil, fmt.Errorf("%s has no slots: disks have (%s)", f.Name, names(func(f Format) bool { return f.Disk }))
	}
	if s.Data != 0 && !f.Disk {
		return nil, fmt.Errorf("%s has no data partition: disks have (%s)", f.Name, names(func(f Format) bool { return f.Disk }))
	}
	if s.Files != nil && !f.Disk {
		return nil, fmt.Errorf("%s has no partition for files: disks have (%s)", f.Name, names(func(f Format) bool { return f.Disk }))
	}
	if most := f.most(); s.Data > most {
		return nil, fmt.Errorf("%s has room for a data partition of %d GiB: raw has more", f.Name, most>>30)
	}
	out, err := f.make(s)
	if err != nil {
		return nil, fmt.Errorf("as %s: %w", f.Name, err)
	}
	return out, nil
}
