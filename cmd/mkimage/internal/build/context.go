package build

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/inject"
	"github.com/hardtack-os/hardtack/internal/cache"
	"github.com/hardtack-os/hardtack/runtime"
)

// linkFlags make the linker start the program at our entry point and let
// package runtime and libos/posix reach each other's names.
const linkFlags = "-E=_exo_start -checklinkname=0"

// buildTag is set in every image.
const buildTag = "hardtack"

// A Context is what go commands need to build for images in one folder.
type Context struct {
	Dir     string
	GoCmd   string
	Env     []string     // in addition to ours
	Flags   gotool.Flags // those that go list, go build and go test share, without -overlay
	Overlay map[string]string
	Ours    string   // folder of our module
	Version string   // of Go
	RootEnv []string // of Env, what the Go root alone needs
	High    bool     // programs are linked at format.HighBase
	Loose   bool     // Dir belongs to no module

	cache string
}

// NewContext prepares the Go root and the module for builds in dir. flags are
// the user's, for go build; replace takes further modules from other folders.
// modules are those of the libOS that will be linked: some want more of the Go
// root changed than others.
func (b *Builder) NewContext(ctx context.Context, dir string, env []string, flags gotool.Flags, replace map[string]string, modules []string) (*Context, error) {
	if err := checkFlags(flags); err != nil {
		return nil, err
	}
	done := b.Progress.Step("preparing the Go root")
	defer done()
	// Both mostly wait for a go command.
	type prepared struct {
		root *runtime.Root
		err  error
	}
	groups, tags := groupsFor(modules)
	rootc := make(chan prepared, 1)
	go func() {
		root, err := runtime.PrepareIn(ctx, dir, b.GoCmd, "amd64", b.Cache, groups...)
		rootc <- prepared{root, err}
	}()
	goEnv, envErr := gotool.Ask(ctx, b.GoCmd, dir, env...)
	p := <-rootc
	if p.err != nil {
		return nil, p.err
	}
	if envErr != nil {
		return nil, envErr
	}
	flags, err := flags.WithEnv(goEnv.GOFLAGS)
	if err != nil {
		return nil, err
	}
	lay, err := hardtack.Lay(b.Cache)
	if err != nil {
		return nil, err
	}
	plan, err := inject.New(inject.App{Env: goEnv, Flags: flags, Lay: lay, Cache: b.Cache, Replace: replace})
	if err != nil {
		return nil, err
	}
	overlay, err := userOverlay(plan.Flags)
	if err != nil {
		return nil, err
	}
	maps.Copy(overlay, p.root.Replace)
	maps.Copy(overlay, plan.Overlay)
	return &Context{
		Dir:     dir,
		GoCmd:   p.root.GoCmd,
		Env:     slices.Concat(gotool.Target, p.root.Env, env, plan.Env),
		Flags:   plan.Flags.Without("overlay").AddTags(tags...),
		Overlay: overlay,
		Ours:    plan.Ours,
		Version: p.root.Version,
		RootEnv: p.root.Env,
		Loose:   !goEnv.InModule() && !goEnv.InWorkspace(),
		cache:   b.Cache,
	}, nil
}

// checkFlags refuses flags that make no image. GOFLAGS counts only for what is
// asked explicitly: a refused default would be a riddle.
func checkFlags(flags gotool.Flags) error {
	for name, reason := range config.Refusals {
		v, ok := flags.Last(name)
		if !ok || v == "false" || name == "buildmode" && (v == "exe" || v == "default") {
			continue
		}
		return fmt.Errorf("-%s: %s", name, reason)
	}
	return nil
}

// AbsFlags makes the file names in flags, which are meant from base ("" is the
// current folder), absolute: the go command may have to run in another one.
func AbsFlags(base string, flags gotool.Flags) (gotool.Flags, error) {
	out := slices.Clone(flags)
	for i, flag := range flags {
		name, value, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		isFile := name == "modfile" || name == "overlay" || name == "pgo" && value != "auto" && value != "off"
		if !isFile || value == "" || filepath.IsAbs(value) {
			continue
		}
		abs, err := filepath.Abs(filepath.Join(base, value))
		if err != nil {
			return nil, err
		}
		out[i] = "-" + name + "=" + abs
	}
	return out, nil
}

// overlayFile is the format of the file that -overlay names ("go help build").
type overlayFile struct{ Replace map[string]string }

// userOverlay reads the overlay that a user asks for.
func userOverlay(flags gotool.Flags) (map[string]string, error) {
	name, ok := flags.Last("overlay")
	if !ok {
		return map[string]string{}, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("-overlay: %w", err)
	}
	var f overlayFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("-overlay: %s: %w", name, err)
	}
	if f.Replace == nil {
		f.Replace = map[string]string{}
	}
	return f.Replace, nil
}

// WriteOverlay writes the context's overlay with further entries and returns
// the flag that names it.
func (c *Context) WriteOverlay(extra map[string]string) (string, error) {
	all := maps.Clone(c.Overlay)
	maps.Copy(all, extra)
	data, err := json.Marshal(overlayFile{all})
	if err != nil {
		return "", err
	}
	name, err := c.store("overlay.json", data)
	return "-overlay=" + name, err
}

// ImportsFile writes a Go file of package pkg that imports the modules, for use
// in an overlay, and returns its path.
func (c *Context) ImportsFile(pkg string, modules []string) (string, error) {
	var src strings.Builder
	fmt.Fprintf(&src, "// Code generated by mkimage. DO NOT EDIT.\n\npackage %s\n\nimport (\n", pkg)
	for _, m := range modules {
		fmt.Fprintf(&src, "\t_ %q\n", m)
	}
	src.WriteString(")\n")
	return c.store("modules.go", []byte(src.String()))
}

// store writes a generated file in a folder named by its contents.
func (c *Context) store(name string, data []byte) (string, error) {
	h := cache.NewHash("generated")
	h.Add(name)
	h.AddBytes(data)
	path := filepath.Join(c.cache, "generated", h.Name(), name)
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(data)) {
		return path, nil
	}
	return path, cache.File(path, data)
}

// ListFlags are the flags for go list: those that choose and find packages.
func (c *Context) ListFlags() gotool.Flags {
	return c.Flags.Without("a", "cover", "covermode", "coverpkg", "x", "work")
}

// logTo returns where go's own messages go while it runs: to the log at once
// where the user asked to see commands, else to buf.
func (b *Builder) logTo(flags gotool.Flags, buf io.Writer) io.Writer {
	for _, name := range []string{"x", "work"} {
		if v, _ := flags.Last(name); v == "true" {
			return io.MultiWriter(b.Log, buf)
		}
	}
	return buf
}
