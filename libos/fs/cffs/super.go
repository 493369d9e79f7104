package cffs

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A found is a superblock on a device.
type found struct {
	sb  *super
	raw []byte
}

// supers are the superblocks of the volume on dev, the newest first: those that are blocks 0 and 1 and their copies. copied: only copies were found. Where there is none, err may say why.
func supers(dev block.Device) (list []found, copied bool, err error) {
	size := blocksOf(dev)
	look := func(places ...uint64) {
		for _, at := range places {
			if at >= size {
				continue
			}
			b := make([]byte, BlockSize)
			if e := dev.Read([][]byte{b}, int64(at)*BlockSize); e != nil {
				err = e
			} else if s := decodeSuper(b); s != nil {
				list = append(list, found{s, b})
			}
		}
		slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(b.sb.gen, a.sb.gen) })
	}
	var uuid [16]byte // what has another is of a volume that was there before
	if look(0, 1); len(list) == 0 {
		look(groupBlocks-2, groupBlocks-1, size-2, size-1)
		if len(list) == 0 {
			return nil, false, err
		}
		copied = true
		// They may be of several volumes: the first bitmap is the last one's.
		uuid = list[max(0, slices.IndexFunc(list, func(f found) bool { return f.sb.mapped(dev) }))].sb.uuid
	} else {
		main := list[0].sb
		uuid = main.uuid
		if main.sound() { // what is there may be the commit before the last: the last one's block may be the one that is damaged
			look(main.backup, main.backup+1)
		}
	}
	return slices.DeleteFunc(list, func(f found) bool { return f.sb.uuid != uuid }), copied, err
}

// mapped says whether the first group has a bitmap of the superblock's volume.
func (s *super) mapped(dev block.Device) bool {
	b := make([]byte, 2*BlockSize)
	if dev.Read([][]byte{b}, bitmapAt*BlockSize) != nil {
		return false
	}
	_, one := decodeBitmap(b[:BlockSize], 0, &s.uuid)
	_, other := decodeBitmap(b[BlockSize:], 0, &s.uuid)
	return one || other
}

// A newer is a commit behind the one that a volume is mounted as.
type newer struct {
	sb  *super
	at  uint64 // a block of it that cannot be read
	err error  // why; nil: all can be read, and is not all that the commit wrote: it did not come to its end
}

func (n *newer) String() string {
	s := "commit " + strconv.FormatUint(n.sb.gen, 10) + " of " + time.Unix(0, n.sb.time).UTC().Format(time.RFC3339Nano)
	if n.err == nil {
		return s + " did not come to its end"
	}
	return s + " may have been made durable, or may not: its block " + strconv.FormatUint(n.at, 10) + " cannot be read (" + n.err.Error() + ")"
}

// readSuper finds the superblock that counts: the newest whose commit is there. Of the one before another nobody has to look: it was durable before the other was begun. after is the
// commit behind it that is not there, or of which nobody can tell; nil for none. copied: it is a copy, for blocks 0 and 1 hold none. Where nothing is found sb is nil, and after or err may say why.
func readSuper(dev block.Device) (sb *super, raw []byte, after *newer, copied bool, err error) {
	list, copied, err := supers(dev)
	for _, f := range list {
		switch {
		case f.sb.gen+1 < list[0].sb.gen:
			return nil, nil, after, false, err // of the one between none is left, and its commit and the one behind have written where this one's was
		case f.sb.gen < list[0].sb.gen:
			return f.sb, f.raw, after, copied, nil
		}
		there, at, bad := f.sb.there(dev)
		if there {
			return f.sb, f.raw, nil, copied, nil
		}
		if after == nil || bad != nil {
			after = &newer{f.sb, at, bad}
		}
	}
	return nil, nil, after, false, err
}

// manifest tells what is to be written, for the superblock; nil where that is too much.
func (w *writes) manifest() (list []span, sum uint64) {
	if len(w.at) > maxManifest {
		return nil, 0
	}
	sum = wordSeed
	for _, i := range w.order() {
		sum = words(sum, w.data[i])
		if last := len(list) - 1; last >= 0 && list[last].first+list[last].n == w.at[i] {
			list[last].n++
		} else {
			list = append(list, span{w.at[i], 1})
		}
	}
	if len(list) > maxSpans {
		return nil, 0
	}
	return list, sum
}

// there says whether all is on the device that the superblock says its commit to have written. One that says nothing of it was written behind a flush. err: it cannot be told, for block at
// cannot be read.
func (s *super) there(dev block.Device) (is bool, at uint64, err error) {
	if !s.sound() || s.readNeeds&^knownNeeds != 0 {
		return true, 0, nil // and is refused for that
	}
	left := uint64(maxManifest)
	for _, w := range s.wrote {
		if w.n == 0 || w.n > left || w.first >= s.blocks || w.n > s.blocks-w.first {
			return false, 0, nil
		}
		left -= w.n
	}
	sum := uint64(wordSeed)
	for _, w := range s.wrote {
		b := make([]byte, w.n*BlockSize)
		if dev.Read([][]byte{b}, int64(w.first)*BlockSize) != nil {
			for i := range w.n { // once more, and which of them?
				if err := dev.Read([][]byte{b[i*BlockSize:][:BlockSize]}, int64(w.first+i)*BlockSize); err != nil {
					return false, w.first + i, err
				}
			}
		}
		sum = words(sum, b)
	}
	return len(s.wrote) == 0 || sum == s.wroteSum, 0, nil
}
