package exo

import "slices"

// A Demand asks a holder for names.
type Demand struct {
	Names    uint64 // how many
	Deadline int64  // as Now: past it they are taken by force
	Why      string // for the holder's handler and records
	Clock    Clock  // nil: the machine's
}

// A Request is a Demand as the holder's handler sees it.
type Request struct {
	Names    uint64 // how many names are wanted of this holder
	Deadline int64
	By, Why  string

	n     *node
	given uint64        // under n.in.mu
	over  bool          // under n.in.mu: the deadline has passed, or enough was given
	full  chan struct{} // closed when enough was given
}

// How a handler answered a demand, as Repossession.Answer says it.
const (
	answerNone     = "no handler"
	answerShort    = "gave up too little"
	answerLate     = "no answer by the deadline"
	answerPanicked = "panicked"
	answerOverdue  = "not asked: the handler still runs past an earlier deadline"
)

// Handle sets the function that chooses what to give up when names are asked back; nil sets none. It runs on a goroutine of its own,
// once for each demand, maybe for several at once, and calls Request.GiveUp.
//
// Errors: those of Err. It does not block.
func (c Cap) Handle(f func(*Request)) error {
	n, err := c.lock()
	if err != nil {
		return err
	}
	n.handler = f
	n.in.mu.Unlock()
	return nil
}

// GiveUp is Cap.GiveUp, counted for the request. The handler may give up more than is wanted.
//
// Errors: as Cap.GiveUp, which changes nothing then and counts nothing; *RevokedError once the request is over.
func (r *Request) GiveUp(lo, hi uint64) error {
	n, err := Cap{r.n}.lock()
	if err != nil {
		return err
	}
	defer n.in.unlock()
	if r.over {
		return &RevokedError{Space: n.in.name, By: r.By, Why: r.Why + "; the request is over", When: r.Deadline}
	}
	if err := n.giveUp(lo, hi); err != nil {
		return err
	}
	r.given += hi - lo + 1
	if r.given >= r.Names {
		r.over = true
		close(r.full)
	}
	return nil
}

// Reclaim asks k, which was derived from c, for names, and says how many came back to c. It never takes k, or any capability below
// it, under what it was guaranteed.
//
// The abort protocol: k's handler has until the deadline to give names up. When it returns, panics, or the deadline passes, exo
// takes what is missing: names of k that are free, the highest first; then those that k bound, the youngest binding first, which ends whole;
// then those derived from k, the youngest first, each in the same order. It leaves a Repossession with all who lost some. Without a handler,
// or while the handler has not returned from a demand before this one, nobody is asked and nothing is waited for.
//
// Needs: Derive. Errors: *RightsError if k was not derived from c; *ExhaustedError, beside what did come back, if k's guarantee, or its
// size, is in the way of the rest; k's own if it has ended. It parks up to the deadline.
func (c Cap) Reclaim(k Cap, d Demand) (got uint64, err error) {
	clock := d.Clock
	if clock == nil {
		clock = machineClock{}
	}
	p, err := c.lock()
	if err != nil {
		return 0, err
	}
	defer p.in.unlock()
	if err := p.need(Derive); err != nil {
		return 0, err
	}
	n, err := p.child(k)
	if err != nil {
		return 0, err
	}
	want := min(d.Names, n.takeable())
	answer := answerNone
	switch {
	case want == 0 || n.handler == nil:
	case n.overdue > 0:
		answer = answerOverdue
	case clock.Now() >= d.Deadline:
		answer = answerLate
	default:
		r := &Request{Names: want, Deadline: d.Deadline, By: p.holder, Why: d.Why, n: n, full: make(chan struct{})}
		answer = r.ask(n.handler, clock)
		got = r.given
	}
	if rest := min(want-min(want, got), n.takeable()); rest > 0 {
		got += n.force(rest, &RevokedError{Space: p.in.name, By: p.holder, Why: d.Why, When: clock.Now(), answer: answer})
	}
	if got < d.Names {
		return got, &ExhaustedError{Space: p.in.name + " names of " + k.n.holder, Want: d.Names - got, Why: "it has no more above what it was guaranteed"}
	}
	return got, nil
}

// ask runs the handler and waits until it returns, has given enough, or the deadline passes. The lock is released meanwhile.
func (r *Request) ask(f func(*Request), clock Clock) (answer string) {
	s := r.n.in
	done := make(chan struct{})
	panicked, late, ended := true, false, false // late and ended under s.mu
	s.unlock()
	go func() {
		defer close(done)
		defer func() {
			if panicked {
				recover() // the holder's mistake ends its answer, not the program
			}
			s.mu.Lock()
			ended = true
			if late {
				r.n.overdue--
			}
			s.mu.Unlock()
		}()
		f(r)
		panicked = false
	}()
	reached, stop := clock.Until(r.Deadline)
	answer = answerShort
	select {
	case <-done:
		if panicked {
			answer = answerPanicked
		}
	case <-r.full:
	case <-reached:
		answer = answerLate
	}
	stop()
	s.mu.Lock()
	r.over = true
	if late = answer == answerLate && !ended; late {
		r.n.overdue++
	}
	return answer
}

// takeable is how many names can be taken from n by force; lock held.
func (n *node) takeable() uint64 {
	size := n.names.size()
	most := size
	for _, c := range n.below {
		most -= c.names.size() - c.takeable()
	}
	return min(most, size-min(size, n.least))
}

// force takes k names, at most n.takeable(), and gives them to n.up; lock held.
func (n *node) force(k uint64, why *RevokedError) (taken uint64) {
	drain := func() {
		for taken < k && len(n.free) > 0 {
			r := n.free[len(n.free)-1]
			r.Lo = max(r.Lo, r.Hi-min(r.Hi, k-taken-1))
			taken += r.Hi - r.Lo + 1
			n.drop(r, why)
		}
	}
	drain()
	if taken < k {
		young := slices.Clone(n.bound)
		slices.SortFunc(young, func(a, b *Binding) int { return younger(a.born, b.born) })
		for i := 0; i < len(young) && taken < k; i++ {
			n.in.cut = true
			young[i].end(why)
			drain()
		}
	}
	if taken < k {
		young := slices.Clone(n.below)
		slices.SortFunc(young, func(a, b *node) int { return younger(a.born, b.born) })
		for i := 0; i < len(young) && taken < k; i++ {
			if j := min(k-taken, young[i].takeable()); j > 0 {
				young[i].force(j, why)
				drain()
			}
		}
	}
	if len(n.names) == 0 {
		n.die(why)
	}
	return taken
}

func younger(a, b uint64) int {
	if a > b {
		return -1
	}
	return 1
}
