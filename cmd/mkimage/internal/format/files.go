package format

import (
	"errors"
	"fmt"
	"io"
)

// filesName is the partition that an image's files are in.
func filesName(slot string) string {
	if slot == "" {
		return "files"
	}
	return "files " + slot
}

// filePartitions are those of a disk that is laid anew, without their places. A slot's has room for twice as much as the first image has.
func filePartitions(s Source) (list []partition) {
	if s.Slot == "" {
		return []partition{{gptFile, filesName(""), 0, int64(align(max(uint64(len(s.Files)), 1), 1<<20)) / sector, s.FilesID}}
	}
	room := int64(align(max(2*uint64(len(s.Files)), 1), 1<<20)) / sector
	for _, name := range []string{"A", "B"} {
		p := partition{gptFile, filesName(name), 0, room, s.FilesID}
		if name != s.Slot {
			p.unique = derive(s.FilesID[:], "the other slot's")
		}
		list = append(list, p)
	}
	return list
}

// FilesID is the unique GUID of a new partition for the files of an image in a slot, "" for a disk without slots.
func FilesID(files []byte, slot string) [16]byte { return derive(files, filesName(slot)) }

// DataID is the unique GUID of the data partition that comes with a program's first image.
func DataID(program []byte) [16]byte { return derive(program, "partition data") }

// GUIDText writes a GUID as people do.
func GUIDText(id [16]byte) string { return guid(id).String() }

// IDs are the unique GUIDs of a disk's partitions that stay when an image is put there. Zero where there is none.
type IDs struct {
	Data  [16]byte
	Files [16]byte // the slot's
}

// ReadIDs looks at a raw disk that is there already, for an image without a slot or in one. What is no disk has none: who writes there will say what is wrong with it.
func ReadIDs(r io.ReaderAt, size int64, slot string) (ids IDs) {
	if data, err := dataPartition(r, size); err == nil && data != nil {
		ids.Data = data.unique
	}
	loader, parts, err := readLoader(r, size)
	if slot == "" || err != nil || le.Uint64(loader[biosState:]) == 0 {
		return ids
	}
	for _, p := range parts {
		if p.Kind == kindFiles && p.Name == filesName(slot) {
			ids.Files = p.unique
		}
	}
	return ids
}

// errChanged is returned for a disk whose data partition is not the one that the image was told of.
var errChanged = errors.New("its data partition is another one than a moment ago")

// changed reports whether an image knows another data partition.
func (s Source) changed(id guid) bool { return s.DataID != [16]byte{} && s.DataID != id }

// fitFiles finds where on a disk the files of an image in a slot belong, which must have room for them.
func fitFiles(parts []Partition, s Source) (at int64, err error) {
	for _, p := range parts {
		if p.Kind != kindFiles || p.Name != filesName(s.Slot) || p.unique != s.FilesID {
			continue
		}
		if room := p.Size * sector; int64(len(s.Files)) > room {
			return 0, fmt.Errorf("the files have %d bytes, and their partition has room for %d", len(s.Files), room)
		}
		return p.First * sector, nil
	}
	return 0, fmt.Errorf("it has no partition %q: leave the files in the image, or make the disk anew, in another file", filesName(s.Slot))
}
