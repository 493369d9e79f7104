package fat

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// Repair mends what Check finds: what loses nothing, or, lossy, all. What it makes gets the time now. It says what it did. Where something would be lost, and lossy is false, it changes nothing: ErrLoss.
//
// It is not one step, as FAT has nothing to make it one. The volume is marked as in use from before the first change until after the last; copies of clusters, the table, folders, those of what was found last, and what counts come in this order, with a flush between
// them; what a crash leaves is for another repair.
func Repair(dev block.Device, lossy bool, now time.Time) (done []string, err error) {
	c, err := examine(dev, now)
	if err != nil {
		return nil, err
	}
	switch {
	case c.r.loss > 0 && !lossy:
		return nil, ErrLoss
	case c.heavy:
		return nil, errHeavy
	case len(c.r.Problems) == 0:
		return nil, nil
	}
	if err := c.write(); err != nil {
		return nil, err
	}
	for _, p := range c.r.Problems {
		done = append(done, p.What+": "+p.Mend)
	}
	if c.r.More > 0 {
		done = append(done, "and "+num(int64(c.r.More))+" more")
	}
	return done, nil
}

// write does what was planned.
func (c *checker) write() error {
	clean := c.get(1)
	if c.width != 12 {
		c.set(1, clean&^(1<<(min(c.width, 28)-1)))
		for k := range c.copies {
			b := make([]byte, c.sector)
			if c.dev.Read([][]byte{b}, c.tableAt+k*c.table) == nil {
				c.putEntry(b, 1, c.get(1))
				if err := c.dev.Write([][]byte{b}, c.tableAt+k*c.table); err != nil {
					return err
				}
			}
		}
	}
	folders := func(t turn) func() error { return func() error { return c.writeFolders(t) } }
	for _, step := range []func() error{c.move, c.writeFresh, func() error { return c.writeTable(c.table) }, folders(ofBefore), folders(ofMore), folders(ofFound), c.writeHead, func() error { c.set(1, clean); return c.writeTable(c.sector) }} {
		if err := c.dev.Flush(); err != nil {
			return err
		}
		if err := step(); err != nil {
			return err
		}
	}
	return c.dev.Flush()
}

// move copies clusters.
func (c *checker) move() error {
	b := make([]byte, c.cluster)
	for _, m := range c.moves {
		if err := c.dev.Read([][]byte{b}, c.at(m.from)); err != nil {
			for s := int64(0); s < c.cluster; s += c.sector { // what can be read
				if c.dev.Read([][]byte{b[s : s+c.sector]}, c.at(m.from)+s) != nil {
					clear(b[s : s+c.sector])
				}
			}
		}
		if err := c.dev.Write([][]byte{b}, c.at(m.to)); err != nil {
			return err
		}
	}
	return nil
}

// writeTable writes what differs of the first n bytes of the copies of the table.
func (c *checker) writeTable(n int64) error {
	b := make([]byte, min(atOnce, n))
	for k := range c.copies {
		for at := int64(0); at < n; at += int64(len(b)) {
			want, place := c.tab[at:min(at+int64(len(b)), n)], c.tableAt+k*c.table+at
			if c.dev.Read([][]byte{b[:len(want)]}, place) == nil && bytes.Equal(b[:len(want)], want) {
				continue
			}
			if err := c.dev.Write([][]byte{want}, place); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeFresh has clusters that were free, and that folders get, hold removed names only, before the table says whose they are: so whatever is written of them when a crash comes, they are a folder's, without an end that is too early.
func (c *checker) writeFresh() error {
	b := make([]byte, c.cluster)
	for i := 0; i < len(b); i += 32 {
		b[i] = deleted
	}
	for _, n := range slices.Sorted(maps.Keys(c.fresh)) {
		if err := c.dev.Write([][]byte{b}, c.at(n)); err != nil {
			return err
		}
	}
	return nil
}

// When sectors of folders are written: a folder of what was found holds nothing before it has a name, for what is in it would be found again, in it and by itself.
type turn int

const (
	ofBefore turn = iota // what was a folder's before
	ofMore               // what folders got
	ofFound              // what folders of what was found got
)

// writeFolders writes what changed of folders whose turn it is.
func (c *checker) writeFolders(now turn) error {
	var list []int64
	for at := range c.edits {
		when := ofBefore
		if at >= c.dataAt {
			when = c.fresh[uint32((at-c.dataAt)/c.cluster)+2]
		}
		if when == now {
			list = append(list, at)
		}
	}
	return rows(list, c.sector, int(atOnce/c.sector), func(at int64, n int) error {
		var vec [][]byte
		for i := range int64(n) {
			vec = append(vec, c.edits[at+i*c.sector])
		}
		return c.dev.Write(vec, at)
	})
}

// writeHead writes the boot sector, its copy, and what counts free clusters.
func (c *checker) writeHead() error {
	if c.infoAt > 0 {
		free, next := uint32(0), uint32(1<<32-1)
		for n := c.clusters + 1; n >= 2; n-- {
			if c.get(n) == 0 {
				free++
				next = n
			}
		}
		b := make([]byte, c.sector)
		if c.dev.Read([][]byte{b}, c.infoAt) != nil || le.Uint32(b) != infoLead || le.Uint32(b[484:]) != infoStruct || le.Uint32(b[508:]) != infoTrail {
			clear(b)
			le.PutUint32(b, infoLead)
			le.PutUint32(b[484:], infoStruct)
			le.PutUint32(b[508:], infoTrail)
		}
		le.PutUint32(b[488:], free)
		le.PutUint32(b[492:], next)
		if err := c.dev.Write([][]byte{b}, c.infoAt); err != nil {
			return err
		}
	}
	places := []int64{c.copyAt, 0}
	if c.byCopy { // one of them is whole at any time
		places = []int64{0, c.copyAt}
	}
	for i, at := range places {
		if at == 0 && c.copyAt == 0 && i == 0 {
			continue
		}
		b := make([]byte, c.sector)
		if c.dev.Read([][]byte{b}, at) == nil && bytes.Equal(b, c.boot) {
			continue
		}
		if err := errors.Join(c.dev.Write([][]byte{c.boot}, at), c.dev.Flush()); err != nil {
			return err
		}
	}
	return nil
}
