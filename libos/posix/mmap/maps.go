package mmap

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack/exo"
)

// maps is /proc/self/maps, proc(5). The names of files are not known.
func maps() []byte {
	table.mu.Lock()
	list := slices.Clone(table.views)
	table.mu.Unlock()
	slices.SortFunc(list, func(a, b *view) int { return cmp.Compare(a.lo, b.lo) })
	var b []byte
	hex := func(v uint64, width int) {
		s := strconv.FormatUint(v, 16)
		b = append(b, strings.Repeat("0", max(width-len(s), 0))...)
		b = append(b, s...)
	}
	for _, v := range list {
		a := v.o.raw.Attr()
		for _, s := range *v.spans.Load() {
			hex(uint64(v.lo)+uint64(s.lo)*exo.PageSize, 12)
			b = append(b, '-')
			hex(uint64(v.lo)+uint64(s.hi)*exo.PageSize, 12)
			rights := []byte(" ---p ")
			if s.prot != exo.ProtNone {
				rights[1] = 'r'
			}
			if s.prot == exo.ProtWrite {
				rights[2] = 'w'
			}
			if v.shared {
				rights[4] = 's'
			}
			b = append(b, rights...)
			hex(uint64(v.first+int64(s.lo))*exo.PageSize, 8)
			b = append(b, " 00:00 "...)
			b = strconv.AppendUint(b, a.Ino, 10)
			b = append(b, '\n')
		}
	}
	return b
}
