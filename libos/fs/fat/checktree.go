package fat

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The folders of a check, and what is in them. First all folders take their clusters, then files: a file that has come to a folder's cluster gets a copy of it.

var (
	dot    = short([]byte(".          "))
	dotdot = short([]byte("..         "))
)

// chain gives the clusters of a folder, as they will be. It ends: who took them has seen to that.
func (c *checker) chain(d int) (list []uint32) {
	for n := c.dirs[d].first; c.is(n) && len(list) <= c.mostOfFolder(); n = c.get(n) {
		list = append(list, n)
	}
	return list
}

// place is where slot i of a folder with these clusters is; ok is false behind its end.
func (c *checker) place(d int, chain []uint32, i int) (at int64, ok bool) {
	off := int64(i) * 32
	if i >= maxSlots {
		return 0, false
	}
	if c.dirs[d].first == 0 {
		return c.rootAt + off, off < c.rootSize
	}
	if k := off / c.cluster; k < int64(len(chain)) {
		return c.at(chain[k]) + off%c.cluster, true
	}
	return 0, false
}

// peek gives an entry, to look at.
func (c *checker) peek(at int64) ([]byte, error) {
	base := at &^ (c.sector - 1)
	if b := c.edits[base]; b != nil {
		return b[at-base:][:32], nil
	}
	if base < c.chunkAt || base >= c.chunkAt+int64(len(c.chunk)) {
		end := c.rootAt + c.rootSize
		if at >= c.dataAt {
			end = at - (at-c.dataAt)%c.cluster + c.cluster
		}
		c.chunkAt, c.chunk = base, make([]byte, min(end-base, atOnce))
		if err := c.dev.Read([][]byte{c.chunk}, base); err != nil {
			c.chunk = c.chunk[:c.sector]
			if err := c.dev.Read([][]byte{c.chunk}, base); err != nil {
				c.chunk = nil
				return nil, err
			}
		}
	}
	return c.chunk[at-c.chunkAt:][:32], nil
}

// change gives an entry, to be changed. One that cannot be read is of a sector of removed names.
func (c *checker) change(at int64) []byte {
	base := at &^ (c.sector - 1)
	b := c.edits[base]
	if b == nil {
		b = make([]byte, c.sector)
		if _, err := c.peek(at); err != nil {
			for i := 0; i < len(b); i += 32 {
				b[i] = deleted
			}
		} else {
			copy(b, c.chunk[base-c.chunkAt:])
		}
		if int64(len(c.edits)+1)*c.sector > maxEdits {
			c.heavy = true // nothing is written, and this entry is looked at as it is
			return b[at-base:][:32]
		}
		c.edits[base] = b
	}
	return b[at-base:][:32]
}

// A row is a name in a folder.
type row struct {
	d     int // in dirs
	chain []uint32
	begin int // the first slot of its long name
	slot  int // of its entry
	at    int64
	raw   [32]byte
	short short
	long  string // "": none
	wrong bool   // its long name is one that no name can be
}

func (r *row) name() string {
	if r.long != "" {
		return r.long
	}
	return r.short.String()
}

func (c *checker) first(r *row) uint32 { return (&found{raw: r.raw}).first(c.width) }

