package fat

// What has no name. A chain of clusters that no name leads to is kept as a file FOUND.000/FILE0000.CHK, as DOS does it, and a folder among them, which DOS does not look for, as FOUND.000/DIR0000: so its names are not lost with the one that led to it.

// isLost says whether a cluster is in use by the table and nobody's.
func (c *checker) isLost(n uint32) bool {
	v := c.get(n)
	return v != 0 && !c.isBad(v) && !c.isUsed(n)
}

// heads gives the clusters that chains of lost ones begin with, a bit each.
func (c *checker) heads() []uint64 {
	list := make([]uint64, len(c.used))
	for n := uint32(2); n-2 < c.clusters; n++ {
		if c.isLost(n) {
			list[n/64] |= 1 << (n % 64)
		}
	}
	for n := uint32(2); n-2 < c.clusters; n++ {
		if v := c.get(n); c.isLost(n) && c.is(v) {
			list[v/64] &^= 1 << (v % 64)
		}
	}
	return list
}

// leads says whether the first cluster of a chain is that of a folder, and of which one above it.
func (c *checker) leads(n uint32) (up uint32, is bool) {
	b, err := c.peek(c.at(n))
	if err != nil {
		return 0, false
	}
	self := found{raw: [32]byte(b)}
	if b, err = c.peek(c.at(n) + 32); err != nil || c.sector < 64 {
		return 0, false
	}
	above := found{raw: [32]byte(b)}
	if short(self.raw[:11]) != dot || short(above.raw[:11]) != dotdot || self.raw[11]&above.raw[11]&attrDir == 0 || self.first(c.width) != n {
		return 0, false
	}
	return above.first(c.width), true
}

// lost gives a name to what has none.
func (c *checker) lost() {
	heads := c.heads()
	for _, below := range []bool{false, true} { // first those that are not in another lost one
		for n := uint32(2); n-2 < c.clusters; n++ {
			if heads[n/64] == 0 {
				n |= 63
				continue
			}
			if heads[n/64]>>(n%64)&1 == 0 || !c.isLost(n) {
				continue
			}
			if up, is := c.leads(n); is && (below || up == n || !c.is(up) || !c.isLost(up)) {
				c.folderFound(n)
			}
		}
	}
	heads = c.heads()
	for _, circles := range []bool{false, true} { // these have no head
		for n := uint32(2); n-2 < c.clusters; n++ {
			if !circles && heads[n/64]>>(n%64)&1 == 0 {
				continue
			}
			for at := n; c.is(at) && c.isLost(at); { // what is too long for one file is several
				list, _, next := c.claim(at, maxSize/c.cluster)
				c.fileFound(list)
				at = next
			}
		}
	}
}

// folderFound gives a name to a folder that has none.
func (c *checker) folderFound(n uint32) {
	where, slot, at, ok := c.keep("DIR", "", attrDir, n, 0)
	if !ok {
		return // its clusters are lost ones as others
	}
	list, how, next := c.claim(n, int64(c.mostOfFolder()))
	c.add(false, "a folder at cluster "+num(int64(n))+" has no name", "it is called "+where)
	if how != whole {
		c.add(true, "the folder at cluster "+num(int64(n))+" that has no name, behind its byte "+num(c.room(len(list))-1)+", "+c.stops(how, next), "it ends there")
	}
	d := len(c.dirs)
	c.dirs = append(c.dirs, listed{at: at, first: n, parent: int32(c.bag), slot: int32(slot)})
	c.owned(list, func() string { return where })
	if up, ok := c.place(d, list, 1); ok {
		c.putDot(up, dotdot, c.dirs[c.bag].first)
	}
	c.folders(d)
	for ; d < len(c.dirs); d++ {
		c.look(d)
	}
}

// fileFound gives a name to a chain of clusters that has none, or, where there is no room for that, frees it.
func (c *checker) fileFound(list []uint32) {
	size := c.room(len(list))
	what := count(int64(len(list)), "cluster") + " from " + num(int64(list[0])) + " on (" + num(size) + " bytes), in use by the table, belong to nothing"
	if where, _, _, ok := c.keep("FILE", ".CHK", attrArchive, list[0], uint32(min(size, maxSize))); ok {
		c.add(false, what, "they are "+where)
		c.r.Files++
		return
	}
	c.add(true, what, "they are free, as there is no room for a name")
	for _, n := range list {
		c.unuse(n)
		c.set(n, 0)
	}
}

