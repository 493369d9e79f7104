package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// q35 is QEMU's machine of that name with an image and further arguments; its console is standard output.
func q35(image string, args ...string) *exec.Cmd {
	return exec.Command("qemu-system-x86_64", append([]string{"-M", "q35", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg", "-cpu", "max", "-m", "128M",
		"-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-append", "debugexit=0xf4", "-kernel", image}, args...)...)
}

// machine boots an image on QEMU's q35 with further arguments, and gives its console.
func machine(t *testing.T, image string, args ...string) string {
	t.Helper()
	cmd := q35(image, args...)
	guard := time.AfterFunc(bootLimit, func() { cmd.Process.Kill() })
	defer guard.Stop()
	out, err := child.CombinedOutput(cmd)
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	return string(out)
}

// TestOtherDisks has a volume on disks of other kinds than mkimage gives its machines.
func TestOtherDisks(t *testing.T) {
	t.Parallel()
	dir := app(t, program("bytes fmt os", `
	big := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	before, err := os.ReadFile("/data/f")
	fmt.Println("before:", err == nil && bytes.Equal(before, big))
	fmt.Println("write:", os.WriteFile("/data/f", big, 0o644))
	f, err := os.Open("/data/f")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sync:", f.Sync())`))
	image := filepath.Join(dir, "i.elf")
	var c call
	c.mkimage(t, "build", "-o", image, "--mount", "serial=mine:/data", dir)
	c.want(t, 0, "")
	for name, device := range map[string][]string{
		"NVMe":                      {"-device", "nvme,serial=mine,drive=d"},
		"NVMe with blocks of 4 KiB": {"-device", "nvme,serial=mine,drive=d,logical_block_size=4096,physical_block_size=4096"},
		"SCSI":                      {"-device", "virtio-scsi-pci", "-device", "scsi-hd,serial=mine,drive=d"},
		"SCSI with blocks of 4 KiB": {"-device", "virtio-scsi-pci", "-device", "scsi-hd,serial=mine,drive=d,channel=0,scsi-id=9,lun=3,logical_block_size=4096,physical_block_size=4096"},
	} {
		v := filepath.Join(dir, "v.img")
		os.Remove(v)
		c.mkimage(t, "fs", "mkfs", "--size", "16M", v)
		c.want(t, 0, "")
		drive := []string{"-drive", "if=none,id=d,format=raw,file=" + v}
		for _, want := range []string{"before: false", "before: true"} {
			if out := machine(t, image, append(drive, device...)...); !strings.Contains(out, want) || !strings.Contains(out, "write: <nil>") || !strings.Contains(out, "sync: <nil>") {
				t.Errorf("%s: want %q:\n%s", name, want, out)
			}
		}
		c.mkimage(t, "fs", "check", v)
		c.want(t, 0, "0 problems")

		// QEMU's blkdebug fails what is written from a moment on: the program is told, and what was durable before is there.
		rules := filepath.Join(dir, "rules")
		if err := os.WriteFile(rules, []byte("[set-state]\nstate = \"1\"\nevent = \"flush_to_disk\"\nnew_state = \"2\"\n[set-state]\nstate = \"2\"\nevent = \"flush_to_disk\"\nnew_state = \"3\"\n"+
			"[inject-error]\nstate = \"3\"\nevent = \"write_aio\"\nerrno = \"5\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		faulty := []string{"-drive", "if=none,id=d,format=raw,werror=report,rerror=report,file=blkdebug:" + rules + ":" + v}
		if out := machine(t, image, append(faulty, device...)...); !strings.Contains(out, "before: true") || !strings.Contains(out, "sync: sync /data/f: input/output error") || strings.Contains(out, "panic") {
			t.Errorf("%s: with a disk that fails:\n%s", name, out)
		}
		c.mkimage(t, "fs", "check", v)
		c.want(t, 0, "0 problems")
		if out := machine(t, image, append(drive, device...)...); !strings.Contains(out, "before: true") {
			t.Errorf("%s: after a disk that failed:\n%s", name, out)
		}
	}
}
