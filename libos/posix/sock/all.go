package sock

import "github.com/hardtack-os/hardtack/libos/posix"

// An Open is a socket that has a descriptor.
type Open struct {
	Socket
	Domain, Kind int
	Ino          uint64 // as fstat(2) tells it, and readlink of /proc/self/fd
}

// All calls f for every socket that has a descriptor, once for each. It looks at all descriptors. The socket stays open while f runs, and no lock is held.
func All(f func(Open)) {
	seen := map[uint64]bool{}
	for fd := range posix.Descriptors() {
		d := posix.Get(fd)
		if d == nil {
			continue
		}
		if o, ok := d.Object().(*object); ok && !seen[o.ino] {
			seen[o.ino] = true
			f(Open{o.Socket, int(o.domain), int(o.kind), o.ino})
		}
		d.Put()
	}
}
