package fat

import (
	"container/list"
	"hash/maphash"
	"math/bits"
	"syscall"
	"unicode"
	"unicode/utf8"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

const (
	minIndexed = 4 * maxSlots // slots of directories that indexes may have in any case
	slotBytes  = 16           // of memory, that a slot counts for
	indexCost  = 64           // slots that an index counts beside its own
	maxTails   = maxSlots / 4 // keys of an index's tails
	tailDigits = 6            // with "~" and a character before it they are the eight of a short name
)

// An index finds the names of a directory, and room for more, without reading it as a whole. It is made when one of its names is looked for first; enter and leave keep it right. It finds by hash; what is on the device decides.
// It costs 12 bytes a slot, 4 bytes a key, a bit a slot, and 4 bytes a cluster: 1.2 MiB for a directory of 65 536 slots (2026-11-30), and at most 0.8 MiB of tails. A volume's have together a quarter of what Options.Cache says, at slotBytes a slot, and no less than minIndexed slots; a cluster and a tail count as a slot each: then those go
// that were not asked for longest. Where the directory cannot be read as a whole there is none: its names are found one by one, and none can be added.
//
// A name has a key, its short name, or two of them, with its long one, and never fewer slots than keys: so the slots are the nodes of the hash's chains, the short entry's for the short name, the one before for the long one.
type index struct {
	key   uint32        // of FS.indexes: the directory's first cluster
	place *list.Element // in FS.recent
	cost  int           // in FS.indexed

	chain   []uint32 // of the directory
	checked uint64   // what FS.released was when the table had the chain
	end     int      // the first slot that ends it
	free    []uint64 // a bit for each slot before end that holds nothing

	seed  maphash.Seed // names that others made up for one hash have another here
	heads []link       // a power of two
	nodes []keyed      // by slot
	keys  int

	// tails has, of short names that differ in a numeric tail of so many digits only, the tail that is tried next, by the name with the first of these tails. Without, the n-th name of a kind would try n of them.
	tails  map[short]int32
	tailed int // keys that tails has had room for: a map does not shrink
}

// A link is 0 in a slot without a key, 1 at the end of a chain, and else a slot plus 2.
type link int32

const last link = 1

type keyed struct {
	hash  uint32
	next  link
	slots uint8 // of the name, at its short entry; 0: the key is a long name, and the short entry is the next
}

// index gives a directory's.
func (n *node) index() (*index, error) {
	f := n.fs
	if x := f.indexes[n.first]; x != nil && !n.known && x.checked != f.released {
		if f.holds(x.chain, int(maxSlots*32/f.cluster)) {
			x.checked = f.released
		} else {
			f.unindex(n.first)
		}
	}
	if x := f.indexes[n.first]; x != nil {
		f.recent.MoveToFront(x.place)
		n.chain, n.known = x.chain, true
		return x, nil
	}
	n.known = false // the table says where it lies now
	x := &index{key: n.first, checked: f.released, seed: maphash.MakeSeed(), heads: make([]link, 16), tails: map[short]int32{}}
	if err := n.each(0, func(e *found) bool { x.add(e); return true }); err != nil {
		return nil, err
	}
	for ; ; x.end++ {
		at, ok := n.place(x.end)
		if !ok {
			break
		}
		b, err := f.at32(at, false)
		if err != nil {
			return nil, err
		}
		if b[0] == 0 {
			break
		}
		x.mark(x.end, b[0] == deleted)
	}
	x.chain = n.chain
	f.indexes[x.key] = x
	x.place = f.recent.PushFront(x)
	f.weigh(x)
	return x, nil
}

// weight is what an index costs: a slot for each key's, each cluster, each word of bits, and each tail.
func (x *index) weight() int { return indexCost + len(x.nodes) + len(x.chain) + len(x.free) + x.tailed }

// weigh counts what an index costs by now, if it is still one of the volume's, and has others go where all are too many.
func (f *FS) weigh(x *index) {
	if f.indexes[x.key] != x {
		return
	}
	f.indexed += x.weight() - x.cost
	x.cost = x.weight()
	for f.indexed > f.mostIndexed && f.recent.Len() > 1 {
		f.unindex(f.recent.Back().Value.(*index).key)
	}
}

// unindex forgets a directory's index, if there is one: its clusters are another's, or what is on the device is not known.
func (f *FS) unindex(first uint32) {
	if x := f.indexes[first]; x != nil {
		delete(f.indexes, first)
		f.recent.Remove(x.place)
		f.indexed -= x.cost
	}
}

// hash is the same for names that strings.EqualFold takes for one.
func (x *index) hash(name string) uint32 {
	var room [3 * core.MaxName]byte
	return uint32(maphash.Bytes(x.seed, folded(room[:0], name)))
}

// folded appends a name to b as strings.EqualFold sees it.
func folded(b []byte, name string) []byte {
	for _, r := range name {
		low := r
		if r < utf8.RuneSelf {
			if r >= 'a' && r <= 'z' {
				low -= 'a' - 'A'
			}
		} else {
			for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
				low = min(low, c)
			}
		}
		b = utf8.AppendRune(b, low)
	}
	return b
}

// head is where a hash's chain begins.
func (x *index) head(hash uint32) *link { return &x.heads[int(hash)&(len(x.heads)-1)] }

