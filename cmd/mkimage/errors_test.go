package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestBadInput shows that each mistake is told in a clear line, with exit
// status 1 and nothing left behind.
func TestBadInput(t *testing.T) {
	dir := tree(t, map[string]string{
		"go.mod":             "module example.com/bad\n\ngo 1.26\n",
		"ok/main.go":         program("", ""),
		"lib/lib.go":         "package lib\n",
		"broken/main.go":     program("", "undefined()"),
		"cgo/main.go":        "package main\n\nimport \"C\"\n\nfunc main() {}\n",
		"needs/main.go":      program("example.com/bad/c", "c.X()"),
		"c/c.go":             "package c\n\nimport \"C\"\n\nfunc X() {}\n",
		"half/main.go":       program("", "f()"),
		"half/c.go":          "package main\n\nimport \"C\"\n\nfunc f() {}\n",
		"key/main.go":        program("", ""),
		"key/libos.toml":     "cpus = 1\nmemmory = \"1G\"\n",
		"fair/main.go":       program("", ""),
		"fair/libos.toml":    "sched = \"fair\"\n",
		"outside/README":     "",
		"plain.txt":          "",
		"disk.qcow2":         "",
		"empty/empty.go":     "package empty\n",
		"large/main.go":      program("", "println(len(text))"),
		"large/text.go":      "package main\n\nimport _ \"embed\"\n\n//go:embed text\nvar text string\n",
		"large/text":         strings.Repeat("0123456789abcdef", 1<<20),
		"noentry/main.go":    program("", ""),
		"noentry/libos.toml": "[build]\nldflags = \"\"\n",
		"excluded/main.go":   "//go:build plan9\n\npackage main\n\nfunc main() {}\n",
		"tests/x_test.go":    "package tests\n",
	})
	for _, x := range []struct{ args, want string }{
		{"build ./lib", "example.com/bad/lib is package lib, not main"},
		{"build ./nowhere", "no package ./nowhere"},
		{"build ./outside", "mkimage: no Go files in "},
		{"build ./excluded", "mkimage: build constraints exclude all Go files in "},
		{"build ./tests", "example.com/bad/tests is package tests, not main"},
		{"run ok", "; for the folder here say ./ok"},
		{"run nowhere.elf", "no image nowhere.elf: no such file or directory"},
		{"run plain.txt", "plain.txt is neither a folder nor a .go file, and no image either"},
		{"run disk.qcow2", "disk.qcow2: run starts ELF images, as mkimage build -o app.elf makes them, and not those of format qcow2"},
		{"build ./plain.txt", "./plain.txt is neither a folder nor a .go file"},
		{"build ./broken", "undefined: undefined"},
		{"build ./cgo", "package example.com/bad/cgo needs cgo"},
		{"build ./needs", "package example.com/bad/c needs cgo"},
		{"build ./half", "some files need cgo"},
		{"build ./key", `libos.toml:2:1: unknown key "memmory"`},
		{"build ./ok ./lib", "one package at a time"},
		{"build ./...", "name one main package"},
		{"build --page-cache 8M,64M ./ok", `page cache "8M,64M": want MOST or MOST,LEAST`},
		{"build --page-cache 8M ./ok", "--page-cache is about volumes and files of the image, and there are none"},
		{"build --bogus ./ok", "unknown flag: --bogus"},
		{"run ./ok -n 3", "unknown shorthand flag: 'n' in -n; flags for the program itself go after --"},
		{"run ./ok -deep", "flags for the program itself go after --"},
		{"build -race ./ok", "race detector needs cgo"},
		{"build -buildmode=pie ./ok", "always built with -buildmode=exe"},
		{"build -mod=bogus ./ok", "-mod"},
		{"build --memory 64Q ./ok", "not a size"},
		{"build --memory 64 ./ok", `"--memory" flag: 64 is a number of bytes, too few: did you mean 64M?`},
		{"build --cpus 65 ./ok", "1 to 64"},
		{"build --cpus 0 ./ok", `"--cpus" flag: 0 CPUs: an image runs on 1 to 64`},
		{"run --disk /dev/null ./broken", "--disk: open /dev/null: it is neither a disk nor a file that could hold one"},
		{"run --cpus two ./ok", "want a number from 1 to 64"},
		{"run --machine amiga ./ok", "unknown machine"},
		{"build --machine q35 ./ok", "unknown flag: --machine: mkimage run has it, for it is about the machine that an image runs on"},
		{"build -p 80:80 ./ok", "unknown shorthand flag: 'p' in -p: mkimage run has it"},
		{"build --ephemeral ./ok", "mkimage run has it"},
		{"build --net none ./ok", "mkimage run has it"},
		{"build --accel kvm ./ok", "mkimage run has it"},
		{"inspect --frob x", "unknown flag: --frob; mkimage inspect --help lists those that are there"},
		{"run --ntp= ./broken", "--ntp: it names no time server"},
		{"run --pcap none/x.pcap ./broken", "--pcap none/x.pcap: there is no folder none"}, // and nothing is compiled before
		{"run --pcap ok ./broken", "--pcap ok: it is a folder; name a file"},
		{"run --disk none.img ./broken", "--disk: there is no none.img; mkimage fs mkfs --size 1G none.img makes one"},
		{"run --disk plain.txt:data ./broken", "--disk: there is no plain.txt:data; a path in the image begins with a slash: plain.txt:/data"},
		{"run --disk plain.txt ./broken", "--disk: plain.txt is empty; mkimage fs mkfs --size 1G plain.txt makes a volume of it"},
		{"run --disk ok ./broken", "--disk: open ok: it is a folder, not a disk or a file that holds one"},
		{"run --disk large/text --disk large/../large/text:/b ./broken", "--disk: large/text and large/../large/text are one disk"},
		{"build --module libos/nope ./ok", `unknown libOS module "libos/nope": mkimage modules lists those that are there`},
		{"build --module libos/boot ./ok", "unknown libOS module"}, // a folder without a package
		{"build --module libos/vm/bump ./ok", "--module libos/vm/bump is a frame allocator, of which an image has one: choose it by --vm"},
		{"build ./fair", "libos.toml: unknown scheduler \"fair\": have go"},
		{"build --vm nope ./fair", "mkimage: unknown frame allocator"}, // the flag's, not the file's
		{"build --vm example.com/bad/empty ./ok", "example.com/bad/empty is no frame allocator, or a part of one: libos/vm/pool tells"},
		{"build --vm balloon ./ok", `unknown frame allocator "balloon": have buddy, bump, or name a package`},
		{"build --env X ./ok", "want NAME=VALUE"},
		{"build --roots nowhere.pem ./ok", "certificate authorities: want auto, none or a PEM file"},
		{"build --sched fair ./ok", `unknown scheduler "fair": have go, edf, lottery, quantum, stride, or name a package by its import path`},
		{"build --sched stride --module libos/sched/edf ./ok", "--sched stride and --module libos/sched/edf are two schedulers"},
		{"build --sched go --module libos/sched/edf ./ok", "two schedulers"},
		{"run --net bridge ./ok", "want user, none or tap=NAME"},
		{"run -p 80 ./ok", "want HOST:IMAGE, as 8080:80"},
		{"run -p 127.9.9.9:8080:80 ./ok", "the program uses no sockets"},
		{"run --net none -p 127.9.9.9:8080:80 ./ok", "--net user only"},
		{"run --pcap x.pcap ./ok", "the machine has no network card"},
		{"build --memory 8M -o out.elf ./large", "the image is larger than the memory"},
		{"run --memory 8M ./large", "the image is larger than the memory"},
		{"build -o out.elf -ldflags=-buildmode=pie ./ok", "executable"},
		{"inspect plain.txt", "in no format that mkimage writes"},
		{"inspect nowhere", "nowhere"},
		{"inspect", "inspect: name one image"},
		{"help frobnicate", `unknown command "frobnicate"; mkimage --help names those that are there`},
		{"test ./nowhere", "no package ./nowhere"},
		{"test ./ok -run X", "-run is a flag for the tests, and those go after --: mkimage test ./ok -- -run X"},
		{"test ./ok -- -run X -json", "-json is a flag of mkimage test, not of the tests: it goes before --"},
		{"test ./ok -- -timeout soon", "-timeout: want a duration, as 30s or 10m"},
		{"test ./ok -- -fuzz X", "-fuzz: fuzzing runs its workers as processes"},
		{"test --jobs 0 ./ok", "--jobs 0: want 1 or more"},
		{"test -o x.elf ./ok ./lib", "-o: it names one image, and there are 2 packages"},
		{"test lib/lib.go", "lib/lib.go is a file, and tests are run by package: name its folder, as in mkimage test ./lib"},
		{"frobnicate", `unknown command "frobnicate"; mkimage --help names those that are there`},
		{"biuld ./ok", `unknown command "biuld", did you mean build?; mkimage --help`},
	} {
		c := call{dir: dir}
		c.mkimage(t, strings.Fields(x.args)...)
		c.want(t, 1, x.want)
		if c.stdout != "" {
			t.Errorf("%s: written to standard output: %q", x.args, c.stdout)
		}
		if t.Failed() {
			t.Fatalf("mkimage %s", x.args)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.elf")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestVersion: it tells what it was built of.
func TestVersion(t *testing.T) {
	var c, flag call
	c.mkimage(t, "version")
	c.want(t, 0, "mkimage ", ", built by go1.")
	if flag.mkimage(t, "--version"); flag.code != 0 || flag.stdout != c.stdout {
		t.Errorf("--version: %d, %q", flag.code, flag.stdout)
	}
}

// TestOutputIsADevice shows that what is no file is not replaced by one.
func TestOutputIsADevice(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no named pipes in folders")
	}
	c := call{dir: app(t, program("", ""))}
	pipe := filepath.Join(c.dir, "pipe")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.mkimage(t, "build", "-o", pipe)
	c.want(t, 1, pipe+" is not a regular file: an image cannot be written there")
	c.mkimage(t, "inspect", pipe)
	c.want(t, 1, pipe+" is not a regular file")
	c.mkimage(t, "run", pipe)
	c.want(t, 1, pipe+" is neither a folder nor a .go file, and no image either")
	if info, err := os.Stat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe is gone: %v, %v", info, err)
	}
	c.mkimage(t, "build", "-o", os.DevNull) // as with go build, only an attempt
	c.want(t, 0)
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("the null device is gone: %v, %v", info, err)
	}
	c.mkimage(t, "build", "-o", "new/")
	c.want(t, 0)
	if _, err := os.Stat(filepath.Join(c.dir, "new", "app.elf")); err != nil {
		t.Error(err)
	}
}

