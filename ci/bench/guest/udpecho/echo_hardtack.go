//go:build hardtack

package main

import (
	"net/netip"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/socket"
)

// A bell is rung when something has come.
type bell chan struct{}

func (b bell) Happened(inet.Events) {
	select {
	case b <- struct{}{}:
	default:
	}
}

func echo(ready func()) error {
	come := make(bell, 1)
	s := socket.Stack()
	u := s.NewUDP(false, come)
	if err := u.Bind(netip.AddrPortFrom(netip.IPv4Unspecified(), 7)); err != nil {
		return err
	}
	ready()
	buf := make([]byte, 64<<10)
	for {
		n, d, err := u.TryRecv(buf, false)
		switch {
		case err == syscall.EAGAIN:
			s.Flush()
			<-come
			continue
		case err != nil:
			return err
		}
		if _, err := u.TryQueue(buf[:n], d.From, nil); err != nil {
			return err
		}
	}
}
