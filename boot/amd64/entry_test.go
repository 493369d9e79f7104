package amd64

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestEntryMatchesSource assembles each source with binutils and compares the result with the bytes in the tree.
func TestEntryMatchesSource(t *testing.T) {
	for _, c := range []struct {
		source, at string
		have       []byte
	}{
		{"entry.S", "0x100000", Entry},
		{"linux.S", "0", Linux},
		{"efi.S", "0", EFI},
		{"mbr.S", "0x7c00", MBR},
		{"cd.S", "0x7c00", CD},
		{"bios.S", "0x2000", BIOS},
	} {
		dir := t.TempDir()
		obj, elf, bin := filepath.Join(dir, "o"), filepath.Join(dir, "elf"), filepath.Join(dir, "bin")
		for _, argv := range [][]string{
			{"as", "--64", "-o", obj, c.source},
			{"ld", "-Ttext", c.at, "-o", elf, obj},
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
		if !bytes.Equal(want, c.have) {
			t.Errorf("%s assembled (%d bytes) is not what is in the tree (%d bytes); run go generate ./boot/amd64", c.source, len(want), len(c.have))
		}
	}
	if len(Entry) > 0x800 {
		t.Errorf("entry.bin has %d bytes; the image table starts at 0x800", len(Entry))
	}
}
