// Package partition brings the files that mkimage has put into a partition of the image's disk, by --files-on disk. mkimage links it, with its index (libos/fs/checked) in the place of the empty one here:
// names, sizes and the sums of all blocks are in the image, what is in the files is not.
//
// The partition is known by its unique GUID, on whichever disk, and looked for when the first byte of a file is asked for. Where it is not there, a disk cannot be read or a block is damaged, reading gives
// EIO, and the console one line each. Nothing is written there: what a program writes to such a file is in memory, as with all files of an image.
package partition

import (
	"archive/zip"
	"cmp"
	_ "embed"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/checked"
	"github.com/hardtack-os/hardtack/libos/fs/drives"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/posix/files"
)

//go:embed files.index
var index string

func init() {
	if index == "" {
		return
	}
	s, err := open(index, find)
	if err != nil {
		tell(err)
		return
	}
	files.Plant(s)
}

func tell(err error) { println("libos/posix/files/partition:", err.Error()) }

// open makes a seed of an index. find finds the partition when it is needed.
func open(text string, find func(guid [16]byte) (block.Device, error)) (*seed, error) {
	x, err := checked.Decode(text)
	if err != nil {
		return nil, err
	}
	s := &seed{index: x, files: map[string]*zip.File{}}
	s.members = checked.NewReader(x.Sums, func() (block.Device, error) { return find(x.Partition) })
	if s.Reader, err = zip.NewReader(s, x.Members+int64(len(x.Directory))); err != nil {
		return nil, err
	}
	s.ready = true
	for _, f := range s.File {
		s.files[f.Name] = f
	}
	return s, nil
}

// A seed is the archive's files, by name.
type seed struct {
	*zip.Reader
	index   checked.Index
	members *checked.Reader
	files   map[string]*zip.File
	ready   bool     // the directory has been read
	told    sync.Map // of string: what was said
}

// ReadAt implements io.ReaderAt: the archive. Who looks for its directory may look at what is before that, which is not worth a disk.
func (s *seed) ReadAt(p []byte, off int64) (n int, err error) {
	if off < s.index.Members {
		members := p[:min(int64(len(p)), s.index.Members-off)]
		if n = len(members); !s.ready {
			clear(members)
		} else if n, err = s.members.ReadAt(members, off); err != nil {
			return n, s.say(err)
		}
		if off += int64(n); n == len(p) {
			return n, nil
		}
	}
	m, err := strings.NewReader(s.index.Directory).ReadAt(p[n:], off-s.index.Members)
	return n + m, err
}

// say tells of an error, once.
func (s *seed) say(err error) error {
	if err != nil {
		kind := err.Error()
		if damage := (*checked.DamageError)(nil); errors.As(err, &damage) {
			kind = "damage" // one line, however many blocks
		}
		if _, again := s.told.LoadOrStore(kind, true); !again {
			tell(errors.New("the files of the image cannot be read: " + err.Error()))
		}
	}
	return err
}

// Pieces implements mem.Piecer: nothing is compressed.
func (s *seed) Pieces(name string) mem.Pieces {
	f := s.files[name]
	if f == nil || f.Method != zip.Store {
		return nil
	}
	return &pieces{of: s, file: f}
}

// pieces are a file's.
type pieces struct {
	of   *seed
	file *zip.File
	at   atomic.Int64 // where it begins in the archive; 0: nobody knows yet
}

// Piece implements mem.Pieces.
func (p *pieces) Piece(off, n int64) ([]byte, error) {
	size := int64(min(p.file.UncompressedSize64, uint64(p.of.index.Members)))
	if off < 0 || off >= size {
		return nil, nil
	}
	at := p.at.Load()
	if at == 0 {
		var err error
		if at, err = p.file.DataOffset(); err != nil || at > p.of.index.Members-size {
			return nil, cmp.Or(err, zip.ErrFormat) // ReadAt has said what there is to say
		}
		p.at.Store(at)
	}
	n = min(n, size-off)
	b, err := p.of.members.Piece(at+off, n)
	if err != nil {
		return nil, p.of.say(err)
	}
	return b[:min(n, int64(len(b)))], nil
}

// ReadLink implements fs.ReadLinkFS: a link's contents are where it leads.
func (s *seed) ReadLink(name string) (string, error) {
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
func (s *seed) Lstat(name string) (fs.FileInfo, error) { return s.Stat(name) }

// Stat implements fs.StatFS.
func (s *seed) Stat(name string) (fs.FileInfo, error) {
	if f := s.files[name]; f != nil {
		return f.FileInfo(), nil // Open would ask the disk
	}
	f, err := s.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

// find opens the partition that has a GUID. Of several, as on a disk and its copy, the first one is as good: what is read is checked.
func find(guid [16]byte) (block.Device, error) {
	var found block.Device
	var failed error
	for _, d := range drives.Open(func(err error) { failed = err }) {
		for _, p := range block.Partitions(d) {
			if p.GPT && p.GUID == guid && found == nil {
				found = p
			}
		}
		if p, _ := found.(*block.Partition); p == nil || p.Device != d {
			d.Close()
		}
	}
	switch {
	case found != nil:
		return found, nil
	case failed != nil:
		return nil, failed
	}
	return nil, errors.New("no disk that there is a driver for has their partition")
}
