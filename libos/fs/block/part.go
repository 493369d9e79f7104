package block

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
)

// A Partition is a part of a device.
type Partition struct {
	Device          // the whole
	Number int      // as in the table, from 1 on
	Name   string   // as in a GUID partition table: ASCII, with ? for what is not
	GPT    bool     // how the table is
	GUID   [16]byte // its unique one, as it lies in a GUID partition table
	at     int64
	size   int64
	info   Info
	counts counts
}

var le = binary.LittleEndian

// Partitions finds the partitions of a device: those of a GUID partition table ("GPT": UEFI 2.10, 5.3), or those of a master boot record (5.2.1): the primary ones, and the logical ones of an extended
// one, from number 5 on, as Linux counts them. The extended one itself is none. Those that are empty, or not inside, or
// not of whole blocks, are left out; there are none where the device has no table that makes sense. Which bytes are whose is all that is looked at.
//
// Error: that of a read without which not all are known. The list has those that are.
func Partitions(dev Device) (list []*Partition, err error) {
	in := dev.Info()
	n := int64(max(512, in.BlockSize))
	if in.Size < 2*n {
		return nil, nil
	}
	b := make([]byte, n)
	if err := dev.Read([][]byte{b}, 0); err != nil || b[510] != 0x55 || b[511] != 0xaa {
		return nil, err
	}
	add := func(number int, name string, gpt bool, guid [16]byte, first, blocks uint64) {
		if blocks == 0 || first == 0 || first > uint64(in.Size/n) || blocks > uint64(in.Size/n)-first {
			return
		}
		p := &Partition{Device: dev, Number: number, Name: name, GPT: gpt, GUID: guid, at: int64(first) * n, size: int64(blocks) * n, info: in}
		p.info.Size = p.size
		p.info.Name += ", partition " + strconv.Itoa(number)
		if in.ID != "" {
			p.info.ID += "p" + strconv.Itoa(number)
		}
		list = append(list, p)
	}
	var extended []uint64
	for i := range 4 {
		e := b[tableAt+16*i:]
		switch e[4] {
		case 0:
		case 0xee:
			table, err := entries(dev, n)
			for i, e := range table {
				if first, last := le.Uint64(e[32:]), le.Uint64(e[40:]); [16]byte(e) != [16]byte{} && last >= first && last < 1<<62 {
					add(i+1, partitionName(e[56:128]), true, [16]byte(e[16:]), first, last-first+1)
				}
			}
			return list, err
		default:
			if e[0]&0x7f != 0 { // no table, but a boot sector's code
				return nil, nil
			}
			if first, blocks := uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:])); isExtended(e) {
				extended = append(extended, first)
			} else {
				add(i+1, "", false, [16]byte{}, first, blocks)
			}
		}
	}
	number := 5
	for _, first := range extended {
		chain, failed := logical(dev, n, first)
		if failed != nil {
			err = failed
		}
		for _, p := range chain {
			add(number, "", false, [16]byte{}, p[0], p[1])
			number++
		}
	}
	return list, err
}

// tableAt is where four entries of 16 bytes lie in a master boot record.
const tableAt = 446

// isExtended says whether an entry of a master boot record is that of an extended partition.
func isExtended(e []byte) bool { return e[4] == 0x05 || e[4] == 0x0f || e[4] == 0x85 }

// maxLogical is how many logical partitions there can be, as on Linux: a chain that leads back to itself ends.
const maxLogical = 100

// logical gives first block and length of the logical partitions in an extended one. Each has a table like a master boot record's in front, whose first entry is the partition, counted from the table, and whose second one the
// next table, counted from the extended partition. The chain ends where one cannot be read, which is an error, or makes no sense.
func logical(dev Device, n int64, first uint64) (list [][2]uint64, err error) {
	b := make([]byte, n)
	for at := first; at != 0 && at < uint64(dev.Info().Size/n) && len(list) < maxLogical; {
		if err := dev.Read([][]byte{b}, int64(at)*n); err != nil {
			return list, err
		}
		if b[510] != 0x55 || b[511] != 0xaa {
			break
		}
		next := uint64(0)
		for _, e := range [][]byte{b[tableAt:], b[tableAt+16:]} {
			start, blocks := uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:]))
			switch {
			case blocks == 0 || start == 0:
			case !isExtended(e):
				list = append(list, [2]uint64{at + start, blocks})
			case next == 0:
				next = first + start
			}
		}
		if next == at {
			break
		}
		at = next
	}
	return list, nil
}

