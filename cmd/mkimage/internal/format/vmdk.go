package format

import (
	"bytes"
	"compress/zlib"
	"fmt"
)

// VMware's stream-optimised VMDK (Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents"): a header, a
// descriptor in text, grains of 64 KiB compressed one by one with a marker before each, tables of grains, their directory, and
// the header again, which says where that is.
const (
	vmdkGrain   = 128 // sectors
	vmdkPerGT   = 512 // entries of a grain table
	vmdkHead    = 128 // sectors before the first grain
	vmdkEOS     = 0
	vmdkGT      = 1
	vmdkGD      = 2
	vmdkFooter  = 3
	vmdkFlags   = 1 | 1<<16 | 1<<17 // newlines can be tested; compressed grains; markers
	vmdkAtEnd   = ^uint64(0)
	vmdkDeflate = 1
)

func vmdk(d *disk, seed []byte, name string) ([]byte, error) {
	const grain = vmdkGrain * sector
	capacity := align(uint64(d.size), grain) / sector
	out := make([]byte, vmdkHead*sector)
	copy(out[sector:vmdkHead*sector], vmdkDescriptor(seed, name, int64(capacity)))

	pad := func() { out = append(out, make([]byte, -len(out)&(sector-1))...) }
	marker := func(kind uint32, sectors uint64) {
		m := make([]byte, sector)
		le.PutUint64(m, sectors)
		le.PutUint32(m[12:], kind)
		out = append(out, m...)
	}
	var directory []uint32
	for at := int64(0); at < d.size; at += grain * vmdkPerGT {
		table := make([]byte, vmdkPerGT*4)
		any := false
		for i := range vmdkPerGT {
			from := at + int64(i)*grain
			data := d.piece(from, grain)
			if data == nil {
				continue
			}
			any = true
			le.PutUint32(table[4*i:], uint32(len(out)/sector))
			var small bytes.Buffer
			z := zlib.NewWriter(&small)
			if _, err := z.Write(data); err != nil {
				return nil, err
			}
			if err := z.Close(); err != nil {
				return nil, err
			}
			out = le.AppendUint64(out, uint64(from/sector))
			out = le.AppendUint32(out, uint32(small.Len()))
			out = append(out, small.Bytes()...)
			pad()
		}
		if !any {
			directory = append(directory, 0)
			continue
		}
		marker(vmdkGT, uint64(len(table)/sector))
		directory = append(directory, uint32(len(out)/sector))
		out = append(out, table...)
	}
	marker(vmdkGD, align(uint64(len(directory)*4), sector)/sector)
	gd := uint64(len(out) / sector)
	for _, e := range directory {
		out = le.AppendUint32(out, e)
	}
	pad()
	marker(vmdkFooter, 1)
	out = append(out, vmdkHeader(capacity, gd)...)
	marker(vmdkEOS, 0)
	copy(out, vmdkHeader(capacity, vmdkAtEnd))
	return out, nil
}

// vmdkHeader writes a SparseExtentHeader.
func vmdkHeader(capacity, gd uint64) []byte {
	h := make([]byte, sector)
	copy(h, "KDMV")
	le.PutUint32(h[4:], 3)
	le.PutUint32(h[8:], vmdkFlags)
	le.PutUint64(h[12:], capacity)
	le.PutUint64(h[20:], vmdkGrain)
	le.PutUint64(h[28:], 1)          // descriptor
	le.PutUint64(h[36:], vmdkHead-1) // its size
	le.PutUint32(h[44:], vmdkPerGT)
	le.PutUint64(h[56:], gd)
	le.PutUint64(h[64:], vmdkHead)
	copy(h[73:], "\n \r\n")
	le.PutUint16(h[77:], vmdkDeflate)
	return h
}

func vmdkDescriptor(seed []byte, name string, capacity int64) string {
	id := derive(seed, "vmdk")
	return fmt.Sprintf(`# Disk DescriptorFile
version=1
CID=%08x
parentCID=ffffffff
createType="streamOptimized"

RDONLY %d SPARSE "%s.vmdk"

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "%d"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.virtualHWVersion = "10"
`, le.Uint32(id[:])|1, capacity, name, max(capacity/(255*63), 1))
}
