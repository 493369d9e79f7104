package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hardtack-os/hardtack/boot/amd64"
	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/report"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

const (
	wrapReach     = 16 << 10  // of bzimage and efi
	diskReach     = 128 << 10 // of iso and raw, partition alignment aside
	loaderReach   = 2.0
	loaderLimit   = 2 * time.Minute
	isoBuildReach = time.Second
	alignment     = 1 << 20
)

// as builds samples/hello in a format and returns the file.
func (b *Bench) as(ctx context.Context, format, pkg string, args ...string) (string, error) {
	mkimage, err := b.Mkimage(ctx)
	if err != nil {
		return "", err
	}
	out := b.file(pkg, format)
	_, err = command(ctx, b.Root, nil, mkimage, append([]string{"build", "--format", format, "-o", out, "./" + pkg}, args...)...)
	return out, err
}

// formatsRow compares files: what each format adds to the image that lies in it.
var formatsRow = Row{
	Name:  "formats",
	What:  "samples/hello as bzimage, efi, iso, raw, over the ELF file",
	Reach: "+16 KiB, +16 KiB, +128 KiB, +128 KiB and up to 3 MiB of alignment",
	Measure: func(ctx context.Context, b *Bench) Figures {
		elf, err := b.as(ctx, "elf", "samples/hello")
		if err != nil {
			return failed(err)
		}
		plain, err := fileSize(elf)
		if err != nil {
			return failed(err)
		}
		f := Figures{Met: true}
		for _, c := range []struct {
			format string
			reach  int64
		}{{"bzimage", wrapReach}, {"efi", wrapReach}, {"iso", diskReach}, {"raw", diskReach + 3*alignment}} {
			file, err := b.as(ctx, c.format, "samples/hello")
			if err != nil {
				return failed(err)
			}
			n, err := fileSize(file)
			if err != nil {
				return failed(err)
			}
			if f.Ours.Text != "" {
				f.Ours.Text += ", "
			}
			f.Ours.Text += "+" + report.KiB(n-plain)
			f.Met = f.Met && n-plain <= c.reach
		}
		f.Notes = []string{"A raw disk has its first and last MiB for the partition table and the BIOS's loader, and a system partition of whole MiB."}
		return f
	},
}

// loaderRow counts what the loader for a BIOS executes itself, from the firmware's hand-over to the image's entry: what INT 13h executes between is
// the firmware's and left out.
var loaderRow = Row{
	Name:  "loader",
	What:  "instructions of the BIOS loader for each byte of a raw disk's image of about 8 MiB (icount; each iteration of a REP counts)",
	Reach: "below 2",
	Measure: func(ctx context.Context, b *Bench) Figures {
		n, size, err := b.loaderCount(ctx)
		if err != nil {
			return failed(err)
		}
		each := float64(n) / float64(size)
		return Figures{
			Ours:  Figure{Text: fmt.Sprintf("%.2f", each)},
			Met:   each < loaderReach,
			Notes: []string{fmt.Sprintf("%s instructions for %s.", report.Count(n), report.KiB(size))},
		}
	},
}

// Addresses in boot/amd64: of bios.S, of entry.S's 32-bit Linux entry; how bios.S reads, and how much of its end is the fields that tell it of the image.
const (
	biosStart  = 0x2000
	imageGo    = 0x100540
	readBytes  = 60 << 10 // at once
	readDisk   = "\xb4\x42\xcd\x13"
	fieldBytes = 32
)

// loaderCount returns how many instructions the loader executed, and for how many bytes.
func (b *Bench) loaderCount(ctx context.Context) (count, size int64, err error) {
	const pkg = "ci/bench/guest/web"
	file, err := b.as(ctx, "raw", pkg)
	if err != nil {
		return 0, 0, err
	}
	disk, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	fields := 34*512 + len(amd64.BIOS) - fieldBytes + 8 // of the loader, in the partition that begins at block 34: the image's length
	size = int64(disk[fields]) | int64(disk[fields+1])<<8 | int64(disk[fields+2])<<16 | int64(disk[fields+3])<<24
	if size == 0 {
		return 0, 0, fmt.Errorf("the loader on the disk says that its image has no bytes: boot/amd64/bios.S has its fields elsewhere")
	}
	in := bytes.LastIndex(amd64.BIOS, []byte(readDisk))
	if in < 0 {
		return 0, 0, fmt.Errorf("boot/amd64/bios.bin reads no disk")
	}
	boot, err := qemu.Start(ctx, qemu.Machine{MemoryKiB: 128 << 10, BootDisk: file, Clock: qemu.ExactClock, Monitor: true, Debugger: true}, loaderLimit)
	if err != nil {
		return 0, 0, err
	}
	defer boot.Close()
	monitor, err := boot.Monitor()
	if err != nil {
		return 0, 0, err
	}
	defer monitor.Close()
	debugger, err := boot.Debugger()
	if err != nil {
		return 0, 0, err
	}
	defer debugger.Close()
	reach := func(addr uint64) (int64, error) {
		if err := debugger.RunTo(addr, loaderLimit); err != nil {
			return 0, err
		}
		return monitor.Instructions()
	}
	last, err := reach(biosStart)
	if err != nil {
		return 0, 0, err
	}
	call := uint64(biosStart + in + 2)
	for range (size + readBytes - 1) / readBytes {
		n, err := reach(call)
		if err != nil {
			return 0, 0, err
		}
		count += n - last
		if last, err = reach(call + 2); err != nil {
			return 0, 0, err
		}
	}
	n, err := reach(imageGo)
	return count + n - last, size, err
}

// buildISORow times a build whose program is linked already.
var buildISORow = Row{
	Name:  "build-iso",
	What:  "`mkimage build -o x.iso` of samples/hello with nothing changed",
	Reach: "below 1 s",
	Measure: func(ctx context.Context, b *Bench) Figures {
		var took []time.Duration
		for round := range 1 + buildRuns*b.N {
			began := time.Now()
			if _, err := b.as(ctx, "iso", "samples/hello"); err != nil {
				return failed(err)
			}
			if round > 0 {
				took = append(took, time.Since(began))
			}
		}
		median := stat.Median(took)
		return Figures{Ours: Figure{Text: milliseconds(median)}, Met: median < isoBuildReach}
	},
}
