package runtime

import "internal/runtime/atomic"

// The console: a 16550 UART at COM1 (National Semiconductor PC16550D data sheet). Output is polled, a FIFO's depth at a time, so that a
// dying image still speaks; input comes by interrupt into a ring once somebody reads.

const (
	exoCOM1    = 0x3f8
	exoRingLen = 4096
)

type exoConsole struct {
	lock    exoLock
	state   uint32 // 0 unknown, 1 there, 2 absent
	ring    uintptr
	in, out uint32 // positions in the ring, running; in is written under lock
	vec     uintptr
}

// exoConsoleInit programs the UART: 115200 8N1, FIFOs on, interrupts off.
func exoConsoleInit() {
	k := &exo.con
	exoOut8(exoCOM1+7, 0x5a) // scratch register: absent ports read as ones
	if exoIn8(exoCOM1+7) != 0x5a {
		k.state = 2
		return
	}
	exoOut8(exoCOM1+1, 0)
	exoOut8(exoCOM1+3, 0x80)
	exoOut8(exoCOM1, 1)
	exoOut8(exoCOM1+1, 0)
	exoOut8(exoCOM1+3, 3)
	exoOut8(exoCOM1+2, 0xc7) // both emptied; input interrupts at 14 bytes, or when no more came for a while (FCR, 8.4)
	exoOut8(exoCOM1+4, 0xb)  // DTR, RTS, OUT2 (which gates the interrupt)
	k.state = 1
}

// exoConsoleSend sends up to n bytes, as many as the UART takes without a long wait, and returns how many. patience is how often to look.
func exoConsoleSend(p, n uintptr, patience int) uintptr {
	k := &exo.con
	sent := uintptr(0)
	k.lock.lock()
	for k.state == 1 && sent < n {
		spin := 0
		for exoIn8(exoCOM1+5)&0x20 == 0 && spin < patience {
			exoTLBPoll(exoSelf())
			spin++
		}
		if spin == patience {
			break
		}
		m := min(n-sent, 16)
		exoOutN(exoCOM1, p+sent, m)
		sent += m
	}
	if k.state != 1 {
		sent = n // no console: nobody to tell
	}
	k.lock.unlock()
	return sent
}

// exoConsoleWrite sends what print and a dying image have to say; a UART that stays busy for long loses it.
func exoConsoleWrite(p, n uintptr) { exoConsoleSend(p, n, 1<<20) }

// exoPuts writes text of the kernel side's own.
//
//go:noinline
func exoPuts(s string) {
	for i := 0; i < len(s); i++ {
		exoPutc(s[i])
	}
}

func exoPutc(b byte) {
	k := &exo.con
	if k.state == 0 {
		exoConsoleInit()
	}
	if k.state != 1 {
		return
	}
	for spin := 0; exoIn8(exoCOM1+5)&0x20 == 0 && spin < 1<<20; spin++ {
	}
	exoOut8(exoCOM1, uintptr(b))
}

//go:noinline
func exoPutHex(v uintptr) {
	for i := 60; i >= 0; i -= 4 {
		exoPutc("0123456789abcdef"[v>>uint(i)&15])
	}
}

func exoPutDec(v uintptr) {
	if v >= 10 {
		exoPutDec(v / 10)
	}
	exoPutc('0' + byte(v%10))
}

// exoConsoleListen routes the UART's interrupt and enables it. Console and region lock held.
func exoConsoleListen(k *exoConsole) bool {
	f := exoFrameZeroed()
	if f == 0 {
		return false
	}
	k.vec = exoVectorTake()
	if k.vec == 0 {
		exoFrameFree(f)
		return false
	}
	exoVectorQuiet(k.vec)
	if !exoRouteISA(4, k.vec) {
		exoVectorDrop(k.vec)
		exoFrameFree(f)
		return false
	}
	k.ring = exoDirect(f)
	exoOut8(exoCOM1+1, 1) // received data available
	exoControlText("stdin\n")
	return true
}

// exoConsoleDrain moves what the UART received into the ring. When the ring is full the rest stays in the UART, whose host then waits;
// exoConsoleTake comes for it.
func exoConsoleDrain() {
	k := &exo.con
	k.lock.lock()
	for k.ring != 0 && k.in-atomic.Load(&k.out) < exoRingLen && exoIn8(exoCOM1+5)&1 != 0 {
		exoStore8(k.ring+uintptr(k.in%exoRingLen), uint8(exoIn8(exoCOM1)))
		atomic.Store(&k.in, k.in+1)
	}
	k.lock.unlock()
}

// exoConsoleTake copies up to n received bytes to p and returns how many; 0 when there are none yet, an error when there is no UART.
func exoConsoleTake(p, n uintptr) uintptr {
	k := &exo.con
	if n == 0 {
		return 0
	}
	if k.ring == 0 {
		exo.vm.lock.lock()
		k.lock.lock()
		ok := k.ring != 0 || k.state == 1 && exoConsoleListen(k)
		k.lock.unlock()
		exo.vm.lock.unlock()
		if !ok {
			return exoErr(exoEBADF)
		}
	}
	exoConsoleDrain()
	k.lock.lock()
	m := uintptr(0)
	for m < n && k.out != k.in {
		exoStore8(p+m, exoLoad8(k.ring+uintptr(k.out%exoRingLen)))
		k.out++
		m++
	}
	k.lock.unlock()
	return m
}

// exoQuietVector answers the vectors that the kernel side keeps for itself.
func exoQuietVector(vec uintptr) {
	if vec == exo.con.vec {
		exoConsoleDrain()
		exoVectorPost(vec)
		return
	}
	if f := exo.cold.stage; f == 0 || exoAt(f, vec, 0, 0) == 0 {
		exoPowerButton(vec)
	}
}
