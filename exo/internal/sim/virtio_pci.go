package sim

// virtioPCI is a modern device in one BAR: common configuration at 0, ISR at 0x1000, its own configuration, if it has one, at 0x1800,
// notification at 0x2000, MSI-X table at 0x3000 (VIRTIO 1.2, 4.1.4; PCI 3.0, 6.8.2).
type virtioPCI struct {
	*Virtio
	f      *Function
	msix   []byte
	cfgMsg uint16
}

// AddVirtioPCI makes function id such a device, with its registers at base.
func (p *PCI) AddVirtioPCI(d *Virtio, id uint16, base uintptr) *Function {
	f := p.Add(id, 0x1af4, 0x1040+uint16(d.ID))
	f.BAR(4, uint64(base), 0x4000, true)
	messages := max(d.Messages, 1)
	dev := &virtioPCI{Virtio: d, f: f, cfgMsg: 0xffff, msix: make([]byte, 16*messages)}
	for i := range messages {
		dev.msix[16*i+12] = 1
	}
	for i := range d.queue {
		d.queue[i].message = 0xffff
	}
	d.m = p.m
	d.raise = dev.message
	vendor := func(kind byte, off, size uint32, more ...byte) []byte {
		b := []byte{0x09, 0, byte(16 + len(more)), kind, 4, 0, 0, 0}
		b = le.AppendUint32(b, off)
		return append(le.AppendUint32(b, size), more...)
	}
	f.Capability(0x40, vendor(1, 0, 0x38))
	f.Capability(0x50, vendor(3, 0x1000, 4))
	f.Capability(0x60, vendor(2, 0x2000, 0x100, 4, 0, 0, 0))
	f.Capability(0x78, []byte{0x11, 0, byte(messages - 1), 0, 4, 0x30, 0, 0, 0, 0, 0, 0}) // BAR 4 at 0x3000
	f.Writable[0x78+3] = 0xc0
	if d.config != nil {
		f.Capability(0x84, vendor(4, 0x1800, uint32(len(d.config))))
	}
	p.m.Map(base, 0x4000, dev)
	return f
}

// message sends the message for the configuration, or for a queue, if nothing masks it. The Virtio's lock is held.
func (d *virtioPCI) message(queue int) {
	msg := d.cfgMsg
	if queue >= 0 {
		msg = d.queue[queue].message
	}
	if 16*int(msg) >= len(d.msix) {
		return
	}
	e := d.msix[16*int(msg):][:16]
	d.f.pci.mu.Lock()
	on := d.f.Config[0x78+3]&0xc0 == 0x80 && d.f.Config[4]&4 != 0
	d.f.pci.mu.Unlock()
	if on && e[12]&1 == 0 && le.Uint32(e)>>20 == 0xfee {
		d.m.Fire(int(le.Uint32(e[8:]) & 0xff))
	}
}

func (d *virtioPCI) Load(off uintptr, width int) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch off {
	case 0x04:
		return uint64(d.offered())
	case 0x10:
		return uint64(d.cfgMsg)
	case 0x12:
		return 1
	case 0x14:
		return d.reported()
	case 0x15:
		return d.generation()
	case 0x16:
		return uint64(d.sel)
	case 0x18:
		if d.at() == nil {
			return 0
		}
		return uint64(d.QueueMax)
	case 0x1a:
		if q := d.at(); q != nil {
			return uint64(q.message)
		}
		return 0xffff
	case 0x1c:
		if q := d.at(); q != nil {
			return uint64(q.ready)
		}
		return 0
	case 0x1e:
		return uint64(d.sel) + 3
	}
	if off >= 0x1800 && off < 0x2000 {
		return d.loadConfig(off-0x1800, width)
	}
	if off >= 0x3000 && off < 0x3000+uintptr(len(d.msix)) && width == 4 {
		return uint64(le.Uint32(d.msix[off-0x3000:]))
	}
	return 0
}

func (d *virtioPCI) Store(off uintptr, width int, v uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off >= 0x1800 && off < 0x2000 {
		d.storeConfig(off-0x1800, width, v)
		return
	}
	q := d.at()
	if q == nil {
		q = new(queue) // stores to a queue that is not there change nothing
	}
	switch w := uint32(v); off {
	case 0x00:
		d.selDev = w
	case 0x08:
		d.selDrv = w
	case 0x0c:
		d.accept(w)
	case 0x10:
		d.cfgMsg = uint16(w)
	case 0x14:
		d.setStatus(uint8(w))
	case 0x16:
		d.sel = uint16(w)
	case 0x18:
		q.size = uint16(w)
	case 0x1a:
		if q.message = uint16(w); 16*int(w) >= len(d.msix) {
			q.message = 0xffff // 4.1.5.1.2.1
		}
	case 0x1c:
		q.ready = uint16(w)
	case 0x20, 0x24, 0x28, 0x2c, 0x30, 0x34:
		q.part(int(off-0x20)/8, off&4 != 0, w)
	}
	if off >= 0x200c && off < 0x3000 { // notify_off 3 and on, multiplier 4
		d.notify(uint32(v))
	}
	if off >= 0x3000 && off < 0x3000+uintptr(len(d.msix)) && width == 4 {
		le.PutUint32(d.msix[off-0x3000:], uint32(v))
	}
}
