package format

import (
	"bytes"
	"strings"
	"testing"
)

// filesOf are n bytes for a partition of files.
func filesOf(n int, salt byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8)*7 ^ byte(i) ^ salt
	}
	return b
}

// part is a disk's partition of a name.
func part(t *testing.T, disk []byte, name string) Partition {
	t.Helper()
	f, err := Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Partitions {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no partition %q: %+v", name, f.Partitions)
	return Partition{}
}

// TestFilesPartition: files lie where the table says, under the GUID that the image knows, in every format of a disk, before the data.
func TestFilesPartition(t *testing.T) {
	s := source()
	s.Files, s.Data = filesOf(3<<19, 1), 1<<20
	s.FilesID, s.DataID = FilesID(s.Files, ""), DataID(s.ELF)
	disk, err := raw(s)
	if err != nil {
		t.Fatal(err)
	}
	p := part(t, disk, "files")
	if p.Kind != kindFiles || p.Size != 2<<20/sector || p.unique != s.FilesID || !bytes.Equal(disk[p.First*sector:][:len(s.Files)], s.Files) {
		t.Errorf("%+v", p)
	}
	if d := part(t, disk, "data"); d.First < p.First+p.Size || d.unique != s.DataID {
		t.Errorf("%+v", d)
	}
	if ids := ReadIDs(bytes.NewReader(disk), int64(len(disk)), ""); ids != (IDs{Data: s.DataID}) {
		t.Errorf("%+v", ids)
	}
	for _, f := range Formats {
		switch out, err := f.Make(s); {
		case !f.Disk:
			if err == nil {
				t.Errorf("%s has a partition for files", f.Name)
			}
		case err != nil:
			t.Errorf("%s: %v", f.Name, err)
		default:
			if got, err := Open(out); err != nil || !bytes.Equal(got.ELF, s.ELF) || len(got.Partitions) != 4 {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
	}
	// Another image over it: the data stay, the files are the new one's.
	next := Source{ELF: s.ELF, Files: filesOf(1<<20, 2), FilesID: [16]byte{3}, DataID: s.DataID}
	if err := Rewrite(memory(disk), int64(len(disk)), next); err != nil {
		t.Fatal(err)
	}
	if p := part(t, disk, "files"); p.unique != next.FilesID || !bytes.Equal(disk[p.First*sector:][:len(next.Files)], next.Files) || part(t, disk, "data").unique != s.DataID {
		t.Errorf("%+v", p)
	}
	next.DataID[0]++
	was := bytes.Clone(disk)
	if err := Rewrite(memory(disk), int64(len(disk)), next); err != errChanged || !bytes.Equal(was, disk) {
		t.Errorf("a disk whose data partition was changed: %v", err)
	}
}

// TestFilesOfSlots: each slot has its own, and wherever putting others is broken off, what the disk boots finds its files whole.
func TestFilesOfSlots(t *testing.T) {
	first := source()
	first.Slot, first.Files = "A", filesOf(3<<19, 1)
	first.FilesID = FilesID(first.Files, "A")
	disk, err := raw(first)
	if err != nil {
		t.Fatal(err)
	}
	if ids := ReadIDs(bytes.NewReader(disk), int64(len(disk)), "A"); ids != (IDs{Files: first.FilesID}) {
		t.Errorf("%+v", ids)
	}
	put := first
	for i, name := range []string{"B", "B", "A"} { // B twice: what it held is written over
		put.Slot, put.ELF, put.Files = name, bytes.Clone(first.ELF), filesOf(1<<20, byte(i+2))
		put.ELF[0x2000] ^= byte(i + 1)
		if put.FilesID = ReadIDs(bytes.NewReader(disk), int64(len(disk)), name).Files; put.FilesID == [16]byte{} {
			t.Fatalf("slot %s has no partition", name)
		}
		before, err := Open(disk)
		if err != nil {
			t.Fatal(err)
		}
		other := string("BA"[name[0]-'A'])
		p := part(t, disk, "files "+other)
		files := bytes.Clone(disk[p.First*sector:][:p.Size*sector])
		for left := 0; ; left++ {
			d := &broken{bytes.Clone(disk), left}
			err := PutSlot(d, int64(len(disk)), put)
			if !bytes.Equal(d.memory[p.First*sector:][:len(files)], files) {
				t.Fatal("the other slot's files have changed")
			}
			f, e := Open(d.memory)
			if e != nil && i > 0 {
				t.Fatalf("broken off at write %d: %v", left, e)
			}
			if err == nil {
				own := part(t, d.memory, "files "+name)
				if !bytes.Equal(f.ELF, put.ELF) || !bytes.Equal(d.memory[own.First*sector:][:len(put.Files)], put.Files) || own.unique != put.FilesID {
					t.Fatalf("slot %s: %+v", name, own)
				}
				disk = d.memory
				break
			}
			// What boots is the other slot's image, or this one's where its files were not written to yet.
			if own := part(t, d.memory, "files "+name); f != nil && bytes.Equal(f.ELF, before.ELF) && before.Slots[slotIndex(name)].Boots {
				if n := own.Size * sector; !bytes.Equal(d.memory[own.First*sector:][:n], disk[own.First*sector:][:n]) {
					t.Fatalf("broken off at write %d: slot %s boots without its files", left, name)
				}
			}
		}
	}
	was := bytes.Clone(disk)
	put.Files = filesOf(4<<20, 9)
	if err := PutSlot(memory(disk), int64(len(disk)), put); err == nil || !strings.Contains(err.Error(), "the files have 4194304 bytes, and their partition has room for 3145728") || !bytes.Equal(was, disk) {
		t.Errorf("too many files: %v", err)
	}
	without := source()
	without.Slot = "A"
	if disk, err = raw(without); err != nil {
		t.Fatal(err)
	}
	was = bytes.Clone(disk)
	put.FilesID = ReadIDs(bytes.NewReader(disk), int64(len(disk)), "A").Files
	if err := PutSlot(memory(disk), int64(len(disk)), put); err == nil || !strings.Contains(err.Error(), `it has no partition "files A"`) || !bytes.Equal(was, disk) {
		t.Errorf("a disk without such a partition: %v", err)
	}
}
