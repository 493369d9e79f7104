package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// fuses skips a test where the host has no FUSE.
func fuses(t *testing.T) {
	t.Helper()
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("the host lets nobody mount by FUSE: %v", err)
	}
	fuse.Close()
}

// serve mounts a volume on a folder.
func serve(t *testing.T, v, dir string) *exec.Cmd {
	t.Helper()
	server := (&call{}).command(t, "fs", "mount", v, dir)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Stderr = os.Stderr
	if err := child.Start(server); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), "is mounted on "+dir) {
		server.Process.Kill()
		t.Fatalf("%q, %v", lines.Text(), server.Wait())
	}
	return server
}

// end ends who serves a mount by a signal, which is sent until it does: what is open keeps the mount.
func end(server *exec.Cmd, by syscall.Signal) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	for { // as onHost of internal/volume
		server.Process.Signal(by)
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Second):
		}
	}
}

// TestFSMount mounts a volume, writes to it and ends the mount: by Ctrl-C, and by killing who serves it. What was synced is there.
func TestFSMount(t *testing.T) {
	t.Parallel()
	fuses(t)
	v, dir := filepath.Join(t.TempDir(), "v.img"), t.TempDir()
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", v)
	c.want(t, 0, "")
	text := bytes.Repeat([]byte("text"), 10_000)
	for name, by := range map[string]syscall.Signal{"interrupted": syscall.SIGINT, "killed": syscall.SIGKILL} {
		server := serve(t, v, dir)
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
		err = end(server, by)
		if by == syscall.SIGKILL {
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

// byUser mounts a volume, works on it and ends the mount, all in the folder $1 and by whoever runs it; then once more to read only.
const byUser = `
set -e
cd "$1"
serve() {
	: >said # of the last time
	./mkimage fs mount "$@" v.img m >>said &
	p=$!
	trap 'kill $p' EXIT
	i=0
	until grep -q 'is mounted on' said; do
		sleep 0.1
		kill -0 $p
		i=$((i+1))
		[ $i -lt 300 ]
	done
}
end() {
	kill -TERM $p
	wait $p
	trap - EXIT
	! mountpoint -q m
	echo "ended"
}
umask 027
mkdir m
./mkimage fs mkfs --size 16M v.img
serve
mkdir m/d
echo text >m/d/f
ln -s f m/d/l
[ "$(stat -c '%u %g' m m/d m/d/f m/d/l | sort -u)" = "$(id -u) $(id -g)" ]
[ "$(stat -c '%a' m/d m/d/f | tr '\n' ' ')" = "750 640 " ]
chmod 0 m/d/f
cat m/d/f
touch m/d/given
chown 5:6 m/d/given
end
./mkimage fs ls -l v.img:/d
serve --read-only
touch m/d/no 2>&1 || true
end
./mkimage fs check v.img
`

// TestFSMountByUser has somebody mount a volume who is not root: fusermount3 does it for them, what is root's in the volume is theirs, and SIGTERM ends it.
func TestFSMountByUser(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("the host's kernel has no FUSE: %v", err)
	}
	dir := t.TempDir()
	copied, err := os.ReadFile(tool) // its folder is ours alone
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "mkimage"), copied, 0o755), os.WriteFile(filepath.Join(dir, "script"), []byte(byUser), 0o644)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", filepath.Join(dir, "script"), dir)
	if os.Geteuid() == 0 {
		// Some hosts let only root open /dev/fuse: it is another one in a mount namespace of the test's.
		if err := errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Dir(dir), 0o755), os.Mkdir(filepath.Join(dir, "dev"), 0o755)); err != nil {
			t.Fatal(err)
		}
		cmd = exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", `
			mount -t tmpfs none "$1/dev"
			mknod "$1/dev/fuse" c 10 229
			chmod 666 "$1/dev/fuse"
			mount --bind "$1/dev/fuse" /dev/fuse
			exec setpriv --reuid 65534 --regid 65534 --clear-groups sh "$1/script" "$1"`, "sh", dir)
	}
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"text\nended\n", "----------   1     0     0            5 ", "lrwxrwxrwx   1     0     0 ", "-rw-r-----   1     5     6            0 ", "Read-only file system\nended\n", "3 files, 2 folders", " 0 problems"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q", want)
		}
	}
	if err != nil || t.Failed() {
		t.Errorf("%v\n%s", err, out)
	}
}
