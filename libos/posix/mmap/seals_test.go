//go:build !hardtack

package mmap

import (
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// Numbers of linux/fcntl.h and of memfd_create(2).
const (
	addSeals, getSeals           = 1033, 1034
	sealShrink, sealGrow         = 2, 4
	allowSealing                 = 2
	sysMemfdCreate       uintptr = 319
)

// sealable makes a file by memfd_create, and maps its first pages, shared.
func sealable(t *testing.T, size int64, seals uintptr) (fd uintptr, v *view) {
	t.Helper()
	name := []byte("sealed\x00")
	fd, e := posix.Serve(sysMemfdCreate, [6]uintptr{uintptr(unsafe.Pointer(&name[0])), allowSealing})
	if e == 0 {
		_, e = posix.Serve(syscall.SYS_FTRUNCATE, [6]uintptr{fd, uintptr(size)})
	}
	if e == 0 {
		_, e = posix.Serve(syscall.SYS_FCNTL, [6]uintptr{fd, addSeals, seals})
	}
	at, e2 := posix.Serve(syscall.SYS_MMAP, [6]uintptr{0, uintptr(size), protRead | protWrite, mapShared, fd, 0})
	if e != 0 || e2 != 0 {
		t.Fatal(e, e2)
	}
	t.Cleanup(func() {
		posix.Serve(syscall.SYS_MUNMAP, [6]uintptr{at, uintptr(size)})
		posix.Close(int(fd))
	})
	return fd, within(at, 1)[0]
}

// TestSealedStore stores to the only page of a file that is sealed against growing and does not fill it.
func TestSealedStore(t *testing.T) {
	machine(t, 64)
	_, v := sealable(t, 100, sealShrink|sealGrow)
	if !exo.Touch(v.pages, 0, true) {
		t.Error("a store to byte 0 of 100 is SIGBUS")
	}
}

// TestSealsBesideWrites writes a mapped file, sets its length and asks for its seals, all at a time: nobody waits for ever.
func TestSealsBesideWrites(t *testing.T) {
	machine(t, 64)
	fd, _ := sealable(t, 2*exo.PageSize, 0)
	b := make([]byte, 100)
	var wg sync.WaitGroup
	for _, call := range []func(){
		func() { posix.Serve(syscall.SYS_PWRITE64, [6]uintptr{fd, uintptr(unsafe.Pointer(&b[0])), 100, 0}) },
		func() { posix.Serve(syscall.SYS_FTRUNCATE, [6]uintptr{fd, 2 * exo.PageSize}) },
		func() { posix.Serve(syscall.SYS_FCNTL, [6]uintptr{fd, getSeals}) },
		func() { posix.Serve(syscall.SYS_FCNTL, [6]uintptr{fd, addSeals, 0}) },
	} {
		wg.Go(func() {
			for range 5000 {
				call()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("nothing moves any more")
	}
}

// collapsing is a file that can lose blocks at its beginning or in its middle.
type collapsing struct{ *broken }

func (c *collapsing) Allocate(mode uint32, off, n int64) fs.Errno {
	if mode != fs.FallocCollapse {
		return syscall.EOPNOTSUPP
	}
	size := c.Attr().Size
	b := make([]byte, size-off-n)
	c.broken.ReadAt(b, off+n)
	c.broken.WriteAt(b, off)
	return c.broken.Truncate(size - n)
}

// TestPrivateBeforeCollapse takes a page out of a file: private copies of pages before it stay.
func TestPrivateBeforeCollapse(t *testing.T) {
	machine(t, 96)
	f := &collapsing{file(t)}
	fs.WriteAt(f, make([]byte, 8*exo.PageSize), 0)
	v := mapped(t, f, 0, 8, mapPrivate, protRead|protWrite)
	defer v.munmap()
	for _, page := range []int{0, 6} {
		if !exo.Touch(v.pages, page, true) {
			t.Fatal("fault")
		}
		v.frameAt(page)[5] = 77
	}
	if e := fs.Allocate(f, fs.FallocCollapse, 4*exo.PageSize, exo.PageSize); e != 0 {
		t.Fatal(e)
	}
	for page, want := range map[int]byte{0: 77, 6: 0} {
		exo.Touch(v.pages, page, false)
		if got := v.frameAt(page)[5]; got != want {
			t.Errorf("page %d has %d after a collapse of page 4, not %d", page, got, want)
		}
	}
}
