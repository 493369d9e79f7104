package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
)

func (a *app) buildCommand() *cobra.Command {
	var s shared
	var as, slot, works string
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
			if slot, err = checkSlot(slot, works, f); err != nil {
				return err
			}
			var pkg []string
			pkg, s.Args = splitDash(cmd, args)
			_, err = b.Build(cmd.Context(), build.Request{Package: pkg, Flags: s.Settings, Slot: slot, Works: works}, s.output, f)
			return err
		},
	}
	s.add(cmd)
	cmd.Flags().StringVar(&as, "format", "", "what to write (default by the suffix of -o, else elf)")
	cmd.Flags().StringVar(&slot, "slot", "", "put the image into this slot, A or B, of a disk that has two: one that is there already keeps the other slot; it comes back where the new image does not work")
	cmd.Flags().StringVar(&works, "works-after", "", "how long an image in a slot has to run to have proven that it works, as 30s, or never: then its main returns, or it says so (default 30s)")
	return cmd
}

// checkSlot returns the slot's name in upper case.
func checkSlot(slot, works string, f format.Format) (string, error) {
	name := strings.ToUpper(slot)
	switch {
	case slot == "" && works != "":
		return "", fmt.Errorf("--works-after is for images in slots: name one by --slot")
	case slot == "":
		return "", nil
	case name != "A" && name != "B":
		return "", fmt.Errorf("--slot %s: a disk has slots A and B", slot)
	case !f.Disk:
		return "", fmt.Errorf("--slot: %s has no slots: disks have, as raw (-o app.img)", f.Name)
	}
	if d, err := time.ParseDuration(works); works != "" && works != "never" && (err != nil || d < 0) {
		return "", fmt.Errorf("--works-after %s: want a time, as 30s, or never", works)
	}
	return name, nil
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
