package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/inject"
)

// Modules that mkimage itself links in.
const (
	posixModule = inject.ModulePath + "/libos/posix"       // always
	linuxModule = inject.ModulePath + "/libos/posix/linux" // for programs that make system calls themselves
	traceModule = inject.ModulePath + "/libos/posix/trace" // for --trace-calls and --missing-calls

	// BalloonModule is of no use on a machine without a virtio memory balloon.
	BalloonModule = inject.ModulePath + "/libos/vm/balloon"

	// SocketModule is for programs that use sockets.
	SocketModule = inject.ModulePath + "/libos/net/socket"

	// FilesModule is for programs that use files, imageModule has those that are put into the image.
	FilesModule = inject.ModulePath + "/libos/posix/files"
	imageModule = FilesModule + "/image"

	// partitionModule has them where they are put into a partition of the disk.
	partitionModule = FilesModule + "/partition"

	// mapModule is for programs that use files and may map them.
	mapModule = inject.ModulePath + "/libos/posix/mmap"

	// VolumesModule is for --disk and --mount.
	VolumesModule = inject.ModulePath + "/libos/fs/volumes"

	// NTPModule is for --ntp.
	NTPModule = inject.ModulePath + "/libos/net/ntp"

	// NetstatModule is for --netstat.
	NetstatModule = inject.ModulePath + "/libos/net/netstat"

	// HostNameModule is for --hostname.
	HostNameModule = inject.ModulePath + "/libos/hostname"

	// okModule is for images in slots.
	okModule = inject.ModulePath + "/libos/boot/ok"

	// orderModule is for images of which a program can ask more than libos/posix serves.
	orderModule = inject.ModulePath + "/libos/initorder"

	// kindsPackage is where filesystems of a program's own register.
	kindsPackage = inject.ModulePath + "/libos/fs/kinds"

	// screenModule is for formats that machines with screens boot.
	screenModule = inject.ModulePath + "/libos/screen"

	defaultVM = "buddy" // the frame allocator, below libos/vm

	outboxModule = inject.ModulePath + "/libos/posix/outbox" // for programs that leave files for the host
)

// lateModules are linked after a look at the program.
var lateModules = []string{linuxModule, SocketModule, RootsModule, FilesModule, imageModule, mapModule, outboxModule, orderModule}

// Modules returns the import paths of the libOS modules that settings ask for.
func Modules(s config.Settings) ([]string, error) {
	vm, err := chosen("frame allocator", "vm", cmp.Or(s.VM, defaultVM))
	if err != nil {
		return nil, err
	}
	modules := []string{posixModule, vm}
	for _, x := range []struct {
		wanted      bool
		flags, want string
	}{{len(s.Files) > 0, "--files", "wants"}, {len(s.Disks)+len(s.Mounts) > 0, "--disk and --mount", "want"}} {
		switch {
		case x.wanted && s.FS == config.Off:
			return nil, fmt.Errorf("%s %s a filesystem, and --fs off leaves it out", x.flags, x.want)
		case x.wanted && config.IsPath(s.FS):
			return nil, fmt.Errorf("%s %s libos/posix/files, and --fs names another module", x.flags, x.want)
		}
	}
	if len(s.Disks)+len(s.Mounts) > 0 {
		modules = append(modules, FilesModule, VolumesModule)
	}
	for _, own := range []string{s.FS, s.Sockets} {
		if config.IsPath(own) {
			modules = with(modules, own)
		}
	}
	if s.TraceCalls || s.MissingCalls {
		modules = append(modules, traceModule)
	}
	if s.HostName != "" {
		modules = append(modules, HostNameModule)
	}
	for _, x := range []struct {
		wanted       bool
		flag, module string
	}{{len(s.NTP) > 0, "--ntp", NTPModule}, {s.Netstat != "", "--netstat", NetstatModule}} {
		if x.wanted && s.Sockets == config.Off {
			return nil, fmt.Errorf("%s wants sockets, and --sockets off leaves them out", x.flag)
		}
		if x.wanted && config.IsPath(s.Sockets) {
			return nil, fmt.Errorf("%s wants libos/net/socket, and --sockets names another module", x.flag)
		}
		if x.wanted {
			modules = with(with(modules, SocketModule), x.module)
		}
	}
	if s.PageCache != "" && len(s.Disks)+len(s.Mounts)+len(s.Files) == 0 {
		return nil, errors.New("--page-cache is about volumes and files of the image, and there are none: give some by --disk, --mount or --files")
	}
	for _, name := range s.Modules {
		path, err := modulePath(name)
		if err != nil {
			return nil, err
		}
		if path != vm && isAllocator(path) {
			return nil, fmt.Errorf("--module %s is a frame allocator, of which an image has one: choose it by --vm", name)
		}
		modules = with(modules, path)
	}
	return withSched(modules, s.Sched)
}

