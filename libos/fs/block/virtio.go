package block

import (
	"sync"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/flow"
	"github.com/hardtack-os/hardtack/exo/virtio"
	"github.com/hardtack-os/hardtack/exo/virtio/blk"
)

// Virtio is a virtio disk as a device. The disk reads and writes the memory of vec where it lies: on the Go heap, which does not move, or in frames.
type Virtio struct {
	d     *blk.Disk
	whole *flow.Extent
	info  Info

	mu   sync.Mutex
	lost [][][]byte // under mu: memory that a disk which did not stop may still write to
}

// maxSectors is how many of a disk's sectors are used, whatever it says of itself: as many as an offset can reach.
const maxSectors = (1<<63 - 1) / blk.SectorSize

// OpenVirtio takes a virtio disk, all of it.
func OpenVirtio(p virtio.Place) (*Virtio, error) {
	d, err := blk.Open(p, blk.Options{})
	if err != nil {
		return nil, err
	}
	in := d.Info()
	v := &Virtio{d: d, info: Info{Name: in.Name, ID: in.Serial, Size: int64(min(in.Sectors, maxSectors)) * blk.SectorSize &^ int64(in.BlockSize-1), BlockSize: in.BlockSize, ReadOnly: in.ReadOnly, Discard: in.Discard}}
	rights := exo.Read
	if !in.ReadOnly {
		rights |= exo.Write
	}
	space, all := d.Space()
	if v.whole, err = space.Bind(all, "filesystem", 0, flow.Block(in.Sectors), rights); err != nil {
		d.Close()
		return nil, err
	}
	return v, nil
}

// Info implements Device.
func (v *Virtio) Info() Info { return v.info }

// Read implements Device.
func (v *Virtio) Read(vec [][]byte, off int64) error { return v.transfer(blk.Read, vec, off) }

// Write implements Device.
func (v *Virtio) Write(vec [][]byte, off int64) error {
	if v.info.ReadOnly {
		return ErrReadOnly
	}
	return v.transfer(blk.Write, vec, off)
}

// transfer cuts what vec is in memory into requests that the disk takes, and has all of them under way at once.
func (v *Virtio) transfer(op blk.Op, vec [][]byte, off int64) error {
	if err := v.info.Check(off, Len(vec)); err != nil {
		return err
	}
	in := v.d.Info()
	var runs []exo.Run
	for _, b := range vec {
		if len(b) == 0 {
			continue
		}
		r, err := exo.PhysicalRuns(b)
		if err != nil {
			return err
		}
		for _, x := range r {
			for x.Len > uintptr(in.MaxRun) {
				runs = append(runs, exo.Run{Base: x.Base, Len: uintptr(in.MaxRun)})
				x = exo.Run{Base: x.Base + exo.Phys(in.MaxRun), Len: x.Len - uintptr(in.MaxRun)}
			}
			runs = append(runs, x)
		}
	}
	all := batch{v: v, vec: vec}
	for len(runs) > 0 {
		n, size := 0, uintptr(0)
		fits, fit := 0, uintptr(0) // the most that is whole blocks
		for n < len(runs) && n < in.MaxRuns {
			size += runs[n].Len
			if n++; size%uintptr(in.BlockSize) == 0 {
				fits, fit = n, size
			}
		}
		if fits == 0 {
			all.wait()
			return errRange // pieces so small that none of a request's worth is a block
		}
		r := &blk.Request{Op: op, Extent: v.whole, Sector: flow.Block(off / blk.SectorSize), Memory: runs[:fits]}
		if err := all.start(v.d, r); err != nil {
			all.wait()
			return err
		}
		runs, off = runs[fits:], off+int64(fit)
	}
	return all.wait()
}

// A batch is requests that are waited for together.
type batch struct {
	v    *Virtio
	vec  [][]byte // the memory of all of them
	wg   sync.WaitGroup
	mu   sync.Mutex
	err  error // under mu: the first one
	held bool  // under mu: of one, whichever, the disk did not let go
}

// A starter is a *blk.Disk.
type starter interface{ Start(*blk.Request) error }

func (b *batch) start(d starter, r *blk.Request) error {
	b.wg.Add(1)
	r.Done = func(r *blk.Request) {
		if r.Err != nil {
			b.mu.Lock()
			if b.err == nil {
				b.err = r.Err
			}
			if gone, ok := r.Err.(*blk.GoneError); ok && gone.Held {
				b.held = true
			}
			b.mu.Unlock()
		}
		b.wg.Done()
	}
	err := d.Start(r)
	if err != nil {
		b.wg.Done()
	}
	return err
}

// wait returns when all that was started has ended. Memory that may still be written to is held on to, for ever.
func (b *batch) wait() error {
	b.wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held && b.vec != nil {
		b.v.mu.Lock()
		defer b.v.mu.Unlock()
		b.v.lost = append(b.v.lost, b.vec)
	}
	return b.err
}

// Flush implements Device.
func (v *Virtio) Flush() error {
	if !v.d.Info().Cached {
		return v.d.Err()
	}
	return v.d.Do(&blk.Request{Op: blk.Flush})
}

// Discard implements Device.
func (v *Virtio) Discard(off, n int64) error {
	in := v.d.Info()
	if err := v.info.Check(off, n); err != nil || !in.Discard {
		return err
	}
	var all batch
	for sector, left := uint64(off/blk.SectorSize), uint64(n/blk.SectorSize); left > 0; {
		count := min(left, uint64(in.MaxDiscard))
		if err := all.start(v.d, &blk.Request{Op: blk.Discard, Extent: v.whole, Sector: flow.Block(sector), Count: uint32(count)}); err != nil {
			all.wait()
			return err
		}
		sector, left = sector+count, left-count
	}
	return all.wait()
}

// Close implements Device.
func (v *Virtio) Close() error {
	v.d.Close()
	return nil
}
