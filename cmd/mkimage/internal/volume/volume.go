//go:build linux

package volume

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/cffs"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

// Split cuts FILE:/PATH in two. inside says that there is a path.
func Split(arg string) (file, in string, inside bool) {
	i := strings.Index(arg, ":/")
	if i <= 0 {
		return arg, "/", false
	}
	return arg[:i], arg[i+1:], true
}

// A Volume is one that is open.
type Volume struct {
	dev  *block.HostFile
	part block.Device // of it, or all of it
	fs   mounted
	tree *core.Tree
	root core.Place
}

// mounted is a filesystem of either kind.
type mounted interface {
	core.FileSystem
	Close() error
}

// partition is what is behind FILE in FILE#2: a partition's number; 0 where there is none.
func partition(file string) (name string, number int, err error) {
	i := strings.LastIndexByte(file, '#')
	if i < 0 {
		return file, 0, nil
	}
	if _, err := os.Stat(file); err == nil {
		return file, 0, nil // a file of that name
	}
	n, err := strconv.Atoi(file[i+1:])
	if err == nil && n > 0 {
		return file[:i], n, nil
	}
	if _, err := os.Stat(file[:i]); err == nil {
		return "", 0, fmt.Errorf("%s: want a partition's number behind #, from 1 on", file)
	}
	return file, 0, nil
}

