package block

import (
	"errors"

	"github.com/hardtack-os/hardtack/exo/disk"
)

// Held says whether after the error of a Read or Write the disk may still use the memory of it: then nobody else may have it ever.
func Held(err error) bool {
	gone := (*disk.GoneError)(nil)
	return errors.As(err, &gone) && gone.Held
}
