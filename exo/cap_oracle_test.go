//go:build !hardtack

package exo

import "slices"

// An oracle is the tree of capabilities the slow and obvious way: for each name, the capabilities that it went through, from the
// root to the one that has it, and the binding that uses it. It shares nothing with the tree but the rules in doc.go.
type oracle struct {
	path  [oracleNames][]int // cap numbers; the last has the name
	bound [oracleNames]int   // binding number; -1: none
	caps  []oracleCap
	binds []oracleBind
}

const oracleNames = 16

type oracleCap struct {
	up      int // -1: the root
	rights  Rights
	granted [oracleNames]bool
	least   int
	handler func() (give []Range, answers bool) // nil: none
	overdue bool                                // a handler has not answered
	dead    string
	lost    string // the last reason that a name was lost for
}

type oracleBind struct {
	of, lo, hi int
	dead       string
}

func newOracle() *oracle {
	o := &oracle{caps: []oracleCap{{up: -1, rights: All}}}
	for i := range o.path {
		o.path[i], o.bound[i] = []int{0}, -1
		o.caps[0].granted[i] = true
	}
	return o
}

func (o *oracle) has(c, i int) bool  { return slices.Contains(o.path[i], c) }
func (o *oracle) free(c, i int) bool { return o.path[i][len(o.path[i])-1] == c && o.bound[i] < 0 }

func (o *oracle) all(lo, hi int, f func(int) bool) bool {
	for i := lo; i <= hi; i++ {
		if i >= oracleNames || !f(i) {
			return false
		}
	}
	return lo <= hi
}

func (o *oracle) size(c int) (n int) {
	for i := range o.path {
		if o.has(c, i) {
			n++
		}
	}
	return n
}

// check is what every call begins with.
func (o *oracle) check(c int, need Rights) string {
	if d := o.caps[c].dead; d != "" {
		return d
	}
	if o.caps[c].rights&need != need {
		return "rights"
	}
	return ""
}

// carve says whether [lo, hi] of c can be handed on.
func (o *oracle) carve(c, lo, hi int) string {
	k := &o.caps[c]
	switch {
	case lo > hi:
		return "range"
	case o.all(lo, hi, func(i int) bool { return o.free(c, i) }):
		return ""
	case o.all(lo, hi, func(i int) bool { return o.has(c, i) }):
		return "held"
	case k.lost != "" && o.all(lo, hi, func(i int) bool { return k.granted[i] }):
		return k.lost
	}
	return "range"
}

func (o *oracle) derive(c, lo, hi int, r Rights) string {
	if e := o.check(c, Derive|r); e != "" {
		return e
	}
	if e := o.carve(c, lo, hi); e != "" {
		return e
	}
	k := oracleCap{up: c, rights: r}
	for i := lo; i <= hi; i++ {
		o.path[i] = append(slices.Clone(o.path[i]), len(o.caps))
		k.granted[i] = true
	}
	o.caps = append(o.caps, k)
	return ""
}

func (o *oracle) bind(c, lo, hi int, r Rights) string {
	if e := o.check(c, Bind|r); e != "" {
		return e
	}
	if e := o.carve(c, lo, hi); e != "" {
		return e
	}
	for i := lo; i <= hi; i++ {
		o.bound[i] = len(o.binds)
	}
	o.binds = append(o.binds, oracleBind{of: c, lo: lo, hi: hi})
	return ""
}

func (o *oracle) unbind(b int, why string) string {
	if d := o.binds[b].dead; d != "" {
		return d
	}
	o.binds[b].dead = why
	for i := range o.bound {
		if o.bound[i] == b {
			o.bound[i] = -1
		}
	}
	return ""
}

// cut takes the names in [lo, hi] from the capabilities below c, and from c if from is 0 (1: c keeps them). c loses them for the reason
// why, all others are revoked.
func (o *oracle) cut(c, from, lo, hi int, why string) {
	for i := lo; i <= hi && i < oracleNames; i++ {
		if b := o.bound[i]; b >= 0 && o.has(c, i) {
			o.unbind(b, "revoked")
		}
		at := slices.Index(o.path[i], c)
		if at < 0 {
			continue
		}
		lost := o.path[i][at+from:]
		o.path[i] = o.path[i][:at+from]
		for _, k := range lost {
			o.caps[k].lost = "revoked"
			if k == c {
				o.caps[k].lost = why
			}
		}
		for _, k := range lost {
			if o.size(k) == 0 {
				o.caps[k].dead = o.caps[k].lost
			}
		}
	}
}

