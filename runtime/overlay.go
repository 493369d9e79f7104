package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/internal/cache"
)

// overlay carries the plan out over src, the Go root's source folder. It returns for each file that changes the file
// in the cache that stands for it, or "" if it is dropped.
//
// Below cacheDir, overlay/HASH/ holds the files of one result, laid out as GOROOT/src. HASH covers the plan and every
// file of the Go root that went into it, so a folder never changes. stamp/HASH.json remembers which result a plan gave
// over src and how src looked then; see [stamp].
func (p *plan) overlay(src, cacheDir string) (map[string]string, error) {
	h := cache.NewHash("stamp")
	h.Add(p.key, src)
	stampFile := filepath.Join(cacheDir, "stamp", h.Name()+".json")
	if s := readStamp(stampFile); s != nil && s.holds(src, cacheDir) {
		return s.replace(cacheDir), nil
	}

	s := newStamp()
	in, err := p.read(src, s)
	if err != nil {
		return nil, err
	}
	out, err := p.patch(in)
	if err != nil {
		return nil, err
	}
	h = cache.NewHash("overlay")
	h.Add(p.key)
	for _, name := range sorted(in) {
		h.Add(name)
		h.AddBytes(in[name])
	}
	s.Tree = h.Name()
	for name, data := range out {
		s.Files[name] = int64(len(data))
	}
	for name := range p.drop {
		if _, replaced := out[name]; !replaced {
			s.Dropped = append(s.Dropped, name)
		}
	}
	if err := cache.Tree(filepath.Join(cacheDir, "overlay", s.Tree), out); err != nil {
		return nil, err
	}
	if err := s.write(stampFile); err != nil {
		return nil, err
	}
	return s.replace(cacheDir), nil
}

// read returns the files of the Go root that are edited and notes in the stamp all that the result depends on.
// Errors: [*EditError] and [*AddedError], and those of the file system.
func (p *plan) read(src string, s *stamp) (map[string][]byte, error) {
	in := make(map[string][]byte)
	for _, name := range sorted(p.edits) {
		if data, ok := p.add[name]; ok {
			in[name] = data // a group's edit of an added file
			continue
		}
		data, err := s.read(src, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &EditError{p.version, p.edits[name][0], ErrNoFile}
		} else if err != nil {
			return nil, fmt.Errorf("cannot read the Go root: %w", err)
		}
		in[name] = data
	}
	for _, name := range sorted(p.drop) {
		switch there, err := exists(src, name); {
		case err != nil:
			return nil, fmt.Errorf("cannot read the Go root: %w", err)
		case !there:
			return nil, &EditError{p.version, p.drop[name], ErrNoFile}
		}
		s.Present = append(s.Present, name)
	}
	for _, name := range sorted(p.add) {
		if _, replaces := p.drop[name]; replaces {
			continue
		}
		switch there, err := exists(src, name); {
		case err != nil:
			return nil, fmt.Errorf("cannot read the Go root: %w", err)
		case there:
			return nil, &AddedError{p.version, name}
		}
		s.Absent = append(s.Absent, name)
	}
	return in, nil
}

// patch returns the files that an image is built with instead of, or beside, the Go root's.
func (p *plan) patch(in map[string][]byte) (map[string][]byte, error) {
	out := maps.Clone(p.add)
	for _, name := range sorted(in) {
		patch := patchGo
		if strings.HasSuffix(name, ".s") {
			patch = patchAsm
		}
		data, err := patch(in[name], p.edits[name])
		if err != nil {
			return nil, err
		}
		out[name] = data
	}
	return out, nil
}

// exists reports whether the Go root has a file.
func exists(src, name string) (bool, error) {
	_, err := os.Stat(filepath.Join(src, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
