package hardtack

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The project's rules that a machine can check. Each table says why its entries are there; an entry that nothing needs
// any more is an error too.

const module = "github.com/hardtack-os/hardtack"

// addedFiles is the folder of files that join the standard library. They are written by the kernel side's rules
// (exo_state.go), not by those for ordinary packages, and runtime's own tests look after them. Its sisters, for images with
// some module only, have names that begin like it.
const addedFiles = "runtime/_goroot"

// imports tells what a folder's packages, their tests included, may import beside the standard library. The entry with
// the longest folder counts. A name without a dot in its first part is one of our own folders.
var imports = []struct {
	folder string
	may    []string
	why    string
}{
	{".", []string{"internal/cache"}, "it is embedded in every mkimage and must not know the tool"},
	{"boot", nil, "it is bytes, and the test that they match their source"},
	{"runtime", []string{"internal/cache"}, "it must build with nothing fetched: the Go root is all it looks at"},
	{"internal", []string{"internal"}, "it is shared by what must not know each other"},
	{"exo", []string{"exo", "internal/child"}, "mechanism knows nothing of its users; apps get no dependency with it. Its tests start QEMU"},
	{"exo/virtio/nic/cardtest", []string{"exo", "libos/net"}, "its judge is the device made of it, on a machine that only exo may simulate"},
	{"libos", []string{"exo", "libos"}, "an app is built with exactly the versions that its own go.sum pins"},
	{"libos/sched", []string{"exo", "libos", "internal/child"}, "as libos. Its tests start QEMU"},
	{"libos/posix", []string{"exo", "libos/posix"}, "files and sockets register with it; it links neither"},
	{"libos/posix/files", []string{"exo", "libos/posix", "libos/fs"}, "it serves the calls about files, over libos/fs"},
	{"libos/posix/mmap", []string{"exo", "libos/posix", "libos/fs", "libos/internal"}, "it maps files, and its tests need a machine to do so"},
	{"libos/posix/outbox", []string{"exo", "libos/posix", "libos/fs"}, "it is a filesystem"},
	{"libos/net", []string{"exo", "libos", "golang.org/x/net/ipv4", "golang.org/x/net/ipv6", "golang.org/x/net/bpf"}, "headers and socket options; apps that need them have the module already"},
	{"samples", nil, "samples know nothing of Hardtack"},
	{"samples/libos", []string{"exo", "libos", "samples/libos"}, "these show what a program does with the libOS that is its own"},
	{"cmd/mkimage", []string{"", "boot", "runtime", "internal", "cmd/mkimage", "libos/fs", "libos/boot/slot", "libos/net/setup",
		"github.com/hanwen/go-fuse", "github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/pelletier/go-toml/v2",
		"golang.org/x/mod", "golang.org/x/sys", "golang.org/x/term"}, "a module of its own: no dependency here reaches an app; each is one of the best kept of its kind"},
	{"cmd/mkimage/testdata/libraries", []string{"github.com/quic-go/quic-go", "google.golang.org/grpc"}, "it is what is judged: an app with its own go.mod"},
	{"cmd/mkimage/testdata/own", []string{"exo", "libos"}, "it is what is judged: an app with modules of its own in the libOS's slots"},
	{"cmd/mkimage/testdata/machine", []string{"github.com/prometheus/procfs", "github.com/shirou/gopsutil/v4"}, "it is what is judged: an app with its own go.mod"},
	{"cmd/mkimage/testdata/databases", []string{"go.etcd.io/bbolt", "modernc.org/sqlite"}, "it is what is judged: an app with its own go.mod"},
	{"cmd/mkimage/testdata/ping", []string{"golang.org/x/net/icmp", "golang.org/x/net/ipv4", "golang.org/x/net/ipv6"}, "it is what is judged: an app with its own go.mod"},
	{"ci/image/guest/ranges", []string{"exo", "libos/vm", "libos/sched"}, "it is what is judged: a program on exo's page tables"},
	{"ci/image/guest/unmap", []string{"exo"}, "it counts the frames that come back"},
	{"ci/bench/guest/databases", []string{"go.etcd.io/bbolt", "modernc.org/sqlite"}, "it is what is measured: an app with its own go.mod"},
	{"ci/bench/guest/udpecho", []string{"libos/net"}, "it is what is measured: a program that uses the stack without package net"},
	{"ci/bench/guest/rawdisk", []string{"exo/virtio/blk", "libos/fs/block", "libos/fs/cffs"}, "it is what is measured: a disk itself, and a mount by the program"},
	{"ci/bench/guest/idleconns", []string{"exo"}, "it is what is measured: a program that counts the machine's frames"},
	{"ci/bench/guest/binding", []string{"exo"}, "it is what is measured: a program on frames it has bound"},
	{"ci/image/guest/balloon", []string{"libos/vm"}, "it is what is judged: a program with a cache that can be asked back"},
	{"ci/bench/guest/balloon", []string{"libos/vm/balloon"}, "it is what is measured: a program that gives memory back"},
	{"ci/bench/guest/faults", []string{"exo"}, "it is what is measured: a program on exo's page tables"},
	{"ci/peer", []string{"ci/peer", "internal/netns", "internal/child", "libos/net", "gvisor.dev/gvisor", "github.com/google/gopacket"}, "it is a judge: stacks of others, and packets that others make, in a module of its own"},
	{"ci/peer/capi", []string{"libos/net", "libos/posix/sock"}, "it hands the stack's sockets to C, with the addresses that C has"},
	{"ci/image", []string{"ci", "boot", "internal", "libos/net"}, "as ci, but for the host's end of a bad wire, which is the stack itself: it needs no rights and loses what it is told to; Linux and others judge the stack in ci/peer"},
	{"ci", []string{"ci", "boot", "internal"}, "the bench and the image tests judge from outside: they share no code with the tool they judge"},
}