// rows calls do for each name in a folder from slot i on, and for labels, until it returns false, and stray for slots of long names that have none; whole: those of a whole long name before a name that is another's by its sum. It gives the slot at which the folder ends. What cannot be read is told, and counts as removed.
func (c *checker) rows(d int, chain []uint32, i int, do func(r *row) bool, stray func(slot int, whole bool)) (end int) {
	var long []uint16
	var part []int // slots of a long name
	want, check := 0, byte(0)
	drop := func(whole bool) {
		for _, s := range part {
			stray(s, whole)
		}
		part, long, want = part[:0], nil, 0
	}
	defer func() { drop(false) }()
	for ; ; i++ {
		at, ok := c.place(d, chain, i)
		if !ok {
			return i
		}
		b, err := c.peek(at)
		if err != nil {
			c.add(true, "bytes "+num(int64(i)*32)+" to "+num(int64(i)*32+c.sector-1)+" of the folder "+shown(c.pathTo(d))+", at byte "+num(at)+" of the volume, cannot be read ("+err.Error()+"): names are lost", "it goes on without them")
			b = c.change(at)
			if c.heavy {
				return i
			}
		}
		switch {
		case b[0] == 0:
			return i
		case b[0] == deleted:
			drop(false)
			continue
		case b[11]&0x3f == attrLong:
			k := int(b[0] & 0x3f)
			if b[0]&0x40 != 0 {
				drop(false)
				want, check = k, b[13]
				if k <= 20 {
					long = make([]uint16, 13*k)
				}
			}
			part = append(part, i)
			if k == 0 || k != want || b[13] != check || len(long) < 13*k {
				drop(false)
				continue
			}
			for j, o := range units {
				long[13*(k-1)+j] = le.Uint16(b[o:])
			}
			want--
			continue
		}
		r := &row{d: d, chain: chain, begin: i, slot: i, at: at, raw: [32]byte(b)}
		copy(r.short[:], b)
		if b[11]&attrLabel == 0 && len(part) > 0 && want == 0 && check == r.short.sum() {
			r.begin = part[0]
			if end := slices.Index(long, 0); end >= 0 {
				long = long[:end]
			}
			r.long = string(utf16.Decode(long))
			r.wrong = r.long == "" || len(long) > 255 || strings.ContainsAny(r.long, "\"*/:<>?\\|") || strings.ContainsFunc(r.long, func(r rune) bool { return r < ' ' })
			part = part[:0]
		}
		drop(b[11]&attrLabel == 0 && want == 0)
		if !do(r) {
			return i
		}
	}
}

// pathTo is the path of a folder, of maxDeep names at most. It reads the folders above: not when no more problems are listed, and nobody is told.
func (c *checker) pathTo(d int) string {
	if len(c.r.Problems) == maxProblems {
		return "/"
	}
	if c.pathOf == d+1 {
		return c.pathIs
	}
	var parts []string
	at := d
	for ; c.dirs[at].at >= 0 && len(parts) < maxDeep; at = int(c.dirs[at].parent) {
		f := c.dirs[at]
		name := "?"
		up := int(f.parent)
		chain := c.chain(up)
		for i := max(0, int(f.slot)-20); i <= int(f.slot); i++ { // its long name may begin at any of these
			stop := false
			if place, ok := c.place(up, chain, i); !ok {
				break
			} else if b, err := c.peek(place); err != nil || i < int(f.slot) && (b[0] == 0 || b[0] == deleted || b[11]&0x3f != attrLong || b[0]&0x40 == 0) {
				continue
			}
			c.rows(up, chain, i, func(r *row) bool {
				if r.slot == int(f.slot) {
					name, stop = r.name(), true
				}
				return false
			}, func(int, bool) {})
			if stop {
				break
			}
		}
		parts = append(parts, name)
	}
	slices.Reverse(parts)
	path := "/" + strings.Join(parts, "/")
	if c.dirs[at].at >= 0 {
		path = "..." + path
	}
	c.pathOf, c.pathIs = d+1, path
	return path
}

// call is the path of a name.
func (c *checker) call(r *row) string {
	return shown(strings.TrimSuffix(c.pathTo(r.d), "/") + "/" + r.name())
}

// shown is a path as it is told.
func shown(path string) string {
	if q := strconv.Quote(path); q != `"`+path+`"` || strings.ContainsAny(path, " ,:") {
		return q
	}
	return path
}

// remove takes a name out of its folder.
func (c *checker) remove(r *row) { c.clearSlots(r.d, r.chain, r.begin, r.slot+1) }

func (c *checker) clearSlots(d int, chain []uint32, from, to int) {
	for i := from; i < to; i++ {
		if at, ok := c.place(d, chain, i); ok {
			c.change(at)[0] = deleted
		}
	}
}

// How a chain ends that was claimed.
type ending int

