package exo

import "sync"

// A space is one range of exposed names (physical addresses, ports, lines, functions): who holds which part.
//
// It is looked at when a resource is taken or released, never when it is used. A linear scan is right for the few
// dozen ranges that a machine's devices make.
type space struct {
	name string
	mu   sync.Mutex
	held []*claim // under mu; in no order
}

// A claim is one held range. Each capability points to its claim; derivation and revocation (a claim that has children,
// a claim that is taken back) will hang on this record and leave the use path alone.
type claim struct {
	in     *space
	lo, hi uint64 // both included
	holder string
	own    bool // exo's
}

// take claims [lo, hi] for holder or says who has it.
func (s *space) take(name, holder string, lo, hi uint64) (*claim, error) {
	return s.claim(name, &claim{in: s, lo: lo, hi: hi, holder: holder})
}

// takeOwn claims a range for exo itself. It may overlap others of exo's: a PC's reset control register, port 0xcf9, lies
// amid the configuration address register.
func (s *space) takeOwn(name, what string, lo, hi uint64) (*claim, error) {
	return s.claim(name, &claim{in: s, lo: lo, hi: hi, holder: "exo: " + what, own: true})
}

func (s *space) claim(name string, n *claim) (*claim, error) {
	if n.hi < n.lo {
		return nil, outside(name, n.lo, n.hi, 0, ^uint64(0), "the range is empty or wraps around")
	}
	s.mu.Lock()
	s.name = name
	for _, c := range s.held {
		if n.lo <= c.hi && c.lo <= n.hi && !(c.own && n.own) {
			s.mu.Unlock()
			return nil, &HeldError{Space: name, Lo: n.lo, Hi: n.hi, Holder: c.holder, At: c.lo, To: c.hi}
		}
	}
	s.held = append(s.held, n)
	s.mu.Unlock()
	return n, nil
}

// release gives the range back; a second release is an error.
func (c *claim) release() error {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range s.held {
		if h == c {
			last := len(s.held) - 1
			s.held[i] = s.held[last]
			s.held[last] = nil
			s.held = s.held[:last]
			return nil
		}
	}
	return released(s.name)
}

// world is everything exo remembers. It is one value so that the hosted twin can swap the machine beneath it.
type world struct {
	frames, mmio, ports, lines, functions, cpus space

	pages pageMap

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
