package format

import (
	"fmt"

	"github.com/hardtack-os/hardtack/boot/amd64"
	"github.com/hardtack-os/hardtack/libos/boot/slot"
)

// A disk, by block numbers of 512 bytes:
//
//	0		boot sector with boot/amd64/mbr.S, and the protective MBR
//	1		GUID partition table
//	34		partition "bios": boot/amd64/bios.S
//	2048		partition "esp": a FAT volume with EFI/BOOT/BOOTX64.EFI, which is what format efi is
//	later		partition "files", if there is one: what is in the files of an image that has only their names and sums. A disk with slots has "files A" and "files B"
//	later		partition "data", if there is one: a volume of the image's own, which writing another image leaves alone
//	at the end	the table's copy
//
// The data partition begins at a multiple of 64 MiB, twice as far behind as the first image needs, so that larger ones have room.
//
// Both firmwares boot the same bytes: the loader for a BIOS finds the image in the UEFI program by its block number. A disk with slots has
// its images beside that program (libos/boot/slot/FORMAT.md).
const (
	rawBIOS = gptFirst
	rawESP  = 2048 // partitions begin at multiples of 1 MiB

	biosFields = 0xde0 // of bios.S: block, length, hash, first, last
	biosState  = 0xdc0 // block of the slots' state, and of their partition
	biosText   = 0xd80 // what the image is told of them
	mbrBlock   = 0x1a8 // of mbr.S
	dataAlign  = 64 << 20
	maxData    = 1 << 46
	bootEFI    = "EFI/BOOT/BOOTX64.EFI"
)

// esp returns the system partition of an image, and at which byte the image's ELF file lies in it.
func esp(s Source) (volume []byte, image int64, err error) {
	program, err := efi(s.ELF)
	if err != nil {
		return nil, 0, err
	}
	v := fat{volume: slot.Sum(s.ELF), label: "HARDTACK", time: s.Time, entries: []fatEntry{
		{"EFI", nil}, {"EFI/BOOT", nil}, {bootEFI, program},
	}}
	volume, at, err := v.build()
	return volume, at[bootEFI] + efiImage, err
}

// biosLoader returns the loader for an image at a block of the disk.
func biosLoader(image []byte, block int64) ([]byte, error) {
	p, err := place(image)
	if err != nil {
		return nil, err
	}
	b := append([]byte{}, amd64.BIOS...)
	le.PutUint64(b[biosFields:], uint64(block))
	for i, v := range []uint32{uint32(len(image)), slot.Sum(image), uint32(p.first), uint32(p.last)} {
		le.PutUint32(b[biosFields+8+4*i:], v)
	}
	return b, nil
}

// mbr returns the boot sector's code for a loader at a block of the disk.
func mbr(loader int64) []byte {
	b := append([]byte{}, amd64.MBR...)
	le.PutUint64(b[mbrBlock:], uint64(loader))
	return b
}

// newDisk returns an image as a disk that nobody has yet, whose size is the next multiple of unit bytes.
func newDisk(s Source, unit uint64) (*disk, error) { return layDisk(s, unit, nil, 0) }

// layDisk returns an image as a disk. A data partition that is there already stays where it is; a size that is not 0 is that of the disk.
func layDisk(s Source, unit uint64, data *partition, size int64) (*disk, error) {
	var volume, loader []byte
	var err error
	if s.Slot != "" {
		volume, loader, err = espSlots(s)
	} else {
		var at int64
		if volume, at, err = esp(s); err == nil {
			loader, err = biosLoader(s.ELF, rawESP+at/sector)
		}
	}
	if err != nil {
		return nil, err
	}
	setHidden(volume, rawESP)
	espSize := int64(align(uint64(len(volume)), 1<<20)) / sector
	parts := []partition{{gptBIOS, "bios", rawBIOS, rawESP - rawBIOS, guid{}}, {gptESP, "esp", rawESP, espSize, guid{}}}
	end := rawESP + espSize
	files := end // where they begin
	if s.Files != nil {
		for _, p := range filePartitions(s) {
			if p.first = end; p.unique == s.FilesID {
				files = end
			}
			parts, end = append(parts, p), end+p.size
		}
	}
	d := &disk{head: make([]byte, files*sector+int64(align(uint64(len(s.Files)), sector)))}
	if s.Data != 0 && data == nil {
		if s.Data < 0 || s.Data > maxData {
			return nil, fmt.Errorf("a data partition of %d bytes is too large", s.Data)
		}
		data = &partition{gptData, "data", int64(align(uint64(2*end*sector), dataAlign)) / sector, int64(align(uint64(s.Data), 1<<20)) / sector, s.DataID}
	}
	if data != nil {
		if end > data.first {
			return nil, fmt.Errorf("the image needs %d KiB of the disk, and the data partition begins at %d KiB", end*sector>>10, data.first*sector>>10)
		}
		parts, end = append(parts, *data), data.first+data.size
		d.data = *data
	}
	least := (end + gptEnd) * sector
	if d.size = int64(align(uint64(least), unit)); size != 0 {
		if d.size = size &^ (sector - 1); d.size < least {
			return nil, fmt.Errorf("the disk has %d KiB, and needs %d", size>>10, (least+1023)>>10)
		}
	}
	copy(d.head[rawBIOS*sector:], loader)
	copy(d.head[rawESP*sector:], volume)
	copy(d.head[files*sector:], s.Files)
	d.writeGPT(s.ELF, mbr(rawBIOS), parts)
	return d, nil
}

// raw returns an image as a disk of whole MiB, as hypervisors and clouds want them.
func raw(s Source) ([]byte, error) {
	d, err := newDisk(s, 1<<20)
	if err != nil {
		return nil, err
	}
	return d.bytes(), nil
}
