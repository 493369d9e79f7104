// Command scan reads a file that is larger than the memory for it, again and again, by two policies for what to put out: the page that was not used for the
// longest time, and the page that came last.
//
// Every kernel has the first. For a scan that begins again it is the worst there is: each page is put out just before its turn. With N
// pages and room for M of them it brings in N pages a pass; the second keeps M-1 of them and brings in N-M or so.
package main

import (
	"fmt"
	"os"

	"github.com/hardtack-os/hardtack/libos/vm"
)

const (
	pages  = 256
	frames = 192
	passes = 10
)

// numbers is a file whose pages are computed.
type numbers struct{}

func (numbers) ReadPage(page int, to []byte) error {
	for i := range to {
		to[i] = byte(page)
	}
	return nil
}

func (numbers) WritePage(int, []byte) error { return fmt.Errorf("nobody writes to a page") }

func main() {
	lru, mru := scan(new(vm.LRU)), scan(new(vm.MRU))
	fmt.Printf("pages brought in a pass: LRU %.1f, MRU %.1f: %.2f times fewer (theory: %.2f)\n",
		lru, mru, lru/mru, float64(pages)/float64(pages-frames))
}

// scan reads all pages several times and returns how many were brought in a pass, after the first.
func scan(policy vm.Policy) float64 {
	pool, err := vm.NewPool("scan", frames)
	if err != nil {
		fail(err)
	}
	pager := vm.NewBacked(numbers{}, pool, policy)
	r, err := vm.Reserve("scan", pages*vm.PageSize, pager)
	if err != nil {
		fail(err)
	}
	defer pool.Close()
	defer r.Close()
	mem := r.Bytes()
	read := func() {
		for i := range mem {
			if want := byte(i / vm.PageSize); mem[i] != want {
				fail(fmt.Errorf("byte %d is %d, not %d", i, mem[i], want))
			}
		}
	}
	read()
	first := pager.Stats(r).Reads
	for range passes {
		read()
	}
	return float64(pager.Stats(r).Reads-first) / passes
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "scan:", err)
	os.Exit(1)
}