// TestMachineThatCannotBe shows that what QEMU cannot do is told in our words.
func TestMachineThatCannotBe(t *testing.T) {
	c := call{dir: app(t, program("net", "net.Listen(\"tcp\", \":80\")"))}
	c.mkimage(t, "run", "--memory", "500T")
	c.want(t, 1, "this machine cannot give 524288000 MiB of memory to another: ask for less by --memory")
	c.dir = app(t, program("", "undefined()")) // nothing is compiled before what follows is told
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c.mkimage(t, "run", "-p", fmt.Sprintf("%d:80", taken.Addr().(*net.TCPAddr).Port))
	c.want(t, 1, fmt.Sprintf("--publish: port %s of this machine: address already in use", taken.Addr()))
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	c.mkimage(t, "run", "-p", fmt.Sprintf("%d:80/udp", udp.LocalAddr().(*net.UDPAddr).Port))
	c.want(t, 1, fmt.Sprintf("--publish: port %s of this machine: address already in use", udp.LocalAddr()))
	if runtime.GOOS == "linux" { // where root may not make files either
		c.mkimage(t, "run", "--pcap", "/sys/x.pcap")
		c.want(t, 1, "--pcap: open /sys/x.pcap: permission denied")
	}
	c.mkimage(t, "run", "--pcap", "x.pcap")
	c.want(t, 1, "undefined: undefined")
	if _, err := os.Stat(filepath.Join(c.dir, "x.pcap")); err == nil {
		t.Error("a capture of nothing was left behind")
	}
}

