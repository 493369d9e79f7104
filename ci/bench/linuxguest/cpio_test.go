package linuxguest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInitramfs asks cpio what it reads in the archive, for bodies of every alignment.
func TestInitramfs(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Fatal("needs cpio (Debian: cpio)")
	}
	for size := range 5 {
		program := bytes.Repeat([]byte("x"), size)
		var archive bytes.Buffer
		if err := WriteInitramfs(&archive, program); err != nil {
			t.Fatal(err)
		}
		if archive.Len()%4 != 0 {
			t.Errorf("archive of %d bytes is not padded", archive.Len())
		}
		cpio := func(args ...string) string {
			cmd := exec.Command("cpio", args...)
			cmd.Dir = t.TempDir()
			cmd.Stdin = bytes.NewReader(archive.Bytes())
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("cpio %v: %v\n%s", args, err, err.(*exec.ExitError).Stderr)
			}
			if extracted, err := os.ReadFile(filepath.Join(cmd.Dir, "init")); err == nil && !bytes.Equal(extracted, program) {
				t.Errorf("init comes out as %q, want %q", extracted, program)
			}
			return string(out)
		}
		names := strings.Fields(cpio("-t", "--quiet"))
		if want := []string{"dev", "proc", "sys", "tmp", "modules", "dev/console", "dev/null", "init"}; !slices.Equal(names, want) {
			t.Errorf("cpio lists %v, want %v", names, want)
		}
		console := strings.Join(strings.Fields(cpio("-tv", "--quiet", "dev/console")), " ")
		if !strings.HasPrefix(console, "crw-------") || !strings.Contains(console, "5, 1") {
			t.Errorf("cpio shows dev/console as %q", console)
		}
		cpio("-i", "--quiet", "init")
	}
}
