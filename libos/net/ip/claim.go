package ip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// Address conflict detection for IPv4 (RFC 5227): whether anybody else on the link has an address is asked before it is used, told to all once it is, and watched for
// as long as it is ours. Host.mu guards all of it.

// A Probing is how a claimed address is asked about before it is used.
type Probing uint8

// The ways. RFC 5227's takes 4 to 7 seconds, longer than an image takes to boot and serve; so Quickly asks once and believes 20 ms of silence, in which a station on the same link
// answers as a rule. One that was slower is found out by what it does when it hears the announcement.
const (
	Quickly Probing = iota
	Fully           // as RFC 5227, 2.1, has it
	Not             // the address is used at once
)

// Numbers of RFC 5227, 1.1; quickWait is ours.
const (
	probeWait        = time.Second // at most, before the first probe
	probeNum         = 3
	probeMin         = time.Second
	probeMax         = 2 * time.Second
	announceWait     = 2 * time.Second
	announceNum      = 2
	announceInterval = 2 * time.Second
	defendInterval   = 10 * time.Second
	quickWait        = 20 * time.Millisecond
)

// A claim is an address that an interface has, or wants.
type claim struct {
	prefix   netip.Prefix
	how      Probing
	probing  bool            // it is not ours yet
	left     int             // probes or announcements still to be sent
	next     tick.Time       // when one is, or, of probing, when the last one has waited long enough
	attacked tick.Time       // when somebody else was last seen with it
	keep     bool            // once it is ours it stays so
	told     func(ours bool) // may be nil
}

// Claim gives an interface an address of IPv4 once nobody else on the link is found to have it, and tells the link. What is in its prefix is reached by the link.
//
// told is called with true when the address is the interface's, and with false when somebody else has it: at first, or, without keep, later, twice in ten seconds. Then it is the
// interface's no more (RFC 5227, 2.4 (b)); with keep it stays so whatever others say (2.4 (c)). told runs without a lock held and must not wait; it may be nil.
func (h *Host) Claim(now tick.Time, i *Interface, p netip.Prefix, how Probing, keep bool, told func(ours bool)) {
	h.mu.Lock()
	c := claim{prefix: p, how: how, probing: true, next: now, keep: keep, told: told}
	switch how {
	case Quickly:
		c.left = 1
	case Fully:
		c.left, c.next = probeNum, now.Add(1+h.within(probeWait))
	}
	i.disclaim(p)
	i.claims = append(i.claims, c)
	h.mu.Unlock()
	h.Tick(now)
}

// disclaim forgets a claim; mu held.
func (i *Interface) disclaim(p netip.Prefix) {
	i.claims = slices.DeleteFunc(i.claims, func(c claim) bool { return c.prefix == p })
}

// own makes an address the interface's; mu held.
func (h *Host) own(i *Interface, p netip.Prefix) {
	if !slices.Contains(i.addresses, p) {
		i.addresses = append(slices.Clip(i.addresses), p)
		h.gen.Add(1)
	}
}

// disown takes it away; mu held.
func (h *Host) disown(i *Interface, p netip.Prefix) {
	i.addresses = slices.DeleteFunc(slices.Clone(i.addresses), func(q netip.Prefix) bool { return p == q })
	h.gen.Add(1)
}

// pause is how long the last probe that was sent waits for an answer.
func (h *Host) pause(c *claim) time.Duration {
	switch {
	case c.how == Quickly:
		return quickWait
	case c.left == 0:
		return announceWait
	}
	return probeMin + h.within(probeMax-probeMin)
}

// tickClaims does what is due of an interface's claims: it appends the probes and announcements to be sent, and who is to be told. mu held.
func (h *Host) tickClaims(now tick.Time, i *Interface, asks []ask, tell []func()) ([]ask, []func()) {
	for k := range i.claims {
		c := &i.claims[k]
		a := c.prefix.Addr()
		if !c.next.Due(now) {
			continue
		}
		if c.probing && c.left > 0 {
			c.left--
			c.next = now.Add(h.pause(c))
			asks = append(asks, ask{i: i, to: link.Broadcast, src: netip.IPv4Unspecified(), target: a})
			continue
		}
		if c.probing {
			c.probing, c.left = false, announceNum
			h.own(i, c.prefix)
			tell = append(tell, h.tell)
			if told := c.told; told != nil {
				tell = append(tell, func() { told(true) })
			}
		}
		if c.left--; c.left > 0 {
			c.next = now.Add(announceInterval)
		} else {
			c.next = 0
		}
		asks = append(asks, ask{i: i, to: link.Broadcast, src: a, target: a})
	}
	return asks, tell
}

// deadlineClaims is when tickClaims is to be called; mu held.
func (i *Interface) deadlineClaims() (d tick.Time) {
	for k := range i.claims {
		d = tick.Sooner(d, i.claims[k].next)
	}
	return d
}

// conflict looks whether an ARP packet of another station says that it has an address of ours, or wants one that we want. defend: that the address is ours is to be said
// again. mu held.
func (h *Host) conflict(now tick.Time, i *Interface, sender, target netip.Addr) (found, defend bool, tell []func()) {
	for k := range i.claims {
		c := &i.claims[k]
		a := c.prefix.Addr()
		if c.probing {
			asked := c.how != Fully || c.left < probeNum // what came before the first probe does not count (RFC 5227, 2.1.1)
			if asked && (a == sender || sender.IsUnspecified() && a == target) {
				return true, false, h.giveUp(i, c)
			}
			continue
		}
		if a != sender {
			continue
		}
		again := c.attacked != 0 && now.Sub(c.attacked) < defendInterval
		if !c.keep && again {
			return true, false, h.giveUp(i, c)
		}
		if !again {
			c.attacked = now
		}
		return true, !again, nil
	}
	return false, false, nil
}

// giveUp leaves an address to somebody else; mu held.
func (h *Host) giveUp(i *Interface, c *claim) (tell []func()) {
	p, told := c.prefix, c.told
	i.disclaim(p)
	h.disown(i, p)
	tell = append(tell, h.tell)
	if told != nil {
		tell = append(tell, func() { told(false) })
	}
	return tell
}
