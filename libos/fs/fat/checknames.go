package fat

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// look looks at all names of a folder, and has its files take their clusters.
func (c *checker) look(d int) {
	chain := c.chain(d)
	n := &namer{c: c, d: d, chain: chain, seen: map[string]bool{}, next: map[short]int{}}
	kept := 0 // clusters, up to that of the last name
	strays, lost := int64(0), false
	end := c.rows(d, chain, 0, func(r *row) bool {
		if k := min(int(int64(r.slot)*32/c.cluster)+1, len(chain)); k > kept && r.short != dot && r.short != dotdot {
			c.keepAll(chain[kept:k])
			kept = k
		}
		switch {
		case r.short == dot || r.short == dotdot:
			if d > 0 && r.slot < 2 {
				c.parts(r)
				c.times(r)
				return true
			}
			if r.raw[11]&attrDir != 0 {
				c.add(c.is(c.first(r)) && !c.isUsed(c.first(r)), "the folder "+shown(c.pathTo(d))+" has the name "+strconv.Quote(r.short.String())+" at entry "+num(int64(r.slot)), "it is removed")
				c.remove(r)
				return true
			}
		case r.raw[11]&attrLabel != 0:
			if !c.asLabel(r) {
				return true
			}
		}
		c.parts(r)
		n.name(r)
		c.times(r)
		if r.raw[11]&attrDir == 0 {
			c.file(r)
			c.r.Files++
		} else if size := le.Uint32(r.raw[28:]); size != 0 {
			c.add(false, "the folder "+c.call(r)+" has a size, "+num(int64(size)), "it has none, as folders have not")
			le.PutUint32(c.change(r.at)[28:], 0)
		}
		return true
	}, func(slot int, whole bool) {
		if strays++; whole {
			lost = true
		}
		c.clearSlots(d, chain, slot, slot+1)
	})
	if strays > 0 {
		c.add(lost, "the folder "+shown(c.pathTo(d))+" has "+count(strays, "part")+" of long names that belong to no name", "removed")
	}
	c.behind(d, chain, end)
}

// parts looks at what is the same in all entries, and in those of long names: FAT, 7.
func (c *checker) parts(r *row) {
	wrong := false
	for i := r.begin; i < r.slot; i++ {
		at, _ := c.place(r.d, r.chain, i)
		if b, err := c.peek(at); err == nil && (b[11] != attrLong || b[12] != 0 || le.Uint16(b[26:]) != 0) {
			wrong = true
			b = c.change(at)
			b[11], b[12] = attrLong, 0
			le.PutUint16(b[26:], 0)
		}
	}
	if b := r.raw[12] &^ 0x18; b != 0 { // what is left of DIR_NTRes is nobody's: FAT, 6
		wrong = true
		c.change(r.at)[12] &= 0x18
	}
	if wrong {
		c.add(false, "fields of "+c.call(r)+" in which nothing is are not zero", "they are")
	}
}

// behind looks at what is behind the end of a folder. Some systems, as Linux, see names there, and others not.
func (c *checker) behind(d int, chain []uint32, end int) {
	names := int64(0)
	for i := end; ; i++ {
		at, ok := c.place(d, chain, i)
		if !ok {
			break
		}
		b, err := c.peek(at)
		if err != nil {
			i += int(c.sector/32) - 1
			continue
		}
		if b[0] != 0 && b[0] != deleted {
			names++
			clear(c.change(at))
		}
	}
	if names > 0 {
		c.add(true, "the folder "+shown(c.pathTo(d))+" has "+count(names, "name")+" behind its end, at entry "+num(int64(end))+", which some systems see, and others not", "removed: files that they name have no name then")
	}
}

// asLabel looks at a label, and says whether it is the name of a file that is marked as a label.
func (c *checker) asLabel(r *row) bool {
	first := c.first(r)
	if c.is(first) && !c.isUsed(first) && c.get(first) != 0 && r.raw[11]&attrDir == 0 {
		c.add(false, "the file "+c.call(r)+" is marked as a label", "it is a file")
		c.change(r.at)[11] &^= attrLabel
		r.raw[11] &^= attrLabel
		return true
	}
	quoted := strconv.Quote(r.short.String())
	switch {
	case r.d > 0:
		c.add(false, "the folder "+shown(c.pathTo(r.d))+" has a label, "+quoted+", which only a volume has", "removed")
		c.remove(r)
		return false
	case c.isNamed:
		c.add(false, "the volume has two labels, "+strconv.Quote(c.named.String())+" and "+quoted, "the second is removed")
		c.remove(r)
		return false
	}
	if c.isNamed, c.named = true, r.short; r.short.bad() {
		c.named = clean(r.short)
		c.add(true, "the volume's label, "+quoted+", has characters that no name has", "it is "+strconv.Quote(c.named.String()))
		copy(c.change(r.at), c.named[:])
	}
	if le.Uint16(r.raw[26:]) != 0 || le.Uint32(r.raw[28:]) != 0 || r.raw[11]&attrDir != 0 {
		c.add(false, "the volume's label, "+quoted+", has a cluster, a size, or is a folder", "it is a label")
		b := c.change(r.at)
		b[11] = attrLabel
		c.putFirst(b, 0)
		le.PutUint32(b[28:], 0)
	}
	return false
}

