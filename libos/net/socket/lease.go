package socket

import (
	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/ip"
)

// lease has a DHCP server configure an interface.
func lease(*inet.Stack, *ip.Interface) {
	println("libos/net: DHCP is not there yet: give ip=ADDRESS/BITS,gw=ADDRESS,dns=ADDRESS on the command line")
}
