package qemu

import "syscall"

// ownGroup keeps the terminal's Ctrl-C away from QEMU.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