// heavy is what packages in every image do not import: each image would pay for it.
var heavy = map[string]string{
	"fmt":     "it brings reflect, and its tables of types",
	"reflect": "it keeps the linker from dropping methods",
	"log":     "it needs fmt",
	"net":     "sockets are libos/net's",
}

// cgo is the one folder whose package may need it: it is how tools in C drive the stack, and only its own test builds it.
const cgo = "ci/peer/capi"

// light are the folders that heavy is about, tests and exo's simulated machine aside.
var light = []string{"exo", "libos/posix"}

// unsafeFiles are the files outside *_unsafe.go and tests that import unsafe, have a go:linkname, or declare functions
// without a body.
var unsafeFiles = map[string]string{
	"exo/machine_hardtack.go":                     "what the bottom half pushes: declarations only, kept beside their hosted twins",
	"exo/pages_hardtack.go":                       "what the bottom half pushes: declarations only, kept beside their hosted twins",
	"libos/boot/ok/machine_hardtack.go":           "what the bottom half pushes: declarations only, kept beside their hosted twins",
	"libos/fs/volumes/machine_hardtack.go":        "what the bottom half pushes: declarations only, kept beside their hosted twins",
	"libos/posix/machine_hardtack.go":             "what the bottom half pushes: declarations only, kept beside their hosted twins",
	"ci/bench/linuxguest/tsc_amd64.go":            "one instruction, in the assembly file beside it",
	"ci/bench/stepcount/stepcount_linux_amd64.go": "ptrace(2) takes addresses",
	"ci/bench/linuxguest/guestinit/main.go":       "system calls take addresses",
	"ci/image/guest/*":                            "guests make the mistakes that the tests are about",
	"ci/image/guest/*/*":                          "guests make the mistakes that the tests are about",
}

func TestPackageDocs(t *testing.T) {
	for dir, files := range packages(t) {
		name, doc := "", ""
		for _, f := range files {
			if strings.HasSuffix(f.path, "_test.go") {
				continue
			}
			name = f.ast.Name.Name
			if f.ast.Doc != nil {
				doc = f.ast.Doc.Text()
			}
		}
		base := path.Base(dir)
		switch {
		case name == "":
		case doc == "":
			t.Errorf("%s: package %s has no documentation", dir, name)
		case name == "main" && !strings.HasPrefix(doc, "Command "+base+" ") && !strings.HasPrefix(doc, strings.ToUpper(base[:1])+base[1:]+" "):
			t.Errorf("%s: its documentation does not begin with \"Command %s\": %q", dir, base, firstLine(doc))
		case name != "main" && !strings.HasPrefix(doc, "Package "+name+" "):
			t.Errorf("%s: its documentation does not begin with \"Package %s\": %q", dir, name, firstLine(doc))
		}
	}
}

