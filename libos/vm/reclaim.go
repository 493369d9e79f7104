package vm

import (
	"sync"

	"github.com/hardtack-os/hardtack/exo"
)

// Who holds frames that can be asked back, in the order in which they said so.
var revocable struct {
	mu   sync.Mutex
	list []offered
}

type offered struct {
	domain *exo.Domain
	grow   func(n int) (got int) // nil: it takes nothing by itself
}

// Offer says that the frames of d, a domain made from the program's own, may be asked back when memory is short: by visible revocation, which means that the
// handlers of its capabilities (exo.Cap.Handle) choose, and that what is guaranteed stays. A revocable pool is offered from the start.
func Offer(d *exo.Domain) { offer(d, nil) }

func offer(d *exo.Domain, grow func(int) int) {
	revocable.mu.Lock()
	defer revocable.mu.Unlock()
	revocable.list = append(revocable.list, offered{d, grow})
}

// withdraw undoes offer.
func withdraw(d *exo.Domain) {
	revocable.mu.Lock()
	defer revocable.mu.Unlock()
	for i := range revocable.list {
		if revocable.list[i].domain == d {
			revocable.list = append(revocable.list[:i], revocable.list[i+1:]...)
			return
		}
	}
}

func offers() []offered {
	revocable.mu.Lock()
	defer revocable.mu.Unlock()
	return append([]offered(nil), revocable.list...)
}

// Reclaim asks the holders of revocable frames for d.Names of them, who offered first before the others, and says how many came back. Each has until
// d.Deadline; then exo takes by force what is missing.
func Reclaim(d exo.Demand) (got int) {
	for _, o := range offers() {
		if d.Names == 0 {
			break
		}
		n, _ := exo.Root().Reclaim(o.domain, exo.FrameSpace, d) // that it had less is no error here
		got += int(n)
		d.Names -= min(n, d.Names)
		if o.grow != nil {
			o.grow(0)
		}
	}
	return got
}

// Regrow lets revocable pools take back what was asked of them, n frames at most in all, and says how many they took.
func Regrow(n int) (got int) {
	for _, o := range offers() {
		if o.grow != nil && got < n {
			got += o.grow(n - got)
		}
	}
	return got
}

// Revocable is how many frames are held by those that offered theirs.
func Revocable() (n int) {
	for _, o := range offers() {
		for _, c := range o.domain.Caps(exo.FrameSpace) {
			for _, r := range c.Names() {
				n += int(r.Hi - r.Lo + 1)
			}
		}
	}
	return n
}
