package cffs

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
)

// clock is a time that goes on by itself.
func clock() func() time.Time {
	t := time.Unix(1_700_000_000, 0)
	return func() time.Time { t = t.Add(time.Millisecond); return t }
}

// manual mounts a volume that commits only when it is asked to.
var manual = Options{Manual: true, Cache: 64 << 10}

// formatted is a volume of so many blocks in memory.
func formatted(t testing.TB, blocks int) *block.Memory {
	t.Helper()
	m := block.NewMemory(make([]byte, blocks*BlockSize))
	if err := Format(m, FormatOptions{Label: "test", UUID: [16]byte{1, 2, 3, 15: 9}}); err != nil {
		t.Fatal(err)
	}
	return m
}

// formattedOld is one as it was before there were features.
func formattedOld(t testing.TB, blocks int) *block.Memory {
	t.Helper()
	m := block.NewMemory(make([]byte, blocks*BlockSize))
	if err := Format(m, FormatOptions{UUID: [16]byte{1, 2, 3, 15: 9}, old: true}); err != nil {
		t.Fatal(err)
	}
	return m
}

func mount(t testing.TB, d block.Device, o Options) *FS {
	t.Helper()
	f, err := Mount(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// An op is one thing done to a tree of files.
type op struct {
	kind string
	a, b string
	off  int64
	n    int
	fill byte
}

func (o op) String() string {
	return fmt.Sprintf("%s %s %s %d+%d", o.kind, o.a, o.b, o.off, o.n)
}

// do does it, and gives the error.
func (o op) do(t *core.Tree) core.Errno {
	root := t.Root()
	defer root.Drop()
	with := func(flags int, f func(p core.Place) core.Errno) core.Errno {
		p, e := t.Open(root, o.a, flags, 0o644, 0)
		if e != 0 {
			return e
		}
		defer p.Drop()
		return f(p)
	}
	switch o.kind {
	case "write", "append", "truncate", "punch", "allocate", "reserve", "zero", "collapse", "insert", "setxattr", "rmxattr":
		flags := syscall.O_RDWR
		if o.kind == "write" || o.kind == "append" {
			flags |= syscall.O_CREAT
		}
		return with(flags, func(p core.Place) core.Errno {
			x, ok := p.Node.(core.File)
			if !ok {
				return syscall.EINVAL
			}
			return o.file(x)
		})
	case "create":
		return with(syscall.O_CREAT|syscall.O_EXCL|syscall.O_RDWR, func(core.Place) core.Errno { return 0 })
	case "touch":
		return with(syscall.O_CREAT|syscall.O_RDWR, func(core.Place) core.Errno { return 0 })
	case "fsync", "fdatasync":
		return with(syscall.O_RDONLY, func(p core.Place) core.Errno {
			switch x := p.Node.(type) {
			case core.File:
				return x.Sync(o.kind == "fdatasync")
			case core.DirSyncer:
				return x.SyncDir()
			}
			return 0
		})
	case "sync":
		return t.Sync()
	case "mkdir":
		return t.Mkdir(root, o.a, 0o755)
	case "rmdir":
		return t.Rmdir(root, o.a)
	case "unlink":
		return t.Unlink(root, o.a)
	case "rename":
		return t.Rename(root, o.a, root, o.b, 0)
	case "exchange":
		return t.Rename(root, o.a, root, o.b, core.RenameExchange)
	case "whiteout":
		return t.Rename(root, o.a, root, o.b, core.RenameWhiteout)
	case "symlink":
		return t.Symlink(strings.Repeat("x", o.n+1), root, o.a)
	case "link":
		p, e := t.Resolve(root, o.a, core.NoFollow)
		if e != 0 {
			return e
		}
		defer p.Drop()
		return t.Link(p, root, o.b)
	case "chmod":
		return with(0x200000, func(p core.Place) core.Errno {
			return p.Node.SetAttr(&core.Change{Set: core.SetMode | core.SetUID, Mode: uint32(o.n) & 0o777, UID: uint32(o.n)})
		})
	}
	panic(o.kind)
}

// file does to a file what is about one alone.
func (o op) file(x core.File) core.Errno {
	switch o.kind {
	case "write", "append":
		off := o.off
		if o.kind == "append" {
			off = core.Append
		}
		n, _, e := x.WriteAt(bytes.Repeat([]byte{'a' + o.fill%26}, o.n), off)
		if e == 0 && n != o.n {
			return syscall.ENOSPC
		}
		return e
	case "truncate":
		return x.Truncate(o.off)
	case "punch":
		return x.(core.Allocator).Allocate(core.FallocKeepSize|core.FallocPunchHole, o.off, int64(o.n))
	case "allocate":
		return x.(core.Allocator).Allocate(0, o.off, int64(o.n))
	case "reserve":
		return x.(core.Allocator).Allocate(core.FallocKeepSize, o.off, int64(o.n))
	case "zero":
		a := x.(core.Allocator)
		e := a.Allocate(core.FallocZero, o.off, int64(o.n))
		if e == syscall.EOPNOTSUPP { // memory has none: a hole, and the size
			if at := x.Attr(); at.Size < o.off+int64(o.n) {
				x.Truncate(o.off + int64(o.n))
			}
			e = a.Allocate(core.FallocKeepSize|core.FallocPunchHole, o.off, int64(o.n))
		}
		return e
	case "collapse", "insert":
		mode := uint32(core.FallocCollapse)
		if o.kind == "insert" {
			mode = core.FallocInsert
		}
		e := x.(core.Allocator).Allocate(mode, o.off, int64(o.n))
		if e == syscall.EOPNOTSUPP { // memory has none: the bytes behind are read, and written again
			e = o.moveBytes(x)
		}
		return e
	case "setxattr":
		return x.(core.Attributes).SetXattr("user."+o.b, bytes.Repeat([]byte{'v'}, o.n), 0)
	case "rmxattr":
		return x.(core.Attributes).RemoveXattr("user." + o.b)
	}
	panic(o.kind)
}

// moveBytes collapses or inserts by moving all that is behind.
func (o op) moveBytes(x core.File) core.Errno {
	size, n := x.Attr().Size, int64(o.n)
	switch {
	case o.off%BlockSize != 0 || n%BlockSize != 0, o.kind == "collapse" && o.off+n >= size, o.kind == "insert" && o.off >= size:
		return syscall.EINVAL
	}
	from, to := o.off+n, o.off
	if o.kind == "insert" {
		from, to = to, from
	}
	tail := make([]byte, size-from)
	for k := 0; k < len(tail); {
		n, e := x.ReadAt(tail[k:], from+int64(k))
		if e != 0 {
			return e
		}
		k += n
	}
	if e := x.Truncate(min(from, to)); e != 0 {
		return e
	}
	if _, _, e := x.WriteAt(tail, to); e != 0 {
		return e
	}
	return 0
}

// syncs says whether all that was done before is durable after it.
func (o op) syncs() bool { return o.kind == "fsync" || o.kind == "fdatasync" || o.kind == "sync" }

// dump is all that can be seen of a tree, but for times, inode numbers and blocks.
func dump(t *core.Tree) string {
	root := t.Root()
	defer root.Drop()
	var lines []string
	var walk func(path string, n core.Node)
	walk = func(path string, n core.Node) {
		a := n.Attr()
		line := fmt.Sprintf("%s mode %o nlink %d uid %d", path, a.Mode, a.Nlink, a.UID)
		switch x := n.(type) {
		case core.Dir:
			var names []string
			seen := map[string]bool{}
			if e := x.ReadDir(0, func(en *core.Entry) bool {
				if seen[en.Name] {
					line += " twice:" + en.Name
				}
				seen[en.Name] = true
				names = append(names, en.Name)
				return true
			}); e != 0 {
				line += " readdir: " + e.Error()
			}
			for _, name := range names {
				c, e := x.Lookup(name)
				if e != 0 {
					line += " lookup " + name + ": " + e.Error()
					continue
				}
				walk(path+"/"+name, c)
				c.Unref()
			}
		case core.File:
			n, e, h := hashed(x, 0, min(a.Size, 1<<24))
			line += fmt.Sprintf(" size %d read %d %v %x", a.Size, n, e, h)
		case core.Link:
			s, e := x.Target()
			line += fmt.Sprintf(" to %s %v", s, e)
		}
		if x, ok := n.(core.Attributes); ok {
			names, e := x.Xattrs()
			if e != 0 {
				line += " attributes: " + e.Error()
			}
			sort.Strings(names)
			for _, name := range names {
				v, e := x.Xattr(name)
				line += fmt.Sprintf(" %s=%x %v", name, maphash.Bytes(hashSeed, v), e)
			}
		}
		lines = append(lines, line)
	}
	walk("", root.Node)
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

var (
	hashSeed = maphash.MakeSeed()
	buffers  sync.Pool // of []byte
)

// hashed reads a file, and gives a hash of what was read.
func hashed(x core.File, off, n int64) (int, core.Errno, uint64) {
	b, _ := buffers.Get().([]byte)
	if int64(cap(b)) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	defer buffers.Put(b)
	k, e := x.ReadAt(b, off)
	for more := k; e == 0 && more > 0 && int64(k) < n; k += max(more, 0) { // up to what cannot be read
		more, e = x.ReadAt(b[k:], off+int64(k))
	}
	return k, e, maphash.Bytes(hashSeed, b[:max(k, 0)])
}

// oracle is a tree in memory that holds what a fresh volume does.
func oracle() *core.Tree { return core.NewTree("mem", mem.New(mem.Options{})) }

func treeOf(f *FS) *core.Tree { return core.NewTree("cffs", f) }
