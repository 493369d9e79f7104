package build

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"errors"
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

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/libos/fs/checked"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// What an image's files are in takes the place of these files: of imageModule, those that are read where they lie, and the index and the blocks of those that are unpacked; of partitionModule, the index of what is on the
// disk.
const (
	imageArchive = "libos/posix/files/image/files.zip"
	imageIndex   = "libos/posix/files/image/files.index"
	imageBlocks  = "libos/posix/files/image/files.blocks"
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

// covered refuses files that nobody would ever see, because something else is mounted over them: at what the image has of its own, or a volume.
func covered(files []File, s config.Settings) error {
	what := map[string]string{"/dev": "the image has a /dev of its own", "/proc": "the image has a /proc of its own", "/sys": "the image has a /sys of its own"}
	for _, m := range s.MountPaths() {
		what[m] = "a volume is mounted at " + m
	}
	for _, f := range files {
		guest := "/" + f.Guest
		for at, why := range what {
			if guest == at && !f.Info.IsDir() || strings.HasPrefix(guest, at+"/") {
				return fmt.Errorf("--files: %s would be %s, and never be seen: %s; put it elsewhere, or leave it out", f.Host, guest, why)
			}
		}
	}
	return nil
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

// archive writes files for imageModule and returns its entries for the overlay;
// nil where there are none.
func (c *Context) archive(files []File) (map[string]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	var as, small []File // those that stay as they are, and those that become smaller
	for _, f := range lastOf(files) {
		shrinks, err := f.shrinks()
		if err != nil {
			return nil, fmt.Errorf("files for the image: %w", err)
		}
		if shrinks {
			small = append(small, f)
		} else {
			as = append(as, f)
		}
	}
	out, _, err := zipped(as, false)
	if err != nil {
		return nil, err
	}
	entries := map[string]string{}
	if err := c.inPlaceOf(entries, imageArchive, out); err != nil || len(small) == 0 {
		return entries, err
	}
	x, blocks, err := cut(small)
	if err != nil {
		return nil, err
	}
	packed := checked.Pack(blocks)
	if uint64(len(packed)) >= 1<<32 {
		return nil, errors.New("files for the image: they have more than 4 GiB, compressed: put them on its disk by --files-on disk")
	}
	if err := c.inPlaceOf(entries, imageIndex, x.Encode()); err != nil {
		return nil, err
	}
	return entries, c.inPlaceOf(entries, imageBlocks, packed)
}

// inPlaceOf adds the overlay's entry for a file of ours that has other contents.
func (c *Context) inPlaceOf(entries map[string]string, file string, data []byte) error {
	laid, err := c.store(filepath.Base(file), data)
	entries[filepath.Join(c.Ours, filepath.FromSlash(file))] = laid
	return err
}

// A Place is where on a disk the files of an image are.
type Place struct {
	slot  string
	id    [16]byte // the unique GUID of the partition that is there already; zero: there is none
	files []byte   // what goes there; nil: there are no files
}

// index writes files for partitionModule and the place, and returns the entry for the overlay. They are not compressed, so that any piece of one can be read alone.
func (c *Context) index(files []File, at *Place) (map[string]string, error) {
	x, blocks, err := cut(lastOf(files))
	if err != nil {
		return nil, err
	}
	if at.files = blocks; at.id == ([16]byte{}) {
		at.id = format.FilesID(at.files, at.slot)
	}
	x.Partition = at.id
	entries := map[string]string{}
	return entries, c.inPlaceOf(entries, filesIndex, x.Encode())
}

// lastOf is files in the order of their paths. The last one of a path wins.
func lastOf(files []File) []File {
	last := map[string]File{}
	for _, f := range files {
		last[f.Guest] = f
	}
	return slices.SortedFunc(maps.Values(last), func(a, b File) int { return cmp.Compare(a.Guest, b.Guest) })
}

// cut makes an archive of files whose members are whole blocks.
func cut(files []File) (x checked.Index, blocks []byte, err error) {
	out, members, err := zipped(files, true)
	if err != nil {
		return x, nil, err
	}
	blocks = append(out[:members:members], make([]byte, -members&(checked.BlockSize-1))...)
	return checked.Index{Members: int64(members), Sums: checked.Sums(blocks), Directory: string(out[members:])}, blocks, nil
}

// zipped returns an archive of files, and how much of it is before its directory. align: large files can be mapped where they lie.
func zipped(files []File, align bool) (data []byte, members int, err error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		if err := pack(w, &out, f, align); err != nil {
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

// shrinks says whether compression is worth it. Folders and links stay as they are.
func (f File) shrinks() (bool, error) {
	if !f.Info.Mode().IsRegular() {
		return false, nil
	}
	data, err := os.ReadFile(f.Host)
	if err != nil {
		return false, err
	}
	var small bytes.Buffer
	z, err := flate.NewWriter(&small, flate.DefaultCompression)
	if err != nil {
		return false, err
	}
	z.Write(data)
	z.Close() // into memory: no errors
	return small.Len()*100 < len(data)*worth, nil
}

const (
	// mappable is how large files are that begin with a page of the archive and end with one, so that they can be mapped where they lie. That costs such a file a page on an average.
	mappable = 4 * pages.Size

	// localHeader is that of a member without its name (APPNOTE 4.3.7), alignExtra the extra field that makes it longer: the one that zipalign writes.
	localHeader = 30
	alignExtra  = 0xd935
)

// pack writes one file. out is what w writes to.
func pack(w *zip.Writer, out *bytes.Buffer, f File, align bool) error {
	h := &zip.FileHeader{Name: checked.EscapeName(f.Guest), Modified: f.Info.ModTime().UTC().Truncate(time.Second)}
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
	h.CompressedSize64 = uint64(len(data))
	if align && len(data) >= mappable {
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