func TestUnsupportedGo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for the go command is a shell script")
	}
	goRoot := t.TempDir()
	bin := tree(t, map[string]string{"go": "#!/bin/sh\necho '{\"GOROOT\":\"" + goRoot + "\",\"GOVERSION\":\"go1.20.1\",\"GOMODCACHE\":\"/m\"}'\n"})
	if err := os.Chmod(filepath.Join(bin, "go"), 0o777); err != nil {
		t.Fatal(err)
	}
	c := call{dir: app(t, program("", "")), env: []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")}}
	c.mkimage(t, "build")
	c.want(t, 1, "Go 1.20.1", "not supported", "1.26")
}

// pathWithGo is a PATH that has the go command and nothing else of use.
func pathWithGo(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return "PATH=" + filepath.Join(strings.TrimSpace(string(out)), "bin")
}

func TestNoQEMU(t *testing.T) {
	c := call{dir: app(t, program("", "")), env: []string{pathWithGo(t)}}
	c.mkimage(t, "run")
	c.want(t, 1, "qemu-system-x86_64 is not installed", "mkimage doctor")
	c.mkimage(t, "doctor")
	c.want(t, 1, "MISSING  qemu", "ok       go")
}

func TestDoctor(t *testing.T) {
	var c call
	c.mkimage(t, "doctor")
	c.want(t, 0, "ok       go", "ok       qemu", "ok       cache")
}
