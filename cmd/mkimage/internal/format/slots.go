package format

import (
	"errors"
	"fmt"
	"io"

	"github.com/hardtack-os/hardtack/boot/amd64"
	"github.com/hardtack-os/hardtack/libos/boot/slot"
)

// Files of a disk with slots (libos/boot/slot/FORMAT.md).
const (
	slotsState = "HARDTACK/SLOTS.BIN"
	slotsA     = "HARDTACK/A.ELF"
	slotsB     = "HARDTACK/B.ELF"

	leastSlot = 8 << 20 // bytes
)

// slotIndex is 0 for "A".
func slotIndex(name string) int { return int(name[0] - 'A') }

// slotOf is what the state says of an image.
func slotOf(image []byte) (v slot.Slot, err error) {
	p, err := place(image)
	return slot.Slot{Length: uint32(len(image)), Hash: slot.Sum(image), First: uint32(p.first), Last: uint32(p.last)}, err
}

// espSlots returns the system partition of a disk with slots, and the loader for a BIOS. A slot has room for an image twice as large as the first one.
func espSlots(s Source) (volume, loader []byte, err error) {
	v, err := slotOf(s.ELF)
	if err != nil {
		return nil, nil, err
	}
	room := max(leastSlot, align(2*uint64(len(s.ELF)), 1<<20))
	program := efiProgram(0x200)
	files := fat{volume: slot.Sum(s.ELF), label: "HARDTACK", time: s.Time, entries: []fatEntry{
		{"EFI", nil}, {"EFI/BOOT", nil}, {bootEFI, program},
		{"HARDTACK", nil}, {slotsState, make([]byte, 2*slot.Distance)}, {slotsA, make([]byte, room)}, {slotsB, make([]byte, room)},
	}}
	volume, at, err := files.build()
	if err != nil {
		return nil, nil, err
	}
	state := slot.State{ID: derive(s.ELF, "slots")}
	for i, name := range []string{slotsA, slotsB} {
		state.Slots[i] = slot.Slot{Block: uint32(at[name] / sector), Capacity: uint32(room / sector)}
	}
	store, err := slot.Create(memory(volume), at[slotsState], state)
	if err != nil {
		return nil, nil, err
	}
	if err := store.Put(slotIndex(s.Slot), 0, s.ELF, v, nil); err != nil {
		return nil, nil, err
	}
	word := "slot=" + slot.Word{Sector: rawESP + at[slotsState]/sector, ID: state.ID}.String()
	program = volume[at[bootEFI]:]
	copy(program[efiText:efiState], word)
	le.PutUint32(program[efiState:], uint32(at[slotsState]/sector))
	loader = append([]byte{}, amd64.BIOS...)
	copy(loader[biosText:biosState], word)
	le.PutUint64(loader[biosState:], uint64(rawESP+at[slotsState]/sector))
	le.PutUint64(loader[biosState+8:], rawESP)
	return volume, loader, nil
}

// memory is a slot.Device in memory.
type memory []byte

// ReadAt implements [slot.Device].
func (m memory) ReadAt(p []byte, off int64) (int, error) { return copy(p, m[off:]), nil }

// WriteAt implements [slot.Device].
func (m memory) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }

// Sync implements [slot.Device].
func (m memory) Sync() error { return nil }

// A Slot is what Open says of one.
type Slot struct {
	Name    string
	Wanted  bool // is tried first
	Works   bool // its image has said so
	Tries   int  // that are left
	Bytes   int64
	Room    int64 // in bytes
	Damaged bool
	Boots   bool // is what a machine would boot now
}

