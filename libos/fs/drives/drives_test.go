package drives

import (
	"strconv"
	"testing"
)

// TestPartitionNames: partitions are called as on Linux, and no two have one number.
func TestPartitionNames(t *testing.T) {
	for want, k := range map[string]*kind{"vdab17": virtioDisks, "nvme27n1p17": nvmeDisks, "sdab17": scsiDisks} {
		if name, major, minor := k.partition(27, 17); name != want || major != blkext || minor < 1<<18 {
			t.Errorf("%s %d:%d, want %s", name, major, minor, want)
		}
	}
	if name, major, minor := virtioDisks.partition(1, 2); name != "vdb2" || major != 254 || minor != 18 {
		t.Errorf("%s %d:%d", name, major, minor)
	}
	seen := map[string]string{}
	take := func(name string, major, minor int) {
		dev := strconv.Itoa(major) + ":" + strconv.Itoa(minor)
		if other := seen[dev]; other != "" || minor >= 1<<20 {
			t.Fatalf("%s and %s are %s", name, other, dev)
		}
		seen[dev] = name
	}
	for _, k := range []*kind{virtioDisks, nvmeDisks, scsiDisks} {
		for n := range 20 {
			take(k.name(n), k.major, n*k.apart)
			for number := 1; number <= 1024; number++ {
				take(k.partition(n, number))
			}
		}
	}
}
