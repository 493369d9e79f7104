package fs

// A DiskUse is a disk that somebody has looked for, or a partition of it, and what was done to it.
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

// Disks tells of the disks that somebody has looked for, each with its partitions behind it, if somebody has looked for these; nil where nothing drives any. It is set while packages are initialised.
var Disks func() []DiskUse

// DiskChanged is called, where it is set, when a disk or a partition is known, or is no longer: in Disks it is, or not. It does not call back.
var DiskChanged func(u DiskUse, known bool)

// OpenDisk opens the disk or partition whose number rdev is (Makedev), to be written, too, or not; nil where nothing drives any. It parks while a driver starts. With exclusive nobody else has it open so, or mounted, nor
// anything that shares blocks with it. ENXIO for one that is not there, EIO for a partition that is not found while its disk's table cannot be read, EBUSY.
var OpenDisk func(rdev uint64, write, exclusive bool) (RawDisk, Errno)

// A RawDisk is the bytes of a disk or partition. Its methods may be called by several goroutines at a time, and park.
type RawDisk interface {
	// Info tells what it is. It does not park.
	Info() RawInfo

	// ReadAt reads up to len(p) bytes from off on, whatever the blocks are, and says how many there were: fewer at the end. p may be any memory. EIO.
	ReadAt(p []byte, off int64) (int, Errno)

	// WriteAt writes up to len(p) bytes: fewer at the end. What is less than a block is read before. EPERM for a disk that takes no writes, EBUSY where blocks belong to a filesystem that is mounted, ENOSPC at the end, EIO.
	WriteAt(p []byte, off int64) (int, Errno)

	// Sync returns when all writes that had returned are durable. EIO.
	Sync() Errno

	// Discard says that whole blocks hold nothing of worth. EPERM, EBUSY, EOPNOTSUPP where the disk cannot, EINVAL for what are not whole blocks, or not all inside, EIO.
	Discard(off, n int64) Errno

	// Rescan looks for the partitions of a disk anew. EINVAL for a partition, EBUSY where one is mounted or open, EIO where the table cannot be read: then those that are not found stay.
	Rescan() Errno

	// Close ends the use. It does not sync.
	Close()
}

// RawInfo is what a RawDisk is.
type RawInfo struct {
	Size      int64 // bytes, of a disk by now
	BlockSize int   // bytes
	ReadOnly  bool
	Discard   bool // Discard does something
}
