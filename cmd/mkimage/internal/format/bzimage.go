package format

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/hardtack-os/hardtack/boot/amd64"
	"github.com/hardtack-os/hardtack/internal/elfimage"
)

var le = binary.LittleEndian

// Fields of the real-mode kernel header (Linux, Documentation/arch/x86/boot.rst), as offsets in the file.
const (
	bzSetupSects    = 0x1f1
	bzSyssize       = 0x1f4
	bzMagic         = 0x202 // "HdrS"
	bzVersion       = 0x206
	bzPayloadOffset = 0x248 // from the protected-mode part
	bzPayloadLength = 0x24c
	bzInitSize      = 0x260
	bzHeaderEnd     = 0x268

	bzLoad  = 0x100000 // where the protected-mode part is loaded
	bzSpare = 0x2000   // what boot/amd64/linux.S may use behind the image
)

// bzImage returns an image as a bzImage: boot/amd64/linux.S with its fields filled in, and the image.
func bzImage(elf []byte) ([]byte, error) {
	img, err := elfimage.ReadHead(elf)
	if err != nil {
		return nil, err
	}
	if _, err := place(elf); err != nil {
		return nil, err
	}
	out := append(append([]byte{}, amd64.Linux...), elf...)
	for len(out)%16 != 0 {
		out = append(out, 0)
	}
	setup := (int(out[bzSetupSects]) + 1) * 512
	if len(out)-setup > math.MaxInt32 {
		return nil, fmt.Errorf("an image of %d bytes is too large", len(elf))
	}
	le.PutUint32(out[bzSyssize:], uint32(len(out)-setup)/16)
	le.PutUint32(out[bzPayloadLength:], uint32(len(elf)))
	spare := align(img.LoadEnd(), 0x1000)
	if spare > math.MaxUint32-bzSpare {
		return nil, fmt.Errorf("an image that reaches up to %#x is too large", spare)
	}
	le.PutUint32(out[bzInitSize:], uint32(spare+bzSpare-bzLoad))
	le.PutUint32(out[len(amd64.Linux)-16:], uint32(len(elf)))
	le.PutUint32(out[len(amd64.Linux)-12:], uint32(spare))
	return out, nil
}

// bzPayload returns the image in a bzImage, nil if the file is none.
func bzPayload(b []byte) []byte {
	if len(b) < bzHeaderEnd || string(b[bzMagic:bzMagic+4]) != "HdrS" || le.Uint16(b[bzVersion:]) < 0x208 {
		return nil
	}
	off := (uint64(b[bzSetupSects])+1)*512 + uint64(le.Uint32(b[bzPayloadOffset:]))
	n := uint64(le.Uint32(b[bzPayloadLength:]))
	if off > uint64(len(b)) || n > uint64(len(b))-off {
		return nil
	}
	return b[off : off+n]
}
