package floor

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/hardtack-os/hardtack/ci/bench/symbol"
)

// TestBytesMatchSource assembles floor.S again.
func TestBytesMatchSource(t *testing.T) {
	for _, tool := range []string{"as", "ld"} {
		if _, err := exec.LookPath(tool); err != nil || runtime.GOARCH != "amd64" {
			t.Fatalf("needs the x86 %s of GNU binutils (Debian: binutils)", tool)
		}
	}
	object, raw := filepath.Join(t.TempDir(), "floor.o"), filepath.Join(t.TempDir(), "floor.bin")
	for _, args := range [][]string{
		{"as", "--32", "-o", object, "floor.S"},
		{"ld", "-m", "elf_i386", "-Ttext=0x100000", "--oformat", "binary", "-o", raw, object},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	made, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, code) {
		t.Errorf("floor.bin does not match floor.S; make it again with the commands in floor.go\nmade %x\nhave %x", made, code)
	}
}

func TestImageIsBootable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "floor.elf")
	if err := Write(file); err != nil {
		t.Fatal(err)
	}
	entry, err := symbol.PVHEntry(file)
	if err != nil {
		t.Fatal(err)
	}
	if entry != Entry {
		t.Errorf("PVH entry is %#x, want %#x", entry, Entry)
	}
}
