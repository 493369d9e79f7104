package build

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestPrune: programs that nobody has asked for in a while leave the cache, and so do the oldest of too many; those in use, and those that somebody works on, stay.
func TestPrune(t *testing.T) {
	parent := t.TempDir()
	now := time.Now()
	program := func(name string, used time.Time) string {
		dir := filepath.Join(parent, name)
		unlock, err := programDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
		for file, data := range map[string]string{"hello": "a program", lockName: ""} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(data), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(filepath.Join(dir, lockName), used, used); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	old, fresh := program("old", now.Add(-unusedFor-time.Hour)), program("fresh", now.Add(-unusedFor+time.Hour))
	busy := program("busy", now.Add(-unusedFor-time.Hour))
	holder, err := openLock(busy, true)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()

	there := func(dir string, want bool) {
		t.Helper()
		_, err := os.Stat(filepath.Join(dir, "hello"))
		if want && err != nil || !want && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want it there: %v", filepath.Base(dir), err, want)
		}
	}
	prunePrograms(parent, now, keptBytes)
	there(old, false)
	there(fresh, true)
	there(busy, true)

	again := program("again", now.Add(-2*unusedFor))
	prunePrograms(parent, now.Add(pruneEvery-time.Minute), keptBytes) // not so soon again
	there(again, true)
	unlock, err := programDir(again) // a use saves it
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	now = now.Add(pruneEvery + time.Minute)
	prunePrograms(parent, now, keptBytes)
	there(again, true)

	// Two of them are too large together: the one used last stays.
	now = now.Add(pruneEvery + time.Minute)
	older := program("older", now.Add(-2*time.Minute))
	newer := program("newer", now.Add(-time.Minute))
	prunePrograms(parent, now, int64(len("a program"))+1)
	there(newer, true)
	there(older, false)
	there(again, false)
	there(busy, true)
}
