package format

import (
	"encoding/binary"
	"time"
)

// Microsoft's VHD (Virtual Hard Disk Image Format Specification 1.0), fixed: the disk, and a footer. Azure wants whole MiB,
// which raw disks are. The footer's numbers are big-endian.
func vhd(d *disk, s Source) []byte {
	out := make([]byte, d.size, d.size+sector)
	copy(out, d.head)
	copy(out[d.size-int64(len(d.tail)):], d.tail)
	f := make([]byte, 512)
	be := binary.BigEndian
	copy(f, "conectix")
	be.PutUint32(f[8:], 2)        // features: the reserved bit
	be.PutUint32(f[12:], 0x10000) // version
	be.PutUint64(f[16:], ^uint64(0))
	be.PutUint32(f[24:], uint32(max(s.Time.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Seconds(), 0)))
	copy(f[28:], "win ") // Hyper-V, whose readers go by the size, not by the geometry, which rounds it
	be.PutUint32(f[32:], 0x10000)
	copy(f[36:], "Wi2k")
	be.PutUint64(f[40:], uint64(d.size))
	be.PutUint64(f[48:], uint64(d.size))
	c, h, sec := vhdGeometry(d.size / sector)
	be.PutUint16(f[56:], uint16(c))
	f[58], f[59] = byte(h), byte(sec)
	be.PutUint32(f[60:], 2) // fixed
	id := derive(s.ELF, "vhd")
	copy(f[68:], id[:])
	sum := uint32(0)
	for _, b := range f {
		sum += uint32(b)
	}
	be.PutUint32(f[64:], ^sum)
	return append(out, f...)
}

// vhdGeometry computes cylinders, heads and sectors a track (specification, appendix).
func vhdGeometry(total int64) (cylinders, heads, sectors int64) {
	total = min(total, 65535*16*255)
	if total >= 65535*16*63 {
		return total / (16 * 255), 16, 255
	}
	sectors = 17
	ch := total / sectors
	heads = max((ch+1023)/1024, 4)
	if ch >= heads*1024 || heads > 16 {
		sectors, heads = 31, 16
		ch = total / sectors
	}
	if ch >= heads*1024 {
		sectors, heads = 63, 16
		ch = total / sectors
	}
	return ch / heads, heads, sectors
}
