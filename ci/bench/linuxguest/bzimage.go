package linuxguest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
)

// Offsets in a bzImage's setup header (boot.rst, "Details of Header Fields").
const (
	setupSects    = 0x1f1 // sectors of real-mode code after the first
	headerMagic   = 0x202 // "HdrS"
	bootVersion   = 0x206
	payloadOffset = 0x248 // from the start of the protected-mode code; boot protocol 2.08 and later
	payloadLength = 0x24c
	headerEnd     = 0x250
	sectorSize    = 512
)

// Extract returns the ELF kernel compressed inside a bzImage.
func Extract(ctx context.Context, image []byte) ([]byte, error) {
	payload, err := payloadOf(image)
	if err != nil {
		return nil, err
	}
	// The build appends the uncompressed size to every format but gzip, which ends with it anyway.
	if len(payload) < 8 {
		return nil, fmt.Errorf("the compressed kernel has only %d bytes", len(payload))
	}
	size := binary.LittleEndian.Uint32(payload[len(payload)-4:])
	kernel, err := decompress(ctx, payload)
	if err != nil {
		return nil, err
	}
	if len(kernel) != int(size) {
		return nil, fmt.Errorf("the kernel decompresses to %d bytes, its image promises %d", len(kernel), size)
	}
	if !bytes.HasPrefix(kernel, []byte("\x7fELF")) {
		return nil, fmt.Errorf("the decompressed kernel is no ELF file")
	}
	return kernel, nil
}

func payloadOf(image []byte) ([]byte, error) {
	if len(image) < headerEnd || string(image[headerMagic:headerMagic+4]) != "HdrS" {
		return nil, fmt.Errorf("not a bzImage: no HdrS at %#x", headerMagic)
	}
	le := binary.LittleEndian
	if v := le.Uint16(image[bootVersion:]); v < 0x208 {
		return nil, fmt.Errorf("boot protocol %#x does not tell where the kernel is; 0x208 or later is needed", v)
	}
	sectors := uint64(image[setupSects])
	if sectors == 0 {
		sectors = 4 // boot.rst: "if this field contains 0, the real value is 4"
	}
	start := (sectors+1)*sectorSize + uint64(le.Uint32(image[payloadOffset:]))
	end := start + uint64(le.Uint32(image[payloadLength:]))
	if end > uint64(len(image)) {
		return nil, fmt.Errorf("the compressed kernel ends at byte %d of a file of %d", end, len(image))
	}
	return image[start:end], nil
}

// decompress unpacks what std and this package can, and leaves xz and zstd to their tools.
func decompress(ctx context.Context, payload []byte) ([]byte, error) {
	switch compressed := payload[:len(payload)-4]; {
	case bytes.HasPrefix(payload, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(bytes.NewReader(payload))
		if err != nil {
			return nil, err
		}
		r.Multistream(false)
		return io.ReadAll(r)
	case bytes.HasPrefix(payload, lz4Magic):
		return decodeLZ4(compressed)
	case bytes.HasPrefix(payload, []byte("\xfd7zXZ\x00")):
		return pipe(ctx, compressed, "xz", "-dc", "--single-stream")
	case bytes.HasPrefix(payload, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return pipe(ctx, compressed, "zstd", "-dc")
	}
	return nil, fmt.Errorf("the kernel is compressed in an unknown way, its first bytes are %x", payload[:8])
}

func pipe(ctx context.Context, in []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("decompressing the kernel: %s: %w; install the tool (Debian: xz-utils, zstd)", name, err)
	}
	return out, nil
}
