package cli

import (
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
)

func (a *app) buildCommand() *cobra.Command {
	var s shared
	var as, slot, works, data, filesOn string
	var force bool
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
			dataSize, dataAt, err := checkData(data, f)
			if err != nil {
				return err
			}
			if filesOn != "image" && filesOn != "disk" {
				return fmt.Errorf("--files-on %s: want image or disk", filesOn)
			}
			if filesOn == "disk" && !f.Disk {
				return fmt.Errorf("--files-on disk: %s has no partition for files: disks have, as raw (-o app.img)", f.Name)
			}
			var pkg []string
			pkg, s.Args = splitDash(cmd, args)
			_, err = b.Build(cmd.Context(), build.Request{Package: pkg, Flags: s.Settings, Slot: slot, Works: works, Data: dataSize, DataAt: dataAt, OnDisk: filesOn == "disk", Force: force}, s.output, f)
			return err
		},
	}
	s.add(cmd, false)
	cmd.Flags().StringVar(&as, "format", "", "what to write (default by the suffix of -o, else elf)")
	cmd.Flags().StringVar(&slot, "slot", "", "put the image into this slot, A or B, of a disk that has two: a raw one that is there already keeps the other slot, other formats are refused then; it comes back where the new image does not work")
	cmd.Flags().StringVar(&works, "works-after", "", "how long an image in a slot has to run to have proven that it works, as 30s, or never: then its main returns, or it says so (default 30s)")
	cmd.Flags().StringVar(&data, "data", "", "give the disk a data partition, SIZE[:/PATH], which is mounted at "+config.DataPath+" if no path is said; one that is there already on a raw disk is kept, with its size and what is in it; a disk of another format that has one is not written over")
	cmd.Flags().StringVar(&filesOn, "files-on", "image", "where --files go: image, into memory with the program, or disk, a partition that nobody writes to, read when they are; for disks that the image has a driver for (virtio, NVMe)")
	cmd.Flags().BoolVar(&force, "force", false, "write to a block device, over what is on it; formats raw and iso")
	return cmd
}

// checkData reads SIZE[:/PATH].
func checkData(v string, f format.Format) (size int64, at string, err error) {
	if v == "" {
		return 0, "", nil
	}
	if !f.Disk {
		return 0, "", fmt.Errorf("--data: %s has no data partition: disks have, as raw (-o app.img)", f.Name)
	}
	text, at, found := strings.Cut(v, ":")
	if !found {
		at = config.DataPath
	}
	var n config.Size
	if err := n.Set(text); err != nil || n < 1<<20 || n > 1<<46 || !strings.HasPrefix(at, "/") || path.Clean(at) == "/" || strings.ContainsAny(at, ",;\x00") {
		return 0, "", fmt.Errorf("--data %s: want SIZE or SIZE:/PATH, as 1G:/data, of 1M at least", v)
	}
	return int64(n), path.Clean(at), nil
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
