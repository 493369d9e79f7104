package fs

// A DiskUse is a disk that is in use, and what was done to it since it was opened.
type DiskUse struct {
	Name         string // as Linux would call it: vda, nvme0n1, sda
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

// Disks tells of the disks in use; nil where nothing drives any. It is set while packages are initialised.
var Disks func() []DiskUse
