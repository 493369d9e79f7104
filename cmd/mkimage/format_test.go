package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A pc is a machine that boots an image without mkimage's help: the image is all it gets.
type pc struct {
	kind   string // QEMU's machine, q35 where nothing is said
	memory string // 64M
	cpus   int    // 1
	cpu    string // QEMU's -cpu, max
	until  string // stop it when this has been on the console; "": the machine stops by itself
}

// bootLimit is how long a machine may run. It is generous for a busy host.
const bootLimit = 2 * time.Minute

// boot starts QEMU and returns what was on the console when it stopped.
func (m pc) boot(t *testing.T, args ...string) string {
	t.Helper()
	or := func(v, d string) string {
		if v == "" {
			return d
		}
		return v
	}
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append([]string{"-M", or(m.kind, "q35"), "-accel", "tcg", "-cpu", or(m.cpu, "max"), "-m", or(m.memory, "64M"),
		"-smp", fmt.Sprint(max(m.cpus, 1)), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"}, args...)...)
	console := &awaited{until: m.until, found: cancel}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = console, console, 5*time.Second
	err := cmd.Run()
	if err != nil && !console.seen {
		t.Errorf("%v: %v", cmd.Args, err)
	}
	if t.Failed() || testing.Verbose() {
		t.Logf("%v\n%s", cmd.Args, console.said.String())
	}
	return console.said.String()
}

// awaited keeps what is written to it, and tells when a text has come.
type awaited struct {
	said  bytes.Buffer // not embedded: its ReadFrom would go past Write
	until string
	seen  bool
	found func()
}

func (w *awaited) Write(p []byte) (int, error) {
	n, err := w.said.Write(p)
	if w.until != "" && !w.seen && strings.Contains(w.said.String(), w.until) {
		w.seen = true
		w.found()
	}
	return n, err
}

// hello builds samples/hello in a format and returns its path.
func hello(t *testing.T, file string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), file)
	c := call{dir: root(t)}
	c.mkimage(t, append([]string{"build", "-o", out, "./samples/hello"}, args...)...)
	if c.want(t, 0); t.Failed() {
		t.FailNow()
	}
	return out
}

// saidHello checks a console for what samples/hello says.
func saidHello(t *testing.T, console string, cpus int, arguments string) {
	t.Helper()
	for _, text := range []string{"hello from go1.", fmt.Sprintf(" on %d CPU(s)", cpus), "arguments: [" + arguments + "]"} {
		if !strings.Contains(console, text) {
			t.Errorf("no %q on the console:\n%s", text, console)
		}
	}
}

// TestBzImage boots a bzImage as QEMU -kernel does, by its real-mode code, and as GRUB does, by its 32-bit entry.
func TestBzImage(t *testing.T) {
	image := hello(t, "hello.bzimage", "--", "baked")
	t.Run("qemu", func(t *testing.T) {
		t.Parallel()
		saidHello(t, pc{kind: "pc", cpus: 2}.boot(t, "-kernel", image), 2, "baked")
	})
	t.Run("command line", func(t *testing.T) {
		t.Parallel()
		saidHello(t, pc{memory: "8G"}.boot(t, "-kernel", image, "-append", `arg="a b" arg=c`), 1, "a b c")
	})
	t.Run("too little memory", func(t *testing.T) {
		t.Parallel()
		if out := (pc{memory: "5M", until: "KiB\n"}).boot(t, "-kernel", image); !strings.Contains(out, "the image needs more than") {
			t.Errorf("console: %q", out)
		}
	})
	t.Run("no long mode", func(t *testing.T) {
		t.Parallel()
		if out := (pc{cpu: "qemu32", until: "64-bit mode"}).boot(t, "-kernel", image); !strings.HasPrefix(out, "hardtack: this processor has no 64-bit mode") {
			t.Errorf("console: %q", out)
		}
	})
	t.Run("grub", func(t *testing.T) {
		t.Parallel()
		disk := grubDisk(t, image, "arg=from arg=GRUB")
		saidHello(t, pc{cpus: 2}.boot(t, "-drive", "format=raw,file="+disk), 2, "from GRUB")
	})
}

// grubDisk makes a disk with GRUB, which loads the kernel and passes it words.
func grubDisk(t *testing.T, kernel, words string) string {
	t.Helper()
	dir := tree(t, map[string]string{"boot/grub/grub.cfg": "linux /kernel " + words + "\nboot\n"})
	data, err := os.ReadFile(kernel)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kernel"), data, 0o666); err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(t.TempDir(), "grub.img")
	judge(t, "grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", disk, dir)
	return disk
}

// judge runs a program of others, which must succeed, and returns what it says. ci/install installs them.
func judge(t *testing.T, argv ...string) string {
	t.Helper()
	name := argv[0]
	if path, err := exec.LookPath(filepath.Join("/usr/sbin", name)); err == nil {
		name = path // not in everybody's PATH
	}
	out, err := exec.Command(name, argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v (ci/install installs it)\n%s", argv, err, out)
	}
	return string(out)
}

// TestLinux64 enters an image, and a bzImage, by the 64-bit Linux boot protocol. QEMU loads the segments, testdata/linux64/jump.S is the loader.
func TestLinux64(t *testing.T) {
	jump := func(t *testing.T, target uint64) string {
		dir := t.TempDir()
		obj, loader := filepath.Join(dir, "jump.o"), filepath.Join(dir, "jump.elf")
		judge(t, "as", "--64", fmt.Sprintf("--defsym=TARGET=%#x", target), "-o", obj, "testdata/linux64/jump.S")
		judge(t, "ld", "-Ttext", "0x3000000", "-o", loader, obj)
		return loader
	}
	t.Run("elf", func(t *testing.T) {
		t.Parallel()
		image := hello(t, "hello.elf")
		data, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		entry := binary.LittleEndian.Uint64(data[24:])
		saidHello(t, pc{}.boot(t, "-kernel", jump(t, entry), "-device", "loader,file="+image, "-append", "arg=by arg=ELF"), 1, "by ELF")
	})
	t.Run("bzimage", func(t *testing.T) {
		t.Parallel()
		image := hello(t, "hello.bzimage")
		data, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		kernel := filepath.Join(t.TempDir(), "kernel")
		if err := os.WriteFile(kernel, data[(int(data[0x1f1])+1)*512:], 0o666); err != nil {
			t.Fatal(err)
		}
		saidHello(t, pc{}.boot(t, "-kernel", jump(t, 0x100200), "-device", "loader,force-raw=on,addr=0x100000,file="+kernel, "-append", "arg=by arg=bzImage"), 1, "by bzImage")
	})
}

// TestFormatErrors: what names no format is refused before anything is built.
func TestFormatErrors(t *testing.T) {
	dir := app(t, program("", ""))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-o", "x.floppy"}, "x.floppy: no format has the suffix .floppy: name one by --format (elf, "},
		{[]string{"--format", "floppy"}, `unknown format "floppy": have elf, `},
	} {
		call := call{dir: dir}
		call.mkimage(t, append([]string{"build"}, c.args...)...)
		call.want(t, 1, c.want)
		if n := strings.Count(call.stderr, "\n"); n != 1 {
			t.Errorf("%v: %d lines", c.args, n)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 2 {
			t.Errorf("%v left files: %v", c.args, files)
		}
	}
}
