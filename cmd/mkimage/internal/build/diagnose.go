package build

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
)

// diagnose explains a failed build where we know more than the go command says:
// the package is not a main package, there is none, or cgo is missing. Errors on
// the way are no news beside the failure itself.
func (b *Builder) diagnose(ctx context.Context, c *Context, t *target, err error) error {
	var failed *CommandError
	if !errors.As(err, &failed) {
		return err
	}
	overlay, oerr := c.WriteOverlay(nil)
	if oerr != nil {
		return err
	}
	flags := append(c.ListFlags(), overlay)
	named, lerr := gotool.List(ctx, c.GoCmd, c.Dir, c.Env, slices.Concat(flags, []string{"-find"}, t.Args)...)
	if lerr == nil {
		if e := notMain(named, t); e != nil {
			return e
		}
	}
	pkgs, lerr := gotool.List(ctx, c.GoCmd, c.Dir, append(slices.Clone(c.Env), "CGO_ENABLED=1"), slices.Concat(flags, []string{"-deps"}, t.Args)...)
	if lerr != nil {
		return err
	}
	if e := b.onlyCgo(ctx, c, t, flags, pkgs); e != nil {
		return e
	}
	// The build saw the file that joins the libOS modules to the package, the list did not.
	if len(named) == 1 && named[0].Error != nil && len(named[0].GoFiles) == 0 {
		return errors.New(named[0].Error.Err)
	}
	failed.Note = cgoNote(failed.Output, pkgs)
	return err
}

// notMain explains a package that is there and is no program.
func notMain(pkgs []gotool.Package, t *target) error {
	if len(pkgs) != 1 || pkgs[0].Name == "" || pkgs[0].Name == "main" || pkgs[0].Error != nil {
		return nil
	}
	return fmt.Errorf("%s is package %s, not main: an image is made of a main package", display(pkgs[0], t), pkgs[0].Name)
}

func display(p gotool.Package, t *target) string {
	if p.ImportPath == "command-line-arguments" || p.ImportPath == "" {
		return strings.Join(t.Args, " ")
	}
	return p.ImportPath
}

// onlyCgo explains packages that have no Go file without cgo.
func (b *Builder) onlyCgo(ctx context.Context, c *Context, t *target, flags gotool.Flags, withCgo []gotool.Package) error {
	without, err := gotool.List(ctx, c.GoCmd, c.Dir, c.Env, slices.Concat(flags, []string{"-deps"}, t.Args)...)
	if err != nil {
		return nil
	}
	empty := map[string]bool{}
	for _, p := range without {
		if p.Error != nil && len(p.GoFiles) == 0 {
			empty[p.Dir] = true
		}
	}
	var names []string
	for _, p := range withCgo {
		if len(p.CgoFiles) > 0 && empty[p.Dir] {
			names = append(names, display(p, t))
		}
	}
	return needCgo(names)
}

func needCgo(names []string) error {
	switch len(names) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("package %s needs cgo: all its files call C, which an image has no place for; use a package in pure Go instead", names[0])
	}
	return fmt.Errorf("packages %s need cgo: all their files call C, which an image has no place for; use packages in pure Go instead", strings.Join(names, ", "))
}

var failedPackage = regexp.MustCompile(`(?m)^# (\S+)`)

// cgoNote adds to compile errors which of the packages leave out files for want
// of cgo.
func cgoNote(output string, pkgs []gotool.Package) string {
	var names []string
	for _, m := range failedPackage.FindAllStringSubmatch(output, -1) {
		for _, p := range pkgs {
			if p.ImportPath == m[1] && len(p.CgoFiles) > 0 {
				names = append(names, p.ImportPath)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: some files need cgo and are left out; an image has no place for C", strings.Join(names, ", "))
}

// noteAllocator adds to the linker's errors that the package behind --vm is no frame allocator.
func noteAllocator(err error, vm string) {
	var failed *CommandError
	if config.IsPath(vm) && errors.As(err, &failed) && strings.Contains(failed.Output, "runtime.exoPool") {
		failed.Note = vm + " is no frame allocator, or a part of one: libos/vm/pool tells which functions one has"
	}
}
