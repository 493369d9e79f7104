package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/internal/child"
)

// namespaces skips the test where the host lets no program make a mount namespace, in which a full disk is made without being root.
func namespaces(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("unshare", "--user", "--map-root-user", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("the host lets no program make a mount namespace: %v, %s", err, out)
	}
}

// TestFullDisk builds images of several formats onto a disk that has no room for them, a tmpfs in a mount namespace of its own: one line, exit status 1, and nothing is left there.
func TestFullDisk(t *testing.T) {
	namespaces(t)
	dir := app(t, program("", ""))
	c := call{dir: dir}
	c.mkimage(t, "build", "-o", filepath.Join(dir, "before.iso")) // what is compiled is kept elsewhere
	if c.want(t, 0); t.Failed() {
		return
	}
	full := t.TempDir()
	for _, args := range []string{"-o FULL/x.elf", "-o FULL/x.iso", "-o FULL/x.img", "-o FULL/x.img --data 1M"} {
		script := `mount -t tmpfs -o size=512k tmpfs "$0" && { "$@"; echo "exit $?"; find "$0" -mindepth 1; }`
		command := append([]string{"--user", "--map-root-user", "--mount", "sh", "-c", script, full, tool, "build"}, strings.Fields(strings.ReplaceAll(args, "FULL", full))...)
		cmd := exec.CommandContext(t.Context(), "unshare", command...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("unshare: %v\n%s", err, out)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) > 0 && strings.HasPrefix(lines[0], "mkimage: building") {
			lines = lines[1:]
		}
		if len(lines) != 2 || !strings.HasSuffix(lines[0], ": no space left on device") || lines[1] != "exit 1" {
			t.Errorf("%s:\n%s", args, out)
		}
	}
}

// TestDiskOfFullHost runs an image whose disk is a file on a host without room for what it writes: the program is told, and ends;
// what was durable before is there. By itself QEMU would stop the machine, for ever.
func TestDiskOfFullHost(t *testing.T) {
	t.Parallel()
	namespaces(t)
	dir := app(t, program("fmt os", `
	old, err := os.ReadFile("/data/old")
	fmt.Printf("%q %v\n", old, err)
	if len(os.Args) == 1 {
		fmt.Println(os.WriteFile("/data/old", []byte("durable"), 0o644))
		return
	}
	f, err := os.Create("/data/new")
	if err == nil {
		_, err = f.Write(make([]byte, 16<<20))
	}
	if err == nil {
		err = f.Sync()
	}
	fmt.Println("new:", err)`))
	image, volume, full := filepath.Join(dir, "i.elf"), filepath.Join(dir, "v.img"), t.TempDir()
	c := call{dir: dir}
	c.mkimage(t, "build", "-o", image, "--mount", "0:/data", ".")
	c.want(t, 0)
	for _, bus := range []string{"virtio", "scsi", "nvme"} {
		os.Remove(volume)
		c.mkimage(t, "fs", "mkfs", "--size", "64M", volume)
		c.want(t, 0)
		c.mkimage(t, "run", "--disk", volume, image)
		c.want(t, 0, "<nil>")
		script := `mount -t tmpfs -o size=4m tmpfs "$0" && cp --sparse=always "$1" "$0/v.img" && shift && { "$@"; echo "exit $?"; cp --sparse=always "$0/v.img" v.img; }`
		cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, full, volume,
			"timeout", "120", tool, "run", "--disk", filepath.Join(full, "v.img")+",bus="+bus, image, "--", "new")
		cmd.Dir = dir
		out, err := child.CombinedOutput(cmd)
		if text := string(out); err != nil || !strings.Contains(text, `"durable" <nil>`) || !regexp.MustCompile(`new: (write|sync) /data/new: input/output error`).MatchString(text) || !strings.Contains(text, "exit 0") {
			t.Errorf("%s: %v\n%s", bus, err, text)
		}
		c.mkimage(t, "fs", "cat", volume+":/old")
		c.want(t, 0, "durable")
		c.mkimage(t, "fs", "check", volume)
		c.want(t, 0, "0 problems")
	}
}
