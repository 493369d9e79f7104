package format

// VirtualBox's VDI (version 1.1, as documented by its header fields in VirtualBox's and QEMU's manuals): a header, a map of
// blocks of 1 MiB, and the blocks that are not zero.
const (
	vdiBlock = 1 << 20
	vdiData  = 1 << 20 // where blocks begin in the file
	vdiZero  = 0xffffffff
)

func vdi(d *disk, seed []byte) []byte {
	n := int((d.size + vdiBlock - 1) / vdiBlock)
	out := make([]byte, vdiData)
	used := uint32(0)
	for i := range n {
		entry := uint32(vdiZero)
		if block := d.piece(int64(i)*vdiBlock, vdiBlock); block != nil {
			entry = used
			used++
			out = append(out, block...)
		}
		le.PutUint32(out[0x200+4*i:], entry)
	}
	copy(out, "<<< Hardtack VDI >>>\n")
	put := func(at int, v uint32) { le.PutUint32(out[at:], v) }
	put(0x40, 0xbeda107f)
	put(0x44, 0x00010001)
	put(0x48, 0x190) // size of the header
	put(0x4c, 1)     // dynamic
	put(0x154, 0x200)
	put(0x158, vdiData)
	put(0x168, sector)
	le.PutUint64(out[0x170:], uint64(d.size))
	put(0x178, vdiBlock)
	put(0x180, uint32(n))
	put(0x184, used)
	a, b := derive(seed, "vdi"), derive(seed, "vdi snapshot")
	copy(out[0x188:], a[:])
	copy(out[0x198:], b[:])
	return out
}
