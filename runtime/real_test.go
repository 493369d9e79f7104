package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/version"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// eachGo runs f for every supported Go release, with the environment set so that the command "go" is that release.
func eachGo(t *testing.T, f func(t *testing.T, env *goEnv)) {
	for _, lang := range supported {
		t.Run(lang, func(t *testing.T) {
			t.Setenv("GOROOT", "") // go test sets it
			for _, toolchain := range []string{"local", lang + ".0"} {
				t.Setenv("GOTOOLCHAIN", toolchain)
				env, err := askGo(context.Background(), "", "go")
				switch {
				case err == nil && version.Lang(env.GOVERSION) == lang:
					f(t, env)
					return
				case err == nil:
					continue
				case os.Getenv("CI") != "":
					t.Fatalf("%s is not there, and under CI it must be: %v", lang, err)
				}
				t.Skipf("NOT TESTED: %s is not installed and cannot be fetched: %v", lang, err)
			}
			t.Errorf("GOTOOLCHAIN=%s.0 does not give %s", lang, lang)
		})
	}
}

// TestRealEdits applies what an image is really built with to every supported Go.
func TestRealEdits(t *testing.T) {
	eachGo(t, func(t *testing.T, env *goEnv) {
		for _, with := range [][]*Group{nil, groups} {
			for _, arch := range arches {
				checkRealEdits(t, arch, with)
			}
		}
	})
}

func checkRealEdits(t *testing.T, arch string, with []*Group) {
	r, err := Prepare(context.Background(), "go", arch, t.TempDir(), with...)
	if err != nil {
		t.Errorf("%s: %v", arch, err)
		return
	}
	for name, file := range r.Replace {
		if filepath.Ext(name) != ".go" || file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		if _, err := format.Source(text); err != nil {
			t.Errorf("%s: %s: %v", arch, name, err)
		}
	}
}

// everyAdded returns the added files of every image and of every group.
func everyAdded(t *testing.T) map[string][]byte {
	all := make(map[string][]byte)
	for _, fsys := range append([]fs.FS{added("_goroot")}, groupTrees()...) {
		files, err := readAll(fsys)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(all, files)
	}
	return all
}

func groupTrees() (trees []fs.FS) {
	for _, g := range groups {
		trees = append(trees, g.added)
	}
	return trees
}

func TestAddedFilesAreFormatted(t *testing.T) {
	for name, text := range everyAdded(t) {
		if filepath.Ext(name) != ".go" {
			continue
		}
		if formatted, err := format.Source(text); err != nil || !bytes.Equal(formatted, text) {
			t.Errorf("%s is not as gofmt writes it (%v)", name, err)
		}
	}
}

// TestUntouchedDeclarationsStay makes random edits in files of real Go roots and compares every declaration that no
// edit names with what it was: the same text on the same lines.
func TestUntouchedDeclarationsStay(t *testing.T) {
	eachGo(t, func(t *testing.T, env *goEnv) {
		var names []string
		for _, dir := range []string{"runtime", "os", "syscall", "internal/poll", "time"} {
			matches, err := filepath.Glob(filepath.Join(env.GOROOT, "src", dir, "*.go"))
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, matches...)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		edited := 0
		for _, name := range names[:min(len(names), 60)] {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			edited += checkUntouched(t, name, src, rng)
		}
		if edited < 100 {
			t.Errorf("only %d edits were made: the test tests nothing", edited)
		}
	})
}

// checkUntouched makes random edits in one file and returns how many.
func checkUntouched(t *testing.T, name string, src []byte, rng *rand.Rand) int {
	f, err := parseGo(src)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	count := make(map[string]int)
	for d := range f.decls {
		count[d.fullName()]++
	}
	var edits []Edit
	touched := make(map[string]bool)
	for d := range f.decls {
		full := d.fullName()
		if count[full] > 1 || full == "_" || rng.IntN(3) > 0 {
			continue
		}
		e := Edit{File: "p/p.go", Decl: full, Op: Drop, Why: "test"}
		if d.fn != nil && d.fn.Body != nil {
			switch rng.IntN(3) {
			case 0:
				e.Op, e.Text = Body, strings.Repeat("x()\n", 1+rng.IntN(20))
			case 1:
				e.Op, e.Text = Rename, "exo"+d.name.Name
			}
		}
		edits = append(edits, e)
		touched[full] = true
	}
	if len(edits) == 0 {
		return 0
	}
	out, err := patchGo(src, edits)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return 0
	}
	g, err := parseGo(out)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return 0
	}
	before, after := places(f), places(g)
	for full, want := range before {
		if got := after[full]; !touched[full] && full != "_" && got != want {
			t.Errorf("%s: %s is at\n%s\nand was at\n%s", name, full, got, want)
		}
	}
	return len(edits)
}

// places returns where each declaration is and, for functions and types, its text.
func places(f *goFile) map[string]string {
	m := make(map[string]string)
	for d := range f.decls {
		var node ast.Node = d.name
		switch {
		case d.fn != nil:
			node = d.fn
		case d.names == 1 && d.doc == nil:
			node = d.spec
		}
		from, to := f.fset.Position(node.Pos()), f.fset.Position(node.End())
		m[d.fullName()] += fmt.Sprintf("%d-%d %s", from.Line, to.Line, f.src[f.offset(node.Pos()):f.offset(node.End())])
	}
	return m
}

