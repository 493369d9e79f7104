package exo

// Addresses for functions that firmware gave none: QEMU's microvm has PCI and no firmware that knows it. The room is what the
// host bridge's _CRS passes on (ACPI 6.5, 6.2.2). Where firmware has placed anything at all exo places nothing, since it
// would have to know every function's size to keep clear of it; nor behind bridges, whose windows would need opening.

// A pciRoom is one window of addresses, given out from its start.
type pciRoom struct{ next, end uint64 }

// assign finds size bytes, aligned to their size; below 4 GiB unless wide. 0: there is no room.
func (c *pciRoot) assign(id FunctionID, size uint64, wide bool) uint64 {
	c.roomMu.Lock()
	defer c.roomMu.Unlock()
	if id.bus() != 0 {
		return 0
	}
	if !c.looked {
		c.looked = true
		c.rooms = c.freeRooms()
	}
	for i := range c.rooms {
		r := &c.rooms[i]
		at := (r.next + size - 1) &^ (size - 1)
		if at < r.next || at+size < at || at+size > r.end || !wide && at+size > 1<<32 {
			continue
		}
		r.next = at + size
		return at
	}
	return 0
}

// freeRooms are the host bridge's windows, none if firmware has used any of them.
func (c *pciRoot) freeRooms() (rooms []pciRoom) {
	ns, err := c.w.namespace()
	if err != nil || len(c.ecams) == 0 {
		return nil
	}
	for _, f := range c.scan() {
		if c.load8(f.ID, pciHeader)&0x7f != 0 {
			continue
		}
		for i := range 6 {
			if v := c.load32(f.ID, pciBAR+4*i); v&barIO == 0 && v&^15 != 0 {
				return nil
			}
		}
	}
	for _, d := range ns.devices("PNP0A08") {
		r, err := ns.resources(d)
		if err != nil {
			return nil
		}
		for _, m := range r.mem {
			if ram, _, _ := touchesRAM(m.base, m.size); m.size > 0 && !ram {
				rooms = append(rooms, pciRoom{uint64(max(m.base, PageSize)), uint64(m.base) + m.size})
			}
		}
		break
	}
	return rooms
}
