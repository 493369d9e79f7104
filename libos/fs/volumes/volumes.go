// Package volumes mounts the volumes of an image's disks when it starts, before main. mkimage links it into images with --disk or --mount, whose word
// on the command line it reads:
//
//	disks=WHICH:/PATH[,format[=KIND]][,ro][,mmp];mem:/PATH[,size=SIZE];...[;look]
//
// WHICH is serial=NAME, label=NAME, uuid=UUID, part=NAME and partuuid=GUID (a partition's name, or its unique GUID, in a GUID partition table), or the number of a disk, from 0 on, in the order in which they are found. Who takes one away gives those behind it other numbers; where one is there and cannot be opened, those behind it are mounted by no number. A partition's serial number is its disk's with p1, p2 ... behind it, and so is its number: 0p1. The volume is
// one of cffs or FAT, or of a kind of the program's own (libos/fs/kinds); it is mounted at PATH, whose folders are made, and which is not /dev, nor /proc, /sys or below these. With format a disk that
// holds nothing but zeroes at its beginning gets an empty volume first, of cffs or the kind that is named; with ro nothing is written. With mmp (multiple mount protection; cffs only) another image that is given the disk
// is refused while this one runs (cffs.Options.Watch): the image reads the disk once a second for that, and after a crash the next one waits five seconds before it mounts the volume. With ro it does nothing.
// With mem, files in memory of their own are there, which may have SIZE bytes together (64M, or half of the machine's memory); at / they are those that are there already.
// The disks that are found have nodes in /dev, mounted or not; with look they are looked for where nothing is to be mounted, too.
//
// cffs and FAT are mounted while this package is initialized, the program's own kinds when the packages that register them are: libos/initorder has both come before the packages that only use
// files. So package main has no kinds of its own.
//
// Their page cache is the machine's (libos/fs/pagecache).
//
// A volume may be mounted in the folders of another: the outer one comes first, whatever their order in the word.
//
// What cannot be mounted is told on the console, with the disk's name and what was found on it. The program starts all the same, and all that it does at PATH gives EIO: it cannot take a folder in
// memory for its volume.
//
// Volumes are unmounted when the program ends by itself: main returns, or os.Exit. When it ends by a panic, a fatal error of its own (a map written by two at once) or a signal that nobody handles, what it wrote
// is synced first, if that takes no more than ten seconds. Either way files that are open and have no name are let go of (fs.Ender). When memory or a stack is at its end, or power is lost, what was not synced in the last seconds is lost (cffs.Interval).
package volumes

import (
	"encoding/hex"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/cffs"
	"github.com/hardtack-os/hardtack/libos/fs/drives"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
	"github.com/hardtack-os/hardtack/libos/fs/kinds"
	"github.com/hardtack-os/hardtack/libos/fs/pagecache"
	"github.com/hardtack-os/hardtack/libos/initorder"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/files"
)

func init() {
	word, _ := exo.Setting("disks")
	list, look, err := parse(word)
	if err != nil {
		tell(err)
	}
	if len(list) == 0 && !look {
		return
	}
	if look || slices.ContainsFunc(list, func(w want) bool { return !w.mem }) {
		late.disks = find()
	}
	initorder.After(mountOwn)
	var found []left
	for _, w := range list {
		l := left{want: w}
		if !w.bad && !w.mem {
			l.disk, l.err = late.disks.find(w)
		}
		found = append(found, l)
	}
	late.mount(found)
}

// mount mounts what is built in. One that is mounted in another's folders comes behind that, so that none hides another.
func (l *waiting) mount(list []left) {
	slices.SortStableFunc(list, func(a, b left) int { return strings.Count(a.path, "/") - strings.Count(b.path, "/") })
	for _, v := range list {
		switch {
		case l.below(v.path): // what it is to be in is not there yet
			l.wants = append(l.wants, v)
		case v.mem && !v.bad:
			v.memory()
		case v.disk != nil && !v.disk.builtin(v.want):
			v.fail()
			l.wants = append(l.wants, v)
		default:
			v.mount(mountBuiltin)
		}
	}
}

// late is what is left for mountOwn: disks of the program's own kinds, or of none, and what is to be mounted in these.
var late waiting

type waiting struct {
	disks disks
	wants []left
}

