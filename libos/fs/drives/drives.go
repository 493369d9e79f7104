// Package drives opens the disks of the machine for all parts of an image that read or write them: a disk has one driver, and several may want it, as a volume and the state of
// slots (libos/boot/ok) on one disk. A disk is closed when nobody has it open any more. Those that somebody has open are in /proc/diskstats (fs.Disks), by the names that Linux would give them.
package drives

import (
	"strconv"
	"sync"

	hw "github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/nvme"
	"github.com/hardtack-os/hardtack/exo/virtio/blk"
	"github.com/hardtack-os/hardtack/exo/virtio/scsi"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A source is a device by which there are disks: one of its own, or those of a SCSI host.
type source struct {
	kind  *kind
	open  func() ([]hw.Disk, error) // with an error there may be disks, too
	disks []*block.Disk             // while users is not 0
	given []int                     // their numbers among those of the kind, which they keep
	users int                       // disks that somebody has open
}

// A kind is how disks are called.
type kind struct {
	name  func(n int) string
	major int
	apart int // minor numbers from one disk to the next: as many partitions have one
	count int
}

var (
	virtioDisks = &kind{name: func(n int) string { return "vd" + letters(n) }, major: 254, apart: 16}
	nvmeDisks   = &kind{name: func(n int) string { return "nvme" + strconv.Itoa(n) + "n1" }, major: 259, apart: 1}
	scsiDisks   = &kind{name: func(n int) string { return "sd" + letters(n) }, major: 8, apart: 16}
)

// letters numbers with letters: a to z, aa and so on.
func letters(n int) string {
	last := string(rune('a' + n%26))
	if n < 26 {
		return last
	}
	return letters(n/26-1) + last
}

var all struct {
	sync.Mutex
	found   bool
	sources []*source // in the order of all machines: virtio's disks, NVMe's, SCSI's
}

// Open opens all disks. What each cannot be opened for is told. The disks are the caller's to close; it parks while drivers start.
func Open(tell func(error)) (list []block.Device) {
	all.Lock()
	defer all.Unlock()
	if !all.found {
		all.found = true
		add := func(k *kind, open func() ([]hw.Disk, error)) {
			all.sources = append(all.sources, &source{kind: k, open: open})
		}
		for _, p := range blk.Places() {
			add(virtioDisks, func() ([]hw.Disk, error) { return one(blk.Open(p, blk.Options{})) })
		}
		for _, id := range nvme.Places() {
			add(nvmeDisks, func() ([]hw.Disk, error) { return one(nvme.Open(id, nvme.Options{})) })
		}
		for _, p := range scsi.Places() {
			add(scsiDisks, func() (list []hw.Disk, err error) {
				units, err := scsi.Open(p, scsi.Options{})
				for _, d := range units {
					list = append(list, d)
				}
				return list, err
			})
		}
	}
	for _, s := range all.sources {
		if s.users == 0 {
			s.start(tell)
		}
		for i, d := range s.disks {
			s.users++
			list = append(list, &shared{Disk: d, of: s, number: i})
		}
	}
	return list
}

func one[D hw.Disk](d D, err error) ([]hw.Disk, error) {
	if err != nil {
		return nil, err
	}
	return []hw.Disk{d}, nil
}

// start opens the disks of a source that nobody has open.
func (s *source) start(tell func(error)) {
	list, err := s.open()
	if err != nil {
		tell(err)
	}
	s.disks = nil
	for _, d := range list {
		v, err := block.OpenDisk(d)
		if err != nil {
			tell(err)
			continue
		}
		s.disks = append(s.disks, v)
		if len(s.disks) > len(s.given) {
			s.given = append(s.given, s.kind.count)
			s.kind.count++
		}
	}
}

func init() { fs.Disks = uses }

// uses is fs.Disks.
func uses() (list []fs.DiskUse) {
	all.Lock()
	defer all.Unlock()
	for _, s := range all.sources {
		for i, d := range s.disks {
			u, in, n := d.Use(), d.Info(), s.given[i]
			list = append(list, fs.DiskUse{
				Name: s.kind.name(n), Major: s.kind.major, Minor: n * s.kind.apart,
				Serial: in.ID, Size: in.Size, BlockSize: in.BlockSize, ReadOnly: in.ReadOnly,
				Read: fs.DiskWork(u.Read), Written: fs.DiskWork(u.Written), Discarded: fs.DiskWork(u.Discarded), Flushed: fs.DiskWork(u.Flushed),
				Flying: u.Flying, Busy: u.Busy,
			})
		}
	}
	return list
}

// Name is what Linux would call a disk that Open gave, as fs.Disks does; empty for another device.
func Name(d block.Device) string {
	s, ok := d.(*shared)
	if !ok {
		return ""
	}
	all.Lock()
	defer all.Unlock()
	return s.of.kind.name(s.of.given[s.number])
}

// A shared is one user's disk.
type shared struct {
	*block.Disk
	of     *source
	number int  // among the source's
	closed bool // under all
}

// Close implements block.Device. Disks of one source stay until all are closed.
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
	for _, d := range s.of.disks {
		d.Close()
	}
	s.of.disks = nil
	return nil
}
