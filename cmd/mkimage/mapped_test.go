package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var mapSeeds = flag.Int("mapseeds", 6, "how many sequences of calls TestMapped makes")

// TestMapped maps files, stores into them, cuts them short: in an image, in memory and on a volume, as on the host, in its tmpfs and on its disk.
func TestMapped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // outside of our workspace
	if err := os.CopyFS(dir, os.DirFS("testdata/mapped")); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "mapped")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seeds, steps := fmt.Sprint(*mapSeeds), "2000"
	want, err := exec.Command(program, seeds, steps, t.TempDir()).Output()
	if err != nil {
		t.Fatal(err)
	}
	if shm, err := os.MkdirTemp("/dev/shm", "mapped"); err == nil { // there, tmpfs agrees with the host's disk
		defer os.RemoveAll(shm)
		if out, err := exec.Command(program, seeds, steps, shm).Output(); err != nil || string(out) != string(want) {
			t.Fatal("the host's filesystems do not agree", err)
		}
	}
	volume := filepath.Join(dir, "v.img")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", volume)
	c.want(t, 0, "")
	c.mkimage(t, "run", "--cpus", "2", "--disk", volume, dir, "--", seeds, steps, "/tmp", "/data")
	c.want(t, 0, "")
	got, both := strings.Split(c.stdout, "\n"), strings.Split(string(want)+string(want), "\n")
	for i := range min(len(got), len(both)) {
		if got[i] != both[i] {
			t.Fatalf("line %d: in the image\n%s\non the host\n%s", i+1, got[i], both[i])
		}
	}
	if len(got) != len(both) {
		t.Errorf("%d lines, and on the host %d", len(got), len(both))
	}
	c.mkimage(t, "fs", "check", volume)
	c.want(t, 0, "0 problems")
}

// TestMappedFaults shows what becomes of programs that touch what is not there, and that the last stores to a volume are kept.
func TestMappedFaults(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os runtime/debug syscall", `
	f, err := os.OpenFile("/data/f", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		panic(err)
	}
	f.Truncate(3 * 4096)
	b, err := syscall.Mmap(int(f.Fd()), 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	fmt.Println(len(b), err)
	f.Close()
	fmt.Printf("%q %d\n", b[:5], b[4096])
	copy(b, "hello")
	b[2*4096] = 1
	if len(os.Args) > 2 { // a disk that gets full
		debug.SetPanicOnFault(true)
		defer func() { fmt.Println(recover()) }()
		f, err = os.Create("/data/large")
		fmt.Println(err)
		f.Truncate(1 << 30)
		b, err = syscall.Mmap(int(f.Fd()), 0, 1<<30, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		fmt.Println(len(b), err)
		for i := 0; i < len(b); i += 4096 {
			b[i]++
		}
	} else if len(os.Args) > 1 {
		debug.SetPanicOnFault(true) // as a panic: then there is time to write back
		b[4096] = 7
		b[3*4096] = 1
	}`))
	volume := filepath.Join(dir, "v.img")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", volume)
	c.want(t, 0, "")
	c.mkimage(t, "run", "--disk", volume, dir)
	c.want(t, 0, "1048576 <nil>", `"\x00\x00\x00\x00\x00" 0`)
	c.mkimage(t, "run", "--disk", volume, dir, "--", "fault")
	c.want(t, 2, `"hello" 0`, "SIGBUS")
	c.mkimage(t, "run", "--disk", volume, dir, "--", "full", "disk")
	c.want(t, 0, `"hello" 7`, "1073741824 <nil>", "invalid memory address or nil pointer dereference")
	c.mkimage(t, "fs", "check", volume)
	c.want(t, 0, "0 problems")
}
