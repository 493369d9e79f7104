//go:build linux

package volume

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/cffs"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

func opened(t *testing.T, file string, readOnly bool, f func(v *Volume)) {
	t.Helper()
	v, err := Open(file, readOnly)
	if err != nil {
		t.Fatal(err)
	}
	f(v)
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

// TestRoundTrip copies a tree into a volume and out again; the host's diff compares.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	file, from, to := filepath.Join(dir, "v"), filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := Make(file, 8<<20, "label", false, false); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"a": "text", "d/b": strings.Repeat("0123456789", 100_000), "d/e/empty": "", "d/\xff": "x"} {
		name = filepath.Join(from, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o640)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("d/b", filepath.Join(from, "link")); err != nil {
		t.Fatal(err)
	}
	opened(t, file, false, func(v *Volume) {
		if err := v.In(from, "/", false); err == nil {
			t.Error("a folder was copied without being told to")
		}
		if err := v.In(from, "/to", true); err != nil {
			t.Error(err)
		}
	})
	opened(t, file, true, func(v *Volume) {
		if err := v.Out("/to", dir, true); err != nil {
			t.Error(err)
		}
		if out, err := exec.Command("diff", "-r", "--no-dereference", from, to).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		var b bytes.Buffer
		if err := v.Cat(&b, "/to/link"); err != nil || b.Len() != 1_000_000 {
			t.Error(b.Len(), err)
		}
		b.Reset()
		if err := v.Tree(&b, "/"); err != nil || !strings.Contains(b.String(), "    ├── d/\n    │   ├── b\n") || !strings.Contains(b.String(), "link -> d/b") {
			t.Errorf("%v\n%s", err, b.String())
		}
		b.Reset()
		if err := v.List(&b, "/to", true); err != nil || !strings.Contains(b.String(), "-rw-r-----   1     0     0            4 ") {
			t.Errorf("%v\n%s", err, b.String())
		}
		b.Reset()
		if err := v.Info(&b); err != nil || !strings.Contains(b.String(), "label: label\n") || !strings.Contains(b.String(), "unmounted: true") {
			t.Errorf("%v\n%s", err, b.String())
		}
		if err := v.Remove("/to/a", false); err == nil {
			t.Error("a file was removed from a volume that is only read")
		}
		for _, err := range []error{v.Cat(&b, "/to"), v.Cat(&b, "/none"), v.List(&b, "/to/a/b", false), v.Out("/to", dir, false)} {
			if err == nil {
				t.Error("no error")
			}
		}
	})
	opened(t, file, false, func(v *Volume) {
		if err := v.Remove("/to", false); err == nil {
			t.Error("a folder was removed without being told to")
		}
		if err := v.Remove("/to", true); err != nil {
			t.Error(err)
		}
		var b bytes.Buffer
		if err := v.List(&b, "/", false); err != nil || b.Len() != 0 {
			t.Error(b.String(), err)
		}
	})
	var b bytes.Buffer
	if err := Check(&b, file, CheckOptions{}); err != nil || !strings.Contains(b.String(), "0 files, 1 folders") {
		t.Error(b.String(), err)
	}
}

