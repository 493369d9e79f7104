package block

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
)

// Disk is a disk as a device, whatever drives it. The disk reads and writes the memory of vec where it lies: on the Go heap, which does not move, or in frames.
type Disk struct {
	d     disk.Disk
	whole *flow.Extent
	info  Info         // but for Size
	size  atomic.Int64 // bytes; becomes more only
	counts

	mu    sync.Mutex // guards the two below
	lost  [][][]byte // memory that a disk which did not stop may still write to
	grown []func()
}

// maxSectors is how many of a disk's sectors are used, whatever it says of itself: as many as an offset can reach.
const maxSectors = (1<<63 - 1) / disk.SectorSize

// maxRequests is how many requests of one call are made at once, but for those of one piece: a disk may discard so few blocks by one that a large extent's would be millions, and a list to be written may have as many pieces as wait in a cache, in the
// moment when memory is short. It is more than a queue holds.
const maxRequests = 256

// OpenDisk takes all of a disk, which is the device's from then on.
func OpenDisk(d disk.Disk) (*Disk, error) {
	in := d.Info()
	name := in.Name
	if in.Serial != "" {
		name += ", serial " + strconv.Quote(in.Serial) // which who gave the machine its disks knows better than an address
	}
	v := &Disk{d: d, info: Info{Name: name, ID: in.Serial, BlockSize: in.BlockSize, ReadOnly: in.ReadOnly, Discard: in.Discard}}
	rights := exo.Read
	if !in.ReadOnly {
		rights |= exo.Write
	}
	space, all := d.Space()
	n := space.Blocks()
	var err error
	if v.whole, err = space.Bind(all, "filesystem", 0, flow.Block(n), rights); err != nil {
		d.Close()
		return nil, err
	}
	v.resize(n)
	d.Notify(v.follow)
	v.follow() // it may have grown before that
	return v, nil
}

// resize sets the size by sectors.
func (v *Disk) resize(sectors uint64) {
	v.size.Store(int64(min(sectors, maxSectors)) * disk.SectorSize &^ int64(v.info.BlockSize-1))
}

// follow takes in what the disk has grown by.
func (v *Disk) follow() {
	space, _ := v.d.Space()
	n := space.Blocks()
	v.mu.Lock()
	if _, hi := v.whole.Blocks(); n <= uint64(hi) || v.whole.Extend(flow.Block(n)) != nil {
		v.mu.Unlock()
		return
	}
	v.resize(n)
	list := slices.Clone(v.grown)
	v.mu.Unlock()
	for _, f := range list {
		f()
	}
}

// Notify implements Grower.
func (v *Disk) Notify(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.grown = append(v.grown, f)
}

// Info implements Device.
func (v *Disk) Info() Info {
	in := v.info
	in.Size = v.size.Load()
	return in
}

// check is Info.Check.
func (v *Disk) check(off, n int64) error {
	in := v.Info()
	return in.Check(off, n)
}

// Read implements Device.
func (v *Disk) Read(vec [][]byte, off int64) error {
	return v.transfer(nil, disk.Read, Piece{vec, off})
}

// Write implements Device.
func (v *Disk) Write(vec [][]byte, off int64) error { return v.WriteAll([]Piece{{vec, off}}) }

// WriteAll implements Gatherer.
func (v *Disk) WriteAll(list []Piece) error { return v.transfer(nil, disk.Write, list...) }

