// Package user is access to memory that a caller names by a uintptr: what comes through the uintptr and trap doors.
//
// Null, page 0 and what is not a user address are EFAULT, as on Linux; an address that looks right and is not mapped
// faults as it does in any Go program. The memory may lie on another goroutine's stack, which stands still meanwhile:
// so no pointer that is given here may be stored in the heap.
package user

import (
	"syscall"
	"unsafe"
)

const (
	lowest  = 4096
	highest = 1<<47 - 4096
	maxIO   = 0x7ffff000 // bytes one call transfers at most, as on Linux
)

// pointer is p as a pointer; nil where it does not begin n bytes of user memory.
//
//go:noinline
func pointer(p, n uintptr) unsafe.Pointer {
	if p < lowest || p > highest || n > highest-p {
		return nil
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}

// Bytes is n bytes at p.
func Bytes(p, n uintptr) ([]byte, syscall.Errno) {
	n = min(n, maxIO)
	q := pointer(p, n)
	if q == nil && n != 0 {
		return nil, syscall.EFAULT
	}
	return unsafe.Slice((*byte)(q), n), 0
}

// At is the T at p; nil where p is no address.
func At[T any](p uintptr) *T { return (*T)(pointer(p, unsafe.Sizeof(*new(T)))) }

// Array is n Ts at p; ok is false where p is no address.
func Array[T any](p, n uintptr) (a []T, ok bool) {
	if n == 0 {
		return nil, true
	}
	if n > maxIO {
		return nil, false
	}
	q := (*T)(pointer(p, n*unsafe.Sizeof(*new(T))))
	if q == nil {
		return nil, false
	}
	return unsafe.Slice(q, n), true
}

// Put stores *v at p.
func Put[T any](p uintptr, v *T) syscall.Errno {
	q := At[T](p)
	if q == nil {
		return syscall.EFAULT
	}
	*q = *v
	return 0
}

// Take loads *v from p.
func Take[T any](v *T, p uintptr) syscall.Errno {
	q := At[T](p)
	if q == nil {
		return syscall.EFAULT
	}
	*v = *q
	return 0
}

// String is the string at p, up to its NUL.
func String(p uintptr) (string, syscall.Errno) {
	const max = 4096 // PATH_MAX
	for n := uintptr(0); n < max; n++ {
		c := (*byte)(pointer(p+n, 1))
		if c == nil {
			return "", syscall.EFAULT
		}
		if *c == 0 {
			return string(unsafe.Slice((*byte)(pointer(p, n+1)), n)), 0
		}
	}
	return "", syscall.ENAMETOOLONG
}

// Vector is n iovecs at p, each checked.
func Vector(p, n uintptr) ([]syscall.Iovec, syscall.Errno) {
	if n > 1024 {
		return nil, syscall.EINVAL
	}
	iov, ok := Array[syscall.Iovec](p, n)
	if !ok {
		return nil, syscall.EFAULT
	}
	for i := range iov {
		v := &iov[i]
		if v.Len > 1<<62 {
			return nil, syscall.EINVAL
		}
		if v.Len > 0 && pointer(uintptr(unsafe.Pointer(v.Base)), uintptr(v.Len)) == nil {
			return nil, syscall.EFAULT
		}
	}
	return iov, 0
}

// Buffer is the memory of one iovec.
func Buffer(v *syscall.Iovec) []byte { return unsafe.Slice(v.Base, v.Len) }

// Address is that of p's first element, to pass on or to print.
func Address[T any](p []T) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(p))) }
