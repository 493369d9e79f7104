package runtime

// Clocks. Monotonic time is the time stamp counter, scaled; the wall clock is that plus the time of the battery-backed clock at boot.

// exoClock: ns = (TSC - tsc0) * mult >> 32. All but wall0 are fixed before the first context runs.
type exoClock struct {
	tsc0      uintptr
	mult      uintptr // ns a tick, 32.32
	wall0     uintptr // Unix ns at monotonic 0
	khz       uintptr // TSC frequency
	lapicMult uintptr // local APIC timer ticks a ns, 32.32
	deadline  bool    // the timer takes a TSC value
}

// exoNow returns monotonic ns.
func exoNow() int64 {
	return int64(exoMul32(uintptr(exoTSC())-exo.clock.tsc0, exo.clock.mult))
}

// ticks returns the TSC distance of a monotonic time.
func (k *exoClock) ticks(ns int64) uintptr {
	if ns <= 0 {
		return 0
	}
	hi, lo := uintptr(ns)>>32, uintptr(ns)<<32
	if hi >= k.mult {
		return 1<<63 - 1
	}
	return exoDiv128(hi, lo, k.mult)
}

//go:noinline
func (k *exoClock) setKHz(khz uintptr) {
	k.khz = khz
	k.mult = 1_000_000 << 32 / khz
}

// exoSpin waits, for devices that say how long they need.
func exoSpin(ns int64) {
	for t := exoNow() + ns; exoNow() < t; {
		exoPause()
	}
}

// exoClockInit learns the frequencies of TSC and APIC timer, from what states them if anything does, else by a short measurement.
func exoClockInit() {
	k := &exo.clock
	k.tsc0 = uintptr(exoTSC())
	maxLeaf, _, _, _ := exoCPUID(0, 0)
	_, _, cx1, _ := exoCPUID(1, 0)
	k.deadline = cx1>>24&1 != 0
	hyper, maxHyper := exoHypervisor(cx1)

	switch {
	case maxLeaf >= 0x15 && exoClockCrystal(k):
	case maxHyper >= 0x40000010 && exoClockLeaf(k):
	case hyper == exoHyperKVM && exoClockKVMPage(k):
	case hyper == exoHyperKVM || hyper == exoHyperTCG:
		exoClockByLAPIC(k)
	case exoClockByPIT(k):
	default:
		exoPanic("no clock: the CPU states no frequency, and there is no PIT", nil, 0)
	}
	if k.deadline {
		return
	}
	if hyper == exoHyperKVM || hyper == exoHyperTCG {
		k.lapicMult = 1 << 32 // both emulate a 1 GHz timer
		return
	}
	// Count the APIC timer against the TSC.
	exoLapicSet(exoLapicTimer, 1<<16)
	exoLapicSet(exoLapicDivide, exoLapicBy1)
	exoLapicSet(exoLapicInitial, 0xffffffff)
	t := exoNow()
	for exoNow() < t+1_000_000 {
	}
	n := 0xffffffff - exoLapicGet(exoLapicCurrent)
	dt := exoNow() - t
	exoLapicSet(exoLapicInitial, 0)
	k.lapicMult = uintptr(n) << 32 / uintptr(dt)
}

// exoClockCrystal: CPUID 15h states crystal and ratio; only when the crystal is given is it exact (SDM vol. 3, 18.7.3).
func exoClockCrystal(k *exoClock) bool {
	den, num, hz, _ := exoCPUID(0x15, 0)
	if den == 0 || num == 0 || hz == 0 {
		return false
	}
	k.setKHz(uintptr(hz) * uintptr(num) / uintptr(den) / 1000)
	return true
}

// exoClockLeaf: leaf 40000010h, where a hypervisor states the frequency in kHz.
func exoClockLeaf(k *exoClock) bool {
	khz, _, _, _ := exoCPUID(0x40000010, 0)
	if khz < 1000 {
		return false
	}
	k.setKHz(uintptr(khz))
	return true
}

const (
	exoHyperNone = iota
	exoHyperKVM
	exoHyperTCG
	exoHyperOther
)

// exoHypervisor tells whose virtual machine this is, if any.
func exoHypervisor(cx1 uint32) (kind int, maxLeaf uint32) {
	if cx1>>31 == 0 {
		return exoHyperNone, 0
	}
	top, b, c, d := exoCPUID(0x40000000, 0)
	switch {
	case b == 0x4b4d564b && c == 0x564b4d56 && d == 0x4d: // "KVMKVMKVM"
		return exoHyperKVM, top
	case b == 0x54474354 && c == 0x43544743 && d == 0x47435447: // "TCGTCGTCGTCG"
		return exoHyperTCG, top
	}
	return exoHyperOther, top
}

