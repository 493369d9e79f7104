package cffs

import (
	"errors"
	"strconv"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// FormatOptions say what a new volume is to be.
type FormatOptions struct {
	Label  string // at most 32 bytes
	UUID   [16]byte
	Now    func() time.Time
	Random func([]byte) // for the UUID, if it is zero
	old    bool         // without features, as volumes were made before there were any: for tests
	Force  bool         // format over what is there
}

// NotEmptyError says that a device holds something, so that it is not formatted unless told to.
type NotEmptyError struct {
	Device, Found string
	Volume        bool // it is a volume of ours
}

func (e *NotEmptyError) Error() string {
	return "cffs: " + e.Device + ": not formatted, for it holds " + e.Found
}

// Format puts an empty volume on dev. Unless forced it refuses a device that holds anything but zeroes at its beginning: *NotEmptyError. Also where it is forced a volume whose owner watches it, and answers, is refused: *MountError.
func Format(dev block.Device, o FormatOptions) error {
	in := dev.Info()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = drawn
	}
	n := blocksOf(dev)
	if n < minBlocks {
		return errors.New("cffs: " + in.Name + ": too small for a volume, which has at least " + strconv.Itoa(minBlocks*BlockSize) + " bytes")
	}
	if in.BlockSize > BlockSize {
		return errors.New("cffs: " + in.Name + ": its blocks are larger than a volume's")
	}
	if len(o.Label) > 32 {
		return errors.New("cffs: a label has at most 32 bytes")
	}
	if list, _, err := supers(dev); len(list) == 0 && err != nil {
		return err
	} else if len(list) > 0 && !o.Force {
		return &NotEmptyError{in.Name, "a cffs volume, label " + strconv.Quote(list[0].sb.labelText()), true}
	}
	if what := foreign(dev); !o.Force && what != Empty {
		return &NotEmptyError{in.Name, what, false}
	}
	if _, err := begin(dev, Options{}); err == nil { // else there is no volume that could have an owner
		if _, err := openAsking(dev, Options{}, begin); err != nil {
			return err
		}
	}
	sb := super{uuid: o.UUID, gen: 1, blocks: n, nextIno: rootIno + 1, backup: groupBlocks - 2, time: o.Now().UnixNano()}
	if n < groupBlocks {
		sb.backup = n - 2
	}
	copy(sb.label[:], o.Label)
	if !o.old {
		sb.readNeeds = knownNeeds
	}
	if sb.uuid == [16]byte{} {
		o.Random(sb.uuid[:])
		sb.uuid[6], sb.uuid[8] = sb.uuid[6]&15|0x40, sb.uuid[8]&0x3f|0x80 // RFC 9562, 5.4
	}
	var al alloc
	al.grow(n, sb.backup)
	now := o.Now()
	at := syscall.Timespec{Sec: now.Unix(), Nsec: int64(now.Nanosecond())}
	root := record{ino: rootIno, mode: syscall.S_IFDIR | 0o755, nlink: 2, mtime: at, ctime: at, atime: at, btime: at}
	leaf := node{keys: [][]byte{key(rootIno, kindRecord)}, vals: [][]byte{root.encode(nil)}}
	sb.root = al.take(1).first
	b := leaf.encode(make([]byte, BlockSize), 1, sb.root, &sb.uuid)
	sb.rootSum, sb.used = seal(b), al.used
	// The superblocks first: a volume that is half made is none.
	empty := make([]byte, BlockSize)
	var w writes
	for _, i := range []uint64{0, 1, sb.backup, sb.backup + 1} {
		w.add(i, empty)
	}
	if err := w.durably(dev); err != nil {
		return err
	}
	w = writes{}
	w.add(sb.root, b)
	for g := range al.groups {
		b := al.bitmap(make([]byte, BlockSize), g, 1, &sb.uuid)
		al.groups[g].sum = seal(b)
		w.add(uint64(g)*groupBlocks+bitmapAt, b)
		w.add(uint64(g)*groupBlocks+bitmapAt+1, empty)
	}
	if err := w.durably(dev); err != nil {
		return err
	}
	w, sb.bitmaps = writes{}, al.sum()
	sb.wroteSum = sb.bitmaps
	w.add(1, sb.encode())
	w.add(sb.backup+1, sb.encode())
	return w.durably(dev)
}

// Identify tells the label and the UUID of the volume on dev; ok is false if there is none.
func Identify(dev block.Device) (label string, uuid [16]byte, ok bool) {
	list, _, _ := supers(dev)
	if len(list) == 0 {
		return "", uuid, false
	}
	return list[0].sb.labelText(), list[0].sb.uuid, true
}
