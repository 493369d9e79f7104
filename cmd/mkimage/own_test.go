package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOwnModules: packages of an app fill the slots sched, net, fs, posix and drivers, as its libos.toml says; vm is TestOwnFrameAllocator's. Each answers as no module of ours would.
func TestOwnModules(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/own")); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "own.elf")
	c := call{dir: dir}
	c.mkimage(t, "build", "-o", image)
	c.want(t, 0)
	out := pc{}.boot(t, "-kernel", image, "-device", "edu")
	for _, want := range []string{"file: a file of its own", "file: open /other: no such file or directory", "net: ABC <nil> 192.0.2.1:80", "call: 42 errno 0", "edu: 237 3628800"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q on the console:\n%s", want, out)
		}
	}
	c.mkimage(t, "inspect", image)
	c.want(t, 0, "own/sockets", "own/files", "own/calls", "own/edu", "own/fifo")
	for _, no := range []string{"libos/net/socket", "libos/posix/files"} {
		if strings.Contains(c.stdout, no) {
			t.Errorf("the image has %s, too:\n%s", no, c.stdout)
		}
	}
	c.mkimage(t, "modules", "--quick", ".")
	c.want(t, 0)
	for slot, want := range map[string]string{"sched": "own/fifo", "net": "own/sockets", "fs": "own/files", "posix": "own/calls", "drivers": "own/edu"} {
		_, of, _ := strings.Cut(c.stdout, slot+":\n")
		if !strings.HasPrefix(strings.TrimSpace(of), want+" ") || !strings.Contains(of, "Package "+filepath.Base(want)+" ") {
			t.Errorf("%s is not in slot %s:\n%s", want, slot, c.stdout)
		}
	}
	if strings.Count(c.stdout, "      needs ") != 5 || !strings.Contains(c.stdout, "libos/posix/sock") {
		t.Errorf("what they need: %s", c.stdout)
	}

	// What wants a module of ours is not linked beside another's in its slot.
	for args, want := range map[string]string{
		"--files edu:/x":         "--files wants libos/posix/files, and --fs names another module",
		"--mount label=x:/x":     "--disk and --mount want libos/posix/files, and --fs names another module",
		"--ntp x":                "--ntp wants libos/net/socket, and --sockets names another module",
		"--sockets own/nothing":  "own/nothing",
		"--sockets perhaps":      `unknown value of sockets "perhaps": want auto, on, off, or a package's import path`,
		"--module own/calls/not": "own/calls/not",
	} {
		c.mkimage(t, append([]string{"build", "-o", "x.elf"}, strings.Fields(args)...)...)
		if c.want(t, 1, want); t.Failed() {
			t.Fatalf("mkimage build %s", args)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x.elf")); err == nil {
		t.Error("x.elf is left")
	}
}

// TestOwnModuleBytes: mkimage modules tells what an app's image grows by with a module of its own.
func TestOwnModuleBytes(t *testing.T) {
	c := call{dir: tree(t, map[string]string{
		"go.mod":       "module example.com/own\n\ngo 1.26\n",
		"main.go":      program("", ""),
		"text/text.go": "// Package text is large.\npackage text\n\nimport (\n\t_ \"embed\"\n\n\t\"github.com/hardtack-os/hardtack/libos/posix\"\n)\n\n//go:embed text\nvar text string\n\nfunc init() {\n\tif posix.Tracer != nil {\n\t\tprintln(text)\n\t}\n}\n",
		"text/text":    strings.Repeat("0123456789abcdef", 1<<12),
		"libos.toml":   "modules = [\"example.com/own/text\"]\n",
	})}
	c.mkimage(t, "modules", ".")
	c.want(t, 0, "Package text is large.", "needs libos/posix")
	var bytes int
	_, after, _ := strings.Cut(c.stdout, "example.com/own/text")
	if n, err := fmt.Sscanf(after, "%d bytes  modules in libos.toml", &bytes); n != 1 || bytes < 64<<10 || bytes > 80<<10 {
		t.Errorf("%d bytes, %v:\n%s", bytes, err, c.stdout)
	}
	if err := os.Remove(filepath.Join(c.dir, "libos.toml")); err != nil {
		t.Fatal(err)
	}
	c.mkimage(t, "modules", ".")
	c.want(t, 0, "mkimage: . names no module of its own in libos.toml")
}
