//go:build linux && !hardtack

package exo_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
	"github.com/hardtack-os/hardtack/exo/nvme"
	"github.com/hardtack-os/hardtack/exo/virtio/blk"
	"github.com/hardtack-os/hardtack/exo/virtio/scsi"
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
		"SCSI":                      {[]string{"-M", "q35", "-device", "virtio-scsi-pci"}, "scsi-hd,serial=a-name", 1, 512},
		"SCSI with blocks of 4 KiB": {[]string{"-M", "q35", "-device", "virtio-scsi-pci"}, "scsi-hd,channel=0,scsi-id=200,lun=7,serial=a-name,logical_block_size=4096,physical_block_size=4096", 1, 4096},
		"SCSI on microvm":           {[]string{"-M", "microvm,acpi=on,rtc=on", "-global", "virtio-mmio.force-legacy=false", "-device", "virtio-scsi-device"}, "scsi-hd,serial=a-name", 1, 512},
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
			askew(t, d, e, mem, content)

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

// askew writes and reads by pieces that are no pages, and no multiples of anything, which each of QEMU's disks takes as they are: NVMe's by scatter-gather lists.
func askew(t *testing.T, d disk.Disk, e *flow.Extent, mem *exo.Frames, content []byte) {
	var runs []exo.Run
	b := mem.Bytes()
	part := content[1<<20:][:16384]
	for at, left, n := 3, part, 0; len(left) > 0; at, left, n = at+n+11, left[n:], n+1 {
		n = min(len(left), 1+n*n%5000)
		runs = append(runs, exo.Run{Base: mem.Base() + exo.Phys(at), Len: uintptr(n)})
		for i := range n {
			left[i] ^= 0xaa
		}
		copy(b[at:], left[:n])
	}
	for _, op := range []disk.Op{disk.Write, disk.Read} {
		if err := disk.Do(d, &disk.Request{Op: op, Extent: e, Sector: 1 << 11, Memory: runs}); err != nil {
			t.Fatalf("%v by %d pieces: %v", op, len(runs), err)
		}
		var got []byte
		for _, r := range runs {
			got = append(got, b[r.Base-mem.Base():][:r.Len]...)
		}
		if !bytes.Equal(got, part) {
			t.Errorf("%v by %d pieces: the memory differs", op, len(runs))
		}
		clear(b)
	}
}

// openDisk opens the machine's one disk, whichever driver it takes, and binds all of it.
func openDisk(t *testing.T) (disk.Disk, *flow.Extent) {
	t.Helper()
	list := openDisks(t)
	if len(list) != 1 {
		t.Fatalf("%d disks", len(list))
	}
	return list[0], bindAll(t, list[0])
}

