package cffs

import (
	"cmp"
	"iter"
	"slices"

	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// A page is one block of a file in memory. fresh: no extent covers it.
type page struct {
	of    *pages.Slot // pinned
	at    uint8       // which of its pages it is
	fresh bool
}

// data is the memory.
func (p page) data() []byte { return p.of.Page(int(p.at)) }

// dirties are the dirty pages of a file by their numbers. FS.mu guards them.
//
// They lie in windows, for as a map of pages they cost a large file that is written in order more than its sums did: to put in, to find, to sort, and for collections to look at.
type dirties struct {
	list []window // in order; none is empty
	n    int
}

// A window is those pages of a file whose numbers are at times perWindow and what follows.
type window struct {
	at    uint64
	pages *[perWindow]page // those that are not dirty have no memory
}

const perWindow = 16

// find gives the place of the window that number i belongs to, and whether it is there. It is quick at the end, where a file that is written in order grows.
func (d *dirties) find(i uint64) (k int, ok bool) {
	at := i / perWindow
	if last := len(d.list) - 1; last >= 0 && d.list[last].at <= at {
		if d.list[last].at == at {
			return last, true
		}
		return last + 1, false
	}
	return slices.BinarySearchFunc(d.list, at, func(w window, at uint64) int { return cmp.Compare(w.at, at) })
}

// get gives a page.
func (d *dirties) get(i uint64) (p page, ok bool) {
	if d.n == 0 {
		return page{}, false
	}
	k, ok := d.find(i)
	if !ok {
		return page{}, false
	}
	p = d.list[k].pages[i%perWindow]
	return p, p.of != nil
}

// has says whether a page is dirty.
func (d *dirties) has(i uint64) bool {
	_, ok := d.get(i)
	return ok
}

// put adds a page, which is not there.
func (d *dirties) put(i uint64, p page) {
	k, ok := d.find(i)
	if !ok {
		d.list = slices.Insert(d.list, k, window{i / perWindow, new([perWindow]page)})
	}
	d.list[k].pages[i%perWindow] = p
	d.n++
}

// cut takes out the pages from a to b, both included, and calls gone for each.
func (d *dirties) cut(a, b uint64, gone func(page)) {
	k, _ := d.find(a)
	end := k
	for ; end < len(d.list) && d.list[end].at <= b/perWindow; end++ {
		w := d.list[end]
		for j := range w.pages {
			if i := w.at*perWindow + uint64(j); w.pages[j].of != nil && a <= i && i <= b {
				gone(w.pages[j])
				w.pages[j] = page{}
				d.n--
			}
		}
	}
	kept := slices.DeleteFunc(d.list[k:end:end], func(w window) bool { return *w.pages == [perWindow]page{} })
	d.list = slices.Delete(d.list, k+len(kept), end)
}

// all gives the pages in order, with their numbers.
func (d *dirties) all() iter.Seq2[uint64, page] {
	return func(yield func(uint64, page) bool) {
		for _, w := range d.list {
			for j, p := range w.pages {
				if p.of != nil && !yield(w.at*perWindow+uint64(j), p) {
					return
				}
			}
		}
	}
}

// last is the greatest number; there is one.
func (d *dirties) last() uint64 {
	w := d.list[len(d.list)-1]
	j := perWindow - 1
	for w.pages[j].of == nil {
		j--
	}
	return w.at*perWindow + uint64(j)
}
