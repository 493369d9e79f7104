package linuxguest

import (
	"fmt"
	"io"
	"strings"
)

// A cpioWriter writes an archive in the "new ASCII" format that the kernel unpacks as its first root file system
// (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
type cpioWriter struct {
	w   io.Writer
	ino int
	err error
}

// The file types and permissions of an entry's mode (POSIX, cpio.h).
const (
	modeFile      = 0o100000
	modeDirectory = 0o040000
	modeCharacter = 0o020000
)

// trailer is the name of the entry that ends an archive.
const trailer = "TRAILER!!!"

// A device is the numbers of a device node.
type device struct{ major, minor int }

// add writes one entry.
func (c *cpioWriter) add(name string, mode int, dev device, body []byte) {
	c.ino++
	links := 1
	if mode&modeDirectory != 0 {
		links = 2
	}
	c.print("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		c.ino, mode, 0, 0, links, 0, len(body), 0, 0, dev.major, dev.minor, len(name)+1, 0)
	const headerSize = 110
	c.print("%s\x00%s", name, padding(headerSize+len(name)+1))
	c.print("%s%s", body, padding(len(body)))
}

// close ends the archive.
func (c *cpioWriter) close() error {
	c.ino = -1 // the trailer's is 0
	c.add(trailer, 0, device{}, nil)
	return c.err
}

func (c *cpioWriter) print(format string, args ...any) {
	if c.err == nil {
		_, c.err = fmt.Fprintf(c.w, format, args...)
	}
}

// padding fills up to the next multiple of four.
func padding(n int) string { return strings.Repeat("\x00", -n&3) }

// A File is put into an initramfs.
type File struct {
	Name string // as "init" or "modules/x.ko"
	Body []byte
}

// WriteInitramfs writes a root file system with program as its init and other files. It has /dev/console, which the kernel gives
// to init as its standard files, and empty directories where a program would mount what it needs.
func WriteInitramfs(w io.Writer, program []byte, files ...File) error {
	c := &cpioWriter{w: w}
	for _, dir := range []string{"dev", "proc", "sys", "tmp", modulesDir} {
		c.add(dir, modeDirectory|0o755, device{}, nil)
	}
	c.add("dev/console", modeCharacter|0o600, device{5, 1}, nil)
	c.add("dev/null", modeCharacter|0o666, device{1, 3}, nil)
	for _, f := range append([]File{{"init", program}}, files...) {
		c.add(f.Name, modeFile|0o755, device{}, f.Body)
	}
	return c.close()
}
