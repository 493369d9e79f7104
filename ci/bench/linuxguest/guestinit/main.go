//go:build linux && amd64

// Command guestinit is the Linux guest's init where the program needs devices: it loads the drivers in /modules in the order of
// their names, gives eth0 the address in the environment's ADDRESS, as in 10.0.0.2/24, mounts the ext4 filesystem of the first disk at
// the folder in MOUNT, and becomes the program /program; what is not in the environment is left. The kernel passes what it does not know
// on its command line as environment.
package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	if err := setUp(); err != nil {
		fmt.Fprintln(os.Stderr, "guestinit:", err)
		os.Exit(1)
	}
	err := syscall.Exec("/program", []string{"program"}, os.Environ())
	fmt.Fprintln(os.Stderr, "guestinit: /program:", err)
	os.Exit(1)
}

func setUp() error {
	drivers, err := filepath.Glob("/modules/*.ko")
	if err != nil {
		return err
	}
	for _, d := range drivers {
		if err := load(d); err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
	}
	if err := syscall.Mount("devtmpfs", "/dev", "devtmpfs", 0, ""); err != nil && err != syscall.EBUSY {
		return fmt.Errorf("/dev: %w", err)
	}
	if where := os.Getenv("MOUNT"); where != "" {
		if err := mount(where); err != nil {
			return err
		}
	}
	if address := os.Getenv("ADDRESS"); address != "" {
		return network(address)
	}
	return nil
}

// mount mounts the disk. It may take a moment to be there.
func mount(where string) error {
	if err := os.MkdirAll(where, 0o755); err != nil {
		return err
	}
	const disk = "/dev/vda"
	var err error
	for range 100 {
		if err = syscall.Mount(disk, where, "ext4", 0, ""); err != syscall.ENOENT {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", disk, err)
	}
	return nil
}

// network sets the loopback interface and eth0 up.
func network(text string) error {
	address, err := netip.ParsePrefix(text)
	if err != nil || !address.Addr().Is4() {
		return fmt.Errorf("ADDRESS=%s: want an IPv4 address with the length of its prefix", text)
	}
	const files = 1 << 16 // the kernel's default lets init have 4096
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: files, Max: files}); err != nil {
		return err
	}
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(s)
	for _, up := range []struct {
		name    string
		address netip.Prefix
	}{{"lo", netip.MustParsePrefix("127.0.0.1/8")}, {"eth0", address}} {
		if err := configure(s, up.name, up.address); err != nil {
			return fmt.Errorf("%s: %w", up.name, err)
		}
	}
	return nil
}

// load asks the kernel to take a module in; one that is there already is as good.
func load(file string) error {
	const finitModule = 313 // finit_module(2) on amd64
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, _, e := syscall.Syscall(finitModule, f.Fd(), uintptr(unsafe.Pointer(new(byte))), 0); e != 0 && e != syscall.EEXIST {
		return e
	}
	return nil
}

// A request is Linux's struct ifreq (netdevice(7)) with a socket address or flags in it.
type request struct {
	name  [syscall.IFNAMSIZ]byte
	value [24]byte
}

// configure gives an interface its address and starts it. A device that was just found may take a moment to be there.
func configure(s int, name string, address netip.Prefix) error {
	call := func(number uintptr, value []byte) error {
		var r request
		copy(r.name[:], name)
		copy(r.value[:], value)
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), number, uintptr(unsafe.Pointer(&r))); e != 0 {
			return e
		}
		return nil
	}
	inet := func(a [4]byte) []byte { return append([]byte{syscall.AF_INET, 0, 0, 0}, a[:]...) }
	var err error
	for range 100 {
		if err = call(syscall.SIOCSIFADDR, inet(address.Addr().As4())); err != syscall.ENODEV {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	var mask [4]byte
	for bit := range address.Bits() {
		mask[bit/8] |= 0x80 >> (bit % 8)
	}
	if err := call(syscall.SIOCSIFNETMASK, inet(mask)); err != nil {
		return err
	}
	const upRunning = syscall.IFF_UP | syscall.IFF_RUNNING
	return call(syscall.SIOCSIFFLAGS, []byte{upRunning & 0xff, upRunning >> 8})
}
