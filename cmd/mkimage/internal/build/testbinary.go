package build

import (
	"context"
	"path"
	"path/filepath"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
)

// addedTestFile is addedFile's sister for test binaries. It belongs to the
// external test package: libOS modules import much of the standard library, and
// a package's own tests must not import what imports the package.
const addedTestFile = "zz_hardtack_test.go"

// CompileTest links a package's test binary, with files to put into the image,
// and returns its path. imports are from [Builder.ForTests].
func (b *Builder) CompileTest(ctx context.Context, c *Context, p gotool.Package, modules []string, imports Imports, files []File) (string, error) {
	extra, err := c.archive(files)
	if err != nil {
		return "", err
	}
	if extra != nil {
		modules = with(modules, imageModule)
	}
	first := imports.first(modules)
	if extra, err = c.initOrder(extra, first); err != nil {
		return "", err
	}
	added, err := c.ImportsFile(p.Name+"_test", modules)
	if err != nil {
		return "", err
	}
	overlay, err := c.WriteOverlay(and(extra, filepath.Join(p.Dir, addedTestFile), added))
	if err != nil {
		return "", err
	}
	flags, err := throughCover(append(c.Flags.AddPerPackage("ldflags", linkFlags), overlay, "-c", "-vet=off"))
	if err != nil {
		return "", err
	}
	elf, err := b.Link(ctx, c, path.Base(p.ImportPath)+".test", "test", flags, []string{p.ImportPath})
	if err == nil {
		err = unordered(modules, first)
	}
	return elf, err
}
