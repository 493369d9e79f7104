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
	"io"
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

const (
	// mostInProgram is how many bytes of files an image takes into the program, before they are compressed; mostOnDisk, with --files-on disk. mkimage has what it packs in memory, up to three times: as an archive, where it lies on the disk, and the whole disk. A file
	// with holes has as many bytes as any other.
	mostInProgram = 2 << 30
	mostOnDisk    = 4 << 30
)

// checkSizes refuses files that have more bytes than most together, before any is read, and names the largest.
func checkSizes(files []File, most int64) error {
	var total int64
	var largest File
	size := int64(-1)
	for _, f := range files {
		if !f.Info.Mode().IsRegular() {
			continue
		}
		n := f.Info.Size()
		if total = min(total+min(n, most+1), most+1); n > size { // so it does not overflow
			size, largest = n, f
		}
	}
	if total <= most {
		return nil
	}
	return fmt.Errorf("files for the image: they have more than %d MiB, of which %s has %d: move what the program does not read out of the folder, or have it on a volume (--disk); an image takes %d MiB, with --files-on disk %d",
		most>>20, largest.Host, size>>20, int64(mostInProgram)>>20, int64(mostOnDisk)>>20)
}

// archive writes files for imageModule and returns its entries for the overlay;
// nil where there are none.
func (c *Context) archive(files []File) (map[string]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	files = lastOf(files)
	if err := checkSizes(files, mostInProgram); err != nil {
		return nil, err
	}
	var as, small []File // those that stay as they are, and those that become smaller
	for _, f := range files {
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
	files = lastOf(files)
	if err := checkSizes(files, mostOnDisk); err != nil {
		return nil, err
	}
	x, blocks, err := cut(files)
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
	directory := string(out[members:])
	blocks = append(out[:members], make([]byte, -members&(checked.BlockSize-1))...) // over the directory: there is no other copy of so much
	return checked.Index{Members: int64(members), Sums: checked.Sums(blocks), Directory: directory}, blocks, nil
}

// zipped returns an archive of files, and how much of it is before its directory. align: large files can be mapped where they lie.
func zipped(files []File, align bool) (data []byte, members int, err error) {
	var out bytes.Buffer
	room := checked.BlockSize // behind the members, for cut
	for _, f := range files {
		room += 2*len(checked.EscapeName(f.Guest)) + aroundMember
		if f.Info.Mode().IsRegular() {
			if room += int(f.Info.Size()); align {
				room += 2 * pages.Size
			}
		}
	}
	out.Grow(room) // once: a buffer that grows is there three times for a while
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
	r, err := os.Open(f.Host)
	if err != nil {
		return false, err
	}
	defer r.Close()
	var small count
	z, err := flate.NewWriter(&small, flate.DefaultCompression)
	if err != nil {
		return false, err
	}
	size, err := io.Copy(z, r)
	if err != nil {
		return false, err
	}
	z.Close() // into a count: no errors
	return int64(small)*100 < size*worth, nil
}

// count is how many bytes were written to it.
type count int64

func (c *count) Write(b []byte) (int, error) {
	*c += count(len(b))
	return len(b), nil
}

const (
	// mappable is how large files are that begin with a page of the archive and end with one, so that they can be mapped where they lie. That costs such a file a page on an average.
	mappable = 4 * pages.Size

	// localHeader is that of a member without its name (APPNOTE 4.3.7), alignExtra the extra field that makes it longer: the one that zipalign writes.
	localHeader = 30
	alignExtra  = 0xd935

	// aroundMember is more than what an archive has for one beside its bytes and its name, twice: local header, descriptor, extra fields, directory (APPNOTE 4.3). A link's target is not in it.
	aroundMember = 256
)

// pack writes one file. out is what w writes to.
func pack(w *zip.Writer, out *bytes.Buffer, f File, align bool) error {
	h := &zip.FileHeader{Name: checked.EscapeName(f.Guest), Modified: f.Info.ModTime().UTC().Truncate(time.Second)}
	h.SetMode(f.Info.Mode())
	var data io.ReadSeeker
	switch f.Info.Mode().Type() {
	case fs.ModeDir:
		h.Name += "/"
		data = strings.NewReader("")
	case fs.ModeSymlink:
		target, err := os.Readlink(f.Host)
		if err != nil {
			return err
		}
		data = strings.NewReader(filepath.ToSlash(target))
	default:
		r, err := os.Open(f.Host)
		if err != nil {
			return err
		}
		defer r.Close()
		data = r
	}
	sum := crc32.NewIEEE() // the header has it, so data is read twice
	size, err := io.Copy(sum, data)
	if err == nil {
		_, err = data.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	h.CRC32, h.UncompressedSize64, h.CompressedSize64 = sum.Sum32(), uint64(size), uint64(size)
	var rest []byte // what is behind data, up to a page
	if align && size >= mappable {
		if err := w.Flush(); err != nil {
			return err
		}
		if n := -(out.Len() + localHeader + len(h.Name)) & (pages.Size - 1); n > 0 {
			n = (n-4)&(pages.Size-1) + 4 // with its own header
			h.Extra = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, alignExtra), uint16(n-4))
			h.Extra = append(h.Extra, make([]byte, n-4)...)
		}
		rest = make([]byte, -size&(pages.Size-1))
	}
	raw, err := w.CreateRaw(h)
	h.Extra = nil // the directory, which is written later, has none
	if err != nil {
		return err
	}
	sum.Reset()
	n, err := io.Copy(io.MultiWriter(raw, sum), io.LimitReader(data, size))
	if err == nil && (n != size || sum.Sum32() != h.CRC32) {
		err = fmt.Errorf("%s changed while it was read: build again when nobody writes it", f.Host)
	}
	if err == nil {
		_, err = raw.Write(rest)
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
