package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// others are modules whose own tests, of the package at their root, pass in an image as they do on Linux.
var others = []struct {
	name, module string
	flags        []string
	skip         string // tests that are left out: the reason stands beside them
}{
	{
		name: "fsnotify", module: "github.com/fsnotify/fsnotify@v1.9.0",
		skip: "TestAdd/permission_denied" + // for root, to whom nothing is denied
			"|TestInotifyOverflow", // makes as many files as it can in 10 s
	},
}

// TestOthers runs them.
func TestOthers(t *testing.T) {
	for _, m := range others {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := call{dir: download(t, m.module)}
			c.mkimage(t, append(append([]string{"test"}, m.flags...), ".", "--", "-test.short", "-test.skip", m.skip)...)
			c.want(t, 0, "ok")
		})
	}
}

// download is a module's folder, outside of the module cache, in which an overlay reaches no package.
func download(t *testing.T, module string) string {
	t.Helper()
	get := exec.Command("go", "mod", "download", "-json", module)
	get.Dir = t.TempDir()
	get.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := get.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var at struct{ Dir string }
	if err := json.Unmarshal(out, &at); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(get.Dir, os.DirFS(at.Dir)); err != nil {
		t.Fatal(err)
	}
	return get.Dir
}
