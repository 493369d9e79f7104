package fat

import (
	"bytes"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// MostAhead is mostAhead.
const MostAhead = mostAhead

// Cached counts the pages that a volume has in its cache, and those of them that are not what its device has.
func (f *FS) Cached(d *block.Memory) (n, wrong int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first, count := f.span(f.dataAt, int64(f.clusters)*f.cluster)
	f.settle(f.dataAt, int64(f.clusters)*f.cluster)
	for p := first; p < first+count; p++ {
		if h := f.cache.Run(p, noSums[:1]); h.Data != nil {
			if n++; !bytes.Equal(h.Data, d.Bytes()[f.dataAt+int64(p-1)*pages.Size:][:pages.Size]) {
				wrong++
			}
			h.Release()
		}
	}
	return n, wrong
}

// Places are the parts of a volume that a check looks at, as far as there is anything: from where to where.
func Places(dev block.Device) (list [][2]int64) {
	c, err := examine(dev, time.Time{})
	if err != nil {
		return nil
	}
	list = append(list, [2]int64{36, 90})
	if c.infoAt > 0 {
		list = append(list, [2]int64{c.infoAt, c.infoAt + 4}, [2]int64{c.infoAt + 484, c.infoAt + 512})
	}
	for k := range c.copies { // some entries more than are in use
		list = append(list, [2]int64{c.tableAt + k*c.table, c.tableAt + k*c.table + int64(c.r.Clusters+8)*int64(c.width)/8})
	}
	for d := range c.dirs {
		chain := c.chain(d)
		first, _ := c.place(d, chain, 0)
		list = append(list, [2]int64{first, first + 12*32}, [2]int64{first, first + 12*32})
	}
	return list
}

// A Probe knows where things lie on a volume that is whole, and changes them.
type Probe struct {
	B []byte
	c *checker
}

// NewProbe looks at the volume that b is.
func NewProbe(b []byte) *Probe {
	c, err := examine(block.NewMemory(b), time.Time{})
	if err != nil {
		panic(err)
	}
	return &Probe{b, c}
}

// Info is where free clusters are counted, Backup where the copy of the boot sector is; 0: nowhere. Table is where a copy of the table is, Cluster how many bytes a cluster has.
func (p *Probe) Info() int64              { return p.c.infoAt }
func (p *Probe) Backup() int64            { return p.c.copyAt }
func (p *Probe) Table(k int64) []byte     { return p.B[p.c.tableAt+k*p.c.table:][:p.c.table] }
func (p *Probe) Cluster() int64           { return p.c.cluster }
func (p *Probe) Width() int               { return p.c.width }
func (p *Probe) At(c uint32) int64        { return p.c.at(c) }
func (p *Probe) Clusters() uint32         { return p.c.clusters }
func (p *Probe) Get(c uint32) uint32      { return p.c.entry(p.Table(0), c) }
func (p *Probe) First(entry int64) uint32 { return p.c.first(&row{raw: [32]byte(p.B[entry:])}) }

// Set changes an entry of all copies of the table.
func (p *Probe) Set(c, v uint32) {
	for k := range p.c.copies {
		p.c.putEntry(p.Table(k), c, v)
	}
}

// PutFirst has an entry begin at a cluster.
func (p *Probe) PutFirst(entry int64, c uint32) { p.c.putFirst(p.B[entry:][:32], c) }

// Entry is where the entry of a path is, and how many of a long name are before it.
func (p *Probe) Entry(path string) (at int64, longs int) {
	for d := range p.c.dirs {
		p.c.rows(d, p.c.chain(d), 0, func(r *row) bool {
			if strings.TrimSuffix(p.c.pathTo(d), "/")+"/"+r.name() == path {
				at, longs = r.at, r.slot-r.begin
			}
			return true
		}, func(int, bool) {})
	}
	if at == 0 {
		panic("no " + path)
	}
	return at, longs
}

// Chain are the clusters of a path.
func (p *Probe) Chain(path string) (list []uint32) {
	at, _ := p.Entry(path)
	for c := p.First(at); p.c.is(c); c = p.Get(c) {
		list = append(list, c)
	}
	return list
}

// End is the entry of a last cluster.
func (p *Probe) End() uint32 { v, _ := p.c.end(); return v }
