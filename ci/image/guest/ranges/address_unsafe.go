//go:build linux

package main

import (
	"syscall"
	"unsafe"

	"github.com/hardtack-os/hardtack/exo"
)

func addr(r *exo.Pages) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(r.Bytes()))) }

func munmap(addr, n uintptr) {
	if _, _, e := syscall.Syscall(syscall.SYS_MUNMAP, addr, n, 0); e != 0 {
		panic(e)
	}
}

// physical reads a byte of memory by its physical address, in the direct map.
func physical(p exo.Phys) byte {
	va := uintptr(0xffff800000000000) + uintptr(p)
	return **(**byte)(unsafe.Pointer(&va))
}

// meddle asks for other rights, for large pages and for the end of what lies there, and tells what came of it.
func meddle(addr, n uintptr) (protect, huge, drop syscall.Errno) {
	_, _, protect = syscall.Syscall(syscall.SYS_MPROTECT, addr, n, syscall.PROT_READ|syscall.PROT_WRITE)
	_, _, huge = syscall.Syscall(syscall.SYS_MADVISE, addr, n/2, syscall.MADV_NOHUGEPAGE)
	_, _, drop = syscall.Syscall(syscall.SYS_MADVISE, addr, n, syscall.MADV_DONTNEED)
	return protect, huge, drop
}

// hide returns p's complement, in which the collector finds no pointer.
func hide(p *[4]uint64) uint64 { return ^uint64(uintptr(unsafe.Pointer(p))) }
