package cffs

import (
	"bytes"
	"slices"
	"sync/atomic"
)

// A ref is how a node is reached: where it lies, with its sum, and in memory once it was read. addr is 0 for one that is not written yet.
type ref struct {
	addr uint64
	sum  uint32
	n    atomic.Pointer[node]
}

// A node is one node of the tree. Those that are clean do not change; many may look at one.
type node struct {
	level byte
	dirty bool
	gen   uint64      // of the commit that writes it, or wrote it: it can be read again once that is done; 0 for one that was read
	used  atomic.Bool // since the last trim
	keys  [][]byte
	vals  [][]byte // of a leaf
	kids  []*ref   // of others
	size  int      // bytes of the items
}

const (
	nodeHeader = 32
	nodeRoom   = BlockSize - nodeHeader
)

func (n *node) cost(i int) int {
	if n.level == 0 {
		return 4 + len(n.keys[i]) + len(n.vals[i])
	}
	return 14 + len(n.keys[i])
}

// tree is the one tree of a volume. Its methods want FS.mu: put, remove for writing, the others for reading. Errors are those of the device, or errDamaged.
type tree struct {
	root  *ref
	dirty int                          // nodes that the next commit writes
	read  func(r *ref) ([]byte, error) // gives the block that r names, whose sum is right
	freed func(addr uint64)            // is told of blocks that the next commit does not need
	uuid  *[16]byte
	loads atomic.Int64 // nodes in memory, about
	most  int64        // clean ones that may stay there, about

	trimming atomic.Bool
}

// load gives the node of r, from memory or the device.
func (t *tree) load(r *ref, level int) (*node, error) {
	if n := r.n.Load(); n != nil {
		if !n.used.Load() {
			n.used.Store(true)
		}
		return n, nil
	}
	b, err := t.read(r)
	if err != nil {
		return nil, err
	}
	n := decodeNode(b, r.addr, t.uuid)
	if n == nil || level >= 0 && int(n.level) != level {
		return nil, errDamaged
	}
	if !r.n.CompareAndSwap(nil, n) {
		if n = r.n.Load(); n != nil {
			return n, nil // another reader was faster
		}
		return t.load(r, level) // and a third has let it go
	}
	t.loads.Add(1)
	return n, nil
}

// decodeNode reads a node whose sum is right; nil for one that makes no sense.
func decodeNode(b []byte, addr uint64, uuid *[16]byte) *node {
	count := int(le.Uint16(b[26:]))
	n := &node{level: b[24]}
	if le.Uint32(b[4:]) != nodeMagic || le.Uint64(b[16:]) != addr || !bytes.Equal(b[28:32], uuid[12:]) || n.level > 0 && count == 0 || n.level > 16 {
		return nil
	}
	at := nodeHeader
	take := func(k int) []byte {
		if k > len(b)-at {
			return nil
		}
		at += k
		return b[at-k : at : at]
	}
	for i := range count {
		h := take(2)
		if h == nil {
			return nil
		}
		kl, vl := int(le.Uint16(h)), 12
		if n.level == 0 {
			if h = take(2); h == nil {
				return nil
			}
			vl = int(le.Uint16(h))
		}
		k, v := take(kl), take(vl)
		if k == nil || v == nil || n.level == 0 && 4+kl+vl > maxItem || n.level > 0 && kl > maxKey || kl < 9 && (i > 0 || n.level == 0) || i > 0 && bytes.Compare(n.keys[i-1], k) >= 0 && (i > 1 || n.level == 0) {
			return nil
		}
		n.keys = append(n.keys, k)
		if n.level == 0 {
			n.vals = append(n.vals, v)
		} else {
			n.kids = append(n.kids, &ref{addr: le.Uint64(v), sum: le.Uint32(v[8:])})
		}
		n.size += n.cost(i)
	}
	return n
}

