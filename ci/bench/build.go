package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/ci/bench/linuxguest"
	"github.com/hardtack-os/hardtack/ci/bench/symbol"
	"github.com/hardtack-os/hardtack/internal/elfimage"
)

// Memory in KiB that lets each kind of guest start with room to spare.
const (
	imageMemory = 64 << 10
	linuxMemory = 128 << 10
)

// imageEntry is the Go function that an image's boot code jumps to.
const imageEntry = "_exo_start"

// linuxBuild is the environment that makes a program the Linux guest can run.
var linuxBuild = []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"}

// Mkimage returns the program that builds images, and builds it first.
func (b *Bench) Mkimage(ctx context.Context) (string, error) {
	if b.mkimage == "" && b.tried == nil {
		out := filepath.Join(b.work, "mkimage")
		if _, b.tried = command(ctx, b.Root, nil, "go", "build", "-o", out, "./cmd/mkimage"); b.tried == nil {
			b.mkimage = out
		}
	}
	return b.mkimage, b.tried
}

// Program builds pkg for Linux with `go build -ldflags "-s -w"` and returns the file.
func (b *Bench) Program(ctx context.Context, pkg string) (string, error) {
	out := b.file(pkg, "program")
	dir, env, pkg := b.place(pkg)
	_, err := command(ctx, dir, append(env, linuxBuild...), "go", "build", "-ldflags", "-s -w", "-o", out, pkg)
	return out, err
}

// place is where the go command is run to build pkg, with which environment, and how pkg is called there: a program with a go.mod of its own is no part of our workspace.
func (b *Bench) place(pkg string) (dir string, env []string, name string) {
	dir = filepath.Join(b.Root, pkg)
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return dir, []string{"GOWORK=off"}, "."
	}
	return b.Root, nil, "./" + pkg
}

// Image builds pkg into an image.
func (b *Bench) Image(ctx context.Context, pkg string) (*Guest, error) {
	return b.ImageWith(ctx, pkg)
}

// ImageWith builds pkg into an image with modules.
func (b *Bench) ImageWith(ctx context.Context, pkg string, modules ...string) (*Guest, error) {
	return b.once("image "+strings.Join(append([]string{pkg}, modules...), " "), func() (*Guest, error) {
		mkimage, err := b.Mkimage(ctx)
		if err != nil {
			return nil, err
		}
		out := b.file(pkg, "image")
		dir, env, name := b.place(pkg)
		args := []string{"build", "-o", out, "--module", strings.Join(modules, ","), name}
		if len(modules) == 0 {
			args = slices.Delete(args, 3, 5)
		}
		if _, err := command(ctx, dir, env, mkimage, args...); err != nil {
			return nil, err
		}
		raw, err := os.ReadFile(out)
		if err != nil {
			return nil, err
		}
		image, err := elfimage.Read(raw)
		if err != nil {
			return nil, fmt.Errorf("the image of %s: %w", pkg, err)
		}
		g := &Guest{
			Kernel: out, Memory: imageMemory, start: image.PVHEntry,
			appendLine: imageCommandLine, exitCode: imageExitCode,
		}
		for _, name := range []string{imageEntry, "runtime.rt0_go", "runtime.main"} {
			addr, err := symbol.GoFunc(out, name, imageEntry, image.GoEntry)
			if err != nil {
				return nil, err
			}
			g.landmarks = append(g.landmarks, landmark{name, addr})
		}
		g.main, err = symbol.GoFunc(out, "main.main", imageEntry, image.GoEntry)
		return g, err
	})
}

// Linux makes pkg the init of a Linux guest.
func (b *Bench) Linux(ctx context.Context, pkg string) (*Guest, error) {
	return b.once("linux "+pkg, func() (*Guest, error) {
		program, err := b.Program(ctx, pkg)
		if err != nil {
			return nil, err
		}
		main, err := symbol.LinuxGoFunc(program, "main.main")
		if err != nil {
			return nil, err
		}
		g, err := b.init(ctx, pkg, program)
		if err == nil {
			g.main = main
		}
		return g, err
	})
}

// NetImage builds pkg into an image that has the network.
func (b *Bench) NetImage(ctx context.Context, pkg string, modules ...string) (*Guest, error) {
	g, err := b.ImageWith(ctx, pkg, modules...)
	if err != nil {
		return nil, err
	}
	return g.with("ip=" + guestAddress), nil
}

// NetLinux makes pkg the program of a Linux guest that has the network.
func (b *Bench) NetLinux(ctx context.Context, pkg string) (*Guest, error) {
	g, err := b.DeviceLinux(ctx, pkg)
	if err != nil {
		return nil, err
	}
	return g.with("ADDRESS=" + guestAddress), nil
}

// DeviceLinux makes pkg the program of a Linux guest that has drivers, and is told by its command line which to set up.
func (b *Bench) DeviceLinux(ctx context.Context, pkg string) (*Guest, error) {
	return b.once("linux with devices "+pkg, func() (*Guest, error) {
		program, err := b.Program(ctx, pkg)
		if err != nil {
			return nil, err
		}
		guestinit, err := b.Program(ctx, "ci/bench/linuxguest/guestinit")
		if err != nil {
			return nil, err
		}
		g, err := b.init(ctx, pkg, program)
		if err != nil {
			return nil, err
		}
		return g, b.kernel.MakeDeviceInitramfs(g.Initrd, guestinit, program)
	})
}

// LinuxC makes a C program the init of a Linux guest.
func (b *Bench) LinuxC(ctx context.Context, source string) (*Guest, error) {
	return b.once("linux "+source, func() (*Guest, error) {
		for tool, pkg := range map[string]string{"gcc": "gcc", "/usr/lib/x86_64-linux-gnu/libc.a": "libc6-dev"} {
			if err := install(ctx, tool, pkg); err != nil {
				return nil, err
			}
		}
		program := b.file(source, "program")
		if _, err := command(ctx, b.Root, nil, "gcc", "-O2", "-static", "-o", program, source); err != nil {
			return nil, err
		}
		return b.init(ctx, source, program)
	})
}

// init makes a program the init of a Linux guest.
func (b *Bench) init(ctx context.Context, name, program string) (*Guest, error) {
	if b.kernel == nil {
		if err := b.fetchKernel(ctx); err != nil {
			return nil, err
		}
	}
	start, err := symbol.PVHEntry(b.kernel.ELF)
	if err != nil {
		return nil, err
	}
	initramfs := b.file(name, "initramfs")
	return &Guest{
		Kernel: b.kernel.ELF, Initrd: initramfs, Memory: linuxMemory, start: start,
		appendLine: linuxguest.CommandLine, exitCode: linuxExitCode,
	}, linuxguest.MakeInitramfs(initramfs, program)
}

// fetchKernel gets the Linux guest's kernel. A fresh machine may know no packages yet.
func (b *Bench) fetchKernel(ctx context.Context) (err error) {
	cache := filepath.Join(b.cache, "linux")
	b.kernel, err = linuxguest.Fetch(ctx, cache)
	if err != nil && apt(ctx, "update", "-q") == nil {
		b.kernel, err = linuxguest.Fetch(ctx, cache)
	}
	return err
}

// once makes each guest once a run.
func (b *Bench) once(key string, build func() (*Guest, error)) (*Guest, error) {
	if g := b.guests[key]; g != nil {
		return g, nil
	}
	g, err := build()
	if err != nil {
		return nil, err
	}
	b.guests[key] = g
	return g, nil
}

// file names a file of the run made from pkg.
func (b *Bench) file(pkg, kind string) string {
	return filepath.Join(b.work, strings.ReplaceAll(pkg, "/", "-")+"."+kind)
}
