package fs

import (
	"strconv"
	"strings"
	"syscall"
)

// Where is the absolute path of what is at p, as readlink(2) says of an open file: nodes do not know how they are called, so it begins with the path by which p was reached from the folder at (the
// zero Place for an absolute path). What was renamed in its folder since is looked for there, and else in all of the mount: that takes as long as it is large. What has no name any more is called as it was,
// with " (deleted)" behind it.
func (t *Tree) Where(p, at Place, path string) string {
	if _, folder := p.Node.(Dir); folder {
		if now, e := t.PathTo(p); e == 0 {
			return now
		}
		return t.was(at, path, p)
	}
	a := p.Attr()
	if a.Nlink == 0 {
		return t.was(at, path, p)
	}
	if now := t.still(p, at, path); now != "" {
		return now
	}
	if top, ok := p.Mount.root.(Dir); ok {
		top.Ref()
		defer top.Unref()
		if d, name := search(top, a.Ino); d != nil {
			defer d.Unref()
			if now, e := t.inFolder(Place{p.Mount, d}, name); e == 0 {
				return now
			}
		}
	}
	return t.was(at, path, p)
}

// inFolder is the path of a name in the folder at d.
func (t *Tree) inFolder(d Place, name string) (string, Errno) {
	folder, e := t.PathTo(d)
	if e != 0 {
		return "", e
	}
	return strings.TrimSuffix(folder, "/") + "/" + name, 0
}

// still is p's path where path from at leads to it, or to the folder that it is in; empty else.
func (t *Tree) still(p, at Place, path string) string {
	if at.Node == nil {
		at = t.Root()
		defer at.Drop()
	}
	a := p.Attr()
	at = at.Again()
	defer func() { at.Drop() }()
	for range maxLinks {
		w, d, name, e := t.last(at, path)
		if e != 0 || d == nil {
			if e == 0 {
				w.at.Drop()
			}
			return ""
		}
		at.Drop()
		at = w.at
		if n, e := d.Lookup(name); e == 0 {
			l, link := n.(Link)
			have := n.Attr()
			if link && a.Type() != syscall.S_IFLNK {
				if path, e = l.Target(); e != 0 {
					path = ""
				}
			}
			n.Unref()
			if link && a.Type() != syscall.S_IFLNK {
				continue
			}
			if at.Mount != p.Mount {
				return ""
			}
			if have.Ino != a.Ino {
				name = ""
			}
		} else {
			name = ""
		}
		if name == "" {
			if name, e = nameIn(d, p.Node); e != 0 {
				return ""
			}
		}
		now, _ := t.inFolder(at, name)
		return now
	}
	return ""
}

// was is what something was called that is gone.
func (t *Tree) was(at Place, path string, p Place) string {
	const gone = " (deleted)"
	if at.Node != nil && !strings.HasPrefix(path, "/") {
		if folder, e := t.PathTo(at); e == 0 {
			path = strings.TrimSuffix(folder, "/") + "/" + path
		}
	}
	if i := strings.LastIndexByte(path, '/'); i > 0 { // links on the way are told as what they lead to, where they still do
		root := t.Root()
		defer root.Drop()
		if d, e := t.Resolve(root, path[:i], 0); e == 0 {
			defer d.Drop()
			if now, e := t.inFolder(d, path[i+1:]); e == 0 {
				path = now
			}
		}
	}
	return path + gone
}

// Unnamed is what O_TMPFILE's files are called in the folder of path, as on Linux.
func Unnamed(path string, ino uint64) string {
	return strings.TrimSuffix(path, "/") + "/#" + strconv.FormatUint(ino, 10)
}

// search finds a name of an inode in a folder or below, and gives the folder that it is in, with a reference; nil for none.
func search(d Dir, ino uint64) (Dir, string) {
	found := ""
	var below []string
	d.ReadDir(0, func(en *Entry) bool {
		switch {
		case en.Type == syscall.S_IFDIR:
			below = append(below, strings.Clone(en.Name))
		case en.Ino == ino:
			found = strings.Clone(en.Name)
		}
		return found == ""
	})
	if found != "" {
		d.Ref()
		return d, found
	}
	for _, name := range below {
		n, e := d.Lookup(name)
		if e != 0 {
			continue
		}
		if next, ok := n.(Dir); ok {
			if in, found := search(next, ino); in != nil {
				n.Unref()
				return in, found
			}
		}
		n.Unref()
	}
	return nil, ""
}
