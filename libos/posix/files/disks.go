package files

import (
	"strconv"
	"strings"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/proc"
)

// The disks that were looked for as programs see them, and their partitions: /proc/diskstats (iostats of Linux's documentation), /proc/partitions, /sys/block, /sys/class/block, /sys/dev/block and
// nodes in /dev (block.go). A node tells a disk's number, by which all of these are one.

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
	all := disks()
	for i := range all {
		if all[i].Whole == "" {
			list = append(list, sysDisk(&all[i], all))
		}
	}
	return list
}

// sysDisk is the folder of a disk, with those of its partitions, or of a partition.
func sysDisk(u *fs.DiskUse, all []fs.DiskUse) proc.Named {
	number := func(name string, n int64) proc.Named { return proc.Text(name, strconv.FormatInt(n, 10)+"\n") }
	readOnly, kind := int64(0), "disk"
	if u.ReadOnly {
		readOnly = 1
	}
	in := []proc.Named{proc.Text("dev", diskDev(u)+"\n"), number("size", u.Size/512), number("ro", readOnly), proc.Text("stat", diskNumbers(u))}
	if u.Whole != "" {
		kind = "partition"
		in = append(in, number("partition", int64(u.Partition)), number("start", u.Start/512))
	} else {
		in = append(in, number("removable", 0), proc.Text("serial", u.Serial),
			proc.Dir("queue", number("logical_block_size", int64(u.BlockSize)), number("hw_sector_size", int64(u.BlockSize)), number("rotational", 0)))
		for i := range all {
			if all[i].Whole == u.Name {
				in = append(in, sysDisk(&all[i], all))
			}
		}
	}
	return proc.Dir(u.Name, append(in, proc.Text("uevent", "MAJOR="+strconv.Itoa(u.Major)+"\nMINOR="+strconv.Itoa(u.Minor)+"\nDEVNAME="+u.Name+"\nDEVTYPE="+kind+"\n"))...)
}

func diskDev(u *fs.DiskUse) string { return strconv.Itoa(u.Major) + ":" + strconv.Itoa(u.Minor) }

// sysLinks are links to those folders, called as name says.
func sysLinks(name func(u *fs.DiskUse) string) func() []proc.Named {
	return func() (links []proc.Named) {
		for _, u := range disks() {
			to := "../../block/" + u.Name
			if u.Whole != "" {
				to = "../../block/" + u.Whole + "/" + u.Name
			}
			links = append(links, proc.Symlink(name(&u), func() string { return to }))
		}
		return links
	}
}

// nodes keeps the nodes of disks in /dev: root is that of its filesystem.
func nodes(root fs.Dir) {
	change := func(u fs.DiskUse, known bool) {
		root.Unlink(u.Name) // what has the name may be of another
		if !known {
			return
		}
		if n, e := root.Create(u.Name, syscall.S_IFBLK|0o660, fs.Makedev(u.Major, u.Minor)); e == 0 {
			n.Unref()
		}
	}
	for _, u := range disks() {
		change(u, true)
	}
	fs.DiskChanged = change
}