// exoClockKVMPage reads the frequency from KVM's pvclock page (Linux Documentation/virt/kvm/x86/msr.rst): shared once, then taken back.
func exoClockKVMPage(k *exoClock) bool {
	feat, _, _, _ := exoCPUID(0x40000001, 0)
	if feat>>3&1 == 0 {
		return false
	}
	f := exoFrameZeroed()
	if f == 0 {
		return false
	}
	const systemTimeNew = 0x4b564d01
	exoWrmsr(systemTimeNew, f|1)
	p := exoDirect(f)
	mul := uintptr(exoMMIOLoad(p + 24))
	shift := int8(exoMMIOLoad(p + 28))
	exoWrmsr(systemTimeNew, 0)
	exoFrameFree(f)
	if mul == 0 {
		return false
	}
	// ns = (ticks << shift) * mul >> 32, so a tick is mul << shift in 32.32.
	if shift >= 0 {
		k.mult = mul << uint(shift)
	} else {
		k.mult = mul >> uint(-shift)
	}
	k.khz = 1_000_000 << 32 / k.mult
	return true
}

// exoClockByLAPIC measures the TSC against the emulated APIC timer, which counts nanoseconds. A machine whose TSC counts them too
// (QEMU -icount) is known after two short looks; any other gets a millisecond.
func exoClockByLAPIC(k *exoClock) {
	exoLapicSet(exoLapicTimer, 1<<16)
	exoLapicSet(exoLapicDivide, exoLapicBy1)
	exoLapicSet(exoLapicInitial, 0xffffffff)
	look := func() (ns, ticks uintptr) {
		return uintptr(0xffffffff - exoLapicGet(exoLapicCurrent)), uintptr(exoTSC())
	}
	n0, t0 := look()
	for span, same := uintptr(500), 0; ; {
		n, t := look()
		if n-n0 < span {
			continue
		}
		dn, dt := n-n0, t-t0
		if span < 1000_000 {
			if d := int(dn) - int(dt); d > -8 && d < 8 {
				if same++; same == 2 {
					k.setKHz(1_000_000)
					break
				}
				span = 1000
				continue
			}
			span = 1000_000
			continue
		}
		k.setKHz(dt * 1_000_000 / dn)
		break
	}
	exoLapicSet(exoLapicInitial, 0)
}

// exoClockByPIT measures the TSC against channel 2 of the 8254, gated by port 61h, for a millisecond. False: no such timer.
func exoClockByPIT(k *exoClock) bool {
	const hz, n = 1193182, 1193
	exoOut8(0x61, exoIn8(0x61)&^2|1)
	exoOut8(0x43, 0xb0) // channel 2, both bytes, mode 0
	exoOut8(0x42, n&0xff)
	exoOut8(0x42, n>>8)
	t0 := uintptr(exoTSC())
	for exoIn8(0x61)&0x20 == 0 {
		if uintptr(exoTSC())-t0 > 1<<28 {
			return false
		}
	}
	dt := uintptr(exoTSC()) - t0
	if dt < 1000 {
		return false // a floating bus reads as all ones
	}
	k.setKHz(dt * hz / (n * 1000))
	return true
}

// exoRTC reads the battery-backed clock (MC146818 data sheet; century ignored: 2000 to 2099) as Unix seconds.
// A clock that keeps changing or is not there gives 0.
func exoRTC() uintptr {
	get := func(r uintptr) uintptr { exoOut8(0x70, r|0x80); return exoIn8(0x71) }
	var v, w [7]uintptr
	for tries := 0; ; tries++ {
		if tries == 100 {
			return 0
		}
		if get(10)&0x80 != 0 {
			continue
		}
		for i, r := range [...]uintptr{0, 2, 4, 7, 8, 9, 11} {
			v[i] = get(r)
		}
		same := true
		for i := range v {
			same = same && v[i] == w[i]
			w[i] = v[i]
		}
		if same {
			break
		}
	}
	if v[4] == 0 || v[3] == 0 || v[0] == 0xff {
		return 0
	}
	pm := v[2] & 0x80
	v[2] &= 0x7f
	if v[6]&4 == 0 {
		for i := range v[:6] {
			v[i] = v[i]>>4*10 + v[i]&15
		}
	}
	if v[6]&2 == 0 {
		v[2] %= 12
		if pm != 0 {
			v[2] += 12
		}
	}
	// Days from 1970 by the civil calendar, years counted from March.
	y, m := v[5]+2000, v[4]
	if m <= 2 {
		y--
		m += 12
	}
	days := y*365 + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + v[3] - 1 - 719468
	return days*86400 + v[2]*3600 + v[1]*60 + v[0]
}
