package fs

import (
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Tree is filesystems mounted into one another: what paths are about.
type Tree struct {
	mu      sync.Mutex // of changes
	root    *Mount
	top     atomic.Pointer[Place] // what is seen at "/"
	below   atomic.Pointer[[]entrance]
	lastDev uint64        // mu
	moves   atomic.Uint64 // counts renames between folders: for walks that may not leave one
	moving  atomic.Int64  // those under way
}

// A Mount is a filesystem at its place in a Tree.
type Mount struct {
	FS       FileSystem
	Dev      uint64 // st_dev of all that is on it
	Type     string // as /proc/mounts calls it; it does not list what has none
	Path     string // where it is, as it was mounted
	Source   string // what it is on, as /proc/mounts calls it: "/dev/vda"; the type where it is on nothing
	Options  string // what /proc/mounts says behind "rw": "size=64k"; may be empty
	ReadOnly bool

	root   Node
	parent *Mount
	at     Node // the folder of parent that it covers
	below  atomic.Pointer[[]*Mount]
	walker Walker     // FS, if it is one
	rename sync.Mutex // held for Rename between two folders
}

// An entrance is a folder of the root that a filesystem is mounted over. Such a folder keeps its name as long: to change it is EBUSY.
type entrance struct {
	name string
	at   Place // what is seen there; the mount has the reference
}

// A Place is a node and the mount that it was reached by. Places that are handed out hold a reference to the node.
type Place struct {
	Mount *Mount
	Node  Node
}

// Drop gives the reference up.
func (p Place) Drop() {
	if p.Node != nil {
		p.Node.Unref()
	}
}

// Again is the place with a reference of its own.
func (p Place) Again() Place {
	p.Node.Ref()
	return p
}

// Attr are the node's attributes.
func (p Place) Attr() Attr {
	a := p.Node.Attr()
	a.Dev = p.Mount.Dev
	return a
}

// NewTree is a tree of one filesystem.
func NewTree(kind string, f FileSystem) *Tree {
	t := &Tree{lastDev: firstDev}
	t.root = t.mount(kind, "/", Source{Name: kind}, f)
	t.look()
	return t
}

// firstDev is what the root's st_dev is above: lower ones are those of posix's own objects.
const firstDev = 32

// A Source is the device that a filesystem is on.
type Source struct {
	Name    string // as /proc/mounts calls it
	Options string // what else that says: see Mount
	Dev     uint64 // its number, as Makedev makes it, which is the st_dev of all that is on it; 0 for one that is given by the tree
}

// Makedev is a device's number as Linux tells it to programs (gnu_dev_makedev of its C library): the lower eight bits of the minor number, twelve of the major one, the rest of the minor one.
func Makedev(major, minor int) uint64 {
	return uint64(minor)&0xff | uint64(major)&0xfff<<8 | uint64(minor)&^0xff<<12
}

func (t *Tree) mount(kind, path string, on Source, f FileSystem) *Mount {
	if on.Dev == 0 {
		t.lastDev++
		on.Dev = t.lastDev
	}
	var s Statfs
	f.Statfs(&s)
	w, _ := f.(Walker)
	return &Mount{FS: f, Dev: on.Dev, Type: kind, Path: path, Source: on.Name, Options: on.Options, ReadOnly: s.ReadOnly, root: f.Root(), walker: w}
}

// Root is where absolute paths begin.
func (t *Tree) Root() Place { return t.top.Load().Again() }

// look finds what is seen at "/" now, and at the folders in it that are mounted over.
func (t *Tree) look() {
	p := Place{t.root, t.root.root}.top()
	t.top.Store(&p)
	var list []entrance
	d, _ := p.Node.(Dir)
	for _, m := range t.Mounts() {
		name := strings.TrimPrefix(m.Path, "/")
		if m.parent != p.Mount || !ordinary(name) || strings.Contains(name, "/") {
			continue
		}
		if n, e := d.Lookup(name); e == 0 {
			if n == m.at { // and not a link to it
				list = append(list, entrance{name, Place{m, m.root}.top()})
			}
			n.Unref()
		}
	}
	t.below.Store(&list)
}

// enter gives what is mounted over the folder of the root that an absolute path leads through first, without a reference, and the rest of the path, which is not empty; none where it does not
// begin so: then it is to be walked from the root.
func (t *Tree) enter(path string) (at Place, rest string) {
	path = path[1:]
	list := *t.below.Load()
	for i := len(list) - 1; i >= 0; i-- { // what was mounted last is what the program has its files on
		e := &list[i]
		if n := len(e.name); len(path) > n && path[n] == '/' && path[:n] == e.name {
			if rest = afterSlashes(path[n:]); rest != "" {
				return e.at, rest
			}
		}
	}
	return Place{}, ""
}

// Mount mounts f over the folder at path: from then on the path leads to f's root. A filesystem can be in one place only. kind is its name for /proc/mounts. The
// errors are those of the walk, and ENOTDIR.
func (t *Tree) Mount(path, kind string, f FileSystem) (*Mount, Errno) {
	return t.MountFrom(Source{Name: kind}, path, kind, f)
}

// MountFrom is Mount of what is on a disk.
func (t *Tree) MountFrom(on Source, path, kind string, f FileSystem) (*Mount, Errno) {
	root := t.Root()
	at, e := t.Resolve(root, path, 0)
	root.Drop()
	if e != 0 {
		return nil, e
	}
	if _, ok := at.Node.(Dir); !ok {
		at.Drop()
		return nil, syscall.ENOTDIR
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.mount(kind, path, on, f)
	m.parent, m.at = at.Mount, at.Node // keeps the reference
	var list []*Mount
	if old := at.Mount.below.Load(); old != nil {
		list = append(list, *old...)
	}
	list = append(list, m)
	at.Mount.below.Store(&list)
	t.look()
	return m, 0
}

// Mounts are all of them, in the order in which they were mounted over each other.
func (t *Tree) Mounts() []*Mount {
	all := []*Mount{t.root}
	for i := 0; i < len(all); i++ {
		if b := all[i].below.Load(); b != nil {
			all = append(all, *b...)
		}
	}
	return all
}

// Sync syncs all filesystems, and returns the first error.
func (t *Tree) Sync() (first Errno) {
	first = WriteBack()
	for _, m := range t.Mounts() {
		if e := m.FS.Sync(); first == 0 {
			first = e
		}
	}
	return first
}

// covers is the mount that lies over a node of m, nil for none.
func (m *Mount) covers(n Node) *Mount {
	if b := m.below.Load(); b != nil {
		for _, c := range *b {
			if c.at == n {
				return c
			}
		}
	}
	return nil
}

// top is the place that one sees at p: the root of what is mounted there. It says nothing of references: roots live as long as their
// mounts.
func (p Place) top() Place {
	for {
		c := p.Mount.covers(p.Node)
		if c == nil {
			return p
		}
		p = Place{c, c.root}
	}
}

// busy reports whether p is a mount's root, or covered by one.
func (p Place) busy() bool { return p.Node == p.Mount.root || p.Mount.covers(p.Node) != nil }
