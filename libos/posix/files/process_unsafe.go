package files

import (
	"sync"
	"syscall"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// auxv is what the runtime was started with, as golang.org/x/sys/cpu asks for it.
//
//go:linkname auxv runtime.getAuxv
func auxv() []uintptr

// asked is where rt_sigaction(2) answers: no stack, which may move.
var asked struct {
	sync.Mutex
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// handler is what rt_sigaction(2) says of a signal: 0 for the default, 1 for what is ignored, else an address.
func handler(sig int) uintptr {
	asked.Lock()
	defer asked.Unlock()
	if _, e := posix.RawCall(syscall.SYS_RT_SIGACTION, [6]uintptr{uintptr(sig), 0, uintptr(unsafe.Pointer(&asked.handler)), 8}); e != 0 {
		return 0
	}
	return asked.handler
}
