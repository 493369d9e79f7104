package posix

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// gather is how much Writev copies together. A write of that much is as atomic as the object makes it.
const gather = 16 << 10

// Writev is writev(2). Small buffers are gathered, so that what they make up together arrives in one piece; a large one
// goes as it is.
func Writev(fd int, iov []syscall.Iovec) (n int, e syscall.Errno) {
	var buf []byte
	for i := 0; i < len(iov); {
		p := user.Buffer(&iov[i])
		if i++; i < len(iov) && len(p) < gather {
			if buf == nil {
				buf = make([]byte, 0, gather)
			}
			for buf = append(buf[:0], p...); i < len(iov) && len(buf)+int(iov[i].Len) <= gather; i++ {
				buf = append(buf, user.Buffer(&iov[i])...)
			}
			p = buf
		}
		c, err := Write(fd, p)
		if err != 0 && n == 0 {
			return -1, err
		}
		n += max(c, 0)
		if c < len(p) {
			break
		}
	}
	return n, 0
}
