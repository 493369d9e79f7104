//go:build linux && !hardtack

package exo_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
	"github.com/hardtack-os/hardtack/exo/nvme"
	"github.com/hardtack-os/hardtack/exo/virtio/blk"
)

// TestQEMUBlk holds the drivers of disks to QEMU's devices, and to what is in the host's file afterwards.
func TestQEMUBlk(t *testing.T) {
	const size = 8 << 20
	for name, c := range map[string]struct {
		args   []string
		device string
		queues int
		block  int
	}{
		"q35":                       {[]string{"-M", "q35"}, "virtio-blk-pci,num-queues=2,discard=on,write-zeroes=on,serial=a-name", 1, 512},
		"q35 with blocks of 4 KiB":  {[]string{"-M", "q35"}, "virtio-blk-pci,logical_block_size=4096,physical_block_size=4096,serial=a-name", 1, 4096},
		"microvm":                   {[]string{"-M", "microvm,acpi=on,rtc=on", "-global", "virtio-mmio.force-legacy=false"}, "virtio-blk-device,serial=a-name", 1, 512},
		"NVMe":                      {[]string{"-M", "q35"}, "nvme,serial=a-name,discard_granularity=4096", 1, 512},
		"NVMe with blocks of 4 KiB": {[]string{"-M", "q35"}, "nvme,serial=a-name,logical_block_size=4096,physical_block_size=4096", 1, 4096},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "disk")
			content := make([]byte, size)
			r := rand.NewChaCha8([32]byte{1})
			r.Read(content)
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			q := startQEMU(t, append(c.args, "-drive", "id=d,if=none,format=raw,discard=unmap,file="+file, "-device", c.device+",drive=d")...)
			defer exo.Simulate(q)()
			d, e := openDisk(t)
			in := d.Info()
			if in.Sectors != size/512 || in.Serial != "a-name" || in.ReadOnly || !in.Cached || !in.Discard || !in.WriteZeroes || in.BlockSize != c.block || in.Queues != c.queues {
				t.Errorf("%+v", in)
			}
			mem, err := exo.TakeFrames("test", 64, 0)
			if err != nil {
				t.Fatal(err)
			}
			part := func(i int) []exo.Run { return []exo.Run{{Base: mem.Base() + exo.Phys(i*16384), Len: 16384}} }

			// 16 transfers at a time, each of them two pieces.
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					for k := i; k < size/16384; k += 16 * 8 {
						runs := part(i)
						runs = []exo.Run{{Base: runs[0].Base, Len: 4096}, {Base: runs[0].Base + 4096, Len: 12288}}
						if err := disk.Do(d, &blk.Request{Op: blk.Read, Extent: e, Sector: flow.Block(k * 32), Memory: runs}); err != nil {
							t.Error(err)
							return
						}
						b := mem.Bytes()[i*16384:][:16384]
						if !bytes.Equal(b, content[k*16384:][:16384]) {
							t.Errorf("block %d differs", k)
						}
						for j := range b {
							b[j] ^= 0x55
						}
						copy(content[k*16384:], b)
						if err := disk.Do(d, &blk.Request{Op: blk.Write, Extent: e, Sector: flow.Block(k * 32), Memory: runs}); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()

			var before syscall.Stat_t
			syscall.Stat(file, &before)
			for _, r := range []blk.Request{
				{Op: blk.WriteZeroes, Extent: e, Sector: 8, Count: 8},
				{Op: blk.WriteZeroes, Extent: e, Sector: 16, Count: 8, Unmap: true},
				{Op: blk.Discard, Extent: e, Sector: 4096, Count: 4096},
				{Op: blk.Flush},
			} {
				if err := disk.Do(d, &r); err != nil {
					t.Errorf("%v: %v", r.Op, err)
				}
			}
			clear(content[8*512 : 24*512])
			clear(content[4096*512 : 8192*512])
			got, err := os.ReadFile(file)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("the host's file differs: %v", err)
			}
			var after syscall.Stat_t
			syscall.Stat(file, &after)
			if before.Blocks-after.Blocks < 4000 {
				t.Errorf("the discard gave nothing back: %d blocks before, %d after", before.Blocks, after.Blocks)
			}
			if !d.Close() {
				t.Error("it does not stop")
			}
		})
	}
}

