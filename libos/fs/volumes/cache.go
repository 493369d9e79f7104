package volumes

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// The page cache: one store for all volumes of the image, in frames that the allocator takes back at any moment.

const slotBytes = pages.PerSlot * pages.Size

// A slot's word means the same to both.
var _ = [1]struct{}{}[pages.Have^exo.SpareHave|pages.Used^exo.SpareUsed|pages.Busy^exo.SpareBusy|pages.PerSlot^exo.SpareFrames|pages.Size^exo.PageSize]

var cache *pages.Store

// store gives the page cache; nil where the machine has none, so that volumes have memory of their own. It makes it from memory, the machine's in bytes, and the word pagecache of the command line.
func store(memory uint64) *pages.Store {
	if cache != nil {
		return cache
	}
	word, _ := exo.Setting("pagecache")
	most, least, err := cacheSize(word, memory)
	if err != nil {
		tell(err)
	}
	mem, err := exo.OpenSpares(int(most/slotBytes), int(least/slotBytes), shrink)
	if err != nil {
		return nil
	}
	cache = pages.New(mem)
	fs.PageCache = cacheUse
	return cache
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
		m, ok := bytesOf(a)
		l, also := min(least, m), true
		if two {
			l, also = bytesOf(b)
		}
		if !ok || !also || l > m {
			err = errors.New("pagecache=" + word + ": want MOST or MOST,LEAST, sizes as 64M")
		} else {
			most, least = min(m, memory), min(l, memory/4)
		}
	}
	return max(most, 8*slotBytes), max(least, 4*slotBytes), err
}

// bytesOf reads a size: a number, with K, M or G behind it.
func bytesOf(s string) (uint64, bool) {
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
