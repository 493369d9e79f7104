package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// SetDisks gives the machine its disks, which must be there and in nobody's use.
func (m *Machine) SetDisks(s config.Settings) (err error) {
	if m.Disks, err = s.DiskList(); err != nil {
		return err
	}
	m.Ephemeral = s.Ephemeral
	for _, d := range m.Disks {
		f, err := block.OpenFile(d.File, d.ReadOnly || s.Ephemeral)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("--disk: there is no %s; mkimage fs mkfs --size 1G %s makes one", d.File, d.File)
		case err != nil:
			return fmt.Errorf("--disk: %w", err)
		}
		f.Close()
	}
	return nil
}

// diskArgs gives the machine its disks. The host's cache is used, and flushed when the image says so. What the host
// cannot do, as when its own disk is full, the image is told: by itself QEMU would stop the machine until somebody
// gives it a command.
func (m *Machine) diskArgs(bus string) (a []string) {
	scsi := false
	for i, d := range m.Disks {
		drive := fmt.Sprintf("if=none,id=disk%d,format=raw,discard=unmap,werror=report,rerror=report,file=%s", i, escape(d.File))
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

// hasNVMe tells whether the machine has NVMe controllers, which are PCI functions.
func (m *Machine) hasNVMe() bool {
	return slices.ContainsFunc(m.Disks, func(d config.Disk) bool { return d.Bus == config.BusNVMe })
}
