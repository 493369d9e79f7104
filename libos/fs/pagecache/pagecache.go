// Package pagecache is the machine's page cache: one store (libos/fs/pages) for all that an image has on disks or compressed, in frames that the allocator takes back at any moment (exo.Spares). The word
// pagecache=MOST[,LEAST] of the command line bounds it (sizes as 64M), /proc/meminfo and /proc/vmstat show it.
package pagecache

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
	"github.com/hardtack-os/hardtack/libos/posix"
)

const slotBytes = pages.PerSlot * pages.Size

// A slot's word means the same to both.
var _ = [1]struct{}{}[pages.Have^exo.SpareHave|pages.Used^exo.SpareUsed|pages.Busy^exo.SpareBusy|pages.PerSlot^exo.SpareFrames|pages.Size^exo.PageSize]

var cache *pages.Store

// Store gives the page cache; nil where the machine has none, so that who wants one has memory of its own. It is called by init functions, one at a time: the first call makes it.
func Store() *pages.Store {
	if cache != nil {
		return cache
	}
	memory, _ := posix.Memory()
	word, _ := exo.Setting("pagecache")
	most, least, err := cacheSize(word, memory)
	if err != nil {
		println("libos/fs/pagecache:", err.Error())
	}
	mem, err := exo.OpenSpares(int(most/slotBytes), int(least/slotBytes), shrink)
	if err != nil {
		return nil
	}
	cache = pages.New(mem)
	fs.PageCache = cacheUse
	return cache
}

// StoreOf is Store, or where the machine has none, one of so many bytes of Go's heap.
func StoreOf(bytes int) *pages.Store {
	if s := Store(); s != nil {
		return s
	}
	return pages.New(pages.NewHeap(bytes))
}

// shrink is asked for frames. Those that are mapped go last.
func shrink(frames int) (given int) {
	if cache == nil {
		return 0
	}
	n := (frames + pages.PerSlot - 1) / pages.PerSlot
	given = cache.Shrink(n)
	if given < n && fs.GiveBack((n-given)*pages.PerSlot) > 0 {
		given += cache.Shrink(n - given)
	}
	return given * pages.PerSlot
}

// cacheSize reads MOST[,LEAST], sizes as 64M. Without it the cache may have all of memory that nobody else needs, and keeps a sixty-fourth.
func cacheSize(word string, memory uint64) (most, least uint64, err error) {
	most, least = memory, memory/64
	if word != "" {
		a, b, two := strings.Cut(word, ",")
		m, ok := Bytes(a)
		l, also := min(least, m), true
		if two {
			l, also = Bytes(b)
		}
		if !ok || !also || l > m {
			err = errors.New("pagecache=" + word + ": want MOST or MOST,LEAST, sizes as 64M")
		} else {
			most, least = min(m, memory), min(l, memory/4)
		}
	}
	return max(most, 8*slotBytes), max(least, 4*slotBytes), err
}

// Bytes reads a size: a number, with K, M or G behind it.
func Bytes(s string) (uint64, bool) {
	shift := 0
	if n := len(s); n > 0 {
		switch s[n-1] {
		case 'K':
			shift = 10
		case 'M':
			shift = 20
		case 'G':
			shift = 30
		}
	}
	if shift > 0 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return n << shift, err == nil
}

// cacheUse is fs.PageCache.
func cacheUse() (cached, dirty uint64, list []fs.Counter) {
	c := cache.Counts()
	return uint64(c.Slots) * slotBytes, uint64(c.Kept) * pages.Size, []fs.Counter{
		{Name: "nr_file_pages", Value: uint64(c.Slots) * pages.PerSlot},
		{Name: "nr_dirty", Value: uint64(c.Kept)},
		{Name: "pagecache_mapped", Value: uint64(c.Mapped) * pages.PerSlot},
		{Name: "pagecache_pinned", Value: uint64(c.Pinned) * pages.PerSlot},
		{Name: "pagecache_hit", Value: c.Hits},
		{Name: "pagecache_miss", Value: c.Misses},
		{Name: "pagecache_read", Value: c.Read},
		{Name: "pagecache_reused", Value: c.Reused * pages.PerSlot},
		{Name: "pagecache_given", Value: c.Given * pages.PerSlot},
		{Name: "pagecache_forced", Value: c.Forced * pages.PerSlot},
	}
}
