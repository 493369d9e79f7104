package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFSMount mounts a volume, writes to it and ends the mount: by Ctrl-C, and by killing who serves it. What was synced is there.
func TestFSMount(t *testing.T) {
	t.Parallel()
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("the host lets nobody mount by FUSE: %v", err)
	}
	fuse.Close()
	v, dir := filepath.Join(t.TempDir(), "v.img"), t.TempDir()
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", v)
	c.want(t, 0, "")
	text := bytes.Repeat([]byte("text"), 10_000)
	for name, end := range map[string]syscall.Signal{"interrupted": syscall.SIGINT, "killed": syscall.SIGKILL} {
		server := (&call{}).command(t, "fs", "mount", v, dir)
		out, err := server.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		server.Stderr = os.Stderr
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || !strings.Contains(lines.Text(), "is mounted on "+dir) {
			server.Process.Kill()
			t.Fatalf("%q, %v", lines.Text(), server.Wait())
		}
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(text); err != nil {
			t.Error(err)
		}
		if err := f.Sync(); err != nil {
			t.Error(err)
		}
		f.Close()
		ended := make(chan error, 1)
		go func() { ended <- server.Wait() }()
		for again := true; again; { // as onHost of internal/volume
			server.Process.Signal(end)
			select {
			case err = <-ended:
				again = false
			case <-time.After(time.Second):
			}
		}
		if end == syscall.SIGKILL {
			umount := exec.Command("umount", "-l", dir)
			if os.Geteuid() != 0 {
				umount = exec.Command("fusermount3", "-u", "-z", dir)
			}
			if out, err := umount.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		} else if err != nil {
			t.Error(err)
		}
		c.mkimage(t, "fs", "check", v)
		c.want(t, 0, "0 problems")
		c.mkimage(t, "fs", "cat", v+":/"+name)
		c.want(t, 0, string(text))
	}
}
