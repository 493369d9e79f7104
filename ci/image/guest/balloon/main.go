// Command balloon lives with memory that comes and goes: it allocates and drops all the time, keeps data that it checks, and has a cache of pages that can
// be read again. It tells of its memory when that changes, and takes orders by the line: "touch" uses as much memory as may be, "end" ends.
package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/libos/vm"
	"github.com/hardtack-os/hardtack/libos/vm/balloon"
)

const (
	cachePages = 48 << 20 / vm.PageSize
	cacheLeast = 8 << 20 / vm.PageSize
	keep       = 6 << 20 // bytes of the heap that live
	block      = 16 << 10
)

// squares is where the cache's pages come from: a computation.
type squares struct{ reads atomic.Int64 }

func (s *squares) ReadPage(page int, to []byte) error {
	s.reads.Add(1)
	for i := range to {
		to[i] = byte(page * page)
	}
	return nil
}

func (s *squares) WritePage(int, []byte) error { return nil }

var rounds, damaged atomic.Int64

// work allocates, drops, and looks whether what it kept is as it was. A number counts the goroutine.
func work(n int) {
	kept := make([][]byte, keep/2/block)
	for {
		k := rand.IntN(len(kept))
		if b := kept[k]; b != nil && (b[0] != byte(k) || b[block-1] != byte(k+n)) {
			damaged.Add(1)
		}
		b := make([]byte, block)
		b[0], b[block-1] = byte(k), byte(k+n)
		kept[k] = b
		rounds.Add(1)
	}
}

// read reads the cache.
func read(r *vm.Region) {
	mem := r.Bytes()
	for {
		page := rand.IntN(cachePages)
		if b := mem[page*vm.PageSize:][:vm.PageSize]; b[0] != byte(page*page) || b[vm.PageSize-1] != byte(page*page) {
			damaged.Add(1)
		}
		rounds.Add(1)
		time.Sleep(50 * time.Microsecond)
	}
}

func orders(cache func() string) {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "touch":
			var list [][]byte
			for used := int64(0); used < debug.SetMemoryLimit(-1)*9/10-5*keep/2; used += 1 << 20 {
				b := make([]byte, 1<<20)
				for i := 0; i < len(b); i += vm.PageSize {
					b[i] = 1
				}
				list = append(list, b)
			}
			runtime.KeepAlive(list)
			fmt.Println("touched", len(list))
		case "end":
			fmt.Println("rounds:", rounds.Load() > 0, "damaged:", damaged.Load(), "balloon:", balloon.Err())
			fmt.Println(cache())
			os.Exit(0)
		default:
			n, _ := strconv.Atoi(in.Text()) // a number: wait until so many rounds more are done
			for end := rounds.Load() + int64(n); rounds.Load() < end; {
				time.Sleep(10 * time.Millisecond)
			}
			fmt.Println("worked")
		}
	}
}

func main() {
	debug.SetMemoryLimit(debug.SetMemoryLimit(-1) - cachePages*vm.PageSize) // the runtime's default does not know of the cache
	pool, err := vm.NewRevocablePool("cache", cachePages, cacheLeast)
	if err != nil {
		panic(err)
	}
	cache := vm.NewBacked(new(squares), pool, new(vm.LRU))
	r, err := vm.Reserve("cache", cachePages*vm.PageSize, cache)
	if err != nil {
		panic(err)
	}
	r.Populate(0, cachePages*vm.PageSize, false)
	go orders(func() string { return fmt.Sprintf("cache: %+v", cache.Stats(r)) })
	go work(1)
	go work(2)
	go read(r)
	last := ""
	for {
		s := fmt.Sprintln("memory:", balloon.Pages(), "pages in the balloon,", vm.Revocable(), "in the cache, limit", debug.SetMemoryLimit(-1)>>20, "MiB")
		if s != last {
			fmt.Print(s)
			last = s
		}
		time.Sleep(20 * time.Millisecond)
	}
}
