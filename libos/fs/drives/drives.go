// Package drives opens the disks of the machine for all parts of an image that read or write them: a disk has one driver, and several may want it, as a volume and the state of
// slots (libos/boot/ok) on one disk. A disk is closed when nobody has it open any more. Those that somebody has ever opened are in /proc/diskstats (fs.Disks), by the names that Linux would give them, and a program opens them by
// their nodes in /dev (fs.OpenDisk).
package drives

import (
	"slices"
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
	open  func(tell func(error)) []disk
	disks []disk                     // while users is not 0
	parts map[int][]*block.Partition // of disks, as far as somebody has looked
	units []*unit                    // what is kept of the disks while they are closed
	users int                        // disks that somebody has open
	known []fs.DiskUse               // the disks and partitions, and what was done to them, when the last disk was closed
}

// A disk is a *block.Disk.
type disk interface {
	block.Gatherer
	block.Grower
	Use() block.Use
}

// A unit is what is kept of a disk.
type unit struct {
	given  int          // its number among those of the kind
	owners []*owner     // who has claimed it, or a part of it, and who has its nodes open
	bytes  sync.RWMutex // held for writing by who reads, changes and writes a block for a node, for reading by who writes whole ones
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
			all.sources = append(all.sources, &source{kind: k, open: func(tell func(error)) []disk { return take(open, tell) }})
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
			list = append(list, &shared{disk: d, of: s, number: i})
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

// take opens disks, and takes all of each.
func take(open func() ([]hw.Disk, error), tell func(error)) (disks []disk) {
	list, err := open() // with an error there may be disks, too
	if err != nil {
		tell(err)
	}
	for _, d := range list {
		v, err := block.OpenDisk(d)
		if err != nil {
			tell(err)
			continue
		}
		disks = append(disks, v)
	}
	return disks
}

// start opens the disks of a source that nobody has open. Of those whose partitions are known they are looked for anew.
func (s *source) start(tell func(error)) {
	disks := s.open(tell)
	s.parts = map[int][]*block.Partition{}
	for i, d := range disks {
		s.disks = append(disks[:i:i], d)
		if len(s.disks) > len(s.units) {
			s.units = append(s.units, &unit{given: s.kind.count})
			s.kind.count++
		}
		u := s.use(i)
		if s.was(u.Name) == nil {
			changed(u, true)
		}
		if slices.ContainsFunc(s.known, func(p fs.DiskUse) bool { return p.Whole == u.Name }) {
			s.scan(i, s.known)
		}
	}
}

// scan looks for the partitions of a disk, and tells of those that are new, and of those that are there no more, among what was known. One that is as it was stays the same value.
func (s *source) scan(i int, known []fs.DiskUse) {
	whole, old := s.use(i).Name, s.parts[i]
	list := block.Partitions(s.disks[i])
	for k, p := range list {
		for _, q := range old {
			if q.Number == p.Number && q.Start() == p.Start() && q.Info().Size == p.Info().Size {
				list[k] = q
			}
		}
	}
	s.parts[i] = list
	gone := map[string]fs.DiskUse{}
	for _, u := range known {
		if u.Whole == whole {
			gone[u.Name] = u
		}
	}
	for _, p := range list {
		u := s.part(i, p)
		if was, is := gone[u.Name]; is && was.Start == u.Start && was.Size == u.Size {
			delete(gone, u.Name)
			continue
		}
		if _, is := gone[u.Name]; is {
			s.forget(u.Name)
			delete(gone, u.Name)
			u = s.part(i, p)
		}
		changed(u, true)
	}
	for name, u := range gone {
		s.forget(name)
		changed(u, false)
	}
}

// forget has nothing be known of a disk or partition.
func (s *source) forget(name string) {
	s.known = slices.DeleteFunc(slices.Clone(s.known), func(u fs.DiskUse) bool { return u.Name == name })
}

// was is a disk or partition as known has it; nil where it does not.
func (s *source) was(name string) *fs.DiskUse {
	for i := range s.known {
		if s.known[i].Name == name {
			return &s.known[i]
		}
	}
	return nil
}

func changed(u fs.DiskUse, known bool) {
	if fs.DiskChanged != nil {
		fs.DiskChanged(u, known)
	}
}

func init() {
	fs.Disks = uses
	fs.OpenDisk = openNode
}

// uses is fs.Disks.
func uses() (list []fs.DiskUse) {
	all.Lock()
	defer all.Unlock()
	for _, s := range all.sources {
		list = append(list, s.uses()...)
	}
	return list
}

// uses are the disks of a source and their partitions.
func (s *source) uses() (list []fs.DiskUse) {
	if s.users == 0 {
		return s.known
	}
	for i := range s.disks {
		list = append(list, s.use(i))
		for _, p := range s.parts[i] {
			list = append(list, s.part(i, p))
		}
	}
	return list
}

// use tells of a disk.
func (s *source) use(i int) fs.DiskUse {
	in, n := s.disks[i].Info(), s.units[i].given
	u := fs.DiskUse{Name: s.kind.name(n), Major: s.kind.major, Minor: n * s.kind.apart, Serial: in.ID, Size: in.Size, BlockSize: in.BlockSize, ReadOnly: in.ReadOnly}
	return s.done(u, s.disks[i].Use())
}

// part tells of a partition of a disk.
func (s *source) part(i int, p *block.Partition) fs.DiskUse {
	u, in := s.use(i), p.Info()
	u.Whole, u.Partition, u.Start, u.Serial, u.Size = u.Name, p.Number, p.Start(), "", in.Size
	u.Name, u.Major, u.Minor = s.kind.partition(s.units[i].given, p.Number)
	return s.done(u, p.Use())
}

// done adds what was done to a disk since it was opened to what was before.
func (s *source) done(u fs.DiskUse, w block.Use) fs.DiskUse {
	u.Read, u.Written, u.Discarded, u.Flushed = fs.DiskWork(w.Read), fs.DiskWork(w.Written), fs.DiskWork(w.Discarded), fs.DiskWork(w.Flushed)
	u.Flying, u.Busy = w.Flying, w.Busy
	if was := s.was(u.Name); was != nil {
		add := func(to *fs.DiskWork, w fs.DiskWork) {
			to.Requests, to.Sectors, to.Time = to.Requests+w.Requests, to.Sectors+w.Sectors, to.Time+w.Time
		}
		add(&u.Read, was.Read)
		add(&u.Written, was.Written)
		add(&u.Discarded, was.Discarded)
		add(&u.Flushed, was.Flushed)
		u.Busy += was.Busy
	}
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
	return s.of.partitions(s.number)
}

// partitions finds those of a disk.
func (s *source) partitions(i int) []*block.Partition {
	if _, looked := s.parts[i]; !looked {
		s.scan(i, s.known)
	}
	return s.parts[i]
}

// Source is a disk that Open gave, or a partition that Partitions gave, as /proc/mounts has it; not ok for another device.
func Source(d block.Device) (on fs.Source, ok bool) {
	all.Lock()
	defer all.Unlock()
	s, i, p := find(d)
	switch {
	case s == nil:
		return on, false
	case p != nil:
		return named(s.part(i, p)), true
	}
	return named(s.use(i)), true
}

// find finds a disk that Open gave, or a partition that Partitions gave; s is nil for another device. all is locked.
func find(d block.Device) (s *source, i int, p *block.Partition) {
	for _, s := range all.sources {
		for i, v := range s.disks {
			if x, is := d.(*shared); is && x.disk == v {
				return s, i, nil
			}
			for _, p := range s.parts[i] {
				if d == block.Device(p) {
					return s, i, p
				}
			}
		}
	}
	return nil, 0, nil
}

func named(u fs.DiskUse) fs.Source {
	return fs.Source{Name: "/dev/" + u.Name, Dev: fs.Makedev(u.Major, u.Minor)}
}

// A shared is one user's disk.
type shared struct {
	disk
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
	s.of.leave()
	return nil
}

// leave counts one who has closed a disk. The last one closes all of the source. all is locked.
func (s *source) leave() {
	if s.users > 1 {
		s.users--
		return
	}
	if list := s.uses(); len(list) > 0 { // else none answered this time
		s.known = list
	}
	s.users = 0
	for _, d := range s.disks {
		d.Close()
	}
	s.disks, s.parts = nil, nil
}
