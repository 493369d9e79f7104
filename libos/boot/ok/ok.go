// Package ok says that an image works, to the disk that it was booted from: as long as an image in a slot has not said so, each boot of it is counted, and after [slot.Tries] of them the other
// slot is booted again. mkimage build --slot links it in; FORMAT.md of package slot has what is written.
//
// An image works when
//
//   - it has run for the time that the word works= of the command line says, 30 s without it, and never by time where that is "never";
//   - or its main has returned, or it has called os.Exit with 0, before that;
//   - or it calls [Works].
//
// An image that came from no slot, as from a CD, has nobody to tell: all of this does nothing then. Only disks that this libOS has drivers for can be told: virtio's, SCSI's behind virtio, and NVMe's.
package ok

import (
	"errors"
	"sync"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/boot/slot"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/drives"
)

// after is how long an image runs until it is taken for one that works.
const after = 30 * time.Second

func init() {
	if _, in := word(); !in {
		return
	}
	confirm := func() {
		if err := Works(); err != nil {
			println("libos/boot/ok:", err.Error())
		}
	}
	atSuccess(confirm)
	v, said := exo.Setting("works")
	d, err := time.ParseDuration(v)
	switch {
	case v == "never":
		return
	case !said:
		d = after
	case err != nil || d < 0:
		println("libos/boot/ok: works=" + v + " is no time")
		d = after
	}
	time.AfterFunc(d, confirm)
}

// word is what the loader says.
func word() (slot.Word, bool) {
	v, ok := exo.Setting("slot")
	if !ok {
		return slot.Word{}, false
	}
	return slot.ParseWord(v)
}

var once struct {
	sync.Mutex
	done bool
}

// Works says that the image works, at once. It returns when that is durable, and parks until then. What was said once is not said again.
//
// Errors: that no disk, or more than one, is the one that the image came from; the disk's; slot.ErrDamaged.
func Works() error {
	once.Lock()
	defer once.Unlock()
	w, in := word()
	if once.done || !in {
		return nil
	}
	var from []*slot.Store
	var failed error
	disks, _ := drives.Open(func(err error) { failed = err })
	for _, d := range disks {
		defer d.Close()
		if info := d.Info(); info.BlockSize != slot.SectorSize || w.Sector > (info.Size-slot.Reach)/slot.SectorSize {
			continue
		}
		s, err := slot.Open(device{d}, w.Sector*slot.SectorSize)
		if err != nil && err != slot.ErrDamaged {
			failed = err
		}
		if err == nil && s.ID == w.ID {
			from = append(from, s)
		}
	}
	switch {
	case len(from) > 1:
		return errors.New("two disks are the one that the image came from")
	case len(from) == 0 && failed != nil:
		return failed
	case len(from) == 0:
		return errors.New("no disk with a driver is the one that the image came from")
	}
	err := from[0].Confirm(w.Slot)
	once.done = err == nil
	return err
}

// A device is a disk for package slot, which asks for whole sectors of memory of the heap.
type device struct{ block.Device }

func (d device) ReadAt(p []byte, off int64) (int, error) {
	return len(p), d.Read([][]byte{p}, off)
}

func (d device) WriteAt(p []byte, off int64) (int, error) {
	return len(p), d.Write([][]byte{p}, off)
}

func (d device) Sync() error { return d.Flush() }
