//go:build linux && amd64

package main

import (
	"fmt"
	"reflect"
	"syscall"
	"unsafe"
)

// Where the bottom half maps things (package runtime's exo_paging_amd64.go and exo_cpu_amd64.go).
const (
	directMap    = 0xffff800000000000 // all RAM, without the image's text and rodata
	kernelStacks = 0xffff810000000000 // the first CPU's slot
	nonCanonical = 0x8000000000000000
	bootStack    = directMap + 0x1f8000 // memory that nobody uses once a program runs
)

// stacks are the kernel stacks in a slot, guards the pages under and over them.
var (
	stacks = [][2]uintptr{{0x1000, 0x5000}, {0x6000, 0x9000}, {0xa000, 0xd000}, {0xe000, 0xf000}, {0x10000, 0x14000}}
	guards = []uintptr{0, 0x5000, 0x9000, 0xd000, 0xf000, 0x14000}
)

const ret = 0xc3 // the RET instruction

var (
	initialised = [16]byte{ret, 1}
	zeroed      [1 << 16]byte
	constant    = "\xc3 a string that the linker puts among the constants"
	sink        byte
)

func at(addr uintptr) *byte { return (*byte)(unsafe.Add(nil, addr)) }

func read(addr uintptr) func()  { return func() { sink = *at(addr) } }
func write(addr uintptr) func() { return func() { *at(addr) = ret } }

// execute calls the code at addr.
func execute(addr uintptr) func() {
	return func() {
		p := &addr
		(*(*func())(unsafe.Pointer(&p)))()
	}
}

// executeByte puts a RET at addr, calls it and puts back what was there.
func executeByte(addr uintptr) func() {
	return func() {
		old := *at(addr)
		*at(addr) = ret
		defer func() { *at(addr) = old }()
		execute(addr)()
	}
}

// growStack makes room for all that follows, so that the stack stays where it is.
//
//go:noinline
func growStack() byte {
	var room [64 << 10]byte
	return room[sink]
}

//go:noinline
func victim() int { return 1 }

// attempts lists them all. onStack is in the frame of a caller whose stack does not move any more.
func attempts(onStack *[16]byte) (list []attempt) {
	add := func(name string, addr uintptr, try func(uintptr) func()) {
		list = append(list, attempt{name, addr, try(addr)})
	}
	text := textAddr()
	rodata := uintptr(unsafe.Pointer(unsafe.StringData(constant)))
	data := uintptr(unsafe.Pointer(&initialised))
	heap := uintptr(unsafe.Pointer(unsafe.SliceData(make([]byte, 100_000))))

	add("write text", text, write)
	add("write rodata", rodata, write)
	add("read text by the direct map", directMap+text, read)
	add("write text by the direct map", directMap+text, write)
	add("write rodata by the direct map", directMap+rodata, write)
	add("execute text by the direct map", directMap+text, execute)

	add("execute rodata", rodata, execute)
	add("execute data", data, execute)
	add("execute bss", uintptr(unsafe.Pointer(&zeroed[5000])), executeByte)
	add("execute heap", heap, executeByte)
	add("execute stack", uintptr(unsafe.Pointer(onStack)), executeByte)
	add("execute the direct map", bootStack, executeByte)
	add("execute data by the direct map", directMap+data, execute)
	for _, s := range stacks {
		add(fmt.Sprintf("execute kernel stack %#x", s[0]), kernelStacks+s[0], executeByte)
	}

	for _, a := range []uintptr{0, 1, 8, 4095, 0x1000, 0x8000, 0x100000, 0x114000, 0x1ff000} {
		add(fmt.Sprintf("read %#x", a), a, read)
		add(fmt.Sprintf("write %#x", a), a, write)
		add(fmt.Sprintf("execute %#x", a), a, execute)
	}
	for _, g := range guards {
		add(fmt.Sprintf("read guard %#x", g), kernelStacks+g, read)
		add(fmt.Sprintf("write guard %#x", g), kernelStacks+g+0xff8, write)
	}
	for _, a := range []uintptr{nonCanonical, 0x0000800000000000, 0xffff7fffffffffff, 0x00007fffffffffff, 0xffffffffffffffff} {
		add(fmt.Sprintf("read %#x", a), a, read)
		add(fmt.Sprintf("write %#x", a), a, write)
	}
	add("execute a non-canonical address", nonCanonical, execute)

	add("write text after mprotect", text, func(uintptr) func() {
		return func() {
			page := unsafe.Slice(at(text&^4095), 4096)
			fmt.Println("mprotect:", syscall.Mprotect(page, syscall.PROT_READ|syscall.PROT_WRITE))
			write(text)()
		}
	})
	return list
}

// mapExecutable asks for memory to write and to execute.
func mapExecutable() error {
	_, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	return err
}

// controls does the same with what is allowed: if this failed, the attempts would prove nothing.
func controls() string {
	for _, s := range stacks {
		read(kernelStacks + s[0])()
		read(kernelStacks + s[1] - 1)()
	}
	read(directMap + 0x100000)()
	write(bootStack)()
	write(directMap + uintptr(unsafe.Pointer(&initialised)) + 15)()
	execute(textAddr())()
	if initialised[15] != ret {
		return "the direct map shows other memory"
	}
	return "controls pass"
}

func textAddr() uintptr { return reflect.ValueOf(victim).Pointer() }
