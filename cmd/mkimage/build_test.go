package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBuildAndInspect(t *testing.T) {
	c := call{dir: app(t, program("fmt os", tellAll))}
	image := filepath.Join(c.dir, "out.elf")
	c.mkimage(t, "build", "-o", image, "-trimpath", "-ldflags", "-X main.unused=1 -s -w", "-tags=a,b", "--env", "A=1", ".", "--", "one")
	c.want(t, 0)
	c.mkimage(t, "inspect", image)
	c.want(t, 0, "boot protocols: PVH", "go: go1.", "libos/posix", "r-x", "r--", "rw-", "name=app arg=one env=HOME=/root env=A=1", "example.com/app")
	if strings.Contains(c.stdout, "rwx") || strings.Contains(c.stdout, "-wx") {
		t.Error("a segment can be written and executed")
	}
	c.mkimage(t, "inspect", "-json", image)
	c.want(t, 0, `"PVHEntry": 1048576`)
}

// TestBuildFlags looks at what flags of go build do to the program.
func TestBuildFlags(t *testing.T) {
	files := map[string]string{
		"go.mod":   "module example.com/app\n\ngo 1.26\n",
		"main.go":  program("fmt runtime", `_, file, _, _ := runtime.Caller(0); fmt.Println(version, file, tagged)`) + "\nvar version = \"none\"\n",
		"off.go":   "//go:build !special\n\npackage main\n\nconst tagged = false\n",
		"on.go":    "//go:build special\n\npackage main\n\nconst tagged = true\n",
		"over.txt": "//go:build special\n\npackage main\n\nconst tagged = 7\n",
	}
	c := call{dir: tree(t, files)}
	overlay := fmt.Sprintf("{\"Replace\": {%q: %q}}", filepath.Join(c.dir, "on.go"), filepath.Join(c.dir, "over.txt"))
	if err := os.WriteFile(filepath.Join(c.dir, "overlay.json"), []byte(overlay), 0o666); err != nil {
		t.Fatal(err)
	}
	main := filepath.ToSlash(filepath.Join(c.dir, "main.go"))
	for _, x := range []struct {
		args []string
		want string
	}{
		{nil, "none " + main + " false\n"},
		{[]string{"-ldflags", "-X main.version=v1.2", "-tags", "special"}, "v1.2 " + main + " true\n"},
		{[]string{"-trimpath"}, "none example.com/app/main.go false\n"},
		{[]string{"-gcflags=-m"}, "escapes to heap"}, // what the compiler tells
		{[]string{"-overlay", "overlay.json", "-tags=special"}, " 7\n"},
	} {
		c.mkimage(t, append([]string{"run"}, x.args...)...)
		c.want(t, 0, x.want)
	}
	// What go runs is shown on standard error, and the image is built all the same.
	for flag, want := range map[string]string{"-x": "WORK=", "-work": "WORK=", "-a=false": ""} {
		c.mkimage(t, "build", "-v", flag)
		c.want(t, 0, want, " -"+strings.TrimLeft(flag, "-"))
		if c.stdout != "" {
			t.Errorf("%s: written to standard output: %q", flag, c.stdout)
		}
	}
}

// TestSecondBuild shows that an unchanged app leaves its image alone, and that
// each thing an image is made of makes it anew.
func TestSecondBuild(t *testing.T) {
	c := call{dir: app(t, program("fmt os", tellAll))}
	image := filepath.Join(c.dir, "app.elf")
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	written := func(args ...string) bool {
		t.Helper()
		os.Chtimes(image, old, old)
		c.mkimage(t, append([]string{"build"}, args...)...)
		c.want(t, 0)
		info, err := os.Stat(image)
		if err != nil {
			t.Fatal(err)
		}
		return !info.ModTime().Equal(old)
	}
	for _, x := range []struct {
		what string
		want bool
		args []string
	}{
		{"first", true, nil},
		{"second", false, nil},
		{"argument", true, []string{".", "--", "x"}},
		{"argument again", false, []string{".", "--", "x"}},
		{"memory", true, []string{"--memory", "1G"}},
		{"without symbols", true, []string{"-ldflags=-w", "--memory", "1G"}},
	} {
		if got := written(x.args...); got != x.want {
			t.Errorf("%s: written %v", x.what, got)
		}
	}
	if err := os.Truncate(image, 100000); err != nil {
		t.Fatal(err)
	}
	if !written("-ldflags=-w", "--memory", "1G") {
		t.Error("a cut off image was left")
	}
}

func TestVendorAndWorkspace(t *testing.T) {
	files := map[string]string{
		"app/go.mod":  "module example.com/app\n\ngo 1.21\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ../dep\n",
		"app/main.go": program("example.com/dep", "println(dep.Name)"),
		"dep/go.mod":  "module example.com/dep\n\ngo 1.20\n",
		"dep/dep.go":  "package dep\n\nconst Name = \"dep\"\n",
	}
	dir := tree(t, files)
	c := call{dir: filepath.Join(dir, "app")}
	c.mkimage(t, "run") // replace directive
	c.want(t, 0, "dep\n")

	cmd := exec.Command("go", "mod", "vendor")
	cmd.Dir = c.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	os.RemoveAll(filepath.Join(dir, "dep"))
	c.mkimage(t, "run")
	c.want(t, 0, "dep\n")

	files["go.work"] = "go 1.21\n\nuse (\n\t./app\n\t./dep\n)\n"
	dir = tree(t, files)
	c = call{dir: filepath.Join(dir, "app")}
	c.mkimage(t, "run")
	c.want(t, 0, "dep\n")
	c = call{dir: t.TempDir()}
	c.mkimage(t, "run", filepath.Join(dir, "app")) // from outside
	c.want(t, 0, "dep\n")
}

func TestPackageFromProxy(t *testing.T) {
	c := call{dir: t.TempDir()}
	c.mkimage(t, "run", "golang.org/x/example/hello@v0.0.0-20250915201037-7f05d217867b", "--", "-r", "Gopher")
	c.want(t, 0, "olleH, rehpoG!")
}

func TestCrossCompile(t *testing.T) {
	for _, target := range []string{"darwin/arm64", "windows/amd64"} {
		goos, goarch, _ := strings.Cut(target, "/")
		cmd := exec.Command("go", "build", "-o", filepath.Join(t.TempDir(), "mkimage"), ".")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", target, err, out)
		}
	}
}