// inside gives the partition of a device; 0: all of it.
func inside(dev block.Device, number int) (block.Device, error) {
	if number == 0 {
		return dev, nil
	}
	list, err := block.Partitions(dev)
	for _, p := range list {
		if p.Number == number {
			return p, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: its partitions cannot be read: %w", dev.Info().Name, err)
	}
	return nil, fmt.Errorf("%s has no partition %d", dev.Info().Name, number)
}

// Open opens the volume in a file, or, FILE#2, in a partition of it: one of cffs or FAT.
func Open(file string, readOnly bool) (*Volume, error) { return open(file, readOnly, true) }

// open is Open; unless manual, what is written is made durable after a few seconds.
func open(file string, readOnly, manual bool) (*Volume, error) {
	file, number, err := partition(file)
	if err != nil {
		return nil, err
	}
	dev, err := block.OpenFile(file, readOnly)
	if err != nil {
		return nil, err
	}
	part, err := inside(dev, number)
	if err != nil {
		dev.Close()
		return nil, err
	}
	var f mounted
	kind := "cffs"
	if _, _, is := fat.Identify(part); is {
		kind = "vfat"
		f, err = fat.Mount(part, fat.Options{ReadOnly: readOnly, Manual: manual})
	} else if c, e := cffs.Mount(part, cffs.Options{ReadOnly: readOnly, Manual: manual, Log: func(s string) { fmt.Fprintln(os.Stderr, s) }}); e != nil {
		err = e
	} else if f = c; !readOnly && c.Doubt() != nil {
		err = fmt.Errorf("%s: it is not written to until it was repaired", file)
	}
	if err != nil {
		dev.Close()
		return nil, err
	}
	v := &Volume{dev: dev, part: part, fs: f, tree: core.NewTree(kind, f)}
	v.root = v.tree.Root()
	return v, nil
}

// Close makes all durable and ends the use.
func (v *Volume) Close() error {
	return errors.Join(v.fs.Close(), v.dev.Close())
}

// at does f with what lies at a path; links are followed but for the last name, if follow is false.
func (v *Volume) at(name string, follow bool, f func(p core.Place) error) error {
	how := core.NoFollow
	if follow {
		how = 0
	}
	p, e := v.tree.Resolve(v.root, name, how)
	if e != 0 {
		return fail(name, e)
	}
	defer p.Drop()
	return f(p)
}

func fail(name string, e core.Errno) error {
	if e == 0 {
		return nil
	}
	return fmt.Errorf("%s in the volume: %w", name, e)
}

// An entry is a name that was found.
type entry struct {
	name string
	node core.Node
	attr core.Attr
}

// entries are a folder's, sorted: those that can be read, also where err says that others cannot. The caller drops them.
func (v *Volume) entries(name string, d core.Dir) (list []entry, err error) {
	var names []string
	if e := d.ReadDir(0, func(e *core.Entry) bool { names = append(names, e.Name); return true }); e != 0 {
		err = fmt.Errorf("%s in the volume: %d names can be read, and others not: %w", name, len(names), e)
	}
	slices.Sort(names)
	for _, n := range names {
		c, e := d.Lookup(n)
		if e != 0 {
			err = errors.Join(err, fail(path.Join(name, n), e))
			continue
		}
		x := entry{name: n, node: c}
		x.attr = c.Attr()
		list = append(list, x)
	}
	return list, err
}

// mode writes a mode as ls does.
func mode(m uint32) string {
	const kinds = "?pc?d?b?-?l?s???"
	b := []byte{kinds[m>>12&15]}
	for i := 8; i >= 0; i-- {
		c := byte('-')
		if m>>i&1 != 0 {
			c = "xwr"[i%3]
		}
		b = append(b, c)
	}
	return string(b)
}

// show writes one line of List.
func show(w io.Writer, long bool, x entry) {
	name := x.name
	if l, ok := x.node.(core.Link); ok && long {
		to, _ := l.Target()
		name += " -> " + to
	}
	if !long {
		fmt.Fprintln(w, name)
		return
	}
	t := time.Unix(x.attr.Mtime.Sec, x.attr.Mtime.Nsec).UTC().Format("2006-01-02 15:04:05")
	fmt.Fprintf(w, "%s %3d %5d %5d %12d %s %s\n", mode(x.attr.Mode), x.attr.Nlink, x.attr.UID, x.attr.GID, x.attr.Size, t, name)
}

// List writes the names in a folder, or one file's.
func (v *Volume) List(w io.Writer, name string, long bool) error {
	return v.at(name, true, func(p core.Place) error {
		d, ok := p.Node.(core.Dir)
		if !ok {
			show(w, long, entry{path.Base(name), p.Node, p.Attr()})
			return nil
		}
		list, err := v.entries(name, d)
		for _, x := range list {
			show(w, long, x)
			x.node.Unref()
		}
		return err
	})
}

// Tree writes all names below a folder.
func (v *Volume) Tree(w io.Writer, name string) error {
	var walk func(name, indent string, d core.Dir) error
	walk = func(name, indent string, d core.Dir) error {
		list, err := v.entries(name, d)
		for i, x := range list {
			branch, more := "├── ", "│   "
			if i == len(list)-1 {
				branch, more = "└── ", "    "
			}
			end := ""
			switch n := x.node.(type) {
			case core.Dir:
				end = "/"
			case core.Link:
				to, _ := n.Target()
				end = " -> " + to
			}
			fmt.Fprintln(w, indent+branch+x.name+end)
			if c, ok := x.node.(core.Dir); ok {
				err = errors.Join(err, walk(path.Join(name, x.name), indent+more, c))
			}
			x.node.Unref()
		}
		return err
	}
	return v.at(name, true, func(p core.Place) error {
		d, ok := p.Node.(core.Dir)
		if !ok {
			return fail(name, syscall.ENOTDIR)
		}
		fmt.Fprintln(w, name)
		return walk(name, "", d)
	})
}

// Cat writes a file's bytes.
func (v *Volume) Cat(w io.Writer, name string) error {
	return v.at(name, true, func(p core.Place) error {
		f, ok := p.Node.(core.File)
		if !ok {
			return fail(name, kindError(p.Node))
		}
		return copyOut(w, name, f)
	})
}

func kindError(n core.Node) core.Errno {
	if _, dir := n.(core.Dir); dir {
		return syscall.EISDIR
	}
	return syscall.EINVAL
}

// Remove removes a file, or a folder with all that is in it, if whole.
func (v *Volume) Remove(name string, whole bool) error {
	return v.at(name, false, func(p core.Place) error {
		d, dir := p.Node.(core.Dir)
		if !dir {
			return fail(name, v.tree.Unlink(v.root, name))
		}
		if !whole {
			return fmt.Errorf("%s in the volume is a folder: remove it by -r", name)
		}
		list, err := v.entries(name, d)
		for _, c := range list {
			c.node.Unref()
			err = errors.Join(err, v.Remove(path.Join(name, c.name), true))
		}
		if path.Clean(name) == "/" || err != nil {
			return err
		}
		return fail(name, v.tree.Rmdir(v.root, name))
	})
}

// Make makes a volume in a file, of cffs, or FAT32 with isFAT. size is that of a file that is made, or made larger; 0: it is there, and has its size.
func Make(file string, size int64, label string, force, isFAT bool) (err error) {
	file, number, err := partition(file)
	if err != nil {
		return err
	}
	before, missing := os.Stat(file)
	if size > 0 {
		if err := grow(file, size, true); err != nil {
			return err
		}
		defer func() {
			switch {
			case err == nil:
			case errors.Is(missing, os.ErrNotExist):
				os.Remove(file)
			case missing == nil && before.Mode().IsRegular() && before.Size() < size:
				os.Truncate(file, before.Size()) // it is what it was
			}
		}()
	}
	dev, err := block.OpenFile(file, false)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("no file %s: make one by --size", file)
		}
		return err
	}
	part, err := inside(dev, number)
	if err != nil {
		return errors.Join(err, dev.Close())
	}
	if !isFAT {
		err := cffs.Format(part, cffs.FormatOptions{Label: label, Force: force})
		if held := (*cffs.NotEmptyError)(nil); errors.As(err, &held) {
			err = fmt.Errorf("%s holds %s: --force makes a volume all the same", file, held.Found)
		}
		return errors.Join(err, dev.Close())
	}
	if what := cffs.Foreign(part); what != cffs.Empty && !force {
		return errors.Join(fmt.Errorf("%s holds %s: --force makes a volume all the same", file, what), dev.Close())
	}
	return errors.Join(fat.Format(part, fat.FormatOptions{Label: label, ID: uint32(time.Now().UnixNano())}), dev.Close())
}