// below says whether a path leads through one that is left.
func (l *waiting) below(path string) bool {
	return slices.ContainsFunc(l.wants, func(o left) bool { return strings.HasPrefix(path, o.path+"/") })
}

// A left is a volume that is to be mounted, and its disk, nil where there is none.
type left struct {
	want
	disk   *disk
	err    error // why it is not mounted, if that was not told
	failed bool  // its folder gives EIO
}

// mountOwn mounts what a kind of the program's own knows, and what is in it; tells of what nobody knows, and closes the disks that are not used. It is called when the packages that register kinds are initialized.
func mountOwn() {
	for _, l := range late.wants {
		if l.mem && !l.bad {
			l.memory()
			continue
		}
		how := mountKind
		if l.disk != nil && l.disk.builtin(l.want) {
			how = mountBuiltin
		}
		if !l.mount(how) && l.disk != nil {
			l.disk.used = false
		}
	}
	for _, d := range late.disks {
		if d.whole == nil && !late.disks.inUse(d) {
			d.Close()
		}
	}
}

// mount mounts a volume, or has its folder give EIO, and tells why.
func (l *left) mount(how func(want, *disk) (string, kinds.Volume, error)) bool {
	if l.disk != nil {
		if l.err = use(l.want, l.disk, how); l.err == nil {
			return true
		}
	}
	l.fail()
	if l.err != nil {
		refuse(l.want, l.err)
	}
	return false
}

// memory mounts files in memory, or has their folder give EIO, and tells why.
func (l *left) memory() {
	hidden := namesIn(l.path)
	folders(l.path)
	switch e := files.MountMemory(l.path, l.size); {
	case e == 0 && l.path != "/":
		tellHidden("the files in memory at "+l.path+" hide", hidden)
	case e == 0:
	case l.path == "/":
		tell(errors.New("/ keeps its size: the files in memory have more than " + strconv.FormatInt(l.size, 10) + " bytes already; say more by mem:/,size="))
	default:
		l.fail()
		refuse(l.want, e)
	}
}

// fail has the folder give EIO where the volume is to be, or was to be.
func (l *left) fail() {
	if !l.failed {
		l.failed = at(l.path, fs.Source{}, "", broken{}) == 0
	}
}

var mounted []kinds.Volume

// use mounts what is on a disk, and sees that it is written when the program ends.
func use(w want, d *disk, mount func(want, *disk) (string, kinds.Volume, error)) error {
	release, err := drives.Claim(d.Device, w.path)
	if err != nil {
		return err
	}
	kind, f, err := mount(w, d)
	if err != nil {
		release()
		return err
	}
	if e := at(w.path, d.source(kind), kind, f); e != 0 {
		release()
		return errors.Join(errors.New("it cannot be put there: "+e.Error()), f.Close())
	}
	atDeath(func() {
		if e, ok := f.(fs.Ender); ok {
			e.Ending()
		}
		f.Sync()
	})
	if len(mounted) == 0 {
		atDeath(func() { // apart: who dies may have locked what is mapped, or one volume may be full
			fs.WriteBack()
			for _, f := range mounted {
				f.Sync()
			}
		})
	}
	mounted = append(mounted, f)
	atExit(func() {
		fs.WriteBack() // who stored it asked nobody
		if err := f.Close(); err != nil {
			tell(err)
		}
	})
	return nil
}

func refuse(w want, err error) {
	tell(errors.New(w.path + " is not mounted: " + err.Error() + advice(err)))
}

// advice is what to do about an error, for messages; empty where nothing can be said.
func advice(err error) string {
	var c *cffs.MountError
	var f *fat.MountError
	if errors.As(err, &c) && c.Reads || errors.As(err, &f) && f.Reads {
		return " (,ro behind the path has it be read)"
	}
	return ""
}

func tell(err error) { say(err.Error()) }

// say writes a line to the console. Tests listen.
var say = func(text string) { println("libos/fs/volumes:", text) }

// A want is a volume that is to be mounted.
type want struct {
	by, which string // by: "serial", "label", "uuid", "part", "partuuid"; "" for a number
	path      string
	format    bool
	kind      string // what is formatted; "" for cffs
	readOnly  bool
	mem       bool  // files in memory
	size      int64 // what they may have; 0 where nothing is said
	mmp       bool  // others are refused while it is mounted
	bad       bool  // nobody can say which volume, but where it was to be
}

