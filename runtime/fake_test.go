package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// The test binary plays other parts when it is run with these variables set.
const (
	playGo      = "HARDTACK_TEST_PLAY_GO"      // a go command whose `go env -json` answers this text; "fail" fails
	playPrepare = "HARDTACK_TEST_PLAY_PREPARE" // a process that prepares the big view below this folder, again and again
	playOnce    = "HARDTACK_TEST_PLAY_ONCE"    // with it: once
)

func TestMain(m *testing.M) {
	if answer, ok := os.LookupEnv(playGo); ok && len(os.Args) > 1 && os.Args[1] == "env" {
		if answer == "fail" {
			fmt.Fprintln(os.Stderr, "toolchain not available")
			os.Exit(1)
		}
		fmt.Println(answer)
		os.Exit(0)
	}
	if dir := os.Getenv(playPrepare); dir != "" {
		prepareForEver(dir)
	}
	// Under the race detector a process sleeps for a second before it exits. There are many, and nothing to wait for.
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	os.Exit(m.Run())
}

// A fake is a small Go root with a go command that knows nothing else.
type fake struct {
	t             *testing.T
	root, cache   string
	version, arch string
	modCache      string
	engine        engine
	goCmd         string
}

// newFake makes a Go root 1.26.8 that holds files (path below GOROOT/src -> text), an hour old.
func newFake(t *testing.T, files map[string]string) *fake {
	t.Helper()
	dir := t.TempDir()
	goCmd, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, root: filepath.Join(dir, "go"), cache: filepath.Join(dir, "cache"), version: "go1.26.8", arch: "amd64",
		modCache: filepath.Join(dir, "mod"), engine: engine{added: fstest.MapFS{}}, goCmd: goCmd}
	for name, text := range files {
		f.write(name, text, time.Hour)
	}
	return f
}

// write writes a file of the Go root that was last changed some time ago.
func (f *fake) write(name, text string, ago time.Duration) {
	f.t.Helper()
	path := filepath.Join(f.root, "src", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		f.t.Fatal(err)
	}
	when := time.Now().Add(-ago)
	if err := os.Chtimes(path, when, when); err != nil {
		f.t.Fatal(err)
	}
}

// add sets the added files.
func (f *fake) add(files map[string]string) {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	f.engine.added = m
}

func (f *fake) answer() string {
	data, err := json.Marshal(goEnv{f.root, f.version, f.modCache})
	if err != nil {
		f.t.Fatal(err)
	}
	return string(data)
}

func (f *fake) prepare() (*Root, error) {
	f.t.Setenv(playGo, f.answer())
	return f.engine.prepare(context.Background(), "", f.goCmd, f.arch, f.cache)
}

func (f *fake) mustPrepare() *Root {
	f.t.Helper()
	r, err := f.prepare()
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// stands returns the text that stands for a file of the Go root in an image's build: "" if it is dropped.
func (f *fake) stands(r *Root, name string) string {
	f.t.Helper()
	file, ok := r.Replace[filepath.Join(r.GOROOT, "src", filepath.FromSlash(name))]
	if !ok {
		f.t.Fatalf("%s is not in the overlay %v", name, r.Replace)
	}
	if file == "" {
		return ""
	}
	data, err := os.ReadFile(file)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(data)
}

// big is a view that takes a while to write: added files of one megabyte in all, and an edit.
var big = engine{
	added: func() fstest.MapFS {
		m := fstest.MapFS{}
		for i := range 100 {
			text := fmt.Sprintf("package big\n\n// %s\n", strings.Repeat("x", 10000))
			m[fmt.Sprintf("big/f%d.go", i)] = &fstest.MapFile{Data: []byte(text)}
		}
		return m
	}(),
	edits: []Edit{{File: "p/p.go", Decl: "f", Op: Drop, Why: "test"}},
}

// prepareForEver prepares big below dir until it is killed; an odd call finds no stamp and an even one no tree.
func prepareForEver(dir string) {
	goCmd, err := os.Executable()
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		if _, err := big.prepare(context.Background(), "", goCmd, "amd64", dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("prepared")
		if os.Getenv(playOnce) != "" {
			os.Exit(0)
		}
		gone := "stamp"
		if i%2 == 1 {
			gone = "overlay"
		}
		os.RemoveAll(filepath.Join(dir, gone))
	}
}

// wholeBig fails where a file below dir/overlay, other than in an unfinished write, is not as big has it.
func wholeBig(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "overlay"), func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), ".part-"):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir() || filepath.Base(filepath.Dir(path)) != "big":
			return nil
		}
		got, err := os.ReadFile(path)
		if want := big.added.(fstest.MapFS)["big/"+d.Name()].Data; !bytes.Equal(got, want) {
			t.Errorf("%s holds %d bytes of %d", path, len(got), len(want))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
}
