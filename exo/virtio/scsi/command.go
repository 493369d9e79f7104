package scsi

import (
	"github.com/hardtack-os/hardtack/exo/disk"
)

// Operation codes: SPC-4, 6, and SBC-3, 5.
const (
	opTestUnitReady = 0x00
	opInquiry       = 0x12 // SPC-4, 6.6
	opModeSense     = 0x1a // of 6 bytes: SPC-4, 6.11
	opRead10        = 0x28
	opWrite10       = 0x2a
	opSyncCache     = 0x35 // of 10 bytes: SBC-3, 5.18
	opUnmap         = 0x42 // SBC-3, 5.28
	opRead16        = 0x88
	opWrite16       = 0x8a
	opWriteSame     = 0x93 // of 16 bytes: SBC-3, 5.43
	opService       = 0x9e // SERVICE ACTION IN
	opReportLUNs    = 0xa0 // SPC-4, 6.33

	serviceCapacity = 0x10 // READ CAPACITY(16): SBC-3, 5.16

	vpdPages        = 0x00 // SPC-4, 7.8
	vpdSerial       = 0x80
	vpdLimits       = 0xb0 // SBC-3, 6.5.3
	vpdProvisioning = 0xb2 // SBC-3, 6.5.4

	modeCaching = 0x08 // SBC-3, 6.4.5
)

// A cdb is a command descriptor block.
type cdb [32]byte

// inquiry asks what a unit is, or for a page of its vital product data.
func inquiry(vpd bool, page byte, n uint16) (c cdb) {
	c[0], c[2] = opInquiry, page
	if vpd {
		c[1] = 1
	}
	be.PutUint16(c[3:], n)
	return c
}

func reportLUNs(n uint32) (c cdb) {
	c[0] = opReportLUNs
	be.PutUint32(c[6:], n)
	return c
}

func readCapacity(n uint32) (c cdb) {
	c[0], c[1] = opService, serviceCapacity
	be.PutUint32(c[10:], n)
	return c
}

// modeSense asks for a page without block descriptors.
func modeSense(page, n byte) (c cdb) {
	c[0], c[1], c[2], c[4] = opModeSense, 1<<3, page, n
	return c
}

// transfer is READ or WRITE, of 10 bytes where they do: devices of before there were disks of 2 TiB know no others.
func transfer(op disk.Op, block uint64, n uint32) (c cdb) {
	short := block+uint64(n) <= 1<<32 && n <= 0xffff
	switch {
	case op == disk.Read && short:
		c[0] = opRead10
	case op == disk.Read:
		c[0] = opRead16
	case short:
		c[0] = opWrite10
	default:
		c[0] = opWrite16
	}
	if short {
		be.PutUint32(c[2:], uint32(block))
		be.PutUint16(c[7:], uint16(n))
		return c
	}
	be.PutUint64(c[2:], block)
	be.PutUint32(c[10:], n)
	return c
}

// writeSame has a block, which is sent along, written so many times; with unmap the unit may give the blocks back, if they read like that afterwards.
func writeSame(block uint64, n uint32, unmap bool) (c cdb) {
	c[0] = opWriteSame
	if unmap {
		c[1] = 1 << 3
	}
	be.PutUint64(c[2:], block)
	be.PutUint32(c[10:], n)
	return c
}

// unmap names one range by a list, which is written to b, and sent along.
func unmap(b []byte, block uint64, n uint32) (c cdb) {
	be.PutUint16(b, unmapList-2)
	be.PutUint16(b[2:], 16)
	be.PutUint64(b[8:], block)
	be.PutUint32(b[16:], n)
	c[0] = opUnmap
	be.PutUint16(c[7:], unmapList)
	return c
}

// unmapList is how long such a list is: 8 bytes, and 16 for a range.
const unmapList = 24

// An address is a logical unit of a target.
type address struct {
	target uint8
	lun    uint16 // at most 14 bits
}

// put writes it as the device wants it (VIRTIO 1.2, 5.6.6.1): one, the target, and a single level LUN structure.
func (a address) put(b []byte) {
	b[0], b[1] = 1, a.target
	be.PutUint16(b[2:], a.lun|1<<14)
}

// luns reads what REPORT LUNS has answered: units whose addresses have one level (SAM-5, 4.7.6 and 4.7.7).
func luns(b []byte) (list []uint16) {
	if len(b) < 8 {
		return nil
	}
	for e := b[8:min(len(b), 8+int(min(be.Uint32(b), uint32(len(b)))))]; len(e) >= 8; e = e[8:] {
		switch v := be.Uint16(e); v >> 14 {
		case 0: // peripheral device addressing, of bus 0
			if v>>8 == 0 {
				list = append(list, v)
			}
		case 1: // flat space addressing
			list = append(list, v&0x3fff)
		}
	}
	return list
}