// parse reads the word's value, and whether disks are to be looked for. What makes no sense is told by the error, and is in the list as bad if it says where.
func parse(word string) (list []want, look bool, err error) {
next:
	for _, v := range strings.Split(word, ";") {
		if v == "look" {
			look = true
		}
		if v == "" || v == "look" {
			continue
		}
		w, ok := parseOne(v)
		if taken(w.path) {
			err = errors.Join(err, errors.New("disks="+v+": the image has /dev, /proc and /sys of its own: say another path"))
			continue
		}
		for i := range list {
			if o := &list[i]; ok && o.path == w.path {
				o.bad = true
				err = errors.Join(err, errors.New("disks=: two volumes are to be at "+w.path))
				continue next
			}
		}
		if !ok {
			err = errors.Join(err, errors.New("disks="+v+": want WHICH:/PATH, with ,format, ,format=KIND, ,ro or ,mmp behind it, or mem:/PATH with ,size=64M; WHICH is serial=NAME, label=NAME, uuid=UUID, part=NAME, partuuid=GUID or a number"))
			if w.bad = true; w.path == "" || w.path == "/" {
				continue
			}
		}
		list = append(list, w)
	}
	return list, look, err
}

// taken says whether a path is one that the image needs for itself: nothing is mounted there, not even what gives EIO. Below /dev there is room, as at /dev/shm.
func taken(path string) bool {
	return path == "/dev" || path == "/proc" || path == "/sys" || strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/")
}

func parseOne(v string) (w want, ok bool) {
	v, flags, _ := strings.Cut(v, ",")
	i := strings.Index(v, ":/")
	if i >= 0 {
		w.path = path.Clean(v[i+1:])
		w.mem = v[:i] == "mem"
	}
	for _, f := range strings.Split(flags, ",") {
		kind, named := strings.CutPrefix(f, "format=")
		size, sized := strings.CutPrefix(f, "size=")
		switch {
		case f == "":
		case w.mem && sized:
			n, ok := pagecache.Bytes(size)
			if w.size = int64(n); !ok || w.size <= 0 {
				return w, false
			}
		case w.mem:
			return w, false
		case f == "format":
			w.format = true
		case named && kind != "":
			w.format, w.kind = true, kind
		case f == "ro":
			w.readOnly = true
		case f == "mmp":
			w.mmp = true
		default:
			return w, false
		}
	}
	if i <= 0 {
		return w, false
	}
	if w.mem {
		return w, w.path != "/" || w.size > 0
	}
	by, which, named := strings.Cut(v[:i], "=")
	if !named {
		w.which = by
		return w, isNumber(by) && w.path != "/"
	}
	w.by, w.which = by, which
	return w, (by == "serial" || by == "label" || by == "uuid" || by == "part" || by == "partuuid") && which != "" && w.path != "/"
}

// isNumber says whether s is that of a disk, as 0, or of a partition, as 0p1.
func isNumber(s string) bool {
	disk, part, is := strings.Cut(s, "p")
	_, err := strconv.ParseUint(disk, 10, 16)
	if err == nil && is {
		_, err = strconv.ParseUint(part, 10, 16)
	}
	return err == nil
}

// A disk is one that was found.
type disk struct {
	block.Device
	number      string // "0" for the first; "0p1" for its first partition
	whole       *disk  // of a partition
	label, uuid string // of the volume on it, if there is one
	fat         bool   // which is a FAT one
	used        bool
	unsure      bool // one that cannot be opened may be before it: its number may be another's
}

type disks []*disk

// find opens all disks of the machine, and finds their partitions.
func find() (list disks) {
	all, sure := drives.Open(tell)
	for n, v := range all {
		d := look(v, strconv.Itoa(n), nil)
		d.unsure = n >= sure
		list = append(list, d)
		if d.uuid == "" {
			for _, p := range drives.Partitions(v) {
				part := look(p, strconv.Itoa(n)+"p"+strconv.Itoa(p.Number), d)
				part.unsure = d.unsure
				list = append(list, part)
			}
		}
	}
	return list
}

