package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFAT has an image and the host's commands use FAT volumes, on a whole disk and in a partition, and fsck.vfat judge them.
func TestFAT(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os", `
	for _, name := range os.Args[1:] {
		b, err := os.ReadFile(name)
		fmt.Printf("%s: %q %v\n", name, b, err)
		if err := os.WriteFile(name, append(b, 'x'), 0o644); err != nil {
			fmt.Println(err)
		}
	}`))
	v, disk := filepath.Join(dir, "v.img"), filepath.Join(dir, "disk.img")
	var c call
	c.mkimage(t, "fs", "mkfs", "--fat", "--size", "40M", "--label", "boot", v)
	c.want(t, 0, "")
	c.mkimage(t, "fs", "cp", filepath.Join(dir, "main.go"), v+":/A Long Name.go")
	c.want(t, 0, "")
	c.mkimage(t, "fs", "ls", v)
	c.want(t, 0, "A Long Name.go")
	c.mkimage(t, "fs", "cat", v+":/a long name.GO")
	c.want(t, 0, "package main")
	c.mkimage(t, "fs", "info", v)
	c.want(t, 0, "filesystem: FAT", "label: BOOT")
	c.mkimage(t, "fs", "mkfs", v)
	c.want(t, 1, "FAT filesystem")
	c.mkimage(t, "fs", "mkfs", "--fat", "--size", "40M", disk)
	c.want(t, 0, "")
	c.mkimage(t, "fs", "info", disk)
	c.want(t, 0, "filesystem: FAT\nlabel: \n")
	if err := os.Remove(disk); err != nil {
		t.Fatal(err)
	}
	c.mkimage(t, "run", "--disk", v, dir, "--", "/data/some file.text")
	c.want(t, 0, `/data/some file.text: "" open`)
	fsck := func(file string) {
		t.Helper()
		if out, err := exec.Command("/sbin/fsck.vfat", "-n", file).CombinedOutput(); err != nil {
			t.Errorf("fsck.vfat (ci/install brings it): %v\n%s", err, out)
		}
	}
	fsck(v)
	c.mkimage(t, "fs", "check", v)
	c.want(t, 0, "2 files, 1 folders", "0 problems")
	c.mkimage(t, "run", "--disk", v, "--mount", "label=BOOT:/b", dir, "--", "/b/SOME FILE.TEXT")
	c.want(t, 0, `/b/SOME FILE.TEXT: "x" <nil>`)

	// A disk with a FAT volume in its first partition and one of cffs in its second.
	whole, err := os.ReadFile(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, 0); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	f, err := os.Create(disk)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	table := exec.Command("/sbin/sfdisk", "-q", disk)
	table.Stdin = strings.NewReader("label: gpt\nstart=2048, size=81920\nstart=83968, size=40960\n")
	if out, err := table.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk (ci/install brings it): %v\n%s", err, out)
	}
	if _, err := f.WriteAt(whole, 1<<20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	c.mkimage(t, "fs", "mkfs", "--label", "second", disk+"#2")
	c.want(t, 0, "")
	c.mkimage(t, "run", "--disk", disk, "--mount", "0p1:/boot", "--mount", "label=second:/s", dir, "--", "/boot/some file.text", "/s/f", "/proc/mounts", "/proc/partitions", "/sys/class/block/vda2/size")
	c.want(t, 0, `/boot/some file.text: "xx" <nil>`, `/s/f: "" open`, `\n/dev/vda1 /boot vfat rw 0 0\n/dev/vda2 /s cffs rw 0 0\n`, `\n 254        2      20480 vda2\n`, `size: "40960\n"`)
	c.mkimage(t, "fs", "cat", disk+"#1:/some file.text")
	c.want(t, 0, "xxx")
	c.mkimage(t, "fs", "check", disk+"#2")
	c.want(t, 0, "1 files, 1 folders", "0 problems")
	c.mkimage(t, "fs", "ls", disk+"#3")
	c.want(t, 1, "has no partition 3")
}
