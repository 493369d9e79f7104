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
	open  func() ([]hw.Disk, error)  // with an error there may be disks, too
	disks []*block.Disk              // while users is not 0
	parts map[int][]*block.Partition // of disks, as far as somebody has looked
	given []int                      // their numbers among those of the kind, which they keep
	users int                        // disks that somebody has open
}

// A kind is how disks are called.
type kind struct {
	name  func(n int) string
	major int
	apart int // minor numbers from one disk to the next: as many partitions have one, less one
	count int
	more  int // where the minor numbers begin, with major number blkext, of partitions that have none else
}

// blkext is the major number that Linux gives to what has no other: NVMe's disks, and partitions beyond the numbers that their disk has. The minor ones are any.
const blkext = 259

var (
	virtioDisks = &kind{name: func(n int) string { return "vd" + letters(n) }, major: 254, apart: 16, more: 1 << 18}
	nvmeDisks   = &kind{name: func(n int) string { return "nvme" + strconv.Itoa(n) + "n1" }, major: blkext, apart: 16, more: 2 << 18}
	scsiDisks   = &kind{name: func(n int) string { return "sd" + letters(n) }, major: 8, apart: 16, more: 3 << 18}
)

// partition is what a partition of disk n is called, and its numbers. There are 1024 of one disk at most.
func (k *kind) partition(n, number int) (name string, major, minor int) {
	name = k.name(n)
	if last := name[len(name)-1]; last >= '0' && last <= '9' { // nvme0n1p1
		name += "p"
	}
	name += strconv.Itoa(number)
	if number < k.apart {
		return name, k.major, n*k.apart + number
	}
	return name, blkext, k.more + n<<10 + number - 1
}

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
	s.disks, s.parts = nil, map[int][]*block.Partition{}
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
		changed(s.use(len(s.disks)-1), true)
	}
}

func changed(u fs.DiskUse, inUse bool) {
	if fs.DiskChanged != nil {
		fs.DiskChanged(u, inUse)
	}
}

func init() { fs.Disks = uses }

// uses is fs.Disks.
func uses() (list []fs.DiskUse) {
	all.Lock()
	defer all.Unlock()
	for _, s := range all.sources {
		for i := range s.disks {
			list = append(list, s.use(i))
			for _, p := range s.parts[i] {
				list = append(list, s.part(i, p))
			}
		}
	}
	return list
}

// use tells of a disk.
func (s *source) use(i int) fs.DiskUse {
	in, n := s.disks[i].Info(), s.given[i]
	u := fs.DiskUse{Name: s.kind.name(n), Major: s.kind.major, Minor: n * s.kind.apart, Serial: in.ID, Size: in.Size, BlockSize: in.BlockSize, ReadOnly: in.ReadOnly}
	return done(u, s.disks[i].Use())
}

// part tells of a partition of a disk.
func (s *source) part(i int, p *block.Partition) fs.DiskUse {
	u, in := s.use(i), p.Info()
	u.Whole, u.Partition, u.Start, u.Serial, u.Size = u.Name, p.Number, p.Start(), "", in.Size
	u.Name, u.Major, u.Minor = s.kind.partition(s.given[i], p.Number)
	return done(u, p.Use())
}

func done(u fs.DiskUse, w block.Use) fs.DiskUse {
	u.Read, u.Written, u.Discarded, u.Flushed = fs.DiskWork(w.Read), fs.DiskWork(w.Written), fs.DiskWork(w.Discarded), fs.DiskWork(w.Flushed)
	u.Flying, u.Busy = w.Flying, w.Busy
	return u
}

// Partitions finds the partitions of a disk that Open gave, as block.Partitions does, once for all users: from then on they are in fs.Disks. They serve until all have closed the disk. It may read, and parks as long.
func Partitions(d block.Device) []*block.Partition {
	s, ok := d.(*shared)
	if !ok {
		return block.Partitions(d)
	}
	all.Lock()
	defer all.Unlock()
	list, known := s.of.parts[s.number]
	if !known {
		list = block.Partitions(s.Disk)
		s.of.parts[s.number] = list
		for _, p := range list {
			changed(s.of.part(s.number, p), true)
		}
	}
	return list
}

// Source is a disk that Open gave, or a partition that Partitions gave, as /proc/mounts has it; not ok for another device.
func Source(d block.Device) (on fs.Source, ok bool) {
	all.Lock()
	defer all.Unlock()
	for _, s := range all.sources {
		for i, v := range s.disks {
			if x, is := d.(*shared); is && x.Disk == v {
				return named(s.use(i)), true
			}
			for _, p := range s.parts[i] {
				if d == block.Device(p) {
					return named(s.part(i, p)), true
				}
			}
		}
	}
	return fs.Source{}, false
}

func named(u fs.DiskUse) fs.Source {
	return fs.Source{Name: "/dev/" + u.Name, Dev: fs.Makedev(u.Major, u.Minor)}
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
	for i, d := range s.of.disks {
		for _, p := range s.of.parts[i] {
			changed(s.of.part(i, p), false)
		}
		changed(s.of.use(i), false)
		d.Close()
	}
	s.of.disks, s.of.parts = nil, nil
	return nil
}
