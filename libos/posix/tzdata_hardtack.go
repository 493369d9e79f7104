//go:build hardtack

package posix

import _ "time/tzdata" // linked only into programs that load a time zone; see package time's exo_zone.go
