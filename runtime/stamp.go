package runtime

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hardtack-os/hardtack/internal/cache"
)

// A stamp remembers one result and what it was made from, so that the next call can tell by looking at sizes and
// times, without reading, that the same result would come out. Names are below GOROOT/src.
type stamp struct {
	Made    time.Time        // before the first input was looked at
	Inputs  map[string]input // files of the Go root that were read
	Present []string         // files of the Go root that only had to be there
	Absent  []string         // files that the Go root must not have
	Tree    string           // the folder in cacheDir/overlay
	Files   map[string]int64 // what it holds, and its size
	Dropped []string         // files that leave the build
}

// An input is how a file looked just before it was read.
type input struct {
	Size int64
	Time time.Time
	Hash []byte // SHA-256 of what was read
}

// settled is how much older than the stamp a file's time must be for size and time to vouch for its contents. A
// younger file may change once more within one tick of the file system's clock; it is read and hashed instead.
const settled = 2 * time.Second

func newStamp() *stamp {
	return &stamp{Made: time.Now(), Inputs: make(map[string]input), Files: make(map[string]int64)}
}

// read reads a file of the Go root and notes how it looks.
func (s *stamp) read(src, name string) ([]byte, error) {
	path := filepath.Join(src, filepath.FromSlash(name))
	info, err := os.Stat(path) // before reading: a change in between is noticed next time
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	s.Inputs[name] = input{info.Size(), info.ModTime(), sum[:]}
	return data, nil
}

// holds reports whether the same result would come out again and is still there.
func (s *stamp) holds(src, cacheDir string) bool {
	for name, in := range s.Inputs {
		path := filepath.Join(src, filepath.FromSlash(name))
		info, err := os.Stat(path)
		if err != nil || info.Size() != in.Size || !info.ModTime().Equal(in.Time) {
			return false
		}
		if s.Made.Sub(in.Time) < settled {
			data, err := os.ReadFile(path)
			if sum := sha256.Sum256(data); err != nil || !bytes.Equal(sum[:], in.Hash) {
				return false
			}
		}
	}
	for _, name := range s.Present {
		if there, err := exists(src, name); err != nil || !there {
			return false
		}
	}
	for _, name := range s.Absent {
		if there, err := exists(src, name); err != nil || there {
			return false
		}
	}
	for name, size := range s.Files {
		info, err := os.Stat(s.file(cacheDir, name))
		if err != nil || info.Size() != size {
			return false
		}
	}
	return true
}

// replace returns the overlay that the stamp remembers.
func (s *stamp) replace(cacheDir string) map[string]string {
	m := make(map[string]string, len(s.Files)+len(s.Dropped))
	for name := range s.Files {
		m[name] = s.file(cacheDir, name)
	}
	for _, name := range s.Dropped {
		m[name] = ""
	}
	return m
}

func (s *stamp) file(cacheDir, name string) string {
	return filepath.Join(cacheDir, "overlay", s.Tree, filepath.FromSlash(name))
}

// readStamp returns nil where there is no stamp that can be read: it is made again then.
func readStamp(path string) *stamp {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	s := new(stamp)
	if json.Unmarshal(data, s) != nil || s.Tree == "" {
		return nil
	}
	return s
}

func (s *stamp) write(path string) error {
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return fmt.Errorf("cannot note what the Go root looks like: %w", err)
	}
	return cache.File(path, data)
}
