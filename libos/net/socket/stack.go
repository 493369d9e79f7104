package socket

import (
	"crypto/rand"
	"net/netip"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// stack is the image's, made when the first socket of AF_INET or AF_INET6 is.
var stack = sync.OnceValue(func() *inet.Stack {
	return inet.New(inet.Config{
		Clock:  func() tick.Time { return tick.Time(posix.Uptime()) },
		Random: func(p []byte) { rand.Read(p) },
	})
})

func init() { interfaces = func() []Interface { return []Interface{loopback()} } }

// loopback is the interface that is always there.
func loopback() Interface {
	const hostScope, permanent = 254, 0x80 // RT_SCOPE_HOST, IFA_F_PERMANENT
	ip6 := netip.IPv6Loopback().As16()
	return Interface{
		Index: 1, Name: "lo", MTU: 65536, Type: syscall.ARPHRD_LOOPBACK, Flags: syscall.IFF_UP | syscall.IFF_LOOPBACK | syscall.IFF_RUNNING, Address: make([]byte, 6),
		IPs: []InterfaceIP{
			{IP: []byte{127, 0, 0, 1}, Bits: 8, Scope: hostScope, Flags: permanent},
			{IP: ip6[:], Bits: 128, Scope: hostScope, Flags: permanent},
		},
	}
}