const (
	whole    ending = iota
	tooLong         // there are more clusters than were asked for
	nowhere         // the next number is that of no cluster
	bad             // the next cluster is marked as one that the disk cannot keep
	unlinked        // the last cluster counts as free
	loop            // the next cluster is one of this chain
	shared          // the next cluster is another's
)

// claim takes the clusters from one on, most of them at most, and makes their chain end where it stops. next is what follows there.
func (c *checker) claim(first uint32, most int64) (list []uint32, how ending, next uint32) {
	n := first
	for {
		switch {
		case c.isBad(n) || c.is(n) && c.isBad(c.get(n)):
			how = bad
		case !c.is(n):
			how = nowhere
		case c.isUsed(n):
			if how = shared; slices.Contains(list, n) {
				how = loop
			} else if len(c.asked) < maxProblems {
				c.asked[n] = true
			}
		case int64(len(list)) == most:
			how = tooLong
		default:
			c.use(n)
			list = append(list, n)
			v := c.get(n)
			if c.isEnd(v) {
				return list, whole, 0
			}
			if v == 0 {
				c.endOf(list)
				return list, unlinked, 0
			}
			n = v
			continue
		}
		if len(list) > 0 {
			c.endOf(list)
		}
		return list, how, n
	}
}

// owned remembers whose clusters these are, for those that another has, too.
func (c *checker) owned(list []uint32, who func() string) {
	if len(c.known) == 0 {
		return
	}
	for _, n := range list {
		if c.known[n] && c.owners[n] == "" {
			c.owners[n] = who()
		}
	}
}

// owner says whose a cluster is.
func (c *checker) owner(n uint32) string {
	if s := c.owners[n]; s != "" {
		return s
	}
	return "another"
}

// stops says how a chain ends, and what follows.
func (c *checker) stops(how ending, next uint32) string {
	n := num(int64(next))
	switch how {
	case tooLong:
		return "goes on, at cluster " + n
	case nowhere:
		return "goes on at cluster " + n + ", which is none"
	case bad:
		return "goes on at a cluster that is marked as bad"
	case unlinked:
		return "has a last cluster that counts as free"
	case loop:
		return "goes on at its own cluster " + n + ", for ever"
	case shared:
		return "goes on at cluster " + n + ", which is that of " + c.owner(next)
	}
	return "ends"
}

// tree goes through all that has a name.
func (c *checker) tree() {
	c.dirs = []listed{{at: -1}}
	if c.width == 32 {
		c.dirs[0].first = c.root
		list, how, next := c.claim(c.root, int64(c.mostOfFolder()))
		c.owned(list, func() string { return "/" })
		if len(list) == 0 { // its only cluster is marked as bad
			c.use(c.root)
			list = []uint32{c.root}
			c.endOf(list)
		}
		if how != whole {
			c.add(true, "the root directory, behind its byte "+num(c.room(len(list))-1)+", "+c.stops(how, next), "it ends there")
		}
	}
	c.folders(0)
	for d := 0; d < len(c.dirs); d++ {
		c.look(d)
	}
}

// folders has folders from one on, and those in them, take their clusters.
func (c *checker) folders(d int) {
	for ; d < len(c.dirs); d++ {
		if d > 0 {
			c.dots(d)
		}
		chain := c.chain(d)
		c.rows(d, chain, 0, func(r *row) bool {
			isDir, isLabel := r.raw[11]&attrDir != 0, r.raw[11]&attrLabel != 0
			if isDir && r.short != dot && r.short != dotdot && (!isLabel || c.is(c.first(r))) {
				c.adopt(r)
			}
			return true
		}, func(int, bool) {})
	}
}