// encode is the block of a node that is to lie at addr, in b, which is a block of zeroes. Its kids have their places.
func (n *node) encode(b []byte, gen, addr uint64, uuid *[16]byte) []byte {
	b = b[:nodeHeader]
	le.PutUint32(b[4:], nodeMagic)
	le.PutUint64(b[8:], gen)
	le.PutUint64(b[16:], addr)
	b[24] = n.level
	le.PutUint16(b[26:], uint16(len(n.keys)))
	copy(b[28:], uuid[12:])
	for i, k := range n.keys {
		b = le.AppendUint16(b, uint16(len(k)))
		if n.level == 0 {
			b = le.AppendUint16(b, uint16(len(n.vals[i])))
		}
		b = append(b, k...)
		if n.level == 0 {
			b = append(b, n.vals[i]...)
		} else {
			b = le.AppendUint32(le.AppendUint64(b, n.kids[i].addr), n.kids[i].sum)
		}
	}
	return b[:BlockSize]
}

// find is the place of the first key not below k in a leaf, and whether it is k.
func (n *node) find(k []byte) (int, bool) {
	i := lowest(n.keys, k)
	return i, i < len(n.keys) && bytes.Equal(n.keys[i], k)
}

// lowest is the place of the first of keys not below k. Written out, the search takes half of what it takes with a function to compare by.
func lowest(keys [][]byte, k []byte) int {
	lo, hi := 0, len(keys)
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); bytes.Compare(keys[mid], k) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// kid is the place of the kid that k is below.
func (n *node) kid(k []byte) int {
	i := lowest(n.keys[1:], k)
	if i+1 < len(n.keys) && bytes.Equal(n.keys[i+1], k) {
		return i + 1
	}
	return i
}

// get gives the value of a key; nil where there is none. It is not to be changed.
func (t *tree) get(k []byte) ([]byte, error) {
	r, level := t.root, -1
	for {
		n, err := t.load(r, level)
		if err != nil {
			return nil, err
		}
		if n.level == 0 {
			if i, ok := n.find(k); ok {
				return n.vals[i], nil
			}
			return nil, nil
		}
		r, level = n.kids[n.kid(k)], int(n.level)-1
	}
}

// leaf gives the leaf that a key lies in, if there is such a one, and a key behind it that is not above those of the next leaf; nil where it is the last.
func (t *tree) leaf(k []byte) (n *node, behind []byte, err error) {
	r, level := t.root, -1
	for {
		if n, err = t.load(r, level); err != nil || n.level == 0 {
			return n, behind, err
		}
		i := n.kid(k)
		if i+1 < len(n.keys) {
			behind = n.keys[i+1]
		}
		r, level = n.kids[i], int(n.level)-1
	}
}

// scan calls f for each key from one on, in order, until it returns false. f must not change the tree.
func (t *tree) scan(from []byte, f func(k, v []byte) bool) error {
	_, err := t.walk(t.root, -1, from, f)
	return err
}

func (t *tree) walk(r *ref, level int, from []byte, f func(k, v []byte) bool) (more bool, err error) {
	n, err := t.load(r, level)
	if err != nil {
		return false, err
	}
	if n.level == 0 {
		i, _ := n.find(from)
		for ; i < len(n.keys); i++ {
			if !f(n.keys[i], n.vals[i]) {
				return false, nil
			}
		}
		return true, nil
	}
	for i := n.kid(from); i < len(n.kids); i++ {
		if more, err := t.walk(n.kids[i], int(n.level)-1, from, f); !more || err != nil {
			return false, err
		}
	}
	return true, nil
}

