// Package files serves the system calls that are about files, over libos/fs: those that name paths, and those on what they open. mkimage links it into
// programs that use files (--fs).
//
// At the root is a filesystem in memory that may take half of the machine's memory, as long as it leaves a sixteenth to all others, with what mkimage --files put into the image (package image below), /etc, /tmp, and mounts of
// their own for /dev and /proc. What the program changes there is gone when the image ends.
//
// There is one user, root, who may do everything: permissions are kept and told, and looked at only by access(2).
//
// # Not as on Linux
//
//   - fcntl's record locks of the process (F_SETLK) are lost when a description of the file is closed, and not already when one of several descriptors of it is.
//   - Access times do not change by reading.
//   - The current folder of a program is "/", or what PWD says where that is a folder.
//   - inotify tells of a file with several names by one of them, and of the end of what is removed while it is only mapped at once.
//   - chroot, mount, quotas, leases, handles, fanotify and vmsplice are not there.
//   - splice goes between files and pipes, and between pipes (EINVAL else, on which std reads and writes); sendfile copies but to connections; preadv2 and pwritev2 take no flags (EOPNOTSUPP).
//   - fallocate neither collapses nor inserts in memory (EOPNOTSUPP, as on tmpfs) and on FAT, but on cffs, by whole blocks of 4 KiB.
//   - O_DIRECT goes through the cache, and takes any address and length; of disks' nodes it takes any address, and whole blocks.
//   - What is read and written by a disk's node goes to the disk at once: nothing is cached, so who reads little at a time waits for the disk each time. The blocks of what is mounted are read as they are on the disk,
//     and not written (EBUSY). Nodes are those of disks that the image has looked for (libos/fs/drives); they cannot be mapped.
//   - Files of memfd_create count against what the root's filesystem in memory may take; they have no huge pages (ENOSYS).
//   - There are no access control lists, and no attributes for them (EOPNOTSUPP).
//   - RESOLVE_CACHED is EAGAIN always. sync_file_range writes all of the file, readahead reads nothing: what is read in order is on its way by itself.
//   - readlink of a file in /proc/self/fd looks for the file where it was opened, and where it is not in the whole mount (fs.Tree.Where): one of several names will do, and what has none any more is called as it was opened.
//   - All time is the user's in /proc/stat and the process's stat: the program and its operating system are one. Which fault waited for a disk nobody counts (majflt is 0), nor which CPU a device's interrupt came to
//     (/proc/interrupts has one column), nor what a thread has run by itself: each has its share of what all have. Peaks of memory are the most that somebody who looked has seen.
//   - Load averages are brought up to date when somebody reads them, not every five seconds (libos/posix/internal/load).
//   - /proc/pressure, /proc/softirqs, /proc/schedstat, /proc/buddyinfo, /proc/zoneinfo and /proc/slabinfo are not there. /proc/locks does not tell who waits.
//   - What is written to /proc/self/oom_score_adj is kept, and nothing comes of it. Of /proc/sys only kernel/hostname can be written to.
//   - /etc/machine-id is another at each boot, unless --files puts one there.
//   - /proc/self/io counts calls on files and their bytes, not those on sockets, pipes and the console; read_bytes and write_bytes are what the disks have done.
//
// # Files
//
//	call.go      numbers to functions, and their arguments
//	tree.go      what there is at boot; the current folder
//	lock.go, record.go    flock and fcntl
//	file.go, dir.go, path.go, fifo.go, device.go, block.go    what is open: posix.Objects
//	proc.go, process.go, machine.go, disks.go    /proc; what the network has at /proc/net and /sys/class/net comes from libos/net/socket
//	sys.go, etc.go    /sys, /etc
//	send.go      sendfile, splice and tee through memory
//	memfd.go     memfd_create and seals
//	sync.go      syncfs, readahead, sync_file_range
package files