// namer knows the names of a folder.
type namer struct {
	c     *checker
	d     int
	chain []uint32
	seen  map[string]bool // as folded
	all   map[string]bool // those that come yet, too; nil: not read
	next  map[short]int   // the tail that is tried next, by the name with the first one of so many digits, as in an index: else the n-th of equal names would try n of them
}

func fold(name string) string { return string(folded(nil, name)) }

// name looks at the name of a row: it has to be one that can be, and the only one of its kind.
func (n *namer) name(r *row) {
	c := n.c
	if r.wrong {
		c.add(true, "the long name of "+c.call(r)+" has characters that no name has", "it is called "+strconv.Quote(r.short.String()))
		n.forget(r)
	}
	if s := clean(r.short); r.short.bad() {
		to := s
		if n.taken(s.String()) {
			to = n.free(s)
		}
		c.add(r.long == "", "the short name of "+c.call(r)+" has characters that no name has", "it is "+strconv.Quote(to.String()))
		n.rename(r, to)
	}
	if n.seen[fold(r.short.String())] {
		to := n.free(r.short)
		c.add(false, "two names in the folder "+shown(c.pathTo(n.d))+" are "+strconv.Quote(r.short.String()), "the second is "+strconv.Quote(to.String()))
		n.rename(r, to)
	}
	if r.long != "" && fold(r.long) != fold(r.short.String()) && n.seen[fold(r.long)] {
		c.add(false, "two names in the folder "+shown(c.pathTo(n.d))+" are "+strconv.Quote(r.long), "the second is "+strconv.Quote(r.short.String()))
		n.forget(r)
	}
	n.seen[fold(r.short.String())] = true
	if r.long != "" {
		n.seen[fold(r.long)] = true
	}
}

// taken says whether any name of the folder is this one.
func (n *namer) taken(name string) bool {
	if n.all == nil {
		n.all = map[string]bool{}
		n.c.rows(n.d, n.chain, 0, func(r *row) bool {
			n.all[fold(r.short.String())] = true
			if r.long != "" {
				n.all[fold(r.long)] = true
			}
			return true
		}, func(int, bool) {})
	}
	return n.all[fold(name)]
}

// free gives a short name like one, that nobody has.
func (n *namer) free(s short) short {
	name := clean(s).String()
	for first := 1; ; first *= 10 { // of 65 536 names one of so many is free
		key := alias(name, first)
		for i := max(first, n.next[key]); i < 10*first; i++ {
			n.next[key] = i + 1
			if to := alias(name, i); !n.taken(to.String()) {
				n.all[fold(to.String())] = true
				return to
			}
		}
	}
}

// rename gives a row another short name; its long one stays.
func (n *namer) rename(r *row, to short) {
	copy(n.c.change(r.at), to[:])
	for i := r.begin; i < r.slot; i++ {
		if at, ok := n.c.place(n.d, n.chain, i); ok {
			n.c.change(at)[13] = to.sum()
		}
	}
	r.short = to
	copy(r.raw[:], to[:])
	n.renamed()
}

// forget takes the long name away.
func (n *namer) forget(r *row) {
	n.c.clearSlots(n.d, n.chain, r.begin, r.slot)
	r.begin, r.long, r.wrong = r.slot, "", false
	n.renamed()
}

// renamed forgets the last path, if it may be through this folder.
func (n *namer) renamed() {
	if n.c.pathOf != n.d+1 {
		n.c.pathOf = 0
	}
}

// times looks at the dates of an entry: FAT, 6.2. No date at all is one that was not kept.
func (c *checker) times(r *row) {
	wrong := false
	for _, o := range []int{16, 18, 24} {
		date := le.Uint16(r.raw[o:])
		if date == 0 {
			continue
		}
		y, m, d := 1980+int(date>>9), time.Month(date>>5&15), int(date&31)
		if at := time.Date(y, m, d, 0, 0, 0, 0, time.UTC); at.Year() != y || at.Month() != m || at.Day() != d {
			m = min(max(m, 1), 12)
			d = min(max(d, 1), time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day())
			le.PutUint16(r.raw[o:], date&^0x1ff|uint16(m)<<5|uint16(d))
			wrong = true
		}
	}
	for _, o := range []int{14, 22} {
		t := le.Uint16(r.raw[o:])
		if h, m, s := t>>11, t>>5&63, t&31; h > 23 || m > 59 || s > 29 {
			le.PutUint16(r.raw[o:], min(h, 23)<<11|min(m, 59)<<5|min(s, 29))
			wrong = true
		}
	}
	if wrong {
		c.add(false, "a date or time of "+c.call(r)+" is none", "it is the nearest one")
		copy(c.change(r.at)[14:26], r.raw[14:26])
	}
}

