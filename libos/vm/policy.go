package vm

import "container/list"

// order is the pages that are in, by when they came, oldest first.
type order struct {
	pages list.List
	at    map[int]*list.Element
}

// In implements Policy.
func (o *order) In(page int) {
	if o.at == nil {
		o.at = map[int]*list.Element{}
	}
	o.at[page] = o.pages.PushBack(page)
}

// Out implements Policy.
func (o *order) Out(page int) {
	if e := o.at[page]; e != nil {
		o.pages.Remove(e)
		delete(o.at, page)
	}
}

// LRU puts out the page that was not used for the longest time, as far as the processor's accessed bits tell: a page that was used since it was last
// looked at gets another turn (Corbató's clock).
type LRU struct{ order }

// Victim implements Policy.
func (l *LRU) Victim(used func(int) bool) int {
	for range l.pages.Len() {
		e := l.pages.Front()
		if page := e.Value.(int); !used(page) {
			return page
		}
		l.pages.MoveToBack(e)
	}
	return l.pages.Front().Value.(int) // all were used: the oldest
}

// MRU puts out the page that came last. It is right for scans that begin again: what was just seen is needed last.
type MRU struct{ order }

// Victim implements Policy.
func (m *MRU) Victim(func(int) bool) int { return m.pages.Back().Value.(int) }
