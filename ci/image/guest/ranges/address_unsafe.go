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
