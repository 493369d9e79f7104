package cffs

import (
	"cmp"
	"slices"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A found is a superblock on a device.
type found struct {
	sb  *super
	raw []byte
}

// supers are the superblocks of the volume on dev, the newest first: those that are blocks 0 and 1 and their copies. Where there is none, err may say why.
func supers(dev block.Device) (list []found, err error) {
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
	look(0, 1)
	if len(list) == 0 {
		look(groupBlocks-2, groupBlocks-1, size-2, size-1)
	} else if main := list[0].sb; main.sound() {
		// What is there may be the commit before the last: the last one's block may be the one that is damaged. What has another UUID is of a volume that was there before.
		look(main.backup, main.backup+1)
		list = slices.DeleteFunc(list, func(f found) bool { return f.sb.uuid != main.uuid })
	}
	return list, err
}

// readSuper finds the superblock that counts: the newest whose commit is there. sb is nil where there is none.
func readSuper(dev block.Device) (sb *super, raw []byte, err error) {
	list, err := supers(dev)
	for _, f := range list {
		there, err := f.sb.there(dev)
		if err != nil {
			return nil, nil, err
		}
		if there {
			return f.sb, f.raw, nil
		}
	}
	return nil, nil, err
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

// there says whether all is on the device that the superblock says its commit to have written. One that says nothing of it was written behind a flush.
func (s *super) there(dev block.Device) (bool, error) {
	if !s.sound() || s.readNeeds&^knownNeeds != 0 {
		return true, nil // and is refused for that
	}
	left := uint64(maxManifest)
	for _, w := range s.wrote {
		if w.n == 0 || w.n > left || w.first >= s.blocks || w.n > s.blocks-w.first {
			return false, nil
		}
		left -= w.n
	}
	sum := uint64(wordSeed)
	for _, w := range s.wrote {
		b := make([]byte, w.n*BlockSize)
		if err := dev.Read([][]byte{b}, int64(w.first)*BlockSize); err != nil {
			return false, err
		}
		sum = words(sum, b)
	}
	return len(s.wrote) == 0 || sum == s.wroteSum, nil
}
