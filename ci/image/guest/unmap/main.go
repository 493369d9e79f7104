// Command unmap looks at what mapping brings in where that is asked for (MAP_POPULATE), and at what unmapping gives back: the tables of small pages, too; and pages out of the midst of a large one when no frame is left to split it with.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"unsafe"

	"github.com/hardtack-os/hardtack/exo"
)

const (
	large    = 2 << 20
	populate = 23 // MADV_POPULATE_WRITE
)

func main() {
	debug.SetGCPercent(-1)
	debug.SetPanicOnFault(true)

	// 16 large pages' worth of small ones, each time elsewhere.
	small := func() {
		b := mmap(16 * large)
		must(syscall.Madvise(b, syscall.MADV_NOHUGEPAGE))
		must(syscall.Madvise(b, populate))
		must(syscall.Munmap(b))
	}
	small()
	before, _ := exo.CountFrames()
	for range 20 {
		small()
	}
	after, _ := exo.CountFrames()
	fmt.Println("tables came back:", before < after+100, "of", 20*16) // a hundred for what else goes on

	had, _ := exo.CountFrames()
	p, err := syscall.Mmap(-1, 0, 3*large, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_POPULATE)
	must(err)
	has, _ := exo.CountFrames()
	must(syscall.Madvise(p, syscall.MADV_WILLNEED))
	must(syscall.Munmap(p))
	_, err = syscall.Mmap(-1, 0, 1<<30, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_POPULATE) // more than there is, and nobody may store there
	must(err)
	p, err = syscall.Mmap(-1, 0, 1<<30, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_POPULATE)
	must(err)
	most, _ := exo.CountFrames()
	must(syscall.Munmap(p))
	fmt.Println("brought in:", had-has > 3*large/4096-100, most > 0)

	b := mmap(2 * large)
	off := -uintptr(unsafe.Pointer(&b[0])) & (large - 1)
	must(syscall.Madvise(b, syscall.MADV_HUGEPAGE))
	page := b[off : off+large]
	free, _ := exo.CountFrames()
	page[0], page[4096], page[8192] = 1, 2, 3
	now, _ := exo.CountFrames()
	fmt.Println("large:", free-now >= 512)
	rest := mmap(1 << 30)
	must(syscall.Madvise(rest[:large], syscall.MADV_NOHUGEPAGE))
	syscall.Madvise(rest[:large], populate) // the way there
	full := syscall.Madvise(rest, populate)
	_, _, e := syscall.Syscall(syscall.SYS_MUNMAP, uintptr(unsafe.Pointer(&page[4096])), 4096, 0)
	must(syscall.Munmap(rest))
	fmt.Println("full:", full == syscall.ENOMEM, e)
	fmt.Println(page[0], page[8192], reads(&page[0]), reads(&page[4096]))
}

func reads(p *byte) (ok bool) {
	defer func() { recover() }()
	_ = *p + 1
	sink = *p
	return true
}

var sink byte

func mmap(n int) []byte {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	must(err)
	return b
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
