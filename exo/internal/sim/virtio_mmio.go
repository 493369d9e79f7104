package sim

// virtioMMIO is the memory-mapped register layout, VIRTIO 1.2, table 4.1.
type virtioMMIO Virtio

// AddVirtioMMIO puts the device at base, raising input of apic.
func (m *Machine) AddVirtioMMIO(d *Virtio, base uintptr, apic *IOAPIC, input int) {
	d.m = m
	d.raise = func(int) { apic.Raise(input) }
	m.Map(base, 0x200, (*virtioMMIO)(d))
}

func (r *virtioMMIO) Load(off uintptr, width int) uint64 {
	d := (*Virtio)(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch off {
	case 0x00:
		return 0x74726976
	case 0x04:
		return 2
	case 0x08:
		return uint64(d.ID)
	case 0x10:
		return uint64(d.offered())
	case 0x34:
		if d.at() == nil {
			return 0
		}
		return uint64(d.QueueMax)
	case 0x44:
		if q := d.at(); q != nil {
			return uint64(q.ready)
		}
		return 0
	case 0x60:
		return uint64(d.isr)
	case 0x70:
		return d.reported()
	case 0xfc:
		return d.generation()
	}
	if off >= 0x100 {
		return d.loadConfig(off-0x100, width)
	}
	return 0
}

func (r *virtioMMIO) Store(off uintptr, width int, v uint64) {
	d := (*Virtio)(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if off >= 0x100 {
		d.storeConfig(off-0x100, width, v)
		return
	}
	q := d.at()
	if q == nil {
		q = new(queue) // stores to a queue that is not there change nothing
	}
	switch w := uint32(v); off {
	case 0x14:
		d.selDev = w
	case 0x20:
		d.accept(w)
	case 0x24:
		d.selDrv = w
	case 0x30:
		d.sel = uint16(w)
	case 0x38:
		q.size = uint16(w)
	case 0x44:
		q.ready = uint16(w)
	case 0x50:
		d.notify(w)
	case 0x64:
		d.isr &^= w
	case 0x70:
		d.setStatus(uint8(w))
	case 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4:
		q.part(int(off-0x80)/16, off&4 != 0, w)
	}
}
