package main

import (
	"context"
	"os"
	"strconv"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
)

// Both kinds of guest have their filesystem at the folder /data.
const (
	imageVolume = "disks=0:/data"
	linuxVolume = "MOUNT=/data"

	volumesModule = "libos/fs/volumes"
	diskSize      = 2 << 30
	diskMemory    = 256 << 10 // KiB of memory of a guest with a disk
)

// DiskImage builds pkg into an image that can mount a volume.
func (b *Bench) DiskImage(ctx context.Context, pkg string) (*Guest, error) {
	return b.ImageWith(ctx, pkg, volumesModule)
}

// NewDisk makes a file with an empty filesystem: a volume for an image, ext4 with its default options for Linux.
func (b *Bench) NewDisk(ctx context.Context, linux bool) (string, error) {
	file := b.file("disk-"+strconv.FormatBool(linux), "img")
	if err := os.RemoveAll(file); err != nil {
		return "", err
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return "", err
	}
	if err := os.Truncate(file, diskSize); err != nil {
		return "", err
	}
	if linux {
		if err := install(ctx, "/sbin/mkfs.ext4", "e2fsprogs"); err != nil {
			return "", err
		}
		_, err := command(ctx, ".", nil, "/sbin/mkfs.ext4", "-q", "-F", file)
		return file, err
	}
	mkimage, err := b.Mkimage(ctx)
	if err != nil {
		return "", err
	}
	_, err = command(ctx, ".", nil, mkimage, "fs", "mkfs", file)
	return file, err
}

// phase is the guest told what to do.
func (g *Guest) phase(p string) *Guest {
	if g.Linux() {
		return g.with("PHASE=" + p)
	}
	return g.with("env=PHASE=" + p)
}

// mounted is the guest told to mount its filesystem.
func (g *Guest) mounted() *Guest {
	if g.Linux() {
		return g.with(linuxVolume)
	}
	return g.with(imageVolume)
}

// diskMachine is what the filesystem's rows run on.
func diskMachine(file string) qemu.Machine { return qemu.Machine{Disk: file, MemoryKiB: diskMemory} }

// onDisk measures pkg in both guests, which take turns, b.N times, each time with an empty disk of its own.
func onDisk[T any](ctx context.Context, b *Bench, pkg string, measure func(g *Guest, disk string) (T, error)) (ours, linux Side[[]T]) {
	ours, linux.Left = Side[[]T]{}, !b.WithLinux
	turn := func(s *Side[[]T], isLinux bool, make func(context.Context, string) (*Guest, error)) {
		if s.Left || s.Err != nil {
			return
		}
		var g *Guest
		var disk string
		var v T
		if g, s.Err = make(ctx, pkg); s.Err != nil {
			return
		}
		if disk, s.Err = b.NewDisk(ctx, isLinux); s.Err != nil {
			return
		}
		defer os.Remove(disk)
		if v, s.Err = measure(g, disk); s.Err == nil {
			s.Value = append(s.Value, v)
		}
	}
	for range b.N {
		turn(&ours, false, b.DiskImage)
		turn(&linux, true, b.DeviceLinux)
	}
	return ours, linux
}