func bindAll(t *testing.T, d disk.Disk) *flow.Extent {
	t.Helper()
	s, all := d.Space()
	e, err := s.Bind(all, "test", 0, flow.Block(d.Info().Sectors), exo.Read|exo.Write)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// openDisks opens all of the machine's disks.
func openDisks(t *testing.T) []disk.Disk { return openDisksWith(t, 0, nil) }

// openDisksWith gives them a patience, by a clock.
func openDisksWith(t *testing.T, patience time.Duration, now func() int64) (list []disk.Disk) {
	t.Helper()
	add := func(d disk.Disk, err error) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	for _, p := range blk.Places() {
		add(blk.Open(p, blk.Options{Patience: patience, Now: now}))
	}
	for _, p := range nvme.Places() {
		add(nvme.Open(p, nvme.Options{Patience: patience, Now: now}))
	}
	for _, p := range scsi.Places() {
		units, err := scsi.Open(p, scsi.Options{Patience: patience, Now: now})
		for _, d := range units {
			add(d, err)
		}
	}
	return list
}

// kinds are QEMU's disks, with the machine's arguments for each; %s is where they are plugged in, drive=d is to follow.
var kinds = map[string][]string{
	"virtio": {"virtio-blk-pci%s"},
	"NVMe":   {"nvme,serial=x%s"},
	"SCSI":   {"virtio-scsi-pci%s", "scsi-hd"},
}

// deviceArgs are those of a disk of some kind, plugged in at a bus ("" for where QEMU puts it).
func deviceArgs(kind, bus string) (args []string) {
	for i, d := range kinds[kind] {
		if d = strings.ReplaceAll(d, "%s", bus); i == len(kinds[kind])-1 {
			d += ",drive=d"
		}
		args = append(args, "-device", d)
	}
	return args
}

// page is a page of the machine's memory.
func page(t *testing.T) []exo.Run {
	t.Helper()
	mem, err := exo.TakeFrames("test", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	return []exo.Run{{Base: mem.Base(), Len: 4096}}
}

// TestQEMUBlkFailures has QEMU's blkdebug fail transfers, a flush once only, which no driver may hide by a second one, and which the next flush says nothing of, and a disk that cannot be written to.
func TestQEMUBlkFailures(t *testing.T) {
	dir := t.TempDir()
	file, rules := filepath.Join(dir, "disk"), filepath.Join(dir, "rules")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rules, []byte("[inject-error]\nevent = \"read_aio\"\nsector = \"64\"\nerrno = \"5\"\n[inject-error]\nevent = \"write_aio\"\nsector = \"128\"\nerrno = \"5\"\n"+
		"[inject-error]\nevent = \"flush_to_disk\"\nerrno = \"5\"\nonce = \"on\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			q := startQEMU(t, append([]string{"-M", "q35", "-drive", "id=d,if=none,format=raw,rerror=report,werror=report,file=blkdebug:" + rules + ":" + file}, deviceArgs(kind, "")...)...)
			defer exo.Simulate(q)()
			d, e := openDisk(t)
			defer d.Close()
			page := page(t)
			for _, c := range []struct {
				r   blk.Request
				bad bool
			}{
				{blk.Request{Op: blk.Read, Extent: e, Sector: 0, Memory: page}, false},
				{blk.Request{Op: blk.Read, Extent: e, Sector: 64, Memory: page}, true},
				{blk.Request{Op: blk.Write, Extent: e, Sector: 128, Memory: page}, true},
				{blk.Request{Op: blk.Write, Extent: e, Sector: 256, Memory: page}, false},
				{blk.Request{Op: blk.Flush}, true},
				{blk.Request{Op: blk.Write, Extent: e, Sector: 256, Memory: page}, false},
				{blk.Request{Op: blk.Flush}, true}, // QEMU says that this one went well: it has nothing to write
				{blk.Request{Op: blk.Read, Extent: e, Sector: 256, Memory: page}, false},
			} {
				err := disk.Do(d, &c.r)
				var io *disk.IOError
				if c.bad != errors.As(err, &io) || !c.bad && err != nil {
					t.Errorf("%v at %d: %v", c.r.Op, c.r.Sector, err)
				}
			}
		})
		if kind == "NVMe" { // QEMU has none that cannot be written to
			continue
		}
		t.Run(kind+" read-only", func(t *testing.T) {
			q := startQEMU(t, append([]string{"-M", "q35", "-drive", "id=d,if=none,format=raw,readonly=on,file=" + file}, deviceArgs(kind, "")...)...)
			defer exo.Simulate(q)()
			d, e := openDisk(t)
			defer d.Close()
			page := page(t)
			var refused *disk.ReadOnlyError
			if err := disk.Do(d, &blk.Request{Op: blk.Write, Extent: e, Memory: page}); !errors.As(err, &refused) {
				t.Error(err)
			}
			if err := disk.Do(d, &blk.Request{Op: blk.Read, Extent: e, Memory: page}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestQEMUBlkSlow gives a disk that takes a second for a transfer more of them than it does in the time that they have: it is given up, and says so.
func TestQEMUBlkSlow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			q := startQEMU(t, append([]string{"-M", "q35", "-drive", "id=d,if=none,format=raw,throttling.bps-write=4096,file=" + file}, deviceArgs(kind, "")...)...)
			defer exo.Simulate(q)()
			var opened atomic.Bool // until then nothing is late, however slow the host
			d := openDisksWith(t, time.Second, func() int64 {
				if opened.Load() {
					return exo.Now()
				}
				return 0
			})[0]
			opened.Store(true)
			e, page := bindAll(t, d), page(t)
			var wg sync.WaitGroup
			var late atomic.Int32
			for i := range 20 {
				wg.Go(func() {
					err := disk.Do(d, &disk.Request{Op: disk.Write, Extent: e, Sector: flow.Block(16 * i), Memory: page}) // apart: QEMU joins what is not
					var gone *disk.GoneError
					var timeout *disk.TimeoutError
					if errors.As(err, &gone) && errors.As(err, &timeout) && !gone.Held {
						late.Add(1)
					} else if err != nil && !strings.Contains(err.Error(), "aborted") {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if late.Load() == 0 || d.Err() == nil {
				t.Error("it is not given up: ", d.Err())
			}
			if !d.Close() {
				t.Error("it does not stop")
			}
		})
	}
}

// TestQEMUBlkGrows has QEMU make a disk larger while it is open: its driver tells, and the new blocks work. QEMU's NVMe (7.2) cannot: its size is that of the beginning.
func TestQEMUBlkGrows(t *testing.T) {
	for _, kind := range []string{"virtio", "SCSI"} {
		t.Run(kind, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "disk")
			if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			q := startQEMU(t, append([]string{"-M", "q35", "-drive", "id=d,if=none,format=raw,file=" + file}, deviceArgs(kind, "")...)...)
			defer exo.Simulate(q)()
			d, e := openDisk(t)
			defer d.Close()
			told := make(chan bool, 1)
			d.Notify(func() { told <- true })
			q.qmp("block_resize", "device", "d", "size", 3<<20)
			select {
			case <-told:
			case <-time.After(2 * time.Minute):
				t.Fatal("nobody is told")
			}
			if s, _ := d.Space(); s.Blocks() != 3<<11 {
				t.Errorf("%d sectors", s.Blocks())
			}
			if err := e.Extend(3 << 11); err != nil {
				t.Fatal(err)
			}
			if err := disk.Do(d, &disk.Request{Op: disk.Write, Extent: e, Sector: 3<<11 - 8, Memory: page(t)}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestQEMUBlkVanishes takes a disk out of a running machine: what is asked of it ends with an error.
func TestQEMUBlkVanishes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			args := append([]string{"-M", "q35", "-device", "pcie-root-port,id=plug,chassis=1", "-drive", "id=d,if=none,format=raw,file=" + file}, deviceArgs(kind, ",bus=plug")...)
			q := startQEMU(t, args...)
			defer exo.Simulate(q)()
			d := openDisks(t)[0]
			e, page := bindAll(t, d), page(t)
			if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: page}); err != nil {
				t.Fatal(err)
			}
			q.unplug()
			var gone *disk.GoneError
			for range 2 {
				if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: page}); !errors.As(err, &gone) {
					t.Error(err)
				}
			}
			if !d.Close() {
				t.Error("it counts as not stopped")
			}
		})
	}
	t.Run("SCSI unit", func(t *testing.T) {
		q := startQEMU(t, "-M", "q35", "-device", "virtio-scsi-pci", "-drive", "id=d,if=none,format=raw,file.locking=off,file="+file, "-drive", "id=d2,if=none,format=raw,file.locking=off,file="+file,
			"-device", "scsi-hd,drive=d,lun=0,share-rw=on", "-device", "scsi-hd,id=second,drive=d2,lun=1,share-rw=on")
		defer exo.Simulate(q)()
		list := openDisks(t)
		if len(list) != 2 {
			t.Fatalf("%d units", len(list))
		}
		page := page(t)
		e, e2 := bindAll(t, list[0]), bindAll(t, list[1])
		q.qmp("device_del", "id", "second")
		for end := time.Now().Add(2 * time.Minute); ; { // it goes when QEMU gets to it
			var gone *disk.GoneError
			err := disk.Do(list[1], &disk.Request{Op: disk.Read, Extent: e2, Memory: page})
			if errors.As(err, &gone) {
				break
			}
			if err != nil || time.Now().After(end) {
				t.Fatal(err)
			}
		}
		if err := disk.Do(list[0], &disk.Request{Op: disk.Read, Extent: e, Memory: page}); err != nil {
			t.Error(err)
		}
		if !list[1].Close() || !list[0].Close() {
			t.Error("it does not stop")
		}
	})
}

// unplug turns off the power of what is behind the machine's root port, as somebody does who pulls it out: PCI Express Base 5.0, 7.5.3.10.
func (q *qemu) unplug() {
	for _, f := range exo.Discover().Functions {
		if f.Class>>8 != 0x0604 {
			continue
		}
		at := func(reg int) { q.Out(0xcf8, 4, 1<<31|uint32(f.ID)<<8|uint32(reg)) }
		at(0x34)
		for c := int(q.In(0xcfc, 1)); c != 0; {
			at(c)
			head := q.In(0xcfc, 4)
			if head&0xff == 0x10 {
				at(c + 0x18)
				q.Out(0xcfc, 2, 3<<8|1<<10) // power indicator and power controller: off
				return
			}
			c = int(head >> 8 & 0xff)
		}
	}
	q.t.Fatal("there is no root port")
}
