package qemu

import (
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// The sockets' names inside a boot's directory. The bench listens and QEMU connects, so that neither has to
// guess when the other is ready.
const (
	monitorSocket  = "monitor"
	debuggerSocket = "debugger"
)

// connectLimit is how long QEMU may take to connect. It does so before the guest's first instruction.
const connectLimit = 10 * time.Second

// sockets are the listening ends of one boot; nil where the machine does not offer one.
type sockets struct {
	monitor, debugger *net.UnixListener
}

func listen(dir string, m Machine) (*sockets, error) {
	s := new(sockets)
	open := func(want bool, l **net.UnixListener, name string) (err error) {
		if want {
			*l, err = net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, name)})
		}
		return err
	}
	if err := open(m.monitor(), &s.monitor, monitorSocket); err != nil {
		return s, err
	}
	return s, open(m.Debugger, &s.debugger, debuggerSocket)
}

func (s *sockets) close() {
	if s == nil {
		return
	}
	for _, l := range []*net.UnixListener{s.monitor, s.debugger} {
		if l != nil {
			l.Close()
		}
	}
}

// accept waits for QEMU to connect to one of its sockets.
func accept(l *net.UnixListener, name string) (net.Conn, error) {
	if l == nil {
		return nil, fmt.Errorf("qemu: this machine was started without a %s", name)
	}
	l.SetDeadline(time.Now().Add(connectLimit))
	c, err := l.Accept()
	if err != nil {
		return nil, fmt.Errorf("QEMU did not connect its %s within %v: %w", name, connectLimit, err)
	}
	return c, nil
}
