//go:build !hardtack

package main

import (
	"os"
	"syscall"
)

const device = "/dev/vda"

func disk() (write, read func([]byte, int64) error, flush func() error) {
	f, err := os.OpenFile(device, os.O_RDWR|syscall.O_DIRECT, 0)
	must(err)
	return func(b []byte, off int64) error { _, err := f.WriteAt(b, off); return err }, func(b []byte, off int64) error { _, err := f.ReadAt(b, off); return err }, f.Sync
}

func mount() error {
	must(os.MkdirAll("/data", 0o755))
	return syscall.Mount(device, "/data", "ext4", 0, "")
}

// aligned is memory that O_DIRECT takes.
func aligned() []byte {
	b, err := syscall.Mmap(-1, 0, piece, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	must(err)
	return b
}
