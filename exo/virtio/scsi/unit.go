package scsi

import (
	"errors"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
)

// A Disk is a logical unit. It is a disk.Disk.
type Disk struct {
	disk.Growth
	info       disk.Info
	h          *host
	at         address
	shift      uint // log2 of sectors in a block
	sameUnmaps bool // WRITE SAME may give space back

	space *flow.Disk
	all   exo.Cap

	asked atomic.Int32 // how often refresh was called and not answered yet

	lost  atomic.Pointer[disk.GoneError] // why nothing is asked of it any more, the host aside
	doubt disk.Doubt

	mu     sync.Mutex
	idle   sync.Cond // active is 0
	active int       // under mu: transfers under way
	closed bool      // under the host's mu
}

// find opens the units that are disks.
func (h *host) find() (list []*Disk, err error) {
	h.until = h.now() + maxLook*h.patience
	at, err := h.scan()
	if err != nil {
		return nil, err
	}
	var problems []error
	if len(at) > maxUnits {
		problems = append(problems, &DeviceError{h.dev.Name(), "it has more than " + decimal(maxUnits) + " units; the others are left alone"})
		at = at[:maxUnits]
	}
	mem, err := exo.TakeFrames(holder, 1, 0)
	if err != nil {
		return nil, err
	}
	cut := h.late()
	for _, a := range at {
		if cut = cut || h.late(); cut {
			break
		}
		d := &Disk{h: h, at: a}
		d.idle.L = &d.mu
		d.info.Name = h.name(a)
		is, err := d.identify(mem)
		if err != nil {
			problems = append(problems, err)
		}
		if h.lost.Load() != nil {
			break
		}
		if err != nil || !is {
			continue
		}
		if len(list) == maxDisks {
			problems = append(problems, &DeviceError{h.dev.Name(), "it has more than " + decimal(maxDisks) + " disks; the others are left alone"})
			break
		}
		list = append(list, d)
	}
	if h.lost.Load() != nil {
		<-h.ended
		if !h.held {
			mem.Release()
		}
		return nil, errors.Join(problems...)
	}
	mem.Release()
	if cut {
		problems = append(problems, &DeviceError{h.dev.Name(), "it takes too long to say which units it has; those that it has not told of are left alone"})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.units, h.open = list, len(list)
	if h.early { // of a unit that had been asked already, perhaps
		for _, d := range list {
			d.refresh()
		}
	}
	return list, errors.Join(problems...)
}

// late says whether units are not looked for any more.
func (h *host) late() bool { return h.now() >= h.until }

// scan asks each target for its units, several at a time: most are not there.
func (h *host) scan() (list []address, err error) {
	const workers = 16
	targets := min(int(h.dev.Config32(cfgMaxTarget-2)>>16), 255) + 1
	found := make([][]uint16, targets)
	mem, err := exo.TakeFrames(holder, workers, 0)
	if err != nil {
		return nil, err
	}
	var next atomic.Int32
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			b, at := mem.Bytes()[w*exo.PageSize:][:exo.PageSize], mem.Base()+exo.Phys(w*exo.PageSize)
			for t := int(next.Add(1)) - 1; t < targets && !h.late(); t = int(next.Add(1)) - 1 {
				n, err := h.ask(nil, address{target: uint8(t)}, reportLUNs(exo.PageSize), b, at)
				var absent *absentError
				switch {
				case err == nil:
					found[t] = luns(b[:n])
				case !errors.As(err, &absent):
					found[t] = []uint16{0} // it may have that one, and tells better why not
				}
			}
		})
	}
	wg.Wait()
	if gone := h.lost.Load(); gone != nil {
		<-h.ended
		if !h.held {
			mem.Release()
		}
		return nil, h.gone(nil)
	}
	mem.Release()
	for t, units := range found {
		slices.Sort(units)
		for _, u := range slices.Compact(units) {
			list = append(list, address{uint8(t), u})
		}
	}
	return list, nil
}

