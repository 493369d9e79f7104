//go:build linux && amd64

package main

import (
	"encoding/binary"
	"syscall"
	"unsafe"
)

// raw executes SYSCALL.
func raw(nr, a1, a2, a3, a4 uintptr) uintptr

// faultOn sets the stack pointer and faults.
func faultOn(sp uintptr)

// pushOn sets the stack pointer and pushes.
func pushOn(sp uintptr)

// storeGDT returns where the global descriptor table is: two bytes limit, eight bytes address.
func storeGDT(p *[10]byte)

const (
	wild         = 0x10
	sysGetrandom = 318 // package syscall has no name for it
)

// badCalls are system calls that the bottom half serves itself, with pointers to nowhere.
func badCalls() map[string]uintptr {
	m, err := syscall.Mmap(-1, 0, 2*4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	edge := uintptr(unsafe.Pointer(&m[4090]))
	raw(syscall.SYS_MUNMAP, edge+6, 4096, 0, 0)
	return map[string]uintptr{
		"write":                  raw(syscall.SYS_WRITE, 1, wild, 5, 0),
		"write non-canonical":    raw(syscall.SYS_WRITE, 1, nonCanonical, 5, 0),
		"write over the edge":    raw(syscall.SYS_WRITE, 1, edge, 100, 0),
		"write wrapping":         raw(syscall.SYS_WRITE, 1, edge, ^uintptr(0), 0),
		"getrandom":              raw(sysGetrandom, wild, 8, 0, 0),
		"getrandom into text":    raw(sysGetrandom, textAddr(), 8, 0, 0),
		"getrandom over an edge": raw(sysGetrandom, edge, 100, 0, 0),
		"clock_gettime":          raw(syscall.SYS_CLOCK_GETTIME, 0, wild, 0, 0),
		"clock_gettime at edge":  raw(syscall.SYS_CLOCK_GETTIME, 0, edge, 0, 0),
		"nanosleep":              raw(syscall.SYS_NANOSLEEP, wild, 0, 0, 0),
		"futex":                  raw(syscall.SYS_FUTEX, wild, 0, 0, 0),
		"sigaction":              raw(syscall.SYS_RT_SIGACTION, 10, wild, 0, 8),
		"sigprocmask":            raw(syscall.SYS_RT_SIGPROCMASK, 0, wild, 0, 8),
		"sigaltstack":            raw(syscall.SYS_SIGALTSTACK, wild, 0, 0, 0),
		"setitimer":              raw(syscall.SYS_SETITIMER, 2, wild, 0, 0),
		"sched_getaffinity":      raw(syscall.SYS_SCHED_GETAFFINITY, 0, 8, wild, 0),
		"pipe":                   raw(syscall.SYS_PIPE2, wild, 0, 0, 0),
	}
}

// breaks leave the processor in a state from which there is no way on.
var breaks = map[string]func(){
	"fault on a stack nowhere": func() { faultOn(wild) },
	"push on a stack nowhere":  func() { pushOn(wild) },
	"push on no address":       func() { pushOn(nonCanonical) },
	"fault on a kernel stack":  func() { faultOn(kernelStacks + stacks[4][1] - 256) },
	"run over a kernel stack":  func() { pushOn(kernelStacks + stacks[4][0]) },
	"fault without a fault stack": func() {
		// The task state segment names the stacks for exceptions: lose all but the double fault's.
		var gdtr [10]byte
		storeGDT(&gdtr)
		gdt := uintptr(binary.LittleEndian.Uint64(gdtr[2:]))
		d := *(*[2]uint64)(unsafe.Pointer(at(gdt + 3*8)))
		tss := uintptr(d[0]>>16&0xffffff | d[0]>>56<<24 | d[1]<<32)
		const ist1 = 36
		for i := range uintptr(2) {
			*(*[2]uint32)(unsafe.Pointer(at(tss + ist1 + 8*i))) = [2]uint32{wild, 0}
		}
		read(0x1000)()
	},
}
