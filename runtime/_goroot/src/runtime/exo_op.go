package runtime

// What ordinary Go code has the kernel side do, by exoKernel. An image holds those that something in it uses.

func exoOpFrames(n, align, _ uintptr) uintptr {
	if n == 0 {
		return 0
	}
	pa := exoFrameRun(n, max(align, exoPageSize))
	for o := uintptr(0); pa != 0 && o < n; o++ {
		exoZeroPage(exoDirect(pa + o<<exoPageShift))
	}
	return pa
}

func exoOpFreeFrames(pa, n, _ uintptr) uintptr {
	exoFrameRunFree(pa, n)
	return 0
}

func exoOpMapMMIO(pa, n, _ uintptr) uintptr {
	exo.vm.lock.lock()
	va := exoMapMMIO(pa, n)
	exo.vm.lock.unlock()
	return va
}

func exoOpVectorTake(_, _, _ uintptr) uintptr { return exoVectorTake() }

func exoOpVectorDrop(vec, _, _ uintptr) uintptr {
	exoVectorDrop(vec & 255)
	return 0
}

func exoOpVectorQuiet(vec, _, _ uintptr) uintptr {
	exoVectorQuiet(vec & 255)
	return 0
}

// exoOpIndirect takes the register's number in the low half of reg and whether to write it in the high half.
func exoOpIndirect(va, reg, v uintptr) uintptr {
	return uintptr(exoIndirect(va, uint32(reg), uint32(v), reg>>32 != 0))
}

func exoOpEntropy(p, n, _ uintptr) uintptr {
	exoRandomMix(p, n)
	return 0
}

func exoOpRandom(p, n, _ uintptr) uintptr {
	exoRandomFill(p, n)
	return 0
}

func exoOpConsole(p, n, _ uintptr) uintptr { return exoConsoleSend(p, n, 200) }

func exoOpConsoleRead(p, n, _ uintptr) uintptr { return exoConsoleTake(p, n) }

func exoOpControl(p, n, _ uintptr) uintptr {
	exoControl(p, n)
	return 0
}

func exoOpSignal(sig, _, _ uintptr) uintptr {
	exoPostAny(uint32(sig))
	return 0
}

func exoOpArmPower(_, _, _ uintptr) uintptr {
	exoArmPowerOnce()
	return 0
}
