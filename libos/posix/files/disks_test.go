package files

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs"
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
	fs.Disks = nil
	if got := content(t, "/proc/diskstats") + content(t, "/proc/partitions"); got != "" {
		t.Errorf("without a disk: %q", got)
	}
}
