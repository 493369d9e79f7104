// Command rawdisk is what the filesystem's rows are compared with: it does with the first disk itself what PHASE in the environment says.
//
//	raw     write and read 1 GiB in order, 16 pieces of 256 KiB at a time: in an image by libos/fs/block, on Linux past the page cache
//	mount   mount the volume, or the ext4 filesystem
package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	size  = 1 << 30
	piece = 256 << 10
	depth = 16
)

func main() {
	switch os.Getenv("PHASE") {
	case "raw":
		write, read, flush := disk()
		run("write", write, flush)
		run("read", read, func() error { return nil })
	case "mount":
		began := time.Now()
		must(mount())
		fmt.Printf("RESULT mount %.3f ms\n", float64(time.Since(began).Microseconds())/1e3)
	default:
		must(fmt.Errorf("PHASE says nothing"))
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "rawdisk:", err)
		os.Exit(1)
	}
}

// run moves all pieces, several at a time.
func run(name string, move func(b []byte, off int64) error, flush func() error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range depth {
		b := aligned()
		for i := range b {
			b[i] = byte(i * 7)
		}
		wg.Go(func() {
			for {
				off := (next.Add(1) - 1) * piece
				if off >= size {
					return
				}
				must(move(b, off))
			}
		})
	}
	wg.Wait()
	must(flush())
	fmt.Printf("RESULT %s %.3f MB/s\n", name, size/1e6/time.Since(began).Seconds())
}
