// Package drives opens the disks of the machine for all parts of an image that read or write them: a disk has one driver, and several may want it, as a volume and the state of
// slots (libos/boot/ok) on one disk. A disk is closed when nobody has it open any more. Those that somebody has ever opened are in /proc/diskstats (fs.Disks), by the names that Linux would give them, and a program opens them by
// their nodes in /dev (fs.OpenDisk).
//
// A driver runs while somebody has one of its disks open, and looks for them when it starts. A name stays with its disk: what was known and is not found by then has a name and no bytes (ENXIO), until the driver starts again and
// finds it. The same disk is what is at the same place, and has the same serial number; where one of both times it had none, the place says it. Another disk at that place has another name, and the name of the former is gone.
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
	open  func(tell func(error)) []found
	units []*unit // those that were ever found, by their numbers
	users int     // disks that somebody has open
}

// A found is a disk that is open, and where it is: no two have one place.
type found struct {
	disk
	place string
}

// A disk is a *block.Disk.
type disk interface {
	block.Gatherer
	block.Grower
	Use() block.Use
}

// A unit is a disk, and what is kept of it while it is closed.
type unit struct {
	kind   *kind
	given  int    // its number among those of the kind
	place  string // where it is
	serial string // that it had last, if it had one
	disk   disk   // nil while it is closed, or was not found
	looked bool   // for its partitions, since it was opened
	parts  []*block.Partition
	known  []fs.DiskUse // it and its partitions, and what was done to them, when it was closed last
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

// Open opens all disks. What each cannot be opened for is told; sure is how many of the list, from its first on, have none of these before them, so that their order is that of the machine. The disks are the caller's to close; it
// parks while drivers start.
func Open(tell func(error)) (list []block.Device, sure int) {
	all.Lock()
	defer all.Unlock()
	if !all.found {
		all.found = true
		add := func(k *kind, open func() ([]hw.Disk, error)) {
			all.sources = append(all.sources, &source{kind: k, open: func(tell func(error)) []found { return take(open, tell) }})
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
	complete := true
	for _, s := range all.sources {
		if s.users == 0 {
			s.start(func(err error) {
				complete = false // a host may have left out any of its units
				tell(err)
			})
		}
		for _, u := range s.units {
			if u.disk == nil {
				complete = false
				continue
			}
			s.users++
			if list = append(list, &shared{disk: u.disk, of: s, unit: u}); complete {
				sure = len(list)
			}
		}
	}
	return list, sure
}

func one[D hw.Disk](d D, err error) ([]hw.Disk, error) {
	if err != nil {
		return nil, err
	}
	return []hw.Disk{d}, nil
}

// take opens disks, and takes all of each.
func take(open func() ([]hw.Disk, error), tell func(error)) (disks []found) {
	list, err := open() // with an error there may be disks, too
	if err != nil {
		tell(err)
	}
	for _, d := range list {
		place := d.Info().Name
		v, err := block.OpenDisk(d)
		if err != nil {
			tell(err)
			continue
		}
		disks = append(disks, found{v, place})
	}
	return disks
}

// start opens the disks of a source that nobody has open. Of those whose partitions are known they are looked for anew.
func (s *source) start(tell func(error)) {
	for _, d := range s.open(tell) {
		u := s.unit(d)
		u.disk = d.disk
		if use := u.use(); u.was(use.Name) == nil {
			changed(use, true)
		}
		if slices.ContainsFunc(u.known, func(p fs.DiskUse) bool { return p.Whole != "" }) {
			u.scan() // who opens one is told what failed
		}
	}
}

// unit is what is kept of a disk, or a new one. What is known of another disk that was at its place is forgotten.
func (s *source) unit(d found) *unit {
	serial := d.Info().ID
	at := slices.IndexFunc(s.units, func(u *unit) bool { return u.place == d.place && u.disk == nil })
	if at >= 0 {
		u := s.units[at]
		if u.serial == "" || serial == "" || u.serial == serial {
			if serial != "" {
				u.serial = serial
			}
			return u
		}
		s.units = slices.Delete(slices.Clone(s.units), at, at+1)
		for _, k := range u.known {
			changed(k, false)
		}
	}
	u := &unit{kind: s.kind, given: s.kind.count, place: d.place, serial: serial}
	s.kind.count++
	s.units = append(s.units, u)
	return u
}

// scan looks for the partitions of a disk, and tells of those that are new, and of those that are there no more, among what was known. One that is as it was stays the same value. Where not all of the table can be
// read, which is an error, what is known and not found may be there still: it stays.
func (u *unit) scan() error {
	known, old := u.uses(), u.parts
	list, err := block.Partitions(u.disk)
	for k, p := range list {
		for _, q := range old {
			if q.Number == p.Number && q.Start() == p.Start() && q.Info().Size == p.Info().Size {
				list[k] = q
			}
		}
	}
	for _, q := range old {
		if err != nil && !slices.ContainsFunc(list, func(p *block.Partition) bool { return p.Number == q.Number }) {
			list = append(list, q)
		}
	}
	u.parts, u.looked = list, err == nil
	gone := map[string]fs.DiskUse{}
	for _, k := range known {
		if k.Whole != "" {
			gone[k.Name] = k
		}
	}
	for _, p := range list {
		use := u.part(p)
		if was, is := gone[use.Name]; is && was.Start == use.Start && was.Size == use.Size {
			delete(gone, use.Name)
			continue
		}
		if _, is := gone[use.Name]; is {
			u.forget(use.Name)
			delete(gone, use.Name)
			use = u.part(p)
		}
		changed(use, true)
	}
	if err != nil {
		return err
	}
	for name, k := range gone {
		u.forget(name)
		changed(k, false)
	}
	return nil
}

// forget has nothing be known of the disk, or a partition.
func (u *unit) forget(name string) {
	u.known = slices.DeleteFunc(slices.Clone(u.known), func(k fs.DiskUse) bool { return k.Name == name })
}

// was is the disk, or a partition, as known has it; nil where it does not.
func (u *unit) was(name string) *fs.DiskUse {
	for i := range u.known {
		if u.known[i].Name == name {
			return &u.known[i]
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
		for _, u := range s.units {
			list = append(list, u.uses()...)
		}
	}
	return list
}

// uses are the disk and its partitions.
func (u *unit) uses() (list []fs.DiskUse) {
	if u.disk == nil {
		return u.known
	}
	list = append(list, u.use())
	for _, p := range u.parts {
		list = append(list, u.part(p))
	}
	if !u.looked { // or not all could be read
		for _, k := range u.known {
			if !slices.ContainsFunc(list, func(d fs.DiskUse) bool { return d.Name == k.Name }) {
				list = append(list, k)
			}
		}
	}
	return list
}

// use tells of the disk, which is open.
func (u *unit) use() fs.DiskUse {
	in := u.disk.Info()
	d := fs.DiskUse{Name: u.kind.name(u.given), Major: u.kind.major, Minor: u.given * u.kind.apart, Serial: in.ID, Size: in.Size, BlockSize: in.BlockSize, ReadOnly: in.ReadOnly}
	return u.done(d, u.disk.Use())
}

// part tells of a partition of the disk, which is open.
func (u *unit) part(p *block.Partition) fs.DiskUse {
	d, in := u.use(), p.Info()
	d.Whole, d.Partition, d.Start, d.Serial, d.Size = d.Name, p.Number, p.Start(), "", in.Size
	d.Name, d.Major, d.Minor = u.kind.partition(u.given, p.Number)
	return u.done(d, p.Use())
}

// done adds what was done to a disk since it was opened to what was before.
func (u *unit) done(d fs.DiskUse, w block.Use) fs.DiskUse {
	d.Read, d.Written, d.Discarded, d.Flushed = fs.DiskWork(w.Read), fs.DiskWork(w.Written), fs.DiskWork(w.Discarded), fs.DiskWork(w.Flushed)
	d.Flying, d.Busy = w.Flying, w.Busy
	if was := u.was(d.Name); was != nil {
		add := func(to *fs.DiskWork, w fs.DiskWork) {
			to.Requests, to.Sectors, to.Time = to.Requests+w.Requests, to.Sectors+w.Sectors, to.Time+w.Time
		}
		add(&d.Read, was.Read)
		add(&d.Written, was.Written)
		add(&d.Discarded, was.Discarded)
		add(&d.Flushed, was.Flushed)
		d.Busy += was.Busy
	}
	return d
}

// Partitions finds the partitions of a disk that Open gave, as block.Partitions does, once for all users: from then on they are in fs.Disks. They serve until all have closed the disk. Where not all of the table can be
// read there are those that could, and who asks next looks again. It may read, and parks as long.
func Partitions(d block.Device) []*block.Partition {
	s, ok := d.(*shared)
	if !ok {
		list, _ := block.Partitions(d)
		return list
	}
	all.Lock()
	defer all.Unlock()
	list, _ := s.unit.partitions()
	return list
}

// partitions finds those of a disk that is open, if nobody has since it was opened.
func (u *unit) partitions() (list []*block.Partition, err error) {
	if !u.looked {
		err = u.scan()
	}
	return u.parts, err
}

// Source is a disk that Open gave, or a partition that Partitions gave, as /proc/mounts has it; not ok for another device.
func Source(d block.Device) (on fs.Source, ok bool) {
	all.Lock()
	defer all.Unlock()
	u, p := find(d)
	switch {
	case u == nil:
		return on, false
	case p != nil:
		return named(u.part(p)), true
	}
	return named(u.use()), true
}

// find finds a disk that Open gave, or a partition that Partitions gave; u is nil for another device. all is locked.
func find(d block.Device) (u *unit, p *block.Partition) {
	for _, s := range all.sources {
		for _, u := range s.units {
			if x, is := d.(*shared); is && u.disk != nil && x.disk == u.disk {
				return u, nil
			}
			for _, p := range u.parts {
				if d == block.Device(p) {
					return u, p
				}
			}
		}
	}
	return nil, nil
}

func named(u fs.DiskUse) fs.Source {
	return fs.Source{Name: "/dev/" + u.Name, Dev: fs.Makedev(u.Major, u.Minor)}
}

// A shared is one user's disk.
type shared struct {
	disk
	of     *source
	unit   *unit
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
	s.users = 0
	for _, u := range s.units {
		if u.disk != nil {
			u.known = u.uses()
			u.disk.Close()
			u.disk, u.parts, u.looked = nil, nil, false
		}
	}
}