// grow makes a file larger, and one that is missing if create is set.
func grow(file string, size int64, create bool) error {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(file, flags, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() && info.Size() < size {
		return f.Truncate(size)
	}
	if info.Size() > size && info.Mode().IsRegular() && !create {
		return fmt.Errorf("%s has %d bytes: a volume can be made larger, not smaller", file, info.Size())
	}
	return nil
}

// Resize makes a volume as large as what it is in: a file, which is made larger first if size is not 0, a disk or a partition. These two have the size that they have.
func Resize(file string, size int64) error {
	whole, number, err := partition(file)
	if err != nil {
		return err
	}
	v, err := Open(file, true) // it must be one
	if err != nil {
		return err
	}
	_, isFAT := v.fs.(*fat.FS)
	room := v.part.Info().Size
	if err := v.Close(); err != nil {
		return err
	}
	if info, err := os.Stat(whole); size != 0 && size != room && (number > 0 || err == nil && !info.Mode().IsRegular()) {
		return fmt.Errorf("%s has %d bytes, all of which a volume gets without --size; what it is in is made larger by others, as sfdisk or parted", file, room)
	}
	if size != 0 && number == 0 {
		if err := grow(whole, size, false); err != nil {
			return err
		}
	}
	if isFAT {
		err := growFAT(whole, number)
		if no := (*fat.GrowError)(nil); errors.As(err, &no) && size > room && number == 0 {
			err = errors.Join(err, os.Truncate(whole, room)) // it is what it was
		}
		return err
	}
	if v, err = Open(file, false); err != nil { // which takes what there is
		return err
	}
	return v.Close()
}

// growFAT makes a FAT volume as large as the file or partition that it is in.
func growFAT(file string, number int) error {
	dev, err := block.OpenFile(file, false)
	if err != nil {
		return err
	}
	part, err := inside(dev, number)
	if err == nil {
		err = fat.Grow(part)
	}
	return errors.Join(err, dev.Close())
}

// uuid is one as it is written.
func uuid(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Info tells what a volume is: of one of cffs that is too damaged to be mounted what its superblocks tell, and why.
func Info(w io.Writer, file string) error {
	v, err := Open(file, true)
	if err == nil {
		return errors.Join(v.Info(w), v.Close())
	}
	name, number, e := partition(file)
	if e != nil {
		return err
	}
	dev, e := block.OpenFile(name, true)
	if e != nil {
		return err
	}
	defer dev.Close()
	part, e := inside(dev, number)
	if e != nil {
		return err
	}
	if label, id, is := cffs.Identify(part); is {
		fmt.Fprintf(w, "filesystem: cffs\nlabel: %s\nUUID: %s\ndamaged: %v\n", label, uuid(id), err)
		return fmt.Errorf("%w: mkimage fs check explains it", err)
	}
	return err
}

// Info tells what a volume is.
func (v *Volume) Info(w io.Writer) error {
	var s core.Statfs
	v.fs.Statfs(&s)
	cf, is := v.fs.(*cffs.FS)
	if !is {
		_, err := fmt.Fprintf(w, "filesystem: FAT\nlabel: %s\nserial number: %08X\nsize: %d bytes\nfree: %d bytes\n", v.fs.(*fat.FS).Label(), s.ID, int64(s.Blocks)*s.BlockSize, int64(s.Free)*s.BlockSize)
		return err
	}
	id := cf.UUID()
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "filesystem: cffs\nlabel: %s\nUUID: %s\nsize: %d bytes\nfree: %d bytes\nunmounted: %v\n",
		cf.Label(), uuid(id), int64(s.Blocks)*s.BlockSize, int64(s.Free)*s.BlockSize, cf.Clean())
	return b.Flush()
}

// ErrDamaged says that Check found something.
var ErrDamaged = errors.New("the volume is damaged")

// CheckOptions say how Check looks at a volume, and what it may change. Zero: nothing.
type CheckOptions struct {
	Quick  bool // without reading the data of files
	Repair bool // mend what can be mended without loss
	Back   bool // and go back to the commit before the last where that one cannot be read
	Lossy  bool // and lose what is lost
	Holes  bool // and make holes of what of files cannot be read
}

// Check looks at all of a volume and says what is wrong, and, where it may repair it, what it did. ErrDamaged: it is damaged, or still is; cffs.ErrLoss, cffs.ErrAfter, fat.ErrLoss: it was not repaired, for it was not told to lose anything.
func Check(w io.Writer, file string, o CheckOptions) error {
	file, number, err := partition(file)
	if err != nil {
		return err
	}
	repair := o.Repair || o.Back || o.Lossy || o.Holes
	dev, err := block.OpenFile(file, !repair)
	if err != nil {
		return err
	}
	defer dev.Close()
	part, err := inside(dev, number)
	if err != nil {
		return err
	}
	if holdsFAT(part) {
		if o.Back || o.Holes {
			return fmt.Errorf("%s: it is a FAT volume: --back and --holes are for cffs", file)
		}
		return checkFAT(w, part, o)
	}
	damaged, err := report(w, part, !o.Quick || o.Holes)
	if err != nil || !damaged {
		return err
	}
	if !repair {
		return ErrDamaged
	}
	var done []string
	if o.Lossy || o.Holes {
		done, err = cffs.Salvage(part, cffs.SalvageOptions{Back: o.Back, Holes: o.Holes})
	} else {
		done, err = cffs.Repair(part, o.Back)
	}
	for _, d := range done {
		fmt.Fprintln(w, d)
	}
	switch {
	case errors.Is(err, cffs.ErrLoss):
		return fmt.Errorf("%w: --repair=lossy", err)
	case err != nil:
		return err
	}
	if damaged, err = report(w, part, !o.Quick || o.Holes); err == nil && damaged {
		err = fmt.Errorf("%w still: what of files cannot be read gives EIO until --holes makes it zeroes", ErrDamaged)
	}
	return err
}

// holdsFAT says whether a device holds a FAT volume, if only by the copy of its boot sector.
func holdsFAT(dev block.Device) bool {
	if _, _, is := fat.Identify(dev); is {
		return true
	}
	_, _, is := cffs.Identify(dev)
	return !is && fat.Known(dev)
}

// checkFAT is Check of a FAT volume.
func checkFAT(w io.Writer, dev block.Device, o CheckOptions) error {
	report := func() (damaged bool, err error) {
		r, err := fat.Check(dev)
		if err != nil {
			return false, err
		}
		for _, p := range r.Problems {
			fmt.Fprintln(w, p)
		}
		if r.More > 0 {
			fmt.Fprintf(w, "and %d more\n", r.More)
		}
		_, err = fmt.Fprintf(w, "%d files, %d folders, %d clusters of %d bytes in use, %d problems\n", r.Files, r.Dirs, r.Clusters, r.Cluster, len(r.Problems)+r.More)
		return len(r.Problems) > 0, err
	}
	damaged, err := report()
	if err != nil || !damaged {
		return err
	}
	if !o.Repair && !o.Lossy {
		return ErrDamaged
	}
	done, err := fat.Repair(dev, o.Lossy, time.Now())
	for _, d := range done {
		fmt.Fprintln(w, d)
	}
	if errors.Is(err, fat.ErrLoss) {
		return fmt.Errorf("%w: --repair=lossy", err)
	} else if err != nil {
		return err
	}
	if damaged, err = report(); err == nil && damaged {
		err = fmt.Errorf("%w still: there are parts of it that the disk does not read or keep", ErrDamaged)
	}
	return err
}

// report writes what a check finds, and says whether that is anything.
func report(w io.Writer, dev block.Device, data bool) (damaged bool, err error) {
	r, err := cffs.Check(dev, data)
	if err != nil {
		return false, err
	}
	for _, p := range r.Problems {
		fmt.Fprintln(w, p)
	}
	if r.More > 0 {
		fmt.Fprintf(w, "and %d more\n", r.More)
	}
	_, err = fmt.Fprintf(w, "%d files, %d folders, %d blocks in use, %d problems\n", r.Files, r.Dirs, r.Blocks, len(r.Problems)+r.More)
	return len(r.Problems) > 0, err
}
