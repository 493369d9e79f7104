package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/internal/elfimage"
)

func (a *app) inspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Tell what is in an image",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("inspect: name one image, as in mkimage inspect hello.elf")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			img, size, err := readImage(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.stdout)
				enc.SetIndent("", "\t")
				return enc.Encode(img)
			}
			return describe(a.stdout, args[0], size, img)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// describe writes an image's description for people.
func describe(w io.Writer, name string, size int, img *elfimage.Image) error {
	p := &printer{w: w}
	p.line("%s: %d bytes", name, size)
	p.line("boot protocols: %s", orNone(strings.Join(img.Protocols(), ", ")))
	if img.PVHEntry != 0 {
		p.line("entry: %#x (PVH, physical), then %#x (Go)", img.PVHEntry, img.GoEntry)
	}
	p.line("least memory to load: %d KiB", img.LoadEnd()>>10)
	if img.Build != nil {
		p.line("go: %s", img.Build.GoVersion)
		p.line("module: %s %s", orNone(img.Build.Main.Path), img.Build.Main.Version)
	}
	p.line("\nsegments:\n  %-4s %18s %12s %12s", "perm", "address", "file", "memory")
	p.line("  %-4s %#18x %12d %12d  boot", "r-x", elfimage.BootBase, img.BootSize, elfimage.BootEnd-elfimage.BootBase)
	for _, s := range img.Segments {
		p.line("  %-4s %#18x %12d %12d", s.Perm(), s.Vaddr, s.Filesz, s.Memsz)
	}
	if rec := img.Record; rec != nil {
		p.record(rec)
	}
	p.line("\nconfiguration:\n  command line: %s", orNone(img.Cmdline))
	if rec := img.Record; rec != nil {
		p.line("  memory: %s, CPUs: %d", rec.Memory, rec.CPUs)
	}
	return p.err
}

// printer keeps the first error of writing.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) record(rec *elfimage.Record) {
	p.line("\npackage: %s", rec.Package)
	sizes := map[string]uint64{}
	for _, g := range rec.Groups {
		sizes[g.Name] = g.Bytes
	}
	p.line("\nlibOS modules:")
	for _, m := range rec.Modules {
		p.line("  %-52s %12s", m, bytesOf(sizes, elfimage.GroupOf(m)))
	}
	p.line("\nbytes of each part:")
	for _, g := range rec.Groups {
		p.line("  %-52s %12d", g.Name, g.Bytes)
	}
}

func bytesOf(sizes map[string]uint64, group string) string {
	if n, ok := sizes[group]; ok {
		return fmt.Sprint(n)
	}
	return "?"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