// TestMakeAndResize makes volumes where there is something, or nothing, and makes one larger.
func TestMakeAndResize(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "v")
	if err := Make(file, 0, "", false, false); err == nil || !strings.Contains(err.Error(), "--size") {
		t.Error(err)
	}
	if err := Make(file, 8192, "", false, false); err == nil || !strings.Contains(err.Error(), "too small") {
		t.Error(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a file was left behind")
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("a user's", 1<<19)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Make(file, 0, "", false, false); err == nil || !strings.Contains(err.Error(), "holds bytes of another kind: --force") {
		t.Error(err)
	}
	if b, _ := os.ReadFile(file); !strings.HasPrefix(string(b), "a user's") {
		t.Error("it was written to")
	}
	if err := Make(file, 0, "", true, false); err != nil {
		t.Error(err)
	}
	if err := Resize(file, 1<<20); err == nil || !strings.Contains(err.Error(), "not smaller") {
		t.Error(err)
	}
	if err := Resize(file, 200<<20); err != nil {
		t.Error(err)
	}
	var b bytes.Buffer
	opened(t, file, true, func(v *Volume) { v.Info(&b) })
	if !strings.Contains(b.String(), "size: 209715200 bytes") {
		t.Error(b.String())
	}
	if err := Check(&b, file, CheckOptions{}); err != nil {
		t.Error(err)
	}
}

// TestResizePartition makes a partition larger, as sfdisk does, and then the volume in it, which takes nothing of the next one.
func TestResizePartition(t *testing.T) {
	file := filepath.Join(t.TempDir(), "disk")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, 80<<20)); err != nil {
		t.Fatal(err)
	}
	partitions := func(script string) {
		t.Helper()
		cmd := exec.Command("/sbin/sfdisk", "-q", file)
		cmd.Stdin = strings.NewReader("label: gpt\n" + script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("sfdisk (ci/install brings it): %v\n%s", err, out)
		}
	}
	partitions("start=2048, size=16384\nstart=67584, size=73728\n")
	if err := errors.Join(Make(file+"#1", 0, "", false, false), Make(file+"#2", 0, "next", false, true)); err != nil {
		t.Fatal(err)
	}
	has := func(size string) {
		t.Helper()
		var b bytes.Buffer
		opened(t, file+"#1", true, func(v *Volume) { v.Info(&b) })
		if !strings.Contains(b.String(), "\nsize: "+size+" bytes\n") {
			t.Error(b.String())
		}
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	partitions("start=2048, size=65536\nstart=67584, size=73728\n")
	if err := Resize(file+"#1", 40<<20); err == nil || !strings.Contains(err.Error(), "#1 has 33554432 bytes") {
		t.Error(err)
	}
	has("8388608")
	if err := Resize(file+"#1", 0); err != nil {
		t.Error(err)
	}
	has("33554432")
	if err := Check(io.Discard, file+"#1", CheckOptions{}); err != nil {
		t.Error(err)
	}
	if err := Resize(file+"#1", 32<<20); err != nil { // it is so large
		t.Error(err)
	}
	if err := Resize(file+"#2", 0); err != nil { // its partition has not grown
		t.Error(err)
	}
	after, err := os.ReadFile(file)
	if next := int(67584 * 512); err != nil || !bytes.Equal(before[next:next+2<<20], after[next:next+2<<20]) {
		t.Error("the next partition was written to", err)
	}
	// A file that others have made larger.
	alone := filepath.Join(t.TempDir(), "v")
	if err := errors.Join(Make(alone, 8<<20, "", false, false), os.Truncate(alone, 20<<20), Resize(alone, 0)); err != nil {
		t.Error(err)
	}
	var b bytes.Buffer
	opened(t, alone, true, func(v *Volume) { v.Info(&b) })
	if !strings.Contains(b.String(), "size: 20971520 bytes") {
		t.Error(b.String())
	}
}

// TestDamagedAndInUse checks a damaged volume, repairs what can be, and opens one that somebody uses.
func TestDamagedAndInUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "v")
	if err := Make(file, 4<<20, "", false, false); err != nil {
		t.Fatal(err)
	}
	opened(t, file, false, func(v *Volume) {
		if _, err := Open(file, true); !errors.Is(err, block.ErrInUse) {
			t.Error(err)
		}
	})
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt(make([]byte, 4096), 0)
	f.WriteAt(make([]byte, 4096), 4096)
	f.Close()
	var b bytes.Buffer
	if err := Check(&b, file, CheckOptions{}); !errors.Is(err, ErrDamaged) {
		t.Error(b.String(), err)
	}
	if err := Check(&b, file, CheckOptions{Repair: true}); err != nil {
		t.Error(b.String(), err)
	}
	if err := Check(&b, file, CheckOptions{}); err != nil {
		t.Error(b.String(), err)
	}
}