// salvage calls f for the keys in [from, to) that can be read, in order, until it returns false, which it tells; bad is the first error of a node that was left out. f must not change the tree.
func (t *tree) salvage(r *ref, level int, from, to []byte, f func(k, v []byte) bool) (more bool, bad error) {
	n, err := t.load(r, level)
	if err != nil {
		return true, err
	}
	if n.level == 0 {
		for i, _ := n.find(from); i < len(n.keys) && bytes.Compare(n.keys[i], to) < 0; i++ {
			if !f(n.keys[i], n.vals[i]) {
				return false, nil
			}
		}
		return true, nil
	}
	first := n.kid(from)
	for i := first; i < len(n.kids) && (i == first || bytes.Compare(n.keys[i], to) < 0); i++ {
		more, err := t.salvage(n.kids[i], int(n.level)-1, from, to, f)
		if bad == nil {
			bad = err
		}
		if !more {
			return false, bad
		}
	}
	return true, bad
}

// nodes counts those on the ways to the keys in [from, to), and reads them.
func (t *tree) nodes(from, to []byte) (int, error) { return t.nodesBelow(t.root, -1, from, to) }

func (t *tree) nodesBelow(r *ref, level int, from, to []byte) (count int, err error) {
	n, err := t.load(r, level)
	if err != nil || n.level == 0 {
		return 1, err
	}
	count = 1
	first := n.kid(from)
	for i := first; i < len(n.kids) && (i == first || bytes.Compare(n.keys[i], to) < 0); i++ {
		below, err := t.nodesBelow(n.kids[i], int(n.level)-1, from, to)
		if err != nil {
			return 0, err
		}
		count += below
	}
	return count, nil
}

// rename gives the keys in [lo, hi] others, of the same length and in the same order among all: those of what the tree holds, and those that divide its nodes. None moves to another node. to gives nil for a key that cannot be.
// Errors: those of load, after which the tree is not to be written, and errDamaged where a node would be out of order.
func (t *tree) rename(lo, hi []byte, to func(k []byte) []byte) error {
	return t.renameBelow(t.root, -1, lo, hi, to)
}

func (t *tree) renameBelow(r *ref, level int, lo, hi []byte, to func(k []byte) []byte) error {
	n, err := t.load(r, level)
	if err != nil {
		return err
	}
	one := func(i, first int) error { // first: the first key that counts
		k := to(n.keys[i])
		if k == nil || i > first && bytes.Compare(n.keys[i-1], k) >= 0 {
			return errDamaged
		}
		if !bytes.Equal(k, n.keys[i]) {
			t.touch(r, n)
			n.keys[i] = k
		}
		return nil
	}
	if n.level == 0 {
		i, _ := n.find(lo)
		for ; i < len(n.keys) && bytes.Compare(n.keys[i], hi) <= 0; i++ {
			if err := one(i, 0); err != nil {
				return err
			}
		}
		if 0 < i && i < len(n.keys) && bytes.Compare(n.keys[i-1], n.keys[i]) >= 0 {
			return errDamaged
		}
		return nil
	}
	first := n.kid(lo)
	i := first
	for ; i < len(n.kids) && (i == first || bytes.Compare(n.keys[i], hi) <= 0); i++ {
		if i > 0 && bytes.Compare(n.keys[i], lo) >= 0 {
			if err := one(i, 1); err != nil {
				return err
			}
		}
		kid := n.kids[i]
		if err := t.renameBelow(kid, int(n.level)-1, lo, hi, to); err != nil {
			return err
		}
		if kid.n.Load().dirty {
			t.touch(r, n)
		}
	}
	if 1 < i && i < len(n.keys) && bytes.Compare(n.keys[i-1], n.keys[i]) >= 0 {
		return errDamaged
	}
	return nil
}

// prefix calls f for the keys that begin with p.
func (t *tree) prefix(p []byte, f func(k, v []byte) bool) error {
	return t.scan(p, func(k, v []byte) bool { return bytes.HasPrefix(k, p) && f(k, v) })
}

