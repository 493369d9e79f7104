package card

import (
	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio"
	"github.com/hardtack-os/hardtack/exo/virtio/nic"
	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
)

// refill posts blocks to be received into, and tells the card if there are many.
func (p *pair) refill() {
	q := p.Receive
	for len(p.rx.free) > 0 {
		r, ok := p.c.pool.Get()
		if !ok {
			p.c.Count.NoBlocks.Add(1)
			break
		}
		phys, ok := r.Phys()
		if !ok {
			panic("card: a received block has no physical address")
		}
		i := p.rx.free[len(p.rx.free)-1]
		if !q.Add(uint64(i), virtio.Buffer{Addr: exo.Phys(phys), Len: uint32(r.Len()), Write: true}) {
			r.Release()
			break
		}
		p.rx.free = p.rx.free[:len(p.rx.free)-1]
		p.rx.slots[i] = r
		p.rx.posted++
	}
	q.Kick()
}

// next takes the block that the card has filled next, cut to what it wrote.
func (p *pair) next() (buf.Ref, bool) {
	token, n, ok := p.Receive.Next()
	if !ok {
		return buf.Ref{}, false
	}
	r := p.rx.slots[token]
	p.rx.slots[token] = buf.Ref{}
	p.rx.free = append(p.rx.free, uint16(token))
	p.rx.posted--
	r.Truncate(int(n)) // the queue has seen to it that it is not more than fits
	return r, true
}

// receive gives the next frame.
func (p *pair) receive(f *link.Frame) bool {
	p.rxMu.Lock()
	defer p.rxMu.Unlock()
	defer p.c.taken()
	if p.gone || p.c.lost.Load() != nil {
		return false
	}
	for {
		head, ok := p.next()
		if !ok {
			break
		}
		if len(p.rx.free) >= len(p.rx.slots)/2 {
			p.refill()
		}
		if p.frame(f, head) {
			return true
		}
		f.Release()
	}
	if len(p.rx.free) > 0 {
		p.refill()
	}
	return false
}

// frame makes a frame of its first block, and takes the others.
func (p *pair) frame(f *link.Frame, head buf.Ref) bool {
	f.Head = head
	if head.Len() < nic.HeaderSize+etherHeader {
		p.c.Count.BadLength.Add(1)
		return false
	}
	var h nic.Header
	h.Get(head.Bytes())
	f.Head.TrimFront(nic.HeaderSize)
	if p.c.nic.Features()&nic.Mergeable != 0 {
		if int(h.Buffers) < 1 || int(h.Buffers) > len(p.rx.slots) {
			p.c.Count.BadBuffers.Add(1)
			return false
		}
		for range h.Buffers - 1 {
			// The card makes all buffers of a frame visible at once (5.1.6.4).
			r, ok := p.next()
			if !ok || r.Len() == 0 {
				r.Release()
				p.c.Count.BadBuffers.Add(1)
				return false
			}
			f.Body = append(f.Body, r)
		}
	}
	if len(f.Body) > 0 && f.Head.Len() < link.HeadSize || f.Len() > 65535+etherHeader {
		p.c.Count.BadLength.Add(1)
		return false
	}
	if h.Flags&(nic.NeedsChecksum|nic.DataValid) != 0 && p.c.info.Offloads&link.RxChecksum != 0 {
		f.Verified = true
	}
	switch h.GSO &^ nic.GSOECN {
	case nic.GSONone:
		return true
	case nic.GSOTCP4:
		f.Kind = link.GSOTCP4
	case nic.GSOTCP6:
		f.Kind = link.GSOTCP6
	case nic.GSOUDP:
		f.Kind = link.GSOUDP
	default:
		p.c.Count.BadHeader.Add(1)
		return false
	}
	if p.c.info.Offloads&joined[f.Kind] == 0 || h.SegmentSize == 0 {
		p.c.Count.BadHeader.Add(1)
		return false
	}
	f.SegmentSize = h.SegmentSize
	return true
}

// joined says by which offload a card may deliver a kind of joined frames.
var joined = [...]link.Offloads{link.GSOTCP4: link.RxTSO4, link.GSOTCP6: link.RxTSO6, link.GSOUDP: link.RxUSO}
