package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRunOutput has run leave its image, which is ELF, under no name of another format.
func TestRunOutput(t *testing.T) {
	for output, want := range map[string]string{"": "", "/dev/null": "", "app": "app", "app.elf": "app.elf", "app.image": "app.image", "app.v2": "app.v2", "dir/": "dir/p.elf",
		"app.iso": "!", "app.efi": "!", "a/app.img": "!", "app.tar.gz": "!"} {
		got, err := outputOf(output, "p")
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("-o %q: %q, %v; want %q", output, got, err, want)
		}
	}
}

// TestCheckCapture: what is asked about is left as it was: nothing, a file, a link that leads nowhere yet.
func TestCheckCapture(t *testing.T) {
	dir := t.TempDir()
	none, file, link := filepath.Join(dir, "none"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(none, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{none, file, link} {
		if err := checkCapture(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat(none); err == nil {
		t.Error("a file was made")
	}
	if to, err := os.Readlink(link); err != nil || to != none {
		t.Error("the link:", to, err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "old" {
		t.Errorf("the file: %q, %v", b, err)
	}
}
