package format

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"github.com/hardtack-os/hardtack/libos/boot/slot"
)

// A Partition is a part of a disk.
type Partition struct {
	Name  string
	Kind  string // "BIOS boot", "EFI system", "Hardtack files", "Hardtack data", or a GUID
	First int64  // sector of 512 bytes
	Size  int64  // in sectors

	entry  int  // in the table
	unique guid // its GUID
}

// A File is what Open finds in an image file.
type File struct {
	Format     string
	Size       int64       // of the disk, for formats that hold one
	Partitions []Partition // of the disk
	Slots      []Slot      // of the disk; none where it has none
	ELF        []byte      // the image
}

// ErrUnknown is returned for a file that is in none of the formats.
var ErrUnknown = errors.New("in no format that mkimage writes")

// maxImage bounds what Open takes for an image: it is linked below 4 GiB, and the loaders' boot tables map the first GiB.
const maxImage = 1 << 30

// Open finds the image in a file of any format. Damaged files give errors; what is read into memory is bounded by maxImage.
func Open(b []byte) (*File, error) {
	switch {
	case bytes.HasPrefix(b, []byte(elf.ELFMAG)):
		return &File{Format: "elf", ELF: b}, nil
	case len(b) > bzHeaderEnd && string(b[bzMagic:bzMagic+4]) == "HdrS":
		return inside("bzimage", bzPayload(b))
	case bytes.HasPrefix(b, []byte("MZ")):
		return inside("efi", efiPayload(b))
	case len(b) > isoDesc*isoBlock+6 && string(b[isoDesc*isoBlock:][:6]) == "\x01CD001":
		return openDisk("iso", bytes.NewReader(b), int64(len(b)), 512)
	case bytes.HasPrefix(b, []byte("QFI\xfb")):
		r, size, err := openQcow2(b)
		if err != nil {
			return nil, err
		}
		return openDisk("qcow2", r, size, 0)
	case bytes.HasPrefix(b, []byte("KDMV")):
		r, size, err := openVMDK(b)
		if err != nil {
			return nil, err
		}
		return openDisk("vmdk", r, size, 0)
	case len(b) > 0x200 && le.Uint32(b[0x40:]) == 0xbeda107f:
		r, size, err := openVDI(b)
		if err != nil {
			return nil, err
		}
		return openDisk("vdi", r, size, 0)
	case len(b) > 512 && string(b[len(b)-512:][:8]) == "conectix":
		n := int64(len(b) - 512)
		return openDisk("vhd", bytes.NewReader(b[:n]), n, 0)
	case bytes.HasPrefix(b, []byte("\x1f\x8b")):
		return openTarball(b)
	case len(b) > 512 && string(b[257:262]) == "ustar":
		return openOVA(b)
	case len(b) > 1024 && string(b[512:520]) == "EFI PART":
		return openDisk("raw", bytes.NewReader(b), int64(len(b)), 0)
	}
	return nil, ErrUnknown
}

func inside(format string, image []byte) (*File, error) {
	if image == nil {
		return nil, fmt.Errorf("%w: damaged, or another's", ErrUnknown)
	}
	return &File{Format: format, ELF: image}, nil
}

// openDisk reads the partition table, and the image by what the loader for a BIOS knows, which lies skip bytes behind the
// beginning of its partition.
func openDisk(format string, r io.ReaderAt, size, skip int64) (*File, error) {
	f := &File{Format: format, Size: size}
	read := func(at, n int64) ([]byte, error) {
		if at < 0 || n < 0 || n > maxImage || at > size || n > size-at {
			return nil, fmt.Errorf("%s: damaged: %d bytes at %d of %d", format, n, at, size)
		}
		b, err := io.ReadAll(io.NewSectionReader(r, at, n)) // grows with what is there
		if err == nil && int64(len(b)) != n {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", format, err)
		}
		return b, nil
	}
	var err error
	if f.Partitions, err = readGPT(r, size); err != nil {
		return nil, fmt.Errorf("%s: %w", format, err)
	}
	var loader int64
	for _, p := range f.Partitions {
		if p.Kind == kindBIOS {
			loader = p.First*sector + skip
		}
	}
	if loader == 0 {
		return nil, fmt.Errorf("%s: %w: the disk has no partition of ours", format, ErrUnknown)
	}
	all, err := read(loader+biosState, biosFields+24-biosState)
	if err != nil {
		return nil, err
	}
	fields := all[biosFields-biosState:]
	block, n, hash := le.Uint64(fields), int64(le.Uint32(fields[8:])), le.Uint32(fields[12:])
	if n == 0 && le.Uint64(all) != 0 {
		return f, f.slots(read, all)
	}
	if block > uint64(size/sector) {
		return nil, fmt.Errorf("%s: damaged: the image lies outside of the disk", format)
	}
	if f.ELF, err = read(int64(block)*sector, n); err != nil {
		return nil, err
	}
	if n == 0 || n%16 != 0 || slot.Sum(f.ELF) != hash {
		return nil, fmt.Errorf("%s: the image is damaged", format)
	}
	return f, nil
}