// openBlk opens the machine's disk and binds all of it.
// openDisk opens the machine's one disk, whichever driver it takes.
func openDisk(t *testing.T) (disk.Disk, *flow.Extent) {
	t.Helper()
	var d disk.Disk
	var err error
	virtio, controllers := blk.Places(), nvme.Places()
	switch {
	case len(virtio)+len(controllers) != 1:
		t.Fatalf("%d disks", len(virtio)+len(controllers))
	case len(virtio) == 1:
		d, err = blk.Open(virtio[0], blk.Options{})
	default:
		d, err = nvme.Open(controllers[0], nvme.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	s, all := d.Space()
	rights := exo.Read | exo.Write
	e, err := s.Bind(all, "test", 0, flow.Block(d.Info().Sectors), rights)
	if err != nil {
		t.Fatal(err)
	}
	return d, e
}

// TestQEMUBlkFailures has QEMU's blkdebug fail transfers, and a disk that cannot be written to.
func TestQEMUBlkFailures(t *testing.T) {
	dir := t.TempDir()
	file, rules := filepath.Join(dir, "disk"), filepath.Join(dir, "rules")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rules, []byte("[inject-error]\nevent = \"read_aio\"\nsector = \"64\"\nerrno = \"5\"\n[inject-error]\nevent = \"write_aio\"\nsector = \"128\"\nerrno = \"5\"\n"+
		"[inject-error]\nevent = \"flush_to_disk\"\nerrno = \"5\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, device := range map[string]string{"virtio": "virtio-blk-pci", "NVMe": "nvme,serial=x"} {
		t.Run(name, func(t *testing.T) {
			q := startQEMU(t, "-M", "q35", "-drive", "id=d,if=none,format=raw,rerror=report,werror=report,file=blkdebug:"+rules+":"+file, "-device", device+",drive=d")
			defer exo.Simulate(q)()
			d, e := openDisk(t)
			defer d.Close()
			mem, _ := exo.TakeFrames("test", 1, 0)
			page := []exo.Run{{Base: mem.Base(), Len: 4096}}
			for _, c := range []struct {
				r   blk.Request
				bad bool
			}{
				{blk.Request{Op: blk.Read, Extent: e, Sector: 0, Memory: page}, false},
				{blk.Request{Op: blk.Read, Extent: e, Sector: 64, Memory: page}, true},
				{blk.Request{Op: blk.Write, Extent: e, Sector: 128, Memory: page}, true},
				{blk.Request{Op: blk.Write, Extent: e, Sector: 256, Memory: page}, false},
				{blk.Request{Op: blk.Flush}, true},
				{blk.Request{Op: blk.Read, Extent: e, Sector: 256, Memory: page}, false},
			} {
				err := disk.Do(d, &c.r)
				var io *disk.IOError
				if c.bad != errors.As(err, &io) || !c.bad && err != nil {
					t.Errorf("%v at %d: %v", c.r.Op, c.r.Sector, err)
				}
			}
		})
	}
	t.Run("read-only", func(t *testing.T) {
		q := startQEMU(t, "-M", "q35", "-drive", "id=d,if=none,format=raw,readonly=on,file="+file, "-device", "virtio-blk-pci,drive=d")
		defer exo.Simulate(q)()
		d, e := openDisk(t)
		defer d.Close()
		mem, _ := exo.TakeFrames("test", 1, 0)
		page := []exo.Run{{Base: mem.Base(), Len: 4096}}
		var refused *disk.ReadOnlyError
		if err := disk.Do(d, &blk.Request{Op: blk.Write, Extent: e, Memory: page}); !errors.As(err, &refused) {
			t.Error(err)
		}
		if err := disk.Do(d, &blk.Request{Op: blk.Read, Extent: e, Memory: page}); err != nil {
			t.Error(err)
		}
	})
}
