package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// tested is a module with a package of each kind that go test tells apart.
func tested(t *testing.T) string {
	return tree(t, map[string]string{
		"go.mod":           "module example.com/m\n\ngo 1.21\n",
		"good/g.go":        "package good\n\nfunc X() int { return 1 }\n",
		"good/g_test.go":   "package good\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { t.Log(\"in x\", X()) }\n\nfunc TestY(t *testing.T) {}\n",
		"ext/e.go":         "package ext\n\nfunc X() int { return 1 }\n",
		"ext/e_test.go":    "package ext_test\n\nimport (\n\t\"testing\"\n\n\t\"example.com/m/ext\"\n)\n\nfunc TestX(t *testing.T) { ext.X() }\n",
		"bad/b_test.go":    "package bad\n\nimport \"testing\"\n\nfunc TestBad(t *testing.T) { t.Error(\"wrong\") }\n",
		"none/n.go":        "package none\n",
		"broken/b.go":      "package broken\n",
		"broken/b_test.go": "package broken\n\nfunc f() { undefined() }\n",
		"cmd/main.go":      program("", ""),
		"cmd/m_test.go":    "package main\n\nimport \"testing\"\n\nfunc TestMainPackage(t *testing.T) { main() }\n",
		"panics/p_test.go": "package panics\n\nimport \"testing\"\n\nfunc TestP(t *testing.T) { panic(\"boom\") }\n",
	})
}

func TestTest(t *testing.T) {
	c := call{dir: tested(t)}
	c.mkimage(t, "test", "./good", "./ext", "./none", "./cmd")
	c.want(t, 0, "ok  \texample.com/m/good\t", "ok  \texample.com/m/ext\t", "?   \texample.com/m/none\t[no test files]\n", "ok  \texample.com/m/cmd\t")
	if strings.Contains(c.stdout, "in x") {
		t.Error("output of a passing test is shown")
	}
	c.mkimage(t, "test", "./...")
	c.want(t, 1, "ok  \texample.com/m/good\t", "FAIL\texample.com/m/bad\t", "wrong", "FAIL\texample.com/m/broken [build failed]",
		"undefined: undefined", "panic: boom", "FAIL\texample.com/m/panics\t")
	if !strings.HasSuffix(c.stdout, "\nFAIL\n") {
		t.Error("FAIL is not the last line")
	}
}

func TestTestFlags(t *testing.T) {
	c := call{dir: tested(t)}
	c.mkimage(t, "test", "./good", "--", "-run", "X", "-v")
	c.want(t, 0, "=== RUN   TestX", "in x 1", "--- PASS: TestX")
	if strings.Contains(c.stdout, "TestY") {
		t.Error("-run is not obeyed")
	}
	c.mkimage(t, "test", "./good", "--", "-run=Nothing")
	c.want(t, 0, "[no tests to run]")
}

func TestTestJSON(t *testing.T) {
	c := call{dir: tested(t)}
	c.mkimage(t, "test", "-json", "./good", "./bad")
	c.want(t, 1)
	results := map[string]string{}
	for line := range strings.Lines(c.stdout) {
		var e struct{ Action, Package, Test string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Action == "pass" || e.Action == "fail" {
			results[e.Package+"."+e.Test] = e.Action
		}
	}
	for name, want := range map[string]string{
		"example.com/m/good.TestX": "pass", "example.com/m/good.TestY": "pass", "example.com/m/good.": "pass",
		"example.com/m/bad.TestBad": "fail", "example.com/m/bad.": "fail",
	} {
		if results[name] != want {
			t.Errorf("%s: %q, want %q", name, results[name], want)
		}
	}
}

// events reads what go test -json writes, but for what differs from run to run.
func events(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(text) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		delete(e, "Time")
		delete(e, "Elapsed")
		all = append(all, e)
	}
	return all
}

