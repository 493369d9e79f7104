package exo

import "sync"

// Names of the machine's spaces, and what numbers they hold.
const (
	FrameSpace    = "frame"          // physical frame numbers: the address over PageSize
	MMIOSpace     = "MMIO"           // physical addresses
	PortSpace     = "port"           // Port
	VectorSpace   = "vector"         // vectors of the interrupt table
	LineSpace     = "interrupt line" // GSI
	FunctionSpace = "PCI function"   // FunctionID
	CPUSpace      = "CPU"            // 0 to CPUs()-1
)

const (
	spFrame = iota
	spMMIO
	spPort
	spVector
	spLine
	spFunction
	spCPU
	spaceCount
)

const (
	firstVector = 48 // the runtime's own lie outside
	lastVector  = 238
)

// maxPhys is the highest physical address (Intel SDM vol. 3A, 4.1.4: MAXPHYADDR is at most 52).
const maxPhys = 1<<52 - 1

// world is everything exo remembers. It is one value so that the hosted twin can swap the machine beneath it.
type world struct {
	spacesOnce sync.Once
	spaces     [spaceCount]Space
	domain     Domain // the program's
	routes     routes
	pages      pageMap

	tables struct {
		once sync.Once
		t    *tables
		err  error
	}
	names struct {
		once sync.Once
		ns   *namespace
		err  error
	}
	ioapics struct {
		once sync.Once
		r    *router
		err  error
	}
	pci struct {
		once sync.Once
		c    *pciRoot
		err  error
	}
	inventory struct {
		once sync.Once
		inv  *Inventory
		err  error
	}
	power struct {
		once sync.Once
		err  error
	}
}

var (
	firstWorld world
	theWorld   = &firstWorld // a pointer so that tests can swap it; filled by the linker, not by code
)

// root is the capability of a whole space.
func (w *world) root(space int) Cap {
	w.spacesOnce.Do(w.makeSpaces)
	return Cap{w.spaces[space].root}
}

func (w *world) makeSpaces() {
	for i, s := range [spaceCount]struct {
		name   string
		lo, hi uint64
	}{
		spFrame:    {FrameSpace, 0, maxPhys / PageSize},
		spMMIO:     {MMIOSpace, 0, maxPhys},
		spPort:     {PortSpace, 0, 0xffff},
		spVector:   {VectorSpace, firstVector, lastVector},
		spLine:     {LineSpace, 0, 1<<32 - 1},
		spFunction: {FunctionSpace, 0, 0xffff},
		spCPU:      {CPUSpace, 0, uint64(hwCPUs() - 1)},
	} {
		w.spaces[i].init(s.name, "the program", s.lo, s.hi)
		w.domain.caps = append(w.domain.caps, Cap{w.spaces[i].root})
	}
	w.domain.root = true
	// The bottom half manages these two itself: names leave its pool when they leave the root.
	f, v := &w.spaces[spFrame], &w.spaces[spVector]
	f.claim, f.give, f.fresh = claimFrames, giveFrames, clearFrames
	v.claim, v.give = claimVectors, giveVectors
}

// takeOwn binds what is free or already exo's of [lo, hi] for exo itself: nobody can take it back. Own bindings may cover one another: a PC's reset
// control register, port 0xcf9, lies amid the configuration address register.
func (w *world) takeOwn(space int, what string, lo, hi uint64) (own []*Binding, err error) {
	c := w.root(space)
	n, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer n.in.unlock()
	if hi < lo || !n.names.covers(lo, hi) {
		return nil, outside(n.in.name, lo, hi, n.first(), n.last(), "the range is empty, wraps around, or does not exist")
	}
	rest := nameSet{{lo, hi}}
	for _, b := range n.bound {
		if b.own {
			rest.remove(b.lo, b.hi)
		}
	}
	for _, r := range rest {
		if !n.free.covers(r.Lo, r.Hi) {
			return nil, n.heldBy(r.Lo, r.Hi)
		}
	}
	for _, r := range rest {
		b := &Binding{lo: r.Lo, hi: r.Hi, holder: "exo: " + what, own: true, res: hook{}}
		if err := n.bind(b, false); err != nil {
			return own, err
		}
		own = append(own, b)
	}
	return own, nil
}
