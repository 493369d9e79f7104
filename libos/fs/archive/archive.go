// Package archive is an image's files whose contents lie among the blocks of a page cache: a ZIP file (PKWARE's APPNOTE 6.3), whose members are not compressed as such, cut in two. Its directory is in memory
// ([checked.Index]), what is before that are blocks (libos/fs/pages), which somebody reads or unpacks. So names and sizes cost no block, and any piece of a file can be had alone.
//
// Contents that begin with a page of the blocks, and have nothing but zeroes behind them up to the end of their last one, can be mapped where they lie.
package archive

import (
	"archive/zip"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/hardtack-os/hardtack/libos/fs/checked"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// An FS is the files, by their names in the archive (checked.EscapeName): an fs.FS, an fs.ReadLinkFS, an fs.StatFS, a mem.Namer and a mem.Piecer.
type FS struct {
	*zip.Reader
	index   checked.Index
	blocks  *pages.Blocks
	members *pages.Part
	files   map[string]*zip.File
	ready   bool // the directory has been read
	tell    func(error)
	told    sync.Map // of string: what was said
}

// Open reads an index, but none of its blocks, which blocks gives. What they cannot be read for tell is told, once each; damage once, however many blocks.
func Open(index string, blocks func(x checked.Index) *pages.Blocks, tell func(error)) (*FS, error) {
	x, err := checked.Decode(index)
	if err != nil {
		return nil, err
	}
	a := &FS{index: x, blocks: blocks(x), files: map[string]*zip.File{}, tell: tell}
	if a.blocks.Size() < x.Members {
		return nil, checked.ErrIndex
	}
	a.members = a.blocks.Part(0, x.Members)
	if a.Reader, err = zip.NewReader(a, x.Members+int64(len(x.Directory))); err != nil {
		return nil, err
	}
	a.ready = true
	for _, f := range a.File {
		a.files[f.Name] = f
	}
	return a, nil
}

// ReadAt implements io.ReaderAt: the archive. Who looks for its directory may look at what is before that, which is not worth a block.
func (a *FS) ReadAt(p []byte, off int64) (n int, err error) {
	if off < a.index.Members {
		members := p[:min(int64(len(p)), a.index.Members-off)]
		if n = len(members); !a.ready {
			clear(members)
		} else if n, err = a.members.ReadAt(members, off); err != nil {
			return n, a.say(err)
		}
		if off += int64(n); n == len(p) {
			return n, nil
		}
	}
	m, err := strings.NewReader(a.index.Directory).ReadAt(p[n:], off-a.index.Members)
	return n + m, err
}

// say tells of an error, once.
func (a *FS) say(err error) error {
	kind := err.Error()
	if damage := (*checked.DamageError)(nil); errors.As(err, &damage) {
		kind = "damage"
	}
	if _, again := a.told.LoadOrStore(kind, true); !again {
		a.tell(errors.New("the files of the image cannot be read: " + err.Error()))
	}
	return err
}

// Pieces implements mem.Piecer.
func (a *FS) Pieces(name string) mem.Pieces {
	f := a.files[name]
	if f == nil || f.Method != zip.Store {
		return nil
	}
	return &contents{of: a, file: f}
}

// contents are a file's.
type contents struct {
	of   *FS
	file *zip.File
	mu   sync.Mutex
	part *pages.Part // under mu; nil: nobody knows yet where it is
}

// where finds the file among the blocks.
func (c *contents) where() (*pages.Part, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.part == nil {
		size, members := c.file.UncompressedSize64, c.of.index.Members
		at, err := c.file.DataOffset()
		if err != nil || size > uint64(members) || at > members-int64(size) {
			return nil, cmp.Or(err, zip.ErrFormat) // ReadAt has said what there is to say
		}
		c.part = c.of.blocks.Part(at, int64(size))
	}
	return c.part, nil
}

// Piece implements mem.Pieces.
func (c *contents) Piece(off, n int64) (pages.Hold, error) {
	if off < 0 || uint64(off) >= c.file.UncompressedSize64 {
		return pages.Hold{}, nil
	}
	part, err := c.where()
	if err != nil {
		return pages.Hold{}, err
	}
	h, err := part.Piece(off, n)
	if err != nil {
		return pages.Hold{}, c.of.say(err)
	}
	return h, nil
}

// Cached implements mem.Pieces.
func (c *contents) Cached(off int64) bool {
	c.mu.Lock()
	part := c.part
	c.mu.Unlock()
	return part != nil && part.Cached(off)
}

// Name implements mem.Namer.
func (a *FS) Name(name string) string { return checked.UnescapeName(name) }

// ReadLink implements fs.ReadLinkFS.
func (a *FS) ReadLink(name string) (string, error) {
	return Link(a.files[name], name)
}

// Link is where a link of an archive leads, which is what its contents are. It is called name; f may be nil. Errors: *fs.PathError for what is no link, and those of reading it.
func Link(f *zip.File, name string) (string, error) {
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
func (a *FS) Lstat(name string) (fs.FileInfo, error) { return a.Stat(name) }

// Stat implements fs.StatFS.
func (a *FS) Stat(name string) (fs.FileInfo, error) {
	if f := a.files[name]; f != nil {
		return f.FileInfo(), nil // Open would ask for a block
	}
	f, err := a.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}
