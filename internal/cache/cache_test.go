package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// noParts fails if an unfinished write is left anywhere below root.
func noParts(t *testing.T, root string) {
	t.Helper()
	filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), tempPrefix) {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
}

func TestFileReplacesWhole(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, "a", "b")
	for _, want := range []string{"first, and long", "second"} {
		if err := File(name, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, name); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	noParts(t, root)
}

func TestFileCannotReplaceAFolder(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, "taken")
	if err := os.Mkdir(name, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := File(name, []byte("x")); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("err = %v, want one that names %s", err, name)
	}
	noParts(t, root)
}

func TestTreeMendsWhatIsMissingOrShort(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "trees", "x")
	files := map[string][]byte{"a.go": []byte("package a"), "b/c.s": []byte("TEXT")}
	if err := Tree(dir, files); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a.go")); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "b", "c.s"), 1); err != nil {
		t.Fatal(err)
	}
	if err := Tree(dir, files); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got := read(t, filepath.Join(dir, name)); got != string(want) {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	noParts(t, root)
}

func TestTreeRefusesPathsThatLeave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	if err := Tree(dir, map[string][]byte{"../y": nil}); err == nil {
		t.Error("wrote outside the tree")
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused tree exists: %v", err)
	}
}

func TestTreeSweepsOldLeavings(t *testing.T) {
	root := t.TempDir()
	old, young := filepath.Join(root, tempPrefix+"old"), filepath.Join(root, tempPrefix+"young")
	for _, d := range []string{old, young} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * staleAfter)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	if err := Tree(filepath.Join(root, "x"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Error("what a killed writer left is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("what another writer is writing was removed")
	}
}

func TestTreeByManyWriters(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "x")
	files := make(map[string][]byte)
	for i := range 40 {
		files[fmt.Sprintf("d%d/f%d", i%4, i)] = []byte(strings.Repeat("x", 1000+i))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := Tree(dir, files); err != nil {
				t.Error(err)
				return
			}
			for name, want := range files { // complete as soon as Tree returns
				if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(got) != len(want) {
					t.Errorf("%s: %d bytes, %v", name, len(got), err)
				}
			}
		})
	}
	wg.Wait()
	noParts(t, root)
}

func TestHashKeepsFieldsApart(t *testing.T) {
	name := func(purpose string, fields ...string) string {
		h := NewHash(purpose)
		h.Add(fields...)
		return h.Name()
	}
	if name("p", "ab", "c") == name("p", "a", "bc") {
		t.Error("a byte moved between fields and the name stayed")
	}
	if name("p", "a") == name("q", "a") {
		t.Error("two purposes share a name")
	}
	if name("p", "a") != name("p", "a") {
		t.Error("one list has two names")
	}
}
