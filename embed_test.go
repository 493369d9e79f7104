package hardtack

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestLayIsAModule(t *testing.T) {
	cacheDir := t.TempDir()
	dir, err := Lay(cacheDir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "go.mod")); err != nil || string(got) != string(want) {
		t.Errorf("go.mod = %q, %v; want the module's own", got, err)
	}
	// Every package of exo and libos is there, under the path it has in the module. (Dependencies are not asked
	// for: this needs no network.)
	list := func(dir string) string {
		cmd := exec.Command("go", "list", "-e", "-mod=readonly", "./exo/...", "./libos/...")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list in %s: %v", dir, err)
		}
		return string(out)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got, all := list(dir), list(here)
	if got == "" {
		t.Error("no package was laid out")
	}
	for pkg := range strings.Lines(all) {
		if !strings.Contains(got, pkg) && !onlyTests(t, strings.TrimSpace(pkg)) {
			t.Errorf("%s is missing from what was laid out", strings.TrimSpace(pkg))
		}
	}
}

// onlyTests reports whether a package has no file that an image could use.
func onlyTests(t *testing.T, pkg string) bool {
	t.Helper()
	_, dir, _ := strings.Cut(pkg, "/hardtack/")
	entries, err := os.ReadDir(filepath.FromSlash(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			return false
		}
	}
	return true
}

func TestLayLeavesTestsOut(t *testing.T) {
	dir, err := Lay(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(path, "_test.go") || d != nil && d.Name() == "testdata" {
			t.Errorf("%s was laid out", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLayAgainWritesNothing(t *testing.T) {
	cacheDir := t.TempDir()
	first, err := Lay(cacheDir)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(first, "go.mod")
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Lay(cacheDir)
	if err != nil || second != first {
		t.Fatalf("Lay = %s, %v; want %s again", second, err, first)
	}
	if after, err := os.Stat(name); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("go.mod was written again (%v)", err)
	}
}
