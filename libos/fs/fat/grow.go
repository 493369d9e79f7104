package fat

import (
	"bytes"
	"errors"
	"math"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A volume of FAT32 is made larger where it is, though its table lies before its files and has no room behind it. The new table takes the place of the first clusters, which move away first, and all numbers of clusters become less by as many
// as that are. So that a crash leaves the old volume or the new one, folders, which hold these numbers, are written to where the old volume does not reach, and the new table to clusters that are free in the old one: then the boot sector, one
// sector, says that all this is the volume. Where the old table has room for the new clusters, it says so at once.
//
// Moving the first clusters away is done in the old volume before: copies, their chains, then what names them, then the old ones are free, with a flush between. A crash there leaves clusters without a name, or "." and ".." of a folder that moved
// as they were, which a repair mends and loses nothing.

// A GrowError says why a volume is not made larger, and what can be done. It is what it was.
type GrowError struct{ Device, Why, Do string }

func (e *GrowError) Error() string { return "fat: " + e.Device + ": " + e.Why + ": " + e.Do }

// Grow makes a volume of FAT32 as large as dev. It must not be mounted, and be whole. Errors: *GrowError, or the device's.
func Grow(dev block.Device) error {
	c, err := growable(dev)
	if err != nil {
		return err
	}
	no := func(why string) error {
		return &GrowError{dev.Info().Name, why, "make a larger volume by mkimage fs mkfs --fat --size, and fill it by mkimage fs cp -r"}
	}
	total := min(dev.Info().Size/c.sector, math.MaxUint32)
	said := int64(le.Uint16(c.boot[19:]))
	if said == 0 {
		said = int64(le.Uint32(c.boot[32:]))
	}
	clusters := (total*c.sector - c.dataAt) / c.cluster
	if total <= said || clusters <= int64(c.clusters) {
		return nil
	}
	if c.width != 32 {
		return no("a volume of FAT12 or FAT16 cannot be made larger where it is: its root directory lies before its files")
	}
	if clusters > 0x0ffffff5 {
		return no("of its clusters, of " + num(c.cluster) + " bytes each, there would be too many")
	}
	if 4*(clusters+2) <= c.table {
		for n := c.clusters + 2; int64(n)-2 < clusters; n++ {
			c.set(n, 0)
		}
		if err := errors.Join(c.writeTable(c.table), dev.Flush()); err != nil {
			return err
		}
		c.clusters = uint32(clusters)
		return c.larger(total)
	}
	table := (4*(clusters+2) + c.sector - 1) / c.sector * c.sector
	shift := (c.copies*table + c.cluster - 1) / c.cluster // clusters
	next := c.shape
	next.dataAt = c.dataAt + shift*c.cluster
	next.table = table
	next.tableAt = next.dataAt - c.copies*table
	next.clusters = uint32((total*c.sector - next.dataAt) / c.cluster)
	switch {
	case table > maxTable || next.tableAt/c.sector > math.MaxUint16:
		return no("its clusters, of " + num(c.cluster) + " bytes each, are too small: there would be " + num(clusters))
	case shift >= int64(c.clusters) || next.clusters <= c.clusters:
		return no("it is too small to hold the table that it would have, of " + num(c.copies*table) + " bytes")
	}
	folders := int64(0)
	for d := range c.dirs {
		folders += int64(len(c.chain(d)))
	}
	if folders > int64(next.clusters)-(int64(c.clusters)-shift) {
		return no("it would gain less than its folders take")
	}
	used, free := int64(0), int64(0)
	for n := uint32(2); n-2 < c.clusters; n++ {
		switch v := c.get(n); {
		case int64(n)-2 >= shift && v == 0:
			free++
		case int64(n)-2 < shift && c.isBad(v):
			return no("one of the clusters where its table would be is marked as bad")
		case int64(n)-2 < shift && v != 0:
			used++
		}
	}
	if used > free {
		return no("of its bytes " + num(used*c.cluster) + " must be free, to make room for its table, and " + num(free*c.cluster) + " are")
	}
	if used > 0 {
		if err := c.evacuate(uint32(shift)); err != nil {
			return err
		}
		if c, err = growable(dev); err != nil {
			return err
		}
	}
	return c.shiftTo(&next, uint32(shift), total)
}

// growable is a check of a volume that finds nothing.
func growable(dev block.Device) (*checker, error) {
	c, err := examine(dev, time.Time{})
	if err == nil && len(c.r.Problems) > 0 {
		err = &GrowError{dev.Info().Name, "it is damaged, or was not unmounted", "mkimage fs check tells how, and repairs it"}
	}
	return c, err
}

// renumber gives what clusters of a folder hold with other numbers of clusters in it, cluster by cluster; dots: in "." too. It stops with an error.
func (c *checker) renumber(chain []uint32, dots bool, number func(old uint32) uint32, do func(i int, b []byte, changed bool) error) error {
	b := make([]byte, c.cluster)
	ended := false
	for i, n := range chain {
		if err := c.dev.Read([][]byte{b}, c.at(n)); err != nil {
			return err
		}
		changed := false
		for o := 0; o < len(b) && !ended; o += 32 {
			e := b[o : o+32]
			if ended = e[0] == 0; ended || e[0] == deleted || e[11]&0x3f == attrLong || e[11]&attrLabel != 0 || !dots && short(e[:11]) == dot {
				continue
			}
			if old := (&found{raw: [32]byte(e)}).first(c.width); old != 0 && number(old) != old {
				c.putFirst(e, number(old))
				changed = true
			}
		}
		if err := do(i, b, changed); err != nil {
			return err
		}
	}
	return nil
}

// evacuate moves what is in the first clusters to others of the volume.
func (c *checker) evacuate(first uint32) error {
	to := map[uint32]uint32{}
	moved := func(n uint32) uint32 {
		if m := to[n]; m != 0 {
			return m
		}
		return n
	}
	for n := uint32(2); n-2 < first; n++ {
		if c.get(n) != 0 {
			m, ok := c.alloc() // of the last ones
			if !ok || m-2 < first {
				return errDamaged
			}
			to[n] = m
			c.moves = append(c.moves, move{n, m})
		}
	}
	chains := make([][]uint32, len(c.dirs))
	for d := range c.dirs {
		chains[d] = c.chain(d)
	}
	for n, m := range to {
		c.set(m, moved(c.get(n)))
	}
	relink := func() error {
		for n := uint32(2); n-2 < c.clusters; n++ {
			if v := c.get(n); to[n] == 0 && to[v] != 0 {
				c.set(n, to[v])
			}
		}
		return c.writeTable(c.table)
	}
	// What names them: in copies of folders "." comes last, so that a crash before leaves copies that nobody takes for folders.
	names := func(dots bool) error {
		for _, chain := range chains {
			if err := c.renumber(chain, dots, moved, func(i int, b []byte, changed bool) error {
				if !changed {
					return nil
				}
				return c.dev.Write([][]byte{b}, c.at(moved(chain[i])))
			}); err != nil {
				return err
			}
		}
		return nil
	}
	root := func() error {
		if to[c.root] == 0 {
			return nil
		}
		c.root = to[c.root]
		le.PutUint32(c.boot[44:], c.root)
		return c.writeHead()
	}
	free := func() error {
		for n := range to {
			c.set(n, 0)
		}
		return c.writeTable(c.table)
	}
	return c.inOrder(c.move, func() error { return c.writeTable(c.table) }, relink, func() error { return names(false) }, root, func() error { return names(true) }, free, c.writeHead)
}

// inOrder does one after the other, with a flush behind each.
func (c *checker) inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
		if err := c.dev.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// shiftTo makes the volume one of another shape, where the first clusters, which are free, are before its data.
func (c *checker) shiftTo(next *shape, first uint32, total int64) error {
	tab := make([]byte, next.table)
	fresh := c.clusters + 2 - first // the first one that the old volume has not
	folders := map[uint32]uint32{}  // where they begin: old, and new
	chains := make([][]uint32, len(c.dirs))
	for d := range c.dirs {
		chains[d] = c.chain(d)
		folders[chains[d][0]] = fresh
		for i := range chains[d] {
			end, _ := c.end()
			if next.putEntry(tab, fresh, fresh+1); i == len(chains[d])-1 {
				next.putEntry(tab, fresh, end)
			}
			fresh++
		}
		for _, n := range chains[d] {
			c.set(n, 0)
		}
	}
	for n := uint32(0); n-2 < c.clusters || n < 2; n++ {
		switch v := c.get(n); {
		case n < 2:
			next.putEntry(tab, n, v)
		case v != 0 && c.is(v):
			next.putEntry(tab, n-first, v-first)
		case v != 0:
			next.putEntry(tab, n-first, v)
		}
	}
	number := func(old uint32) uint32 {
		if n := folders[old]; n != 0 {
			return n
		}
		return old - first
	}
	copies := func() error {
		for d, chain := range chains {
			at := folders[c.dirs[d].first]
			if err := c.renumber(chain, true, number, func(i int, b []byte, _ bool) error {
				return c.dev.Write([][]byte{b}, next.at(at+uint32(i)))
			}); err != nil {
				return err
			}
		}
		c.shape, c.tab = *next, tab
		return c.writeTable(c.table)
	}
	if err := c.inOrder(copies); err != nil {
		return err
	}
	c.root = folders[c.dirs[0].first]
	le.PutUint32(c.boot[44:], c.root)
	le.PutUint16(c.boot[14:], uint16(c.tableAt/c.sector))
	le.PutUint32(c.boot[36:], uint32(c.table/c.sector))
	return c.larger(total)
}

// larger writes the boot sector, by which the volume is another, and then what follows from it.
func (c *checker) larger(total int64) error {
	le.PutUint16(c.boot[19:], 0)
	le.PutUint32(c.boot[32:], uint32(total))
	b := bytes.Clone(c.boot)
	return c.inOrder(func() error { return c.dev.Write([][]byte{b}, 0) }, c.writeHead)
}
