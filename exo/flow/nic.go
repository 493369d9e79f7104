package flow

import (
	"slices"
	"sync"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/filter"
)

// A NIC is a network card's receive queues and the flows to them.
type NIC struct {
	name  string
	space *exo.Space   // of queues
	table filter.Table // what Steer uses; changed under mu

	mu     sync.Mutex // taken with the space locked, never the other way round
	flows  []*Flow    // under mu; by age
	births uint64     // under mu: how many flows there ever were
}

// maxQueues is how many queues a virtio network device may have (VIRTIO 1.2, 5.1.5, max_virtqueue_pairs).
const maxQueues = 0x8000

// NewNIC is for a card's driver. It gives the capability of all queues, which the driver hands on, derives from and takes back.
//
// Error: *exo.RangeError for no queues, or more than 32768.
func NewNIC(name string, queues int) (*NIC, exo.Cap, error) {
	space := "queue of " + name
	if queues < 1 || queues > maxQueues {
		return nil, exo.Cap{}, &exo.RangeError{Space: space, Hi: uint64(queues) - 1, Last: maxQueues - 1, Why: "a card has 1 to 32768 queues"}
	}
	s, c, err := exo.NewSpace(space, name, 0, uint64(queues)-1)
	return &NIC{name: name, space: s}, c, err
}

// Steer is the queue that packet goes to; false if no flow accepts it. It takes no lock and allocates nothing.
func (n *NIC) Steer(packet []byte) (queue int, ok bool) {
	e := n.table.Classify(packet)
	if e == nil {
		return 0, false
	}
	return int(e.Tag), true
}

// A Flow sends what a filter accepts to a queue.
type Flow struct {
	queue *Queue
	entry filter.Entry
	born  uint64
}

// Claim sends the packets that p accepts, and that no flow of a smaller rank accepts, to the queue.
//
// Errors: *OverlapError if a flow of the same rank is in the way, why the queue's binding ended if it has, *filter.RuleError for an
// empty program. The filters are compared with no lock held; flows that are claimed meanwhile are compared too before this one is
// entered.
func (q *Queue) Claim(p *filter.Program, rank uint32) (*Flow, error) {
	n := q.nic
	if n == nil {
		return nil, &exo.EmptyError{}
	}
	if p == nil {
		return nil, &filter.RuleError{Rule: filter.RuleLength, Fix: "claim with a program that filter.Verify returned"}
	}
	f := &Flow{queue: q, entry: filter.Entry{Program: p, Rank: rank, Tag: uint64(q.number)}}
	seen := uint64(0) // flows up to this age have been compared
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		if q.gone {
			return nil, q.bound.Err()
		}
		var rivals []*Flow
		for _, o := range n.flows {
			if o.born > seen && o.entry.Rank == rank {
				rivals = append(rivals, o)
			}
		}
		if len(rivals) == 0 {
			break
		}
		seen = n.births
		n.mu.Unlock()
		err := f.compare(rivals)
		n.mu.Lock()
		if err != nil {
			return nil, err
		}
	}
	if err := n.table.Update(nil, []*filter.Entry{&f.entry}); err != nil {
		return nil, err
	}
	n.births++
	f.born = n.births
	n.flows = append(n.flows, f)
	return f, nil
}

// compare returns an *OverlapError for the first rival that is, or may be, in the way.
func (f *Flow) compare(rivals []*Flow) error {
	for _, o := range rivals {
		r := filter.Compare(f.entry.Program, o.entry.Program)
		if r.Verdict != filter.Disjoint {
			return &OverlapError{NIC: f.queue.nic.name, Holder: f.queue.holder, Other: o.queue.holder, Queue: int(o.entry.Tag), Rank: o.entry.Rank,
				Witness: r.Witness, Why: r.Why}
		}
	}
	return nil
}

// Release ends the flow. What its filter accepts goes to the next flow that accepts it, if there is one. Error: *exo.ReleasedError if it was
// released before, or why the queue's binding ended.
func (f *Flow) Release() error {
	if f.queue == nil {
		return &exo.EmptyError{}
	}
	n := f.queue.nic
	n.mu.Lock()
	defer n.mu.Unlock()
	if f.queue.gone {
		return f.queue.bound.Err()
	}
	if !slices.Contains(n.flows, f) {
		return &exo.ReleasedError{Space: "flow of " + n.name}
	}
	n.end([]*Flow{f})
	return nil
}

// end takes flows that are held out of the table; mu held.
func (n *NIC) end(ended []*Flow) {
	if len(ended) == 0 {
		return
	}
	entries := make([]*filter.Entry, len(ended))
	for i, f := range ended {
		entries[i] = &f.entry
	}
	if err := n.table.Update(entries, nil); err != nil {
		panic(err) // the flows are held, so their entries are in the table
	}
	n.flows = slices.DeleteFunc(n.flows, func(f *Flow) bool { return slices.Contains(ended, f) })
}
