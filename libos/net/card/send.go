package card

import (
	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio"
	"github.com/hardtack-os/hardtack/exo/virtio/nic"
	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
)

// send offers a frame to the card.
func (p *pair) send(f *link.Frame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.c.works() || p.Transmit.Err() != nil {
		f.Release()
		return true
	}
	if len(p.tx.free) < len(p.tx.slots)/4 || p.Transmit.Room() < 2*maxBody {
		p.reclaim()
	}
	if len(p.tx.free) == 0 {
		p.tx.full = true
		return false
	}
	h := nic.Header{ChecksumStart: f.ChecksumStart, ChecksumOffset: f.ChecksumOffset}
	if f.ChecksumStart > 0 {
		h.Flags = nic.NeedsChecksum
	}
	if f.Kind != link.NoGSO {
		h.GSO, h.SegmentSize = cuts[f.Kind], f.SegmentSize
		h.HeaderLen = uint16(f.Head.Len())
	}
	f.Head.Grow(nic.HeaderSize, 0)
	h.Put(f.Head.Bytes())
	if !p.pieces(f) && !(p.copyBody(f) && p.pieces(f)) {
		p.c.Count.NoMemory.Add(1)
		f.Release()
		return true
	}
	i := p.tx.free[len(p.tx.free)-1]
	if !p.Transmit.Add(uint64(i), p.tx.bufs...) {
		f.Head.TrimFront(nic.HeaderSize)
		p.tx.full = true
		return false
	}
	p.tx.free = p.tx.free[:len(p.tx.free)-1]
	slot := &p.tx.slots[i]
	body := slot.Body
	*slot = *f
	*f = link.Frame{Body: body[:0]} // the arrays change places
	return true
}

// cuts says how the card is asked to cut a kind of frames.
var cuts = [...]uint8{link.GSOTCP4: nic.GSOTCP4, link.GSOTCP6: nic.GSOTCP6, link.GSOUDP: nic.GSOUDP}

// pieces makes the descriptors of a frame; false: some of it lies where the card cannot be sent to.
func (p *pair) pieces(f *link.Frame) bool {
	p.tx.bufs = p.tx.bufs[:0]
	ok := p.piece(f.Head)
	for i := range f.Body {
		ok = ok && p.piece(f.Body[i])
	}
	return ok
}

// piece makes those of one piece. Lent memory lies where it lies, in as many runs as its pages make.
func (p *pair) piece(r buf.Ref) bool {
	if phys, ok := r.Phys(); ok {
		p.tx.bufs = append(p.tx.bufs, virtio.Buffer{Addr: exo.Phys(phys), Len: uint32(r.Len())})
		return true
	}
	runs, err := exo.PhysicalRuns(r.Bytes())
	if err != nil || len(p.tx.bufs)+len(runs) > 2*maxBody {
		return false
	}
	for _, x := range runs {
		p.tx.bufs = append(p.tx.bufs, virtio.Buffer{Addr: x.Base, Len: uint32(x.Len)})
	}
	return true
}

// copyBody replaces the pieces whose address is not known by copies.
func (p *pair) copyBody(f *link.Frame) bool {
	var body []buf.Ref
	for i := range f.Body {
		r := &f.Body[i]
		if _, ok := r.Phys(); ok {
			body = append(body, *r)
			*r = buf.Ref{}
			continue
		}
		p.c.Count.Copied.Add(1)
		for b := r.Bytes(); len(b) > 0; {
			block, ok := p.c.pool.Get()
			if !ok {
				for k := range body {
					body[k].Release()
				}
				return false
			}
			n := copy(block.Bytes(), b)
			block.Truncate(n)
			b = b[n:]
			body = append(body, block)
		}
		r.Release()
	}
	f.Body = body
	return true
}

// reclaim releases what the card has sent; mu held.
func (p *pair) reclaim() (some bool) {
	for {
		token, _, ok := p.Transmit.Next()
		if !ok {
			return some
		}
		p.tx.slots[token].Release()
		p.tx.free = append(p.tx.free, uint16(token))
		some = true
	}
}
