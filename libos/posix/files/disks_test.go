package files

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
)

// TestDisks has what the host says of its disks be said of ours: the same lines come out, but for the requests that were merged, which are none here.
func TestDisks(t *testing.T) {
	judge, err := os.ReadFile("/proc/diskstats")
	if err != nil {
		t.Fatal(err)
	}
	const own = " 254      16 vdb 2 0 24 30 1 0 8 40 3 1000 76 5 0 48 2 6 4\n" // a host may have no disk

	var list []fs.DiskUse
	var want []string
	for line := range strings.Lines(own + string(judge)) {
		f := strings.Fields(line)
		if len(f) < 20 {
			t.Fatalf("the host says %q", line)
		}
		n := func(i int) int64 {
			v, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		work := func(i int) fs.DiskWork {
			line = strings.TrimSuffix(line, "\n")
			f[i+1] = "0"
			return fs.DiskWork{Requests: uint64(n(i)), Sectors: uint64(n(i + 2)), Time: n(i+3) * 1e6}
		}
		u := fs.DiskUse{Name: f[2], Major: int(n(0)), Minor: int(n(1)), Read: work(3), Written: work(7), Flying: n(11), Busy: n(12) * 1e6, Discarded: work(14)}
		u.Flushed = fs.DiskWork{Requests: uint64(n(18)), Time: n(19) * 1e6}
		list = append(list, u)
		want = append(want, line[:strings.Index(line, f[2])]+strings.Join(f[2:], " "))
	}
	was := fs.Disks
	defer func() { fs.Disks = was }()
	fs.Disks = func() []fs.DiskUse { return list }
	got := strings.Split(strings.TrimSuffix(content(t, "/proc/diskstats"), "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := strings.Split(got[i], " "), strings.Split(want[i], " ")
		sum, _ := strconv.Atoi(g[len(g)-7])
		real, _ := strconv.Atoi(w[len(w)-7])
		if d := sum - real; d < -4 || d > 4 { // it is a sum of what was rounded
			t.Errorf("weighted %d, want %d: %s", sum, real, want[i])
		}
		if g[len(g)-7] = w[len(w)-7]; !slices.Equal(g, w) {
			t.Errorf("%q\nwant\n%q", got[i], want[i])
		}
	}
	list = []fs.DiskUse{{Name: "vdb", Major: 254, Minor: 16, Serial: "data", Size: 1 << 20, BlockSize: 4096, ReadOnly: true}}
	for path, want := range map[string]string{
		"/proc/partitions":    "major minor  #blocks  name\n\n 254       16       1024 vdb\n",
		"/sys/block/vdb/size": "2048\n", "/sys/class/block/vdb/dev": "254:16\n", "/sys/block/vdb/ro": "1\n", "/sys/block/vdb/serial": "data",
		"/sys/block/vdb/queue/logical_block_size": "4096\n", "/sys/class/block/../block/vdb/queue/../size": "2048\n",
		"/sys/block/vdb/stat": "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
	} {
		if got := content(t, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	// A partition, of a disk whose name ends in a digit. What names one names the other everywhere.
	list = []fs.DiskUse{
		{Name: "nvme0n1", Major: 259, Size: 1 << 20, BlockSize: 512},
		{Name: "nvme0n1p2", Whole: "nvme0n1", Partition: 2, Start: 65536, Major: 259, Minor: 2, Size: 1 << 19, BlockSize: 512, Written: fs.DiskWork{Requests: 3, Sectors: 8}},
	}
	for path, want := range map[string]string{
		"/proc/partitions":                   "major minor  #blocks  name\n\n 259        0       1024 nvme0n1\n 259        2        512 nvme0n1p2\n",
		"/proc/diskstats":                    " 259       0 nvme0n1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n 259       2 nvme0n1p2 0 0 0 0 3 0 8 0 0 0 0 0 0 0 0 0 0\n",
		"/sys/block/nvme0n1/nvme0n1p2/start": "128\n", "/sys/class/block/nvme0n1p2/partition": "2\n", "/sys/dev/block/259:2/size": "1024\n", "/sys/dev/block/259:0/size": "2048\n",
		"/sys/dev/block/259:2/uevent": "MAJOR=259\nMINOR=2\nDEVNAME=nvme0n1p2\nDEVTYPE=partition\n",
	} {
		if got := content(t, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	var st syscall.Stat_t
	for i, u := range list {
		fs.DiskChanged(u, true)
		if e := (hot{}).Fstatat(atCWD, "/dev/"+u.Name, &st, 0); e != 0 || st.Mode != syscall.S_IFBLK|0o660 || st.Rdev != 259<<8|uint64(u.Minor) {
			t.Errorf("%s: %v %+v", u.Name, e, st)
		}
		if _, e := (hot{}).Openat(atCWD, "/dev/"+u.Name, syscall.O_RDONLY, 0); e != syscall.ENXIO {
			t.Errorf("open %s: %v", u.Name, e)
		}
		fs.DiskChanged(list[i], false)
		if e := (hot{}).Fstatat(atCWD, "/dev/"+u.Name, &st, 0); e != syscall.ENOENT {
			t.Errorf("%s is still there: %v", u.Name, e)
		}
	}
	// What is mounted of a disk has its number, and what could not be mounted is nowhere.
	before := content(t, "/proc/mounts") + content(t, "/proc/filesystems")
	root := Tree.Root()
	defer root.Drop()
	for _, path := range []string{"/of-disk", "/of-none"} {
		Tree.Mkdir(root, path, 0o755)
	}
	if _, e := Tree.MountFrom(fs.Source{}, "/of-none", "", mem.New(mem.Options{})); e != 0 || content(t, "/proc/mounts")+content(t, "/proc/filesystems") != before {
		t.Error(e, content(t, "/proc/mounts"))
	}
	if _, e := Tree.MountFrom(fs.Source{Name: "/dev/nvme0n1p2", Dev: fs.Makedev(259, 1<<18|2)}, "/of-disk", "cffs", mem.New(mem.Options{})); e != 0 {
		t.Fatal(e)
	}
	if e := (hot{}).Fstatat(atCWD, "/of-disk", &st, 0); e != 0 || major(st.Dev) != 259 || minor(st.Dev) != 1<<18|2 {
		t.Errorf("%v %+v", e, st)
	}
	if got := content(t, "/proc/mounts"); !strings.Contains(got, "\n/dev/nvme0n1p2 /of-disk cffs rw 0 0\n") {
		t.Errorf("%s", got)
	}
	if got := content(t, "/proc/self/mountinfo"); !strings.Contains(got, " 259:262146 / /of-disk rw - cffs /dev/nvme0n1p2 rw\n") || strings.Contains(got, "of-none") {
		t.Errorf("%s", got)
	}
	fs.Disks = nil
	if got := content(t, "/proc/diskstats") + content(t, "/proc/partitions"); got != "" {
		t.Errorf("without a disk: %q", got)
	}
}
