package exo

// The power button in its two shapes: fixed hardware with a status and an enable bit (ACPI 6.5, 4.8.2.2.1.1), and, on
// hardware-reduced machines, an event of a Generic Event Device (5.6.9) that ends in Notify of a PNP0C0C device.

func (w *world) armButton(f fadt, ns *namespace) error {
	if f.flags()&fadtHWReduced != 0 {
		return w.armEventButton(ns)
	}
	if f.flags()&fadtPowerButton == 0 {
		return w.armFixedButton(f)
	}
	return nil // a control-method button behind a GPE: no machine exo is meant for has one
}

// armFixedButton enables the button in the PM1 event block and routes the SCI.
func (w *world) armFixedButton(f fadt) error {
	n := uint32(f.u8(fadtPM1EvtLen))
	if n < 4 || n > 64 {
		return fault("ACPI table FACP", "its PM1 event block is too short for the power button")
	}
	if err := w.enableACPI(f); err != nil {
		return err
	}
	// Status first, enable in the second half (4.8.3.1). A button that block a does not have is in block b.
	for _, at := range [][2]int{{fadtXPM1aEvent, fadtPM1aEvent}, {fadtXPM1bEvent, fadtPM1bEvent}} {
		status := f.block(at[0], at[1], 2)
		if status.width == 0 {
			continue
		}
		enable := status
		enable.addr += uint64(n / 2)
		for _, r := range []register{status, enable} {
			if err := r.claim(w, "power button"); err != nil {
				return err
			}
		}
		if err := enable.store(w, pm1ButtonBit); err != nil { // and no other fixed event
			return err
		}
		if v, err := enable.load(w); err != nil || v&pm1ButtonBit == 0 {
			continue
		}
		if err := status.store(w, pm1ButtonBit); err != nil { // forget a press from before the boot
			return err
		}
		r, err := w.router()
		if err != nil {
			return err
		}
		g, low := r.isa(f.u8(fadtSCI), true) // the SCI is active low unless the MADT says otherwise (5.2.9)
		return w.watchButton(g, low, status, pm1ButtonBit, pm1ButtonBit)
	}
	return fault("ACPI table FACP", "no PM1 event block holds the power button's enable bit")
}

// enableACPI takes the fixed hardware over from the firmware (4.8.2.5, 16.3.2).
func (w *world) enableACPI(f fadt) error {
	ctl := f.block(fadtXPM1aCtl, fadtPM1aCtl, 2)
	smi, on := f.u32(fadtSMI), f.u8(fadtEnable)
	if ctl.width == 0 {
		return fault("ACPI table FACP", "it names no PM1a control register")
	}
	enabled := func() (bool, error) {
		v, err := ctl.load(w)
		return v&pm1SCIEnabled != 0, err
	}
	if ok, err := enabled(); ok || err != nil || smi == 0 || on == 0 {
		return err
	}
	if err := (register{space: spaceIO, addr: uint64(smi), width: 1}).store(w, uint32(on)); err != nil {
		return err
	}
	t, err := TakeTimer("exo: ACPI enable")
	if err != nil {
		return err
	}
	defer t.Release()
	for range 100 {
		if ok, err := enabled(); ok || err != nil {
			return err
		}
		t.Arm(Now() + 1e6)
		t.Wait()
	}
	return fault("ACPI fixed hardware", "the firmware did not hand it over within 100 ms of ACPI_ENABLE: the power button does not work")
}

// armEventButton finds the event that means the button.
func (w *world) armEventButton(ns *namespace) error {
	for _, d := range ns.devices("ACPI0013") {
		r, err := ns.resources(d)
		if err != nil {
			return err
		}
		for _, irq := range r.irqs {
			b, err := ns.findButton(d, irq.gsi)
			if err != nil {
				return err
			}
			if b.mask != 0 {
				if err := b.reg.claim(w, "power button"); err != nil {
					return err
				}
				return w.watchButton(irq.gsi, irq.activeLow, b.reg, b.mask, 0)
			}
		}
	}
	return nil // no event device, or none of its events is the button: there is no button
}

// A buttonEvent is the load that tells of the button.
type buttonEvent struct {
	reg  register
	mask uint32
}

// findButton learns from a device's _EVT what it reads and which bit of it leads to Notify of a power button, by
// evaluating it for one bit after another with a made-up reading, up to the first that does. Nothing is read from the machine, so no event is lost, and
// when the interrupt comes one load is enough.
func (ns *namespace) findButton(d device, g GSI) (buttonEvent, error) {
	var e buttonEvent
	method := ns.lookup(d.path + "_EVT")
	if method == nil || method.kind != objMethod {
		return e, nil
	}
	for bit := 0; bit < 32; bit++ {
		m := machine{ns: ns, probe: true, reading: 1 << bit}
		m.v = number(uint64(g))
		m.eval(method)
		if m.field == nil || uint64(bit) >= m.field.bits {
			break
		}
		if m.err != nil || !m.pressed {
			continue // another event, perhaps one handled by code that exo does not evaluate
		}
		if m.fields > 1 {
			return e, faultIn("ACPI method", method.path, 0, "it tells of the power button by more than one register, and exo watches one")
		}
		reg, err := ns.fieldRegister(m.field)
		return buttonEvent{reg, 1 << bit}, err
	}
	return e, nil
}

// fieldRegister is the register that a field is, where it is a whole one.
func (ns *namespace) fieldRegister(f *object) (register, error) {
	o := ns.lookup(f.region)
	if o == nil { // a region named in an enclosing scope
		o = ns.search(f.path[:len(f.path)-4], f.region[max(0, len(f.region)-4):], false)
	}
	if o == nil || o.kind != objRegion || o.space > spaceIO || f.bit%8 != 0 || f.bits != 8 && f.bits != 16 && f.bits != 32 ||
		f.bit/8+f.bits/8 > o.size || f.bit/8%(f.bits/8) != 0 {
		return register{}, faultIn("ACPI field", f.path, 0, "it is not one whole register of memory or ports")
	}
	return register{space: o.space, addr: o.base + f.bit/8, width: int(f.bits / 8)}, nil
}

// watchButton gives the bottom half the load and routes the line to it.
func (w *world) watchButton(g GSI, low bool, status register, mask, ack uint32) error {
	kind, addr, err := status.place(w)
	if err != nil {
		return err
	}
	line, err := bindLine(w.root(spLine), "exo: power button", g, low, true)
	if err != nil {
		return err
	}
	v, err := takeVector(w.root(spVector), true, true, "exo: power button")
	if err != nil {
		line.Release()
		return err
	}
	hwPowerButton(int(v.Number()), kind, addr, mask, ack)
	return line.Bind(v, nil)
}
