package exo

import "slices"

// A Range is a run of names, both ends included.
type Range struct{ Lo, Hi uint64 }

// A nameSet is a set of names: disjoint ranges in order, with a gap between neighbours.
type nameSet []Range

// after is the index of the first range that ends at or after x.
func (s nameSet) after(x uint64) int {
	i, j := 0, len(s)
	for i < j {
		if m := int(uint(i+j) / 2); s[m].Hi < x {
			i = m + 1
		} else {
			j = m
		}
	}
	return i
}

// covers says whether all of [lo, hi] is in the set.
func (s nameSet) covers(lo, hi uint64) bool {
	i := s.after(lo)
	return i < len(s) && s[i].Lo <= lo && hi <= s[i].Hi
}

// overlap is the first range that shares a name with [lo, hi].
func (s nameSet) overlap(lo, hi uint64) (Range, bool) {
	if i := s.after(lo); i < len(s) && s[i].Lo <= hi {
		return s[i], true
	}
	return Range{}, false
}

// common is the part of the set that lies in [lo, hi].
func (s nameSet) common(lo, hi uint64) (list []Range) {
	for i := s.after(lo); i < len(s) && s[i].Lo <= hi; i++ {
		list = append(list, Range{max(lo, s[i].Lo), min(hi, s[i].Hi)})
	}
	return list
}

// size is the number of names. No space has 1<<64 of them.
func (s nameSet) size() (n uint64) {
	for _, r := range s {
		n += r.Hi - r.Lo + 1
	}
	return n
}

// add puts [lo, hi] in and joins it with what it touches.
func (s *nameSet) add(lo, hi uint64) {
	i := s.after(lo)
	if i > 0 && (*s)[i-1].Hi+1 == lo {
		i--
	}
	j := i
	for j < len(*s) && ((*s)[j].Lo <= hi || (*s)[j].Lo == hi+1) {
		lo, hi = min(lo, (*s)[j].Lo), max(hi, (*s)[j].Hi)
		j++
	}
	if i == j {
		*s = slices.Insert(*s, i, Range{lo, hi})
		return
	}
	(*s)[i] = Range{lo, hi}
	*s = slices.Delete(*s, i+1, j)
}

// remove takes out what is in [lo, hi].
func (s *nameSet) remove(lo, hi uint64) {
	i := s.after(lo)
	if i == len(*s) || (*s)[i].Lo > hi {
		return
	}
	if r := (*s)[i]; r.Lo < lo && r.Hi > hi { // a hole in one range
		(*s)[i].Hi = lo - 1
		*s = slices.Insert(*s, i+1, Range{hi + 1, r.Hi})
		return
	}
	if (*s)[i].Lo < lo {
		(*s)[i].Hi = lo - 1
		i++
	}
	j := i
	for j < len(*s) && (*s)[j].Hi <= hi {
		j++
	}
	if j < len(*s) && (*s)[j].Lo <= hi {
		(*s)[j].Lo = hi + 1
	}
	*s = slices.Delete(*s, i, j)
}

// find is the lowest start of n names in a row at a multiple of align (a power of two).
func (s nameSet) find(n, align uint64) (lo uint64, ok bool) {
	for _, r := range s {
		lo := (r.Lo + align - 1) &^ (align - 1)
		if lo >= r.Lo && lo <= r.Hi && r.Hi-lo >= n-1 {
			return lo, true
		}
	}
	return 0, false
}
