//go:build !hardtack

package mmap

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// TestSealed: a file is not sealed against writing while somebody may store to it (EBUSY), and then nobody can map it so, or make it so.
func TestSealed(t *testing.T) {
	machine(t, 64)
	const (
		memfd, allow       = 319, 2
		addSeals, shrink   = 1033, 2
		sealed, sharedKind = 8, 1
	)
	call := func(want syscall.Errno, nr uintptr, a ...uintptr) uintptr {
		t.Helper()
		var v [6]uintptr
		copy(v[:], a)
		r, e := posix.Serve(nr, v)
		if e != want {
			t.Fatalf("call %d of %#x: %v, want %v", nr, a, e, want)
		}
		return r
	}
	name := []byte("x\x00")
	fd := call(0, memfd, uintptr(unsafe.Pointer(&name[0])), allow)
	defer posix.Close(int(fd))
	call(0, syscall.SYS_FTRUNCATE, fd, exo.PageSize)
	const size = uintptr(exo.PageSize)
	for _, prot := range []uintptr{protWrite | 1, 1} { // what is mapped for reading may be made writable
		at := call(0, syscall.SYS_MMAP, 0, size, prot, sharedKind, fd, 0)
		call(syscall.EBUSY, syscall.SYS_FCNTL, fd, addSeals, sealed)
		call(0, syscall.SYS_MUNMAP, at, size)
	}
	private := call(0, syscall.SYS_MMAP, 0, size, protWrite|1, mapPrivate, fd, 0)
	call(0, syscall.SYS_FCNTL, fd, addSeals, sealed)
	call(0, syscall.SYS_MUNMAP, private, size)
	call(syscall.EPERM, syscall.SYS_MMAP, 0, size, protWrite|1, sharedKind, fd, 0)
	at := call(0, syscall.SYS_MMAP, 0, size, 1, sharedKind, fd, 0)
	call(syscall.EACCES, syscall.SYS_MPROTECT, at, size, protWrite|1)
	call(0, syscall.SYS_FCNTL, fd, addSeals, shrink)
	call(0, syscall.SYS_MUNMAP, at, size)
}

// TestZeroUnwritable: what is mapped shared of /dev/zero that was opened for reading stays zeroes, as on Linux: mprotect has it written to no more than another file's.
func TestZeroUnwritable(t *testing.T) {
	machine(t, 64)
	name := []byte("/dev/zero\x00")
	const at, size = ^uintptr(99), 2 * uintptr(exo.PageSize) // AT_FDCWD
	call := func(nr uintptr, a ...uintptr) (uintptr, syscall.Errno) {
		var v [6]uintptr
		copy(v[:], a)
		return posix.Serve(nr, v)
	}
	for _, c := range []struct {
		open, kind uintptr
		want       syscall.Errno
	}{{syscall.O_RDONLY, mapShared, syscall.EACCES}, {syscall.O_RDONLY, mapValidate, syscall.EACCES}} {
		fd, e := call(syscall.SYS_OPENAT, at, uintptr(unsafe.Pointer(&name[0])), c.open)
		if e != 0 {
			t.Fatal(e)
		}
		lo, e := call(syscall.SYS_MMAP, 0, size-1, protRead, c.kind, fd, 1<<40)
		if e != 0 {
			t.Fatal(e)
		}
		posix.Close(int(fd))
		if _, e := call(syscall.SYS_MPROTECT, lo, size, protRead|protWrite); e != c.want {
			t.Errorf("flags %d: %v, want %v", c.kind, e, c.want)
		}
		if _, e := call(syscall.SYS_MPROTECT, lo, size, 0); e != 0 {
			t.Error(e)
		}
		if _, e := call(syscall.SYS_MUNMAP, lo, size); e != 0 {
			t.Error(e)
		}
	}
}
