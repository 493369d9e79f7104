package files

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// A ramDisk is a RawDisk in memory.
type ramDisk struct {
	data     []byte
	readOnly bool
	calls    *[]string
}

func (d *ramDisk) Info() fs.RawInfo {
	return fs.RawInfo{Size: int64(len(d.data)), BlockSize: 512, ReadOnly: d.readOnly, Discard: true}
}

func (d *ramDisk) ReadAt(p []byte, off int64) (int, syscall.Errno) {
	return copy(p, d.data[min(off, int64(len(d.data))):]), 0
}

func (d *ramDisk) WriteAt(p []byte, off int64) (int, syscall.Errno) {
	switch {
	case d.readOnly:
		return 0, syscall.EPERM
	case len(p) > 0 && off >= int64(len(d.data)):
		return 0, syscall.ENOSPC
	}
	return copy(d.data[min(off, int64(len(d.data))):], p), 0
}

func (d *ramDisk) Discard(off, n int64) syscall.Errno { return 0 }
func (d *ramDisk) Rescan() syscall.Errno              { return 0 }
func (d *ramDisk) Close()                             { *d.calls = append(*d.calls, "close") }
func (d *ramDisk) Sync() syscall.Errno {
	*d.calls = append(*d.calls, "sync")
	return 0
}

// TestBlockDevice does to a disk's node what the host does to a loop device of the same size: the same comes out.
func TestBlockDevice(t *testing.T) {
	const size = 1 << 20
	was, before := fs.OpenDisk, fs.Disks
	defer func() { fs.OpenDisk, fs.Disks = was, before }()
	u := fs.DiskUse{Name: "vdz", Major: 254, Minor: 400, Size: size, BlockSize: 512}
	for _, readOnly := range []bool{false, true} {
		image := t.TempDir() + "/disk"
		if err := os.WriteFile(image, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		loop := exec.Command("losetup", "-f", "--show", image)
		if readOnly {
			loop.Args = append(loop.Args, "-r")
		}
		out, err := loop.Output()
		if err != nil {
			t.Skip("the host gives no loop device: ", err)
		}
		device := strings.TrimSpace(string(out))
		defer exec.Command("losetup", "-d", device).Run()

		var calls []string
		d := &ramDisk{data: make([]byte, size), readOnly: readOnly, calls: &calls}
		fs.OpenDisk = func(rdev uint64, _, _ bool) (fs.RawDisk, syscall.Errno) {
			if rdev != fs.Makedev(u.Major, u.Minor) {
				return nil, syscall.ENXIO
			}
			return d, 0
		}
		fs.DiskChanged(u, true)
		want := useBlockDevice(device, func(nr uintptr, a ...uintptr) (uintptr, syscall.Errno) {
			var x [6]uintptr
			copy(x[:], a)
			r, _, e := syscall.RawSyscall6(nr, x[0], x[1], x[2], x[3], x[4], x[5])
			return r, e
		})
		got := useBlockDevice("/dev/vdz", func(nr uintptr, a ...uintptr) (uintptr, syscall.Errno) {
			var x [6]uintptr
			copy(x[:], a)
			return posix.Serve(nr, x)
		})
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("read-only %v: %s, want %s", readOnly, got[i], want[i])
			}
		}
		if n := strings.Count(strings.Join(calls, " "), "close"); n != 4 {
			t.Errorf("%d descriptors were closed", n)
		}
		if strings.Count(strings.Join(calls, " "), "sync") < 3 {
			t.Error("what was to be durable was not synced")
		}
		fs.DiskChanged(u, false)
	}
}