func (o *oracle) release(c int) string {
	if e := o.check(c, 0); e != "" {
		return e
	}
	if c == 0 {
		return "rights"
	}
	o.cut(c, 0, 0, oracleNames-1, "released")
	return ""
}

func (o *oracle) revoke(c int) string {
	if e := o.check(c, Derive); e != "" {
		return e
	}
	o.cut(c, 1, 0, oracleNames-1, "")
	return ""
}

func (o *oracle) revokeRange(c, lo, hi int) string {
	if e := o.check(c, Derive); e != "" {
		return e
	}
	if !o.all(lo, hi, func(i int) bool { return o.has(c, i) }) {
		return "range"
	}
	o.cut(c, 1, lo, hi, "")
	return ""
}

func (o *oracle) giveUp(c, lo, hi int) string {
	if e := o.check(c, 0); e != "" {
		return e
	}
	if c == 0 {
		return "rights"
	}
	if !o.all(lo, hi, func(i int) bool { return o.has(c, i) }) {
		return "range"
	}
	o.cut(c, 0, lo, hi, "released")
	return ""
}

func (o *oracle) promised(c int) (n int) {
	for _, k := range o.caps {
		if k.up == c && k.dead == "" {
			n += k.least
		}
	}
	return n
}

func (o *oracle) child(c, k int) string {
	if o.caps[k].up != c {
		return "rights"
	}
	return o.caps[k].dead
}

func (o *oracle) guarantee(c, k, n int) string {
	if e := o.check(c, Derive); e != "" {
		return e
	}
	if e := o.child(c, k); e != "" {
		return e
	}
	if n > o.size(k) {
		return "range"
	}
	limit := o.caps[c].least
	if c == 0 {
		limit = o.size(c)
	}
	if o.promised(c)-o.caps[k].least+n > limit || n < o.promised(k) {
		return "exhausted"
	}
	o.caps[k].least = n
	return ""
}

// reclaim takes one name after another, each time the first that the order and the guarantees allow.
func (o *oracle) reclaim(c, k, n int) (got int, e string) {
	if e := o.check(c, Derive); e != "" {
		return 0, e
	}
	if e := o.child(c, k); e != "" {
		return 0, e
	}
	can := 0
	for probe := o.copy(); can < n && probe.takeOne(k); can++ {
	}
	if f := o.caps[k].handler; f != nil && can > 0 && !o.caps[k].overdue {
		give, answers := f()
		o.caps[k].overdue = !answers
		for _, r := range give {
			if got < can && o.giveUp(k, int(r.Lo), int(r.Hi)) == "" {
				got += int(r.Hi-r.Lo) + 1
			}
		}
	}
	for got < can && o.caps[k].dead == "" && o.takeOne(k) {
		got++
	}
	if got < n {
		return got, "exhausted"
	}
	return got, ""
}

func (o *oracle) copy() *oracle {
	p := *o
	p.caps, p.binds = slices.Clone(o.caps), slices.Clone(o.binds)
	return &p
}

// takeOne takes a name from k: free ones, the highest first; the youngest binding's; the youngest child's.
func (o *oracle) takeOne(k int) bool {
	i := o.choose(k)
	if i < 0 {
		return false
	}
	o.cut(k, 0, i, i, "revoked")
	return true
}

func (o *oracle) choose(k int) int {
	if o.size(k) <= o.caps[k].least {
		return -1
	}
	for i := oracleNames - 1; i >= 0; i-- {
		if o.free(k, i) {
			return i
		}
	}
	for b := len(o.binds) - 1; b >= 0; b-- {
		if o.binds[b].of == k && o.binds[b].dead == "" {
			return o.binds[b].hi
		}
	}
	for c := len(o.caps) - 1; c > 0; c-- {
		if o.caps[c].up == k && o.caps[c].dead == "" {
			if i := o.choose(c); i >= 0 {
				return i
			}
		}
	}
	return -1
}
