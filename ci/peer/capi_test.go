//go:build linux

package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestFromC builds the stack as a library for C, and a program in C that drives it.
func TestFromC(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no C compiler: ", err)
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Env = append(os.Environ(), "CGO_ENABLED=1", "LD_LIBRARY_PATH="+dir)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	run("go", "build", "-buildmode=c-shared", "-o", filepath.Join(dir, "libhardtack.so"), "./capi")
	run("gcc", "-Wall", "-Werror", "-I", dir, "-o", filepath.Join(dir, "driver"), "testdata/driver.c", "-L", dir, "-lhardtack")
	t.Log(run(filepath.Join(dir, "driver")))
}