// torn makes a volume with folders /src/d0 to /src/d3 of 80 files each, damages a node of its tree that has names of /src/d1, and gives what it was before.
func torn(t *testing.T, file string) {
	t.Helper()
	if err := Make(file, 4<<20, "torn", false, false); err != nil {
		t.Fatal(err)
	}
	opened(t, file, false, func(v *Volume) {
		from := t.TempDir()
		for d := range 4 {
			dir := filepath.Join(from, fmt.Sprint("d", d))
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for f := range 80 {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("f", f)), fmt.Appendf(nil, "file %d of %d", f, d), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := v.In(from, "/src", true); err != nil {
			t.Fatal(err)
		}
	})
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for b := 0; b < len(good); b += 4096 {
		if string(good[b+4:b+8]) != "CTRE" || good[b+24] != 0 || !bytes.Contains(good[b:b+4096], []byte("f1")) {
			continue
		}
		bad := bytes.Clone(good)
		bad[b+100] ^= 1
		if err := os.WriteFile(file, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Check(&out, file, CheckOptions{}); errors.Is(err, ErrDamaged) && strings.Contains(out.String(), "names in /src/d1 ") && !strings.Contains(out.String(), "/src/d0") {
			return
		}
	}
	t.Fatal("no node has names of /src/d1")
}

// TestTornFolder has what can be read of a damaged folder listed and copied, with a line for what cannot, and an error.
func TestTornFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "v")
	torn(t, file)
	opened(t, file, true, func(v *Volume) {
		var ls, tree bytes.Buffer
		err := v.List(&ls, "/src/d1", false)
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "/src/d1 in the volume: ") || ls.Len() == 0 {
			t.Error(err, ls.String())
		}
		names := strings.Count(ls.String(), "\n")
		if err := v.Tree(&tree, "/"); !errors.Is(err, syscall.EIO) || strings.Count(tree.String(), "\n") < 3*80+names {
			t.Error(err, tree.String())
		}
		out := filepath.Join(dir, "out")
		if err := v.Out("/src", out, true); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "/src/d1 in the volume: ") {
			t.Error(err)
		}
		for d, want := range map[string]int{"d0": 80, "d2": 80, "d3": 1, "d1": 1} {
			list, err := os.ReadDir(filepath.Join(out, d))
			if err != nil || len(list) < want || d == "d1" && len(list) > names {
				t.Errorf("%s: %d files, %v", d, len(list), err)
			}
		}
	})
}

