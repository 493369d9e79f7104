package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/internal/cache"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// output writes an image as a file, whole or not at all. Three things are written over what is there, instead: a slot of a disk, a disk with a data partition, and a
// block device, which wants force.
func (r Recipe) output(output string, src format.Source) (wrote bool, err error) {
	switch {
	case output == os.DevNull && r.Format.Name == format.Raw:
		return false, format.Try(src)
	case output == os.DevNull:
		_, err := r.make(src)
		return false, err
	}
	info, err := os.Stat(output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, r.create(output, src)
	case err != nil:
		return false, err
	case info.Mode().Type() == fs.ModeDevice: // a disk: others are character devices
		return true, r.device(output, src)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s is not a regular file: an image cannot be written there", output) // a file would take its place
	case r.Format.Name != format.Raw && r.Slot != "":
		return false, fmt.Errorf("%s is there already: only a raw disk keeps its other slot, %s would be written anew; remove it first", output, r.Format.Name)
	}
	held, err := block.OpenFile(output, r.Format.Name != format.Raw) // a raw one may be written to
	denied := err
	if errors.Is(err, fs.ErrPermission) && r.Format.Name == format.Raw { // unless another file takes its place
		held, err = block.OpenFile(output, true)
	}
	if err != nil {
		return false, err
	}
	defer held.Close()
	f, size := held.File(), info.Size()
	if r.Slot != "" {
		err = format.PutSlot(f, size, src)
		switch {
		case err == nil:
			return true, nil
		case denied != nil && !errors.Is(err, format.ErrNoSlots) && !errors.Is(err, format.ErrUnknown):
			return false, denied
		case !errors.Is(err, format.ErrNoSlots) && !errors.Is(err, format.ErrUnknown):
			return false, fmt.Errorf("%s: slot %s: %w", output, r.Slot, err)
		}
	}
	in, err := format.DataIn(f, size)
	switch {
	case err != nil:
		return false, fmt.Errorf("%s is there already: %w", output, err)
	case in == "":
		held.Close() // who renames a file over it on Windows must not have it open
		return true, r.create(output, src)
	case in != format.Raw || r.Format.Name != format.Raw:
		return false, fmt.Errorf("%s is a disk with a data partition, which only format raw keeps, on a raw disk; remove it first", output)
	}
	if denied != nil {
		return false, denied
	}
	if err := format.Rewrite(f, size, src); err != nil {
		return false, fmt.Errorf("%s has a data partition, which stays: %w", output, err)
	}
	return true, nil
}

// make returns the file.
func (r Recipe) make(src format.Source) ([]byte, error) {
	if r.plain() {
		return src.ELF, nil
	}
	out, err := r.Format.Make(src)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be made an image: %w", src.Name, err)
	}
	return out, nil
}

// create writes a new file.
func (r Recipe) create(output string, src format.Source) error {
	if r.Format.Name == format.Raw {
		return cache.Make(output, func(f *os.File) error { return format.WriteNew(src, f) })
	}
	out, err := r.make(src)
	if err != nil {
		return err
	}
	return cache.File(output, out)
}

// device writes to a block device.
func (r Recipe) device(output string, src format.Source) error {
	if !r.Force {
		return fmt.Errorf("%s is a block device: --force writes over what is on it", output)
	}
	if r.Format.Name != format.Raw && r.Format.Name != format.ISO {
		return fmt.Errorf("%s is a block device: formats raw and iso can be written to one, %s cannot", output, r.Format.Name)
	}
	f, err := block.OpenFile(output, false)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := r.overwrite(f.File(), f.Info().Size, src); err != nil {
		return fmt.Errorf("%s: %w", filepath.Clean(output), err)
	}
	return nil
}

// overwrite writes to a disk of a size.
func (r Recipe) overwrite(d format.Device, size int64, src format.Source) error {
	if r.Format.Name == format.ISO {
		out, err := r.make(src)
		if err != nil {
			return err
		}
		if int64(len(out)) > size {
			return fmt.Errorf("it has room for %d bytes, and the image has %d", size, len(out))
		}
		if _, err := d.WriteAt(out, 0); err != nil {
			return err
		}
		return d.Sync()
	}
	if r.Slot != "" {
		if err := format.PutSlot(d, size, src); !errors.Is(err, format.ErrNoSlots) && !errors.Is(err, format.ErrUnknown) {
			return err
		}
	}
	return format.Rewrite(d, size, src)
}