// identify asks a unit what it is; is says whether it is a disk.
func (d *Disk) identify(mem *exo.Frames) (is bool, err error) {
	const most = 252 // what all of these commands can ask for
	ask := func(c cdb) ([]byte, error) {
		b := mem.Bytes()[:most]
		if d.h.late() {
			return nil, &DeviceError{d.info.Name, "there was no time to ask it what it is"}
		}
		_, err := d.h.ask(nil, d.at, c, b, mem.Base())
		return b, err
	}
	fault := func(why string) (bool, error) { return false, &DeviceError{d.info.Name, why} }
	b, err := ask(inquiry(false, 0, most))
	if err != nil {
		return false, err
	}
	if b[0] != 0 { // SPC-4, 6.6.2: a direct access block device, and it is connected
		return false, nil
	}
	var absent *disk.UnsupportedError
	page := func(number byte) []byte { // nil where there is no such page
		b, e := ask(inquiry(true, number, most))
		if e != nil || b[1] != number {
			if !errors.As(e, &absent) {
				err = errors.Join(err, e)
			}
			return nil
		}
		return b
	}
	in := &d.info
	pages := slices.Clone(page(vpdPages))
	has := func(number byte) bool {
		return len(pages) > 4 && slices.Contains(pages[4:min(len(pages), 4+int(pages[3]))], number)
	}
	if has(vpdSerial) {
		if b := page(vpdSerial); b != nil {
			in.Serial = disk.Text(b[4:min(most, 4+int(b[3]))])
		}
	}
	var limits, thin []byte
	if has(vpdLimits) {
		limits = slices.Clone(page(vpdLimits))
	}
	if has(vpdProvisioning) {
		thin = slices.Clone(page(vpdProvisioning))
	}
	if err != nil {
		return false, err
	}
	if _, err := ask(cdb{opTestUnitReady}); err != nil {
		return false, err
	}
	if b, err = ask(readCapacity(32)); err != nil {
		return false, err
	}
	size := be.Uint32(b[8:])
	if size < 512 || size > 1<<16 || size&(size-1) != 0 {
		return fault("its blocks have " + decimal(uint64(size)) + " bytes, not a power of two from 512 to 65536")
	}
	d.shift = uint(bits.TrailingZeros32(size)) - 9
	if in.Sectors = d.sectors(b); in.Sectors == 0 {
		return fault("it says that it has more blocks than there can be")
	}
	in.BlockSize, in.PhysicalBlock = int(size), int(size)<<(b[13]&15)
	d.limits(limits, thin, b[14]&(1<<7) != 0)
	if err := d.mode(ask); err != nil {
		return false, err
	}
	in.Queues = len(d.h.queues)
	d.space, d.all, err = flow.NewDisk(in.Name, in.Sectors)
	return err == nil, err
}

// sectors is the size by the answer to READ CAPACITY, 0 where there can be no such unit.
func (d *Disk) sectors(b []byte) uint64 {
	last := be.Uint64(b)
	if last >= 1<<62>>d.shift {
		return 0
	}
	return (last + 1) << d.shift
}

// limits reads how much the unit takes at once, from its pages, which it may not have.
func (d *Disk) limits(limits, thin []byte, provisioned bool) {
	const most = 1 << 31 // sectors of a discard, so that they fit
	in := &d.info
	blocks := func(n uint32) uint32 { return uint32(min(uint64(n)<<d.shift, most)) }
	in.MaxRuns, in.MaxRun = d.h.most, 1<<20
	in.MaxBytes = in.MaxRuns * in.MaxRun
	if v := uint64(d.h.dev.Config32(cfgMaxSectors)) * 512; v > 0 {
		in.MaxBytes = int(min(uint64(in.MaxBytes), v))
	}
	if limits == nil {
		limits = make([]byte, 64)
	}
	if v := uint64(be.Uint32(limits[8:])) * uint64(in.BlockSize); v > 0 {
		in.MaxBytes = int(min(uint64(in.MaxBytes), v))
	}
	in.MaxBytes = max(in.MaxBytes&^(in.BlockSize-1), in.BlockSize)
	byUnmap := len(thin) > 5 && thin[5]&(1<<7) != 0
	d.sameUnmaps = len(thin) > 5 && thin[5]&(1<<6) != 0
	if n := blocks(be.Uint32(limits[20:])); provisioned && byUnmap && n > 0 && be.Uint32(limits[24:]) > 0 {
		in.Discard, in.MaxDiscard, in.DiscardAlign = true, n, max(blocks(be.Uint32(limits[28:])), 1<<d.shift)
	}
	same := be.Uint64(limits[36:])
	if same == 0 && d.sameUnmaps {
		same = 0xffff // it has the command, and no limit: as many as that all have
	}
	if same > 0 && in.BlockSize <= exo.PageSize {
		in.WriteZeroes, in.MaxWriteZeroes = true, blocks(uint32(min(same, 1<<31)))
	}
}

// mode asks whether the unit can be written to, and whether it has a cache. One that does not say has one if it can be told to write it back.
func (d *Disk) mode(ask func(cdb) ([]byte, error)) error {
	var no *disk.UnsupportedError
	b, err := ask(modeSense(modeCaching, 252))
	if errors.As(err, &no) {
		b, err = ask(modeSense(0x3f, 252)) // all pages
	}
	if err != nil && !errors.As(err, &no) {
		return err
	}
	if err == nil {
		d.info.ReadOnly = b[2]&(1<<7) != 0
		end := min(int(b[0])+1, len(b))
		for at := 4 + int(b[3]); at+2 < end; at += 2 + int(b[at+1]) {
			if b[at]&0x7f == modeCaching {
				d.info.Cached = b[at+2]&(1<<2) != 0
				return nil
			}
		}
	}
	_, err = ask(cdb{opSyncCache})
	d.info.Cached = err == nil
	if errors.As(err, &no) {
		err = nil
	}
	return err
}

