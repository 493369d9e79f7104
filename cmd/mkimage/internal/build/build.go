package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/cmdline"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
	"github.com/hardtack-os/hardtack/internal/elfimage"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A Request says what to build.
type Request struct {
	Package []string                    // as the user names it; none is the current folder
	Flags   config.Settings             // from the command line
	Outbox  bool                        // the caller brings files out of the image
	High    bool                        // link the program where UEFI firmware leaves room
	Screen  bool                        // have the console on a screen, too
	Slot    string                      // "A" or "B": the slot of a disk that the image is for; "": no slot
	Data    int64                       // bytes of the disk's data partition; 0: none
	DataAt  string                      // the path that it is mounted at
	Force   bool                        // the output may be a block device
	Check   func(config.Settings) error // refuses what cannot be had, before anything is compiled; may be nil
	output  string                      // as OutputPath takes it: what is on a disk that is there already counts
	suffix  string                      // of it
	OnDisk  bool                        // what files are put into the image lies in a partition of its disk
	Works   string                      // when an image in a slot has proven that it works, as package libos/boot/ok takes it; "": as that says
}

// A Program is a linked program, ready to be made an image.
type Program struct {
	ELF        string // with symbols, for debuggers
	Name       string
	ImportPath string
	Modules    []string
	Covered    bool            // it measures its coverage
	Works      string          // from the request
	File       config.Settings // from libos.toml
	Settings   config.Settings // flags, then libos.toml, then defaults
	output     string          // where Build puts the image
	place      *Place          // where on the disk the files are; nil: they are in the program
	dataID     [16]byte        // the unique GUID of the disk's data partition
}

// Program links the program that a request asks for.
func (b *Builder) Program(ctx context.Context, req Request) (*Program, error) {
	if err := checkFlags(req.Flags.Go); err != nil {
		return nil, err
	}
	t, err := b.locate(ctx, req.Package)
	if err != nil {
		return nil, err
	}
	file, err := config.Load(t.PkgDir)
	if err != nil {
		return nil, err
	}
	if file.Go, err = AbsFlags(t.PkgDir, file.Go); err != nil {
		return nil, err
	}
	file.Env = append([]string{config.Home}, file.Env...)
	p := &Program{Works: req.Works, Name: t.Name(), ImportPath: t.ImportPath, File: file, Settings: req.Flags.Or(file).Or(config.Defaults)}
	if err := cmdline.Check(p.Settings.Args, p.Settings.Env); err != nil {
		return nil, err
	}
	if req.Check != nil {
		if err := req.Check(p.Settings); err != nil {
			return nil, err
		}
	}
	p.output = OutputPath(req.output, p.Name, req.suffix)
	there := idsOf(p.output, req)
	if p.dataID = there.Data; req.OnDisk {
		p.place = &Place{slot: req.Slot, id: there.Files}
	}
	if req.DataAt != "" {
		p.Settings.Mounts = append(slices.Clone(p.Settings.Mounts), "partuuid="+format.GUIDText(p.dataID)+":"+req.DataAt+",format")
		if err := p.Settings.Check(); err != nil {
			return nil, err
		}
	}
	if p.Modules, err = Modules(p.Settings); err != nil {
		if _, flags := Modules(req.Flags); flags == nil { // they are not at fault
			err = fmt.Errorf("%s: %w", filepath.Join(t.PkgDir, config.FileName), err)
		}
		return nil, err
	}
	if req.Screen {
		p.Modules = with(p.Modules, screenModule)
	}
	if req.Slot != "" {
		p.Modules = with(p.Modules, okModule)
	}
	if len(p.Settings.Files) > 0 { // before the Go root is prepared, which they want changed
		m := imageModule
		if p.place != nil {
			m = partitionModule
		}
		p.Modules = with(p.Modules, m)
	}
	flags, err := AbsFlags("", p.Settings.Go)
	if err != nil {
		return nil, err
	}
	c, err := b.NewContext(ctx, t.Dir, t.Env, slices.Concat(t.Flags, gotool.Flags(flags)), t.Replace, p.Modules)
	if err != nil {
		return nil, err
	}
	if c.Loose && !t.Files {
		return nil, fmt.Errorf("%s belongs to no module: run go mod init there, or name its .go files", t.PkgDir)
	}
	if p.Covered = Covered(c.Flags); p.Covered && req.Outbox {
		p.Modules = WithOutbox(p.Modules)
	}
	done := b.Progress.Step("building " + t.ImportPath)
	defer done()
	c.High = req.High
	if p.ELF, p.Modules, err = b.link(ctx, c, t, p.Modules, p.Settings, p.place); err != nil {
		noteAllocator(err, p.Settings.VM)
		return nil, err
	}
	if req.DataAt != "" && p.dataID == ([16]byte{}) {
		data, err := os.ReadFile(p.ELF)
		if err != nil {
			return nil, err
		}
		p.dataID = format.DataID(data)
		p.Settings.Mounts[len(p.Settings.Mounts)-1] = "partuuid=" + format.GUIDText(p.dataID) + ":" + req.DataAt + ",format"
	}
	return p, nil
}

