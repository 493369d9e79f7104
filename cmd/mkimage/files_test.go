package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filesProgram uses package os: what the image brings, what it writes itself, what programs look at.
const filesProgram = `package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

func check(err error) {
	if err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(3)
	}
}

func main() {
	b, err := os.ReadFile("/srv/www/index.html")
	check(err)
	fmt.Printf("page %s", b)
	big, err := os.ReadFile("/srv/www/sub/big")
	check(err)
	fmt.Println("big", len(big), big[len(big)-1])
	link, err := os.Readlink("/srv/www/link")
	check(err)
	fmt.Println("link", link)
	// Bytes of any kind in names.
	check(filepath.WalkDir("/odd", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, err := os.ReadFile(name)
			check(err)
			fmt.Printf("odd %q %d\n", name, len(b))
		}
		return err
	}))
	dir, err := os.MkdirTemp("", "x")
	check(err)
	check(os.CopyFS(filepath.Join(dir, "copy"), os.DirFS("/srv/www")))
	src, err := os.Open(filepath.Join(dir, "copy", "sub", "big"))
	check(err)
	dst, err := os.Create(filepath.Join(dir, "again"))
	check(err)
	n, err := io.Copy(dst, src)
	check(err)
	fmt.Println("copied", n)
	root, err := os.OpenRoot(dir)
	check(err)
	_, err = root.Open("../../etc/passwd")
	fmt.Println("root:", err)
	check(os.RemoveAll(dir))
	_, err = os.Stat(dir)
	fmt.Println("gone", errors.Is(err, fs.ErrNotExist))
	for _, name := range []string{"/dev/null", "/etc/passwd", "/proc/self/status", "/proc/cpuinfo"} {
		_, err := os.Stat(name)
		check(err)
	}
	wd, err := os.Getwd()
	check(err)
	fmt.Println("in", wd)
	out, err := os.OpenFile("/dev/stdout", os.O_WRONLY, 0)
	check(err)
	fmt.Fprintln(out, "done")
}
`

// TestFiles puts a folder into an image and uses package os there.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": filesProgram,
		"www/index.html": "<html>\n", "www/sub/big": strings.Repeat("0123456789", 10000), "libos.toml": "files = [\"www:/srv/www\", \"odd:/odd\"]\n",
		"odd/bad\xff": "1", "odd/\xc3/a\\b": strings.Repeat("2", 1000), "odd/%FF": "333", "odd/ok": "4444"})
	if err := os.Symlink("sub/big", filepath.Join(dir, "www", "link")); err != nil {
		t.Fatal(err)
	}
	want := []string{`odd "/odd/%FF" 3`, `odd "/odd/bad\xff" 1`, `odd "/odd/ok" 4`, `odd "/odd/\xc3/a\\b" 1000`, "page <html>", "big 100000 57", "link sub/big", "copied 100000", "root: openat ../../etc/passwd: path escapes from parent", "gone true", "in /srv", "done"}
	var c call
	c.mkimage(t, "run", "--env", "PWD=/srv", dir)
	c.want(t, 0, want...)

	c.mkimage(t, "run", "--files", filepath.Join(dir, "nothing")+":/srv", dir)
	c.want(t, 1, "--files", "nothing", "no such file")
	c.mkimage(t, "run", "--fs", "off", dir)
	c.want(t, 1, "--files wants a filesystem")
	c.mkimage(t, "run", "--fs", "perhaps", dir)
	c.want(t, 1, `unknown value of fs "perhaps"`)
}

// mounts is a package that mounts what it embeds, and files in memory of a size of their own.
const mounts = `package mounts

import (
	"embed"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/fs/rom"
	"github.com/hardtack-os/hardtack/libos/posix/files"
)

//go:embed page sub
var assets embed.FS

func init() {
	root := files.Tree.Root()
	defer root.Drop()
	for path, f := range map[string]fs.FileSystem{"/assets": rom.New(assets), "/small": mem.New(mem.Options{Limit: 1 << 20})} {
		files.Tree.Mkdir(root, path, 0o755)
		if _, e := files.Tree.Mount(path, map[bool]string{true: "rom", false: "tmpfs"}[path == "/assets"], f); e != 0 {
			panic(e)
		}
	}
}
`