// unbuilt is a module of packages whose tests go test does not come to run.
func unbuilt(t *testing.T) string {
	test := func(name string) string {
		return "package " + name + "\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {}\n"
	}
	return tree(t, map[string]string{
		"go.mod":           "module example.com/m\n\ngo 1.21\n",
		"broken/b.go":      "package broken\n\nfunc f() { undefined() }\n",
		"broken/b_test.go": test("broken"),
		"ext/e.go":         "package ext\n",
		"ext/e_test.go":    test("ext_test") + "\nvar _ = undefined\n",
		"uses/u.go":        "package uses\n\nimport _ \"example.com/m/broken\"\n",
		"uses/u_test.go":   test("uses"),
		"none/n.go":        "package none\n",
		"empty/README":     "",
		"setup/s.go":       "package setup\n\nimport _ \"example.com/m/nowhere\"\n",
		"setup/s_test.go":  test("setup"),
	})
}

// TestTestJSONOfFailedBuilds takes go test -json for the judge.
func TestTestJSONOfFailedBuilds(t *testing.T) {
	c := call{dir: unbuilt(t)}
	for _, pkg := range []string{"./broken", "./ext", "./uses", "./none", "./empty"} {
		cmd := exec.Command("go", "test", "-json", pkg)
		cmd.Dir = c.dir
		out, _ := cmd.Output()
		want := events(t, string(out))
		c.mkimage(t, "test", "-json", pkg)
		if got := events(t, c.stdout); len(want) == 0 || !reflect.DeepEqual(got, want) || c.code != cmd.ProcessState.ExitCode() {
			t.Errorf("%s: exit code %d\ngot  %v\nwant %v", pkg, c.code, got, want)
		}
	}
}

// TestTestFailedSetup looks at what go list does not tell and go test -c does.
func TestTestFailedSetup(t *testing.T) {
	c := call{dir: unbuilt(t)}
	c.mkimage(t, "test", "./setup")
	c.want(t, 1, "# example.com/m/setup\n", "example.com/m/nowhere")
	if want := "FAIL\texample.com/m/setup [setup failed]\nFAIL\n"; c.stdout != want || strings.Contains(c.stderr, "FAIL") {
		t.Errorf("standard output is %q, want %q; standard error is %q", c.stdout, want, c.stderr)
	}
	c.mkimage(t, "test", "-json", "./setup")
	c.want(t, 1)
	// The go command names the missing package here, but only in its own JSON.
	const pkg = "example.com/m/setup"
	got := events(t, c.stdout)
	if first := got[0]; first["Action"] != "build-output" || first["ImportPath"] != pkg || first["Output"] != "# "+pkg+"\n" {
		t.Errorf("first event: %v", first)
	}
	want := []map[string]any{
		{"Action": "build-fail", "ImportPath": pkg},
		{"Action": "start", "Package": pkg},
		{"Action": "output", "Package": pkg, "Output": "FAIL\t" + pkg + " [setup failed]\n"},
		{"Action": "fail", "Package": pkg, "FailedBuild": pkg},
	}
	if len(got) < 5 || !reflect.DeepEqual(got[len(got)-4:], want) {
		t.Errorf("got %v\nwant at the end %v", got, want)
	}
}

// TestTestOutput shows that the image of a package's tests runs by itself.
func TestTestOutput(t *testing.T) {
	c := call{dir: tested(t)}
	c.mkimage(t, "test", "-o", "out/", "./good", "--", "-run", "X", "-v")
	c.want(t, 0, "--- PASS: TestX")
	c.mkimage(t, "run", filepath.Join("out", "good.test.elf"))
	c.want(t, 0, "--- PASS: TestX", "PASS\n")
	if strings.Contains(c.stdout, "TestY") {
		t.Error("-run is not in the image")
	}
}

func TestTestStandardLibrary(t *testing.T) {
	c := call{dir: t.TempDir()} // no module here
	c.mkimage(t, "test", "sort", "container/...")
	c.want(t, 0, "ok  \tsort\t", "ok  \tcontainer/heap\t", "ok  \tcontainer/list\t", "ok  \tcontainer/ring\t")
}
