package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// coverModule has two packages, a part of each of which runs.
var coverModule = map[string]string{
	"go.mod":          "module example.com/covered\n\ngo 1.26\n",
	"main.go":         "package main\n\nimport (\n\t\"os\"\n\n\t\"example.com/covered/lib\"\n)\n\nfunc main() {\n\tif lib.F(len(os.Args)) > 1 {\n\t\tprintln(\"many\")\n\t}\n}\n",
	"lib/lib.go":      "package lib\n\nfunc F(n int) int {\n\tif n > 3 {\n\t\treturn n * 2\n\t}\n\treturn n\n}\n",
	"lib/lib_test.go": "package lib\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {\n\tif F(1) != 1 {\n\t\tt.Fatal()\n\t}\n}\n",
	"two/two.go":      "package two\n\nfunc F() int { return 2 }\n",
	"two/two_test.go": "package two\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) { F() }\n",
}

// TestCoverRun compares the coverage of a program in an image with that on the host.
func TestCoverRun(t *testing.T) {
	dir := tree(t, coverModule)
	profile := func(data string) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "profile")
		if msg, err := exec.Command("go", "tool", "covdata", "textfmt", "-i", data, "-o", out).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, msg)
		}
		text, _ := os.ReadFile(out)
		return string(text)
	}
	image, host := t.TempDir(), t.TempDir()
	c := call{dir: dir, env: []string{"GOCOVERDIR=" + image}}
	c.mkimage(t, "run", "-cover", ".")
	c.want(t, 0, "")
	cmd := exec.Command("go", "run", "-cover", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOCOVERDIR="+host)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	if got, want := profile(image), profile(host); got != want || !strings.Contains(got, "lib.go") {
		t.Errorf("coverage in the image\n%s\non the host\n%s", got, want)
	}

	c = call{dir: dir, env: []string{"GOCOVERDIR="}}
	c.mkimage(t, "run", "-cover", ".")
	c.want(t, 0, "GOCOVERDIR not set")
	c.mkimage(t, "run", "-cover", "--env", "GOCOVERDIR=nowhere", ".")
	c.want(t, 1, "GOCOVERDIR=nowhere is not a folder")
}

// TestCoverTest: percentages and profiles are those of go test.
func TestCoverTest(t *testing.T) {
	dir := tree(t, coverModule)
	c := call{dir: dir}
	c.mkimage(t, "test", "-cover", "./lib", "./two", "--", "-coverprofile=image.out")
	c.want(t, 0, "coverage: 66.7% of statements")
	cmd := exec.Command("go", "test", "-coverprofile=host.out", "./lib", "./two")
	cmd.Dir = dir
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	got, _ := os.ReadFile(filepath.Join(dir, "image.out"))
	want, err := os.ReadFile(filepath.Join(dir, "host.out"))
	sorted := func(b []byte) string { // go test writes packages in the order in which they are done
		lines := strings.Split(string(b), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	if err != nil || sorted(got) != sorted(want) || !strings.HasPrefix(string(got), "mode: ") {
		t.Errorf("%v: the image's profile is\n%s\nthe host's\n%s", err, got, want)
	}
}

// TestProfilesOfTests: profiles come out of the image, and pprof reads them.
func TestProfilesOfTests(t *testing.T) {
	dir := tree(t, coverModule)
	out := t.TempDir()
	c := call{dir: dir}
	c.mkimage(t, "test", "./lib", "--", "-cpuprofile", "cpu", "-memprofile=mem", "-outputdir", out)
	c.want(t, 0, "ok")
	for _, name := range []string{"cpu", "mem"} {
		text, err := exec.Command("go", "tool", "pprof", "-raw", filepath.Join(out, name)).CombinedOutput()
		if err != nil || !regexp.MustCompile(`(?m)^PeriodType: `).Match(text) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	c.mkimage(t, "test", "./lib", "./two", "--", "-cpuprofile", "cpu")
	c.want(t, 1, "-cpuprofile: it names one file")
}