const (
	kindBIOS  = "BIOS boot"
	kindESP   = "EFI system"
	kindData  = "Hardtack data"
	kindFiles = "Hardtack files"
)

var errNoTable = fmt.Errorf("%w: the disk has no partition table", ErrUnknown)

// readGPT reads the partition table at the beginning of a disk.
func readGPT(r io.ReaderAt, size int64) (list []Partition, err error) {
	table := make([]byte, gptFirst*sector)
	if size < int64(len(table)) {
		return nil, errNoTable
	}
	if _, err := r.ReadAt(table, 0); err != nil {
		return nil, err
	}
	if string(table[512:520]) != "EFI PART" {
		return nil, errNoTable
	}
	for i := range gptEntries {
		e := table[2*sector+i*gptEntrySize:][:gptEntrySize]
		var kind guid
		copy(kind[:], e)
		if kind == (guid{}) {
			continue
		}
		p := Partition{First: int64(le.Uint64(e[32:])), Kind: kind.String(), entry: i, unique: guid(e[16:])}
		p.Size = int64(le.Uint64(e[40:])) - p.First + 1
		if p.First < 0 || p.Size < 0 || p.First > size/sector || p.Size > size/sector-p.First {
			return nil, errors.New("damaged: a partition lies outside of the disk")
		}
		var name []uint16
		for i := 56; i < gptEntrySize && le.Uint16(e[i:]) != 0; i += 2 {
			name = append(name, le.Uint16(e[i:]))
		}
		p.Name = string(utf16.Decode(name))
		switch kind {
		case gptBIOS:
			p.Kind = kindBIOS
		case gptESP:
			p.Kind = kindESP
		case gptData:
			p.Kind = kindData
		case gptFile:
			p.Kind = kindFiles
		}
		list = append(list, p)
	}
	return list, nil
}

// String writes a GUID as people do.
func (g guid) String() string {
	return fmt.Sprintf("%08X-%04X-%04X-%X-%X", le.Uint32(g[:]), le.Uint16(g[4:]), le.Uint16(g[6:]), g[8:10], g[10:])
}

// blocks is a disk of blocks of one size, found one by one. A block that is not there is zeroes.
type blocks struct {
	size, block int64
	get         func(i int64) ([]byte, error) // nil for zeroes; may be shorter than a block, whose rest are zeroes
}

// ReadAt implements [io.ReaderAt].
func (d blocks) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= d.size {
			return n, io.EOF
		}
		b, err := d.get(at / d.block)
		if err != nil {
			return n, err
		}
		from := at % d.block
		part := p[n:min(int64(len(p)), int64(n)+min(d.block-from, d.size-at))]
		clear(part)
		if from < int64(len(b)) {
			copy(part, b[from:])
		}
		n += len(part)
	}
	return n, nil
}

var errDamaged = errors.New("damaged: a block lies outside of the file")

// slice returns n bytes of a file, or as many as are there.
func slice(b []byte, at, n uint64) ([]byte, error) {
	if at >= uint64(len(b)) {
		return nil, errDamaged
	}
	return b[at:min(at+n, uint64(len(b)))], nil
}

func openQcow2(b []byte) (io.ReaderAt, int64, error) {
	be := binary.BigEndian
	if len(b) < 104 || be.Uint32(b[20:]) != qcowBits {
		return nil, 0, fmt.Errorf("qcow2: %w: it has other clusters", ErrUnknown)
	}
	size, l1, n := be.Uint64(b[24:]), be.Uint64(b[40:]), uint64(be.Uint32(b[36:]))
	if size > 1<<50 {
		return nil, 0, errors.New("qcow2: damaged: too large")
	}
	const mask = 1<<56 - 1<<9
	return blocks{int64(size), qcowCluster, func(i int64) ([]byte, error) {
		const perTable = qcowCluster / 8
		if uint64(i)/perTable >= n {
			return nil, errDamaged
		}
		entry, err := slice(b, l1+uint64(i)/perTable*8, 8)
		if err != nil || len(entry) < 8 {
			return nil, errDamaged
		}
		table := be.Uint64(entry) & mask
		if table == 0 {
			return nil, nil
		}
		if entry, err = slice(b, table+uint64(i)%perTable*8, 8); err != nil || len(entry) < 8 {
			return nil, errDamaged
		}
		v := be.Uint64(entry)
		if v>>62&1 != 0 || v&1 != 0 {
			return nil, errors.New("qcow2: clusters that mkimage does not write")
		}
		if v&mask == 0 {
			return nil, nil
		}
		return slice(b, v&mask, qcowCluster)
	}}, int64(size), nil
}

