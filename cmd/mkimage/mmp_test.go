package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// TestMMP gives two images one disk, which nobody locks: while the one runs that has mounted its volume with mmp, the other is refused, and so is the host; after it was killed the volume is mounted as it left it.
func TestMMP(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os time", `
	b, err := os.ReadFile("/data/f")
	fmt.Printf("found %q %v\n", b, err)
	if len(os.Args) > 1 {
		fmt.Println("wrote", os.WriteFile("/data/g", b, 0o644))
		return
	}
	for n := 0; ; n++ {
		f, err := os.Create("/data/f")
		if err == nil {
			f.WriteString("kept")
			err = f.Sync()
			f.Close()
		}
		fmt.Println("synced", n, err)
		time.Sleep(3 * time.Second)
	}`))
	v, mine, image := filepath.Join(dir, "v.img"), filepath.Join(dir, "mine.elf"), filepath.Join(dir, "other.elf")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "4M", v)
	c.want(t, 0, "")
	c.mkimage(t, "build", "-o", mine, "--mount", "0:/data,mmp", dir)
	c.want(t, 0, "")
	c.mkimage(t, "build", "-o", image, "--mount", "0:/data", dir)
	c.want(t, 0, "")
	start := func(image, words string) (*exec.Cmd, *bufio.Scanner) {
		cmd := exec.Command("qemu-system-x86_64", "-M", "microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on", "-global", "virtio-mmio.force-legacy=false", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
			"-accel", "tcg", "-cpu", "max", "-m", "128M", "-serial", "stdio", "-drive", "if=none,id=d,format=raw,file.locking=off,file="+v, "-device", "virtio-blk-device,drive=d", "-kernel", image, "-append", words)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = child.Start(cmd)
		}
		if err != nil {
			t.Fatal(err)
		}
		guard := time.AfterFunc(bootLimit, func() { cmd.Process.Kill() })
		t.Cleanup(func() {
			guard.Stop()
			cmd.Process.Kill()
			cmd.Wait()
		})
		return cmd, bufio.NewScanner(out)
	}
	line := func(s *bufio.Scanner, prefix string) string {
		said := ""
		for s.Scan() {
			said += s.Text() + "\n"
			if strings.HasPrefix(s.Text(), prefix) {
				return s.Text()
			}
		}
		t.Fatalf("it did not say %q, but %s", prefix, said)
		return ""
	}
	first, said := start(mine, "")
	if s := line(said, "synced"); !strings.HasSuffix(s, " <nil>") {
		t.Fatal(s)
	}
	const refused = "another running image " // has it mounted, or writes to it
	_, other := start(image, "arg=x")
	if s := line(other, "libos/fs/volumes: /data is not mounted: "); !strings.Contains(s, refused) {
		t.Error(s)
	}
	if s := line(other, "found"); !strings.Contains(s, "input/output error") {
		t.Error(s)
	}
	if s := line(other, "wrote"); !strings.Contains(s, "input/output error") {
		t.Error(s)
	}
	if err := os.WriteFile(filepath.Join(dir, "h"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.mkimage(t, "fs", "cp", filepath.Join(dir, "h"), v+":/h")
	c.want(t, 1, refused)
	line(said, "libos/fs/volumes: cffs: ") // that it has answered
	if s := line(said, "synced"); !strings.HasSuffix(s, " <nil>") {
		t.Error("the owner: " + s)
	}
	first.Process.Kill()
	first.Wait()
	_, next := start(image, "arg=x")
	line(next, "libos/fs/volumes: cffs: ")
	if s := line(next, "found"); s != `found "kept" <nil>` {
		t.Error(s)
	}
	if s := line(next, "wrote"); s != "wrote <nil>" {
		t.Error(s)
	}
	for next.Scan() { // until it has ended
	}
	c.mkimage(t, "fs", "check", v)
	c.want(t, 0, "2 files", "0 problems")
}
