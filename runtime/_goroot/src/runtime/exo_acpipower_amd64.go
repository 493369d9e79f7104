package runtime

import "internal/runtime/atomic"

// Power off, reset and the power button, from ACPI's fixed tables and two patterns in the DSDT. It runs once: on the first idle CPU, or on sysmon if none is idle for long.
//
// An AML interpreter would be the general answer (package exo has one) but weighs more than all the rest of the bottom half. What is needed
// of the DSDT is little and always compiled alike: the sleep type in the package _S5, and the generic event device's register and interrupt.
// A machine on which a pattern fails lacks power off or the button, nothing else.

// FADT fields (ACPI 6.5, table 5.9), byte offsets.
const (
	exoFadtDSDT    = 40
	exoFadtSCI     = 46
	exoFadtSMI     = 48
	exoFadtEnable  = 52
	exoFadtEvent   = 56
	exoFadtControl = 64
	exoFadtEvtLen  = 88
	exoFadtFlags   = 112
	exoFadtReset   = 116
	exoFadtResetV  = 128
	exoFadtXDSDT   = 140
	exoFadtSleep   = 244

	exoFadtNoButton = 1 << 4  // PWR_BUTTON: the button is no fixed one
	exoFadtHasReset = 1 << 10 // RESET_REG_SUP
	exoFadtReduced  = 1 << 20 // HW_REDUCED_ACPI
)

// exoArmPowerOnce fills exo.power, the first time.
func exoArmPowerOnce() {
	if exo.acpi.armed == 0 && atomic.Cas(&exo.acpi.armed, 0, 1) {
		exo.vm.lock.lock()
		exoArmPower()
		exo.vm.lock.unlock()
	}
}

func exoArmPower() {
	f, n := exoACPITable(0x50434146) // "FACP"
	if n < 116 {
		return
	}
	flags := exoLoad32(f + exoFadtFlags)
	if flags&exoFadtHasReset != 0 && n > exoFadtResetV {
		exo.power[exoPowerReset] = exoGAS(f+exoFadtReset, uint32(exoLoad8(f+exoFadtResetV)))
	}
	at := uintptr(exoLoad32(f + exoFadtDSDT))
	if n >= exoFadtXDSDT+8 && exoLoad(f+exoFadtXDSDT) != 0 {
		at = exoLoad(f + exoFadtXDSDT)
	}
	d, dn := exoTableAt(at)
	typ := exoSleepType(d, dn)
	if flags&exoFadtReduced != 0 {
		if n >= exoFadtSleep+12 {
			exo.power[exoPowerOff] = exoGAS(f+exoFadtSleep, typ<<2|1<<5) // SLP_EN (4.8.3.7)
		}
		exoEventDevice(d, dn)
		return
	}
	ctl, evt := uintptr(exoLoad32(f+exoFadtControl)), uintptr(exoLoad32(f+exoFadtEvent))
	if ctl == 0 || evt == 0 {
		return
	}
	if smi := exoLoad32(f + exoFadtSMI); smi != 0 && exoIn16(ctl)&1 == 0 {
		exoOut8(uintptr(smi), uintptr(exoLoad8(f+exoFadtEnable))) // SCI_EN (4.8.3.2)
	}
	exo.power[exoPowerOff] = exoPower{kind: exoPort16, addr: ctl, value: typ<<10 | 1<<13}
	if flags&exoFadtNoButton == 0 {
		const button = 1 << 8 // PWRBTN_STS and PWRBTN_EN
		en := evt + uintptr(exoLoad8(f+exoFadtEvtLen))/2
		exoOut16(evt, button)
		exoOut16(en, button)
		exoListenPower(exoPower{kind: exoPort16, addr: evt, value: button, ack: button}, uintptr(exoLoad16(f+exoFadtSCI)), true)
	}
}

// exoListenPower routes a global interrupt to the power button's register.
func exoListenPower(b exoPower, gsi uintptr, isa bool) {
	if b.vec = exoVectorTake(); b.vec == 0 {
		return
	}
	exo.power[exoPowerPressed] = b
	exoVectorQuiet(b.vec)
	if isa && gsi < 16 {
		exoRouteISA(gsi, b.vec)
	} else {
		exoRoute(gsi, b.vec, exo.cpus[0].apicID)
	}
}

