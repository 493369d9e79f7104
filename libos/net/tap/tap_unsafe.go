//go:build linux && !hardtack

package tap

import (
	"os"
	"syscall"
	"unsafe"

	"github.com/hardtack-os/hardtack/exo/virtio/nic"
	"github.com/hardtack-os/hardtack/libos/net/link"
)

// linux/if_tun.h.
const (
	tunSetIff       = 0x400454ca // TUNSETIFF
	tunSetOffload   = 0x400454d0 // TUNSETOFFLOAD
	tunSetHeader    = 0x400454d8 // TUNSETVNETHDRSZ
	iffTap          = 0x0002
	iffNoPI         = 0x1000
	iffHeader       = 0x4000 // IFF_VNET_HDR
	offloadChecksum = 0x01   // TUN_F_CSUM
	offloadTSO4     = 0x02
	offloadTSO6     = 0x04
)

// open opens the interface, and tells what it can be spared.
func open(name string) (*os.File, link.Offloads, error) {
	if len(name) == 0 || len(name) >= syscall.IFNAMSIZ {
		return nil, 0, syscall.EINVAL
	}
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	var request struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], name)
	request.flags = iffTap | iffNoPI | iffHeader
	size := int32(nic.HeaderSize)
	if err := ioctl(fd, tunSetIff, uintptr(unsafe.Pointer(&request))); err != 0 {
		syscall.Close(fd)
		return nil, 0, err
	}
	if err := ioctl(fd, tunSetHeader, uintptr(unsafe.Pointer(&size))); err != 0 {
		syscall.Close(fd)
		return nil, 0, err
	}
	offloads := link.TxChecksum | link.TxTSO4 | link.TxTSO6 // these it takes always
	if ioctl(fd, tunSetOffload, offloadChecksum|offloadTSO4|offloadTSO6) == 0 {
		offloads |= link.RxChecksum | link.RxTSO4 | link.RxTSO6
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), offloads, nil
}

//go:uintptrescapes
func ioctl(fd int, request, arg uintptr) syscall.Errno {
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, arg)
	return e
}
