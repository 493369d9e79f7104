package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// A pc is a machine that boots an image without mkimage's help: the image is all it gets.
type pc struct {
	kind   string // QEMU's machine, q35 where nothing is said
	memory string // 64M
	cpus   int    // 1
	cpu    string // QEMU's -cpu, max
	uefi   bool   // with OVMF in place of SeaBIOS
	until  string // stop it when this has been on the console; "": the machine stops by itself
}

// bootLimit is how long a machine may run. It is generous for a busy host.
const bootLimit = 5 * time.Minute

// boot starts QEMU and returns what was on the console when it stopped.
func (m pc) boot(t *testing.T, args ...string) string {
	t.Helper()
	or := func(v, d string) string {
		if v == "" {
			return d
		}
		return v
	}
	if m.uefi {
		vars := filepath.Join(t.TempDir(), "vars.fd")
		data, err := os.ReadFile("/usr/share/OVMF/OVMF_VARS_4M.fd")
		if err == nil {
			err = os.WriteFile(vars, data, 0o666)
		}
		if err != nil {
			t.Fatalf("%v (ci/install installs it)", err)
		}
		args = append([]string{"-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd", "-drive", "if=pflash,format=raw,file=" + vars}, args...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append([]string{"-M", or(m.kind, "q35"), "-accel", "tcg", "-cpu", or(m.cpu, "max"), "-m", or(m.memory, "64M"),
		"-smp", fmt.Sprint(max(m.cpus, 1)), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"}, args...)...)
	console := &awaited{until: m.until, found: cancel}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = console, console, 5*time.Second
	err := child.Run(cmd)
	if err != nil && !console.seen || m.until != "" && !console.seen {
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
		saidHello(t, pc{cpus: 2}.boot(t, "-drive", "snapshot=on,format=raw,file="+disk), 2, "from GRUB")
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
	jump := func(t *testing.T, target, params, line, extra uint64) string {
		dir := t.TempDir()
		obj, loader := filepath.Join(dir, "jump.o"), filepath.Join(dir, "jump.elf")
		judge(t, "as", "--64", fmt.Sprintf("--defsym=TARGET=%#x", target), fmt.Sprintf("--defsym=PARAMS=%#x", params), fmt.Sprintf("--defsym=LINE=%#x", line), fmt.Sprintf("--defsym=EXTRA=%d", extra), "-o", obj, "testdata/linux64/jump.S")
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
		saidHello(t, pc{}.boot(t, "-kernel", jump(t, entry, 0, 0, 0), "-device", "loader,file="+image, "-append", "arg=by arg=ELF"), 1, "by ELF")
	})
	t.Run("many entries in the memory map", func(t *testing.T) { // of q35's own the fourth is the memory: the last one that is kept
		t.Parallel()
		image := hello(t, "hello.elf")
		data, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		entry := binary.LittleEndian.Uint64(data[24:])
		const line = "hardtack: the memory map has more than 64 entries: the others are left out"
		for extra, want := range map[uint64]string{50: "arguments: [by ELF]", 60: "arguments: [by ELF]", 61: "KiB of memory; the image needs"} {
			out := pc{}.boot(t, "-kernel", jump(t, entry, 0, 0, extra), "-device", "loader,file="+image, "-append", "arg=by arg=ELF")
			if !strings.Contains(out, want) || strings.Contains(out, line) != (extra >= 60) {
				t.Errorf("%d further entries:\n%s", extra, out)
			}
		}
	})
	image := hello(t, "hello.bzimage")
	data, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	kernel := filepath.Join(t.TempDir(), "kernel")
	if err := os.WriteFile(kernel, data[(int(data[0x1f1])+1)*512:], 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ params, line uint64 }{{0, 0}, {0x7100, 0x8a00}, {0x2000, 0x7f80}} { // the last two where the loader puts code of its own
		t.Run(fmt.Sprintf("bzimage %#x %#x", c.params, c.line), func(t *testing.T) {
			t.Parallel()
			saidHello(t, pc{}.boot(t, "-kernel", jump(t, 0x100200, c.params, c.line, 0), "-device", "loader,force-raw=on,addr=0x100000,file="+kernel, "-append", "arg=by arg=bzImage"), 1, "by bzImage")
		})
	}
}

// damaged copies a file and changes a byte of its text in the middle.
func damaged(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("hello from %s on"))
	if at < 0 {
		t.Fatalf("%s has no text of samples/hello", file)
	}
	data[at] ^= 1
	out := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(out, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEFI boots a UEFI program from a folder that QEMU shows as a FAT disk.
func TestEFI(t *testing.T) {
	image := hello(t, "hello.efi", "--", "baked")
	disk := func(t *testing.T, file string) []string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return []string{"-drive", "format=raw,file=fat:rw:" + tree(t, map[string]string{"EFI/BOOT/BOOTX64.EFI": string(data)})}
	}
	t.Run("boot", func(t *testing.T) {
		t.Parallel()
		saidHello(t, pc{uefi: true, memory: "8G", cpus: 4}.boot(t, disk(t, image)...), 4, "baked")
	})
	t.Run("options", func(t *testing.T) { // the firmware's shell passes its command line
		t.Parallel()
		data, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		dir := tree(t, map[string]string{"hello.efi": string(data), "startup.nsh": "fs0:\r\nhello.efi arg=from arg=shell\r\n"})
		saidHello(t, pc{uefi: true, memory: "256M"}.boot(t, "-drive", "format=raw,file=fat:rw:"+dir), 1, "from shell")
	})
	t.Run("damaged", func(t *testing.T) {
		t.Parallel()
		pc{uefi: true, memory: "256M", until: "hardtack: the image is damaged"}.boot(t, disk(t, damaged(t, image))...)
	})
	t.Run("no room", func(t *testing.T) { // the second program finds all that the first one had taken before it gave up
		t.Parallel()
		data, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		large := bytes.Clone(data)
		binary.LittleEndian.PutUint32(large[0x17fc:], 0xf0000000) // field last
		dir := tree(t, map[string]string{"hello.efi": string(data), "large.efi": string(large), "startup.nsh": "fs0:\r\nlarge.efi\r\nhello.efi arg=after arg=all\r\n"})
		out := pc{uefi: true, memory: "256M"}.boot(t, "-drive", "format=raw,file=fat:rw:"+dir)
		saidHello(t, out, 1, "after all")
		if !strings.Contains(out, "hardtack: the firmware keeps memory that the image needs") {
			t.Errorf("console: %q", out)
		}
	})
}

// TestRaw boots a disk under both firmwares, after others have looked at its structures.
func TestRaw(t *testing.T) {
	image := hello(t, "hello.img", "--", "baked")
	disk := "snapshot=on,format=raw,file=" + image
	if out := judge(t, "sgdisk", "-v", image); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk: %s", out)
	}
	data, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	esp := filepath.Join(t.TempDir(), "esp")
	if err := os.WriteFile(esp, data[1<<20:len(data)-1<<20], 0o666); err != nil {
		t.Fatal(err)
	}
	judge(t, "fsck.vfat", "-nv", esp)
	for _, kind := range []string{"pc", "q35"} {
		t.Run("BIOS "+kind, func(t *testing.T) {
			t.Parallel()
			saidHello(t, pc{kind: kind, cpus: 4}.boot(t, "-drive", disk), 4, "baked")
		})
	}
	t.Run("UEFI", func(t *testing.T) {
		t.Parallel()
		saidHello(t, pc{uefi: true}.boot(t, "-drive", disk), 1, "baked")
	})
	t.Run("UEFI 8G", func(t *testing.T) {
		t.Parallel()
		saidHello(t, pc{uefi: true, memory: "8G", cpus: 4}.boot(t, "-drive", disk), 4, "baked")
	})
	t.Run("BIOS 8G", func(t *testing.T) {
		t.Parallel()
		saidHello(t, pc{memory: "8G"}.boot(t, "-drive", disk), 1, "baked")
	})
	t.Run("damaged", func(t *testing.T) {
		t.Parallel()
		pc{until: "hardtack: the image is damaged"}.boot(t, "-drive", "snapshot=on,format=raw,file="+damaged(t, image))
	})
	t.Run("no long mode", func(t *testing.T) {
		t.Parallel()
		pc{cpu: "qemu32", until: "hardtack: this processor has no 64-bit mode"}.boot(t, "-drive", disk)
	})
	t.Run("too little memory", func(t *testing.T) {
		t.Parallel()
		pc{memory: "16M", until: "hardtack: this machine has too little memory for the image"}.boot(t, "-drive", disk)
	})
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		short := filepath.Join(t.TempDir(), "short.img")
		if err := os.WriteFile(short, data[:3<<19], 0o666); err != nil {
			t.Fatal(err)
		}
		pc{until: "hardtack: disk read error"}.boot(t, "-drive", "snapshot=on,format=raw,file="+short)
	})
}

// TestISO boots a CD under both firmwares, as a CD and as the stick that it is copied to.
func TestISO(t *testing.T) {
	image := hello(t, "hello.iso", "--", "baked")
	if out := judge(t, "sgdisk", "-v", image); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk: %s", out)
	}
	out := judge(t, "xorriso", "-indev", image, "-report_el_torito", "plain", "-check_media", "--")
	for _, text := range []string{"Boot record  : El Torito", " BIOS  y   none", " UEFI  y   none", "MBR protective-msdos-label", "GPT", "'HELLO'"} {
		if !strings.Contains(out, text) {
			t.Errorf("xorriso does not say %q: %s", text, out)
		}
	}
	for _, m := range []struct {
		name string
		m    pc
		args []string
	}{
		{"BIOS CD", pc{cpus: 4}, []string{"-cdrom", image}},
		{"BIOS stick", pc{kind: "pc"}, []string{"-drive", "snapshot=on,format=raw,file=" + image}},
		{"UEFI CD", pc{uefi: true, memory: "8G"}, []string{"-cdrom", image}},
		{"UEFI stick", pc{uefi: true, cpus: 4}, []string{"-drive", "snapshot=on,format=raw,file=" + image}},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			saidHello(t, m.m.boot(t, m.args...), max(m.m.cpus, 1), "baked")
		})
	}
}