// isAllocator reports whether a module is one of our frame allocators.
func isAllocator(module string) bool {
	name, ours := strings.CutPrefix(module, inject.ModulePath+"/libos/vm/")
	_, err := chosen("", "vm", name)
	return ours && err == nil
}

// goSched is Go's own scheduler, which needs no module.
const goSched = "go"

// withSched adds the policy that --sched names, and what makes room for it. One image has one policy.
func withSched(modules []string, name string) ([]string, error) {
	if name == "" {
		return modules, nil
	}
	path := ""
	if name != goSched {
		var err error
		if path, err = chosen("scheduler", "sched", name, goSched); err != nil {
			return nil, err
		}
	}
	for _, m := range modules {
		if strings.HasPrefix(m, schedModule+"/") && m != path {
			return nil, fmt.Errorf("--sched %s and --module %s are two schedulers: an image has one; leave one of them out", name, strings.TrimPrefix(m, inject.ModulePath+"/"))
		}
	}
	if path == "" {
		return modules, nil
	}
	return with(with(modules, schedModule), path), nil
}

// chosen returns the import path of the module that fills a slot which takes one: named as "stride", as "libos/sched/stride", or by any import path. Besides
// are names that stand for no module.
func chosen(what, slot, name string, besides ...string) (string, error) {
	if config.IsPath(name) {
		return name, nil
	}
	var have []string
	for _, c := range catalog {
		base := path.Base(c.path)
		switch {
		case c.slot != slot || c.with.Sched+c.with.VM == "" && base != defaultVM:
		case name == base, name == c.path:
			return inject.ModulePath + "/" + c.path, nil
		default:
			have = append(have, base)
		}
	}
	slices.Sort(have)
	return "", fmt.Errorf("unknown %s %q: have %s, or name a package by its import path", what, name, strings.Join(append(besides, have...), ", "))
}

// WithOutbox adds what brings a program's files to the host.
func WithOutbox(modules []string) []string { return with(modules, outboxModule) }

// ForTests adds what a package's test binary gets unasked: what a test will call
// cannot be foreseen. Sockets are linked where package net is. It also returns what
// [Builder.CompileTest] has to know of imports.
func (b *Builder) ForTests(ctx context.Context, c *Context, p gotool.Package, modules []string, s config.Settings) ([]string, Imports) {
	n, imports := b.looks(ctx, c, modules, "-test", p.ImportPath)
	n.Linux, n.Files = true, true
	return n.modules(modules, s), imports
}

func with(modules []string, m string) []string {
	if slices.Contains(modules, m) {
		return modules
	}
	return append(slices.Clone(modules), m)
}

// modulePath returns the import path of a module that is named as "libos/entropy",
// or by any import path.
func modulePath(name string) (string, error) {
	if config.IsPath(name) {
		return name, nil
	}
	if strings.HasPrefix(name, "libos/") {
		entries, _ := hardtack.Source.ReadDir(name)
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return path.Ext(e.Name()) == ".go" }) {
			return inject.ModulePath + "/" + name, nil
		}
	}
	return "", fmt.Errorf("unknown libOS module %q: mkimage modules lists those that are there; a package of your own is named by its import path", name)
}
