package card

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/hardtack-os/hardtack/exo/virtio/nic"
	"github.com/hardtack-os/hardtack/libos/net/link"
)

// commands are those that the card is to carry out, one after the other: each is sent when the one before has been answered, by whoever hears of that. So nobody waits.
type commands struct {
	filters bool // the card can be told what to hear

	mu      sync.Mutex
	waiting []command // the first one is under way if sent is set; of each kind at most one waits
	sent    bool
}

type command struct {
	nic.Command
	data []byte
}

// maxGroups is how many groups a card is told of; of more it hears all there are. It is what QEMU's cards take.
const maxGroups = 64

// Hear tells the card whose groups' frames to receive. Until then, and where the card cannot be told, it receives everything.
func (c *Card) Hear(groups []link.MAC) {
	if !c.ctl.filters {
		return
	}
	all := byte(0)
	if len(groups) > maxGroups {
		groups, all = nil, 1
	}
	t := binary.LittleEndian.AppendUint32(nil, 0) // the card's own address needs no entry
	t = binary.LittleEndian.AppendUint32(t, uint32(len(groups)))
	for _, g := range groups {
		t = append(t, g[:]...)
	}
	c.command(command{nic.Table, t}, command{nic.AllMulticast, []byte{all}}, command{nic.Promiscuous, []byte{0}})
}

// Changes gives what has happened to the link since it was asked last.
func (c *Card) Changes() link.Changes {
	if c.changes.Load() == 0 {
		return 0
	}
	return link.Changes(c.changes.Swap(0))
}

// Announced tells the card that addresses were announced.
func (c *Card) Announced() { c.command(command{nic.AnnounceDone, nil}) }

// command queues commands, and takes out those of the same kinds that have not been sent.
func (c *Card) command(list ...command) {
	t := &c.ctl
	t.mu.Lock()
	defer t.mu.Unlock()
	defer c.taken()
	c.queue(list...)
	c.pump()
}

// queue does; ctl.mu held.
func (c *Card) queue(list ...command) {
	t := &c.ctl
	keep := t.waiting[:0:0]
	for i, w := range t.waiting {
		if i == 0 && t.sent || !slices.ContainsFunc(list, func(x command) bool { return x.Command == w.Command }) {
			keep = append(keep, w)
		}
	}
	t.waiting = append(keep, list...)
}

// pump takes an answer, and sends what is next; ctl.mu held.
func (c *Card) pump() {
	t := &c.ctl
	for c.works() {
		if t.sent {
			ended, ok := c.nic.Answer()
			if !ended {
				return
			}
			kind := t.waiting[0].Command
			t.waiting, t.sent = t.waiting[1:], false
			if !ok {
				c.Count.Refused.Add(1)
				if kind == nic.Table || kind == nic.AllMulticast {
					t.waiting = nil
					c.queue(command{nic.Promiscuous, []byte{1}}) // rather too much than too little
				}
			}
		}
		if len(t.waiting) == 0 {
			return
		}
		if t.sent = c.nic.Send(t.waiting[0].Command, t.waiting[0].data); !t.sent {
			t.waiting = nil // it takes no commands, or no more
			return
		}
	}
}

// look asks what has changed, if there was an interrupt that says so or first is set. An error: the card cannot go on.
func (c *Card) look(first bool) error {
	c.ctl.mu.Lock() // Close holds it when the registers go
	defer c.ctl.mu.Unlock()
	if !c.works() {
		return nil // Wait says so
	}
	changed, err := c.nic.Changed()
	if err != nil {
		return err
	}
	if changed || first {
		up, announce := c.nic.Status()
		var happened link.Changes
		if was := c.down.Swap(!up); was && up {
			happened |= link.LinkUp
		} else if !was && !up {
			happened |= link.LinkDown
		}
		if announce {
			happened |= link.Announce
		}
		if first {
			happened &= link.Announce
		}
		if happened != 0 {
			c.changes.Or(uint32(happened))
			c.pairs[0].rouse()
		}
	}
	c.pump()
	return nil
}
