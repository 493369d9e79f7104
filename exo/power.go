package exo

// Turning the machine off, resetting it, and the button that asks for it: ACPI 6.5, chapters 4.8 and 7.
//
// Arm reads what is needed once and gives the bottom half three things it can use without Go: the store that turns the machine
// off, the store that resets it, and the load that tells whether the power button was pressed. So os.Exit, a fatal
// throw and the button's interrupt handler need no allocation, no lock and no goroutine.

// Power operations of hwSetPower.
const (
	powerOff   = 0
	powerReset = 1
)

// PM1 registers (4.8.3.1, 4.8.3.2) and the sleep control register (4.8.3.7).
const (
	pm1ButtonBit  = 1 << 8 // PWRBTN_STS and PWRBTN_EN
	pm1SCIEnabled = 1 << 0 // SCI_EN
	pm1SleepShift = 10     // SLP_TYP
	pm1SleepBits  = 7 << pm1SleepShift
	pm1Sleep      = 1 << 13 // SLP_EN

	sleepShift = 2 // SLP_TYPx
	sleepGo    = 1 << 5
)

// Arm makes power-off, reset and the power button work. It reads the FADT (a table of some 270 bytes) and walks the definition
// blocks for \_S5 and, on machines without fixed hardware, for the event device. Counted by QEMU, page faults on fresh memory
// included, it takes some 180 000 instructions on microvm and 500 000 on q35, so it belongs after main has started, on a
// goroutine that the program does not see: a system goroutine of the runtime. It runs once; later calls give the first one's result.
// It parks at most while firmware hands over the fixed hardware (milliseconds).
//
// An error tells what could not be armed; what could be is.
func Arm() error {
	w := theWorld
	w.power.once.Do(func() { w.power.err = w.arm() })
	return w.power.err
}

func (w *world) arm() error {
	t, err := w.acpiTables()
	if err != nil {
		return err
	}
	facp, err := t.find("FACP", 0)
	if err != nil {
		return err
	}
	if facp == nil {
		return fault("ACPI", "there is no FADT: power-off, reset and the power button are not known")
	}
	f := fadt(facp)
	first := w.armReset(f)
	ns, err := w.namespace()
	if err != nil {
		return err
	}
	if err := w.armOff(f, ns); first == nil {
		first = err
	}
	if err := w.armButton(f, ns); first == nil {
		first = err
	}
	return first
}

// armReset: RESET_REG (4.8.3.6).
func (w *world) armReset(f fadt) error {
	if f.flags()&fadtResetSup == 0 {
		return nil
	}
	r := f.gas(fadtReset, 1)
	if r.width == 0 {
		return fault("ACPI table FACP", "its reset register is in an address space exo cannot use")
	}
	return w.setPower(powerReset, r, uint32(f.u8(fadtResetValue)))
}

func (w *world) setPower(op int, r register, v uint32) error {
	if err := r.claim(w, "power"); err != nil {
		return err
	}
	kind, addr, err := r.place(w)
	if err != nil {
		return err
	}
	hwSetPower(op, kind, addr, v)
	return nil
}

// armOff: entering S5 is one store once the sleep type is known (7.4.2.6, 16.1.7).
func (w *world) armOff(f fadt, ns *namespace) error {
	typ, err := ns.sleepType()
	if err != nil {
		return err
	}
	if f.flags()&fadtHWReduced != 0 {
		r := f.gas(fadtSleepCtl, 1)
		if r.width == 0 {
			return fault("ACPI table FACP", "the machine is hardware-reduced and has no sleep control register: it cannot be turned off")
		}
		return w.setPower(powerOff, r, uint32(typ)<<sleepShift|sleepGo)
	}
	r := f.block(fadtXPM1aCtl, fadtPM1aCtl, 2)
	if r.width == 0 {
		return fault("ACPI table FACP", "it names no PM1a control register: the machine cannot be turned off")
	}
	old, err := r.load(w)
	if err != nil {
		return err
	}
	return w.setPower(powerOff, r, old&^pm1SleepBits|uint32(typ)<<pm1SleepShift|pm1Sleep|pm1SCIEnabled)
}

// sleepType is SLP_TYPa of \_S5 (7.4.2.6).
func (ns *namespace) sleepType() (uint8, error) {
	v, ok := ns.value("_S5_")
	if ok && v.kind == valPackage {
		f := frame{m: &machine{ns: ns}, code: code{b: v.b, where: "_S5_"}}
		if n := f.integer(); f.code.err == nil && n <= 7 {
			return uint8(n), nil
		}
	}
	return 0, fault(`ACPI object \_S5`, "it is missing or is not a package of sleep types: the machine cannot be turned off")
}
