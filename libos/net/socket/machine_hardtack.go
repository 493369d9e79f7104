//go:build hardtack

package socket

import (
	"github.com/hardtack-os/hardtack/libos/net/card"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// Received frames lie in a sixteenth of the machine's memory at most, and in no more than a fast network fills before anybody looks.
const (
	leastBlocks = 512
	mostBlocks  = 16384
	blockSize   = 2048
)

func init() {
	memory = card.Source
	openCards = func(leaveOut func(name string) bool) (devices []link.Device, err error) {
		total, _ := posix.Memory()
		cards, err := card.Open(min(max(int(total/16/blockSize), leastBlocks), mostBlocks), leaveOut)
		for _, c := range cards {
			devices = append(devices, c)
		}
		return devices, err
	}
	go stack() // beside the program's start, which mostly does not need it at once
}
