package socket

import (
	"fmt"
	"path"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// names are the sockets that have a name, but for those whose names are files (posix.SocketNames).
var names = nameTable{of: map[nameKey]*unix{}}

// A nameKey is what a name is found by: a path, cleaned, or an abstract name, which begins with a NUL. Each type of socket has abstract names of its
// own, as on Linux; paths belong to all.
type nameKey struct {
	name string
	kind int
}

type nameTable struct {
	mu   sync.Mutex
	of   map[nameKey]*unix
	auto uint32 // the last name that autobind made
}

// key makes one. Paths are the same if they lead to the same place from the root, which is the current folder.
func key(name string, kind int) nameKey {
	if name[0] == 0 {
		return nameKey{name, kind}
	}
	return nameKey{path.Join("/", name), 0}
}

// isFile tells names that are files: paths, where somebody serves them.
func isFile(name string) bool { return name[0] != 0 && posix.SocketNames != nil }

// claim gives name to u: EADDRINUSE if another has it.
func (t *nameTable) claim(name string, u *unix) syscall.Errno {
	if isFile(name) {
		return posix.SocketNames.Bind(name, u)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k := key(name, u.kind)
	if t.of[k] != nil {
		return syscall.EADDRINUSE
	}
	t.of[k] = u
	return 0
}

// claimAny gives u a name of five digits, unix(7)'s autobind.
func (t *nameTable) claimAny(u *unix) (string, syscall.Errno) {
	const all = 1 << 20
	t.mu.Lock()
	defer t.mu.Unlock()
	for range all {
		t.auto = (t.auto + 1) % all
		name := fmt.Sprintf("\x00%05x", t.auto)
		if k := key(name, u.kind); t.of[k] == nil {
			t.of[k] = u
			return name, 0
		}
	}
	return "", syscall.ENOSPC
}

// find gives the socket of a name. Nobody has it: ENOENT for a path, ECONNREFUSED for an abstract name.
func (t *nameTable) find(name string, kind int) (*unix, syscall.Errno) {
	if isFile(name) {
		s, e := posix.SocketNames.Find(name)
		if e != 0 {
			return nil, e
		}
		return s.(*unix), 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch u := t.of[key(name, kind)]; {
	case u != nil:
		return u, 0
	case name[0] == 0:
		return nil, syscall.ECONNREFUSED
	}
	return nil, syscall.ENOENT
}

// free gives a name of u up.
func (t *nameTable) free(name string, u *unix) {
	if isFile(name) {
		posix.SocketNames.Unbind(u)
		return
	}
	t.mu.Lock()
	delete(t.of, key(name, u.kind))
	t.mu.Unlock()
}
