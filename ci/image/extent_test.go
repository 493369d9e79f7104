//go:build !hardtack

package image

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestExtentPager has a program page its own memory from and to an extent of a disk, by a policy of its own. The judge is the host's file.
func TestExtentPager(t *testing.T) {
	t.Parallel()
	const lo, hi = 64 * 512, 64*512 + 128*4096
	before := make([]byte, 1<<20)
	for i := range before {
		before[i] = byte((i-lo)/4096 + i - lo)
	}
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	b := run(t, "ranges", machine{more: []string{"-global", "virtio-mmio.force-legacy=false", "-drive", "if=none,id=d,format=raw,file=" + file, "-device", "virtio-blk-device,drive=d"}}, "extent")
	b.want(t, 0, "pages 128 wrong 0 sync <nil> flush <nil>\nreads 256 writes 128\nclose <nil> <nil> <nil> true\n")
	for i := lo; i < hi; i++ {
		before[i] += before[i] & 1
	}
	after, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(after, before) {
		t.Error("the disk does not hold what the program wrote, or more than that: ", err)
	}
}