// look says what is on a disk or partition.
func look(v block.Device, number string, whole *disk) *disk {
	d := &disk{Device: v, number: number, whole: whole}
	if label, uuid, ok := cffs.Identify(v); ok {
		d.label, d.uuid = label, hex.EncodeToString(uuid[:])
	} else if label, id, ok := fat.Identify(v); ok {
		d.label, d.uuid, d.fat = label, strings.ReplaceAll(id, "-", ""), true
	}
	return d
}

// inUse says whether a disk is mounted, or what it is a part of, or a part of it.
func (list disks) inUse(d *disk) bool {
	for _, x := range list {
		if x.used && (x == d || x.whole == d || d.whole == x) {
			return true
		}
	}
	return false
}

// names tells what disks there are, for messages; of one that holds no volume, whether it can be read at all.
func (list disks) names() (text string) {
	for _, x := range list {
		in := x.Info()
		text += "; disk " + x.number + ": " + in.Name + ", label " + strconv.Quote(x.label)
		if b := make([]byte, in.BlockSize); x.uuid == "" && in.Size >= int64(len(b)) {
			if err := x.Read([][]byte{b}, 0); err != nil {
				text += ", cannot be read: " + err.Error()
			}
		}
	}
	return text
}

// find finds the disk that w is about, which is used from then on.
func (list disks) find(w want) (*disk, error) {
	var d *disk
	for _, x := range list {
		is := false
		switch w.by {
		case "serial":
			is = x.Info().ID == w.which
		case "label":
			is = x.uuid != "" && x.label == w.which
		case "part":
			p, part := x.Device.(*block.Partition)
			is = part && p.Name == w.which
		case "partuuid":
			p, part := x.Device.(*block.Partition)
			is = part && p.GPT && strings.EqualFold(p.UUID(), w.which)
		case "uuid":
			is = x.uuid != "" && strings.EqualFold(x.uuid, strings.ReplaceAll(w.which, "-", ""))
		default:
			is = x.number == w.which
		}
		if is && d != nil {
			return nil, errors.New("two disks have " + w.by + " " + w.which)
		}
		if is {
			d = x
		}
	}
	switch {
	case d == nil && len(list) == 0:
		return nil, errors.New("the machine has no disk")
	case d == nil:
		return nil, errors.New("no disk has " + strings.TrimSpace(w.by+" "+w.which) + list.names())
	case w.by == "" && d.unsure:
		return nil, errors.New("a disk before " + d.Info().Name + " cannot be opened, so nobody knows whether that is disk " + w.which + ": say which by serial=, label=, uuid=, part= or partuuid=")
	case list.inUse(d):
		return nil, errors.New(d.Info().Name + " is mounted already")
	}
	d.used = true
	return d, nil
}

// builtin says whether what is on a disk, or is to be put there, is for none of the program's own kinds.
func (d *disk) builtin(w want) bool {
	return d.uuid != "" || w.format && !w.readOnly && w.kind == "" && cffs.Foreign(d) == cffs.Empty
}

// mountBuiltin mounts cffs or FAT.
func mountBuiltin(w want, d *disk) (string, kinds.Volume, error) {
	if d.uuid == "" { // it is empty, and is to be formatted
		if err := cffs.Format(d, cffs.FormatOptions{Label: labelFor(w)}); err != nil {
			return "", nil, err
		}
	}
	memory, _ := posix.Memory()
	if d.fat {
		if w.mmp {
			return "", nil, errors.New(d.Info().Name + noWatch)
		}
		f, err := fat.Mount(d, fat.Options{ReadOnly: w.readOnly, Pages: pagecache.Store(), Cache: int(memory / 8)})
		return "vfat", f, err
	}
	f, err := cffs.Mount(d.Device, cffs.Options{ // which may say that it has grown
		ReadOnly: w.readOnly,
		Watch:    w.mmp,
		Pages:    pagecache.Store(),
		Cache:    int(memory / 8),
		Dirty:    int(min(memory/16, 64<<20)),
		Log:      say,
	})
	return "cffs", f, err
}

// noWatch is why a volume of another kind is not mounted with mmp.
const noWatch = ": only a cffs volume can be mounted with mmp: leave that out"

