package fs

// A Counter is a number, with the name that /proc/vmstat has for it.
type Counter struct {
	Name  string
	Value uint64
}

// PageCache tells of the page cache of filesystems on disks: bytes that it has, bytes of these that are not written yet, and what it counts; nil where there is none. It is set while packages
// are initialised.
var PageCache func() (cached, dirty uint64, list []Counter)
