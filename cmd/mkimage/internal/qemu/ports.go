package qemu

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
)

// PortsFree returns an error if a port that is to be led to the image cannot be
// had. QEMU would say only that it could not set up a rule. Who takes a port
// between this look and QEMU's is told that way all the same.
func PortsFree(ports []config.Port) error {
	for _, p := range ports {
		var c interface{ Close() error }
		var err error
		if p.UDP {
			c, err = net.ListenPacket("udp4", p.Host.String())
		} else {
			c, err = net.Listen("tcp4", p.Host.String())
		}
		if err != nil {
			var call *os.SyscallError
			if errors.As(err, &call) {
				err = call.Err
			}
			return fmt.Errorf("--publish: port %s of this machine: %w", p.Host, err)
		}
		c.Close()
	}
	return nil
}
