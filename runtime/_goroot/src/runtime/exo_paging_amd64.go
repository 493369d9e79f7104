package runtime

import "internal/runtime/atomic"

// Page tables (SDM vol. 3, chapter 4: four-level paging) and the address space:
//
//	0x0000000000000000  unmapped: page 0 and all below the image
//	image               text R-X, rodata R--, data RW-
//	regions             what the runtime and the libOS reserved, backed on first touch, RW- or R--
//	0xffff800000000000  direct map of RAM, RW-, without the image's text and rodata
//	0xffff808000000000  device registers, uncached
//	0xffff810000000000  kernel stacks, a guard page under each
//
// Nothing is writable and executable, by any address.
const (
	exoDirectBase = 0xffff800000000000
	exoMMIOBase   = 0xffff808000000000
	exoMMIOEnd    = 0xffff80a000000000
	exoStackBase  = 0xffff810000000000
	exoUserEnd    = 0x00007ffffffff000

	exoPML4 = 0x114000 // physical address of the page table root; below 4 GiB for the processors' 16-bit entry
)

// Page table entry bits (SDM vol. 3, tables 4-15 to 4-20).
const (
	exoPteP    = 1 << 0
	exoPteW    = 1 << 1
	exoPtePWT  = 1 << 3
	exoPtePCD  = 1 << 4
	exoPteA    = 1 << 5
	exoPteD    = 1 << 6
	exoPtePS   = 1 << 7
	exoPteG    = 1 << 8
	exoPteNX   = 1 << 63
	exoPteAddr = 0x000ffffffffff000
)

// exoDirect returns the direct map's address of a physical one.
func exoDirect(pa uintptr) uintptr { return exoDirectBase + pa }

// exoTable returns the address of the entry for va in the table of the given level (0 is the last: 4 KiB pages),
// making the tables above it when grow is set. 0: absent, or a large page stands in the way, or no frame is left.
func exoTable(va uintptr, level int, grow bool) uintptr {
	t := exoDirect(exoPML4)
	for l := 3; l > level; l-- {
		e := t + (va>>(12+9*uint(l))&511)*8
		v := exoLoad(e)
		if v&exoPteP == 0 {
			if !grow {
				return 0
			}
			f := exoFrameZeroed()
			if f == 0 {
				return 0
			}
			v = f | exoPteP | exoPteW
			exoStore(e, v)
		} else if v&exoPtePS != 0 {
			return 0
		}
		t = exoDirect(v & exoPteAddr)
	}
	return t + (va>>(12+9*uint(level))&511)*8
}

// exoDirectory is exoTable for level 1, growing, with the last few directories remembered: they are never freed. Region lock held.
func exoDirectory(va uintptr) uintptr {
	c := &exo.vm.dirs[va>>30&3]
	if c.key != va>>30+1 {
		e := exoTable(va, 1, true)
		if e == 0 {
			return 0
		}
		c.key, c.table = va>>30+1, e&^(exoPageSize-1)
	}
	return c.table + va>>21&511*8
}

// exoMapDirect maps all RAM and what firmware keeps tables in, with the largest pages there are, leaving out [hole0, hole1).
func exoMapDirect(lo, hi, hole0, hole1 uintptr, giant bool) {
	hi = min(hi, exoMMIOBase-exoDirectBase)
	const rw = exoPteP | exoPteW | exoPteNX | exoPteG | exoPteA | exoPteD
	for pa := lo; pa < hi; {
		switch {
		case giant && pa&(1<<30-1) == 0 && hi-pa >= 1<<30 && (pa >= hole1 || pa+1<<30 <= hole0):
			exoStore(exoTable(exoDirect(pa), 2, true), pa|rw|exoPtePS)
			pa += 1 << 30
		case pa&(exoHugeSize-1) == 0 && hi-pa >= exoHugeSize && (pa >= hole1 || pa+exoHugeSize <= hole0):
			// One walk for each table, then its entries in a row.
			e := exoTable(exoDirect(pa), 1, true)
			end := min(hi&^(exoHugeSize-1), exoNext(pa, 2))
			if pa < hole0 {
				end = min(end, hole0&^(exoHugeSize-1))
			}
			exoFill(e, (end-pa)>>21, pa|rw|exoPtePS, exoHugeSize)
			pa = end
		case pa >= hole0 && pa < hole1:
			pa = hole1
		default:
			e := exoTable(exoDirect(pa), 0, true)
			end := min(hi, exoNext(pa, 1))
			if pa < hole0 {
				end = min(end, hole0)
			}
			exoFill(e, (end-pa)>>exoPageShift, pa|rw, exoPageSize)
			pa = end
		}
	}
}

