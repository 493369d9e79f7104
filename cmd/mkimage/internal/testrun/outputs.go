package testrun

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/qemu"
)

// outputFlags are the flags of a test binary that name a file to be written. In
// an image the binary writes it to the outbox, under the flag's name.
var outputFlags = map[string]bool{
	"blockprofile": true, "coverprofile": true, "cpuprofile": true, "memprofile": true, "mutexprofile": true, "trace": true,
}

// outputs are the files that the tests shall leave on the host.
type outputs struct {
	dir   string            // value of -outputdir
	files map[string]string // by flag, as the user named them
	begun bool              // the coverage profile is
}

// check refuses what several packages would write to the same file.
func (o *outputs) check(packages int) error {
	for flag := range o.files {
		if packages > 1 && flag != "coverprofile" {
			return fmt.Errorf("-%s: it names one file, and there are %d packages: test one at a time", flag, packages)
		}
	}
	return nil
}

// wanted tells whether an image has anything to bring out.
func (r *Runner) wanted(c *build.Context) bool {
	return len(r.args.outputs.files) > 0 || build.Covered(c.Flags)
}

// outputArgs are the flags with which a test binary of the context writes to the outbox.
func (r *Runner) outputArgs(c *build.Context) []string {
	var args []string
	for flag := range r.args.outputs.files {
		args = append(args, "-test."+flag+"="+qemu.OutboxPath+"/"+flag)
	}
	if build.Covered(c.Flags) {
		args = append(args, "-test.gocoverdir="+qemu.OutboxPath)
	}
	return args
}

// path is where the user wants the file of a flag.
func (o *outputs) path(flag string) string {
	if name := o.files[flag]; filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(o.dir, o.files[flag])
}

// deliver puts the files that an image left in box where the user wants them,
// but for the coverage profile: it returns that.
func (o *outputs) deliver(box string) (profile []byte, err error) {
	for flag := range o.files {
		data, err := os.ReadFile(filepath.Join(box, flag))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the binary did not come so far, and has said why
		}
		if err != nil {
			return nil, err
		}
		if flag == "coverprofile" {
			profile = data
		} else if err := os.WriteFile(o.path(flag), data, 0o666); err != nil {
			return nil, fmt.Errorf("-%s: %w", flag, err)
		}
	}
	return profile, nil
}

// addProfile adds a package's coverage profile to the file for all, which has
// them in the order of the packages. The first line, the mode, stands there once.
func (o *outputs) addProfile(data []byte) error {
	if data == nil {
		return nil
	}
	name := o.path("coverprofile")
	if !o.begun {
		o.begun = true
		return os.WriteFile(name, data, 0o666)
	}
	_, data, _ = bytes.Cut(data, []byte("\n"))
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// withOutbox calls run with the folder on the host that an image of the context
// fills, or nil where it has nothing to bring out, and then delivers.
func (r *Runner) withOutbox(c *build.Context, rep *report, run func(*qemu.Outbox)) {
	if !r.wanted(c) {
		run(nil)
		return
	}
	dir, err := os.MkdirTemp("", "mkimage-outbox-")
	if err == nil {
		defer os.RemoveAll(dir)
		run(&qemu.Outbox{Dir: dir})
		rep.profile, err = r.args.outputs.deliver(dir)
	}
	if err != nil {
		fmt.Fprintf(&rep.errors, "mkimage: %v\n", err)
	}
}
