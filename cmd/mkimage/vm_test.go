package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFrameAllocators runs a program that allocates and frees on each frame allocator, a sample's among them.
func TestFrameAllocators(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for vm, least := range map[string]int{"": 50, "buddy": 50, "bump": 1, "github.com/hardtack-os/hardtack/samples/libos/frames/lifo": 50} {
		c := call{dir: root}
		c.mkimage(t, "run", "--cpus", "2", "--memory", "64M", "--vm", vm, "./samples/libos/frames")
		var all, unused, collections int
		c.want(t, 0)
		if n, err := fmt.Sscanf(c.stdout, "%d MiB in all, %d MiB unused, %d collections\n", &all, &unused, &collections); n != 3 || unused < least || collections == 0 {
			t.Errorf("--vm %q: %q: %v", vm, c.stdout, err)
		}
	}
}

// TestOwnFrameAllocator: a program has one in a module of its own.
func TestOwnFrameAllocator(t *testing.T) {
	sample, err := os.ReadFile(filepath.FromSlash("../../samples/libos/frames/lifo/lifo_unsafe.go"))
	if err != nil {
		t.Fatal(err)
	}
	c := call{dir: tree(t, map[string]string{
		"go.mod":       "module example.com/own\n\ngo 1.26\n",
		"main.go":      "package main\n\nimport \"runtime\"\n\nfunc main() {\n\tb := make([]byte, 16<<20)\n\tfor i := range b {\n\t\tb[i] = 1\n\t}\n\truntime.GC()\n\tprintln(\"lived\")\n}\n",
		"lifo/lifo.go": string(sample),
		"libos.toml":   "vm = \"example.com/own/lifo\"\n",
	})}
	c.mkimage(t, "run", ".")
	c.want(t, 0, "lived")
	c.mkimage(t, "build", "-o", "own.elf", ".")
	c.want(t, 0)
	c.mkimage(t, "inspect", "own.elf")
	c.want(t, 0)
	if strings.Contains(c.stdout, "libos/vm/buddy") {
		t.Error("it has the default allocator, too")
	}
}

// TestLyingFrameAllocator: an allocator that gives out what is no memory ends the image with a report, and so does one that is told of a frame twice.
func TestLyingFrameAllocator(t *testing.T) {
	sample, err := os.ReadFile(filepath.FromSlash("../../samples/libos/frames/lifo/lifo_unsafe.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"go.mod":       "module example.com/liar\n\ngo 1.26\n",
		"main.go":      "package main\n\nfunc main() { println(\"lived\") }\n",
		"lifo/lifo.go": strings.Replace(string(sample), "return uintptr(*slot(m, s.depth))", "return uintptr(*slot(m, s.depth)) + 1<<40", 1),
	}
	files["lifo/lifo.go"] = strings.Replace(files["lifo/lifo.go"], "s.next = first + n\n\treturn first", "s.next = first + n\n\treturn first + 1<<40", 1)
	c := call{dir: tree(t, files)}
	c.mkimage(t, "run", "--vm", "example.com/liar/lifo", ".")
	c.want(t, 3, "frame allocator: gave out no memory")

	c.mkimage(t, "run", "--vm", "nonsense", ".")
	c.want(t, 1, `unknown frame allocator "nonsense": have buddy, bump, or name a package by its import path`)
}

// TestSchedulers runs a program under each policy; with two, not even a build.
func TestSchedulers(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	c := call{dir: root}
	for _, name := range []string{"stride", "lottery", "github.com/hardtack-os/hardtack/libos/sched/stride"} {
		c.mkimage(t, "run", "--cpus", "2", "--sched", name, "./libos/sched/testdata/shares", "--", "300")
		c.want(t, 0)
		var a, b, d float64
		const said = "RESULT share0 %f %%\nRESULT share1 %f %%\nRESULT share2 %f %%"
		if n, err := fmt.Sscanf(c.stdout, said, &a, &b, &d); n != 3 || a <= d {
			t.Errorf("--sched %s: shares %q (%v): the class with most tickets had no more than that with the least", name, c.stdout, err)
		}
	}
	c.mkimage(t, "run", "--sched", "go", "./samples/hello")
	c.want(t, 0, "hello")
}
