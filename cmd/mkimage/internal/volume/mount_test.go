//go:build linux

package volume

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/posixtest"
)

var fioSize = flag.String("fio", "512k", "how much each of fio's jobs writes to a mounted volume")

// onHost mounts a volume on a folder for f, and waits until the mount has ended.
func onHost(t *testing.T, file string, o MountOptions, f func(dir string)) {
	t.Helper()
	haveFUSE(t)
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("fusermount3"); err != nil {
			t.Fatal("neither root nor fusermount3: ci/install brings it")
		}
	}
	dir := t.TempDir()
	stop, ended := make(chan os.Signal, 1), make(chan error, 1)
	r, w := io.Pipe()
	go func() {
		err := Mount(w, file, dir, o, stop)
		w.CloseWithError(io.ErrUnexpectedEOF)
		ended <- err
	}()
	line := make([]byte, 1000)
	if _, err := r.Read(line); err != nil {
		t.Fatal(<-ended)
	}
	go io.Copy(io.Discard, r)
	defer func() {
		for again := time.NewTicker(time.Second); ; { // a child that another test is just starting has the mount's files open for a moment, and the kernel says EBUSY
			select {
			case stop <- os.Interrupt:
			default:
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
				return
			case <-again.C:
			}
		}
	}()
	f(dir)
}

// haveFUSE skips a test where the host's kernel lets nobody mount by FUSE.
func haveFUSE(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("the host lets nobody mount by FUSE: %v", err)
	}
	f.Close()
}

// TestMountAnswers compares what a mounted volume answers with what the host's own filesystem does: to names of extended attributes, access(2), and chown(2) of a file with special bits.
func TestMountAnswers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chown(2), and what is trusted, are root's")
	}
	file := filepath.Join(t.TempDir(), "v")
	if err := Make(file, 16<<20, "", false, false); err != nil {
		t.Fatal(err)
	}
	host := t.TempDir()
	if err := syscall.Setxattr(host, "user.a", nil, 0); err != nil {
		t.Skipf("the host's filesystem, which is compared with, has no extended attributes: %v", err)
	}
	answers := func(dir string) (list []string) {
		say := func(what string, v any, err error) { list = append(list, fmt.Sprint(what, ": ", v, " ", err)) }
		f := filepath.Join(dir, "f")
		if err := os.WriteFile(f, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"nope", "user", "user.", "user.a", ".a", "other.a", "trusted.", "trusted.a", "security.", "system.", "system.a"} {
			say("set "+name, nil, syscall.Setxattr(f, name, []byte("x"), 0))
			n, err := syscall.Getxattr(f, name, make([]byte, 10))
			say("get "+name, n, err)
		}
		b := make([]byte, 1000)
		n, err := syscall.Listxattr(f, b)
		names := strings.Split(string(b[:max(n, 0)]), "\x00")
		slices.Sort(names)
		say("list", names, err)
		for _, name := range []string{"nope", "user.", "user.a", "system.a"} {
			say("remove "+name, nil, syscall.Removexattr(f, name))
		}
		for _, mode := range []uint32{0, 0o644, 0o744, 0o611, 0o4644} {
			if err := syscall.Chmod(f, mode); err != nil {
				t.Fatal(err)
			}
			for _, want := range []uint32{0, 1, 2, 4, 7} {
				say(fmt.Sprintf("access %o of %o", want, mode), nil, syscall.Access(f, want))
			}
		}
		say("access of a folder", nil, syscall.Access(dir, 7))
		for _, mode := range []uint32{0o1755, 0o7755, 0o4755, 0o2755, 0o2745, 0o3644, 0o6777, 0o755} {
			for _, id := range [][2]int{{7, -1}, {-1, 8}, {0, 0}, {-1, -1}} {
				if id[0]&id[1] < 0 && mode&0o1000 != 0 { // such a chown(2) is a chmod(2) without the sticky bit to who serves the mount
					continue
				}
				var st syscall.Stat_t
				err := errors.Join(syscall.Chmod(f, mode), syscall.Chown(f, id[0], id[1]), syscall.Stat(f, &st))
				say(fmt.Sprintf("chown of %o to %v", mode, id), fmt.Sprintf("%o %d %d", st.Mode, st.Uid, st.Gid), err)
			}
		}
		return list
	}
	want := answers(host)
	onHost(t, file, MountOptions{}, func(dir string) {
		got := answers(dir)
		for i, w := range want {
			if got[i] != w {
				t.Errorf("%s, on the host %s", got[i], w)
			}
		}
	})
}

