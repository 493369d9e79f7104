package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// counter is a program that counts its boots in a file of the data partition.
func counter(t *testing.T, name string) string {
	return app(t, program("fmt os", `
	b, _ := os.ReadFile("/data/boots")
	b = append(b, 'x')
	fmt.Println("`+name+` boots", len(b), os.WriteFile("/data/boots", b, 0o644))`))
}

// TestDataPartition: what a program has written is there after another image was written over the disk, in a slot or not, and on a block device that --force allows.
func TestDataPartition(t *testing.T) {
	one, two := counter(t, "one"), counter(t, "two")
	file := filepath.Join(t.TempDir(), "d.img")
	build := func(t *testing.T, disk, dir string, args ...string) {
		t.Helper()
		c := call{dir: dir}
		c.mkimage(t, append([]string{"build", "-o", disk, "--format", "raw", "--data", "8M"}, args...)...)
		if c.want(t, 0); t.Failed() {
			t.FailNow()
		}
	}
	boots := func(t *testing.T, disk, want string) {
		t.Helper()
		if out := (pc{}).boot(t, "-drive", "if=none,id=d,format=raw,file="+disk, "-device", "virtio-blk-pci,drive=d"); !strings.Contains(out, want+" <nil>") {
			t.Fatalf("no %q on the console:\n%s", want, out)
		}
	}
	build(t, file, one)
	boots(t, file, "one boots 1")
	build(t, file, two)
	boots(t, file, "two boots 2")
	build(t, file, one, "--slot", "B")
	boots(t, file, "one boots 3")
	// Another disk with such a partition, before it: that is nobody's here, even where the disk that was booted has no driver.
	other := filepath.Join(t.TempDir(), "d.img")
	build(t, other, two)
	was, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	for device, want := range map[string]string{"virtio-blk-pci": "one boots 4 <nil>", "ide-hd": "no disk has partuuid "} {
		out := (pc{}).boot(t, "-drive", "if=none,id=o,format=raw,file="+other, "-device", "virtio-blk-pci,drive=o,addr=3", "-drive", "if=none,id=d,format=raw,file="+file, "-device", device+",drive=d,bootindex=0")
		if now, err := os.ReadFile(other); !strings.Contains(out, want) || err != nil || !bytes.Equal(now, was) {
			t.Errorf("no %q on the console, or the other disk was written to, %v:\n%s", want, err, out)
		}
	}
	if out := judge(t, "sgdisk", "-v", file); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk: %s", out)
	}
	var c call
	c.mkimage(t, "fs", "check", file+"#3")
	c.want(t, 0, "0 problems")
	c.mkimage(t, "inspect", file)
	c.want(t, 0, "Hardtack data", "slot B: ")
	for args, want := range map[string]string{
		"x.iso --data 8M":     "--data: iso has no data partition: disks have, as raw (-o app.img)",
		"x.img --data 8":      "--data 8: want SIZE or SIZE:/PATH, as 1G:/data, of 1M at least",
		"x.img --data 8M:/":   "--data 8M:/: want SIZE or SIZE:/PATH, as 1G:/data, of 1M at least",
		"x.img --data 8192T":  "--data 8192T: want SIZE or SIZE:/PATH, as 1G:/data, of 1M at least",
		"x.img --data many:/": "--data many:/: want SIZE or SIZE:/PATH, as 1G:/data, of 1M at least",
	} {
		c := call{dir: one}
		c.mkimage(t, append([]string{"build", "-o"}, strings.Fields(args)...)...)
		c.want(t, 1, want)
	}

	t.Run("block device", func(t *testing.T) {
		if runtime.GOOS != "linux" || os.Getuid() != 0 {
			t.Skip("only root on Linux has a block device")
		}
		if _, err := os.Stat("/dev/loop-control"); err != nil {
			t.Skip("there is no loop device here")
		}
		if err := os.Truncate(file, 100<<20); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("losetup", "--show", "-f", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		loop := strings.TrimSpace(string(out))
		defer judge(t, "losetup", "-d", loop)
		c = call{dir: two}
		c.mkimage(t, "build", "-o", loop, "--format", "raw")
		c.want(t, 1, loop+" is a block device: --force writes over what is on it")
		c.mkimage(t, "build", "-o", loop, "--format", "vhd", "--force")
		c.want(t, 1, loop+" is a block device: formats raw and iso can be written to one, vhd cannot")
		boots(t, loop, "one boots 5")
		build(t, loop, two, "--force")
		boots(t, loop, "two boots 6")
		if out := judge(t, "sgdisk", "-v", loop); !strings.Contains(out, "No problems found") {
			t.Errorf("sgdisk: %s", out)
		}
		c.mkimage(t, "build", "-o", loop, "--format", "iso", "--force")
		c.want(t, 0)
		if out := (pc{}).boot(t, "-drive", "format=raw,file="+loop); !strings.Contains(out, "two boots 1") {
			t.Errorf("the stick says:\n%s", out)
		}
	})
}
