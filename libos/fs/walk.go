package fs

import (
	"strings"
	"syscall"
)

// How a path is followed: openat2(2)'s RESOLVE flags, and whether the last name may be a link that is not followed.
type How uint32

// The flags.
const (
	NoFollow   How = 1 << iota // the last name is not followed if it is a symbolic link
	Beneath                    // the walk may not leave the folder it begins in: EXDEV
	InRoot                     // that folder is the root, for "/" and ".." and links
	NoSymlinks                 // no symbolic link is followed, the last name included: ELOOP
	NoMounts                   // the walk may not change filesystems: EXDEV
	NoMagic                    // no Jumper is followed: ELOOP
)

// Limits of Linux.
const (
	MaxName  = 255
	MaxPath  = 4096 // with the NUL
	maxLinks = 40
)

// Resolve follows path from at, if it is not absolute: then at is not looked at unless how confines the walk, and may be none. The Place comes with a reference; that of at stays the caller's. ENOENT, ENOTDIR,
// ENAMETOOLONG, ELOOP, EXDEV; EAGAIN if with Beneath or InRoot folders were moved meanwhile.
func (t *Tree) Resolve(at Place, path string, how How) (Place, Errno) {
	w := walker{t: t, scope: at, how: how}
	if e := w.begin(path, true); e != 0 {
		return Place{}, e
	}
	if e := w.toEnd(); e != 0 {
		w.at.Drop()
		return Place{}, e
	}
	return w.at, 0
}

// A walker is on its way along a path.
type walker struct {
	t     *Tree
	scope Place // where it began; the caller holds it; none where it does not matter
	how   How
	at    Place  // where it is; a reference
	dir   Dir    // at's node, for the step after one that found it to be a folder
	rest  string // what is left of the path, without slashes in front
	slash bool   // the path ends with one
	links int
	moves uint64 // of the tree, at the beginning
}

// begin puts the walker at the path's beginning, or further: with known it goes as far as the filesystem remembers the way.
func (w *walker) begin(path string, known bool) Errno {
	switch {
	case path == "":
		return syscall.ENOENT
	case len(path) >= MaxPath:
		return syscall.ENAMETOOLONG
	}
	w.moves = w.t.moves.Load()
	switch {
	case path[0] != '/':
		w.at = w.scope // the caller holds it
	case w.how&(Beneath|InRoot|NoMounts) == 0:
		at, rest := w.t.enter(path)
		if rest == "" {
			at = *w.t.top.Load()
		} else {
			path = rest
		}
		w.at = at // which lives as long as its mount
	default:
		if e := w.toRoot(); e != 0 {
			return e
		}
		w.follow(path)
		return 0
	}
	w.follow(path)
	if !known || !w.remembered() {
		w.at.Node.Ref()
	}
	return 0
}

// remembered goes as far as the filesystem knows the way, if that is anywhere, nothing is mounted in it, and nothing confines the walk. It leaves the reference to where the walker was.
func (w *walker) remembered() bool {
	m := w.at.Mount
	if m.walker == nil || w.rest == "" || w.how&^NoFollow != 0 || m.below.Load() != nil {
		return false
	}
	n, rest := m.walker.Walk(w.at.Node, w.rest)
	if n == nil {
		return false
	}
	w.at.Node, w.rest = n, rest
	return true
}

// follow makes path what is to be walked next, before what is left.
func (w *walker) follow(path string) {
	slash := len(path) > 0 && path[len(path)-1] == '/'
	path = afterSlashes(path)
	for path != "" && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	switch {
	case w.rest == "":
		w.rest, w.slash = path, w.slash || slash
	case path != "":
		w.rest = path + "/" + w.rest
	}
}

// toRoot goes to where absolute paths begin.
func (w *walker) toRoot() Errno {
	old := w.at
	switch {
	case w.how&Beneath != 0:
		return syscall.EXDEV
	case w.how&InRoot != 0:
		w.at = w.scope.Again()
	default:
		w.at = w.t.Root()
		if w.how&NoMounts != 0 && w.at.Mount != w.scope.Mount {
			w.at.Drop()
			w.at = old
			return syscall.EXDEV
		}
	}
	old.Drop()
	return 0
}

// afterSlashes is path without those in front.
func afterSlashes(path string) string {
	for path != "" && path[0] == '/' {
		path = path[1:]
	}
	return path
}

// name takes the next name of the path; last tells that there is none behind it. "" is the end of the path.
func (w *walker) name() (name string, last bool) {
	i := strings.IndexByte(w.rest, '/')
	if i < 0 {
		name, w.rest = w.rest, ""
		return name, true
	}
	name, w.rest = w.rest[:i], afterSlashes(w.rest[i:])
	return name, w.rest == ""
}

// toEnd walks the whole path.
func (w *walker) toEnd() Errno {
	for w.rest != "" {
		name, last := w.name()
		if e := w.step(name, last); e != 0 {
			return e
		}
	}
	if w.slash {
		if _, ok := w.at.Node.(Dir); !ok {
			return syscall.ENOTDIR
		}
	}
	return 0
}

// toLast walks up to the last name, which is "" where the path ends in a root, and may be too long. The walker is in a folder then.
func (w *walker) toLast() (name string, e Errno) {
	for w.rest != "" {
		name, last := w.name()
		if last {
			if _, ok := w.at.Node.(Dir); !ok {
				return "", syscall.ENOTDIR
			}
			return name, 0
		}
		if e := w.step(name, false); e != 0 {
			return "", e
		}
	}
	return "", 0
}

