// Package hostname has the image call itself what the word hostname= of the command line says. mkimage links it for --hostname. Without it the name is what a DHCP server
// says (RFC 2132, 3.14), or "hardtack".
package hostname

import (
	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/posix"
)

func init() {
	if name, ok := exo.Setting("hostname"); ok {
		posix.SetHostName(name)
	}
}