// slots reads a disk's slots and the image that would be booted, by the fields of the loader for a BIOS.
func (f *File) slots(read func(at, n int64) ([]byte, error), fields []byte) error {
	state, first := le.Uint64(fields), le.Uint64(fields[8:])
	if n := uint64(f.Size / sector); state > n || first > n {
		return fmt.Errorf("%s: damaged: the slots lie outside of the disk", f.Format)
	}
	store, err := slot.Open(readOnly(read), int64(state)*sector)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Format, err)
	}
	images := [2][]byte{}
	for i, v := range store.Slots {
		image, err := read((int64(first)+int64(v.Block))*sector, int64(v.Length))
		if err == nil && v.Length%16 == 0 && v.Length <= v.Capacity*sector && (v.Length == 0 || slot.Sum(image) == v.Hash) {
			images[i] = image
		}
	}
	boots := store.Choose(func(i int) bool { return images[i] == nil })
	for i, v := range store.Slots {
		f.Slots = append(f.Slots, Slot{slot.Name(i), store.Wanted == i, v.Works, int(v.Tries), int64(v.Length), int64(v.Capacity) * sector, images[i] == nil, boots == i})
	}
	if boots < 0 {
		return fmt.Errorf("%s: no slot holds a whole image", f.Format)
	}
	f.ELF = images[boots]
	return nil
}

// readOnly is a slot.Device for Open.
type readOnly func(at, n int64) ([]byte, error)

// ReadAt implements [slot.Device].
func (r readOnly) ReadAt(p []byte, off int64) (int, error) {
	b, err := r(off, int64(len(p)))
	return copy(p, b), err
}

// WriteAt implements [slot.Device].
func (readOnly) WriteAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

// Sync implements [slot.Device].
func (readOnly) Sync() error { return errors.ErrUnsupported }

// PutSlot puts an image into a slot of a disk that has some, and leaves the rest of the disk as it is. ErrNoSlots says that the disk has none.
func PutSlot(d slot.Device, size int64, s Source) error {
	v, err := slotOf(s.ELF)
	if err != nil {
		return err
	}
	fields, parts, err := readLoader(d, size)
	if err != nil {
		return err
	}
	state, first := le.Uint64(fields[biosState:]), le.Uint64(fields[biosState+8:])
	if state == 0 {
		return ErrNoSlots
	}
	var esp Partition
	data := false
	for _, p := range parts {
		if p.Kind == kindESP {
			esp = p
		}
		if data = data || p.Kind == kindData; p.Kind == kindData && s.changed(p.unique) {
			return errChanged
		}
	}
	if s.Data != 0 && !data {
		return errors.New("the disk has no data partition: --data gives one to a new disk")
	}
	within := func(at, n uint64) bool { // sectors of the partition
		return at <= uint64(esp.Size) && n <= uint64(esp.Size)-at
	}
	if first != uint64(esp.First) || state < first || !within(state-first, slot.Reach/sector) {
		return errors.New("damaged: the slots lie outside of the EFI system partition")
	}
	store, err := slot.Open(d, int64(state)*sector)
	if err != nil {
		return err
	}
	if v := store.Slots[slotIndex(s.Slot)]; !within(uint64(v.Block), uint64(v.Capacity)) {
		return errors.New("damaged: the slot lies outside of the EFI system partition")
	}
	var beside func() error
	if s.Files != nil {
		at, err := fitFiles(parts, s)
		if err != nil {
			return err
		}
		beside = func() error {
			_, err := d.WriteAt(s.Files, at)
			return err // Put has the disk flush it before the slot counts
		}
	}
	return store.Put(slotIndex(s.Slot), int64(first)*sector, s.ELF, v, beside)
}

// ErrNoSlots is returned for a disk without slots.
var ErrNoSlots = errors.New("the disk has no slots")

// readLoader returns the loader for a BIOS of a disk of ours, and the disk's partitions.
func readLoader(r io.ReaderAt, size int64) (loader []byte, parts []Partition, err error) {
	if parts, err = readGPT(r, size); err != nil {
		return nil, nil, err
	}
	for _, p := range parts {
		if p.Kind == kindBIOS {
			b := make([]byte, len(amd64.BIOS))
			if _, err := r.ReadAt(b, p.First*sector); err != nil {
				return nil, nil, err
			}
			return b, parts, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: the disk has no partition of ours", ErrUnknown)
}
