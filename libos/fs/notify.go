package fs

import "sync/atomic"

// A Happening is something that was done to a name or a node: what inotify(7) tells of.
type Happening struct {
	What   uint32 // one of the bits below
	Mount  *Mount // nil: it does not concern those who watch the folders that the node is in
	Node   Node   // what it was done to
	Dir    Node   // the folder in which it was, for what is done to names; nil for what is done to the node
	Name   string // in Dir
	Cookie uint32 // of HasMovedFrom and HasMovedTo: the two that belong together
}

// What happens, with the bits of inotify(7). The walk and the operations on names tell of those on names; who opens and reads tells of the rest.
const (
	HasAccessed    = 0x001
	HasModified    = 0x002
	HasAttrib      = 0x004
	HasClosedW     = 0x008 // what was open for writing
	HasClosed      = 0x010
	HasOpened      = 0x020
	HasMovedFrom   = 0x040
	HasMovedTo     = 0x080
	HasCreated     = 0x100
	HasDeleted     = 0x200
	HasGone        = 0x400 // the last name of the node
	HasMovedItself = 0x800
	HasLeft        = 1 << 20 // a whiteout under a name that was moved, of which inotify tells nothing
)

// listener hears of everything, where there is one. It may be called on any goroutine, with the folder's rename lock held.
var listener atomic.Pointer[func(Happening)]

// Listen has f called when something happens; nil ends that. There is one listener.
func Listen(f func(Happening)) {
	if f == nil {
		listener.Store(nil)
		return
	}
	listener.Store(&f)
}

// Listening says whether Tell is heard: what costs something to know is found out only then.
func Listening() bool { return listener.Load() != nil }

// Tell tells the listener.
func Tell(h Happening) {
	if f := listener.Load(); f != nil {
		(*f)(h)
	}
}

// Tell tells of what was done to a node at p.
func (p Place) Tell(what uint32) {
	if Listening() {
		Tell(Happening{What: what, Mount: p.Mount, Node: p.Node})
	}
}

// tellName tells of a name of d, which is n's.
func tellName(m *Mount, what uint32, d Dir, name string, n Node) {
	Tell(Happening{What: what, Mount: m, Dir: d, Name: name, Node: n})
}

// made tells of a new name.
func made(m *Mount, what uint32, d Dir, name string) {
	if !Listening() {
		return
	}
	if n, e := d.Lookup(name); e == 0 {
		tellName(m, what, d, name, n)
		n.Unref()
	}
}

// heard gives what has a name now, with a reference, where somebody listens; nil else.
func heard(d Dir, name string) Node {
	if !Listening() {
		return nil
	}
	n, e := d.Lookup(name)
	if e != 0 {
		return nil
	}
	return n
}

// lost tells of what has lost a name, unless that failed, and drops it.
func lost(m *Mount, d Dir, name string, n Node, e Errno) {
	if n == nil {
		return
	}
	if e == 0 {
		if _, folder := n.(Dir); !folder {
			Place{nil, n}.Tell(HasAttrib)
		}
		gone(n)
		tellName(m, HasDeleted, d, name, n)
	}
	n.Unref()
}

// gone tells a node that has lost its last name.
func gone(n Node) {
	if a := n.Attr(); a.Nlink == 0 {
		Place{nil, n}.Tell(HasGone)
	}
}

var cookies atomic.Uint32

// moved tells of a rename of what old is, and with exchange of what next is, which was there before; both are dropped.
func moved(m *Mount, from Dir, name string, to Dir, newName string, old, next Node, exchange bool, e Errno) {
	if old != nil && e == 0 {
		tell := func(from Dir, name string, to Dir, newName string, n Node) {
			c := cookies.Add(1)
			Tell(Happening{HasMovedFrom, m, n, from, name, c})
			Tell(Happening{HasMovedTo, m, n, to, newName, c})
		}
		tell(from, name, to, newName, old)
		if next != nil && !exchange {
			Place{nil, next}.Tell(HasAttrib)
			gone(next)
		}
		Place{nil, old}.Tell(HasMovedItself)
		if next != nil && exchange {
			tell(to, newName, from, name, next)
			Place{nil, next}.Tell(HasMovedItself)
		}
	}
	for _, n := range []Node{old, next} {
		if n != nil {
			n.Unref()
		}
	}
}