func TestImports(t *testing.T) {
	for dir, files := range packages(t) {
		rule := -1
		for i, r := range imports {
			if r.folder == "." && dir == "." || under(dir, r.folder) && (rule < 0 || len(r.folder) > len(imports[rule].folder)) {
				rule = i
			}
		}
		if rule < 0 {
			t.Errorf("%s: policy_test.go says nothing of its imports", dir)
			continue
		}
		r := imports[rule]
		for _, f := range files {
			test := strings.HasSuffix(f.path, "_test.go")
			for _, spec := range f.ast.Imports {
				p, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if p == "C" && dir != cgo {
					t.Errorf("%s needs cgo", f.path)
				}
				if why, ok := heavy[p]; ok && !test && slices.ContainsFunc(light, func(l string) bool { return under(dir, l) }) && !under(dir, "exo/internal") && !strings.Contains(dir, "testdata") {
					t.Errorf("%s imports %s: %s", f.path, p, why)
				}
				first, _, _ := strings.Cut(p, "/")
				if !strings.Contains(first, ".") {
					continue // the standard library
				}
				ours, in := strings.CutPrefix(p, module)
				if in {
					p = strings.TrimPrefix(ours, "/")
				}
				if !slices.ContainsFunc(r.may, func(m string) bool { return p == m || m != "" && under(p, m) }) {
					t.Errorf("%s imports %s, which %s may not: %s", f.path, spec.Path.Value, r.folder, r.why)
				}
			}
		}
	}
}

// TestFormat: every file is as gofmt writes it.
func TestFormat(t *testing.T) {
	n := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || path.Ext(name) != ".go" {
			return nil
		}
		n++
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if tidy, err := format.Source(text); err != nil || !bytes.Equal(tidy, text) {
			t.Errorf("%s: gofmt -w is needed (%v)", name, err)
		}
		return nil
	})
	if err != nil || n < 500 {
		t.Errorf("%d files: %v", n, err)
	}
}

// TestModuleNeedsNothing keeps requirements out of the module that is injected into apps.
func TestModuleNeedsNothing(t *testing.T) {
	data, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if f := strings.Fields(strings.TrimPrefix(line, "require ")); len(f) >= 2 && strings.Contains(f[0], ".") && f[0] != module && f[0] != "golang.org/x/net" {
			t.Errorf("go.mod requires %s: every app would get it", f[0])
		}
	}
}

func TestUnsafe(t *testing.T) {
	used := map[string]bool{}
	for _, files := range packages(t) {
		for _, f := range files {
			if strings.HasSuffix(f.path, "_unsafe.go") || strings.HasSuffix(f.path, "_test.go") {
				continue
			}
			reason := ""
			for _, spec := range f.ast.Imports {
				if spec.Path.Value == `"unsafe"` {
					reason = "imports unsafe"
				}
			}
			for _, group := range f.ast.Comments {
				for _, c := range group.List {
					if strings.HasPrefix(c.Text, "//go:linkname ") {
						reason = "has a go:linkname"
					}
				}
			}
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Body == nil {
					reason = "declares " + fn.Name.Name + " without a body"
				}
			}
			if reason == "" {
				continue
			}
			listed := false
			for pattern := range unsafeFiles {
				if ok, _ := path.Match(pattern, f.path); ok {
					listed, used[pattern] = true, true
				}
			}
			if !listed {
				t.Errorf("%s %s: such code stands in files named *_unsafe.go, or is listed in policy_test.go with a reason", f.path, reason)
			}
		}
	}
	for name := range unsafeFiles {
		if !used[name] && !strings.Contains(name, "*") {
			t.Errorf("policy_test.go lists %s, which needs it no more", name)
		}
	}
}

func TestSamplesBuild(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Name}}", "./samples/...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		path, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Contains(path, "/samples/libos/") && strings.Count(path, "/") > 5 {
			continue // a part of a sample
		}
		if name != "main" {
			t.Errorf("%s is no main package but %s", path, name)
		}
	}
	cmd := exec.Command("go", "vet", "./samples/...")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go vet ./samples/...: %v\n%s", err, out)
	}
}

// TestNoMachinesOrRegistries keeps what is true of one machine only out of tracked files: paths of somebody's folders,
// and hosts that packages come from. Which registry is used is the go command's and the system's business.
func TestNoMachinesOrRegistries(t *testing.T) {
	for _, pattern := range []string{
		// In brackets, so that this file does not match.
		`/[h]ome/[a-z]`, `/[w]ork/`, `/[r]oot/`, `/[U]sers/`, `C:\\[U]sers`,
		`proxy[.]golang[.]org`, `sum[.]golang[.]org`, `goproxy[.](io|cn)`, `[a-z]+[.]debian[.]org`, `archive[.]ubuntu[.]com`,
		`(ghcr|docker|quay|gcr)[.]io`, `registry[.][a-z0-9-]+[.]`, `[a]rtifactory`,
	} {
		out, code := git(t, "grep", "-nIE", pattern)
		if code == 0 {
			t.Errorf("%s is in tracked files:\n%s", pattern, out)
		}
	}
}

