package main

import (
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
		"outside/README":     "",
		"plain.txt":          "",
		"large/main.go":      program("", "println(len(text))"),
		"large/text.go":      "package main\n\nimport _ \"embed\"\n\n//go:embed text\nvar text string\n",
		"large/text":         strings.Repeat("0123456789abcdef", 1<<20),
		"noentry/main.go":    program("", ""),
		"noentry/libos.toml": "[build]\nldflags = \"\"\n",
	})
	for _, x := range []struct{ args, want string }{
		{"build ./lib", "example.com/bad/lib is package lib, not main"},
		{"build ./nowhere", "no package ./nowhere"},
		{"build ./broken", "undefined: undefined"},
		{"build ./cgo", "package example.com/bad/cgo needs cgo"},
		{"build ./needs", "package example.com/bad/c needs cgo"},
		{"build ./half", "some files need cgo"},
		{"build ./key", `libos.toml:2: unknown key "memmory"`},
		{"build ./ok ./lib", "one package at a time"},
		{"build ./...", "name one main package"},
		{"build --bogus ./ok", "unknown flag: --bogus"},
		{"build -race ./ok", "race detector needs cgo"},
		{"build -buildmode=pie ./ok", "always built with -buildmode=exe"},
		{"build -mod=bogus ./ok", "-mod"},
		{"build --memory 64Q ./ok", "not a size"},
		{"build --memory 64 ./ok", `"--memory" flag: 64 is a number of bytes, too few for an image: did you mean 64M?`},
		{"build --cpus 65 ./ok", "1 to 64"},
		{"build --cpus 0 ./ok", `"--cpus" flag: 0 CPUs: an image runs on 1 to 64`},
		{"run --cpus two ./ok", "want a number from 1 to 64"},
		{"build --machine amiga ./ok", "unknown machine"},
		{"build --module libos/nope ./ok", "unknown libOS module"},
		{"build --env X ./ok", "want NAME=VALUE"},
		{"build --sched fair ./ok", `unknown scheduler "fair": have go, edf, lottery, stride, or name a package by its import path`},
		{"build --sched stride --module libos/sched/edf ./ok", "--sched stride and --module libos/sched/edf are two schedulers"},
		{"build --sched go --module libos/sched/edf ./ok", "two schedulers"},
		{"run --net bridge ./ok", "want user, none or tap=NAME"},
		{"run -p 80 ./ok", "want HOST:IMAGE, as 8080:80"},
		{"run -p 8080:80 ./ok", "the program uses no sockets"},
		{"run --net none -p 8080:80 ./ok", "--net user only"},
		{"run --pcap x.pcap ./ok", "the machine has no network card"},
		{"build --memory 8M -o out.elf ./large", "the image is larger than the memory"},
		{"run --memory 8M ./large", "the image is larger than the memory"},
		{"build -o out.elf -ldflags=-buildmode=pie ./ok", "executable"},
		{"inspect plain.txt", "not an ELF file"},
		{"inspect nowhere", "nowhere"},
		{"test ./nowhere", "no package ./nowhere"},
		{"test ./ok -run X", "-run is a flag for the tests, and those go after --: mkimage test ./ok -- -run X"},
		{"test lib/lib.go", "lib/lib.go is a file, and tests are run by package: name its folder, as in mkimage test ./lib"},
		{"frobnicate", "unknown command"},
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
