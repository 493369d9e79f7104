package main

import (
	"context"
	"fmt"
	"os"

	"github.com/hardtack-os/hardtack/ci/bench/report"
)

const sizeReach = 128 << 10

// sizeRow compares files: an image is all that is deployed, a Linux guest needs its kernel beside the program.
var sizeRow = Row{
	Name:  "size",
	What:  "samples/hello as an image, over the same program by `go build -ldflags \"-s -w\"`",
	Reach: "+128 KiB",
	Measure: func(ctx context.Context, b *Bench) Figures {
		program, err := b.Program(ctx, "samples/hello")
		if err != nil {
			return failed(err)
		}
		plain, err := fileSize(program)
		if err != nil {
			return failed(err)
		}
		ours, linux := both(ctx, b, "samples/hello", func(g *Guest) (int64, error) {
			if !g.Linux() {
				return fileSize(g.Kernel)
			}
			kernel, err := fileSize(b.kernel.Image)
			if err != nil {
				return 0, err
			}
			initrd, err := fileSize(g.Initrd)
			return kernel + initrd, err
		})
		over := func(n int64) string {
			return fmt.Sprintf("+%s (%+.1f%%)", report.KiB(n-plain), 100*float64(n-plain)/float64(plain))
		}
		return Figures{
			Ours: ours.figure(over), Linux: linux.figure(over), Met: ours.Value-plain <= sizeReach,
			Notes: []string{"The plain program has " + report.KiB(plain) + "; the Linux guest is it in an initramfs, and the kernel as Debian compresses it."},
		}
	},
}

func fileSize(name string) (int64, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}