// partitionName reads UTF-16.
func partitionName(b []byte) string {
	var name []byte
	for ; len(b) > 0 && le.Uint16(b) != 0; b = b[2:] {
		c := byte('?')
		if u := le.Uint16(b); u >= ' ' && u <= '~' {
			c = byte(u)
		}
		name = append(name, c)
	}
	return string(name)
}

// entries are those of a GPT: of the first header, or the one at the end. Where neither is whole, an error is of a read that one of them may be missing for.
func entries(dev Device, n int64) (list [][]byte, failed error) {
	for _, at := range []int64{n, dev.Info().Size&^(n-1) - n} {
		h := make([]byte, n)
		if err := dev.Read([][]byte{h}, at); err != nil {
			failed = err
			continue
		}
		if string(h[:8]) != "EFI PART" {
			continue
		}
		size := le.Uint32(h[12:])
		if size < 92 || int64(size) > n {
			continue
		}
		right := le.Uint32(h[16:])
		clear(h[16:20])
		count, each, where := int64(le.Uint32(h[80:])), int64(le.Uint32(h[84:])), le.Uint64(h[72:])
		if crc32.ChecksumIEEE(h[:size]) != right || each < 128 || each > 4096 || each&(each-1) != 0 || count > 1024 || where > uint64(dev.Info().Size/n) {
			continue
		}
		table := make([]byte, (count*each+n-1)/n*n)
		if int64(where)*n+int64(len(table)) > dev.Info().Size {
			continue
		}
		if err := dev.Read([][]byte{table}, int64(where)*n); err != nil {
			failed = err
			continue
		}
		if crc32.ChecksumIEEE(table[:count*each]) != le.Uint32(h[88:]) {
			continue
		}
		for i := range count {
			list = append(list, table[i*each:(i+1)*each])
		}
		return list, nil
	}
	return nil, failed
}

// UUID is the unique GUID as people write it, in lower case (RFC 9562; UEFI 2.10, appendix A: the first three fields lie little-endian).
func (p *Partition) UUID() string {
	var text []byte
	for i, at := range [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		const digits = "0123456789abcdef"
		text = append(text, digits[p.GUID[at]>>4], digits[p.GUID[at]&15])
	}
	return string(text)
}

// Start is where it begins on the whole, bytes.
func (p *Partition) Start() int64 { return p.at }

// Use tells what was done to the partition by this value since it was found: in requests where the whole is a Disk, else in calls. Flushes are the whole's. It does not block.
func (p *Partition) Use() Use { return p.counts.use() }

// Info implements Device.
func (p *Partition) Info() Info { return p.info }

// Read implements Device.
func (p *Partition) Read(vec [][]byte, off int64) error {
	if err := p.info.Check(off, Len(vec)); err != nil {
		return err
	}
	if d, ok := p.Device.(*Disk); ok {
		return d.transfer(&p.counts, disk.Read, Piece{vec, p.at + off})
	}
	defer p.counts.end(disk.Read, uint64(Len(vec)), p.counts.begin(1))
	return p.Device.Read(vec, p.at+off)
}

// Write implements Device.
func (p *Partition) Write(vec [][]byte, off int64) error { return p.WriteAll([]Piece{{vec, off}}) }

// WriteAll implements Gatherer.
func (p *Partition) WriteAll(list []Piece) error {
	there := make([]Piece, len(list))
	for i, x := range list {
		if err := p.info.Check(x.Off, Len(x.Vec)); err != nil {
			return err
		}
		there[i] = Piece{x.Vec, p.at + x.Off}
	}
	if d, ok := p.Device.(*Disk); ok {
		return d.transfer(&p.counts, disk.Write, there...)
	}
	began := p.counts.begin(len(list))
	defer func() {
		for _, x := range list {
			p.counts.end(disk.Write, uint64(Len(x.Vec)), began)
			began = exo.Now() // the time of all is counted once: when each ended nobody knows
		}
	}()
	return WriteAll(p.Device, there)
}

// Discard implements Device.
func (p *Partition) Discard(off, n int64) error {
	if err := p.info.Check(off, n); err != nil {
		return err
	}
	if d, ok := p.Device.(*Disk); ok {
		return d.discard(&p.counts, p.at+off, n)
	}
	defer p.counts.end(disk.Discard, uint64(n), p.counts.begin(1))
	return p.Device.Discard(p.at+off, n)
}

// Close implements Device: the whole stays open.
func (p *Partition) Close() error { return nil }
