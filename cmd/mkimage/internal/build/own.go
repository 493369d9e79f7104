package build

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/boot/amd64"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/inject"
	"github.com/hardtack-os/hardtack/internal/elfimage"
)

// OwnModules returns the modules from an app's module graph that its settings name: what each is, which packages of ours it needs, and, where measure is set, what the app's image grows by with it.
func (b *Builder) OwnModules(ctx context.Context, pkg []string, measure bool) ([]ModuleInfo, error) {
	t, err := b.locate(ctx, pkg)
	if err != nil {
		return nil, err
	}
	s, err := config.Load(t.PkgDir)
	if err != nil {
		return nil, err
	}
	type own struct {
		ModuleInfo
		without config.Settings // what says so on a command line
	}
	var all []own
	for _, x := range []struct {
		slot, key, path string
		without         config.Settings
	}{
		{"sched", "sched", s.Sched, config.Settings{Sched: goSched}},
		{"vm", "vm", s.VM, config.Settings{VM: defaultVM}},
		{"net", "sockets", s.Sockets, config.Settings{Sockets: config.Auto}},
		{"fs", "fs", s.FS, config.Settings{FS: config.Auto}},
	} {
		if config.IsPath(x.path) {
			all = append(all, own{ModuleInfo{Path: x.path, Slot: x.slot, By: x.key + " in " + config.FileName}, x.without})
		}
	}
	for i, path := range s.Modules {
		if config.IsPath(path) {
			all = append(all, own{ModuleInfo{Path: path, By: "modules in " + config.FileName}, config.Settings{Modules: slices.Delete(slices.Clone(s.Modules), i, i+1)}})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	flags, err := AbsFlags(t.PkgDir, s.Go)
	if err != nil {
		return nil, err
	}
	c, err := b.NewContext(ctx, t.Dir, t.Env, slices.Concat(t.Flags, gotool.Flags(flags)), t.Replace, []string{posixModule, schedModule})
	if err != nil {
		return nil, err
	}
	overlay, err := c.WriteOverlay(nil)
	if err != nil {
		return nil, err
	}
	size := func(s config.Settings) (int64, error) {
		p, err := b.Program(ctx, Request{Package: pkg, Flags: s})
		if err != nil {
			return 0, err
		}
		in, err := os.ReadFile(p.ELF)
		if err != nil {
			return 0, err
		}
		out, err := elfimage.Build(in, elfimage.Options{Boot: amd64.Entry})
		return int64(len(out)), err
	}
	whole := int64(0)
	if measure {
		if whole, err = size(config.Settings{}); err != nil {
			return nil, err
		}
	}
	var list []ModuleInfo
	for _, m := range all {
		deps, err := gotool.List(ctx, c.GoCmd, c.Dir, c.Env, slices.Concat(c.ListFlags(), []string{overlay, "-deps", m.Path})...)
		if err != nil {
			return nil, err
		}
		for _, p := range deps {
			path, ours := strings.CutPrefix(p.ImportPath, inject.ModulePath+"/")
			switch {
			case ours:
				m.Needs = append(m.Needs, path)
			case p.ImportPath == m.Path && p.Error != nil:
				return nil, fmt.Errorf("module %s: %s", m.Path, p.Error.Err)
			case p.ImportPath == m.Path:
				if m.About = p.Doc; m.Slot == "" {
					m.Slot = slotOf(p.Imports)
				}
			}
		}
		slices.Sort(m.Needs)
		if measure {
			n, err := size(m.without)
			if err != nil {
				return nil, fmt.Errorf("without %s: %w", m.Path, err)
			}
			m.Bytes = whole - n
		}
		list = append(list, m.ModuleInfo)
	}
	slices.SortStableFunc(list, func(a, b ModuleInfo) int { return slices.Index(slots, a.Slot) - slices.Index(slots, b.Slot) })
	return list, nil
}

// slotOf says what a module fills by what it imports: who has the machine in hand is a driver, whatever it does with it.
func slotOf(imports []string) string {
	for _, x := range []struct{ folder, slot string }{{"exo", "drivers"}, {"libos/net", "net"}, {"libos/posix/sock", "net"}, {"libos/fs", "fs"}, {"libos/posix/files", "fs"}, {"libos/vm", "vm"}, {"libos/sched", "sched"}} {
		for _, p := range imports {
			if p, ours := strings.CutPrefix(p, inject.ModulePath+"/"); ours && (p == x.folder || strings.HasPrefix(p, x.folder+"/")) {
				return x.slot
			}
		}
	}
	return "posix"
}