// chained puts a slot into the chain of its hash.
func (x *index) chained(slot int) {
	h := x.head(x.nodes[slot].hash)
	x.nodes[slot].next = max(*h, last)
	*h = link(slot) + 2
}

// put makes a slot one of a key's.
func (x *index) put(slot int, name string, slots int) {
	for len(x.nodes) <= slot {
		x.nodes = append(x.nodes, keyed{})
	}
	x.nodes[slot] = keyed{hash: x.hash(name), slots: uint8(slots)}
	if x.keys++; x.keys <= len(x.heads) {
		x.chained(slot)
		return
	}
	x.nodes[slot].next = last
	x.heads = make([]link, 2*len(x.heads))
	for i := range x.nodes {
		if x.nodes[i].next != 0 {
			x.chained(i)
		}
	}
}

// take is the way back.
func (x *index) take(slot int) {
	p := x.head(x.nodes[slot].hash)
	for *p > last {
		if *p == link(slot)+2 {
			*p = x.nodes[slot].next
			x.nodes[slot] = keyed{}
			x.keys--
			return
		}
		p = &x.nodes[*p-2].next
	}
}

// add makes a name be found, and its slots be in use.
func (x *index) add(e *found) {
	x.put(e.slot, e.short.String(), e.slots)
	if e.slots > 1 {
		x.put(e.slot-1, e.name, 0)
	}
	for i := e.slot - e.slots + 1; i <= e.slot; i++ {
		x.mark(i, false)
	}
}

// remove is the way back. The tail that was given last is given again: who makes and removes one name ever again gets one short name.
func (x *index) remove(e *found) {
	x.take(e.slot)
	if e.slots > 1 {
		x.take(e.slot - 1)
	}
	for i := e.slot - e.slots + 1; i <= e.slot; i++ {
		x.mark(i, true)
	}
	if key, n := e.short.tail(); n > 0 && x.tails[key] == int32(n)+1 {
		first := 1
		for first <= n/10 {
			first *= 10
		}
		if x.tails[key]--; n <= first+1 { // as next has it
			delete(x.tails, key)
		}
	}
	if x.tailed > 0 && (len(x.tails) == 0 || x.keys == 0) {
		x.forgetTails()
	}
}

// forgetTails gives back what tails take. Those that were given are tried again.
func (x *index) forgetTails() { x.tails, x.tailed = map[short]int32{}, 0 }

// mark says whether a slot holds nothing.
func (x *index) mark(slot int, free bool) {
	for len(x.free) <= slot/64 {
		x.free = append(x.free, 0)
	}
	if free {
		x.free[slot/64] |= 1 << (slot % 64)
	} else {
		x.free[slot/64] &^= 1 << (slot % 64)
	}
}

// room is where the first n slots in a row begin that hold nothing, and lie before the end or reach it. It looks at a word for 64 slots, 1024 at most. n is less than 64.
func (x *index) room(n int) int {
	run := 0 // free slots before the word
	for i, w := range x.free {
		if run+bits.TrailingZeros64(^w) >= n {
			return i*64 - run
		}
		fits := w // the slots at which so many begin
		for k := 1; k < n; {
			more := min(k, n-k)
			fits &= fits >> more
			k += more
		}
		if fits != 0 {
			return i*64 + bits.TrailingZeros64(fits)
		}
		run = bits.LeadingZeros64(^w)
	}
	at := x.end
	for at > 0 && x.free[(at-1)/64]>>((at-1)%64)&1 != 0 {
		at--
	}
	return at
}

// lookup gives what has a name, the first in the directory; nil where there is none.
func (x *index) lookup(n *node, name string) (hit *found, err error) {
	h := x.hash(name)
	for i := *x.head(h); i > last; i = x.nodes[i-2].next {
		slot := int(i) - 2
		if x.nodes[slot].hash != h {
			continue
		}
		if x.nodes[slot].slots == 0 {
			slot++
		}
		err := n.walk(slot+1-int(x.nodes[slot].slots), false, func(e *found) bool {
			if e.slot == slot && (hit == nil || hit.slot > slot) && e.is(name) {
				hit = e
			}
			return false
		})
		if err != nil {
			return nil, err
		}
	}
	return hit, nil
}

// alias gives a short name that nobody has in the directory, for one that has a long name too.
func (x *index) alias(n *node, name string) (short, core.Errno) {
	for range 2 {
		for digits, first := 0, 1; digits < tailDigits; digits, first = digits+1, first*10 {
			key := alias(name, first)
			for k := max(first, int(x.tails[key])); k < first*10; k++ {
				s := alias(name, k)
				e, err := x.lookup(n, s.String())
				if err != nil {
					return s, errno(err)
				}
				if x.next(key, k+1, first); e == nil {
					return s, 0
				}
			}
		}
		x.forgetTails()
	}
	return short{}, syscall.ENOSPC
}

// next has a tail be the next that is tried. A name that is the only one of its kind costs nothing.
func (x *index) next(key short, k, first int) {
	if k <= first+1 {
		return
	}
	if len(x.tails) >= maxTails {
		x.forgetTails()
	}
	x.tails[key] = int32(k)
	x.tailed = max(x.tailed, len(x.tails))
}
