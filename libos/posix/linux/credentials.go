package linux

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// Who runs the program: one user, root, in one group, with every capability (credentials(7), capabilities(7)). It is as if in a user namespace that has nobody else
// (user_namespaces(7)): to become another user is EINVAL. Capabilities that are given up are remembered and nothing more, for nobody here asks for one.

// root is the only user, and its group the only group.
const root = 0

// unchanged leaves an identity as it is (setresuid(2)).
const unchanged = ^uint32(0)

// become serves setuid(2) and its like, which name identities: all must be root's.
func become(ids ...uintptr) syscall.Errno {
	for _, id := range ids {
		if uint32(id) != root {
			return syscall.EINVAL
		}
	}
	return 0
}

// becomeSome serves setreuid(2) and its like: those that are -1 stay.
func becomeSome(ids ...uintptr) syscall.Errno {
	for _, id := range ids {
		if id := uint32(id); id != root && id != unchanged {
			return syscall.EINVAL
		}
	}
	return 0
}

// identities serves getresuid(2) and getresgid(2).
func identities(to ...uintptr) syscall.Errno {
	id := uint32(root)
	for _, p := range to {
		if e := user.Put(p, &id); e != 0 {
			return e
		}
	}
	return 0
}

// setgroups is setgroups(2). Its own group may be in the list, and does not make it longer.
func setgroups(count, list uintptr) syscall.Errno {
	const most = 65536 // NGROUPS_MAX
	n := int32(count)
	if n < 0 || n > most {
		return syscall.EINVAL
	}
	p, e := user.Bytes(list, uintptr(n)*4)
	if e != 0 {
		return e
	}
	for _, b := range p {
		if b != 0 { // of a group's number
			return syscall.EINVAL
		}
	}
	return 0
}

// capabilities are sets of bits.
type capabilities uint64

// lastCapability is CAP_CHECKPOINT_RESTORE, the last one of the release that Uname tells.
const lastCapability = 40

const everyCapability capabilities = 1<<(lastCapability+1) - 1

// credentials are what a program may change about itself.
var credentials = struct {
	mu                                          park.Mutex
	effective, permitted, inheritable, bounding capabilities
	keep, noNew, dumpable                       uintptr
	death                                       uintptr // signal at the death of a parent, of which there is none
}{effective: everyCapability, permitted: everyCapability, bounding: everyCapability, dumpable: 1}

func init() {
	posix.ToldPrivileges = func() posix.Privileges {
		c := &credentials
		c.mu.Lock()
		defer c.mu.Unlock()
		return posix.Privileges{Inheritable: uint64(c.inheritable), Permitted: uint64(c.permitted), Effective: uint64(c.effective), Bounding: uint64(c.bounding), NoNew: c.noNew != 0}
	}
}

// capHeader and capData are capget(2)'s.
type capHeader struct {
	version uint32
	pid     int32
}

type capData struct{ effective, permitted, inheritable uint32 }

// capVersion reads a header. It gives how many data belong to it, each for 32 capabilities. To who asks by another version it tells the newest.
func capVersion(header uintptr) (h *capHeader, data int, e syscall.Errno) {
	const one, two, three = 0x19980330, 0x20071026, 0x20080522
	if h = user.At[capHeader](header); h == nil {
		return nil, 0, syscall.EFAULT
	}
	switch h.version {
	case one:
		return h, 1, 0
	case two, three:
		return h, 2, 0
	}
	h.version = three
	return h, 0, syscall.EINVAL
}

// capget is capget(2).
func capget(header, to uintptr) syscall.Errno {
	h, n, e := capVersion(header)
	if to == 0 && (e == 0 || e == syscall.EINVAL) {
		return 0 // it wanted to know the version
	}
	switch {
	case e != 0:
		return e
	case h.pid < 0:
		return syscall.EINVAL
	case h.pid > 1: // posix.PID is 1
		return syscall.ESRCH
	}
	c := &credentials
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range n {
		d := capData{uint32(c.effective >> (32 * i)), uint32(c.permitted >> (32 * i)), uint32(c.inheritable >> (32 * i))}
		if e := user.Put(to+uintptr(i)*12, &d); e != 0 {
			return e
		}
	}
	return 0
}

// capset is capset(2).
func capset(header, from uintptr) syscall.Errno {
	h, n, e := capVersion(header)
	switch {
	case e != 0:
		return e
	case h.pid != 0 && h.pid != 1:
		return syscall.EPERM
	}
	var effective, permitted, inheritable capabilities
	for i := range n {
		d := user.At[capData](from + uintptr(i)*12)
		if d == nil {
			return syscall.EFAULT
		}
		effective |= capabilities(d.effective) << (32 * i)
		permitted |= capabilities(d.permitted) << (32 * i)
		inheritable |= capabilities(d.inheritable) << (32 * i)
	}
	effective, permitted, inheritable = effective&everyCapability, permitted&everyCapability, inheritable&everyCapability
	c := &credentials
	c.mu.Lock()
	defer c.mu.Unlock()
	if permitted&^c.permitted != 0 || effective&^permitted != 0 || inheritable&^(c.inheritable|c.bounding) != 0 {
		return syscall.EPERM
	}
	c.effective, c.permitted, c.inheritable = effective, permitted, inheritable
	return 0
}

// Options of prctl(2) that package syscall has no names for.
const (
	prSetNoNewPrivs = 38
	prGetNoNewPrivs = 39
)

// credential serves prctl(2)'s options about who runs; known is false for the others.
func credential(option, a2, a3, a4, a5 uintptr) (r uintptr, e syscall.Errno, known bool) {
	c := &credentials
	c.mu.Lock()
	defer c.mu.Unlock()
	set := func(to *uintptr, ok bool) (uintptr, syscall.Errno, bool) {
		if !ok {
			return 0, syscall.EINVAL, true
		}
		*to = a2
		return 0, 0, true
	}
	switch option {
	case syscall.PR_GET_KEEPCAPS:
		return c.keep, 0, true
	case syscall.PR_SET_KEEPCAPS:
		return set(&c.keep, a2 <= 1)
	case syscall.PR_GET_DUMPABLE:
		return c.dumpable, 0, true
	case syscall.PR_SET_DUMPABLE:
		return set(&c.dumpable, a2 <= 1)
	case syscall.PR_GET_PDEATHSIG:
		signal := int32(c.death)
		return 0, user.Put(a2, &signal), true
	case syscall.PR_SET_PDEATHSIG:
		return set(&c.death, a2 <= 64)
	case prGetNoNewPrivs:
		if a2|a3|a4|a5 != 0 {
			return 0, syscall.EINVAL, true
		}
		return c.noNew, 0, true
	case prSetNoNewPrivs:
		return set(&c.noNew, a2 == 1 && a3|a4|a5 == 0)
	case syscall.PR_CAPBSET_READ, syscall.PR_CAPBSET_DROP:
		if a2 > lastCapability {
			return 0, syscall.EINVAL, true
		}
		if option == syscall.PR_CAPBSET_READ {
			return uintptr(c.bounding >> a2 & 1), 0, true
		}
		c.bounding &^= 1 << a2
		return 0, 0, true
	}
	return 0, 0, false
}
