// Package cache writes files that other processes may read at any moment.
//
// A file appears under its name whole or not at all: it is written under another name in the same folder and renamed.
// A tree of files appears the same way. Nothing is locked: names carry a hash of what they hold, so two writers of one
// name write the same bytes and it does not matter who is last.
//
// Not promised: that bytes survive a power cut (nothing is synced) or a stranger's edit that keeps a file's size.
// A file that is missing or has another size is written again by the next [Tree].
package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tempPrefix starts the name of everything that is not complete yet.
const tempPrefix = ".part-"

// staleAfter is the age at which an unfinished write is taken for the leavings of a killed process.
const staleAfter = time.Hour

// File writes data under name, whole or not at all, making the folder if it is missing.
func File(name string, data []byte) error {
	return Make(name, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// Make is File for what write puts into the file.
func Make(name string, write func(f *os.File) error) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("cache: cannot make the folder of %s: %w", name, err)
	}
	f, err := os.CreateTemp(dir, tempPrefix+filepath.Base(name)+"-*")
	if err != nil {
		return fmt.Errorf("cache: cannot write in %s: %w", dir, err)
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("cache: cannot write %s: %w", name, err)
	}
	return nil
}

// Tree makes dir hold files, whose keys are slash-separated paths below it. The caller puts a hash of the files into
// dir's name: a tree that is there already is only checked, and mended where a file is missing or has another size.
func Tree(dir string, files map[string][]byte) error {
	for name := range files {
		if !fs.ValidPath(name) {
			return fmt.Errorf("cache: %q is not a path below %s", name, dir)
		}
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := newTree(dir, files); err != nil {
			return err
		}
	}
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if info, err := os.Stat(path); err == nil && info.Size() == int64(len(data)) {
			continue
		}
		if err := File(path, data); err != nil {
			return err
		}
	}
	return nil
}

// newTree writes files beside dir and renames the whole. Losing the race to another process is success.
func newTree(dir string, files map[string][]byte) error {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return fmt.Errorf("cache: cannot make %s: %w", parent, err)
	}
	sweep(parent)
	temp, err := os.MkdirTemp(parent, tempPrefix+filepath.Base(dir)+"-*")
	if err != nil {
		return fmt.Errorf("cache: cannot write in %s: %w", parent, err)
	}
	defer os.RemoveAll(temp) // finds nothing after the rename
	if err := os.Chmod(temp, 0o755); err != nil {
		return fmt.Errorf("cache: cannot open %s to readers: %w", temp, err)
	}
	for name, data := range files {
		path := filepath.Join(temp, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return fmt.Errorf("cache: cannot write %s: %w", path, err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("cache: cannot write %s: %w", path, err)
		}
	}
	if err := os.Rename(temp, dir); err != nil {
		if info, serr := os.Stat(dir); serr == nil && info.IsDir() {
			return nil
		}
		return fmt.Errorf("cache: cannot put %s in place: %w", dir, err)
	}
	return nil
}

// sweep removes what killed writers left in parent. It is a courtesy: errors do not matter.
func sweep(parent string) {
	entries, _ := os.ReadDir(parent)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
			os.RemoveAll(filepath.Join(parent, e.Name()))
		}
	}
}
