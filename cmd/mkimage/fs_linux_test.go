package main

import (
	"os"
	"path/filepath"
	"strings"
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

// TestFSNames: several files are copied at once, and what is written nearly right is told what would be.
func TestFSNames(t *testing.T) {
	t.Parallel()
	c := call{dir: tree(t, map[string]string{"a": "A", "b": "B", "sub/c": "C"})}
	c.mkimage(t, "fs", "mkfs", "--size", "16M", "v.img")
	c.want(t, 0)
	c.mkimage(t, "fs", "cp", "-r", "a", "b", "sub", "v.img:/")
	c.want(t, 0)
	c.mkimage(t, "fs", "tree", "v.img")
	c.want(t, 0, "/\n├── a\n├── b\n└── sub/\n    └── c\n")
	c.mkimage(t, "fs", "cp", "v.img:/a", "v.img:/sub/c", ".")
	c.want(t, 0)
	if b, err := os.ReadFile(filepath.Join(c.dir, "c")); string(b) != "C" {
		t.Errorf("%q, %v", b, err)
	}
	c.mkimage(t, "fs", "cp", "none", "a", "v.img:/sub") // what can be copied is
	c.want(t, 1, "none: no such file")
	c.mkimage(t, "fs", "ls", "v.img:/sub")
	c.want(t, 0, "a\nc\n")
	for _, x := range []struct{ args, want string }{
		{"fs cp a b v.img:/new", "fs cp: v.img:/new is no folder that several could be copied to"},
		{"fs cp v.img:/a v.img:/b new", "fs cp: new is no folder that several could be copied to"},
		{"fs cp v.img:/a v.img:/b -", "fs cp: - is for one file"},
		{"fs cp a v.img:/b .", "fs cp: either a or . is FILE:/PATH, and one only"},
		{"fs cp v.img:/a", "fs cp: want mkimage fs cp FROM... TO"},
		{"fs cp a v.img:b", "there is no v.img:b; a path in a volume begins with a slash: v.img:/b"},
		{"fs cp v.img:b new", "there is no v.img:b; a path in a volume begins with a slash: v.img:/b"},
		{"fs ls v.img:sub", "there is no v.img:sub; a path in a volume begins with a slash: v.img:/sub"},
		{"fs cat v.img:a", "there is no v.img:a; a path in a volume begins with a slash: v.img:/a"},
		{"fs ls v.img#0:/", "v.img#0: want a partition's number behind #, from 1 on"},
		{"fs info v.img#x", "v.img#x: want a partition's number behind #, from 1 on"},
		{"fs mkfs --size 8M v.img#0", "v.img#0: want a partition's number behind #, from 1 on"},
		{"fs ls sub", "open sub: it is a folder, not a disk or a file that holds one"},
		{"fs info /dev/null", "open /dev/null: it is neither a disk nor a file that could hold one"},
		{"fs mkfs --size 99999999T w.img", `"99999999T" is too large: 4194304T is the most`},
		{"fs mkfs --size 64 w.img", "64 is a number of bytes, too few: did you mean 64M?"},
		{"fs mkfs --size 64K w.img", "too small"},
		{"fs mkfs --fat --size 1M w.img", "FAT32 takes at least 33 MiB"},
		{"fs frobnicate", `unknown command "frobnicate"; mkimage fs --help names those that are there`},
		{"fs list v.img", `unknown command "list", did you mean ls?; mkimage fs --help names`},
	} {
		c.mkimage(t, strings.Fields(x.args)...)
		if c.want(t, 1, x.want); t.Failed() {
			t.Fatalf("mkimage %s", x.args)
		}
	}
	for _, name := range []string{"w.img", "v.img#0", "new", "-"} {
		if _, err := os.Stat(filepath.Join(c.dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}
