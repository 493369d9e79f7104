// Package image brings the files that mkimage puts into an image, by --files and for tests. Package cmd/mkimage links it, with its archive in the place of the
// empty one here.
//
// What could not be made smaller lies in a ZIP file (PKWARE's APPNOTE 6.3) as it is, and is read where it lies, and so are folders and links. The rest is a second archive (libos/fs/archive), cut in blocks that are compressed
// each for itself. They are unpacked into the page cache when they are read, and again when their memory was taken (libos/fs/pagecache; where the machine has none, into an eighth of memory, of the heap).
package image

import (
	"archive/zip"
	_ "embed"
	"errors"
	"io/fs"
	"strings"

	"github.com/hardtack-os/hardtack/libos/fs/archive"
	"github.com/hardtack-os/hardtack/libos/fs/checked"
	"github.com/hardtack-os/hardtack/libos/fs/pagecache"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/files"
)

var (
	//go:embed files.zip
	asTheyAre string

	//go:embed files.index
	index string

	//go:embed files.blocks
	blocks string
)

func init() {
	s, err := open(asTheyAre)
	if err != nil {
		missing(err)
		return
	}
	files.Plant(s)
	if index == "" {
		return
	}
	memory, _ := posix.Memory()
	store := pagecache.StoreOf(int(memory / 8))
	a, err := archive.Open(index, func(x checked.Index) *pages.Blocks { return checked.Unpack(store, blocks, x) }, tell)
	if err != nil {
		missing(err)
		return
	}
	files.Plant(a)
}

func missing(err error) {
	tell(errors.New("files of the image are missing, their archive is damaged: " + err.Error()))
}

func tell(err error) { println("libos/posix/files/image:", err.Error()) }

func open(text string) (seed, error) {
	r, err := zip.NewReader(strings.NewReader(text), int64(len(text)))
	if err != nil {
		return seed{}, err
	}
	return seed{r, byName(r), text}, nil
}

// A seed is an archive's files, by their names there (checked.EscapeName).
type seed struct {
	*zip.Reader
	files map[string]*zip.File
	text  string // the archive
}

func byName(r *zip.Reader) map[string]*zip.File {
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
	if n := uint64(len(s.text)); err != nil || uint64(off) > n || f.UncompressedSize64 > n-uint64(off) {
		return nil
	}
	return readOnly(s.text[off : uint64(off)+f.UncompressedSize64])
}

// Name implements mem.Namer.
func (s seed) Name(name string) string { return checked.UnescapeName(name) }

// ReadLink implements fs.ReadLinkFS.
func (s seed) ReadLink(name string) (string, error) {
	return archive.Link(s.files[name], name)
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
