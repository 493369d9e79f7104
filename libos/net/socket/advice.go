package socket

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// An advice is an option that is kept and told, and changes nothing here: what it asks for is so anyway, or may be left undone (tcp(7), ip(7), ipv6(7)).
type advice struct {
	level, name        int
	first, least, most int
	yes                bool // it is told as 1 or 0
}

const most = 1<<31 - 1

// advices are those of a socket of TCP. The path MTU is always looked for, and errors of ICMP always heard.
var advices = [...]advice{
	{level: syscall.IPPROTO_TCP, name: syscall.TCP_DEFER_ACCEPT, most: most},
	{level: syscall.IPPROTO_TCP, name: syscall.TCP_WINDOW_CLAMP, most: most},
	{level: syscall.IPPROTO_TCP, name: tcpNotSent, least: -most - 1, most: most},
	{level: syscall.IPPROTO_TCP, name: tcpThinLinear, most: 1},
	{level: syscall.IPPROTO_IP, name: syscall.IP_MTU_DISCOVER, first: 1, most: 5},
	{level: syscall.IPPROTO_IP, name: syscall.IP_RECVERR, least: -most - 1, most: most, yes: true},
	{level: syscall.IPPROTO_IP, name: ipBindNoPort, least: -most - 1, most: most, yes: true},
	{level: syscall.IPPROTO_IP, name: syscall.IP_FREEBIND, least: -most - 1, most: most, yes: true},
	{level: syscall.IPPROTO_IPV6, name: syscall.IPV6_MTU_DISCOVER, first: 1, most: 5},
	{level: syscall.IPPROTO_IPV6, name: syscall.IPV6_RECVERR, least: -most - 1, most: most, yes: true},
	{level: syscall.IPPROTO_IPV6, name: ipv6DontFrag, least: -most - 1, most: most, yes: true},
	{level: syscall.IPPROTO_IPV6, name: ipv6AutoFlowLabel, first: 1, least: -most - 1, most: most, yes: true},
}

// A taken advice is one whose value is not its first.
type taken struct{ level, name, n int }

// advise finds an advice; nil: it is none.
func advise(level, name int) *advice {
	for i := range advices {
		if a := &advices[i]; a.level == level && a.name == name {
			return a
		}
	}
	return nil
}

// take keeps an advice's value; ENOPROTOOPT: it is none.
func take(kept *[]taken, level, name, n int) syscall.Errno {
	a := advise(level, name)
	switch {
	case a == nil:
		return syscall.ENOPROTOOPT
	case n < a.least || n > a.most:
		return syscall.EINVAL
	case a.yes && n != 0:
		n = 1
	}
	for i := range *kept {
		if k := &(*kept)[i]; k.level == level && k.name == name {
			k.n = n
			return 0
		}
	}
	*kept = append(*kept, taken{level, name, n})
	return 0
}

// appendAdvice appends an advice's value.
func appendAdvice(v []byte, kept []taken, level, name int) ([]byte, syscall.Errno) {
	a := advise(level, name)
	if a == nil {
		return nil, syscall.ENOPROTOOPT
	}
	for _, k := range kept {
		if k.level == level && k.name == name {
			return sock.AppendInt(v, k.n), 0
		}
	}
	return sock.AppendInt(v, a.first), 0
}