// transfer has the pieces under way at once, as far as maxRequests go. Its requests are counted in part, too, unless that is nil.
func (v *Disk) transfer(part *counts, op disk.Op, list ...Piece) error {
	if op == disk.Write && v.info.ReadOnly {
		return ErrReadOnly
	}
	for _, p := range list {
		if err := v.check(p.Off, Len(p.Vec)); err != nil {
			return err
		}
	}
	for len(list) > 0 {
		all := batch{disk: v, part: part}
		var askew []Piece
		for ; len(list) > 0 && len(all.list) < maxRequests; list = list[1:] {
			fits, err := all.cut(op, list[0])
			if err != nil {
				return err
			}
			if !fits {
				askew = append(askew, list[0])
			}
		}
		err := all.start(v.d)
		for _, p := range askew {
			if err == nil {
				err = v.copied(part, op, p.Vec, p.Off)
			}
		}
		if e := all.wait(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cut cuts what a piece is in memory into requests that the disk takes. It says false where there are none.
func (b *batch) cut(op disk.Op, p Piece) (fits bool, err error) {
	v, vec, off := b.disk, p.Vec, p.Off
	in, had := v.d.Info(), len(b.list)
	var runs []exo.Run
	for _, piece := range vec {
		if len(piece) == 0 {
			continue
		}
		r, err := exo.PhysicalRuns(piece)
		if err != nil {
			return false, err
		}
		for _, x := range r {
			if (in.Pages || in.Words) && x.Base%4 != 0 || in.Words && x.Len%4 != 0 {
				return false, nil
			}
			if last := len(runs) - 1; last >= 0 && runs[last].Base+exo.Phys(runs[last].Len) == x.Base && runs[last].Len+x.Len <= uintptr(in.MaxRun) {
				runs[last].Len += x.Len
				continue
			}
			for x.Len > uintptr(in.MaxRun) { // which is whole pages
				runs = append(runs, exo.Run{Base: x.Base, Len: uintptr(in.MaxRun)})
				x = exo.Run{Base: x.Base + exo.Phys(in.MaxRun), Len: x.Len - uintptr(in.MaxRun)}
			}
			runs = append(runs, x)
		}
	}
	for len(runs) > 0 {
		n, size := 0, uintptr(0)
		for n < len(runs) && n < in.MaxRuns && (in.MaxBytes <= 0 || size < uintptr(in.MaxBytes)) {
			if in.Pages && n > 0 && (runs[n].Base%exo.PageSize != 0 || (runs[n-1].Base+exo.Phys(runs[n-1].Len))%exo.PageSize != 0) {
				break
			}
			size += runs[n].Len
			n++
		}
		if in.MaxBytes > 0 {
			size = min(size, uintptr(in.MaxBytes))
		}
		size &^= uintptr(in.BlockSize) - 1
		if size == 0 {
			b.list = b.list[:had]
			return false, nil
		}
		var whole []exo.Run
		whole, runs = split(runs, size)
		b.list = append(b.list, &disk.Request{Op: op, Extent: v.whole, Sector: flow.Block(off / disk.SectorSize), Memory: whole})
		off += int64(size)
	}
	b.vec = append(b.vec, vec)
	return true, nil
}

// split gives the first size bytes of runs, and what is behind them. Where that is inside of a run both have a part of it.
func split(runs []exo.Run, size uintptr) (first, rest []exo.Run) {
	n := 0
	for ; n < len(runs) && runs[n].Len <= size; n++ {
		size -= runs[n].Len
	}
	if size == 0 {
		return runs[:n], runs[n:]
	}
	first = append(runs[:n:n], exo.Run{Base: runs[n].Base, Len: size})
	runs[n].Base, runs[n].Len = runs[n].Base+exo.Phys(size), runs[n].Len-size
	return first, runs[n:]
}

// copied is transfer for pieces that the disk cannot take as they lie: so small, or so askew, that no request's worth of them is whole blocks.
func (v *Disk) copied(part *counts, op disk.Op, vec [][]byte, off int64) error {
	const most = 1 << 20
	at := 0 // in vec[0]
	move := func(b []byte, in bool) {
		vec, at := vec, at
		for len(b) > 0 {
			n := 0
			if in {
				n = copy(vec[0][at:], b)
			} else {
				n = copy(b, vec[0][at:])
			}
			if b, at = b[n:], at+n; at == len(vec[0]) {
				vec, at = vec[1:], 0
			}
		}
	}
	for left := Len(vec); left > 0; {
		b := make([]byte, min(left, most), most) // so large that it lies on whole pages, in a row
		if op == disk.Write {
			move(b, false)
		}
		if err := v.transfer(part, op, Piece{[][]byte{b}, off}); err != nil {
			return err
		}
		if op == disk.Read {
			move(b, true)
		}
		for skip := len(b); skip > 0; {
			n := min(skip, len(vec[0])-at)
			if at, skip = at+n, skip-n; at == len(vec[0]) {
				vec, at = vec[1:], 0
			}
		}
		off, left = off+int64(len(b)), left-int64(len(b))
	}
	return nil
}

// A batch is requests that are waited for together.
type batch struct {
	disk *Disk
	part *counts // where its requests are counted, too; may be nil
	list []*disk.Request
	vec  [][][]byte // the memory of all of them
	wg   sync.WaitGroup
	mu   sync.Mutex
	err  error // under mu: the first one
	held bool  // under mu: of one, whichever, the disk did not let go
}

// A starter is a disk.Disk.
type starter interface{ Start(...*disk.Request) error }

// start begins all that is in the list, together.
func (b *batch) start(d starter) error {
	n := len(b.list)
	if n == 0 {
		return nil
	}
	b.wg.Add(n)
	began := b.disk.begin(n)
	b.part.begin(n)
	done := func(r *disk.Request) {
		bytes := uint64(r.Size()) + uint64(r.Count)*disk.SectorSize
		now := exo.Now()
		b.disk.ended(r.Op, bytes, began, now)
		b.part.ended(r.Op, bytes, began, now)
		if r.Err != nil {
			b.mu.Lock()
			if b.err == nil {
				b.err = r.Err
			}
			if gone, ok := r.Err.(*disk.GoneError); ok && gone.Held {
				b.held = true
			}
			b.mu.Unlock()
		}
		b.wg.Done()
	}
	for _, r := range b.list {
		r.Done = done
	}
	err := d.Start(b.list...)
	if err != nil {
		b.disk.refused(n)
		b.part.refused(n)
		b.wg.Add(-n)
	}
	return err
}

// wait returns when all that was started has ended. Memory that may still be written to is held on to, for ever.
func (b *batch) wait() error {
	b.wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held {
		b.disk.mu.Lock()
		defer b.disk.mu.Unlock()
		b.disk.lost = append(b.disk.lost, b.vec...)
	}
	return b.err
}

// Flush implements Device.
func (v *Disk) Flush() error {
	if !v.d.Info().Cached {
		return v.d.Err()
	}
	began := v.begin(1)
	defer v.end(disk.Flush, 0, began)
	return disk.Do(v.d, &disk.Request{Op: disk.Flush})
}

// Discard implements Device.
func (v *Disk) Discard(off, n int64) error { return v.discard(nil, off, n) }

// discard is Discard, counted as transfer is.
func (v *Disk) discard(part *counts, off, n int64) error {
	in := v.d.Info()
	if err := v.check(off, n); err != nil || !in.Discard {
		return err
	}
	for sector, left := uint64(off/disk.SectorSize), uint64(n/disk.SectorSize); left > 0; {
		all := batch{disk: v, part: part}
		for left > 0 && len(all.list) < maxRequests {
			count := min(left, uint64(in.MaxDiscard))
			all.list = append(all.list, &disk.Request{Op: disk.Discard, Extent: v.whole, Sector: flow.Block(sector), Count: uint32(count)})
			sector, left = sector+count, left-count
		}
		if err := all.start(v.d); err != nil {
			return err
		}
		if err := all.wait(); err != nil {
			return err
		}
	}
	return nil
}

// Close implements Device.
func (v *Disk) Close() error {
	v.d.Close()
	return nil
}
