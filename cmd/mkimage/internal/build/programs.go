package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Linked programs stay in the cache, a folder each, for the next build of the
// same. One that was not asked for in a while is removed. The file named lock in
// the folder is held by whoever works there; its time is that of the last use.

const (
	lockName    = "lock"
	unusedFor   = 5 * 24 * time.Hour // as long as the go command keeps what it has built
	pruneEvery  = 24 * time.Hour
	pruneMarker = "pruned" // its time is that of the last pruning
)

// programDir makes a folder of the cache, takes its lock and marks it as used.
func programDir(dir string) (unlock func(), err error) {
	for {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, err
		}
		f, err := openLock(dir, true)
		if err == nil {
			now := time.Now()
			if err = os.Chtimes(f.Name(), now, now); err == nil {
				return func() { f.Close() }, nil
			}
			f.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		// Somebody pruned it at this moment.
	}
}

// openLock takes the lock of a folder. nil without an error: another process
// has it, and wait is not set.
func openLock(dir string, wait bool) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if locked, err := lockFile(f, wait); err != nil || !locked {
		f.Close()
		if err != nil {
			err = fmt.Errorf("cannot lock %s: %w", f.Name(), err)
		}
		return nil, err
	}
	return f, nil
}

// prunePrograms removes what was last used before now less unusedFor, once a
// day. It is a courtesy: errors do not matter, the next one tries again.
func prunePrograms(parent string, now time.Time) {
	marker := filepath.Join(parent, pruneMarker)
	if info, err := os.Stat(marker); err == nil && now.Sub(info.ModTime()) < pruneEvery {
		return
	}
	if os.WriteFile(marker, nil, 0o666) != nil || os.Chtimes(marker, now, now) != nil {
		return
	}
	entries, _ := os.ReadDir(parent)
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		info, err := os.Stat(filepath.Join(dir, lockName))
		if err != nil || now.Sub(info.ModTime()) < unusedFor {
			continue
		}
		if f, err := openLock(dir, false); err == nil && f != nil {
			os.RemoveAll(dir)
			f.Close()
		}
	}
}