// touch makes the node of r one that may be changed.
func (t *tree) touch(r *ref, n *node) {
	if n.dirty {
		return
	}
	n.dirty = true
	t.dirty++
	if r.addr != 0 {
		t.freed(r.addr)
		r.addr = 0
	}
	// What was decoded lies in one block, what is new does not: the slices are this node's own from now on.
	n.keys, n.vals, n.kids = slices.Clone(n.keys), slices.Clone(n.vals), slices.Clone(n.kids)
}

// forget takes a dirty node out of the count.
func (t *tree) forget() { t.dirty--; t.loads.Add(-1) }

// put sets the value of a key. It keeps both slices.
func (t *tree) put(k, v []byte) error {
	if len(k)+len(v)+4 > maxItem {
		return errDamaged // no caller makes such a one
	}
	right, err := t.insert(t.root, -1, k, v)
	if err != nil || right == nil {
		return err
	}
	left := &ref{addr: t.root.addr, sum: t.root.sum}
	old := t.root.n.Load()
	left.n.Store(old)
	top := &node{level: old.level + 1, dirty: true, keys: [][]byte{{}, right.n.Load().keys[0]}, kids: []*ref{left, right}}
	top.resize()
	t.dirty++
	t.loads.Add(1)
	t.root = &ref{}
	t.root.n.Store(top)
	return nil
}

func (n *node) resize() {
	n.size = 0
	for i := range n.keys {
		n.size += n.cost(i)
	}
}

// insert puts a key below r. If the node became too large, its right half is returned.
func (t *tree) insert(r *ref, level int, k, v []byte) (right *ref, err error) {
	n, err := t.load(r, level)
	if err != nil {
		return nil, err
	}
	last := false
	if n.level == 0 {
		t.touch(r, n)
		i, have := n.find(k)
		last = i == len(n.keys)
		if have {
			n.size += len(v) - len(n.vals[i])
			n.vals[i] = v
		} else {
			n.keys, n.vals = slices.Insert(n.keys, i, k), slices.Insert(n.vals, i, v)
			n.size += n.cost(i)
		}
	} else {
		i := n.kid(k)
		half, err := t.insert(n.kids[i], int(n.level)-1, k, v)
		if err != nil {
			return nil, err
		}
		t.touch(r, n)
		if half != nil {
			n.keys, n.kids = slices.Insert(n.keys, i+1, half.n.Load().keys[0]), slices.Insert(n.kids, i+1, half)
			n.size += n.cost(i + 1)
			last = i+2 == len(n.keys)
		}
	}
	if n.size <= nodeRoom {
		return nil, nil
	}
	return t.split(n, last), nil
}

// split cuts a node in two: in the middle, or, where the last item is what made it too large, near the end, for more may come behind it.
func (t *tree) split(n *node, last bool) *ref {
	at, size, most := 0, 0, n.size/2
	if last {
		most = min(n.size*9/10, nodeRoom)
	}
	for at < len(n.keys)-1 && size+n.cost(at) <= most {
		size += n.cost(at)
		at++
	}
	at = max(at, 1)
	m := &node{level: n.level, dirty: true, keys: slices.Clone(n.keys[at:])}
	n.keys = slices.Clip(n.keys[:at])
	if n.level == 0 {
		m.vals, n.vals = slices.Clone(n.vals[at:]), slices.Clip(n.vals[:at])
	} else {
		m.kids, n.kids = slices.Clone(n.kids[at:]), slices.Clip(n.kids[:at])
	}
	n.resize()
	m.resize()
	t.dirty++
	t.loads.Add(1)
	r := &ref{}
	r.n.Store(m)
	return r
}

// remove takes a key out, if it is there.
func (t *tree) remove(k []byte) error {
	if _, err := t.delete(t.root, -1, k); err != nil {
		return err
	}
	for {
		n := t.root.n.Load()
		if n == nil || n.level == 0 || len(n.kids) > 1 {
			return nil
		}
		if len(n.kids) == 0 {
			n.level = 0 // the last key of all is gone: an empty leaf
			return nil
		}
		if _, err := t.load(n.kids[0], int(n.level)-1); err != nil {
			return nil // it stays as it is: right, if one level too high
		}
		t.touch(t.root, n)
		t.root = n.kids[0]
		t.forget()
	}
}

