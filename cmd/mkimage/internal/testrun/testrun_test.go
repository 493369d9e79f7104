package testrun

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
)

func TestParseArgs(t *testing.T) {
	a, err := parseArgs([]string{"-run", "X", "-v", "--count=2", "-skip=S", "-timeout", "5s", "-own=1", "-args", "-run", "y"})
	if err != nil {
		t.Fatal(err)
	}
	want := arguments{
		args: []string{"-test.run", "X", "-test.count=2", "-own=1", "-run", "y"},
		skip: "S", timeout: 5 * time.Second, verbose: true, show: true, outputs: &outputs{files: map[string]string{}},
	}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("got  %+v\nwant %+v", a, want)
	}
	got := strings.Join(a.binary("^T$", false), " ")
	if want := "-test.paniconexit0 -test.timeout=5s -test.v -test.skip=S|^T$ -test.run X -test.count=2 -own=1 -run y"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := parseArgs([]string{"-timeout=soon"}); err == nil {
		t.Error("a wrong timeout was accepted")
	}
	a, _ = parseArgs(nil)
	if got := strings.Join(a.binary("", true), " "); got != "-test.paniconexit0 -test.timeout=10m0s -test.v=test2json" {
		t.Error(got)
	}
}

func TestSkips(t *testing.T) {
	skips, err := parseSkips("# a comment\n\nos/exec.TestRun, needs processes\nnet/http.TestX/a.b, reason, with comma\nnet/http.ExampleServer_Close, r\na/b.c.*, all of it\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := skipPattern(skips, "net/http"), `^TestX$/^a\.b$|^ExampleServer_Close$`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if skips[1].reason != "reason, with comma" || skipPattern(skips, "os") != "" {
		t.Errorf("%+v", skips)
	}
	if got := skipWhole(skips, "a/b.c"); got != "all of it" {
		t.Errorf("a whole package: %q", got)
	}
	if got := skipWhole(skips, "net/http"); got != "" {
		t.Errorf("a package with tests that can pass: %q", got)
	}
	for _, text := range []string{"os.TestX", "os.TestX, ", "os, reason", "os.*/x, reason"} {
		if _, err := parseSkips(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestOwnSkips(t *testing.T) {
	if _, err := parseSkips(skipText); err != nil {
		t.Error(err)
	}
}

func TestCheckPattern(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"sub", "folder.go"} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"x.go", "sub/x.go", "sort"} {
		if err := os.WriteFile(file, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{
		"x.go": "mkimage test .", "sub/x.go": "mkimage test ./sub", "./sub/x.go": "mkimage test ./sub",
	} {
		if err := checkPattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
	for _, pattern := range []string{"sort", "folder.go", "./sub", "./...", "example.com/x.go"} {
		if err := checkPattern(pattern); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func TestRemarks(t *testing.T) {
	out := "testing: warning: no tests to run\nPASS\ncoverage: 12.5% of statements\n"
	if got, want := remarks([]byte(out)), "\tcoverage: 12.5% of statements [no tests to run]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestEnvironment shows that Go's runtime tests, and no others, have no limit of
// memory, unless the user wants one.
func TestEnvironment(t *testing.T) {
	for path, want := range map[string]string{"runtime": "HOME=/root PWD=/d GOMEMLIMIT=off A=1", "runtime/debug": "HOME=/root PWD=/d A=1"} {
		p := &testPackage{Package: gotool.Package{Dir: "/d", ImportPath: path, Standard: true}}
		if got := strings.Join(p.environ([]string{"A=1"}), " "); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	p := &testPackage{Package: gotool.Package{Dir: "/d", ImportPath: "runtime"}}
	if got := strings.Join(p.environ(nil), " "); got != "HOME=/root PWD=/d" {
		t.Errorf("a package that has the name only: %s", got)
	}
}

// TestRootFiles: what tests read of a Go root is there.
func TestRootFiles(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg, names := range rootFiles {
		for _, name := range names {
			if _, err := os.Stat(filepath.Join(strings.TrimSpace(string(root)), filepath.FromSlash(name))); err != nil {
				t.Errorf("%q: %v", pkg, err)
			}
		}
	}
}