// TestContainers has qemu-img judge the files that hold the same disk, and boots what it makes of one of each kind.
func TestContainers(t *testing.T) {
	raw := hello(t, "hello.raw", "--", "baked")
	boots := func(t *testing.T, m pc, format, file string) {
		t.Helper()
		saidHello(t, m.boot(t, "-drive", "snapshot=on,format="+format+",file="+file), 1, "baked")
	}
	for _, c := range []struct {
		suffix, format string // QEMU's name
		check, uefi    bool
	}{{"qcow2", "qcow2", true, false}, {"vmdk", "vmdk", true, true}, {"vhd", "vpc", false, false}, {"vdi", "vdi", true, false}} {
		t.Run(c.suffix, func(t *testing.T) {
			t.Parallel()
			file := hello(t, "hello."+c.suffix, "--", "baked")
			if c.check {
				judge(t, "qemu-img", "check", "-f", c.format, file)
			}
			judge(t, "qemu-img", "compare", "-f", "raw", "-F", c.format, raw, file)
			boots(t, pc{uefi: c.uefi}, c.format, file)
		})
	}
	t.Run("gce", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		judge(t, "tar", "-xzSf", hello(t, "hello.tar.gz", "--", "baked"), "-C", dir)
		disk := filepath.Join(dir, "disk.raw")
		if info, err := os.Stat(disk); err != nil || info.Size() != 1<<30 {
			t.Fatalf("disk.raw: %v, %v", info, err)
		}
		if out := judge(t, "sgdisk", "-v", disk); !strings.Contains(out, "No problems found") {
			t.Errorf("sgdisk: %s", out)
		}
		boots(t, pc{}, "raw", disk)
	})
	t.Run("ova", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		judge(t, "tar", "-xf", hello(t, "hello.ova", "--", "baked"), "-C", dir)
		judge(t, "qemu-img", "compare", "-f", "raw", "-F", "vmdk", raw, filepath.Join(dir, "HELLO.vmdk"))
		cmd := exec.Command("sha256sum", "-c", "-")
		mf, err := os.ReadFile(filepath.Join(dir, "HELLO.mf"))
		if err != nil {
			t.Fatal(err)
		}
		// SHA256(name)= hash, as openssl writes it.
		lines := strings.NewReplacer("SHA256(", "", ")= ", " ").Replace(string(mf))
		var sums strings.Builder
		for line := range strings.Lines(lines) {
			name, sum, _ := strings.Cut(strings.TrimSpace(line), " ")
			fmt.Fprintf(&sums, "%s  %s\n", sum, name)
		}
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(sums.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("the manifest: %v\n%s", err, out)
		}
		ovf, err := os.ReadFile(filepath.Join(dir, "HELLO.ovf"))
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(bytes.NewReader(ovf)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("the description is no XML: %v", err)
			}
		}
	})
}