// adopt takes in the folder of a name.
func (c *checker) adopt(r *row) {
	first, path := c.first(r), ""
	call := func() string {
		if path == "" {
			path = c.call(r)
		}
		return path
	}
	const gone = "its name is removed"
	switch {
	case !c.is(first):
		c.add(true, "the folder "+call()+" begins at cluster "+num(int64(first))+", which is none", gone)
		c.remove(r)
		return
	case c.isUsed(first):
		if len(c.asked) < maxProblems {
			c.asked[first] = true
		}
		c.add(true, "the folder "+call()+" begins at cluster "+num(int64(first))+", which is that of "+c.owner(first), gone)
		c.remove(r)
		return
	}
	if r.raw[11]&attrLabel != 0 {
		c.add(false, "the folder "+call()+" is marked as a label", "it is a folder")
		c.change(r.at)[11] &^= attrLabel
	}
	list, how, next := c.claim(first, int64(c.mostOfFolder()))
	if len(list) == 0 {
		c.add(true, "the folder "+call()+" begins at a cluster that is marked as bad", gone)
		c.remove(r)
		return
	}
	if !c.sound(list) {
		if len(list) == 1 && how == unlinked {
			c.unuse(first)
			c.set(first, 0)
			c.add(true, "the folder "+call()+" begins at cluster "+num(int64(first))+", which counts as free and holds no folder", gone)
			c.remove(r)
			return
		}
		for _, n := range list { // files take them when all folders have theirs
			c.unuse(n)
		}
		size := min(c.room(len(list)), maxSize)
		c.add(true, "what the folder "+call()+" holds is no folder", "it is a file of "+count(size, "byte"))
		b := c.change(r.at)
		b[11] = b[11]&^attrDir | attrArchive
		le.PutUint32(b[28:], uint32(size))
		return
	}
	c.owned(list, call)
	if how != whole {
		c.add(true, "the folder "+call()+", behind its byte "+num(c.room(len(list))-1)+", "+c.stops(how, next), "it ends there")
	}
	c.dirs = append(c.dirs, listed{at: r.at, first: first, parent: int32(r.d), slot: int32(r.slot)})
}

// sound says whether what clusters hold may be a folder: it begins with the two names that a folder has, or holds nothing, or more that can be names than what cannot.
func (c *checker) sound(list []uint32) bool {
	good, wrong := 0, 0
	if b, err := c.peek(c.at(list[0]) + 32); err == nil && short(b[:11]) == dotdot {
		return true
	}
	if b, err := c.peek(c.at(list[0])); err == nil && short(b[:11]) == dot && (&found{raw: [32]byte(b)}).first(c.width) == list[0] {
		return true
	}
	for _, n := range list {
		for off := int64(0); off < c.cluster; off += 32 {
			b, err := c.peek(c.at(n) + off)
			if err != nil {
				return wrong <= good
			}
			switch s := short(b[:11]); {
			case b[0] == deleted || good+wrong == 0 && off == 0 && s == dot:
			case b[0] == 0:
				if good+wrong == 0 && off == 0 {
					for at := off; at < c.sector; at += 32 {
						if b, err := c.peek(c.at(n) + at); err == nil && !bytes.Equal(b, make([]byte, 32)) {
							return false
						}
					}
				}
				return wrong <= good
			case b[11]&0x3f == attrLong:
				if k := b[0] & 0x3f; b[11] == attrLong && b[12] == 0 && le.Uint16(b[26:]) == 0 && k >= 1 && k <= 20 {
					good++
				} else {
					wrong++
				}
			case b[11]&0xc0 != 0 || s.bad() || !c.is((&found{raw: [32]byte(b)}).first(c.width)) && le.Uint32(b[28:]) != 0:
				wrong++
			default:
				good++
			}
		}
	}
	return wrong <= good
}

// bad says whether it cannot be a short name: FAT, 6.1. Small letters are none, but all systems take them.
func (s short) bad() bool { return s != clean(s) }

// clean has "_" for what no short name has.
func clean(s short) short {
	for i, b := range s {
		if b < ' ' && (i > 0 || b != 0x05) || i == 0 && b == ' ' || b == 0x7f || strings.IndexByte(`"*+,./:;<=>?[\]|`, b) >= 0 {
			s[i] = '_'
		}
	}
	return s
}

