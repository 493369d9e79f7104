package runtime

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// files returns every file below dir.
func files(t *testing.T, dir string) map[string]os.FileInfo {
	t.Helper()
	m := make(map[string]os.FileInfo)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		m[path], err = d.Info()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func cacheFake(t *testing.T) *fake {
	f := newFake(t, map[string]string{"p/p.go": "package p\n\nfunc f() {}\nfunc g() {}\n", "p/q.go": "package p\n"})
	f.add(map[string]string{"p/exo.go": "package p\n"})
	f.engine.edits = []Edit{{File: "p/p.go", Decl: "f", Op: Drop, Why: "w"}, {File: "p/q.go", Op: DropFile, Why: "w"}}
	return f
}

func TestSecondPrepareWritesNothing(t *testing.T) {
	f := cacheFake(t)
	f.mustPrepare()
	before := files(t, f.cache)
	f.mustPrepare()
	after := files(t, f.cache)
	if len(before) != 3 || len(after) != len(before) { // two files and a stamp
		t.Errorf("%d files, then %d", len(before), len(after))
	}
	for path, b := range before {
		if a := after[path]; a == nil || !os.SameFile(a, b) || !a.ModTime().Equal(b.ModTime()) {
			t.Errorf("%s was written again", path)
		}
	}
}

func TestPrepareNoticesChanges(t *testing.T) {
	for name, change := range map[string]func(*fake){
		"another size": func(f *fake) { f.write("p/p.go", "package p\n\nfunc f() {}\nfunc g() {} // new\n", time.Hour) },
		"another time": func(f *fake) { f.write("p/p.go", "package p\n\nfunc f() {}\nfunc h() {}\n", time.Minute) },
		"edits": func(f *fake) {
			f.engine.edits = append(f.engine.edits, Edit{File: "p/p.go", Decl: "g", Op: Body, Text: "h()", Why: "w"})
		},
		"added file": func(f *fake) { f.add(map[string]string{"p/exo.go": "package p // new\n"}) },
		"version":    func(f *fake) { f.version = "go1.26.9" },
	} {
		t.Run(name, func(t *testing.T) {
			f := cacheFake(t)
			first := f.mustPrepare()
			old := f.stands(first, "p/p.go") + f.stands(first, "p/exo.go")
			change(f)
			second := f.mustPrepare()
			file := filepath.Join(f.root, "src", "p", "p.go")
			if second.Replace[file] == first.Replace[file] {
				t.Error("the same files stand for the Go root's")
			}
			if got := f.stands(first, "p/p.go") + f.stands(first, "p/exo.go"); got != old {
				t.Errorf("files of the first view changed: %q, then %q", old, got)
			}
			if f.version == "go1.26.8" && f.stands(second, "p/p.go")+f.stands(second, "p/exo.go") == old {
				t.Error("the change is not in the second view")
			}
		})
	}
}

func TestPrepareNoticesAChangeWithinOneTick(t *testing.T) {
	f := newFake(t, nil)
	f.engine.edits = []Edit{{File: "p/p.go", Decl: "f", Op: Drop, Why: "w"}}
	f.write("p/p.go", "package p\n\nfunc f() {}\nfunc g() {}\n", 0)
	path := filepath.Join(f.root, "src", "p", "p.go")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f.mustPrepare()
	f.write("p/p.go", "package p\n\nfunc f() {}\nfunc h() {}\n", 0) // the same size, and the same time:
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if got, want := f.stands(f.mustPrepare(), "p/p.go"), "package p\n\n\nfunc h() {}\n"; got != want {
		t.Errorf("p.go = %q, want %q", got, want)
	}
}

func TestATouchedFileGivesTheSameView(t *testing.T) {
	f := cacheFake(t)
	first := f.mustPrepare()
	f.write("p/p.go", "package p\n\nfunc f() {}\nfunc g() {}\n", time.Minute)
	second := f.mustPrepare()
	for name, file := range first.Replace {
		if second.Replace[name] != file {
			t.Errorf("%s: %s, and then %s", name, file, second.Replace[name])
		}
	}
}

func TestPrepareNoticesFilesThatComeAndGo(t *testing.T) {
	f := cacheFake(t)
	f.mustPrepare()
	f.write("p/exo.go", "package p\n", time.Hour)
	if _, err := f.prepare(); err == nil {
		t.Error("a file of the Go root has the name of an added one, and no error")
	}
	for _, name := range []string{"q.go", "p.go"} {
		f = cacheFake(t)
		f.mustPrepare()
		if err := os.Remove(filepath.Join(f.root, "src", "p", name)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.prepare(); err == nil {
			t.Errorf("%s is gone from the Go root, and no error", name)
		}
	}
}

func TestPrepareMendsItsCache(t *testing.T) {
	f := cacheFake(t)
	r := f.mustPrepare()
	want := f.stands(r, "p/p.go")
	for name, damage := range map[string]func(path string) error{
		"short":   func(path string) error { return os.Truncate(path, 1) },
		"missing": os.Remove,
		"stamp": func(string) error {
			return filepath.WalkDir(filepath.Join(f.cache, "stamp"), func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				return os.WriteFile(path, []byte("{"), 0o666)
			})
		},
	} {
		if err := damage(r.Replace[filepath.Join(f.root, "src", "p", "p.go")]); err != nil {
			t.Fatal(err)
		}
		if got := f.stands(f.mustPrepare(), "p/p.go"); got != want {
			t.Errorf("%s: p.go = %q, want %q", name, got, want)
		}
	}
}

// bigFake is a Go root for the view named big.
func bigFake(t *testing.T) *fake {
	f := newFake(t, map[string]string{"p/p.go": "package p\n\nfunc f() {}\n"})
	f.engine = big
	t.Setenv(playGo, f.answer())
	return f
}

// TestAKilledWriterLeavesNothingHalf kills a process that prepares again and again, at moments that spread over its
// work, and looks at what other processes would see.
func TestAKilledWriterLeavesNothingHalf(t *testing.T) {
	f := bigFake(t)
	for i := range 12 {
		cmd := exec.Command(f.goCmd)
		cmd.Env = append(os.Environ(), playPrepare+"="+f.cache)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Errorf("the writer prepared nothing: %v", err)
		}
		time.Sleep(time.Duration(i) * 3 * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		io.Copy(io.Discard, out)
		cmd.Wait() // says that it was killed
		wholeBig(t, f.cache)
		r := f.mustPrepare()
		wholeBig(t, f.cache)
		if len(r.Replace) != 101 {
			t.Errorf("%d overlay entries, want 101", len(r.Replace))
		}
	}
}

func TestManyPrepareAtOnce(t *testing.T) {
	f := bigFake(t)
	var wg sync.WaitGroup
	for range 8 { // each asks the go command, so there are as many processes besides
		wg.Go(func() {
			r, err := big.prepare(context.Background(), "", f.goCmd, "amd64", f.cache)
			if err != nil {
				t.Error(err)
				return
			}
			for name, file := range r.Replace {
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
	wholeBig(t, f.cache)
}

// TestProcessesPrepareAtOnce lets processes race for an empty cache.
func TestProcessesPrepareAtOnce(t *testing.T) {
	f := bigFake(t)
	for range 4 {
		cache := t.TempDir()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				cmd := exec.Command(f.goCmd)
				cmd.Env = append(os.Environ(), playPrepare+"="+cache, playOnce+"=1")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		wg.Wait()
		wholeBig(t, cache)
		if n := len(files(t, cache)); n != 102 { // 101 files and a stamp
			t.Errorf("%d files in the cache, want 102", n)
		}
	}
}

// BenchmarkPrepareAgain is what every build but the first pays, most of it for asking the go command.
func BenchmarkPrepareAgain(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if _, err := Prepare(context.Background(), "go", "amd64", dir); err != nil {
			b.Fatal(err)
		}
	}
}
