package cli

import "testing"

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
