package sock

import (
	"encoding/binary"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// Control messages: cmsg(3). A header of length, level and type, then data, each message beginning at a multiple of 8 bytes.
const (
	sizeCmsg = 16

	maxRights = 253 // descriptors a message: SCM_MAX_FD of unix(7)
)

// align is CMSG_ALIGN.
func align(n int) int { return (n + 7) &^ 7 }

// appendControl appends a message to b, where it is aligned.
func appendControl(b []byte, level, typ int, data []byte) []byte {
	for len(b) != align(len(b)) {
		b = append(b, 0)
	}
	b = binary.NativeEndian.AppendUint64(b, uint64(sizeCmsg+len(data)))
	b = binary.NativeEndian.AppendUint32(b, uint32(level))
	b = binary.NativeEndian.AppendUint32(b, uint32(typ))
	return append(b, data...)
}

// parseControl takes apart what a program sends: rights and credentials, and the rest for the family. On an error it holds no reference.
func (m *Sending) parseControl(b []byte) syscall.Errno {
	for len(b) >= sizeCmsg {
		n := binary.NativeEndian.Uint64(b)
		if n < sizeCmsg || n > uint64(len(b)) {
			m.drop()
			return syscall.EINVAL
		}
		level, typ := int(int32(binary.NativeEndian.Uint32(b[8:]))), int(int32(binary.NativeEndian.Uint32(b[12:])))
		data := b[sizeCmsg:n]
		if e := m.control(level, typ, data); e != 0 {
			m.drop()
			return e
		}
		b = b[min(align(int(n)), len(b)):]
	}
	return 0
}

func (m *Sending) control(level, typ int, data []byte) syscall.Errno {
	switch {
	case level != syscall.SOL_SOCKET:
		m.Control = appendControl(m.Control, level, typ, data)
	case typ == syscall.SCM_RIGHTS:
		for ; len(data) >= 4; data = data[4:] {
			if len(m.Files) == maxRights {
				return syscall.EINVAL
			}
			f := posix.Get(int(int32(binary.NativeEndian.Uint32(data))))
			if f == nil {
				return syscall.EBADF
			}
			m.Files = append(m.Files, f)
		}
	case typ == syscall.SCM_CREDENTIALS:
		if len(data) != syscall.SizeofUcred {
			return syscall.EINVAL
		}
		c := &syscall.Ucred{
			Pid: int32(binary.NativeEndian.Uint32(data)), Uid: binary.NativeEndian.Uint32(data[4:]), Gid: binary.NativeEndian.Uint32(data[8:]),
		}
		if c.Pid != posix.PID { // the one process there is; user 0 may name any user
			return syscall.ESRCH
		}
		m.Cred = c
	default:
		return syscall.EINVAL
	}
	return 0
}

// drop gives up the references.
func (m *Sending) drop() {
	Drop(m.Files)
	m.Files = nil
}

// Drop gives up references to files that nobody will receive.
func Drop(files []*posix.File) {
	for _, f := range files {
		f.Put()
	}
}

// AddCred adds a message with credentials.
func (m *Receiving) AddCred(c *syscall.Ucred) {
	var b [syscall.SizeofUcred]byte
	binary.NativeEndian.PutUint32(b[:], uint32(c.Pid))
	binary.NativeEndian.PutUint32(b[4:], c.Uid)
	binary.NativeEndian.PutUint32(b[8:], c.Gid)
	m.AddControl(syscall.SOL_SOCKET, syscall.SCM_CREDENTIALS, b[:])
}

// deliver writes the control messages that came to a program's memory and gives how many bytes. What has no room sets MSG_CTRUNC: messages are cut,
// descriptors that do not fit are closed, as recvmsg(2) and unix(7) have it.
func (m *Receiving) deliver(dst []byte) int {
	n := 0
	for rest := m.Control; len(rest) > 0; {
		size := int(binary.NativeEndian.Uint64(rest))
		if len(dst)-n < sizeCmsg {
			m.Got |= syscall.MSG_CTRUNC
			break
		}
		c := copy(dst[n:], rest[:size])
		if c < size {
			m.Got |= syscall.MSG_CTRUNC
			binary.NativeEndian.PutUint64(dst[n:], uint64(c)) // a message that was cut says so
		}
		n = min(n+align(c), len(dst))
		rest = rest[min(align(size), len(rest)):]
	}
	if len(m.Files) == 0 {
		return n
	}
	room := max(len(dst)-n-sizeCmsg, 0) / 4
	var fds []byte
	for len(m.Files) > 0 && len(fds) < 4*room {
		fd, e := posix.InstallFile(m.Files[0], m.Flags&syscall.MSG_CMSG_CLOEXEC != 0)
		if e != 0 {
			break
		}
		m.Files = m.Files[1:]
		fds = binary.NativeEndian.AppendUint32(fds, uint32(fd))
	}
	if len(m.Files) > 0 {
		m.Got |= syscall.MSG_CTRUNC
		Drop(m.Files)
		m.Files = nil
	}
	if len(fds) == 0 {
		return n
	}
	n += copy(dst[n:], appendControl(nil, syscall.SOL_SOCKET, syscall.SCM_RIGHTS, fds))
	return min(align(n), len(dst))
}
