package files

import (
	"encoding/hex"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/proc"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/memfile"
)

// newProc makes /proc: proc(5), as much of it as programs look at.
func newProc() fs.FileSystem {
	const magic = 0x9fa0
	return proc.New(magic, &proc.Folder{Names: []proc.Named{
		proc.Dir("1", append(processFiles(), proc.Named{Name: "task", Node: &proc.Folder{More: tasks}, Type: syscall.S_IFDIR}, more("net", networkFiles))...),
		proc.Symlink("self", func() string { return "1" }),
		proc.Symlink("thread-self", func() string { return "1/task/" + strconv.Itoa(thread()) }),
		proc.Symlink("mounts", func() string { return "self/mounts" }),
		proc.Symlink("net", func() string { return "self/net" }),
		proc.Make("cpuinfo", procCPUs), proc.Make("meminfo", procMemory), proc.Make("stat", procSystem), proc.Make("vmstat", procVM),
		proc.Make("uptime", func() []byte { return []byte(seconds(posix.Uptime()) + " " + seconds(idle()) + "\n") }),
		proc.Make("loadavg", procLoad), proc.Make("interrupts", procInterrupts), proc.Make("locks", procLocks), proc.Make("devices", procDevices),
		proc.Make("version", func() []byte {
			return []byte(uname(0) + " version " + uname(2) + " (" + runtime.Version() + ") " + uname(3) + "\n")
		}),
		proc.Text("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
		proc.Text("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"), proc.Text("modules", ""),
		proc.Text("consoles", "ttyS0                -W- (EC p a)    4:64\n"),
		proc.Make("filesystems", procKinds), proc.Make("diskstats", procDisks), proc.Make("partitions", procPartitions),
		proc.Make("cmdline", func() []byte { return []byte(strings.Join(os.Args, " ") + "\n") }),
		proc.Dir("sys", sysctl()...),
	}})
}

// Maps is /proc/self/maps: what is mapped of files, where something maps files. What else a program has is not in the list.
var Maps = func() []byte { return nil }

// SMaps is /proc/self/smaps: Maps, with what memory each has.
var SMaps = func() []byte { return nil }

// Mapped is how many bytes of files are mapped, and how many of these in copies that no page cache has.
var Mapped = func() (n, copies uint64) { return 0, 0 }

// MappedFaults counts the page faults in mappings of files.
var MappedFaults = func() uint64 { return 0 }

// network is what the network has provided, if there is one: the files in /proc/net, and those of /sys/class/net.
var network struct {
	sync.Mutex
	files      []networkFile
	interfaces func() []memfile.Named // nil for none
}

type networkFile struct {
	name     string
	contents func() []byte
}

func networkFiles() (list []proc.Named) {
	network.Lock()
	defer network.Unlock()
	for _, f := range network.files {
		list = append(list, proc.Make(f.name, f.contents))
	}
	return list
}

// sysInterfaces are the folders in /sys/class/net.
func sysInterfaces() (list []proc.Named) {
	network.Lock()
	get := network.interfaces
	network.Unlock()
	if get == nil {
		return nil
	}
	return foldersOf(get())
}

// foldersOf makes folders of files with paths; those of one folder stand together.
func foldersOf(files []memfile.Named) (list []proc.Named) {
	for len(files) > 0 {
		folder, _, below := strings.Cut(files[0].Name, "/")
		if !below {
			list = append(list, proc.Make(folder, files[0].Contents))
			files = files[1:]
			continue
		}
		var in []memfile.Named
		for len(files) > 0 && strings.HasPrefix(files[0].Name, folder+"/") {
			in = append(in, memfile.Named{Name: files[0].Name[len(folder)+1:], File: files[0].File})
			files = files[1:]
		}
		list = append(list, proc.Dir(folder, foldersOf(in)...))
	}
	return list
}

func zeroEnded(list []string) []byte {
	var b []byte
	for _, s := range list {
		b = append(append(b, s...), 0)
	}
	return b
}

// executable is what the program was started as: there is no file of it.
func executable() string {
	if len(os.Args) == 0 {
		return "/"
	}
	return "/" + strings.TrimLeft(os.Args[0], "/")
}

// comm is the program's name, 15 bytes at most.
func comm() string {
	name := executable()
	name = name[strings.LastIndexByte(name, '/')+1:]
	return name[:min(len(name), 15)]
}

func uname(i int) string {
	var u posix.Utsname
	posix.Uname(&u)
	s, _, _ := strings.Cut(string(u[i][:]), "\x00")
	return s
}

func pathOf(place func() fs.Place) func() string {
	return func() string {
		p := place()
		defer p.Drop()
		path, _ := Tree.PathTo(p)
		return path
	}
}

// seconds writes nanoseconds with two places.
func seconds(ns int64) string {
	cs := ns / 1e7
	return strconv.FormatInt(cs/100, 10) + "." + string([]byte{byte('0' + cs/10%10), byte('0' + cs%10)})
}

func kilobytes(b uint64) string { return strconv.FormatUint(b/1024, 10) }

func procMemory() []byte {
	total, free := posix.Memory()
	cached, dirty, _ := pageCache()
	mapped, copies := Mapped()
	var b strings.Builder
	for _, l := range []struct {
		name  string
		bytes uint64
	}{{"MemTotal", total}, {"MemFree", free}, {"MemAvailable", free + cached - min(dirty, cached)}, {"Buffers", 0}, {"Cached", cached + copies}, {"SwapCached", 0}, {"Active", total - min(free+cached, total)}, {"Inactive", cached}, {"Dirty", dirty}, {"SwapTotal", 0}, {"SwapFree", 0}, {"Mapped", mapped}, {"Shmem", 0}, {"Slab", 0}} {
		n := kilobytes(l.bytes)
		b.WriteString(l.name + ":" + strings.Repeat(" ", max(1, 24-len(l.name)-1-len(n))) + n + " kB\n")
	}
	return []byte(b.String())
}

// pageCache is what fs.PageCache says, where there is one.
func pageCache() (cached, dirty uint64, list []fs.Counter) {
	if fs.PageCache == nil {
		return 0, 0, nil
	}
	return fs.PageCache()
}

// procVM is vmstat: what of it there is, and what the page cache counts, in pages.
func procVM() []byte {
	_, free := posix.Memory()
	_, _, list := pageCache()
	var b strings.Builder
	mapped, _ := Mapped()
	for _, c := range append([]fs.Counter{{Name: "nr_free_pages", Value: free / 4096}, {Name: "nr_mapped", Value: mapped / 4096}, {Name: "pgfault", Value: faults()}}, list...) {
		b.WriteString(c.Name + " " + strconv.FormatUint(c.Value, 10) + "\n")
	}
	return []byte(b.String())
}

// residentMemory is what the program has: all that is neither free nor the page cache's, and what it has mapped of that.
func residentMemory() uint64 {
	total, free := posix.Memory()
	cached, _, _ := pageCache()
	mapped, copies := Mapped()
	return total - min(free+cached, total) + mapped - copies
}

// procRollup is smaps_rollup. What is mapped of files is the page cache's but for copies, and nobody has asked which of the rest the program has touched lately.
func procRollup() []byte {
	used := residentMemory()
	mapped, copies := Mapped()
	shared := min(mapped-min(copies, mapped), used)
	var b strings.Builder
	b.WriteString("000000000000-7fffffffffff ---p 00000000 00:00 0                          [rollup]\n")
	for _, l := range []struct {
		name  string
		bytes uint64
	}{{"Rss", used}, {"Pss", used}, {"Pss_Anon", used - shared}, {"Pss_File", shared}, {"Shared_Clean", shared}, {"Shared_Dirty", 0}, {"Private_Clean", 0}, {"Private_Dirty", used - shared},
		{"Referenced", used}, {"Anonymous", used - shared}, {"Swap", 0}, {"SwapPss", 0}, {"Locked", 0}} {
		b.WriteString(l.name + ":" + right(23-len(l.name), int64(l.bytes/1024)) + " kB\n")
	}
	return []byte(b.String())
}

// counted is what calls on files have moved, for /proc/self/io.
var counted struct{ read, written moved }

// A moved is calls and bytes in one direction.
type moved struct {
	calls, bytes atomic.Uint64
	_            [48]byte // both directions are written all the time: they do not share a line
}

// add counts a call that has moved n bytes, or failed.
func (m *moved) add(n int) {
	m.calls.Add(1)
	if n > 0 {
		m.bytes.Add(uint64(n))
	}
}

// procIO is io. Calls and bytes are those on files; bytes of disks are all that the disks in use have done, for nobody else uses them.
func procIO() []byte {
	var in, out uint64
	for _, u := range disks() {
		in += u.Read.Sectors * 512
		out += u.Written.Sectors * 512
	}
	var b strings.Builder
	for _, l := range []struct {
		name string
		n    uint64
	}{{"rchar", counted.read.bytes.Load()}, {"wchar", counted.written.bytes.Load()}, {"syscr", counted.read.calls.Load()}, {"syscw", counted.written.calls.Load()},
		{"read_bytes", in}, {"write_bytes", out}, {"cancelled_write_bytes", 0}} {
		b.WriteString(l.name + ": " + strconv.FormatUint(l.n, 10) + "\n")
	}
	return []byte(b.String())
}

func procLimits() []byte {
	var b strings.Builder
	row := func(cells ...string) {
		for i, width := range []int{26, 21, 21, 10} {
			if cells[i] == "" {
				break
			}
			b.WriteString(cells[i] + strings.Repeat(" ", max(0, width-len(cells[i]))))
		}
		b.WriteByte('\n')
	}
	row("Limit", "Soft Limit", "Hard Limit", "Units")
	for i, l := range [][2]string{{"Max cpu time", "seconds"}, {"Max file size", "bytes"}, {"Max data size", "bytes"}, {"Max stack size", "bytes"}, {"Max core file size", "bytes"},
		{"Max resident set", "bytes"}, {"Max processes", "processes"}, {"Max open files", "files"}, {"Max locked memory", "bytes"}, {"Max address space", "bytes"},
		{"Max file locks", "locks"}, {"Max pending signals", "signals"}, {"Max msgqueue size", "bytes"}, {"Max nice priority", ""}, {"Max realtime priority", ""}, {"Max realtime timeout", "us"}} {
		var r syscall.Rlimit
		posix.Prlimit(0, i, nil, &r)
		row(l[0], limit(r.Cur), limit(r.Max), l[1])
	}
	return []byte(b.String())
}

func limit(n uint64) string {
	if n == ^uint64(0) {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// escaped writes a path as /proc/mounts does.
func escaped(path string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(path)
}

// mode is a mount's, as /proc/mounts has it.
func mode(m *fs.Mount) string {
	if m.ReadOnly {
		return "ro"
	}
	return "rw"
}

// options is mode, and what else the mount says of itself.
func options(m *fs.Mount) string {
	if m.Options == "" {
		return mode(m)
	}
	return mode(m) + "," + m.Options
}

// procKinds is filesystems: those that need no disk, and what is mounted of others.
func procKinds() []byte {
	none := []string{"proc", "tmpfs", "devtmpfs", "sysfs"}
	text := "nodev\t" + strings.Join(none, "\nnodev\t") + "\n"
	for _, m := range mounts() {
		if !slices.Contains(none, m.Type) {
			none = append(none, m.Type)
			text += "\t" + m.Type + "\n"
		}
	}
	return []byte(text)
}

// mounts are those that are listed.
func mounts() []*fs.Mount {
	return slices.DeleteFunc(Tree.Mounts(), func(m *fs.Mount) bool { return m.Type == "" })
}

func procMounts() []byte {
	var b strings.Builder
	for _, m := range mounts() {
		b.WriteString(escaped(m.Source) + " " + escaped(m.Path) + " " + m.Type + " " + options(m) + " 0 0\n")
	}
	return []byte(b.String())
}

// firstMount is the number of the root's mount in mountinfo. Those behind it follow.
const firstMount = 20

func procMountinfo() []byte {
	var b strings.Builder
	parent := "1"
	for i, m := range mounts() {
		dev := strconv.Itoa(int(major(m.Dev))) + ":" + strconv.Itoa(int(minor(m.Dev)))
		b.WriteString(strconv.Itoa(firstMount+i) + " " + parent + " " + dev + " / " + escaped(m.Path) + " " + mode(m) + " - " + m.Type + " " + escaped(m.Source) + " " + options(m) + "\n")
		parent = strconv.Itoa(firstMount) // mounts of mounts are told as if they were the root's
	}
	return []byte(b.String())
}

// uuid is a random one, RFC 9562.
func uuid() string {
	var b [16]byte
	posix.Getrandom(b[:], 0)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

var bootID = sync.OnceValue(uuid)

// clock is the time of day, in nanoseconds since 1970.
func clock() int64 { return time.Now().UnixNano() }

// A descriptor is the node that an entry of /proc/self/fd leads to, where what is open is not in the tree: to open it is to have another descriptor of the same
// description. (On Linux it would be another description.)
type descriptor struct {
	fs.Node
	fd int
}

// Attr implements fs.Node.
func (d *descriptor) Attr() fs.Attr {
	var st syscall.Stat_t
	posix.Fstat(d.fd, &st)
	return fs.Attr{Ino: st.Ino, Mode: st.Mode, Nlink: uint32(st.Nlink), UID: st.Uid, GID: st.Gid, Rdev: st.Rdev, Size: st.Size, Blksize: st.Blksize}
}

// SetAttr implements fs.Node.
func (d *descriptor) SetAttr(*fs.Change) fs.Errno { return 0 }

// Ref implements fs.Node.
func (d *descriptor) Ref() {}

// Unref implements fs.Node.
func (d *descriptor) Unref() {}

// descriptors are the entries of /proc/self/fd.
func descriptors() (list []proc.Named) {
	for fd := range posix.Descriptors() {
		list = append(list, proc.Magic(strconv.Itoa(fd), func() string { return describe(fd) }, func() (fs.Place, fs.Errno) {
			f := posix.Get(fd)
			if f == nil {
				return fs.Place{}, syscall.ENOENT
			}
			defer f.Put()
			if o, ok := f.Object().(located); ok {
				return o.place().Again(), 0
			}
			root := Tree.Root()
			root.Drop()
			return fs.Place{Mount: root.Mount, Node: &descriptor{fd: fd}}, 0
		}))
	}
	return list
}

// describe is what readlink says of a descriptor.
func describe(fd int) string {
	f := posix.Get(fd)
	if f == nil {
		return ""
	}
	defer f.Put()
	if o, ok := f.Object().(located); ok {
		return o.where()
	}
	if o, ok := f.Object().(interface{ AnonymousName() string }); ok {
		return "anon_inode:" + o.AnonymousName()
	}
	var st syscall.Stat_t
	posix.Fstat(fd, &st)
	kind := "anon_inode"
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFIFO:
		kind = "pipe"
	case syscall.S_IFSOCK:
		kind = "socket"
	case syscall.S_IFCHR:
		return "/dev/console"
	}
	return kind + ":[" + strconv.FormatUint(st.Ino, 10) + "]"
}
