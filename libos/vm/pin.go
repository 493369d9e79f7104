package vm

import "github.com/hardtack-os/hardtack/exo"

// A Pinned is memory of the Go heap, or of a region, that a device may be told of: where it is, and that it stays there.
type Pinned struct {
	b    []byte
	runs []exo.Run
}

// Pin makes each page of b present and gives their physical addresses. The heap does not move and its pages in use are never taken, so that
// holding the Pinned is what keeps them: it must be reachable until no device uses the memory any more. A region's pages stay as long as its pager
// leaves them.
//
// b must not lie on a stack, which the compiler sees to. Adjacent frames are one run; memory of 2 MiB and more mostly has large pages.
//
// Errors: *exo.PageError for memory that is mapped nowhere, as a region's that was not populated.
func Pin(b []byte) (*Pinned, error) {
	runs, err := exo.PhysicalRuns(b)
	if err != nil {
		return nil, err
	}
	return &Pinned{b: b, runs: runs}, nil
}

// Bytes is the memory.
func (p *Pinned) Bytes() []byte { return p.b }

// Runs are the physical pieces, in order; their lengths add up to that of the memory.
func (p *Pinned) Runs() []exo.Run { return p.runs }