// useBlockDevice tells what calls on a device of 1 MiB give.
func useBlockDevice(path string, call func(nr uintptr, a ...uintptr) (uintptr, syscall.Errno)) (log []string) {
	name := append([]byte(path), 0)
	say := func(what string, r uintptr, e syscall.Errno) {
		if e != 0 {
			r = 0
		}
		log = append(log, fmt.Sprintf("%s: %d %v", what, int(r), e))
	}
	memory, err := syscall.Mmap(-1, 0, 16<<10, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE) // O_DIRECT wants whole pages on Linux
	if err != nil {
		panic(err)
	}
	defer syscall.Munmap(memory)
	buf := uintptr(unsafe.Pointer(&memory[0]))
	const size = 1 << 20
	for _, flags := range []int{syscall.O_RDWR, syscall.O_RDWR | syscall.O_DIRECT, syscall.O_RDWR | oSync, syscall.O_RDONLY} {
		fd, e := call(syscall.SYS_OPENAT, cwdArg, address(&name[0]), uintptr(flags), 0)
		say(fmt.Sprintf("open %#x", flags), 0, e)
		do := func(what string, nr uintptr, a ...uintptr) {
			r, e := call(nr, append([]uintptr{fd}, a...)...)
			say(fmt.Sprintf("%#x, %s %v", flags, what, a[min(1, len(a)):]), r, e)
		}
		for _, off := range []int64{0, 512, 100, size - 512, size - 100, size, size + 512, 1 << 40} {
			for _, n := range []uintptr{0, 1, 512, 1024, 700} {
				for i := range n {
					memory[i] = byte(off) + byte(i)
				}
				do(fmt.Sprint("pwrite at ", off), syscall.SYS_PWRITE64, buf, n, uintptr(off))
				clear(memory)
				do(fmt.Sprint("pread at ", off), syscall.SYS_PREAD64, buf, 2*n, uintptr(off))
				log = append(log, fmt.Sprint(memory[0], memory[n], memory[2*n]))
			}
		}
		for _, seek := range [][2]int64{{0, 2}, {1, 2}, {-512, 2}, {size + 1, 0}, {size, 0}, {-1, 0}, {0, 3}, {0, 4}, {0, 9}, {size - 1024, 0}, {0, 1}} {
			do("seek", syscall.SYS_LSEEK, uintptr(seek[0]), uintptr(seek[1]))
		}
		do("write", syscall.SYS_WRITE, buf, 512)
		do("seek", syscall.SYS_LSEEK, 0, 1)
		do("read", syscall.SYS_READ, buf, 4096)
		do("read", syscall.SYS_READ, buf, 4096)
		for _, request := range []uintptr{blkRoGet, blkGetSize, blkSszGet, blkBszGet, blkGetSize64, blkAlignOff, blkPbszGet, blkDiscardZ, blkIoOpt, blkIoMin} {
			v := [8]byte{1, 1, 1, 1, 1, 1, 1, 1} // some write four bytes
			r, e := call(syscall.SYS_IOCTL, fd, request, address(&v))
			log = append(log, fmt.Sprintf("ioctl %#x: %d %v %x", request, r, e, v))
			_, e = call(syscall.SYS_IOCTL, fd, request, 0)
			log = append(log, fmt.Sprintf("ioctl %#x of nothing: %v", request, e))
		}
		for _, span := range [][2]uint64{{0, 512}, {512, 1024}, {1, 512}, {0, 511}, {0, 0}, {0, size}, {0, size + 512}, {1 << 63, 512}, {512, 1<<64 - 512}} {
			for _, request := range []uintptr{blkDiscard, blkZeroOut} {
				r, e := call(syscall.SYS_IOCTL, fd, request, address(&span))
				say(fmt.Sprintf("%#x, ioctl %#x of %d", flags, request, span), r, e)
			}
		}
		do("BLKFLSBUF", syscall.SYS_IOCTL, blkFlsBuf, 0)
		do("fsync", syscall.SYS_FSYNC)
		do("fdatasync", syscall.SYS_FDATASYNC)
		do("ftruncate", syscall.SYS_FTRUNCATE, 0)
		do("fallocate", syscall.SYS_FALLOCATE, 0, 0, 512)
		var st syscall.Stat_t
		_, e = call(syscall.SYS_FSTAT, fd, address(&st))
		log = append(log, fmt.Sprint("stat: ", e, st.Mode&syscall.S_IFMT, st.Size, st.Blocks))
		do("close", syscall.SYS_CLOSE)
	}
	return log
}
