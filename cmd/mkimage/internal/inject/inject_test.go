package inject

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
)

// tree writes files below dir. A name is a slash-separated path.
func tree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// layOurs writes a stand-in for our module. Its package uses the newest language
// that its go line allows, and says that it is there.
func layOurs(t *testing.T) string {
	dir := t.TempDir()
	tree(t, dir, map[string]string{
		"go.mod":                "module " + ModulePath + "\n\ngo 1.26\n",
		"libos/posix/posix.go":  "package posix\n\ntype T[P any] = map[string]P\n\nfunc init() {\n\tfor range 1 {\n\t\tprint(\"ours \")\n\t}\n}\n",
		"exo/unused.go":         "package exo\n",
		"libos/posix/x_test.go": "package posix\n",
	})
	return dir
}

// build builds the package in dir as package build does, offline, and returns
// what the program prints.
func build(t *testing.T, dir string, flags gotool.Flags, args ...string) (string, error) {
	t.Helper()
	ctx := t.Context()
	env, err := gotool.Ask(ctx, "go", dir, "GOFLAGS=")
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(App{Env: env, Flags: flags, Lay: layOurs(t), Cache: t.TempDir()})
	if err != nil {
		return "", err
	}
	added := filepath.Join(t.TempDir(), "x.go")
	tree(t, filepath.Dir(added), map[string]string{"x.go": "package main\n\nimport _ \"" + ModulePath + "/libos/posix\"\n"})
	p.Overlay[filepath.Join(dir, "zz_hardtack.go")] = added
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	var entries []string
	for k, v := range p.Overlay {
		entries = append(entries, `"`+k+`": "`+v+`"`)
	}
	tree(t, filepath.Dir(overlay), map[string]string{"overlay.json": `{"Replace": {` + strings.Join(entries, ",") + `}}`})

	out := filepath.Join(t.TempDir(), "prog")
	if len(args) == 0 {
		args = []string{"."}
	}
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-overlay=" + overlay, "-o", out}, p.Flags...), args...)...)
	cmd.Dir = dir
	cmd.Env = gotool.Environ(append([]string{"GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local"}, p.Env...)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	cmd = exec.CommandContext(ctx, out)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// snapshot returns all files below dir, to show that none changed.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.WriteString(path + "\n" + string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func check(t *testing.T, dir, want string, flags gotool.Flags, args ...string) {
	t.Helper()
	before := snapshot(t, dir)
	got, err := build(t, dir, flags, args...)
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if snapshot(t, dir) != before {
		t.Error("the app's files have changed")
	}
}

const hello = "package main\n\nfunc main() { println(\"app\") }\n"

func TestModule(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": hello})
	check(t, dir, "ours app\n", nil)
}

// TestOldModule shows that an app older than our module keeps its language:
// before Go 1.22 a loop had one variable for all iterations.
func TestOldModule(t *testing.T) {
	for _, line := range []string{"go 1.16", "go 1.21", ""} {
		dir := t.TempDir()
		tree(t, dir, map[string]string{
			"go.mod":  "module example.com/app\n\n" + line + "\n",
			"main.go": "package main\n\nfunc main() {\n\tvar f []func()\n\tfor i := 0; i < 2; i++ {\n\t\tf = append(f, func() { print(i) })\n\t}\n\tfor _, x := range f {\n\t\tx()\n\t}\n\tprintln()\n}\n",
		})
		check(t, dir, "ours 22\n", nil)
	}
}

func TestReplaceDirective(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]string{
		"app/go.mod":  "module example.com/app\n\ngo 1.26\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ../dep\n",
		"app/main.go": "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.Name) }\n",
		"dep/go.mod":  "module example.com/dep\n\ngo 1.20\n",
		"dep/dep.go":  "package dep\n\nconst Name = \"dep\"\n",
	})
	check(t, filepath.Join(dir, "app"), "ours dep\n", nil)
}

// TestRequiresOurs builds an app that knows our module, in a version that does
// not exist: the tool's own is taken.
func TestRequiresOurs(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]string{
		"go.mod":  "module example.com/app\n\ngo 1.26\n\nrequire " + ModulePath + " v1.2.3\n\nreplace " + ModulePath + " => ./nowhere\n",
		"main.go": "package main\n\nimport _ \"" + ModulePath + "/exo\"\n\nfunc main() { println(\"app\") }\n",
	})
	check(t, dir, "ours app\n", nil)
}

func TestOurModule(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]string{
		"go.mod":               "module " + ModulePath + "\n\ngo 1.26\n",
		"libos/posix/posix.go": "package posix\n\nfunc init() { print(\"own \") }\n",
		"sample/main.go":       hello,
	})
	check(t, filepath.Join(dir, "sample"), "own app\n", nil)
}