// TestLossyRepair repairs a damaged folder, and a volume the root of whose tree cannot be read; nothing is changed before it is told to.
func TestLossyRepair(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "v")
	torn(t, file)
	bad, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Check(&b, file, CheckOptions{Repair: true, Back: true}); !errors.Is(err, cffs.ErrLoss) || !strings.Contains(err.Error(), "--repair=lossy") {
		t.Error(err)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, bad) {
		t.Error("a repair without loss changed the volume:", err)
	}
	b.Reset()
	if err := Check(&b, file, CheckOptions{Lossy: true}); err != nil || !strings.Contains(b.String(), "names in /src/d1 (inode ") || !strings.Contains(b.String(), "0 problems") {
		t.Error(err, b.String())
	}
	opened(t, file, true, func(v *Volume) {
		if err := v.Out("/", filepath.Join(dir, "out"), true); err != nil {
			t.Error(err)
		}
	})
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; ; at += 4096 {
		if at == len(good) {
			t.Fatal("no block is the root of the tree")
		}
		if string(good[at+4:at+8]) != "CTRE" || good[at+24] == 0 {
			continue
		}
		bad := bytes.Clone(good)
		bad[at+200] ^= 1
		if err := os.WriteFile(file, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		b.Reset()
		if err := Info(&b, file); err != nil && strings.Contains(err.Error(), "the root of its tree cannot be read") {
			break
		}
	}
	if !strings.Contains(b.String(), "label: torn\nUUID: ") || !strings.Contains(b.String(), "damaged: ") {
		t.Error(b.String())
	}
	b.Reset()
	if err := Check(&b, file, CheckOptions{Lossy: true}); err != nil || !strings.Contains(b.String(), "out of reach are all files and directories") {
		t.Error(err, b.String())
	}
	opened(t, file, true, func(v *Volume) {
		if err := v.Out("/", filepath.Join(dir, "again"), true); err != nil {
			t.Error(err)
		}
	})
	if out, err := exec.Command("diff", "-r", filepath.Join(dir, "out"), filepath.Join(dir, "again")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestCheckFAT checks FAT volumes: nothing is changed that was not asked for, a repair is told, and the copy of the boot sector will do.
func TestCheckFAT(t *testing.T) {
	file := filepath.Join(t.TempDir(), "v")
	if err := Make(file, 40<<20, "mine", false, true); err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(t.TempDir(), "A.TXT")
	if err := os.WriteFile(src, bytes.Repeat([]byte("a"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	opened(t, file, false, func(v *Volume) {
		if err := v.In(src, "/A.TXT", false); err != nil {
			t.Fatal(err)
		}
	})
	ask := func(o CheckOptions) (string, error) {
		var b bytes.Buffer
		err := Check(&b, file, o)
		return b.String(), err
	}
	if s, err := ask(CheckOptions{}); err != nil || !strings.Contains(s, "1 files, 1 folders, 11 clusters of 512 bytes in use, 0 problems") {
		t.Error(s, err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(good, []byte("A       TXT"))
	for _, harm := range []struct {
		do   func(b []byte)
		want string
		loss bool
	}{
		{func(b []byte) { clear(b[:512]) }, "the boot sector is damaged", false},
		{func(b []byte) { b[at+28]++; b[at+29]++ }, "bytes 5120 to 5256 of /A.TXT are nowhere: the chain ends", true},
	} {
		bad := bytes.Clone(good)
		harm.do(bad)
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := ask(CheckOptions{}); !errors.Is(err, ErrDamaged) || !strings.Contains(s, harm.want) {
			t.Error(s, err)
		}
		if _, err := ask(CheckOptions{Lossy: true, Holes: true}); err == nil || !strings.Contains(err.Error(), "--holes are for cffs") {
			t.Error(err)
		}
		s, err := ask(CheckOptions{Repair: true})
		if harm.loss {
			if !errors.Is(err, fat.ErrLoss) || !strings.Contains(err.Error(), "--repair=lossy") {
				t.Error(s, err)
			}
		}
		if now, e := os.ReadFile(file); e != nil || harm.loss && !bytes.Equal(now, bad) || !harm.loss && !bytes.Equal(now, good) {
			t.Error("it is not as it was", e)
		}
		if harm.loss {
			s, err = ask(CheckOptions{Lossy: true})
		}
		if err != nil || !strings.Contains(s, "0 problems") {
			t.Error(s, err)
		}
	}
}

// TestResizeFAT makes a FAT volume larger with all that is in it; a file whose volume cannot be made larger is as it was.
func TestResizeFAT(t *testing.T) {
	file := filepath.Join(t.TempDir(), "v")
	if err := Make(file, 40<<20, "mine", false, true); err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(t.TempDir(), "a file")
	data := bytes.Repeat([]byte("abcdefg"), 100000)
	if err := os.WriteFile(src, data, 0o600); err != nil {
		t.Fatal(err)
	}
	opened(t, file, false, func(v *Volume) {
		if err := v.In(src, "/a file", false); err != nil {
			t.Fatal(err)
		}
	})
	if err := Resize(file, 1<<20); err == nil || !strings.Contains(err.Error(), "not smaller") {
		t.Error(err)
	}
	if err := Resize(file, 64<<30); err == nil || !strings.Contains(err.Error(), "too small: there would be 13") || !strings.Contains(err.Error(), "mkfs --fat --size") {
		t.Error(err)
	}
	if s, err := os.Stat(file); err != nil || s.Size() != 40<<20 {
		t.Error("the file was left larger", err)
	}
	if err := Resize(file, 150<<20); err != nil {
		t.Error(err)
	}
	var b bytes.Buffer
	if err := Check(&b, file, CheckOptions{}); err != nil {
		t.Error(b.String(), err)
	}
	b.Reset()
	opened(t, file, true, func(v *Volume) {
		var info bytes.Buffer
		if err := errors.Join(v.Cat(&b, "/a file"), v.Info(&info)); err != nil || !bytes.Equal(b.Bytes(), data) {
			t.Error("the file is not as it was", err)
		}
		if !strings.Contains(info.String(), "size: 154") {
			t.Error(info.String())
		}
	})
	if out, err := exec.Command("/sbin/fsck.vfat", "-n", file).CombinedOutput(); err != nil {
		t.Errorf("fsck.vfat (ci/install brings it): %v\n%s", err, out)
	}
}

// TestInUseByQEMU gives the file to a machine.
func TestInUseByQEMU(t *testing.T) {
	file := filepath.Join(t.TempDir(), "v")
	if err := Make(file, 4<<20, "", false, false); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-monitor", "stdio", "-drive", "if=none,id=d,format=raw,file="+file)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(cmd); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	out.Read(make([]byte, 1)) // its greeting: it has begun
	for _, readOnly := range []bool{true, false} {
		if v, err := Open(file, readOnly); !errors.Is(err, block.ErrInUse) {
			t.Errorf("read-only %v: %v", readOnly, err)
			if err == nil {
				v.Close()
			}
		}
	}
	in.Write([]byte("quit\n"))
}

// TestMakeRefused leaves a file as it is that holds something else.
func TestMakeRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "letter")
	if err := os.WriteFile(file, []byte("Dear reader"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Make(file, 4<<20, "", false, false); err == nil {
		t.Fatal("a volume was made over a letter")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "Dear reader" {
		t.Errorf("the letter has %d bytes: %v", len(b), err)
	}
}

// TestCopyAgain copies over what is there, and where it cannot end: what is copied is there as a whole, or what was there before.
func TestCopyAgain(t *testing.T) {
	for _, isFAT := range []bool{false, true} {
		dir := t.TempDir()
		file, host := volumeOf(t, isFAT), filepath.Join(dir, "host")
		write := func(name, text string) {
			t.Helper()
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o640)); err != nil {
				t.Fatal(err)
			}
		}
		write(filepath.Join(host, "d/f"), "first")
		at := time.Unix(1_000_000_000, 0)
		if !isFAT {
			if err := os.Symlink("f", filepath.Join(host, "d/link")); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(filepath.Join(host, "d"), at, at); err != nil {
			t.Fatal(err)
		}
		holds := func(v *Volume, name, want string) {
			t.Helper()
			var b bytes.Buffer
			if err := v.Cat(&b, name); err != nil || b.String() != want {
				t.Errorf("%s has %d bytes: %v", name, b.Len(), err)
			}
		}
		opened(t, file, false, func(v *Volume) {
			for _, text := range []string{"first", "second"} {
				write(filepath.Join(host, "d/f"), text)
				if err := v.In(filepath.Join(host, "d"), "/", true); err != nil {
					t.Error(err)
				}
				holds(v, "/d/f", text)
				if text == "first" {
					if err := v.Out("/d", filepath.Join(dir, "once"), true); err != nil {
						t.Error(err)
					}
				}
				if !isFAT {
					holds(v, "/d/link", text)
					write(filepath.Join(host, "g"), "by a link")
					if err := v.In(filepath.Join(host, "g"), "/d/link", false); err != nil {
						t.Error(err)
					}
					holds(v, "/d/f", "by a link")
				}
			}
			for range 2 {
				if err := v.Out("/d", dir, true); err != nil {
					t.Error(err)
				}
			}
			// A reader that fails, and disks that are full.
			err := v.From(io.MultiReader(strings.NewReader(strings.Repeat("x", 3<<20)), iotest.ErrReader(io.ErrUnexpectedEOF)), "/d/f")
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Error(err)
			}
			err = v.From(io.LimitReader(letters{}, 65<<20), "/d/f")
			if !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
			holds(v, "/d/f", map[bool]string{false: "by a link", true: "second"}[isFAT])
			var b bytes.Buffer
			if err := v.List(&b, "/d", false); err != nil || b.String() != map[bool]string{false: "f\nlink\n", true: "f\n"}[isFAT] {
				t.Error(b.String(), err)
			}
			if err := v.Out("/d/f", "/dev/full", false); !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
			if err := v.From(strings.NewReader("stdin"), "/d/new"); err != nil {
				t.Error(err)
			}
			holds(v, "/d/new", "stdin")
			for _, err := range []error{v.From(strings.NewReader(""), "/d"), v.From(strings.NewReader(""), "/no/f"), v.In(filepath.Join(host, "d/f"), "/no/", false), v.In(filepath.Join(host, "d"), "/d/f", true)} {
				if err == nil {
					t.Error("no error")
				}
			}
		})
		if !isFAT {
			if info, err := os.Stat(filepath.Join(dir, "once")); err != nil || !info.ModTime().Equal(at) {
				t.Error(info, err)
			}
			if to, err := os.Readlink(filepath.Join(dir, "d/link")); err != nil || to != "f" {
				t.Error(to, err)
			}
		}
		list, err := os.ReadDir(filepath.Join(dir, "d"))
		if want := map[bool]int{false: 2, true: 1}[isFAT]; err != nil || len(list) != want {
			t.Error(list, err)
		}
		sound(t, file, isFAT)
	}
}

// letters is a reader that does not end.
type letters struct{}

func (letters) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// TestCopyLinks: out of a volume nothing is copied through links that are there instead of folders, and links in a volume that lead round in circles are no place for a file.
func TestCopyLinks(t *testing.T) {
	dir := t.TempDir()
	file, out, other := volumeOf(t, false), filepath.Join(dir, "out"), filepath.Join(dir, "other")
	if err := errors.Join(os.MkdirAll(filepath.Join(out, "d"), 0o755), os.Mkdir(other, 0o755), os.Symlink(other, filepath.Join(out, "d/sub")), os.Symlink(out, filepath.Join(dir, "named"))); err != nil {
		t.Fatal(err)
	}
	opened(t, file, false, func(v *Volume) {
		for _, name := range []string{"/d", "/d/sub"} {
			if e := v.tree.Mkdir(v.root, name, 0o755); e != 0 {
				t.Fatal(e)
			}
		}
		for name, to := range map[string]string{"/a": "b", "/b": "/a"} {
			if e := v.tree.Symlink(to, v.root, name); e != 0 {
				t.Fatal(e)
			}
		}
		if err := v.From(strings.NewReader("text"), "/d/sub/f"); err != nil {
			t.Fatal(err)
		}
		if err := v.Out("/d", out, true); !errors.Is(err, os.ErrExist) {
			t.Error("a link stands for a folder:", err)
		}
		if list, err := os.ReadDir(other); err != nil || len(list) > 0 {
			t.Error("copied to another folder:", list, err)
		}
		if err := os.Remove(filepath.Join(out, "d/sub")); err != nil {
			t.Fatal(err)
		}
		if err := v.Out("/", filepath.Join(dir, "named"), true); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(filepath.Join(out, "d/sub/f")); string(b) != "text" {
			t.Error(string(b), err)
		}
		if err := v.From(strings.NewReader("text"), "/a"); !errors.Is(err, syscall.ELOOP) {
			t.Error(err)
		}
		if err := v.at("/a", false, func(p core.Place) error {
			if _, is := p.Node.(core.Link); !is {
				t.Error("the link is gone")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}
