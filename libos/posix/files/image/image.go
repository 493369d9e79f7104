// Package image brings the files that mkimage puts into an image, by --files and for tests. Package cmd/mkimage links it, with its archive in the place of the
// empty one here.
//
// The archive is a ZIP file (PKWARE's APPNOTE 6.3). What could not be made smaller lies in it as it is, and is read where it lies; the rest is unpacked when it is first read, and kept.
package image

import (
	"archive/zip"
	_ "embed"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/hardtack-os/hardtack/libos/posix/files"
)

//go:embed files.zip
var archive string

func init() {
	r, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		return // mkimage has made it
	}
	files.Plant(seed{r, index(r)})
}

// A seed is an archive's files, by name.
type seed struct {
	*zip.Reader
	files map[string]*zip.File
}

func index(r *zip.Reader) map[string]*zip.File {
	m := make(map[string]*zip.File, len(r.File))
	for _, f := range r.File {
		m[f.Name] = f
	}
	return m
}

// Bytes implements mem.Holder: what is not compressed is the program's own read-only data.
func (s seed) Bytes(name string) []byte {
	f := s.files[name]
	if f == nil || f.Method != zip.Store {
		return nil
	}
	off, err := f.DataOffset()
	if err != nil || off+int64(f.UncompressedSize64) > int64(len(archive)) {
		return nil
	}
	return readOnly(archive[off : off+int64(f.UncompressedSize64)])
}

// ReadLink implements fs.ReadLinkFS: a link's contents are where it leads.
func (s seed) ReadLink(name string) (string, error) {
	f := s.files[name]
	if f == nil || f.Mode().Type() != fs.ModeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: errors.ErrUnsupported}
	}
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	target, err := io.ReadAll(r)
	return string(target), err
}

// Lstat implements fs.ReadLinkFS.
func (s seed) Lstat(name string) (fs.FileInfo, error) { return s.Stat(name) }

// Stat implements fs.StatFS.
func (s seed) Stat(name string) (fs.FileInfo, error) {
	f, err := s.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}
