package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/internal/elfimage"
)

func (a *app) inspectCommand() *cobra.Command {
	var asJSON, sbom, sizes bool
	cmd := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Tell what is in an image, of any format that build writes",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("inspect: name one image, as in mkimage inspect hello.elf")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			img, file, size, err := readImage(args[0])
			if err != nil {
				return err
			}
			switch {
			case sbom:
				return writeSBOM(a.stdout, img)
			case sizes:
				return writeSizes(a.stdout, file.ELF, img)
			case asJSON:
				enc := json.NewEncoder(a.stdout)
				enc.SetIndent("", "\t")
				return enc.Encode(struct {
					Format     string
					Partitions []format.Partition `json:",omitempty"`
					Slots      []format.Slot      `json:",omitempty"`
					*elfimage.Image
				}{file.Format, file.Partitions, file.Slots, img})
			}
			return describe(a.stdout, args[0], size, file, img)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.Flags().BoolVar(&sbom, "sbom", false, "write the list of modules as CycloneDX (JSON)")
	cmd.Flags().BoolVar(&sizes, "sizes", false, "write how many bytes of code each package and folder of packages has")
	cmd.MarkFlagsMutuallyExclusive("json", "sbom", "sizes")
	return cmd
}

// describe writes an image's description for people.
func describe(w io.Writer, name string, size int, file *format.File, img *elfimage.Image) error {
	p := &printer{w: w}
	p.line("%s: %d bytes", name, size)
	p.line("format: %s", file.Format)
	if file.Size != 0 {
		p.line("disk: %d bytes\n\npartitions:\n  %-12s %-36s %12s %12s", file.Size, "name", "kind", "first sector", "sectors")
		for _, part := range file.Partitions {
			p.line("  %-12s %-36s %12d %12d", part.Name, part.Kind, part.First, part.Size)
		}
		p.line("")
		for _, s := range file.Slots {
			p.line("slot %s: %s", s.Name, slotText(s))
		}
	}
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

// slotText says how it stands about a slot.
func slotText(s format.Slot) string {
	var is []string
	switch {
	case s.Bytes == 0:
		is = append(is, "empty")
	case s.Damaged:
		is = append(is, fmt.Sprintf("%d bytes, damaged", s.Bytes))
	case s.Works:
		is = append(is, fmt.Sprintf("%d bytes, has proven that it works", s.Bytes))
	default:
		is = append(is, fmt.Sprintf("%d bytes, %d tries left", s.Bytes, s.Tries))
	}
	is = append(is, fmt.Sprintf("room for %d", s.Room))
	if s.Boots {
		is = append(is, "boots next; what follows is its image")
	}
	return strings.Join(is, ", ")
}

// writeSizes writes a tree: each package, and each folder that holds some, with the bytes of code below it.
func writeSizes(w io.Writer, image []byte, img *elfimage.Image) error {
	packages, err := elfimage.Packages(image)
	if err != nil {
		return err
	}
	sums, total := folders(packages)
	p := &printer{w: w}
	for _, s := range img.Segments {
		p.line("%12d  segment %s", s.Filesz, s.Perm())
	}
	p.line("%12d  code, of it:", total)
	var write func(parent string, depth int)
	write = func(parent string, depth int) {
		var names []string
		for name := range sums {
			if path.Dir(name) == parent {
				names = append(names, name)
			}
		}
		slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(sums[b], sums[a]), cmp.Compare(a, b)) })
		for _, name := range names {
			p.line("%12d  %s%s", sums[name], strings.Repeat("  ", depth), path.Base(name))
			write(name, depth+1)
		}
	}
	write(".", 1)
	return p.err
}

// folders are the bytes of each package and of each folder that holds some, and of all. Names come from a file, which may hold any.
func folders(packages []elfimage.Group) (sums map[string]uint64, total uint64) {
	sums = map[string]uint64{}
	for _, g := range packages {
		total += g.Bytes
		for dir := g.Name; dir != "." && dir != "/"; dir = path.Dir(dir) {
			sums[dir] += g.Bytes
		}
	}
	return sums, total
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
