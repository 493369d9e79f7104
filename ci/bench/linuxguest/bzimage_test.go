package linuxguest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"
)

// kernel is a stand-in with long and short repeats, so that every kind of LZ4 sequence occurs.
var kernel = []byte("\x7fELF" + strings.Repeat("a", 1000) + "kernel text " + strings.Repeat("kernel text ", 40) + "0123456789")

// bzImage wraps a payload in the setup header that Extract reads.
func bzImage(payload []byte) []byte {
	const setup, gap = 3, 100
	image := make([]byte, (setup+1)*sectorSize+gap)
	le := binary.LittleEndian
	image[setupSects] = setup
	copy(image[headerMagic:], "HdrS")
	le.PutUint16(image[bootVersion:], 0x20f)
	le.PutUint32(image[payloadOffset:], gap)
	le.PutUint32(image[payloadLength:], uint32(len(payload)))
	return append(append(image, payload...), "what follows"...)
}

// sized appends the uncompressed size, as the kernel's build does.
func sized(compressed []byte, size int) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(compressed), uint32(size))
}

func TestExtract(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write(kernel)
	w.Close()
	check := func(t *testing.T, payload []byte) {
		t.Helper()
		got, err := Extract(context.Background(), bzImage(payload))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, kernel) {
			t.Errorf("got %d bytes that differ from the kernel's %d", len(got), len(kernel))
		}
	}
	t.Run("gzip", func(t *testing.T) { check(t, zipped.Bytes()) })
	for _, tool := range [][]string{{"lz4", "-lc9"}, {"lz4", "-lc1"}, {"xz", "-c", "--check=crc32"}, {"zstd", "-qc"}} {
		t.Run(strings.Join(tool, " "), func(t *testing.T) {
			if _, err := exec.LookPath(tool[0]); err != nil {
				t.Fatalf("needs %s (Debian: lz4, xz-utils, zstd)", tool[0])
			}
			cmd := exec.Command(tool[0], tool[1:]...)
			cmd.Stdin = bytes.NewReader(kernel)
			compressed, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			check(t, sized(compressed, len(kernel)))
		})
	}
}

func TestExtractRefuses(t *testing.T) {
	frame := func(block ...byte) []byte {
		b := binary.LittleEndian.AppendUint32(bytes.Clone(lz4Magic), uint32(len(block)))
		return append(b, block...)
	}
	good := bzImage(sized(frame(0x40, 0x7f, 'E', 'L', 'F'), 4))
	if _, err := Extract(context.Background(), good); err != nil {
		t.Fatalf("the pattern of the cases below is refused itself: %v", err)
	}
	old := bytes.Clone(good)
	binary.LittleEndian.PutUint16(old[bootVersion:], 0x207)
	for name, image := range map[string][]byte{
		"empty":                   nil,
		"no magic":                make([]byte, 4096),
		"old protocol":            old,
		"payload past the end":    good[:len(good)-20],
		"tiny payload":            bzImage([]byte{1, 2, 3}),
		"unknown compression":     bzImage(sized([]byte("plain text"), 10)),
		"wrong size":              bzImage(sized(frame(0x40, 0x7f, 'E', 'L', 'F'), 5)),
		"not ELF":                 bzImage(sized(frame(0x40, 'a', 'b', 'c', 'd'), 4)),
		"literals past the end":   bzImage(sized(frame(0x50, 'a', 'b', 'c', 'd'), 5)),
		"match before the start":  bzImage(sized(frame(0x10, 'a', 2, 0, 0x10, 'b'), 6)),
		"match of distance 0":     bzImage(sized(frame(0x10, 'a', 0, 0, 0x10, 'b'), 6)),
		"length without its end":  bzImage(sized(frame(0xf0, 255), 300)),
		"no last literals":        bzImage(sized(frame(0x10, 'a', 1, 0), 5)),
		"block past the end":      bzImage(sized(append(bytes.Clone(lz4Magic), 9, 0, 0, 0, 1), 5)),
		"block length incomplete": bzImage(sized(append(bytes.Clone(lz4Magic), 9), 5)),
	} {
		if got, err := Extract(context.Background(), image); err == nil {
			t.Errorf("%s: accepted as a kernel of %d bytes", name, len(got))
		}
	}
}