// step goes to a name, and on if it is a link that is to be followed.
func (w *walker) step(name string, last bool) Errno {
	d := w.dir
	if w.dir = nil; d == nil {
		d, _ = w.at.Node.(Dir)
	}
	switch {
	case d == nil:
		return syscall.ENOTDIR
	case len(name) > MaxName:
		return tooLong(d)
	case name == ".":
		return 0
	case name == "..":
		return w.up(d)
	}
	n, e := d.Lookup(name)
	if e != 0 {
		return e
	}
	switch n := n.(type) {
	case Dir:
		if w.how&NoMounts != 0 || w.at.Mount.below.Load() != nil {
			return w.enter(n)
		}
		w.dir = n
	case Link:
		if !last || w.slash || w.how&NoFollow == 0 {
			e := w.through(n)
			n.Unref()
			return e
		}
		if w.how&NoSymlinks != 0 {
			n.Unref()
			return syscall.ELOOP
		}
	}
	old := w.at.Node
	w.at.Node = n
	old.Unref()
	return 0
}

// tooLong is what a name that is too long gives in d.
func tooLong(d Dir) Errno {
	if removed(d) {
		return syscall.ENOENT // nothing is looked for any more
	}
	return syscall.ENAMETOOLONG
}

// removed tells folders that are held, but gone.
func removed(d Dir) bool {
	a := d.Attr()
	return a.Nlink == 0
}

// enter goes to a folder of the one that the walker is in, and to what is mounted there.
func (w *walker) enter(d Dir) Errno {
	old := w.at.Node
	if m := w.at.Mount.covers(d); m != nil {
		if w.how&NoMounts != 0 {
			d.Unref()
			return syscall.EXDEV
		}
		w.at = Place{m, m.root}.top().Again()
		d.Unref()
	} else {
		w.at.Node, w.dir = d, d
	}
	old.Unref()
	return 0
}

// through makes a link's target the path to walk next.
func (w *walker) through(l Link) Errno {
	if w.links++; w.links > maxLinks || w.how&NoSymlinks != 0 {
		return syscall.ELOOP
	}
	if j, ok := l.(Jumper); ok {
		return w.jump(j)
	}
	target, e := l.Target()
	if e != 0 {
		return e
	}
	if target == "" {
		return syscall.ENOENT
	}
	if target[0] == '/' {
		if e := w.toRoot(); e != 0 {
			return e
		}
	}
	w.follow(target)
	return 0
}

// jump goes to where a Jumper leads.
func (w *walker) jump(j Jumper) Errno {
	if w.how&NoMagic != 0 {
		return syscall.ELOOP
	}
	if w.how&(Beneath|InRoot|NoMounts) != 0 {
		return syscall.EXDEV
	}
	p, e := j.Jump()
	if e == 0 {
		w.at.Drop()
		w.at = p
	}
	return e
}

// up goes to the parent of d, which is where the walker is.
func (w *walker) up(d Dir) Errno {
	if w.how&(Beneath|InRoot) != 0 {
		if w.at == w.scope {
			if w.how&Beneath != 0 {
				return syscall.EXDEV
			}
			return 0
		}
	}
	p := w.at
	for p.Node == p.Mount.root {
		if p.Mount.parent == nil {
			return 0
		}
		if w.how&NoMounts != 0 {
			return syscall.EXDEV
		}
		p = Place{p.Mount.parent, p.Mount.at}
	}
	if p != w.at {
		d = p.Node.(Dir) // Mount has seen that it is one
	}
	next := Place{p.Mount, d.Parent()}
	if w.how&(Beneath|InRoot) != 0 && (w.t.moving.Load() != 0 || w.t.moves.Load() != w.moves) {
		next.Drop()
		return syscall.EAGAIN // what was below may not be now, nor its parent
	}
	if top := next.top(); top != next {
		top.Node.Ref()
		next.Drop()
		next = top
	}
	w.at.Drop()
	w.at = next
	return 0
}

// PathTo is the absolute path of a folder, getcwd(2). ENOENT where it was removed. It looks for each folder in its parent, so it takes as long as they are large.
func (t *Tree) PathTo(p Place) (string, Errno) {
	root := t.Root()
	defer root.Drop()
	path := ""
	p = p.Again()
	defer func() { p.Drop() }()
	for p != root {
		for p.Node == p.Mount.root && p.Mount.parent != nil {
			up := Place{p.Mount.parent, p.Mount.at}.Again()
			p.Drop()
			p = up
		}
		d, ok := p.Node.(Dir)
		if !ok {
			return "", syscall.ENOTDIR
		}
		parent := d.Parent()
		name, e := nameIn(parent, p.Node)
		if e != 0 {
			parent.Unref()
			return "", e
		}
		path = "/" + name + path
		p.Drop()
		p = Place{p.Mount, parent}
		if len(path) >= MaxPath {
			return "", syscall.ENAMETOOLONG
		}
		if top := p.top(); top.Node == root.Node {
			break
		}
	}
	if path == "" {
		path = "/"
	}
	return path, 0
}

// nameIn is the name that a node has in a folder. ENOENT.
func nameIn(d Dir, n Node) (name string, e Errno) {
	a := n.Attr()
	if a.Nlink == 0 {
		return "", syscall.ENOENT
	}
	e = d.ReadDir(0, func(en *Entry) bool {
		if en.Ino == a.Ino {
			name = strings.Clone(en.Name)
		}
		return name == ""
	})
	if e == 0 && name == "" {
		e = syscall.ENOENT
	}
	return name, e
}
