// Package drives opens the disks of the machine for all parts of an image that read or write them: a disk has one driver, and several may want it, as a volume and the state of
// slots (libos/boot/ok) on one disk. A disk is closed when nobody has it open any more.
package drives

import (
	"sync"

	hw "github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/nvme"
	"github.com/hardtack-os/hardtack/exo/virtio/blk"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A drive is a place where there is a disk.
type drive struct {
	open  func() (*block.Disk, error)
	disk  *block.Disk // nil where users is 0
	users int
}

var all struct {
	sync.Mutex
	found  bool
	drives []*drive // in the order of all machines: virtio's, NVMe's
}

// Open opens all disks. What each cannot be opened for is told. The disks are the caller's to close; it parks while drivers start.
func Open(tell func(error)) (list []block.Device) {
	all.Lock()
	defer all.Unlock()
	if !all.found {
		all.found = true
		for _, p := range blk.Places() {
			all.drives = append(all.drives, &drive{open: func() (*block.Disk, error) { return open(blk.Open(p, blk.Options{})) }})
		}
		for _, id := range nvme.Places() {
			all.drives = append(all.drives, &drive{open: func() (*block.Disk, error) { return open(nvme.Open(id, nvme.Options{})) }})
		}
	}
	for _, d := range all.drives {
		if d.users == 0 {
			disk, err := d.open()
			if err != nil {
				tell(err)
				continue
			}
			d.disk = disk
		}
		d.users++
		list = append(list, &shared{Disk: d.disk, of: d})
	}
	return list
}

func open[D hw.Disk](d D, err error) (*block.Disk, error) {
	if err != nil {
		return nil, err
	}
	return block.OpenDisk(d)
}

// A shared is one user's disk.
type shared struct {
	*block.Disk
	of     *drive
	closed bool // under all
}

// Close implements block.Device.
func (s *shared) Close() error {
	all.Lock()
	defer all.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.of.users--; s.of.users > 0 {
		return nil
	}
	s.of.disk = nil
	return s.Disk.Close()
}
