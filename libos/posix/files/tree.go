package files

import (
	iofs "io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// Root is the filesystem at "/".
var Root = mem.New(limits())

// Tree is what all paths are about. A program's own module mounts into it.
var Tree = fs.NewTree("tmpfs", Root)

// limits are half of the memory, and an inode for each 8 KiB of that: an inode with its name takes less than one.
func limits() mem.Options {
	total, _ := posix.Memory()
	return mem.Options{Limit: int64(total / 2), Inodes: int64(total / 16384), Room: room}
}

// MountMemory mounts files in memory of their own at path, which may have size bytes together, or half of the memory where size is 0, and no more than what leaves a sixteenth to all others. At "/" it changes what those that are
// there may have. Folders are not made. The errors are those of fs.Tree.Mount; EINVAL at "/" where files have more than size.
func MountMemory(path string, size int64) syscall.Errno {
	o := limits()
	if size == 0 {
		size = o.Limit
	}
	o.Limit = size
	on := fs.Source{Name: "tmpfs", Options: "size=" + strconv.FormatInt(size/1024, 10) + "k"}
	if path == "/" {
		e := Root.Resize(size)
		if e == 0 {
			Tree.Mounts()[0].Options = on.Options
		}
		return e
	}
	f := mem.New(o)
	top := f.Root()
	defer top.Unref()
	top.SetAttr(&fs.Change{Set: fs.SetMode, Mode: 0o1777}) // as tmpfs
	_, e := Tree.MountFrom(on, path, "tmpfs", f)
	return e
}

// room says whether so many bytes more leave a sixteenth of memory to all others: files in memory are refused before nobody can go on. What the heap has of garbage is given back before it says no.
func room(bytes int64) bool {
	enough := func() bool {
		total, free := posix.Memory()
		want := total/16 + uint64(bytes)
		if free < want && fs.PageCache != nil { // which gives its memory to whoever needs some
			cached, dirty, _ := fs.PageCache()
			free += cached - min(dirty, cached)
		}
		return free >= want
	}
	if enough() {
		return true
	}
	debug.FreeOSMemory()
	return enough()
}

// cwd is the current folder.
var cwd struct {
	sync.Mutex
	fs.Place
}

func init() {
	before = posix.RegisterFiles(serve, hot{})
	beforeMore = posix.Extend(serveMore)
	posix.SocketNames = &sockets
	cwd.Place = Tree.Root()
	for _, dir := range []struct {
		path string
		mode uint32
	}{{"/dev", 0o755}, {"/etc", 0o755}, {"/proc", 0o555}, {"/root", 0o700}, {"/run", 0o755}, {"/sys", 0o555}, {"/tmp", 0o1777}, {"/usr", 0o755}, {"/usr/bin", 0o755}, {"/var", 0o755}, {"/var/tmp", 0o1777}} {
		Tree.Mkdir(cwd.Place, dir.path, dir.mode)
	}
	Tree.Mount("/dev", "devtmpfs", devices())
	Tree.Mount("/proc", "proc", newProc())
	Tree.Mount("/sys", "sysfs", newSys())
	etc()
	goTo(os.Getenv("PWD"))
}

// goTo makes an absolute path the current folder, where it leads to one. It is called again when there are more files.
func goTo(path string) {
	if path == "" || path[0] != '/' {
		return
	}
	if p, e := Tree.Resolve(cwd.Place, path, 0); e == 0 {
		setCwd(p)
	}
}

// Plant puts files below the root: see mem.FS.Plant. It is for init functions.
func Plant(seed iofs.FS) {
	Root.Plant(seed)
	goTo(os.Getenv("PWD"))
}

// here is the current folder, with a reference.
func here() fs.Place {
	cwd.Lock()
	defer cwd.Unlock()
	return cwd.Again()
}

// setCwd makes p the current folder, and takes over its reference. ENOTDIR.
func setCwd(p fs.Place) syscall.Errno {
	if _, ok := p.Node.(fs.Dir); !ok {
		p.Drop()
		return syscall.ENOTDIR
	}
	cwd.Lock()
	old := cwd.Place
	cwd.Place = p
	cwd.Unlock()
	old.Drop()
	return 0
}
