//go:build linux && amd64

// Doors reads from pipes into buffers on tiny goroutine stacks by each of the three ways into the libOS, by the second also through an iovec in the
// heap, while the collector runs, stacks grow and stacks shrink: a buffer that moved under a call would stay empty. So would the address that accept and recvfrom
// leave on the stack of who waits in them, which lies there because the typed door says that it does not escape.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// raw executes SYSCALL.
//
//go:uintptrescapes
//go:noescape
func raw(nr, a1, a2, a3 uintptr) uintptr

const (
	typed = iota
	numbered
	trap
	nested
	accepts
	receives
	doors
)

// A vector is an iovec that leads to memory by an integer, as programs have it that count on stacks that stay during a call.
type vector struct{ base, n uintptr }

var vectors [200]vector

// readByte reads one byte into a buffer of its own.
func readByte(door, fd, i int) (byte, error) {
	var b [16]byte
	switch door {
	case typed:
		if n, err := syscall.Read(fd, b[:1]); n != 1 {
			return 0, err
		}
	case numbered:
		if n, _, errno := syscall.Syscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1); n != 1 {
			return 0, errno
		}
	case trap:
		if n := raw(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1); n != 1 {
			return 0, syscall.Errno(-n)
		}
	case nested:
		v := &vectors[i]
		*v = vector{uintptr(unsafe.Pointer(&b[0])), 1}
		if n, _, errno := syscall.Syscall(syscall.SYS_READV, uintptr(fd), uintptr(unsafe.Pointer(v)), 1); n != 1 {
			return 0, errno
		}
	}
	return b[0], nil
}

// deep makes the stack grow.
func deep(n int) int {
	var a [256]byte
	a[n&255] = 1
	if n == 0 {
		return int(a[0])
	}
	return deep(n-1) + int(a[n&255])
}

// disturb moves stacks and collects until stop closes.
func disturb(stop chan bool) {
	for {
		select {
		case <-stop:
			return
		default:
			runtime.GC()
			deep(100)
		}
	}
}

// one opens a pipe, reads from it and has another goroutine write to it.
func one(door, i int) error {
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		return err
	}
	defer syscall.Close(p[0])
	defer syscall.Close(p[1])
	go func() {
		time.Sleep(time.Duration(i%7) * time.Millisecond)
		syscall.Write(p[1], []byte{byte(i)})
	}()
	b, err := readByte(door, p[0], i)
	if err == nil && b != byte(i) {
		err = fmt.Errorf("got %d, want %d", b, byte(i))
	}
	return err
}

// sender has a socket of this kind, which has a name, send to another one.
func sender(kind int, from, to string, send func(fd int, to syscall.Sockaddr) error) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, kind, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: from}); err != nil {
		return err
	}
	return send(fd, &syscall.SockaddrUnix{Name: to})
}

// address waits for the other's address, in accept or in recvfrom, and asks for its own.
func address(door, fd int) (from, own syscall.Sockaddr, err error) {
	if door == receives {
		var b [16]byte
		_, from, err = syscall.Recvfrom(fd, b[:1], 0)
	} else {
		var c int
		if c, from, err = syscall.Accept(fd); err == nil {
			fd = c
			defer syscall.Close(c)
		}
	}
	if err == nil {
		own, err = syscall.Getsockname(fd)
	}
	return from, own, err
}

// named is one for addresses.
func named(door, i int) error {
	kind, send := syscall.SOCK_STREAM, syscall.Connect
	if door == receives {
		kind, send = syscall.SOCK_DGRAM, func(fd int, to syscall.Sockaddr) error { return syscall.Sendto(fd, []byte{1}, 0, to) }
	}
	here, there := fmt.Sprintf("@doors %d %d here", door, i), fmt.Sprintf("@doors %d %d there", door, i)
	fd, err := syscall.Socket(syscall.AF_UNIX, kind, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: here}); err != nil {
		return err
	}
	if door == accepts {
		if err := syscall.Listen(fd, 1); err != nil {
			return err
		}
	}
	go func() {
		time.Sleep(time.Duration(i%7) * time.Millisecond)
		if err := sender(kind, there, here, send); err != nil {
			fmt.Println("door", door, err)
			os.Exit(1)
		}
	}()
	from, own, err := address(door, fd)
	if err != nil {
		return err
	}
	for sa, want := range map[syscall.Sockaddr]string{from: there, own: here} {
		if u, ok := sa.(*syscall.SockaddrUnix); !ok || u.Name != want {
			return fmt.Errorf("got %+v, want %s", sa, want)
		}
	}
	return nil
}

func main() {
	debug.SetGCPercent(10)
	stop := make(chan bool)
	go disturb(stop)
	for door := range doors {
		pass := one
		if door >= accepts {
			pass = named
		}
		bad := 0
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				if err := pass(door, i); err != nil {
					mu.Lock()
					bad++
					mu.Unlock()
					fmt.Println("door", door, err)
				}
			})
		}
		wg.Wait()
		fmt.Printf("door%d=%d\n", door, bad)
	}
	close(stop)
	os.Exit(0)
}
