//go:build unix

package qemu

import "syscall"

// ownGroup keeps the terminal's signals away from QEMU.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
