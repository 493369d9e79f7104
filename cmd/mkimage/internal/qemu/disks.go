package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// SetDisks gives the machine its disks, which must be there and in nobody's use.
func (m *Machine) SetDisks(s config.Settings) (err error) {
	if m.Disks, err = s.DiskList(); err != nil {
		return err
	}
	m.Ephemeral = s.Ephemeral
	for i, d := range m.Disks {
		if err := m.checkDisk(d); err != nil {
			return fmt.Errorf("--disk: %w", err)
		}
		for _, other := range m.Disks[:i] {
			if m.clash(d, other) {
				return fmt.Errorf("--disk: %s and %s are one disk, which can be there twice only where nothing is written to it (,ro or --ephemeral)", other.File, d.File)
			}
		}
	}
	return nil
}

// checkDisk refuses what a machine cannot have as a disk now.
func (m *Machine) checkDisk(d config.Disk) error {
	f, err := block.OpenFile(d.File, d.ReadOnly || m.Ephemeral)
	switch meant := config.WithSlash(d.File); {
	case errors.Is(err, fs.ErrNotExist) && meant != "":
		return fmt.Errorf("there is no %s; a path in the image begins with a slash: %s", d.File, meant)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no %s; mkimage fs mkfs --size 1G %s makes one", d.File, d.File)
	case err != nil:
		return err
	}
	defer f.Close()
	if f.Info().Size == 0 {
		return fmt.Errorf("%s is empty; mkimage fs mkfs --size 1G %s makes a volume of it", d.File, d.File)
	}
	return nil
}

// clash says whether two disks are one, and QEMU would not have it twice.
func (m *Machine) clash(a, b config.Disk) bool {
	if m.Ephemeral || a.ReadOnly && b.ReadOnly {
		return false
	}
	x, err := os.Stat(a.File)
	y, err2 := os.Stat(b.File)
	return err == nil && err2 == nil && os.SameFile(x, y)
}

// diskArgs gives the machine its disks. The host's cache is used, and flushed when the image says so. What the host
// cannot do, as when its own disk is full, the image is told: by itself QEMU would stop the machine until somebody
// gives it a command.
func (m *Machine) diskArgs(bus string) (a []string) {
	scsi := false
	for i, d := range m.Disks {
		drive := fmt.Sprintf("if=none,id=disk%d,format=raw,discard=unmap,werror=report,rerror=report,file=%s", i, escape(filename(d.File)))
		if d.ReadOnly {
			drive += ",readonly=on"
		}
		if m.Ephemeral && !d.ReadOnly {
			drive += ",snapshot=on"
		}
		device := "virtio-blk-" + bus
		switch d.Bus {
		case config.BusSCSI:
			if !scsi { // one controller for all
				a, scsi = append(a, "-device", "virtio-scsi-"+bus+",id=scsi"), true
			}
			device = fmt.Sprintf("scsi-hd,bus=scsi.0,scsi-id=%d", i)
		case config.BusNVMe:
			device = "nvme"
		}
		a = append(a, "-drive", drive, "-device", fmt.Sprintf("%s,drive=disk%d,serial=%s", device, i, config.DiskSerial(i)))
	}
	return a
}

// filename is how QEMU is told of a file: it takes what stands before a colon in a name for a protocol, unless a slash comes first.
func filename(name string) string {
	if i := strings.IndexAny(name, ":/"); i >= 0 && name[i] == ':' && filepath.VolumeName(name) == "" {
		return "./" + name
	}
	return name
}

// hasNVMe tells whether the machine has NVMe controllers, which are PCI functions.
func (m *Machine) hasNVMe() bool {
	return slices.ContainsFunc(m.Disks, func(d config.Disk) bool { return d.Bus == config.BusNVMe })
}
