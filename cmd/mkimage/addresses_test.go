package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAddresses has a program ask which pages are in memory, lock some, and map at addresses of its own: in an image, in memory and on a volume, it sees what it does in the host's tmpfs.
func TestAddresses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // outside of our workspace
	if err := os.CopyFS(dir, os.DirFS("testdata/addresses")); err != nil {
		t.Fatal(err)
	}
	shm, err := os.MkdirTemp("/dev/shm", "addresses")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(shm)
	program := filepath.Join(dir, "addresses")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := exec.Command(program, shm, shm).Output()
	if err != nil {
		t.Fatal(err)
	}
	volume := filepath.Join(dir, "v.img")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", volume)
	c.want(t, 0, "")
	c.mkimage(t, "run", "--cpus", "2", "--disk", volume, dir, "--", "/tmp", "/data")
	c.want(t, 0, "")
	got, both := strings.Split(c.stdout, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(both)) {
		if i >= len(got) || i >= len(both) || got[i] != both[i] {
			t.Fatalf("from line %d on: in the image\n%s\non the host\n%s", i+1, strings.Join(got[i:], "\n"), strings.Join(both[i:], "\n"))
		}
	}
	c.mkimage(t, "run", dir, "--", "others", "/tmp") // on the host it would lose what it has there
	c.want(t, 0, strings.Repeat("a file false operation not permitted\nmemory false operation not permitted\n", 2)+"a part of a mapping false operation not permitted\ntext false operation not permitted\n")
}
