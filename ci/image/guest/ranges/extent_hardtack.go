//go:build hardtack

package main

import (
	"fmt"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio/blk"
	"github.com/hardtack-os/hardtack/libos/vm"
	"github.com/hardtack-os/hardtack/libos/vm/extent"
)

func init() { commands["extent"] = extentPager }

// first is a policy of this program's: what came first goes first.
type first struct{ in []int }

func (p *first) In(page int) { p.in = append(p.in, page) }

func (p *first) Out(page int) {
	for i, q := range p.in {
		if q == page {
			p.in = append(p.in[:i], p.in[i+1:]...)
			return
		}
	}
}

func (p *first) Victim(func(int) bool) int { return p.in[0] }

// extentPager has a region of 128 pages on sectors 64 to 1088 of a disk, and frames for 16 of them: it looks at what the host left in each page and adds one to each byte that is odd.
func extentPager() {
	d := check(blk.Open(blk.Places()[0], blk.Options{}))
	space, all := d.Space()
	e := check(space.Bind(all, "pages", 64, 64+128*8, exo.Read|exo.Write))
	b := check(extent.New(d, e))
	pool := check(vm.NewPool("extent", 16))
	pager := vm.NewBacked(b, pool, new(first))
	r := check(vm.Reserve("extent", b.Pages()*vm.PageSize, pager))
	wrong := 0
	for range 2 {
		for i, v := range r.Bytes() {
			if want := byte(i/vm.PageSize + i); v&^1 != want&^1 && v != want+want&1 {
				wrong++
			}
			if v&1 != 0 {
				r.Bytes()[i]++
			}
		}
	}
	fmt.Println("pages", r.Pages(), "wrong", wrong, "sync", pager.Sync(r), "flush", b.Flush())
	s := pager.Stats(r)
	fmt.Println("reads", s.Reads, "writes", s.Writes)
	fmt.Println("close", r.Close(), pool.Close(), e.Release(), d.Close())
}
