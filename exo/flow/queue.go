package flow

import "github.com/hardtack-os/hardtack/exo"

// A Queue is a receive queue that its holder may direct packets to.
type Queue struct {
	nic    *NIC
	number int
	holder string
	bound  *exo.Binding
	gone   bool // under nic.mu: the binding has ended
}

// Bind gives holder queue number q, out of those of c: this one or none.
//
// Needs: exo.Read. Errors: *exo.RangeError for a queue that c has not, *exo.HeldError, *exo.RightsError, those of an ended c.
func (n *NIC) Bind(c exo.Cap, holder string, q int) (*Queue, error) {
	t := &Queue{nic: n, number: q, holder: holder}
	b, err := n.space.Bind(c, holder, uint64(q), uint64(q), exo.Read, t.unbind)
	if err != nil {
		return nil, err
	}
	t.bound = b
	return t, nil
}

// Release gives the queue back to the capability that it came from, and ends its flows. The error is why the binding ended, if it
// had before.
func (q *Queue) Release() error { return q.bound.Release() }

// unbind ends the queue's flows. It runs under the space's lock.
func (q *Queue) unbind() {
	n := q.nic
	n.mu.Lock()
	defer n.mu.Unlock()
	q.gone = true
	var ended []*Flow
	for _, f := range n.flows {
		if f.queue == q {
			ended = append(ended, f)
		}
	}
	n.end(ended)
}