// keep names something in the folder of what was found.
func (c *checker) keep(before, behind string, attr byte, first, size uint32) (path string, slot int, at int64, ok bool) {
	if c.bag < 0 || c.bagged >= 10000 {
		if !c.makeBag() {
			return "", 0, 0, false
		}
	}
	name := before + num(10000 + int64(c.bagged))[1:] + behind
	var b [32]byte
	s, _ := exact(name)
	copy(b[:], s[:])
	b[11] = attr
	c.putFirst(b[:], first)
	le.PutUint32(b[28:], size)
	c.stamp(b[:])
	if slot, at, ok = c.insert(c.bag, [][32]byte{b}, c.bagSlot); ok {
		c.bagged, c.bagSlot = c.bagged+1, slot+1
	}
	return c.pathTo(c.bag) + "/" + name, slot, at, ok
}

// makeBag makes the next folder of what was found, FOUND.000 if there is none.
func (c *checker) makeBag() bool {
	taken := map[short]bool{}
	root := c.chain(0)
	c.rows(0, root, 0, func(r *row) bool { taken[r.short] = true; return true }, func(int, bool) {})
	for i := range 1000 {
		s, _ := exact("FOUND." + num(1000 + int64(i))[1:])
		if taken[s] {
			continue
		}
		n, ok := c.alloc()
		if !ok {
			return false
		}
		c.wipe(n, ofFound)
		var b [32]byte
		copy(b[:], s[:])
		b[11] = attrDir
		c.putFirst(b[:], n)
		c.stamp(b[:])
		slot, at, ok := c.insert(0, [][32]byte{b}, 0)
		if !ok {
			c.unuse(n)
			c.set(n, 0)
			return false
		}
		c.bag, c.bagged, c.bagSlot = len(c.dirs), 0, 2
		c.dirs = append(c.dirs, listed{at: at, first: n, slot: int32(slot)})
		c.putDot(c.at(n), dot, n)
		c.putDot(c.at(n)+32, dotdot, 0)
		return true
	}
	return false
}

// alloc takes a free cluster, of the last ones: those that a damaged table calls free, and that hold something, are seldom there.
func (c *checker) alloc() (uint32, bool) {
	for ; c.last >= 2; c.last-- {
		if n := c.last; c.get(n) == 0 && !c.isUsed(n) {
			c.use(n)
			c.endOf([]uint32{n})
			return n, true
		}
	}
	return 0, false
}

// wipe has a new cluster of a folder hold nothing.
func (c *checker) wipe(n uint32, t turn) {
	for at := c.at(n); at < c.at(n)+c.cluster && !c.heavy; at += c.sector {
		if int64(len(c.edits)+1)*c.sector > maxEdits {
			c.heavy = true
			return
		}
		c.edits[at] = make([]byte, c.sector)
	}
	c.fresh[n] = t
}

// insert puts entries into a folder, one after the other, behind slot from, and makes it larger if it must. slot and at are the first one's.
func (c *checker) insert(d int, list [][32]byte, from int) (slot int, at int64, ok bool) {
	chain := c.chain(d)
	free, ended := 0, false
	for i := from; ; i++ {
		place, ok := c.place(d, chain, i)
		if !ok {
			if c.dirs[d].first == 0 || len(chain) >= c.mostOfFolder() {
				return 0, 0, false
			}
			n, ok := c.alloc()
			if !ok {
				return 0, 0, false
			}
			t := ofMore
			if d == c.bag {
				t = ofFound
			}
			c.wipe(n, t)
			c.set(chain[len(chain)-1], n)
			chain = append(chain, n)
			place = c.at(n)
		}
		b, err := c.peek(place)
		if err != nil {
			free = 0
			continue
		}
		if ended = ended || b[0] == 0; !ended && b[0] != deleted {
			free = 0
			continue
		}
		if free++; free < len(list) {
			continue
		}
		slot = i - free + 1
		for k := range list {
			at, _ := c.place(d, chain, slot+k)
			*(*[32]byte)(c.change(at)) = list[k]
		}
		if next, ok := c.place(d, chain, i+1); ok && ended {
			if b, err := c.peek(next); err == nil && b[0] != 0 {
				clear(c.change(next)) // the folder ends there now
			}
		}
		at, _ = c.place(d, chain, slot)
		return slot, at, !c.heavy
	}
}
