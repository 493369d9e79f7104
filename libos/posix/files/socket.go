package files

import (
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// sockets are those whose names are files. They hold their nodes, which so stay the same.
var sockets = socketNames{at: map[any]fs.Place{}, of: map[fs.Node]any{}}

type socketNames struct {
	mu sync.Mutex
	at map[any]fs.Place
	of map[fs.Node]any
}

// Bind implements posix.SocketNamer.
func (t *socketNames) Bind(path string, s any) syscall.Errno {
	at := here()
	defer at.Drop()
	t.mu.Lock()
	defer t.mu.Unlock()
	p, e := Tree.Bind(at, path, 0o777&^posix.Mask())
	if e == syscall.EEXIST {
		return syscall.EADDRINUSE
	}
	if e == 0 {
		t.at[s], t.of[p.Node] = p, s
	}
	return e
}

// Find implements posix.SocketNamer.
func (t *socketNames) Find(path string) (any, syscall.Errno) {
	at := here()
	defer at.Drop()
	p, e := Tree.Resolve(at, path, 0)
	if e != 0 {
		return nil, e
	}
	defer p.Drop()
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.of[p.Node]; ok {
		return s, 0
	}
	return nil, syscall.ECONNREFUSED
}

// Unbind implements posix.SocketNamer.
func (t *socketNames) Unbind(s any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p, ok := t.at[s]; ok {
		delete(t.at, s)
		delete(t.of, p.Node)
		p.Drop()
	}
}
