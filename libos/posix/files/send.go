package files

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// sendfile(2) to what is no connection, or from a file that lends nothing, splice(2) between a file and a pipe or two pipes, and tee(2): through memory, as there are no pages that both could have. Sockets come here only with what
// they do not take themselves.

// mostMoved is what Linux moves in one call.
const mostMoved = 0x7ffff000

// Flags of splice, of which only SPLICE_F_NONBLOCK means something here.
const (
	spliceNonblock = 2
	spliceKnown    = 15
)

// roomy is the end of a pipe that is written.
type roomy interface {
	posix.Object
	Room() int
}

// A moving is where bytes come from: a file at an offset, which may be the description's own.
type moving struct {
	in  *posix.File
	src posix.Positioned
	at  *int64 // nil: the description's
	off int64
}

// from begins to move what is in the file in. EINVAL for what is none, EFAULT.
func from(in *posix.File, at uintptr) (m moving, e syscall.Errno) {
	m.in = in
	src, ok := in.Object().(posix.Positioned)
	if _, folder := src.(*dir); !ok || folder {
		return m, syscall.EINVAL
	}
	m.src = src
	if at != 0 {
		if m.at = user.At[int64](at); m.at == nil {
			return m, syscall.EFAULT
		}
		m.off = *m.at
	} else if m.off, e = src.Seek(in, 0, 1); e != 0 {
		return m, e
	}
	if m.off < 0 {
		return m, syscall.EINVAL
	}
	return m, 0
}

// to writes up to count bytes to out, and says how many. A pipe is filled once: who waits for all of it to go might be the one who reads it.
func (m *moving) to(out *posix.File, count int, nonblock bool) (int, syscall.Errno) {
	const piece, page = 64 << 10, 4096
	pipe, once := out.Object().(roomy)
	if once {
		room := pipe.Room()
		switch {
		case room == 0 && nonblock:
			return 0, syscall.EAGAIN
		case room == 0:
			room = page // the write waits for that
		}
		count = min(count, room)
	}
	buf := make([]byte, min(count, piece))
	done := 0
	var e syscall.Errno
	for done < count && e == 0 {
		var n, w int
		if n, e = m.src.Pread(m.in, buf[:min(len(buf), count-done)], m.off+int64(done)); n <= 0 {
			break
		}
		if w, e = out.Object().Write(out, buf[:n]); w > 0 {
			done += w
		}
		if w < n {
			break
		}
	}
	if done == 0 {
		return 0, e
	}
	if m.at != nil {
		*m.at = m.off + int64(done)
	} else {
		m.src.Seek(m.in, m.off+int64(done), 0)
	}
	return done, 0
}

// readable looks up a descriptor that is to be read; the caller puts it. EBADF.
func readable(fd uintptr) (*posix.File, syscall.Errno) {
	f := get(fd)
	if f != nil && f.Flags()&syscall.O_ACCMODE == syscall.O_WRONLY {
		f.Put()
		f = nil
	}
	if f == nil {
		return nil, syscall.EBADF
	}
	return f, 0
}

// writable does the same for one that is to be written.
func writable(fd uintptr) (*posix.File, syscall.Errno) {
	f := get(fd)
	if f != nil && f.Flags()&syscall.O_ACCMODE == syscall.O_RDONLY {
		f.Put()
		f = nil
	}
	if f == nil {
		return nil, syscall.EBADF
	}
	return f, 0
}

// sendfile is sendfile(2). EFAULT, EBADF, EINVAL, ESPIPE for an offset of what has none: whichever Linux finds first.
func sendfile(a [6]uintptr) (uintptr, syscall.Errno) {
	var at *int64
	if a[2] != 0 {
		if at = user.At[int64](a[2]); at == nil {
			return 0, syscall.EFAULT
		}
	}
	in, e := readable(a[1])
	if e != 0 {
		return 0, e
	}
	defer in.Put()
	if _, ok := in.Object().(posix.Positioned); at != nil && !ok {
		return 0, syscall.ESPIPE
	}
	if at != nil && *at < 0 {
		return 0, syscall.EINVAL
	}
	out, e := writable(a[0])
	if e != 0 {
		return 0, e
	}
	defer out.Put()
	if out.Flags()&syscall.O_APPEND != 0 {
		return 0, syscall.EINVAL
	}
	m, e := from(in, a[2])
	if e != 0 {
		return 0, e
	}
	n, e := m.to(out, int(min(a[3], mostMoved)), out.Nonblock())
	return uintptr(n), e
}

