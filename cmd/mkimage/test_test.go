package main

import (
	"encoding/json"
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

func TestTestStandardLibrary(t *testing.T) {
	c := call{dir: t.TempDir()} // no module here
	c.mkimage(t, "test", "sort", "container/...")
	c.want(t, 0, "ok  \tsort\t", "ok  \tcontainer/heap\t", "ok  \tcontainer/list\t", "ok  \tcontainer/ring\t")
}
