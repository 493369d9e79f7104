package fs

// A DiskUse is a disk that is in use, or a partition of it, and what was done to it since it was opened.
type DiskUse struct {
	Name         string // as Linux would call it: vda, nvme0n1, sda; vda2, nvme0n1p2
	Whole        string // of a partition: its disk's name
	Partition    int    // its number
	Start        int64  // where it begins, bytes
	Major, Minor int
	Serial       string // what the host calls it; may be empty
	Size         int64  // bytes
	BlockSize    int    // bytes
	ReadOnly     bool

	Read, Written, Discarded, Flushed DiskWork

	Flying int64 // requests under way
	Busy   int64 // nanoseconds with at least one under way
}

// A DiskWork is requests of one kind that have ended, with an error or without.
type DiskWork struct {
	Requests, Sectors uint64 // sectors of 512 bytes
	Time              int64  // nanoseconds from their start to their end, all together
}

// Disks tells of the disks in use, each with its partitions behind it, if somebody has looked for them; nil where nothing drives any. It is set while packages are initialised.
var Disks func() []DiskUse

// DiskChanged is called, where it is set, when a disk or a partition comes into use or is no longer in use: in Disks it is, or not. It does not call back.
var DiskChanged func(u DiskUse, inUse bool)
