//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// What is copied gets its name when it is there as a whole: until then what had the name has it, and an error leaves that.

// copyOut writes all of a file's bytes in a row.
func copyOut(w io.Writer, name string, f core.File) error {
	b := make([]byte, 1<<20)
	for off := int64(0); ; {
		n, e := f.ReadAt(b, off)
		if e != 0 {
			return fail(name, e)
		}
		if n == 0 {
			return nil
		}
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		off += int64(n)
	}
}

// Out copies from the volume to the host; folders with all that is in them, if whole.
func (v *Volume) Out(name, host string, whole bool) error {
	if info, err := os.Stat(host); err == nil && info.IsDir() {
		if path.Clean(name) != "/" {
			host = filepath.Join(host, path.Base(name))
		} else if to, err := filepath.EvalSymlinks(host); err == nil { // the folder that was named may be a link, those in it may not
			host = to
		}
	}
	return v.at(name, false, func(p core.Place) error { return v.out(name, p.Node, host, whole) })
}

func (v *Volume) out(name string, n core.Node, host string, whole bool) error {
	a := n.Attr()
	perm, at := os.FileMode(a.Mode&0o777), time.Unix(a.Mtime.Sec, a.Mtime.Nsec)
	switch x := n.(type) {
	case core.Dir:
		if !whole {
			return fmt.Errorf("%s in the volume is a folder: copy it by -r", name)
		}
		made := os.Mkdir(host, perm|0o700)
		if info, err := os.Lstat(host); made != nil && (err != nil || !info.IsDir()) { // a link may be from a volume, and lead anywhere
			return made
		}
		list, err := v.entries(name, x)
		for _, c := range list {
			err = errors.Join(err, v.out(path.Join(name, c.name), c.node, filepath.Join(host, c.name), whole))
			c.node.Unref()
		}
		if made == nil {
			err = errors.Join(err, os.Chmod(host, perm), os.Chtimes(host, at, at))
		}
		return err
	case core.Link:
		to, e := x.Target()
		if e != 0 {
			return fail(name, e)
		}
		err := os.Symlink(to, host)
		if old, e := os.Lstat(host); errors.Is(err, os.ErrExist) && e == nil && !old.IsDir() {
			if err = os.Remove(host); err == nil {
				err = os.Symlink(to, host)
			}
		}
		return err
	case core.File:
		if info, err := os.Stat(host); err == nil && !info.Mode().IsRegular() { // a device, a pipe: there is nothing to replace
			f, err := os.OpenFile(host, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			return errors.Join(copyOut(f, name, x), f.Close())
		}
		if to, err := filepath.EvalSymlinks(host); err == nil {
			host = to
		}
		f, err := os.CreateTemp(filepath.Dir(host), ".mkimage-")
		if err != nil {
			return err
		}
		err = errors.Join(copyInto(f, name, x), f.Chmod(perm), f.Close(), os.Chtimes(f.Name(), at, at))
		if err == nil {
			err = os.Rename(f.Name(), host)
		}
		if err != nil {
			os.Remove(f.Name())
		}
		return err
	}
	return fmt.Errorf("%s in the volume is neither file, folder nor link: it is left out", name)
}

// IsDir tells whether a folder is at a path.
func (v *Volume) IsDir(name string) bool {
	p, e := v.tree.Resolve(v.root, name, 0)
	if e != 0 {
		return false
	}
	defer p.Drop()
	_, dir := p.Node.(core.Dir)
	return dir
}

// In copies from the host to the volume.
func (v *Volume) In(host, name string, whole bool) error {
	if v.IsDir(name) {
		name = path.Join(name, filepath.Base(filepath.Clean(host)))
	}
	return v.in(host, name, whole)
}

func (v *Volume) in(host, name string, whole bool) error {
	info, err := os.Lstat(host)
	if err != nil {
		return err
	}
	at := syscall.NsecToTimespec(info.ModTime().UnixNano())
	c := core.Change{Set: core.SetMode | core.SetMtime | core.SetAtime, Mode: uint32(info.Mode().Perm()), Mtime: at, Atime: at}
	switch {
	case info.IsDir():
		if !whole {
			return fmt.Errorf("%s is a folder: copy it by -r", host)
		}
		made := v.tree.Mkdir(v.root, name, c.Mode)
		if made != 0 && made != syscall.EEXIST {
			return fail(name, made)
		}
		list, err := os.ReadDir(host)
		for _, c := range list {
			err = errors.Join(err, v.in(filepath.Join(host, c.Name()), path.Join(name, c.Name()), whole))
		}
		if made == 0 {
			err = errors.Join(err, v.at(name, false, func(p core.Place) error { return fail(name, p.Node.SetAttr(&c)) }))
		}
		return err
	case info.Mode()&os.ModeSymlink != 0:
		to, err := os.Readlink(host)
		if err != nil {
			return err
		}
		e := v.tree.Symlink(to, v.root, name)
		if e == syscall.EEXIST {
			if e = v.tree.Unlink(v.root, name); e == 0 {
				e = v.tree.Symlink(to, v.root, name)
			}
		}
		if e == syscall.EPERM {
			return fmt.Errorf("%s is a link, which a FAT volume cannot have: it is left out", host)
		}
		return fail(name, e)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither file, folder nor link: it is left out", host)
	}
	f, err := os.Open(host)
	if err != nil {
		return err
	}
	defer f.Close()
	return v.put(f, name, c)
}

// From copies what r has to a file of the volume.
func (v *Volume) From(r io.Reader, name string) error {
	if v.IsDir(name) {
		return fmt.Errorf("%s in the volume is a folder: say what the file is to be called in it", name)
	}
	return v.put(r, name, core.Change{Set: core.SetMode, Mode: 0o644})
}

// maxLinks is how many links in a row are followed, as by Linux (path_resolution(7)).
const maxLinks = 40

// put makes a file of what r has, and of attributes. What has the name keeps it until then, and its owner if it is a file.
func (v *Volume) put(r io.Reader, name string, c core.Change) error {
	for links := 0; ; links++ { // which lead to what is replaced
		p, e := v.tree.Resolve(v.root, name, core.NoFollow)
		if e == syscall.ENOENT {
			break
		}
		if e == 0 && links > maxLinks {
			p.Drop()
			e = syscall.ELOOP
		}
		if e != 0 {
			return fail(name, e)
		}
		a := p.Attr()
		c.Set, c.UID, c.GID = c.Set|core.SetUID|core.SetGID, a.UID, a.GID
		l, link := p.Node.(core.Link)
		_, file := p.Node.(core.File)
		if !link && !file {
			e = kindError(p.Node)
		}
		to := ""
		if link {
			to, e = l.Target()
		}
		p.Drop()
		if e != 0 {
			return fail(name, e)
		}
		if file {
			break
		}
		if path.IsAbs(to) {
			name = to
		} else {
			name = path.Dir(name) + "/" + to
		}
		c.Set &^= core.SetUID | core.SetGID
	}
	temp := path.Dir(name) + "/.mkimage-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	p, e := v.tree.Open(v.root, temp, syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY, 0o600, 0)
	if e != 0 {
		return fail(name, e)
	}
	err := fill(r, name, p.Node, c)
	p.Drop()
	if err == nil {
		err = fail(name, v.tree.Rename(v.root, temp, v.root, name, 0))
	}
	if err != nil {
		err = errors.Join(err, fail(temp, v.tree.Unlink(v.root, temp)))
	}
	return err
}

// fill writes what r has to a file that is empty, and sets its attributes.
func fill(r io.Reader, name string, n core.Node, c core.Change) error {
	to, ok := n.(core.File)
	if !ok {
		return fail(name, kindError(n))
	}
	end := int64(0)
	w := func(b []byte, off int64) error {
		for len(b) > 0 {
			k, _, e := to.WriteAt(b, off)
			if e != 0 {
				return fail(name, e)
			}
			b, off = b[k:], off+int64(k)
		}
		end = max(end, off)
		return nil
	}
	var size int64
	var err error
	if f, ok := r.(*os.File); ok {
		size, err = pourFile(f, w)
	} else {
		size, err = pour(r, w)
	}
	if err == nil && size != end {
		err = fail(name, to.Truncate(size))
	}
	if err != nil {
		return err
	}
	return fail(name, to.SetAttr(&c))
}
