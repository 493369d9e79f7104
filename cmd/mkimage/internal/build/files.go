package build

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/libos/fs/checked"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// imageArchive is the file of imageModule that an archive takes the place of, filesIndex that of partitionModule for the index of one whose members are on the disk.
const (
	imageArchive = "libos/posix/files/image/files.zip"
	filesIndex   = "libos/posix/files/partition/files.index"
)

// A File is one of the host's that goes into an image.
type File struct {
	Host  string // path
	Guest string // path in the image, without a slash in front
	Info  fs.FileInfo
}

// AddTree adds a file, or a folder with all that is in it, to a list. guest is
// the path in the image. What is neither file, folder nor symbolic link is
// refused.
func AddTree(list []File, host, guest string) ([]File, error) {
	root, err := os.Stat(host)
	if err != nil {
		return nil, err
	}
	if !root.IsDir() {
		if guest == "/" {
			guest = path.Join("/", filepath.Base(host))
		}
		return addFile(list, host, guest, root)
	}
	err = filepath.WalkDir(host, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(host, name)
		if err != nil {
			return err
		}
		if rel == "." {
			info = root // through a link
		}
		list, err = addFile(list, name, path.Join(guest, filepath.ToSlash(rel)), info)
		return err
	})
	return list, err
}

// AddFolder adds a folder without what is in it.
func AddFolder(list []File, host, guest string) ([]File, error) {
	info, err := os.Stat(host)
	if err != nil {
		return nil, err
	}
	return addFile(list, host, guest, info)
}

func addFile(list []File, host, guest string, info fs.FileInfo) ([]File, error) {
	if t := info.Mode().Type(); t != 0 && t != fs.ModeDir && t != fs.ModeSymlink {
		return nil, fmt.Errorf("%s is neither a file nor a folder nor a symbolic link", host)
	}
	if guest = strings.Trim(guest, "/"); guest == "" {
		return list, nil
	}
	return append(list, File{host, guest, info}), nil
}

// archive writes files for imageModule and returns its entry for the overlay;
// nil where there are none.
func (c *Context) archive(files []File) (map[string]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	out, _, err := zipped(files, true)
	if err != nil {
		return nil, err
	}
	return c.inPlaceOf(imageArchive, out)
}

// inPlaceOf returns the overlay's entry for a file of ours that has other contents.
func (c *Context) inPlaceOf(file string, data []byte) (map[string]string, error) {
	laid, err := c.store(filepath.Base(file), data)
	return map[string]string{filepath.Join(c.Ours, filepath.FromSlash(file)): laid}, err
}

// A Place is where on a disk the files of an image are.
type Place struct {
	slot  string
	id    [16]byte // the unique GUID of the partition that is there already; zero: there is none
	files []byte   // what goes there; nil: there are no files
}

// index writes files for partitionModule and the place, and returns the entry for the overlay. They are not compressed, so that any piece of one can be read alone.
func (c *Context) index(files []File, at *Place) (map[string]string, error) {
	out, members, err := zipped(files, false)
	if err != nil {
		return nil, err
	}
	at.files = append(out[:members:members], make([]byte, -members&(checked.BlockSize-1))...)
	if at.id == ([16]byte{}) {
		at.id = format.FilesID(at.files, at.slot)
	}
	x := checked.Index{Partition: at.id, Members: int64(members), Sums: checked.Sums(at.files), Directory: string(out[members:])}
	return c.inPlaceOf(filesIndex, x.Encode())
}

// zipped returns an archive of files, and how much of it is before its directory. The last one of a path wins.
func zipped(files []File, compress bool) (archive []byte, members int, err error) {
	last := map[string]File{}
	for _, f := range files {
		last[f.Guest] = f
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range slices.SortedFunc(maps.Values(last), func(a, b File) int { return cmp.Compare(a.Guest, b.Guest) }) {
		if err := pack(w, &out, f, compress); err != nil {
			return nil, 0, fmt.Errorf("files for the image: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, 0, err
	}
	members = out.Len()
	err = w.Close()
	return out.Bytes(), members, err
}

// worth is what compression must leave, in percent, to be worth the unpacking.
const worth = 90

const (
	// mappable is how large files are that begin with a page of the archive and end with one, so that they can be mapped where they lie. That costs such a file a page on an average.
	mappable = 4 * pages.Size

	// localHeader is that of a member without its name (APPNOTE 4.3.7), alignExtra the extra field that makes it longer: the one that zipalign writes.
	localHeader = 30
	alignExtra  = 0xd935
)

// pack writes one file. out is what w writes to.
func pack(w *zip.Writer, out *bytes.Buffer, f File, compress bool) error {
	h := &zip.FileHeader{Name: f.Guest, Modified: f.Info.ModTime().UTC().Truncate(time.Second)}
	h.SetMode(f.Info.Mode())
	var data []byte
	var err error
	switch f.Info.Mode().Type() {
	case fs.ModeDir:
		h.Name += "/"
	case fs.ModeSymlink:
		var target string
		target, err = os.Readlink(f.Host)
		data = []byte(filepath.ToSlash(target))
	default:
		data, err = os.ReadFile(f.Host)
	}
	if err != nil {
		return err
	}
	h.CRC32, h.UncompressedSize64 = crc32.ChecksumIEEE(data), uint64(len(data))
	if compress {
		var small bytes.Buffer
		z, err := flate.NewWriter(&small, flate.DefaultCompression)
		if err != nil {
			return err
		}
		z.Write(data)
		z.Close() // into memory: no errors
		if small.Len()*100 < len(data)*worth {
			h.Method, data = zip.Deflate, small.Bytes()
		}
	}
	h.CompressedSize64 = uint64(len(data))
	align := !compress && len(data) >= mappable
	if align {
		if err := w.Flush(); err != nil {
			return err
		}
		if n := -(out.Len() + localHeader + len(h.Name)) & (pages.Size - 1); n > 0 {
			n = (n-4)&(pages.Size-1) + 4 // with its own header
			h.Extra = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, alignExtra), uint16(n-4))
			h.Extra = append(h.Extra, make([]byte, n-4)...)
		}
		data = append(data, make([]byte, -len(data)&(pages.Size-1))...)
	}
	raw, err := w.CreateRaw(h)
	h.Extra = nil // the directory, which is written later, has none
	if err == nil {
		_, err = raw.Write(data)
	}
	return err
}

// and is a map with one more entry.
func and(m map[string]string, key, value string) map[string]string {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}
