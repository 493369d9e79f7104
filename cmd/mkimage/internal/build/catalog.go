package build

import (
	"context"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack"
	"github.com/hardtack-os/hardtack/boot/amd64"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/inject"
	"github.com/hardtack-os/hardtack/internal/elfimage"
)

// A ModuleInfo is what is known of a libOS module.
type ModuleInfo struct {
	Path  string   // below our module, as "libos/sched/stride", or an import path
	Slot  string   // what it fills: sched, vm, net, fs, posix or drivers
	By    string   // the flag that links it, or what does
	About string   // the first sentence of its documentation
	Needs []string // other packages of ours that come with it
	Bytes int64    // what an image of an empty program grows by, or shrinks; filled in by MeasureModules
}

// catalog are the modules by slot, with the settings that link each into a program that needs none.
var catalog = []struct {
	slot, path, by string
	with           config.Settings
}{
	{"sched", "libos/sched/stride", "--sched stride", config.Settings{Sched: "stride"}},
	{"sched", "libos/sched/edf", "--sched edf", config.Settings{Sched: "edf"}},
	{"sched", "libos/sched/lottery", "--sched lottery", config.Settings{Sched: "lottery"}},
	{"sched", "libos/sched/quantum", "--sched quantum", config.Settings{Sched: "quantum"}},
	{"vm", "libos/vm/buddy", "unless --vm names another", config.Settings{}},
	{"vm", "libos/vm/bump", "--vm bump", config.Settings{VM: "bump"}},
	{"vm", "libos/vm/balloon", "--module libos/vm/balloon", config.Settings{Modules: []string{"libos/vm/balloon"}}},
	{"net", "libos/net/socket", "programs with sockets; --sockets", config.Settings{Sockets: config.On}},
	{"net", "libos/net/ntp", "--ntp", config.Settings{NTP: []string{"dhcp"}}},
	{"net", "libos/net/netstat", "--netstat", config.Settings{Netstat: "9000"}},
	{"fs", "libos/posix/files", "programs that name paths; --fs", config.Settings{FS: config.On}},
	{"fs", "libos/fs/volumes", "--disk, --mount", config.Settings{Mounts: []string{"label=data:/data"}}},
	{"fs", "libos/posix/files/partition", "--files-on disk", config.Settings{FS: config.On, Modules: []string{"libos/posix/files/partition"}}},
	{"fs", "libos/posix/mmap", "programs with files and system calls of their own", config.Settings{FS: config.On, Modules: []string{"libos/posix/mmap"}}},
	{"fs", "libos/boot/ok", "--slot", config.Settings{Modules: []string{"libos/boot/ok"}}},
	{"posix", "libos/posix", "every image", config.Settings{}},
	{"posix", "libos/posix/linux", "programs that make system calls", config.Settings{Modules: []string{"libos/posix/linux"}}},
	{"posix", "libos/posix/trace", "--trace-calls, --missing-calls", config.Settings{TraceCalls: true}},
	{"posix", "libos/hostname", "--hostname", config.Settings{HostName: "here"}},
	{"drivers", "libos/screen", "every format but elf", config.Settings{Modules: []string{"libos/screen"}}},
	{"drivers", "libos/entropy", "--module libos/entropy", config.Settings{Modules: []string{"libos/entropy"}}},
}

// slots are those of modules, in the order of the catalogue.
var slots = []string{"sched", "vm", "net", "fs", "posix", "drivers"}

// ModuleList returns what there is, as the tool's own source says.
func ModuleList() ([]ModuleInfo, error) {
	var all []ModuleInfo
	for _, c := range catalog {
		m := ModuleInfo{Path: c.path, Slot: c.slot, By: c.by}
		seen := map[string]bool{c.path: true}
		about, err := look(c.path, seen)
		if err != nil {
			return nil, err
		}
		m.About = about
		delete(seen, c.path)
		for p := range seen {
			m.Needs = append(m.Needs, p)
		}
		slices.Sort(m.Needs)
		all = append(all, m)
	}
	return all, nil
}

// look adds to seen which packages of ours a package imports, and those in turn, and returns its synopsis.
func look(dir string, seen map[string]bool) (about string, err error) {
	entries, err := hardtack.Source.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if path.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		name := path.Join(dir, e.Name())
		data, err := hardtack.Source.ReadFile(name)
		if err != nil {
			return "", err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return "", err
		}
		if f.Doc != nil {
			about = new(doc.Package).Synopsis(f.Doc.Text())
		}
		if hosted(f) {
			continue
		}
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return "", err
			}
			p, ours := strings.CutPrefix(p, inject.ModulePath+"/")
			if !ours || seen[p] {
				continue
			}
			seen[p] = true
			if _, err := look(p, seen); err != nil {
				return "", err
			}
		}
	}
	return about, nil
}

// hosted reports whether a file is for the host only.
func hosted(f *ast.File) bool {
	for _, g := range f.Comments {
		for _, c := range g.List {
			if strings.HasPrefix(c.Text, "//go:build !hardtack") {
				return true
			}
		}
	}
	return false
}

// MeasureModules fills in what each module costs: it links an empty program with it and without.
func (b *Builder) MeasureModules(ctx context.Context, all []ModuleInfo) error {
	dir, err := os.MkdirTemp(b.Cache, "empty-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"go.mod": "module empty\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			return err
		}
	}
	size := func(s config.Settings) (int64, error) {
		p, err := b.Program(ctx, Request{Package: []string{dir}, Flags: s.Or(config.Settings{Sockets: config.Auto, FS: config.Auto})})
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
	empty, err := size(config.Settings{})
	if err != nil {
		return err
	}
	for i, m := range all {
		with := catalog[i].with
		if m.By == "every image" || strings.HasPrefix(m.By, "unless") {
			continue
		}
		n, err := size(with)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		all[i].Bytes = n - empty
	}
	return nil
}