// TestReproducible builds an app twice, in different folders and for different callers, and in a folder of another name: the files are the same.
func TestReproducible(t *testing.T) {
	files := map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": program("fmt", `fmt.Println("same")`)}
	var first map[string][]byte
	for _, dir := range []string{tree(t, files), tree(t, files)} {
		out := t.TempDir()
		built := map[string][]byte{}
		for _, suffix := range []string{"elf", "bzimage", "iso", "tar.gz", "ova"} {
			c := call{dir: dir, env: []string{"SOURCE_DATE_EPOCH=1700000000"}}
			file := filepath.Join(out, "app."+suffix)
			c.mkimage(t, "build", "-trimpath", "-o", file)
			if c.want(t, 0); t.Failed() {
				t.FailNow()
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			built[suffix] = data
		}
		if first == nil {
			first = built
			continue
		}
		for suffix, data := range built {
			if !bytes.Equal(data, first[suffix]) {
				t.Errorf("app.%s differs from folder to folder", suffix)
			}
		}
	}
	c := call{dir: tree(t, files), env: []string{"SOURCE_DATE_EPOCH=soon"}}
	c.mkimage(t, "build", "-o", "app.iso")
	c.want(t, 1, "SOURCE_DATE_EPOCH=soon is not a number of seconds since 1970")
}

// TestInspectFormats reads formats back (all are read by TestOpen of internal/format), and its list of modules and sizes.
func TestInspectFormats(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		suffix string
		texts  []string
	}{
		{"bzimage", []string{"format: bzimage"}},
		{"efi", []string{"format: efi"}},
		{"iso", []string{"format: iso", "BIOS boot", "EFI system"}},
		{"img", []string{"format: raw", "BIOS boot", "EFI system"}},
		{"tar.gz", []string{"format: gce", "disk: 1073741824 bytes"}},
		{"ova", []string{"format: ova", "EFI system"}},
	} {
		file := filepath.Join(dir, "hello."+c.suffix)
		b := call{dir: root(t)}
		b.mkimage(t, "build", "-o", file, "./samples/hello")
		b.want(t, 0)
		i := call{}
		i.mkimage(t, "inspect", file)
		i.want(t, 0, append(c.texts, "boot protocols: PVH, Linux (64-bit)", "libos/posix", "samples/hello", "go: go1.", "name=hello")...)
	}
	file := filepath.Join(dir, "hello.iso")
	sizes := call{}
	sizes.mkimage(t, "inspect", "--sizes", file)
	sizes.want(t, 0, "segment r-x", "code, of it:", "  runtime\n", "    posix\n")
	sbom := call{}
	sbom.mkimage(t, "inspect", "--sbom", file)
	sbom.want(t, 0)
	var list struct {
		BomFormat  string
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(sbom.stdout), &list); err != nil || list.BomFormat != "CycloneDX" {
		t.Fatalf("%v: %s", err, sbom.stdout)
	}
	names := fmt.Sprint(list.Components)
	for _, want := range []string{"{std go1.", "{github.com/hardtack-os/hardtack "} {
		if !strings.Contains(names, want) {
			t.Errorf("the list of modules lacks %q: %s", want, names)
		}
	}
	bad := call{}
	bad.mkimage(t, "inspect", damaged(t, file))
	bad.want(t, 1, "hello.iso: iso: the image is damaged")
}

