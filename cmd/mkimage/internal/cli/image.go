package cli

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/cmdline"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/qemu"
	"github.com/hardtack-os/hardtack/internal/elfimage"
)

// isELF reports whether name is a file that begins as an ELF file does. No
// package is such a file.
func isELF(name string) bool {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, len(elf.ELFMAG))
	_, err = io.ReadFull(f, magic)
	return err == nil && string(magic) == elf.ELFMAG
}

// missingImage refuses what is named as mkimage build names images, and is not
// there. No package has such a name.
func missingImage(what []string) error {
	if len(what) != 1 || !strings.HasSuffix(what[0], ".elf") {
		return nil
	}
	if _, err := os.Stat(what[0]); err != nil {
		return fmt.Errorf("no image %s: %w", what[0], errors.Unwrap(err))
	}
	return nil
}

// otherFormat refuses a file that is named as images of other formats are.
func otherFormat(what []string) error {
	if len(what) != 1 {
		return nil
	}
	if info, err := os.Stat(what[0]); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := format.Find("", filepath.Base(what[0]))
	if err != nil || f.Name == format.Formats[0].Name {
		return nil
	}
	return fmt.Errorf("%s: run starts ELF images, as mkimage build -o app.elf makes them, and not those of format %s, which QEMU boots by itself", what[0], f.Name)
}

// readImage reads an image file back, with errors for people.
func readImage(name string) (*elfimage.Image, *format.File, int, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, nil, 0, fmt.Errorf("%s is not a regular file", name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, 0, err
	}
	file, err := format.Open(data)
	if errors.Is(err, format.ErrUnknown) {
		return nil, nil, 0, fmt.Errorf("%s: %w; build an image with mkimage build", name, err)
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	img, err := elfimage.Read(file.ELF)
	switch {
	case errors.Is(err, elfimage.ErrNotImage), errors.Is(err, elfimage.ErrNotELF):
		return nil, nil, 0, fmt.Errorf("%s is %w; build one with mkimage build", name, err)
	case err != nil:
		return nil, nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	return img, file, len(data), nil
}

// fromImage sets the machine up for an image that is built already: what no flag
// says is as it was when it was built.
func fromImage(m *qemu.Machine, name string, s *shared) error {
	if late := s.buildOnly(); len(late) > 0 {
		return fmt.Errorf("%s is built already: %s can be said only to mkimage build", name, strings.Join(late, ", "))
	}
	img, _, _, err := readImage(name)
	if err != nil {
		return err
	}
	var built config.Settings
	var modules []string
	if rec := img.Record; rec != nil {
		modules = rec.Modules
		built.CPUs = rec.CPUs
		if err := built.Memory.Set(rec.Memory); err != nil {
			return fmt.Errorf("%s: the image's record: %w", name, err)
		}
	}
	if err := built.Check(); err != nil {
		return fmt.Errorf("%s: the image's record: %w", name, err)
	}
	if len(s.Disks)+len(s.Mounts) > 0 {
		s.Built = cmdline.Value(img.Cmdline, "disks")
	}
	settings := s.Settings.Or(built).Or(config.Defaults)
	if err := build.CheckFits(name, img, settings.Memory); err != nil {
		return err
	}
	if err := cmdline.Check(s.Args, s.Env); err != nil {
		return err
	}
	if s.Args != nil && len(s.Args) == 0 {
		return fmt.Errorf("the arguments in %s can be replaced by others after --, not taken away; build it again without them", name)
	}
	var line cmdline.Line
	line.Program(s.Args, s.Env)
	if s.NTP != nil && !slices.Contains(modules, build.NTPModule) {
		return fmt.Errorf("%s was built without --ntp: only an image that was built with it can be told other servers", name)
	}
	if s.Netstat != "" && !slices.Contains(modules, build.NetstatModule) {
		return fmt.Errorf("%s was built without --netstat: only an image that was built with it can be told another port", name)
	}
	if s.HostName != "" && !slices.Contains(modules, build.HostNameModule) {
		return fmt.Errorf("%s was built without --hostname: only an image that was built with it can be called otherwise", name)
	}
	if len(s.Disks)+len(s.Mounts) > 0 && !slices.Contains(modules, build.VolumesModule) {
		return fmt.Errorf("%s was built without volumes: build it with --disk or --mount", name)
	}
	if s.PageCache != "" && !build.HasPageCache(modules) {
		return fmt.Errorf("%s was built without volumes and files, and has no page cache: build it with --disk, --mount or --files", name)
	}
	words, err := s.Words()
	if err != nil {
		return err
	}
	for _, w := range words {
		line.Add(w.Key, w.Value)
	}
	trace(&line, settings)
	if n := len(line.String()); n > qemu.MaxAppend {
		return fmt.Errorf("arguments and environment of %d bytes are too long for the command line of a built image (%d bytes); build them in with mkimage build", n, qemu.MaxAppend)
	}
	m.Image, m.Append = name, line.String()
	if err := setMachine(m, settings); err != nil {
		return err
	}
	return setDevices(m, settings, modules)
}

// buildOnly names the flags given that only a build can follow.
func (s *shared) buildOnly() (names []string) {
	given := func(name string, is bool) {
		if is {
			names = append(names, name)
		}
	}
	given("--output", s.output != "")
	given("--module", s.Modules != nil)
	given("--vm", s.VM != "")
	given("--sched", s.Sched != "")
	given("--sockets", s.Sockets != "")
	given("--roots", s.Roots != "")
	given("--fs", s.FS != "")
	given("--files", s.Files != nil)
	for _, f := range s.Go {
		name, _, _ := strings.Cut(f, "=")
		given(name, true)
	}
	return names
}