// delete takes a key out below r, and says whether nothing is left there.
func (t *tree) delete(r *ref, level int, k []byte) (empty bool, err error) {
	n, err := t.load(r, level)
	if err != nil {
		return false, err
	}
	if n.level == 0 {
		i, have := n.find(k)
		if !have {
			return false, nil
		}
		t.touch(r, n)
		n.size -= n.cost(i)
		n.keys, n.vals = slices.Delete(n.keys, i, i+1), slices.Delete(n.vals, i, i+1)
		return len(n.keys) == 0, nil
	}
	i := n.kid(k)
	gone, err := t.delete(n.kids[i], int(n.level)-1, k)
	if err != nil {
		return false, err
	}
	kid := n.kids[i].n.Load()
	if !kid.dirty {
		return false, nil // the key was not there
	}
	t.touch(r, n)
	if gone {
		t.forget()
		n.size -= n.cost(i)
		n.keys, n.kids = slices.Delete(n.keys, i, i+1), slices.Delete(n.kids, i, i+1)
		return len(n.kids) == 0, nil
	}
	if kid.size < nodeRoom/4 {
		if i > 0 {
			t.join(n, i-1)
		} else if len(n.kids) > 1 {
			t.join(n, i)
		}
	}
	return false, nil
}

// join makes one of the kids i and i+1 of n, if they are in memory and fit. Those that are not stay: that they are small costs room, and nothing else.
func (t *tree) join(n *node, i int) {
	a, b := n.kids[i].n.Load(), n.kids[i+1].n.Load()
	if a == nil || b == nil || a.size+b.size+len(n.keys[i+1]) > nodeRoom {
		return
	}
	t.touch(n.kids[i], a)
	t.touch(n.kids[i+1], b)
	if b.level > 0 {
		b.keys[0] = n.keys[i+1] // the first was not compared, and is from now on
	}
	a.keys, a.vals, a.kids = append(a.keys, b.keys...), append(a.vals, b.vals...), append(a.kids, b.kids...)
	a.resize()
	t.forget()
	n.size -= n.cost(i + 1)
	n.keys, n.kids = slices.Delete(n.keys, i+1, i+2), slices.Delete(n.kids, i+1, i+2)
}

// height is the number of levels.
func (t *tree) height() int {
	if n := t.root.n.Load(); n != nil {
		return int(n.level) + 1
	}
	return 8
}

// trim lets go of clean nodes that are on the disk as of commit gen, where there are more than most in memory, until half as many are left: first those that were not used since the last time, then, if that
// does not do, others. They are read again when they are asked for. Who looks at one keeps it as long. FS.mu is held, for reading at least.
func (t *tree) trim(gen uint64) {
	if t.loads.Load() <= t.most || !t.trimming.CompareAndSwap(false, true) {
		return
	}
	defer t.trimming.Store(false)
	n := t.root.n.Load()
	for pass := 0; n != nil && pass < 2 && t.loads.Load() > t.most/2; pass++ {
		// A reader may have read what hangs on a node that is let go now: such are counted, and nobody's. So it is counted anew.
		t.loads.Store(1 + t.trimBelow(n, gen))
	}
}

// trimBelow trims below n, and says how many nodes there are left.
func (t *tree) trimBelow(n *node, gen uint64) (left int64) {
	for _, r := range n.kids {
		k := r.n.Load()
		if k == nil {
			continue
		}
		below := t.trimBelow(k, gen)
		if below > 0 || k.dirty || k.gen > gen || k.used.Swap(false) || t.loads.Load() <= t.most/2 {
			left += 1 + below
			continue
		}
		r.n.Store(nil)
		t.loads.Add(-1)
	}
	return left
}
