package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFSPipes copies from standard input and to standard output, and is refused what it could do to a whole volume by an argument that is too short.
func TestFSPipes(t *testing.T) {
	t.Parallel()
	c := call{dir: t.TempDir()}
	c.mkimage(t, "fs", "mkfs", "--size", "16M", "v.img")
	c.want(t, 0)
	c.stdin = "from a pipe\n"
	c.mkimage(t, "fs", "cp", "-", "v.img:/f")
	c.want(t, 0)
	c.mkimage(t, "fs", "cp", "-", "v.img:/")
	c.want(t, 1, "/ in the volume is a folder: say what the file is to be called in it")
	c.mkimage(t, "fs", "cp", "v.img:/f", "-")
	if c.want(t, 0); c.stdout != "from a pipe\n" {
		t.Errorf("%q", c.stdout)
	}
	if _, err := os.Stat(filepath.Join(c.dir, "-")); err == nil {
		t.Error("a file - was made")
	}
	c.mkimage(t, "fs", "cp", "v.img:/", "-")
	c.want(t, 1, "/ in the volume: is a directory")
	c.mkimage(t, "fs", "rm", "-r", "v.img")
	c.want(t, 1, "fs rm: want FILE:/PATH, as v.img:/f")
	c.mkimage(t, "fs", "cat", "v.img")
	c.want(t, 1, "fs cat: want FILE:/PATH, as v.img:/f")
	c.mkimage(t, "fs", "mkfs", "v.img")
	c.want(t, 1, `v.img holds a cffs volume, label "": --force makes a volume all the same`)
	c.mkimage(t, "fs", "ls", "v.img")
	c.want(t, 0, "f\n")
}