// dots sees that a folder begins with "." and ".." (FAT, 6.5), and that these say where it and the one above are.
func (c *checker) dots(d int) {
	f := c.dirs[d]
	up := c.dirs[f.parent].first
	if f.parent == 0 {
		up = 0
	}
	chain := c.chain(d)
	for i, want := range []struct {
		name  short
		first uint32
	}{{dot, f.first}, {dotdot, up}} {
		at, _ := c.place(d, chain, i)
		b, err := c.peek(at)
		if err != nil {
			continue // which is told by rows
		}
		if short(b[:11]) == want.name {
			r := row{raw: [32]byte(b)}
			if is := c.first(&r); is != want.first || b[11]&(attrDir|attrLabel) != attrDir || le.Uint32(b[28:]) != 0 {
				c.add(false, strconv.Quote(want.name.String())+" in the folder "+shown(c.pathTo(d))+" is no folder, or at cluster "+num(int64(is))+", not "+num(int64(want.first)), "it is as it has to be")
				c.putDot(at, want.name, want.first)
			}
			continue
		}
		if r := (row{raw: [32]byte(b)}); b[11] == attrDir && c.first(&r) == want.first && le.Uint32(b[28:]) == 0 {
			c.add(false, strconv.Quote(want.name.String())+" in the folder "+shown(c.pathTo(d))+" has another name", "it has its own")
			copy(c.change(at), want.name[:])
			continue
		}
		c.add(false, "the folder "+shown(c.pathTo(d))+" does not begin with \".\" and \"..\"", "they are there")
		c.makeDots(d, chain, i, up)
		return
	}
}

// putDot writes "." or "..", and keeps times that are there.
func (c *checker) putDot(at int64, name short, first uint32) {
	b := c.change(at)
	if short(b[:11]) != name {
		clear(b)
		c.stamp(b)
	}
	copy(b, name[:])
	b[11] = attrDir
	le.PutUint32(b[28:], 0)
	c.putFirst(b, first)
}

// putFirst writes where something begins. The upper half of FAT12 and FAT16 is of others.
func (c *checker) putFirst(b []byte, first uint32) {
	le.PutUint16(b[26:], uint16(first))
	if c.width == 32 {
		le.PutUint16(b[20:], uint16(first>>16))
	}
}

// stamp gives a new entry its times.
func (c *checker) stamp(b []byte) {
	date, clock := encodeTime(c.now)
	for _, o := range []int{14, 22} {
		le.PutUint16(b[o:], clock)
		le.PutUint16(b[o+2:], date)
	}
	le.PutUint16(b[18:], date)
}

// makeDots writes the first two names of a folder, from slot i on. The names that lie there, if any, go behind the others.
func (c *checker) makeDots(d int, chain []uint32, i int, up uint32) {
	var moved [][32]byte
	after := 2
	for s := i; s < after; s++ {
		at, _ := c.place(d, chain, s)
		b, err := c.peek(at)
		if err != nil || b[0] == 0 {
			if other, _ := c.place(d, chain, 1); err == nil && i == 0 {
				if n, err := c.peek(other); err != nil || short(n[:11]) != dotdot {
					c.behind(d, chain, s)
				}
			} // where one of the two is there, zeroes are what is left of the other, and names go on
			break
		}
		if b[0] == deleted {
			continue
		}
		moved = append(moved, [32]byte(b))
		if s == after-1 && b[11]&0x3f == attrLong && s < 80 { // the rest of a name
			after++
		}
		if s >= 2 {
			c.change(at)[0] = deleted
		}
	}
	at, _ := c.place(d, chain, 0)
	c.putDot(at, dot, c.dirs[d].first)
	at, _ = c.place(d, chain, 1)
	c.putDot(at, dotdot, up)
	if len(moved) > 0 {
		c.behind(d, chain, c.rows(d, chain, 2, func(*row) bool { return true }, func(int, bool) {})) // before names are written there
		if _, _, ok := c.insert(d, moved, 2); !ok {
			c.add(true, "there is no room for the first name of the folder "+shown(c.pathTo(d))+" at another place of it", "it is removed")
		}
	}
}