// exoGAS reads a generic address structure (5.2.3.2) that is to be written value: I/O or memory, 8 bits.
func exoGAS(p uintptr, value uint32) exoPower {
	addr := exoLoad(p + 4)
	switch {
	case addr == 0:
	case exoLoad8(p) == 1:
		return exoPower{kind: exoPort8, addr: addr, value: value}
	case exoLoad8(p) == 0:
		if va := exoMapMMIO(addr, 4); va != 0 {
			return exoPower{kind: exoMem8, addr: va, value: value}
		}
	}
	return exoPower{}
}

// exoSleepType finds the first element of \_S5: NameOp or scope prefix aside, the bytes "_S5_", PackageOp, length, count, element
// (20.2.5.4). 5 where there is none: what machines without one in their tables use.
func exoSleepType(d, n uintptr) uint32 {
	for o := uintptr(36); o+10 < n; o++ {
		if exoLoad32(d+o) != 0x5f35535f || exoLoad8(d+o+4) != 0x12 {
			continue
		}
		switch e := d + o + 7; exoLoad8(e) {
		case 0x0a: // BytePrefix
			return uint32(exoLoad8(e+1)) & 7
		case 0, 1: // ZeroOp, OneOp
			return uint32(exoLoad8(e))
		}
	}
	return 5
}

// exoEventDevice finds the generic event device (5.6.9): _HID "ACPI0013", then its extended interrupt descriptor (6.4.3.6) and its
// memory operation region (20.2.5.2: ExtOpPrefix, OpRegionOp, name, SystemMemory, DWordPrefix or QWordPrefix).
func exoEventDevice(d, n uintptr) {
	gsi, reg := uintptr(0), uintptr(0)
	for o := uintptr(36); o+20 < n; o++ {
		p := d + o
		switch {
		case gsi == 0 && exoLoad(p) == 0x3331303049504341: // "ACPI0013"
			gsi = 1
		case gsi == 1 && exoLoad8(p) == 0x89 && exoLoad16(p+1) == 6 && exoLoad8(p+4) == 1:
			gsi = uintptr(exoLoad32(p + 5))
		case gsi > 1 && exoLoad16(p) == 0x805b && exoLoad8(p+6) == 0 && exoLoad8(p+7)|2 == 0x0e:
			reg = uintptr(exoLoad32(p + 8))
			if exoLoad8(p+7) == 0x0e {
				reg = exoLoad(p + 8)
			}
			o = n
		}
	}
	if reg == 0 {
		return
	}
	if va := exoMapMMIO(reg, 4); va != 0 {
		exoListenPower(exoPower{kind: exoMem32, addr: va, value: exoEventButton}, gsi, false)
	}
}

// exoEventButton is the power button's bit in the event register of QEMU's and Cloud Hypervisor's device.
const exoEventButton = 2

// exoACPITable finds a table by its signature: its address and length, mapped to read. 0, 0: none.
func exoACPITable(sig uint32) (uintptr, uintptr) {
	a := &exo.acpi
	if a.root == 0 {
		return 0, 0
	}
	h, n := exoTableAt(a.root)
	for o := uintptr(36); o+a.width <= n; o += a.width {
		t := uintptr(exoLoad32(h + o))
		if a.width == 8 {
			t |= uintptr(exoLoad32(h+o+4)) << 32
		}
		if p, n := exoTableAt(t); n != 0 && exoLoad32(p) == sig {
			return p, n
		}
	}
	return 0, 0
}

// exoTableAt maps the table at a physical address.
func exoTableAt(pa uintptr) (uintptr, uintptr) {
	h := exoPhys(pa, 36)
	if pa == 0 || h == 0 {
		return 0, 0
	}
	n := uintptr(exoLoad32(h + 4))
	if n < 36 || n > 1<<20 {
		return 0, 0
	}
	if h = exoPhys(pa, n); h == 0 {
		return 0, 0
	}
	return h, n
}