// exoFill writes n entries from e on, the first with value v, each with its address larger by step.
func exoFill(e, n, v, step uintptr) {
	if e == 0 {
		exoPanic("no memory for page tables", nil, v)
	}
	for end := e + n*8; e != end; e += 8 {
		exoStore(e, v)
		v += step
	}
}

// exoMapMMIO maps device registers uncached and returns their address; 0 when the window is full. Region lock held, or boot.
func exoMapMMIO(pa, n uintptr) uintptr {
	off := pa & (exoPageSize - 1)
	n = alignUp(off+n, exoPageSize)
	v := &exo.vm
	if v.mmio == 0 {
		v.mmio = exoMMIOBase
	}
	va := v.mmio
	if n > exoMMIOEnd-va {
		return 0
	}
	for o := uintptr(0); o < n; o += exoPageSize {
		e := exoTable(va+o, 0, true)
		if e == 0 {
			return 0
		}
		exoStore(e, pa&^(exoPageSize-1)+o|exoPteP|exoPteW|exoPteNX|exoPtePCD|exoPtePWT|exoPteG)
	}
	v.mmio += n
	return va + off
}

// TLB shootdown. An unmapping bumps the generation and waits until every other running CPU has flushed since, or is idle:
// an idle CPU flushes when it wakes, before it touches anything that can be unmapped. Frames are freed only after that.

// exoTLBPoll flushes if the generation moved since this CPU's last flush.
func exoTLBPoll(c *exoCPU) {
	if gen := atomic.Load(&exo.vm.tlbGen); gen != c.tlbSeen {
		exoWriteCR3(exoPML4)
		atomic.Store(&c.tlbSeen, gen)
	}
}

// exoTLBAgeEvery is the window over which QEMU judges how much of its TLB is in use.
const exoTLBAgeEvery = 100_000_000

// exoTLBAge flushes ten times a second, where the timer ticks. A processor hardly notices. But QEMU's emulator changes the size of its TLB, 256 pages of 4 KiB
// at first, only when it is flushed, and with one address space little else does that on one CPU: of the time of a busy net/http server a fifth and more went into looking up pages again.
func exoTLBAge(c *exoCPU) {
	if now := exoNow(); now >= c.aged {
		c.aged = now + exoTLBAgeEvery
		exoWriteCR3(exoPML4)
	}
}

// exoShoot makes all other CPUs forget what was unmapped.
func exoShoot() {
	if exo.online == 1 {
		return
	}
	me := exoSelf()
	gen := atomic.Xadd(&exo.vm.tlbGen, 1)
	exoWriteCR3(exoPML4)
	atomic.Store(&me.tlbSeen, gen)
	for i := uint32(0); i < exo.ncpu; i++ {
		if c := exo.cpus[i]; c != me && atomic.Load(&c.up) != 0 && atomic.Load(&c.idle) == 0 && int32(atomic.Load(&c.tlbSeen)-gen) < 0 {
			exoIPI(c)
		}
	}
	for i := uint32(0); i < exo.ncpu; i++ {
		c := exo.cpus[i]
		if c == me || atomic.Load(&c.up) == 0 {
			continue
		}
		for int32(atomic.Load(&c.tlbSeen)-gen) < 0 && atomic.Load(&c.idle) == 0 {
			exoTLBPoll(me)
			exoPause()
		}
	}
}
