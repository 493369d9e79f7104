// Package sockets has connections that say everything back, louder.
package sockets

import (
	"bytes"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

func init() {
	sock.Register(syscall.AF_INET, func(typ, _ int) (sock.Socket, syscall.Errno) {
		if typ != syscall.SOCK_STREAM {
			return nil, syscall.ESOCKTNOSUPPORT
		}
		return new(echo), 0
	}, nil)
}

type echo struct {
	mu       sync.Mutex
	said     []byte
	peer     sock.Addr
	watchers posix.Watchers
}

func (s *echo) Connect(a *sock.Addr) syscall.Errno {
	s.peer = *a
	return 0
}

func (s *echo) Peer(a *sock.Addr) syscall.Errno {
	*a = s.peer
	return 0
}

func (s *echo) Name(a *sock.Addr) syscall.Errno {
	*a = s.peer
	return 0
}

func (s *echo) Send(p []byte, _ *sock.Sending) (int, syscall.Errno) {
	s.mu.Lock()
	s.said = append(s.said, bytes.ToUpper(p)...)
	s.mu.Unlock()
	s.watchers.Notify(posix.In)
	return len(p), 0
}

func (s *echo) Recv(p []byte, _ *sock.Receiving) (int, syscall.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.said) == 0 {
		return 0, syscall.EAGAIN
	}
	n := copy(p, s.said)
	s.said = s.said[n:]
	return n, 0
}

func (s *echo) Ready() posix.Events {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.said) > 0 {
		return posix.In | posix.Out
	}
	return posix.Out
}

func (s *echo) Option(v []byte, level, name int) ([]byte, syscall.Errno) {
	return append(v, 0, 0, 0, 0), 0
}
func (s *echo) SetOption(level, name int, v []byte) syscall.Errno { return 0 }
func (s *echo) Bind(*sock.Addr) syscall.Errno                     { return 0 }
func (s *echo) Listen(int) syscall.Errno                          { return syscall.EOPNOTSUPP }
func (s *echo) Accept() (sock.Socket, syscall.Errno)              { return nil, syscall.EINVAL }
func (s *echo) Shutdown(int) syscall.Errno                        { return 0 }
func (s *echo) Watchers() *posix.Watchers                         { return &s.watchers }
func (s *echo) Release()                                          {}
