// Package qemu runs an image in QEMU: it finds the program, chooses the
// accelerator, describes the machine, joins the image's console to the caller's
// streams and learns from the control channel how the program ended.
//
// It knows nothing of Go builds. What QEMU options mean is in QEMU's own manual
// ("System Emulation", "microvm"); the control channel is ARCHITECTURE.md's
// ("The command line").
package qemu