func openVDI(b []byte) (io.ReaderAt, int64, error) {
	if len(b) < 0x200 {
		return nil, 0, errDamaged
	}
	size, table, data, n := le.Uint64(b[0x170:]), uint64(le.Uint32(b[0x154:])), uint64(le.Uint32(b[0x158:])), int64(le.Uint32(b[0x180:]))
	if le.Uint32(b[0x178:]) != vdiBlock || size > 1<<50 {
		return nil, 0, fmt.Errorf("vdi: %w: it has other blocks", ErrUnknown)
	}
	return blocks{int64(size), vdiBlock, func(i int64) ([]byte, error) {
		if i >= n {
			return nil, errDamaged
		}
		entry, err := slice(b, table+uint64(i)*4, 4)
		if err != nil || len(entry) < 4 {
			return nil, errDamaged
		}
		v := le.Uint32(entry)
		if v >= vdiZero-1 {
			return nil, nil
		}
		return slice(b, data+uint64(v)*vdiBlock, vdiBlock)
	}}, int64(size), nil
}

func openVMDK(b []byte) (io.ReaderAt, int64, error) {
	if len(b) < 4*sector {
		return nil, 0, errDamaged
	}
	foot := b[len(b)-2*sector:]
	capacity, gd := le.Uint64(foot[12:]), le.Uint64(foot[56:])
	if string(foot[:4]) != "KDMV" || le.Uint64(foot[20:]) != vmdkGrain || le.Uint32(foot[44:]) != vmdkPerGT || capacity > 1<<41 {
		return nil, 0, fmt.Errorf("vmdk: %w: it is not stream-optimised as ours are", ErrUnknown)
	}
	entry := func(block, i uint64) (uint64, error) {
		if block > uint64(len(b)/sector) {
			return 0, errDamaged
		}
		e, err := slice(b, block*sector+4*i, 4)
		if err != nil || len(e) < 4 {
			return 0, errDamaged
		}
		return uint64(le.Uint32(e)), nil
	}
	size := int64(capacity * sector)
	last, lastGrain := int64(-1), []byte(nil)
	return blocks{size, vmdkGrain * sector, func(i int64) ([]byte, error) {
		if i == last {
			return lastGrain, nil
		}
		table, err := entry(gd, uint64(i)/vmdkPerGT)
		if err != nil || table == 0 {
			return nil, err
		}
		at, err := entry(table, uint64(i)%vmdkPerGT)
		if err != nil || at == 0 {
			return nil, err
		}
		head, err := slice(b, at*sector, 12)
		if err != nil || len(head) < 12 {
			return nil, errDamaged
		}
		small, err := slice(b, at*sector+12, uint64(le.Uint32(head[8:])))
		if err != nil {
			return nil, err
		}
		z, err := zlib.NewReader(bytes.NewReader(small))
		if err != nil {
			return nil, fmt.Errorf("vmdk: %w", err)
		}
		grain, err := io.ReadAll(io.LimitReader(z, vmdkGrain*sector))
		if err != nil {
			return nil, fmt.Errorf("vmdk: %w", err)
		}
		last, lastGrain = i, grain
		return grain, nil
	}}, size, nil
}

// ahead is a stream that can be read at any place that is not too far: it keeps what it has read.
type ahead struct {
	r    io.Reader
	seen []byte
}

// ReadAt implements [io.ReaderAt].
func (a *ahead) ReadAt(p []byte, off int64) (int, error) {
	if need := off + int64(len(p)) - int64(len(a.seen)); need > 0 {
		if off+int64(len(p)) > maxImage {
			return 0, errors.New("damaged: the image lies too far behind")
		}
		more, err := io.ReadAll(io.LimitReader(a.r, need))
		a.seen = append(a.seen, more...)
		if err != nil {
			return 0, err
		}
	}
	if off >= int64(len(a.seen)) {
		return 0, io.EOF
	}
	n := copy(p, a.seen[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func openTarball(b []byte) (*File, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("gce: %w", err)
	}
	t := tar.NewReader(z)
	h, err := t.Next()
	if err != nil {
		return nil, fmt.Errorf("gce: %w", err)
	}
	if h.Name != "disk.raw" {
		return nil, fmt.Errorf("gce: %w: no disk.raw in it", ErrUnknown)
	}
	return openDisk("gce", &ahead{r: t}, h.Size, 0)
}

func openOVA(b []byte) (*File, error) {
	t := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil, fmt.Errorf("ova: %w: no disk in it", ErrUnknown)
		}
		if err != nil {
			return nil, fmt.Errorf("ova: %w", err)
		}
		if !strings.HasSuffix(h.Name, ".vmdk") {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(t, min(h.Size, int64(len(b)))))
		if err != nil {
			return nil, fmt.Errorf("ova: %w", err)
		}
		if !bytes.HasPrefix(data, []byte("KDMV")) {
			return nil, fmt.Errorf("ova: %w: its disk is no VMDK", ErrUnknown)
		}
		r, size, err := openVMDK(data)
		if err != nil {
			return nil, err
		}
		return openDisk("ova", r, size, 0)
	}
}
