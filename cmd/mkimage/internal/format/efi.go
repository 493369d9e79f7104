package format

import (
	"github.com/hardtack-os/hardtack/boot/amd64"
	"github.com/hardtack-os/hardtack/libos/boot/slot"
)

// Fields of boot/amd64/efi.S, as offsets in the file.
const (
	peOptional  = 0x58                  // the optional header
	peInitData  = peOptional + 8        // SizeOfInitializedData
	peImageSize = peOptional + 56       // SizeOfImage
	peImage     = peOptional + 160 + 80 // the third section header, .image

	efiFields = 0x17f0 // length, hash, first, last
	efiState  = 0x17e8 // block of the slots' state
	efiText   = 0x17a0 // what the image is told of the slots
	efiImage  = 0x1800 // file offset of the image
	efiLoad   = 0x3000 // and its address in the program
)

// efi returns an image as a UEFI program: boot/amd64/efi.S with its fields filled in, and the image.
func efi(image []byte) ([]byte, error) {
	p, err := place(image)
	if err != nil {
		return nil, err
	}
	n := align(uint64(len(image)), 0x200) // FileAlignment
	out := efiProgram(n)
	copy(out[efiImage:], image)
	le.PutUint32(out[efiFields:], uint32(len(image)))
	le.PutUint32(out[efiFields+4:], slot.Sum(image))
	le.PutUint32(out[efiFields+8:], uint32(p.first))
	le.PutUint32(out[efiFields+12:], uint32(p.last))
	return out, nil
}

// efiProgram returns the program with room for an image of n bytes.
func efiProgram(n uint64) []byte {
	out := make([]byte, efiImage+n)
	copy(out, amd64.EFI)
	le.PutUint32(out[peInitData:], uint32(n))
	le.PutUint32(out[peImageSize:], uint32(align(efiLoad+n, 0x1000)))
	le.PutUint32(out[peImage+8:], uint32(n))
	le.PutUint32(out[peImage+16:], uint32(n))
	return out
}

// efiPayload returns the image in a UEFI program of ours, nil if the file is none.
func efiPayload(b []byte) []byte {
	if len(b) < efiImage || string(b[:2]) != "MZ" || string(b[peImage:peImage+8]) != ".image\x00\x00" {
		return nil
	}
	n := uint64(le.Uint32(b[efiFields:]))
	if n > uint64(len(b)-efiImage) {
		return nil
	}
	return b[efiImage : efiImage+n]
}