// TestNoTCP: hello uses no sockets, no files and no drivers, so by its symbols there are none in it; a program with package net has TCP.
func TestNoTCP(t *testing.T) {
	symbols := func(dir, pkg string) string {
		cache := t.TempDir()
		c := call{dir: dir, env: []string{"GOFLAGS=-ldflags=-s=false"}}
		c.mkimage(t, "build", "-v", "-o", filepath.Join(cache, "x.elf"), pkg)
		c.want(t, 0)
		_, after, _ := strings.Cut(c.stderr, " -o ")
		program, _, _ := strings.Cut(after, " ")
		return judge(t, "go", "tool", "nm", strings.TrimSpace(program))
	}
	const ours = "github.com/hardtack-os/hardtack/"
	hello := symbols(root(t), "./samples/hello")
	if !strings.Contains(hello, ours+"libos/posix.") {
		t.Fatalf("not the program's symbols: %.300s", hello)
	}
	for _, no := range []string{"libos/net", "libos/fs", "libos/posix/files", "exo/virtio", "exo."} {
		if strings.Contains(hello, " "+ours+no) {
			t.Errorf("hello has %s in it", no)
		}
	}
	server := symbols(app(t, program("net", `net.Listen("tcp", ":80")`)), ".")
	if !strings.Contains(server, ours+"libos/net/tcp.") {
		t.Error("a program with sockets has no libos/net/tcp in it")
	}
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
		{[]string{"-o", "x.iso", "--format", "raw"}, "--format raw: x.iso has the suffix of format iso; leave out one of the two"},
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