// attend looks at what a unit's sense data says of the unit itself; d is nil while it is being looked for and identified: what was written before is another's.
func (d *Disk) attend(s sense) {
	switch {
	case d == nil || s.key != keyAttention:
	case s.asc == ascReset && s.ascq != 5 && s.ascq != 6: // those two are about the bus's transceivers
		d.mistrust(wasReset)
	case s.asc == ascChange:
		d.mistrust("the unit was away, and may have lost what was written before, or be another")
	case s.asc == ascParameters && s.ascq == 9:
		d.refresh()
	}
}

const notThere = "the unit is not there any more"

const wasReset = "the unit was reset, and may have lost what was written before"

// mistrust says why a unit may have lost what was in its cache (SBC-3, 4.15: it need not outlive a reset or a loss of power); the first reason counts. A unit without a cache has nothing to lose. d may be nil.
func (d *Disk) mistrust(why string) {
	if d != nil && d.info.Cached {
		d.doubt.Mistrust(why)
	}
}

// refresh has a goroutine ask how large the unit is by now.
func (d *Disk) refresh() {
	if d.asked.Add(1) == 1 {
		d.h.asking.Go(d.reread)
	}
}

func (d *Disk) reread() {
	mem, err := exo.TakeFrames(holder, 1, 0)
	if err != nil {
		d.asked.Store(0)
		return
	}
	for {
		n := d.asked.Load()
		b := mem.Bytes()[:32]
		_, err = d.h.ask(d, d.at, readCapacity(32), b, mem.Base())
		if _, absent := err.(*absentError); absent {
			d.giveUp(&DeviceError{d.info.Name, notThere})
		}
		if sectors := d.sectors(b); err == nil && be.Uint32(b[8:]) == 512<<d.shift && sectors > 0 {
			d.Grow(d.space, sectors)
		}
		if d.asked.CompareAndSwap(n, 0) || d.h.lost.Load() != nil {
			break
		}
	}
	if gone, ok := err.(*disk.GoneError); !ok || !gone.Held {
		mem.Release()
	}
}

// Info implements disk.Disk.
func (d *Disk) Info() disk.Info { return d.info }

// Space implements disk.Disk.
func (d *Disk) Space() (*flow.Disk, exo.Cap) { return d.space, d.all }

// Err implements disk.Disk.
func (d *Disk) Err() error {
	if e := d.lost.Load(); e != nil {
		return e
	}
	if d.h.lost.Load() != nil {
		return d.h.gone(d)
	}
	return nil
}

// giveUp says why nothing is asked of the unit any more; the first reason counts.
func (d *Disk) giveUp(why error) {
	d.lost.CompareAndSwap(nil, &disk.GoneError{Disk: d.info.Name, Why: why})
}

// Start implements disk.Disk.
func (d *Disk) Start(list ...*disk.Request) error {
	if err := disk.Check(list, &d.info); err != nil {
		return err
	}
	return disk.Each(list, 1, d.begin)
}

// begin gives a transfer to the host, which tells the device of each, by one queue after the other.
func (d *Disk) begin(r *disk.Request, _, _ bool) error {
	if r.Op == disk.Identify {
		return &disk.UnsupportedError{Disk: d.info.Name, Op: r.Op}
	}
	d.mu.Lock()
	if err := d.lost.Load(); err != nil {
		d.mu.Unlock()
		return err
	}
	d.active++
	d.mu.Unlock()
	r.Err = nil
	err := d.h.begin(slot{to: d.at, d: d, r: r})
	if err != nil {
		d.left()
	}
	return err
}

// left says that a transfer has ended.
func (d *Disk) left() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.active--; d.active == 0 {
		d.idle.Broadcast()
	}
}

// Close implements disk.Disk. While other units of the host are open transfers under way are waited for; with the last one the host is reset.
func (d *Disk) Close() (stopped bool) {
	d.mu.Lock()
	d.giveUp(&disk.ClosedError{})
	d.mu.Unlock()
	h := d.h
	h.mu.Lock()
	if !d.closed {
		d.closed = true
		h.open--
	}
	last := h.open == 0
	h.mu.Unlock()
	if last {
		h.giveUp(&disk.ClosedError{})
	} else {
		d.mu.Lock()
		for d.active > 0 {
			d.idle.Wait()
		}
		d.mu.Unlock()
	}
	if h.lost.Load() == nil {
		return true
	}
	<-h.ended
	h.asking.Wait()
	return !h.held
}