// TestAddedFilesSayWhatTheyAre looks for the comment that runtime/README.md is made from, before any code.
func TestAddedFilesSayWhatTheyAre(t *testing.T) {
	err := filepath.WalkDir("runtime", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(filepath.ToSlash(name), addedFiles) || !strings.Contains(filepath.ToSlash(name), "/src/") {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if path.Ext(name) == ".s" {
			if !bytes.HasPrefix(data, []byte("// ")) {
				t.Errorf("%s does not begin with a comment that says what it is", name)
			}
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ParseComments)
		if err != nil {
			return err
		}
		end := f.End() // of what may stand before the comment: package clause and imports
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); !ok || g.Tok != token.IMPORT {
				end = d.Pos()
				break
			}
		}
		for _, c := range f.Comments {
			if text := c.Text(); c.Pos() < end && strings.Contains(text, ".") && !inImports(f, c.Pos()) {
				return nil
			}
		}
		t.Errorf("%s has no comment before its code that says what it is", name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// inImports reports whether p is inside an import declaration or behind it on the same line.
func inImports(f *ast.File, p token.Pos) bool {
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT && g.Pos() <= p && p <= g.End()+1 {
			return true
		}
	}
	return false
}

// A source is a parsed Go file; its path has slashes.
type source struct {
	path string
	ast  *ast.File
}

// packages returns the module's Go files by folder: whatever lies there, tracked or not yet, for any system.
func packages(t *testing.T) map[string][]source {
	t.Helper()
	dirs := map[string][]source{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(name)
		if d.IsDir() {
			if strings.HasPrefix(slashed, addedFiles) || slashed != "." && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(slashed) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dirs[path.Dir(slashed)] = append(dirs[path.Dir(slashed)], source{slashed, f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 20 {
		t.Fatalf("only %d packages were found: %v", len(dirs), slices.Collect(maps.Keys(dirs)))
	}
	return dirs
}

// TestSoakFuzzes: ci/soak runs every fuzzer that there is. It finds them by how they are declared.
func TestSoakFuzzes(t *testing.T) {
	var want []string
	for dir, files := range packages(t) {
		for _, f := range files {
			for _, d := range f.ast.Decls {
				if d, ok := d.(*ast.FuncDecl); ok && strings.HasSuffix(f.path, "_test.go") && d.Recv == nil && strings.HasPrefix(d.Name.Name, "Fuzz") {
					want = append(want, "soak: fuzzing ./"+dir+" "+d.Name.Name)
				}
			}
		}
	}
	cmd := exec.Command("sh", "ci/soak")
	cmd.Env = append(os.Environ(), "DRY=1", "TOOLCHAINS=", "ONLY=fuzzing ./")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	got = got[:max(len(got)-1, 0)] // the last line sums up
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%v: it would run\n%s\nand there are\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// git runs git here and returns what it printed and its exit code, which is 0 or 1. Without git, or outside a clone,
// the test fails: it must not seem to have passed.
func git(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "safe.directory=*"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); err == nil || code == 1 {
		return string(out), code
	}
	t.Fatalf("this test needs git and a clone: git %s: %v %s", strings.Join(args, " "), err, stderr.String())
	return "", 0
}

// under reports whether a slash-separated path is dir or below it.
func under(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir+"/")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// TestSoakRunsEveryFuzzer holds ci/soak, which looks for fuzzers by their text, to what the compiler would find.
func TestSoakRunsEveryFuzzer(t *testing.T) {
	cmd := exec.Command("ci/soak")
	cmd.Env = append(os.Environ(), "DRY=1", "ONLY=fuzzing")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if run, ok := strings.CutPrefix(line, "soak: fuzzing ./"); ok {
			runs[strings.TrimSpace(run)] = true
		}
	}
	found := 0
	for dir, files := range packages(t) {
		for _, f := range files {
			for _, d := range f.ast.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Fuzz") || !strings.HasSuffix(f.path, "_test.go") {
					continue
				}
				found++
				if name := dir + " " + fn.Name.Name; !runs[name] {
					t.Errorf("ci/soak does not run %s", name)
				}
			}
		}
	}
	if found == 0 || found != len(runs) {
		t.Errorf("%d fuzzers are declared, ci/soak names %d", found, len(runs))
	}
}