// volumeOf makes one of either kind.
func volumeOf(t *testing.T, isFAT bool) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "v")
	if err := Make(file, 64<<20, "", false, isFAT); err != nil {
		t.Fatal(err)
	}
	return file
}

// sound has the volume's judge look at it: ours for cffs, fsck.vfat for FAT.
func sound(t *testing.T, file string, isFAT bool) {
	t.Helper()
	if isFAT {
		if out, err := exec.Command("fsck.vfat", "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	var b bytes.Buffer
	if err := Check(&b, file, CheckOptions{}); err != nil {
		t.Errorf("%v\n%s", err, b.Bytes())
	}
}

const noLinks, noLock = "FAT has no links", "record locks of one process never collide on Linux: go-fuse leaves it out on the host, too"

// notPOSIX are posixtest's tests that a kind of volume cannot pass. Those about what FAT has not got, extended attributes and O_TMPFILE, skip themselves.
var notPOSIX = map[bool]map[string]string{
	false: {"FcntlFlockLocksFile": noLock},
	true: {
		"FcntlFlockLocksFile": noLock,
		"Link":                noLinks,
		"LinkUnlinkRename":    noLinks,
		"SymlinkReadlink":     noLinks,
		"SetattrSymlink":      noLinks,
		"OpenSymlinkRace":     noLinks,
		"Fallocate":           "FAT keeps no space for what is not written",
		"FallocateKeepSize":   "FAT keeps no space for what is not written",
	},
}

// TestPOSIX runs go-fuse's tests of what a filesystem of a Unix does on mounted volumes.
func TestPOSIX(t *testing.T) {
	for _, isFAT := range []bool{false, true} {
		t.Run(map[bool]string{false: "cffs", true: "FAT"}[isFAT], func(t *testing.T) {
			file := volumeOf(t, isFAT)
			onHost(t, file, MountOptions{}, func(dir string) {
				for name, f := range posixtest.All {
					if why, ok := notPOSIX[isFAT][name]; ok {
						t.Logf("%s is left out: %s", name, why)
						continue
					}
					t.Run(name, func(t *testing.T) {
						dir := filepath.Join(dir, name)
						if err := os.Mkdir(dir, 0o777); err != nil {
							t.Fatal(err)
						}
						f(t, dir)
					})
				}
			})
			sound(t, file, isFAT)
		})
	}
}

// TestMount mounts volumes to read only, unmounts while one is in use, and by umount, and looks whether all is there afterwards.
func TestMount(t *testing.T) {
	haveFUSE(t)
	for _, isFAT := range []bool{false, true} {
		file := volumeOf(t, isFAT)
		text := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
		var open *os.File
		dir := t.TempDir()
		stop, ended := make(chan os.Signal), make(chan error, 1)
		r, w := io.Pipe()
		lines := bufio.NewScanner(r)
		go func() { ended <- errors.Join(Mount(w, file, dir, MountOptions{}, stop), w.Close()) }()
		if !lines.Scan() || !strings.Contains(lines.Text(), "is mounted on") {
			t.Fatal(lines.Text(), <-ended)
		}
		if v, err := Open(file, false); err == nil {
			t.Error("a mounted volume was opened again")
			v.Close()
		}
		if err := errors.Join(os.Mkdir(dir+"/d", 0o755), os.WriteFile(dir+"/d/f", text, 0o644), os.WriteFile(dir+"/gone", text, 0o644)); err != nil {
			t.Fatal(err)
		}
		open, err := os.Open(dir + "/gone")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(dir + "/gone"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+strings.Repeat("x", 256), nil, 0o644); !errors.Is(err, syscall.ENAMETOOLONG) {
			t.Error(err)
		}
		stop <- os.Interrupt
		if !lines.Scan() || !strings.Contains(lines.Text(), "is in use") {
			t.Error(lines.Text())
		}
		if b, err := io.ReadAll(open); err != nil || !bytes.Equal(b, text) {
			t.Error(len(b), err)
		}
		open.Close()
		umount := exec.Command("umount", dir)
		if os.Geteuid() != 0 {
			umount = exec.Command("fusermount3", "-u", dir)
		}
		if out, err := umount.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		sound(t, file, isFAT)
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		onHost(t, file, MountOptions{ReadOnly: true}, func(dir string) {
			if b, err := os.ReadFile(dir + "/d/f"); err != nil || !bytes.Equal(b, text) {
				t.Error(len(b), err)
			}
			if err := os.WriteFile(dir+"/new", text, 0o644); !errors.Is(err, syscall.EROFS) {
				t.Error(err)
			}
			if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
				t.Error(list, err)
			}
		})
		if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
			t.Error("a volume that was mounted to be read was written to", err)
		}
	}
	if err := Mount(io.Discard, volumeOf(t, false), t.TempDir()+"/no", MountOptions{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := Mount(io.Discard, "/dev/null", t.TempDir(), MountOptions{}, nil); err == nil {
		t.Error("/dev/null was mounted")
	}
}

// TestSetGroup: a folder made in one that has the set-group bit has that, and its group; a file has the group.
func TestSetGroup(t *testing.T) {
	haveFUSE(t)
	if os.Geteuid() != 0 {
		t.Skip("only root gives folders to other groups")
	}
	onHost(t, volumeOf(t, false), MountOptions{}, func(dir string) {
		if err := errors.Join(os.Mkdir(dir+"/d", 0o755), os.Chown(dir+"/d", 5, 6), os.Chmod(dir+"/d", 0o775|os.ModeSetgid), os.Mkdir(dir+"/d/e", 0o755), os.WriteFile(dir+"/d/f", nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]uint32{"/d/e": syscall.S_IFDIR | syscall.S_ISGID | 0o755, "/d/f": syscall.S_IFREG | 0o644} {
			var st syscall.Stat_t
			if err := syscall.Stat(dir+name, &st); err != nil || st.Mode != mode || st.Gid != 6 {
				t.Errorf("%s: mode %o, group %d, %v; want %o, 6", name, st.Mode, st.Gid, err, mode)
			}
		}
	})
}

// TestFio has fio write to mounted volumes in three ways at once, and verify what it reads.
func TestFio(t *testing.T) {
	for _, isFAT := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "v")
		if err := Make(file, 1<<30, "", false, isFAT); err != nil {
			t.Fatal(err)
		}
		onHost(t, file, MountOptions{}, func(dir string) {
			cmd := exec.Command("fio", "--directory="+dir, "--size="+*fioSize, "--verify=crc32c", "--verify_fatal=1", "--do_verify=1", "--randseed=7",
				"--name=random", "--rw=randwrite", "--bs=4k", "--ioengine=psync", "--fsync=64",
				"--name=sizes", "--rw=randwrite", "--bsrange=512-128k", "--ioengine=psync", "--fdatasync=16",
				"--name=mapped", "--rw=randwrite", "--bs=4k", "--ioengine=mmap",
				"--name=order", "--rw=write", "--bs=64k", "--ioengine=psync", "--end_fsync=1",
			)
			cmd.Dir = t.TempDir() // where it leaves files about what it has verified
			out, err := cmd.CombinedOutput()
			if err != nil || bytes.Contains(out, []byte("verify:")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
		sound(t, file, isFAT)
	}
}

// TestOthers lets other users use root's mount: as far as owners and modes permit. What they make is theirs.
func TestOthers(t *testing.T) {
	haveFUSE(t)
	if os.Geteuid() != 0 {
		t.Skip("only root may be somebody else")
	}
	for _, isFAT := range []bool{false, true} {
		file := volumeOf(t, isFAT)
		onHost(t, file, MountOptions{AllowOther: true}, func(dir string) {
			for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(os.WriteFile(dir+"/mine", []byte("mine"), 0o600), os.WriteFile(dir+"/all", []byte("all"), 0o644), os.Mkdir(dir+"/open", 0o777), os.Chmod(dir+"/open", 0o777)); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", "-c", `cat mine; cat all; echo; echo x >all; echo x >open/new && ln -s new open/link && stat -c '%u %g' open/new open/link; true`)
			cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65533}}
			out, err := cmd.CombinedOutput()
			want := []string{"cat: mine: Permission denied\nall\n", "all: Permission denied\n", "65534 65533\n65534 65533\n"}
			if isFAT { // it knows of no owners, and all may read
				want = []string{"mineall\n", "all: Permission denied\n", "open/new: Permission denied"}
			}
			for _, w := range want {
				if err != nil || !strings.Contains(string(out), w) {
					t.Errorf("FAT %v: no %q: %v\n%s", isFAT, w, err, out)
				}
			}
		})
		sound(t, file, isFAT)
	}
}

// TestSwap exchanges root and who mounts, and nobody else.
func TestSwap(t *testing.T) {
	for _, c := range [][3]uint32{{0, 1000, 1000}, {1000, 1000, 0}, {5, 1000, 5}, {0, 0, 0}, {7, 0, 7}} {
		if got := swap(c[0], c[1]); got != c[2] || swap(got, c[1]) != c[0] {
			t.Errorf("swap(%d, %d) is %d", c[0], c[1], got)
		}
	}
}