// file has a file take its clusters, as many as its size needs.
func (c *checker) file(r *row) {
	first, size := c.first(r), int64(le.Uint32(r.raw[28:]))
	need := c.need(size)
	set := func(first uint32, size int64) {
		b := c.change(r.at)
		c.putFirst(b, first)
		le.PutUint32(b[28:], uint32(size))
	}
	bytesFrom := func(n int) string {
		return "bytes " + num(c.room(n)) + " to " + num(size-1) + " of " + c.call(r)
	}
	ends := func(n int) string { return "it has " + count(min(c.room(n), size), "byte") }
	switch {
	case size == 0 && first == 0:
		return
	case size == 0:
		if c.is(first) {
			c.add(false, "the file "+c.call(r)+" has clusters, from "+num(int64(first))+" on, and no bytes", "it has none of them")
		} else {
			c.add(false, "the file "+c.call(r)+" has no bytes, and begins at cluster "+num(int64(first))+", which is none", "it begins nowhere")
		}
		set(0, 0)
		return
	case first == 0:
		c.add(true, "the file "+c.call(r)+" has "+count(size, "byte")+", and no clusters", "it has none")
		set(0, 0)
		return
	}
	list, how, next := c.claim(first, need)
	c.owned(list, func() string { return c.call(r) })
	if int64(len(list)) == need {
		c.keepAll(list)
		switch how {
		case whole, unlinked:
			if how == unlinked {
				c.add(false, "the last cluster of "+c.call(r)+", "+num(int64(list[need-1]))+", counts as free", "it is the file's")
			}
		default:
			c.add(false, "the file "+c.call(r)+" has "+count(size, "byte")+", and behind its last cluster the chain "+c.stops(how, next), "it ends there")
		}
		return
	}
	had := len(list)
	if how == shared {
		from := next
		copied := c.copied(next, need-int64(had))
		list = append(list, copied...)
		mend := "it has a copy of them"
		if int64(len(list)) < need {
			mend = "it has a copy of some, and " + ends(len(list)) + ": there are no more, or no room for them"
			if len(copied) == 0 {
				mend = ends(len(list)) + ": there is no room for a copy"
			}
		}
		c.add(true, bytesFrom(had)+", from cluster "+num(int64(from))+" on, are those of "+c.owner(from)+", too", mend)
		if had > 0 && len(copied) > 0 {
			c.set(list[had-1], copied[0])
		}
	} else {
		why := "the chain " + c.stops(how, next)
		if how == whole {
			why = "the chain ends"
		}
		if had == 0 {
			why = "it begins at cluster " + num(int64(first)) + ", which is " + map[bool]string{true: "marked as bad", false: "none"}[how == bad]
		}
		c.add(true, bytesFrom(had)+" are nowhere: "+why, ends(had))
	}
	if len(list) == 0 {
		set(0, 0)
		return
	}
	set(list[0], min(size, c.room(len(list))))
}

// copied gives a chain of new clusters, for copies of most clusters from one on, as far as there are any, and room.
func (c *checker) copied(from uint32, most int64) (list []uint32) {
	for n := from; int64(len(list)) < most && c.is(n); n = c.get(n) {
		to, ok := c.alloc()
		if !ok {
			break
		}
		if len(list) > 0 {
			c.set(list[len(list)-1], to)
		}
		list = append(list, to)
		c.moves = append(c.moves, move{n, to})
	}
	return list
}

// labels has the label of the boot sector, where that has room for one, be that of the root directory (FAT, 3.1 and 6).
func (c *checker) labels() {
	if !c.extended() {
		return
	}
	at := c.ext() + 2
	said, empty := short(c.boot[at+5:at+16]), short([]byte(noName+"    "))
	if sig := c.boot[at]; sig != 0x29 || strings.Trim(string(said[:]), " \x00") == "" {
		what := "the boot sector has a label of nothing"
		if sig != 0x29 {
			what = "the boot sector is not marked as having a label (" + num(int64(sig)) + ", not 41)"
		}
		c.add(false, what, "it has, and as long as there is none that is "+noName)
		c.boot[at], said = 0x29, empty
		copy(c.boot[at+5:], empty[:])
	}
	none := said == empty
	switch {
	case c.isNamed && said != c.named:
		c.add(false, "the label is "+strconv.Quote(c.named.String())+" in the root directory and "+strconv.Quote(said.String())+" in the boot sector", "it is "+strconv.Quote(c.named.String()))
		copy(c.boot[at+5:], c.named[:])
	case !c.isNamed && !none && (said.bad() || bytes.ContainsFunc(said[:], func(r rune) bool { return r >= 0x80 })):
		c.add(true, "the label in the boot sector, "+strconv.Quote(said.String())+", has characters that no name has, or not everywhere, and the root directory has none", "there is none")
		copy(c.boot[at+5:], noName+"    ")
	case !c.isNamed && !none:
		var b [32]byte
		copy(b[:], said[:])
		b[11] = attrLabel
		c.stamp(b[:])
		clear(b[14:20]) // which labels have not
		if _, _, ok := c.insert(0, [][32]byte{b}, 0); ok {
			c.add(false, "the boot sector has the label "+strconv.Quote(said.String())+", and the root directory has none", "it has")
			return
		}
		c.add(true, "the boot sector has the label "+strconv.Quote(said.String())+", and the root directory has none, and no room for it", "there is no label")
		copy(c.boot[at+5:], noName+"    ")
	}
}
