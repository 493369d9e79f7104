package posix

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnsafe keeps unsafe and go:linkname in files whose names say so, and imports to std, exo and this folder.
func TestUnsafe(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			p := strings.Trim(spec.Path.Value, `"`)
			if p == "unsafe" && !strings.HasSuffix(path, "_unsafe.go") {
				t.Errorf("%s imports unsafe", path)
			}
			maps := strings.HasPrefix(path, "mmap/")
			onFiles := strings.HasPrefix(path, "files/") || strings.HasPrefix(path, "outbox/") || maps
			if strings.Contains(p, ".") && !strings.HasPrefix(p, "github.com/hardtack-os/hardtack/libos/posix") &&
				!(onFiles && strings.HasPrefix(p, "github.com/hardtack-os/hardtack/libos/fs")) && !(maps && p == "github.com/hardtack-os/hardtack/exo") {
				t.Errorf("%s imports %s", path, p)
			}
			if p == "fmt" || p == "reflect" {
				t.Errorf("%s imports %s, which every image would pay for", path, p)
			}
		}
		if strings.Contains(string(src), "//go:linkname") && !strings.HasSuffix(path, "_unsafe.go") {
			t.Errorf("%s has a go:linkname", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
