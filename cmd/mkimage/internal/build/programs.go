package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Linked programs stay in the cache, a folder each, for the next build of the
// same. One that was not asked for in a while is removed, and so are the ones not
// asked for longest when all are larger than a bound. The file named lock in the
// folder is held by whoever works there; its time is that of the last use.

const (
	lockName    = "lock"
	unusedFor   = 5 * 24 * time.Hour // as long as the go command keeps what it has built
	keptBytes   = 4 << 30            // some hundreds of programs
	pruneEvery  = time.Hour
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

// prunePrograms removes what was last used before now less unusedFor, and what
// was last used longest ago while the rest is larger than keep bytes. It does so
// once in pruneEvery, as a courtesy: errors do not matter, the next one tries
// again.
func prunePrograms(parent string, now time.Time, keep int64) {
	marker := filepath.Join(parent, pruneMarker)
	if info, err := os.Stat(marker); err == nil && now.Sub(info.ModTime()) < pruneEvery {
		return
	}
	if os.WriteFile(marker, nil, 0o666) != nil || os.Chtimes(marker, now, now) != nil {
		return
	}
	type program struct {
		dir  string
		used time.Time
	}
	var programs []program
	entries, _ := os.ReadDir(parent)
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		if info, err := os.Stat(filepath.Join(dir, lockName)); err == nil {
			programs = append(programs, program{dir, info.ModTime()})
		}
	}
	slices.SortFunc(programs, func(a, b program) int { return b.used.Compare(a.used) })
	for _, p := range programs {
		keep -= folderSize(p.dir)
		if now.Sub(p.used) < unusedFor && keep >= 0 {
			continue
		}
		if f, err := openLock(p.dir, false); err == nil && f != nil {
			os.RemoveAll(p.dir)
			f.Close()
		}
	}
}

// folderSize is the sum of the lengths of the files that lie in dir.
func folderSize(dir string) (n int64) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
	}
	return n
}
