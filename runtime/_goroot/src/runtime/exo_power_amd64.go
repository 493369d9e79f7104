package runtime

import (
	"internal/runtime/atomic"
	"unsafe"
)

// The end of an image: exit code to the host, power off, reset; the control port; the power button.

// Kinds of a register in exoPower.
const (
	exoPort8 = 1 + iota
	exoPort16
	exoPort32
	exoMem8
	exoMem16
	exoMem32
)

const (
	exoPowerOff = iota
	exoPowerReset
	exoPowerPressed
)

// exoPower says how an operation is done: write value to the register; for the button: read the register, which fired vec, and look for
// the bits of value.
type exoPower struct {
	kind  uintptr
	addr  uintptr
	value uint32
	ack   uint32 // the button's: bits to write back if any of value is set
	vec   uintptr
}

func exoRegWrite(kind, addr uintptr, v uint32) {
	switch kind {
	case exoPort8:
		exoOut8(addr, uintptr(v))
	case exoPort16:
		exoOut16(addr, uintptr(v))
	case exoPort32:
		exoOut32(addr, uintptr(v))
	case exoMem8:
		exoStore8(addr, uint8(v))
	case exoMem16:
		*(*uint16)(exoPtr(addr)) = uint16(v)
	case exoMem32:
		exoMMIOStore(addr, v)
	}
}

func exoRegRead(kind, addr uintptr) uint32 {
	switch kind {
	case exoPort8:
		return uint32(exoIn8(addr))
	case exoPort16:
		return uint32(exoIn16(addr))
	case exoPort32:
		return uint32(exoIn32(addr))
	case exoMem8:
		return uint32(exoLoad8(addr))
	case exoMem16:
		return uint32(exoLoad16(addr))
	}
	return exoMMIOLoad(addr)
}

// exoPowerButton answers the vector of the power button: SIGTERM (ACPI 6.5, 4.8.4.1.1 for the fixed register, 5.6.9 for the generic
// event device).
func exoPowerButton(vec uintptr) {
	b := &exo.power[exoPowerPressed]
	if b.kind == 0 || b.vec != vec {
		return
	}
	v := exoRegRead(b.kind, b.addr)
	if v&b.value == 0 {
		return
	}
	if b.ack != 0 {
		exoRegWrite(b.kind, b.addr, v&b.ack)
	}
	exoPostAny(exoSIGTERM)
}

// exoExit ends the image with an exit code.
func exoExit(code uintptr) {
	exoControlText("exit ")
	exoControlDec(code & 0xff)
	exoControlText("\n")
	for spin := 0; exo.con.state == 1 && exoIn8(exoCOM1+5)&0x40 == 0 && spin < 1<<20; spin++ {
		// let the UART send its last byte
	}
	if p := exo.cmd.debugExit; p != 0 {
		exoOut32(p, code&0xff)
	}
	// A panic may hold the locks that arming needs.
	if exo.acpi.armed == 0 && exo.frames.lock.v == 0 && atomic.Cas(&exo.vm.lock.v, 0, 1) {
		exoArmPower()
	}
	if p := &exo.power[exoPowerOff]; p.kind != 0 {
		exoRegWrite(p.kind, p.addr, p.value)
	}
	if p := &exo.power[exoPowerReset]; p.kind != 0 {
		exoRegWrite(p.kind, p.addr, p.value)
	}
	exoOut8(0x64, 0xfe) // the keyboard controller's reset line
	exoTripleFault()    // there may be none of all these, above all before the command line is read
}

// The control port: a byte port on which a VMM's tool listens (ARCHITECTURE.md).

//go:noinline
func exoControlText(s string) {
	if exo.cmd.ctl == 0 {
		return
	}
	for i := 0; i < len(s); i++ {
		exoOut8(exo.cmd.ctl, uintptr(s[i]))
	}
}

func exoControlDec(v uintptr) {
	if exo.cmd.ctl == 0 {
		return
	}
	if v >= 10 {
		exoControlDec(v / 10)
	}
	exoOut8(exo.cmd.ctl, '0'+v%10)
}

// exoControl writes n bytes at p as one record.
func exoControl(p, n uintptr) {
	if exo.cmd.ctl == 0 {
		return
	}
	k := &exo.con
	k.lock.lock()
	exoOutN(exo.cmd.ctl, p, n)
	k.lock.unlock()
}

// exoPanic reports what the bottom half cannot go on from, and ends the image with code 3: registers, the faulting address, the stack.
func exoPanic(why string, fr *exoFrame, addr uintptr) {
	exoPuts("\nhardtack: ")
	exoPuts(why)
	if fr != nil {
		exoPuts(": vector ")
		exoPutDec(fr.vec)
		exoPuts(" error code ")
		exoPutDec(fr.err)
	}
	exoPuts("\naddress ")
	exoPutHex(addr)
	if fr != nil {
		regs := (*[22]uintptr)(unsafe.Pointer(fr))
		for i, name := range [...]string{"r15", "r14", "r13", "r12", "r11", "r10", "r9 ", "r8 ", "rbp", "rdi", "rsi", "rdx", "rcx", "rbx", "rax",
			"vec", "err", "rip", "cs ", "flg", "rsp", "ss "} {
			if i%4 == 0 {
				exoPutc('\n')
			} else {
				exoPutc(' ')
			}
			exoPuts(name)
			exoPutc(' ')
			exoPutHex(regs[i])
		}
		exoPuts("\nstack:")
		exoPutStack(fr.rsp)
	}
	exoPutc('\n')
	exoExit(3)
}

// exoPutStack prints the words above sp that are mapped, and names the functions that return addresses among them belong to.
func exoPutStack(sp uintptr) {
	sp &^= 7
	for i := uintptr(0); i < 48; i++ {
		p := sp + i*8
		e := exoTable(p, 0, false)
		if e == 0 {
			if e = exoTable(p, 1, false); e == 0 || exoLoad(e)&exoPtePS == 0 {
				return
			}
		}
		if exoLoad(e)&exoPteP == 0 {
			return
		}
		if i%4 == 0 {
			exoPutc('\n')
		} else {
			exoPutc(' ')
		}
		exoPutHex(exoLoad(p))
	}
}
