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

	// Room is about how many bytes SendLoans would take now; 0 where it would say EAGAIN, or another errno.
	Room() int

	// SendLoans sends the first of list, whole ones that are not empty, as many as there is room for, and says how many: EAGAIN where none. Those it returns once it
	// needs them no more; the others stay the caller's. One may overfill the stream's buffer.
	SendLoans(list []posix.Loan) (int, syscall.Errno)
}

const (
	lendLeast  = 64 << 10 // bytes of a file that are looked for where there is room for fewer
	lendAtMost = 1 << 20  // bytes of a file that are handed over at a time
	lendAtOnce = 16       // in so many pieces: a stream cuts what it is given into few large segments, and each of many small ones into a large and a small one
)

// loans are pieces of a file that are not handed over yet, in order.
type loans struct {
	list  [lendAtOnce]posix.Loan
	n     int
	bytes int
}

// fill takes more of a file, of which they begin at off, until they are most bytes. The error says why they are not.
func (l *loans) fill(src posix.Lender, f *posix.File, off int64, most int) syscall.Errno {
	for l.n < lendAtOnce && l.bytes < most {
		loan, e := src.Lend(f, off+int64(l.bytes), most-l.bytes)
		if e != 0 || len(loan.Bytes) == 0 {
			return e
		}
		l.list[l.n] = loan
		l.n++
		l.bytes += len(loan.Bytes)
	}
	return 0
}

// taken forgets the first n, and says how many bytes they were.
func (l *loans) taken(n int) (bytes int) {
	for _, loan := range l.list[:n] {
		bytes += len(loan.Bytes)
	}
	copy(l.list[:], l.list[n:l.n])
	clear(l.list[l.n-n : l.n])
	l.n -= n
	l.bytes -= bytes
	return bytes
}

// end gives back those that nobody took.
func (l *loans) end() {
	for _, loan := range l.list[:l.n] {
		loan.Return()
	}
	*l = loans{}
}

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
	var l loans
	defer l.end()
	for sent < count {
		e := l.fill(src, in, off+int64(sent), min(count-sent, max(dst.Room(), lendLeast), lendAtMost))
		if l.n == 0 {
			return sent, e
		}
		n, e := dst.SendLoans(l.list[:l.n])
		switch {
		case e == 0:
			sent += l.taken(n)
		case e == syscall.EAGAIN && !f.Nonblock():
			if w == nil {
				w = o.wait(posix.Out|posix.Hup|posix.Err, &o.sendTimeout)
				defer w.end()
				continue
			}
			l.end() // a peer that reads nothing is no reason to keep what others want, for as long as he likes
			if !w.park() {
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