// idsOf reads what the partitions of a raw disk are called that an image will be written to. The image is told, so that it takes no others for its own.
func idsOf(output string, req Request) (ids format.IDs) {
	if req.DataAt == "" && !req.OnDisk {
		return ids
	}
	if info, err := os.Stat(output); err != nil || !info.Mode().IsRegular() && info.Mode().Type() != os.ModeDevice {
		return ids
	}
	f, err := block.OpenFile(output, true) // one that is in use, or not there, is told of when it is written
	if err != nil {
		return ids
	}
	defer f.Close()
	return format.ReadIDs(f.File(), f.Info().Size, req.Slot)
}

// Recipe returns how to make the program's image with arguments and environment
// baked in.
func (p *Program) Recipe(args, env []string) Recipe {
	var line cmdline.Line
	line.Add("name", p.Name)
	words, _ := p.Settings.Words() // Check has looked at them
	for _, w := range words {
		line.Add(w.Key, w.Value)
	}
	if p.Works != "" {
		line.Add("works", p.Works)
	}
	line.Program(args, env)
	return Recipe{
		Memory:  p.Settings.Memory,
		Cmdline: line.String(),
		Record: elfimage.Record{
			Package: p.ImportPath,
			Modules: p.Modules,
			Memory:  p.Settings.Memory.String(),
			CPUs:    p.Settings.CPUs,
		},
	}
}

// OutputPath is where the image of a program goes that is to be output, a file or
// a folder; "" is the program's name in the current folder.
func OutputPath(output, program, suffix string) string {
	file := program + suffix
	if output == "" {
		return file
	}
	if info, err := os.Stat(output); err == nil && info.IsDir() || os.IsPathSeparator(output[len(output)-1]) {
		return filepath.Join(output, file)
	}
	return output
}

// sourceDate is what SOURCE_DATE_EPOCH says, which reproducible-builds.org specifies: seconds since 1970. Without it files in
// an image have the earliest date that a FAT file system can express.
func sourceDate() (time.Time, error) {
	v := os.Getenv("SOURCE_DATE_EPOCH")
	if v == "" {
		return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || n > 1<<32 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%s is not a number of seconds since 1970", v)
	}
	return time.Unix(n, 0).UTC(), nil
}

// Build makes the image of a program as output, in a format. It returns the image's path.
func (b *Builder) Build(ctx context.Context, req Request, output string, f format.Format) (string, error) {
	date, err := sourceDate()
	if err != nil {
		return "", err
	}
	req.High, req.Screen, req.output, req.suffix = f.High, f.Screen, output, f.Suffixes[0]
	p, err := b.Program(ctx, req)
	if err != nil {
		return "", err
	}
	recipe := p.Recipe(p.Settings.Args, p.Settings.Env)
	recipe.Format, recipe.Time, recipe.Slot, recipe.Data, recipe.Force = f, date, req.Slot, req.Data, req.Force
	if recipe.DataID = p.dataID; p.place != nil {
		recipe.Files, recipe.FilesID = p.place.files, p.place.id
	}
	if req.Flags.Memory == 0 && p.File.Memory == 0 {
		recipe.Memory = 0 // nobody has said which machine it is for
	}
	if _, err := recipe.Write(p.ELF, p.output); err != nil {
		return "", err
	}
	return p.output, nil
}
