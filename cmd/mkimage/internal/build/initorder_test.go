package build

import (
	"slices"
	"testing"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
)

// TestFirst: what is initialized first is whole: with each package what that imports, in a test's variant, too.
func TestFirst(t *testing.T) {
	pkg := func(path, name string, imports ...string) gotool.Package {
		return gotool.Package{ImportPath: path, Name: name, Imports: imports}
	}
	pkgs := []gotool.Package{
		pkg("runtime", "runtime", "internal/abi", "unsafe"), pkg("internal/abi", "abi", "unsafe"), pkg("unsafe", "unsafe"),
		pkg("io", "io", "errors", "unsafe"), pkg("errors", "errors", "internal/abi"), pkg("testing", "testing", "io"),
		pkg("io [io.test]", "io", "errors", "testing", "unsafe"),
		pkg(posixModule, "posix", "io"), pkg(FilesModule, "files", posixModule+" [io.test]", "io [io.test]"), pkg(orderModule, "initorder"),
		pkg(kindsPackage, "kinds", "errors"), pkg("a.b/disk.v2", "disk", kindsPackage+" [io.test]", "a.b/crc"), pkg("a.b/crc", "crc"), pkg("a.b/web", "web", "io"),
		pkg("a.b", "main", kindsPackage, "a.b/web", "a.b/disk.v2"),
	}
	modules := ordered([]string{posixModule, FilesModule})
	want := []string{"a.b/crc", "a.b/disk%2ev2", "errors", FilesModule, "io", kindsPackage, posixModule, "testing", orderModule}
	slices.Sort(want)
	if got := importsOf(pkgs).first(modules); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if got := importsOf(pkgs).first(ordered([]string{posixModule, VolumesModule})); got != nil {
		t.Errorf("not all is known: %q", got)
	}
	if unordered(modules, nil) == nil || unordered(modules, want) != nil || unordered(nil, nil) != nil {
		t.Error("an order that is missing")
	}
	for _, few := range [][]string{{posixModule}, {posixModule, screenModule, schedModule, schedModule + "/stride"}} {
		if got := ordered(few); !slices.Equal(got, few) {
			t.Errorf("%q", got)
		}
	}
	if got := (Imports{}).first(modules); got != nil {
		t.Errorf("%q", got)
	}
	for path, want := range map[string]string{"a.b/c.d": "a.b/c%2ed", "main": "main", "gopkg.in/yaml.v3": "gopkg.in/yaml%2ev3", "a/b c\"%ü": "a/b%20c%22%25%c3%bc"} {
		if got := symbolPath(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
