package files

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// TestMemfdAgainstLinux does the same to files of memfd_create here and in the host's kernel, at random: results, errors, seals, sizes and contents are the same.
func TestMemfdAgainstLinux(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var fds [2][]int
		var log []string
		step := func(what string, nr uintptr, a ...uintptr) (uintptr, bool) { // the first argument of all but memfd_create is an index
			var res [2]uintptr
			var errs [2]syscall.Errno
			for side := range 2 {
				var v [6]uintptr
				copy(v[:], a)
				if nr != sysMemfdCreate && nr != syscall.SYS_OPENAT {
					v[0] = uintptr(fds[side][a[0]])
				}
				if side == 0 {
					res[0], _, errs[0] = syscall.Syscall6(nr, v[0], v[1], v[2], v[3], v[4], v[5])
				} else {
					res[1], errs[1] = posix.Serve(nr, v)
				}
				if errs[side] != 0 {
					res[side] = 0
				}
			}
			log = append(log, fmt.Sprint(what, a, " = ", res[0], " ", errs[0]))
			opens := nr == sysMemfdCreate
			if errs[0] != errs[1] || !opens && res[0] != res[1] {
				t.Fatalf("seed %d: %s\nwe give %d %v", seed, strings.Join(log, "\n"), res[1], errs[1])
			}
			if opens && errs[0] == 0 {
				fds[0], fds[1] = append(fds[0], int(res[0])), append(fds[1], int(res[1]))
			}
			return res[0], errs[0] == 0
		}
		name := append([]byte("name/"+strings.Repeat("x", pick(r, 0, 1, 244, 245))), 0)
		flags := pick[uintptr](r, 0, mfdAllowSealing, mfdAllowSealing, mfdAllowSealing|mfdExec, mfdAllowSealing|mfdNoexecSeal, mfdNoexecSeal, mfdExec|mfdNoexecSeal, 0x40) | mfdCloexec
		if _, ok := step("memfd_create", sysMemfdCreate, address(&name[0]), flags); !ok {
			continue
		}
		for side := range 2 { // the same file, open for reading
			path := append([]byte(fmt.Sprintf("/proc/self/fd/%d", fds[side][0])), 0)
			cwd := atCWD
			a := [6]uintptr{uintptr(cwd), address(&path[0]), syscall.O_RDONLY | syscall.O_CLOEXEC}
			var fd uintptr
			var e syscall.Errno
			if side == 0 {
				fd, _, e = syscall.Syscall6(syscall.SYS_OPENAT, a[0], a[1], a[2], 0, 0, 0)
			} else {
				fd, e = posix.Serve(syscall.SYS_OPENAT, a)
			}
			if e != 0 {
				t.Fatal(side, e)
			}
			fds[side] = append(fds[side], int(fd))
			buf := make([]byte, 600)
			n, link := uintptr(0), [6]uintptr{uintptr(cwd), address(&path[0]), address(&buf[0]), 600}
			if side == 0 {
				n, _, _ = syscall.Syscall6(syscall.SYS_READLINKAT, link[0], link[1], link[2], link[3], 0, 0)
			} else {
				n, _ = posix.Serve(syscall.SYS_READLINKAT, link)
			}
			if want := "/memfd:" + string(name[:len(name)-1]) + " (deleted)"; string(buf[:n]) != want {
				t.Errorf("side %d: %q, want %q", side, buf[:n], want)
			}
			runtime.KeepAlive(path)
		}
		data := make([]byte, 3*pageOf)
		for i := range data {
			data[i] = byte(r.IntN(256))
		}
		for range 60 {
			fd, off, n := uintptr(r.IntN(5)/4), uintptr(r.IntN(5*pageOf)), uintptr(r.IntN(len(data)))
			if r.IntN(3) == 0 {
				off -= off % pageOf
			}
			switch r.IntN(9) {
			case 0:
				step("add seals", syscall.SYS_FCNTL, fd, fAddSeals, uintptr(1)<<r.IntN(8)&^uintptr(r.IntN(2)))
			case 1:
				step("get seals", syscall.SYS_FCNTL, fd, fGetSeals)
			case 2:
				step("pwrite", syscall.SYS_PWRITE64, fd, address(&data[0]), n, off)
			case 3:
				step("write", syscall.SYS_WRITE, fd, address(&data[0]), n)
			case 4:
				step("seek", syscall.SYS_LSEEK, fd, off, 0)
			case 5:
				step("truncate", syscall.SYS_FTRUNCATE, fd, off)
			case 6:
				step("fallocate", syscall.SYS_FALLOCATE, fd, pick[uintptr](r, 0, 1, 3), off, 1+n)
			case 7:
				step("chmod", syscall.SYS_FCHMOD, fd, uintptr(r.IntN(0o1000)))
			case 8:
				var got [2][]byte
				var st [2]syscall.Stat_t
				for side := range 2 {
					got[side] = make([]byte, 8*pageOf)
					a := [6]uintptr{uintptr(fds[side][fd]), address(&got[side][0]), uintptr(len(got[side])), 0}
					s := [6]uintptr{a[0], address((*byte)(unsafe.Pointer(&st[side])))}
					if side == 0 {
						syscall.Syscall6(syscall.SYS_PREAD64, a[0], a[1], a[2], 0, 0, 0)
						syscall.Syscall6(syscall.SYS_FSTAT, s[0], s[1], 0, 0, 0, 0)
					} else {
						posix.Serve(syscall.SYS_PREAD64, a)
						posix.Serve(syscall.SYS_FSTAT, s)
					}
				}
				if h, o := &st[0], &st[1]; string(got[0]) != string(got[1]) || h.Size != o.Size || h.Mode != o.Mode || h.Nlink != o.Nlink || h.Blocks != o.Blocks {
					t.Fatalf("seed %d: %s\nthe file is %+v on the host, %+v here", seed, strings.Join(log, "\n"), *h, *o)
				}
			}
		}
		for i := range fds[0] {
			syscall.Close(fds[0][i])
			posix.Close(fds[1][i])
		}
		runtime.KeepAlive(data)
		runtime.KeepAlive(name)
	}
}
