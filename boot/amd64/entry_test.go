package amd64

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestEntryMatchesSource assembles entry.S with binutils and compares the result with the bytes in the tree.
func TestEntryMatchesSource(t *testing.T) {
	dir := t.TempDir()
	obj, elf, bin := filepath.Join(dir, "o"), filepath.Join(dir, "elf"), filepath.Join(dir, "bin")
	for _, argv := range [][]string{
		{"as", "--64", "-o", obj, "entry.S"},
		{"ld", "-Ttext", "0x100000", "-o", elf, obj},
		{"objcopy", "-O", "binary", "-j", ".text", elf, bin},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v (binutils is needed; ci/install installs it)\n%s", argv, err, out)
		}
	}
	want, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, Entry) {
		t.Fatalf("entry.bin (%d bytes) is not entry.S assembled (%d bytes); run go generate ./boot/amd64", len(Entry), len(want))
	}
	if len(Entry) > 0x800 {
		t.Fatalf("entry.bin has %d bytes; the image table starts at 0x800", len(Entry))
	}
}
