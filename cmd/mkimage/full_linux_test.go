package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFullDisk builds images of several formats onto a disk that has no room for them, a tmpfs in a mount namespace of its own: one line, exit status 1, and nothing is left there.
func TestFullDisk(t *testing.T) {
	if out, err := exec.Command("unshare", "--user", "--map-root-user", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("the host lets no program make a mount namespace: %v, %s", err, out)
	}
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
