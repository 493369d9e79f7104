package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
)

func (a *app) buildCommand() *cobra.Command {
	var s shared
	var as string
	cmd := &cobra.Command{
		Use:   "build [flags] [PKG] [-- ARGS]",
		Short: "Build a main package into an image",
		Long: `Build makes one file that a machine boots. Its format is what --format or the suffix
of -o says; without either it is elf:

` + formats() + `
Arguments after -- and the environment are baked in; where a virtual machine
monitor or boot loader passes a command line, that can replace them.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := s.start(a)
			if err != nil {
				return err
			}
			f, err := s.format(as)
			if err != nil {
				return err
			}
			var pkg []string
			pkg, s.Args = splitDash(cmd, args)
			_, err = b.Build(cmd.Context(), build.Request{Package: pkg, Flags: s.Settings}, s.output, f)
			return err
		},
	}
	s.add(cmd)
	cmd.Flags().StringVar(&as, "format", "", "what to write (default by the suffix of -o, else elf)")
	return cmd
}

// formats is the list of formats for help texts.
func formats() string {
	var b strings.Builder
	for _, f := range format.Formats {
		fmt.Fprintf(&b, "  %-8s %-10s %s\n", f.Name, f.Suffixes[0], f.About)
	}
	return b.String()
}

// format finds the format of the output. A folder and the null device have no suffix that says it.
func (s *shared) format(name string) (format.Format, error) {
	file := s.output
	if info, err := os.Stat(file); err == nil && info.IsDir() || file == os.DevNull || strings.HasSuffix(file, string(os.PathSeparator)) {
		file = ""
	}
	return format.Find(name, file)
}
