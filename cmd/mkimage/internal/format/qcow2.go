package format

import "encoding/binary"

// QEMU's qcow2 (QEMU, docs/interop/qcow2.txt), version 3: a header, a table of reference counts, a table of tables of clusters,
// and the clusters that are not zero. Numbers are big-endian.
const (
	qcowBits    = 16
	qcowCluster = 1 << qcowBits
	qcowCopied  = 1 << 63 // refcount is exactly one
)

func qcow2(d *disk) []byte {
	n := int((d.size + qcowCluster - 1) / qcowCluster)
	const perTable = qcowCluster / 8
	tables := (n + perTable - 1) / perTable
	// Clusters: 0 header, 1 refcount table, then refcount blocks, L1, L2 tables, data. A block counts 32 768 clusters.
	l1 := (tables*8 + qcowCluster - 1) / qcowCluster
	most := 2 + l1 + tables + n
	blocks := 1
	for blocks*qcowCluster/2 < most+blocks {
		blocks++
	}
	at := 2 + blocks
	out := make([]byte, (at+l1+tables)*qcowCluster)
	be := binary.BigEndian
	l1At, l2At := at*qcowCluster, (at+l1)*qcowCluster
	for i := range tables {
		be.PutUint64(out[l1At+8*i:], uint64(l2At+i*qcowCluster)|qcowCopied)
	}
	for i := range n {
		cluster := d.piece(int64(i)*qcowCluster, qcowCluster)
		if cluster == nil {
			continue
		}
		be.PutUint64(out[l2At+8*i:], uint64(len(out))|qcowCopied)
		out = append(out, cluster...)
	}
	copy(out, "QFI\xfb")
	be.PutUint32(out[4:], 3)
	be.PutUint32(out[20:], qcowBits)
	be.PutUint64(out[24:], uint64(d.size))
	be.PutUint32(out[36:], uint32(tables))
	be.PutUint64(out[40:], uint64(l1At))
	be.PutUint64(out[48:], qcowCluster) // refcount table
	be.PutUint32(out[56:], 1)
	be.PutUint32(out[96:], 4) // refcounts of 16 bits
	be.PutUint32(out[100:], 104)
	for i := range blocks {
		be.PutUint64(out[qcowCluster+8*i:], uint64((2+i)*qcowCluster))
	}
	for i := range len(out) / qcowCluster {
		be.PutUint16(out[2*qcowCluster+2*i:], 1)
	}
	return out
}

// zero reports whether all bytes are.
func zero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
