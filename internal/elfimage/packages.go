package elfimage

import (
	"bytes"
	"cmp"
	"debug/elf"
	"debug/gosym"
	"errors"
	"fmt"
	"slices"
)

// pclntabMagic begins the Go function table since Go 1.20, with the padding, the instruction quantum and the pointer size of
// amd64 behind it.
var pclntabMagic = []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}

// textOffset is where the text begins in its segment: behind room for the headers of a linked program.
const textOffset = 0x1000

// Packages returns how many bytes of code each package has in an image, largest first. It looks for the Go function table, which the
// runtime needs and every image has, among the segments: an image has no symbols, and so nothing tells whose data are whose.
func Packages(b []byte) (groups []Group, err error) {
	defer func() { // debug/gosym is not proof against every damaged table
		if r := recover(); r != nil {
			groups, err = nil, fmt.Errorf("damaged function table: %v", r)
		}
	}()
	segs, _, err := readHeaders(b)
	if err != nil {
		return nil, err
	}
	text := uint64(0)
	for _, s := range segs {
		if s.Flags&elf.PF_X != 0 && s.Vaddr >= BootEnd {
			text = s.Vaddr + textOffset
		}
	}
	for _, s := range segs {
		data := span{s.offset, s.Filesz}.in(b)
		i := bytes.Index(data, pclntabMagic)
		if i < 0 || s.Flags&elf.PF_X != 0 {
			continue
		}
		table, err := gosym.NewTable(nil, gosym.NewLineTable(data[i:], text))
		if err != nil {
			return nil, err
		}
		sizes := map[string]uint64{}
		for _, fn := range table.Funcs {
			if fn.End > fn.Entry {
				sizes[cmp.Or(symbolPackage(fn.Name), "(none)")] += fn.End - fn.Entry
			}
		}
		for name, n := range sizes {
			groups = append(groups, Group{name, n})
		}
		slices.SortFunc(groups, func(a, b Group) int {
			return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
		})
		return groups, nil
	}
	return nil, errors.New("no Go function table")
}
