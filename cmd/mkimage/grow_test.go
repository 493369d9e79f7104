package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// TestGrowingDisk makes a disk larger, by QEMU's monitor, while a program has its volume full: the program finds room.
func TestGrowingDisk(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os syscall time", `
	big := make([]byte, 6<<20)
	fmt.Println("before:", os.WriteFile("/data/f", big, 0o644))
	os.Remove("/data/f")
	var s syscall.Statfs_t
	for end := time.Now().Add(3 * time.Minute); s.Blocks < 4096 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := syscall.Statfs("/data", &s); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("blocks:", s.Blocks)
	fmt.Println("after:", os.WriteFile("/data/f", big, 0o644))
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
		"virtio": {"-device", "virtio-blk-pci,serial=mine,drive=d"},
		"SCSI":   {"-device", "virtio-scsi-pci", "-device", "scsi-hd,serial=mine,drive=d"},
	} {
		v, socket := filepath.Join(dir, "v.img"), filepath.Join(dir, "qmp")
		os.Remove(v)
		os.Remove(socket)
		c.mkimage(t, "fs", "mkfs", "--size", "4M", v)
		c.want(t, 0, "")
		cmd := q35(image, append([]string{"-qmp", "unix:" + socket + ",server=on,wait=off", "-drive", "if=none,id=d,format=raw,file=" + v}, device...)...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(cmd); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		guard := time.AfterFunc(bootLimit, func() { cmd.Process.Kill() })
		var said []string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said = append(said, lines.Text())
			if strings.Contains(lines.Text(), "before:") {
				resize(t, socket, 16<<20)
			}
		}
		cmd.Wait()
		guard.Stop()
		got := strings.Join(said, "\n")
		for _, want := range []string{"before: write /data/f: no space left on device", "blocks: 4096", "after: <nil>", "sync: <nil>"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: want %q:\n%s", name, want, got)
			}
		}
		c.mkimage(t, "fs", "check", v)
		c.want(t, 0, "0 problems")
		c.mkimage(t, "fs", "info", v)
		c.want(t, 0, "size: 16777216 bytes")
	}
}

// resize has a machine's disk d be so large.
func resize(t *testing.T, socket string, size int) {
	t.Helper()
	m, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	in := json.NewDecoder(m)
	for _, command := range []map[string]any{{"execute": "qmp_capabilities"}, {"execute": "block_resize", "arguments": map[string]any{"device": "d", "size": size}}} {
		b, _ := json.Marshal(command)
		m.Write(append(b, '\n'))
		for answered := false; !answered; {
			var r map[string]any
			if err := in.Decode(&r); err != nil || r["error"] != nil {
				t.Fatal(err, r["error"])
			}
			answered = r["return"] != nil
		}
	}
}
