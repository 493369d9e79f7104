package files

import (
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/proc"
)

// The disks in use as programs see them: /proc/diskstats (iostats of Linux's documentation), /proc/partitions, /sys/block. They are whole disks: partitions are not counted apart. There are no nodes of
// them in /dev.

func disks() []fs.DiskUse {
	if fs.Disks == nil {
		return nil
	}
	return fs.Disks()
}

// diskNumbers are what is behind the name in diskstats, and in a disk's stat. Nothing is ever merged.
func diskNumbers(u *fs.DiskUse) string {
	const ms = 1e6
	var n []string
	add := func(values ...uint64) {
		for _, v := range values {
			n = append(n, strconv.FormatUint(v, 10))
		}
	}
	count := func(w fs.DiskWork) { add(w.Requests, 0, w.Sectors, uint64(w.Time)/ms) }
	count(u.Read)
	count(u.Written)
	add(uint64(max(u.Flying, 0)), uint64(u.Busy)/ms, uint64(u.Read.Time+u.Written.Time+u.Discarded.Time+u.Flushed.Time)/ms)
	count(u.Discarded)
	add(u.Flushed.Requests, uint64(u.Flushed.Time)/ms)
	return strings.Join(n, " ") + "\n"
}

// right is a number at the right end of a column.
func right(width int, n int64) string {
	s := strconv.FormatInt(n, 10)
	return strings.Repeat(" ", max(0, width-len(s))) + s
}

func procDisks() []byte {
	var b strings.Builder
	for _, u := range disks() {
		b.WriteString(right(4, int64(u.Major)) + right(8, int64(u.Minor)) + " " + u.Name + " " + diskNumbers(&u))
	}
	return []byte(b.String())
}

func procPartitions() []byte {
	var b strings.Builder
	for i, u := range disks() {
		if i == 0 {
			b.WriteString("major minor  #blocks  name\n\n")
		}
		b.WriteString(right(4, int64(u.Major)) + right(9, int64(u.Minor)) + right(11, u.Size/1024) + " " + u.Name + "\n")
	}
	return []byte(b.String())
}

// sysDisks are the folders in /sys/block.
func sysDisks() (list []proc.Named) {
	for _, u := range disks() {
		number := func(name string, n int64) proc.Named { return proc.Text(name, strconv.FormatInt(n, 10)+"\n") }
		dev := strconv.Itoa(u.Major) + ":" + strconv.Itoa(u.Minor)
		readOnly := int64(0)
		if u.ReadOnly {
			readOnly = 1
		}
		list = append(list, proc.Dir(u.Name,
			proc.Text("dev", dev+"\n"), number("size", u.Size/512), number("ro", readOnly), number("removable", 0), proc.Text("serial", u.Serial),
			proc.Text("uevent", "MAJOR="+strconv.Itoa(u.Major)+"\nMINOR="+strconv.Itoa(u.Minor)+"\nDEVNAME="+u.Name+"\nDEVTYPE=disk\n"),
			proc.Text("stat", diskNumbers(&u)),
			proc.Dir("queue", number("logical_block_size", int64(u.BlockSize)), number("hw_sector_size", int64(u.BlockSize)), number("rotational", 0)),
		))
	}
	return list
}