// TestAsmSymbolsStay drops symbols of the runtime's assembly, one at a time: the others stay where they are.
func TestAsmSymbolsStay(t *testing.T) {
	eachGo(t, func(t *testing.T, env *goEnv) {
		names, err := filepath.Glob(filepath.Join(env.GOROOT, "src", "runtime", "*_amd64.s"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no assembly: %v", err)
		}
		symbols := func(src []byte) (list []string) {
			n := 0
			for line := range bytes.Lines(src) {
				n++
				if s := textSymbol(string(line)); s != "" && s != "NAME" { // a parameter of a macro
					list = append(list, fmt.Sprint(n, " ", s))
				}
			}
			return list
		}
		for _, name := range names {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all := symbols(src)
			for i, s := range all {
				if i%10 != 0 {
					continue // one in ten is plenty, and each takes a while under the race detector
				}
				_, symbol, _ := strings.Cut(s, " ")
				out, err := patchAsm(src, []Edit{{File: "p/p.s", Decl: symbol, Op: DropText, Why: "test"}})
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				want := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return strings.HasSuffix(s, " "+symbol) })
				if got := symbols(out); !slices.Equal(got, want) {
					t.Errorf("%s without %s: %v, want %v", name, symbol, got, want)
				}
			}
		}
	})
}

// TestGoBuildsTheView has the go command build and run a program over a view with every kind of change, in packages
// that build fast, and looks at what the program did.
func TestGoBuildsTheView(t *testing.T) {
	if exec.Command("go", "env").Run() != nil {
		t.Fatal("no go command: a test of Hardtack needs one")
	}
	e := &engine{
		added: fstest.MapFS{
			// A new package of std, which edits import.
			"exoprobe/probe.go": {Data: []byte("package exoprobe\n\nfunc Twelve() int { return 12 }\n")},
			// The portable half stands in for the machine's.
			"hash/crc32/crc32_exo.go": {Data: []byte("package crc32\n\nfunc archAvailableIEEE() bool { return false }\n\nfunc ieeeCLMUL() uint32 { return 7 }\n")},
			// A wrapper, and a file that replaces one.
			"container/list/exo.go":  {Data: []byte("package list\n\nfunc (l *List) Init() *List { println(`init`); return l.init0() }\n")},
			"container/ring/ring.go": {Data: []byte("package ring\n\nfunc Ours() int { return 3 }\n")},
		},
		edits: []Edit{
			{File: "container/list/list.go", Decl: "(*List).Len", Op: Body, Text: "n := exoprobe.Twelve()\nn++\nn--\nreturn n", Imports: []string{"exoprobe"}, Why: "test"},
			{File: "container/list/list.go", Decl: "(*List).Init", Op: Rename, Text: "init0", Why: "test"},
			{File: "container/ring/ring.go", Op: DropFile, Why: "test"},
			{File: "hash/crc32/crc32_otherarch.go", Op: DropFile, Why: "test"},
			{File: "hash/crc32/crc32_amd64.go", Decl: "archAvailableIEEE", Op: Drop, Arch: "amd64", Why: "test"},
			{File: "hash/crc32/crc32_amd64.go", Decl: "archUpdateIEEE", Op: Body, Text: "return ieeeCLMUL()", Arch: "amd64", Why: "test"},
			{File: "hash/crc32/crc32_amd64.go", Decl: "ieeeCLMUL", Op: Drop, Arch: "amd64", Why: "test"},
			{File: "hash/crc32/crc32_amd64.s", Decl: "·ieeeCLMUL", Op: DropText, Arch: "amd64", Why: "test"},
		},
	}
	const app = `package main

import (
	"container/list"
	"container/ring"
	"hash/crc32"
)

func main() {
	l := list.New()
	println(l.Len(), ring.Ours(), crc32.ChecksumIEEE([]byte("123456789")))
	l.Remove(nil)
}
`
	eachGo(t, func(t *testing.T, env *goEnv) {
		dir := t.TempDir()
		r, err := e.prepare(context.Background(), "", "go", "amd64", filepath.Join(dir, "cache"))
		if err != nil {
			t.Fatal(err)
		}
		overlay, err := json.Marshal(struct{ Replace map[string]string }{r.Replace})
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"main.go": app, "go.mod": "module app\n", "overlay.json": string(overlay)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		run := func(args ...string) string {
			cmd := exec.Command(r.GoCmd, args...)
			cmd.Dir = dir
			cmd.Env = append(append(os.Environ(), r.Env...), "GOWORK=off", "CGO_ENABLED=0")
			out, _ := cmd.CombinedOutput() // the program panics; what it says tells the rest
			return string(out)
		}
		// -trimpath keeps the name of the temporary view out of the build cache's keys.
		got := run("run", "-p", "1", "-trimpath", "-overlay", "overlay.json", ".")

		src, err := os.ReadFile(filepath.Join(env.GOROOT, "src", "container", "list", "list.go"))
		if err != nil {
			t.Fatal(err)
		}
		before, _, ok := strings.Cut(string(src), "if e.list == l {")
		if !ok {
			t.Fatal("container/list is not as this test knows it")
		}
		removes := 1 + strings.Count(before, "\n")
		for _, want := range []string{"init\n", "12 3 3421780262\n", "nil pointer dereference", fmt.Sprintf("list.go:%d\n", removes)} {
			if !strings.Contains(got, want) {
				t.Errorf("the program did not say %q:\n%s", want, got)
			}
		}
		if files := run("list", "-overlay", "overlay.json", "-f", "{{.GoFiles}} {{.IgnoredGoFiles}}", "hash/crc32"); strings.Contains(files, "otherarch") || !strings.Contains(files, "crc32_exo.go") {
			t.Errorf("files of hash/crc32: %s", files)
		}
	})
}
