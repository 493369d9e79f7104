package testrun

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

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

	mu      sync.Mutex
	profile bool // the coverage profile has been begun
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

// deliver puts the files that an image left in box where the user wants them.
func (o *outputs) deliver(box string) error {
	for flag, name := range o.files {
		if !filepath.IsAbs(name) {
			name = filepath.Join(o.dir, name)
		}
		data, err := os.ReadFile(filepath.Join(box, flag))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the binary did not come so far, and has said why
		}
		if err != nil {
			return err
		}
		if flag == "coverprofile" {
			err = o.addProfile(name, data)
		} else {
			err = os.WriteFile(name, data, 0o666)
		}
		if err != nil {
			return fmt.Errorf("-%s: %w", flag, err)
		}
	}
	return nil
}

// addProfile adds a package's coverage profile to the file for all. Its first
// line, the mode, stands there once.
func (o *outputs) addProfile(name string, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.profile {
		o.profile = true
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
func (r *Runner) withOutbox(c *build.Context, log io.Writer, run func(*qemu.Outbox)) {
	if !r.wanted(c) {
		run(nil)
		return
	}
	dir, err := os.MkdirTemp("", "mkimage-outbox-")
	if err == nil {
		defer os.RemoveAll(dir)
		run(&qemu.Outbox{Dir: dir})
		err = r.args.outputs.deliver(dir)
	}
	if err != nil {
		fmt.Fprintf(log, "mkimage: %v\n", err)
	}
}
