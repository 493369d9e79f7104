// Package entropy is the libOS module for machines whose processor has no random number instruction: it mixes bytes of a virtio entropy
// device (VIRTIO 1.2, 5.4) into the generator behind getrandom, crypto/rand and the runtime, once, before main.
//
// Link it with mkimage's --module libos/entropy. A processor with RDSEED or RDRAND needs none of it: the bottom half asks these first.
package entropy

import (
	"errors"

	"github.com/hardtack-os/hardtack/exo/virtio/rng"
)

// seed is how many bytes are fed: the generator's key.
const seed = 32

// Err is why the generator was not fed, nil if it was. A machine without an entropy device is no error of the program's: it runs on
// what the clock's jitter gives.
var Err error

func init() {
	Err = rng.Feed(seed)
	var none *rng.NoDeviceError
	if Err != nil && !errors.As(Err, &none) {
		println("libos/entropy:", Err.Error())
	}
}