// mountKind mounts what a kind of the program's own knows.
func mountKind(w want, d *disk) (string, kinds.Volume, error) {
	if w.mmp && w.kind != "" {
		return "", nil, errors.New(d.Info().Name + noWatch)
	}
	if w.kind != "" && !w.readOnly && cffs.Foreign(d) == cffs.Empty {
		k := kinds.Named(w.kind)
		if k == nil || k.Format == nil {
			return "", nil, errors.New("the program has no filesystem called " + w.kind + " that it could put on a disk")
		}
		if !k.Is(d) {
			if err := k.Format(d); err != nil {
				return "", nil, err
			}
		}
	}
	k := kinds.Of(d)
	if k == nil {
		found := cffs.Foreign(d)
		if found == cffs.Empty {
			found += " (,format behind the path has it be formatted)"
		}
		return "", nil, errors.New(d.Info().Name + ": it holds no volume that is known here; found " + found)
	}
	if w.mmp {
		return "", nil, errors.New(d.Info().Name + noWatch)
	}
	f, err := k.Mount(d.Device, w.readOnly)
	return k.Name, f, err
}

// labelFor is what a new volume is called.
func labelFor(w want) string {
	if w.by == "label" {
		return w.which
	}
	return ""
}

// source is the disk or partition, for /proc/mounts; what it calls kind where it would not know.
func (d *disk) source(kind string) fs.Source {
	s, ok := drives.Source(d.Device)
	if !ok {
		s.Name = kind
	}
	return s
}

// at mounts f at a path, and makes its folders. kind is its name, on what it is on. The errors are those of fs.Tree.Mount.
func at(where string, on fs.Source, kind string, f fs.FileSystem) fs.Errno {
	hidden := namesIn(where)
	folders(where)
	_, e := files.Tree.MountFrom(on, where, kind, f)
	if e == 0 {
		tellHidden("the volume at "+where+" hides", hidden)
	}
	return e
}

// tellHidden tells of the names that nobody sees any more because something is mounted over them; none: "".
func tellHidden(what, hidden string) {
	if hidden != "" {
		say(what + " what was there already: " + hidden)
	}
}

// folders makes a folder, and those that it is in.
func folders(path string) {
	root := files.Tree.Root()
	defer root.Drop()
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			files.Tree.Mkdir(root, path[:i], 0o755) // one that is there is as good
		}
	}
}

// namesIn are the first names in a folder; none where it is no folder, or empty.
func namesIn(where string) (names string) {
	root := files.Tree.Root()
	defer root.Drop()
	p, e := files.Tree.Resolve(root, where, 0)
	if e != 0 {
		return ""
	}
	defer p.Drop()
	d, ok := p.Node.(fs.Dir)
	if !ok {
		return ""
	}
	n := 0
	d.ReadDir(0, func(e *fs.Entry) bool {
		const most = 3
		switch n++; {
		case n > most:
			names += ", and more"
		case n > 1:
			names += ", " + e.Name
		default:
			names = e.Name
		}
		return n <= most
	})
	return names
}

// broken is what is mounted where no volume could be: a folder that gives EIO.
type broken struct{}

func (b broken) Root() fs.Dir                    { return b }
func (broken) Statfs(s *fs.Statfs)               { *s = fs.Statfs{BlockSize: cffs.BlockSize, ReadOnly: false} }
func (broken) Sync() fs.Errno                    { return syscall.EIO }
func (broken) Attr() fs.Attr                     { return fs.Attr{Ino: 1, Mode: syscall.S_IFDIR | 0o755, Nlink: 2} }
func (broken) SetAttr(*fs.Change) fs.Errno       { return syscall.EIO }
func (broken) Ref()                              {}
func (broken) Unref()                            {}
func (b broken) Parent() fs.Dir                  { return b }
func (broken) Lookup(string) (fs.Node, fs.Errno) { return nil, syscall.EIO }
func (broken) Create(string, uint32, uint64) (fs.Node, fs.Errno) {
	return nil, syscall.EIO
}
func (broken) Symlink(string, string) (fs.Node, fs.Errno)     { return nil, syscall.EIO }
func (broken) Link(string, fs.Node) fs.Errno                  { return syscall.EIO }
func (broken) Unlink(string) fs.Errno                         { return syscall.EIO }
func (broken) Rmdir(string) fs.Errno                          { return syscall.EIO }
func (broken) Rename(string, fs.Dir, string, uint32) fs.Errno { return syscall.EIO }
func (broken) ReadDir(uint64, func(*fs.Entry) bool) fs.Errno  { return syscall.EIO }
