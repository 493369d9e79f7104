package card

import (
	"errors"
	"time"

	"github.com/hardtack-os/hardtack/exo"
)

// ErrClosed is what Wait returns once the card is closed. One that was taken back gives an exo.RevokedError.
var ErrClosed = errors.New("card: the network card is closed")

// Wait parks until there is something to do for a queue.
func (c *Card) Wait(q int) error {
	p := c.pairs[q]
	if ready, err := p.prepare(); ready || err != nil {
		return err
	}
	deadline := int64(0)
	if p.starved() {
		const retry = 10e6 // nobody tells when blocks come back to the pool
		deadline = exo.Now() + retry
	}
	parked := p.park(deadline)
	if _, err := p.prepare(); err != nil {
		return err // of a card that was closed meanwhile, that, and not what its registers say
	}
	return parked
}

// park waits for an interrupt. Of a card that was taken back meanwhile prepare tells.
func (p *pair) park(deadline int64) error {
	if p.wake != nil {
		p.parkHere(deadline)
		return nil
	}
	defer p.c.taken()
	err := p.c.nic.WaitPair(p.i, deadline)
	var gone *exo.RevokedError
	if errors.As(err, &gone) {
		p.c.lost.Store(gone)
	}
	if err == nil && !p.c.watched() {
		err = p.c.look(false)
	}
	return err
}

// parkHere waits for the watcher.
func (p *pair) parkHere(deadline int64) {
	if deadline == 0 {
		<-p.wake
		return
	}
	t := time.NewTimer(time.Duration(deadline - exo.Now()))
	defer t.Stop()
	select {
	case <-p.wake:
	case <-t.C:
	}
}

// rouse makes the receiver's Wait return.
func (p *pair) rouse() {
	if p.wake == nil {
		p.c.nic.WakePair(p.i)
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// prepare gets ready to park: it asks for interrupts, and then looks whether there is something to do already.
func (p *pair) prepare() (ready bool, err error) {
	c := p.c
	p.rxMu.Lock()
	defer p.rxMu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() {
		if gone := c.lost.Load(); gone != nil {
			ready, err = false, gone
		}
	}()
	defer c.taken()
	if c.closed.Load() {
		return false, ErrClosed
	}
	if c.lost.Load() != nil {
		return false, nil
	}
	if broken := c.broken.Load(); broken != nil {
		return false, *broken
	}
	q, t := p.Receive, p.Transmit
	if len(p.rx.free) > 0 {
		p.refill()
	}
	q.Interrupts(true)
	p.reclaim()
	// A few frames on their way out are taken off the ring with what comes next; of many the memory is wanted back.
	many := p.tx.full || len(p.tx.slots)-len(p.tx.free) > len(p.tx.slots)/8
	if t.Interrupts(many); many {
		p.reclaim()
	}
	p.tx.asked = many
	if err := q.Err(); err != nil {
		return false, err
	}
	if err := t.Err(); err != nil {
		return false, err
	}
	ready = q.Ready()
	if p.tx.full && t.Room() >= 2*maxBody && len(p.tx.free) > 0 {
		p.tx.full = false
		ready = true
	}
	return ready, nil
}

// starved tells whether the pool has left the queue with few blocks to receive into.
func (p *pair) starved() bool {
	p.rxMu.Lock()
	defer p.rxMu.Unlock()
	return p.rx.posted < len(p.rx.slots)/2
}

// watched says that a goroutine waits for the card's interrupt, and not the one receiver.
func (c *Card) watched() bool { return len(c.pairs) > 1 || c.nic.Own(0) }

// watch waits for the card's interrupt where it is not one pair's: it is for changes and commands, and behind a line for all the queues.
func (c *Card) watch() {
	for {
		err := c.watchOnce()
		for _, p := range c.pairs {
			if err != nil || p.wake != nil && p.wants() {
				p.rouse()
			}
		}
		if err != nil {
			return
		}
	}
}

// watchOnce waits once. An error: the card works no more.
func (c *Card) watchOnce() (err error) {
	defer func() {
		if gone := c.lost.Load(); gone != nil {
			err = gone
		}
		if c.closed.Load() {
			err = ErrClosed
		}
		if err != nil {
			c.broken.CompareAndSwap(nil, &err)
		}
	}()
	defer c.taken()
	if err = c.nic.Wait(0); err != nil {
		var gone *exo.RevokedError
		if errors.As(err, &gone) {
			c.lost.Store(gone)
		}
		return err
	}
	return c.look(false)
}

// wants says whether the receiver has something to do.
func (p *pair) wants() bool {
	p.rxMu.Lock()
	defer p.rxMu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.c.taken()
	return p.gone || p.Receive.Ready() || p.tx.asked
}