// splice is splice(2) between a file and a pipe, and between pipes. EINVAL for all else, on which who calls reads and writes: a socket's bytes are copied once less so.
func splice(a [6]uintptr) (uintptr, syscall.Errno) {
	flags := uint32(a[5])
	if flags&^spliceKnown != 0 {
		return 0, syscall.EINVAL
	}
	if a[4] == 0 {
		return 0, 0
	}
	in, e := readable(a[0])
	if e != 0 {
		return 0, e
	}
	defer in.Put()
	out, e := writable(a[2])
	if e != 0 {
		return 0, e
	}
	defer out.Put()
	_, isFile := in.Object().(*file)
	dst, toFile := out.Object().(*file)
	src, sink := endOf(in, reading), endOf(out, writing)
	fromPipe, toPipe := src != nil, sink != nil
	count, nonblock := int(min(a[4], mostMoved)), flags&spliceNonblock != 0
	switch {
	case fromPipe && (toFile || toPipe) && a[1] != 0, toPipe && (isFile || fromPipe) && a[3] != 0:
		return 0, syscall.ESPIPE
	case fromPipe && toPipe:
		n, e := src.Move(sink, count, nonblock || in.Nonblock() || out.Nonblock())
		return uintptr(n), e
	case fromPipe && toFile:
		n, e := pour(src, dst, out, a[3], count, nonblock || in.Nonblock())
		return uintptr(n), e
	case !isFile || !toPipe:
		return 0, syscall.EINVAL
	}
	m, e := from(in, a[1])
	if e != 0 {
		return 0, e
	}
	n, e := m.to(out, count, nonblock || out.Nonblock())
	return uintptr(n), e
}

// pour is splice from a pipe to a file, at an offset, which may be the description's own. What the file does not take stays in the pipe: there is no room for it, or it would be too large.
func pour(src *posix.PipeEnd, dst *file, out *posix.File, at uintptr, count int, nonblock bool) (n int, e syscall.Errno) {
	if out.Flags()&syscall.O_APPEND != 0 {
		return 0, syscall.EINVAL
	}
	if at == 0 {
		return src.Pour(count, nonblock, func(b []byte) (int, syscall.Errno) { return dst.Write(out, b) })
	}
	off := user.At[int64](at)
	if off == nil {
		return 0, syscall.EFAULT
	}
	if *off < 0 {
		return 0, syscall.EINVAL
	}
	to := *off
	n, e = src.Pour(count, nonblock, func(b []byte) (int, syscall.Errno) {
		k, e := dst.Pwrite(out, b, to)
		to += int64(max(k, 0))
		return k, e
	})
	if n > 0 {
		*off = to
	}
	return n, e
}

// endOf is the end of a pipe that a description reads or writes, with a name or without; nil for what is none.
func endOf(f *posix.File, side int) *posix.PipeEnd {
	switch o := f.Object().(type) {
	case *posix.PipeEnd:
		return o
	case *fifoEnd:
		return o.PipeEnd
	case *fifoBoth:
		return o.f.ends[side]
	}
	return nil
}

// tee is tee(2). EINVAL for what is no pipe.
func tee(a [6]uintptr) (uintptr, syscall.Errno) {
	flags := uint32(a[3])
	if flags&^spliceKnown != 0 {
		return 0, syscall.EINVAL
	}
	if a[2] == 0 {
		return 0, 0
	}
	in, e := readable(a[0])
	if e != 0 {
		return 0, e
	}
	defer in.Put()
	out, e := writable(a[1])
	if e != 0 {
		return 0, e
	}
	defer out.Put()
	src, dst := endOf(in, reading), endOf(out, writing)
	if src == nil || dst == nil {
		return 0, syscall.EINVAL
	}
	n, e := src.Tee(dst, int(min(a[2], mostMoved)), flags&spliceNonblock != 0 || in.Nonblock() || out.Nonblock())
	return uintptr(n), e
}