// TestMountedByPackage: a package that is linked as a module mounts an io/fs.FS and files in memory, and main, which knows nothing of it, finds them by package os.
func TestMountedByPackage(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "libos.toml": "modules = [\"example.com/app/mounts\"]\n",
		"mounts/mounts.go": mounts, "mounts/page": "<html>", "mounts/sub/big": strings.Repeat("0123456789", 10000),
		"main.go": program("fmt os testing/fstest strings", `
	b, err := os.ReadFile("/assets/page")
	fmt.Println("page:", string(b), err)
	fmt.Println("test:", fstest.TestFS(os.DirFS("/assets"), "page", "sub/big"))
	fmt.Println("new:", os.WriteFile("/assets/new", b, 0o644))
	fmt.Println("over:", os.WriteFile("/assets/page", b, 0o644))
	fmt.Println("gone:", os.Remove("/assets/page"))
	fmt.Println("fits:", os.WriteFile("/small/f", make([]byte, 1<<19), 0o644))
	fmt.Println("more:", os.WriteFile("/small/g", make([]byte, 1<<20), 0o644))
	fmt.Println("else:", os.WriteFile("/tmp/g", make([]byte, 1<<20), 0o644))
	b, _ = os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[1] == "/assets" || f[1] == "/small" {
			fmt.Println("mount:", f[1], f[2])
		}
	}
`)})
	var c call
	c.mkimage(t, "run", dir)
	c.want(t, 0, "page: <html> <nil>", "test: <nil>", "new: open /assets/new: read-only file system", "over: open /assets/page: read-only file system", "gone: remove /assets/page: read-only file system",
		"fits: <nil>", "more: write /small/g: no space left on device", "else: <nil>", "mount: /assets rom", "mount: /small tmpfs")
}

// TestFilesAuto: a program that names a path gets files unasked, and ENOENT if it is told to do without.
func TestFilesAuto(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": `package main

import (
	"fmt"
	"os"
)

func main() {
	_, err := os.Stat("/etc/hostname")
	fmt.Println("it says:", err)
}
`})
	var c call
	c.mkimage(t, "run", dir)
	c.want(t, 0, "it says: <nil>")
	c.mkimage(t, "run", "--fs", "off", dir)
	c.want(t, 0, "it says: stat /etc/hostname: no such file or directory")
}

// TestTestFolder: a test finds what lies beside it, in testdata there and above, and may write there.
func TestTestFolder(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "testdata/above": "1", "in/testdata/sub/below": "2", "in/beside": "3", "in/in.go": "package in\n",
		"in/in_test.go": `package in

import (
	"os"
	"testing"
)

func TestFolder(t *testing.T) {
	for name, want := range map[string]string{"../testdata/above": "1", "testdata/sub/below": "2", "beside": "3"} {
		if b, err := os.ReadFile(name); string(b) != want || err != nil {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if err := os.WriteFile("testdata/new", []byte("4"), 0o644); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile("beside", []byte("5"), 0o644); err != nil {
		t.Error(err)
	}
	wd, err := os.Getwd()
	t.Log("in", wd, err, os.Getenv("PWD"))
}
`})
	c := call{dir: dir}
	c.mkimage(t, "test", "./in", "--", "-v")
	c.want(t, 0, "in "+filepath.Join(dir, "in")+" <nil> "+filepath.Join(dir, "in"), "ok")
	if b, err := os.ReadFile(filepath.Join(dir, "in", "beside")); string(b) != "3" || err != nil {
		t.Errorf("the host's file is %q, %v", b, err)
	}
}

// TestExecutable asks for the program's name: nothing else about this program says that it needs files.
func TestExecutable(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os", `fmt.Println(os.Executable())`))
	var c call
	c.mkimage(t, "run", dir)
	c.want(t, 0, "/app <nil>")
}