func workspace(t *testing.T, goLine string) string {
	dir := t.TempDir()
	tree(t, dir, map[string]string{
		"go.work":     "go " + goLine + "\n\nuse (\n\t./app\n\t./lib\n)\n\nreplace example.com/dep => ./dep\n",
		"app/go.mod":  "module example.com/app\n\ngo " + goLine + "\n\nrequire example.com/dep v1.0.0\n",
		"app/main.go": "package main\n\nimport (\n\t\"example.com/dep\"\n\t\"example.com/lib\"\n)\n\nfunc main() { println(lib.Name, dep.Name) }\n",
		"lib/go.mod":  "module example.com/lib\n\ngo 1.20\n",
		"lib/lib.go":  "package lib\n\nconst Name = \"lib\"\n",
		"dep/go.mod":  "module example.com/dep\n\ngo 1.20\n",
		"dep/dep.go":  "package dep\n\nvar Name = \"dep\"\n",
	})
	return dir
}

func TestWorkspace(t *testing.T) {
	for _, line := range []string{"1.21", "1.26"} {
		check(t, filepath.Join(workspace(t, line), "app"), "ours lib dep\n", nil)
	}
}

func TestVendoredWorkspace(t *testing.T) {
	dir := workspace(t, "1.26")
	run(t, dir, "go", "work", "vendor")
	mark(t, filepath.Join(dir, "vendor/example.com/dep/dep.go"))
	check(t, filepath.Join(dir, "app"), "ours lib vendored\n", nil)
}

func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = gotool.Environ("GOFLAGS=", "GOPROXY=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, text)
	}
}

// mark makes a vendored copy tell that it is one.
func mark(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), `"dep"`, `"vendored"`, 1)), 0o666); err != nil {
		t.Fatal(err)
	}
}

// vendoredApp has two dependencies, one below the other in the vendor folder,
// and one that only the other needs.
func vendoredApp(t *testing.T, goLine string) string {
	dir := t.TempDir()
	tree(t, dir, map[string]string{
		"app/go.mod": "module example.com/app\n\ngo " + goLine + "\n\nrequire (\n\texample.com/dep v1.0.0\n\texample.com/dep/sub v1.1.0\n)\n\n" +
			"require example.com/far v0.1.0 // indirect\n\n" +
			"replace (\n\texample.com/dep => ../dep\n\texample.com/dep/sub v1.1.0 => ../sub\n\texample.com/far => ../far\n)\n",
		"app/main.go": "package main\n\nimport (\n\t\"example.com/dep\"\n\t\"example.com/dep/sub\"\n)\n\nfunc main() { println(dep.Name, sub.Name) }\n",
		"dep/go.mod":  "module example.com/dep\n\ngo 1.13\n\nrequire example.com/far v0.1.0\n",
		"dep/dep.go":  "package dep\n\nimport _ \"example.com/far\"\n\nvar Name = \"dep\"\n",
		"sub/go.mod":  "module example.com/dep/sub\n\ngo 1.20\n",
		"sub/sub.go":  "package sub\n\nconst Name = \"sub\"\n",
		"far/go.mod":  "module example.com/far\n",
		"far/far.go":  "package far\n",
	})
	app := filepath.Join(dir, "app")
	run(t, app, "go", "mod", "vendor")
	mark(t, filepath.Join(app, "vendor/example.com/dep/dep.go"))
	for _, gone := range []string{"dep", "sub", "far"} {
		os.RemoveAll(filepath.Join(dir, gone))
	}
	return app
}

func TestVendor(t *testing.T) {
	for _, line := range []string{"1.16", "1.17", "1.26"} {
		check(t, vendoredApp(t, line), "ours vendored sub\n", nil)
	}
}

func TestModVendorFlag(t *testing.T) {
	check(t, vendoredApp(t, "1.26"), "ours vendored sub\n", gotool.Flags{"-mod=vendor"})
}

func TestInconsistentVendor(t *testing.T) {
	app := vendoredApp(t, "1.26")
	name := filepath.Join(app, "go.mod")
	data, _ := os.ReadFile(name)
	tree(t, app, map[string]string{"go.mod": strings.Replace(string(data), "example.com/dep v1.0.0\n", "example.com/dep v1.9.0\n", 1)})
	_, err := build(t, app, nil)
	if err == nil || !strings.Contains(err.Error(), "inconsistent vendoring") || !strings.Contains(err.Error(), "example.com/dep@v1.9.0") {
		t.Error(err)
	}
}

func TestLooseFile(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]string{"main.go": hello})
	check(t, dir, "ours app\n", nil, "main.go", "zz_hardtack.go")
}

func TestModfileFlag(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]string{
		"go.mod":     "module example.com/app\n\ngo 1.26\n",
		"other.mod":  "module example.com/app\n\ngo 1.26\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./dep\n",
		"main.go":    "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.Name) }\n",
		"dep/go.mod": "module example.com/dep\n\ngo 1.20\n",
		"dep/dep.go": "package dep\n\nconst Name = \"dep\"\n",
	})
	check(t, dir, "ours dep\n", gotool.Flags{"-modfile=" + filepath.Join(dir, "other.mod")})
}
