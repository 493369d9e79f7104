package sock

import (
	"io"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// A Borrower is a Socket of a stream that sends bytes where they lie.
type Borrower interface {
	Socket

	// SendLoan sends all of l, which is not empty, or nothing (EAGAIN ...). In any case it returns l once it needs it no more.
	SendLoan(l posix.Loan) syscall.Errno
}

// lendAtMost bounds how much of a file is handed over at a time: the stream's buffer is overfilled by no more.
const lendAtMost = 1 << 20

// sendfile is sendfile(2) from a posix.Lender to a Borrower, which copies nothing. EINVAL for others, as the manual page has it: who calls must be ready to read and write
// instead, and package internal/poll is.
func (o *object) sendfile(f *posix.File, a [6]uintptr) (uintptr, syscall.Errno) {
	in := posix.Get(posix.FD(a[1]))
	if in == nil {
		return 0, syscall.EBADF
	}
	defer in.Put()
	if in.Flags()&syscall.O_ACCMODE == syscall.O_WRONLY {
		return 0, syscall.EBADF
	}
	src, ok := in.Object().(posix.Lender)
	dst, also := o.Socket.(Borrower)
	if !ok || !also {
		return 0, syscall.EINVAL
	}
	count := int(min(a[3], 0x7ffff000)) // what Linux moves in one call
	own := a[2] == 0
	var at *int64
	var off int64
	if own {
		var e syscall.Errno
		if off, e = src.Seek(in, 0, io.SeekCurrent); e != 0 {
			return 0, e
		}
	} else if at = user.At[int64](a[2]); at == nil {
		return 0, syscall.EFAULT
	} else if off = *at; off < 0 {
		return 0, syscall.EINVAL
	}
	sent, e := o.sendLent(f, src, in, dst, off, count)
	if sent == 0 {
		return 0, e
	}
	if own {
		src.Seek(in, off+int64(sent), io.SeekStart)
	} else {
		*at = off + int64(sent)
	}
	return uintptr(sent), 0
}

// sendLent sends up to count bytes of src from off on, and waits for room where the descriptor is such. With bytes sent an errno says why they are not more.
func (o *object) sendLent(f *posix.File, src posix.Lender, in *posix.File, dst Borrower, off int64, count int) (sent int, e syscall.Errno) {
	var w *waiter
	for sent < count {
		l, e := src.Lend(in, off+int64(sent), min(count-sent, lendAtMost))
		n := len(l.Bytes)
		if e != 0 || n == 0 {
			return sent, e
		}
		switch e = dst.SendLoan(l); {
		case e == 0:
			sent += n
		case e == syscall.EAGAIN && !f.Nonblock():
			if w == nil {
				w = o.wait(posix.Out|posix.Hup|posix.Err, &o.sendTimeout)
				defer w.end()
			} else if !w.park() {
				return sent, e
			}
		default:
			if e == syscall.EPIPE && sent == 0 {
				posix.Kill(posix.PID, int(syscall.SIGPIPE))
			}
			return sent, e
		}
	}
	return sent, 0
}
