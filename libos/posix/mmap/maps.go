package mmap

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack/exo"
)

// maps is /proc/self/maps, proc_pid_maps(5). The names of files are not known.
func maps() []byte { return regions(func(b []byte, _ *view, _ span) []byte { return b }) }

// smaps is /proc/self/smaps, proc_pid_smaps(5). Pages are those that mappings of the file have, this one or others.
func smaps() []byte {
	return regions(func(b []byte, v *view, s span) []byte {
		var own, dirty, file, locked, users uint64 // pages
		v.o.mu.Lock()
		for page := range v.own {
			if s.lo <= page && page < s.hi {
				own++
			}
		}
		for i := range v.o.pages {
			if page := i - v.first; int64(s.lo) <= page && page < int64(s.hi) && v.own[int(page)] == nil {
				file++
				if v.o.dirty[i] {
					dirty++
				}
			}
		}
		for _, l := range v.locks {
			locked += uint64(max(0, min(l.hi, s.hi)-max(l.lo, s.lo)))
		}
		users = uint64(max(len(v.o.views), 1))
		v.o.mu.Unlock()
		shared, private := file, uint64(0) // by how many mappings the file has
		if users == 1 {
			shared, private = 0, file
		}
		sharedDirty, privateDirty := min(dirty, shared), min(dirty, private)
		flags := ""
		for _, f := range []struct {
			set  bool
			name string
		}{{s.prot != exo.ProtNone, "rd "}, {s.prot == exo.ProtWrite, "wr "}, {v.shared, "sh "}, {true, "mr "}, {!v.shared || v.may, "mw "}, {v.shared, "ms "}, {locked > 0, "lo "}} {
			if f.set {
				flags += f.name
			}
		}
		for _, l := range []struct {
			name  string
			pages uint64
		}{{"Size", uint64(s.hi - s.lo)}, {"KernelPageSize", 1}, {"MMUPageSize", 1}, {"Rss", own + file}, {"Pss", own + file/users}, {"Shared_Clean", shared - sharedDirty}, {"Shared_Dirty", sharedDirty},
			{"Private_Clean", private - privateDirty}, {"Private_Dirty", own + privateDirty}, {"Referenced", own + file}, {"Anonymous", own}, {"Swap", 0}, {"SwapPss", 0}, {"Locked", min(locked, own+file)}} {
			n := strconv.FormatUint(l.pages*exo.PageSize/1024, 10)
			b = append(b, l.name+":"+strings.Repeat(" ", max(1, 24-len(l.name)-1-len(n)))+n+" kB\n"...)
		}
		return append(b, "VmFlags: "+flags+"\n"...)
	})
}

// regions writes a line for each span of all mappings, by address, and behind it what more adds.
func regions(more func(b []byte, v *view, s span) []byte) []byte {
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
			b = more(b, v, s)
		}
	}
	return b
}
