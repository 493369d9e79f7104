package nvme_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
)

// TestScattered writes and reads by pieces of all lengths and places, on controllers that take scatter-gather lists of bytes and of words: each is one command, and nothing is anywhere else than it should be.
func TestScattered(t *testing.T) {
	for sgls, unit := range map[uint32]int{1: 1, 2: 4} {
		c, done := newController(t)
		c.sgls = sgls
		d, e := open(t)
		if in := d.Info(); in.Pages || in.Words != (unit == 4) || in.MaxRuns != 256 {
			t.Errorf("SGLS %d: %+v", sgls, in)
		}
		mem, err := exo.TakeFrames("test", 32, 0)
		if err != nil {
			t.Fatal(err)
		}
		all, r, noise := mem.Bytes(), rand.New(rand.NewPCG(uint64(sgls), 2)), rand.NewChaCha8([32]byte{1})
		for i := range 300 {
			n := 512 * (1 + r.IntN(32))
			req := disk.Request{Op: disk.Write, Extent: e, Sector: flow.Block(r.IntN(blocks - n/512))}
			var parts [][]byte
			for at, left := r.IntN(4096)&^(unit-1), n; left > 0; {
				k := min(left, unit+r.IntN(1<<r.IntN(14))&^(unit-1), len(all)-at)
				if len(req.Memory) == 255 {
					k = left
				}
				req.Memory = append(req.Memory, exo.Run{Base: mem.Base() + exo.Phys(at), Len: uintptr(k)})
				parts = append(parts, all[at:][:k])
				at, left = at+k+r.IntN(300)&^(unit-1), left-k
			}
			noise.Read(all)
			want := bytes.Join(parts, nil)
			if err := disk.Do(d, &req); err != nil {
				t.Fatalf("SGLS %d, write %d of %d pieces: %v", sgls, i, len(parts), err)
			}
			if !bytes.Equal(c.data[int(req.Sector)*512:][:n], want) {
				t.Fatalf("SGLS %d: write %d of %d pieces wrote something else", sgls, i, len(parts))
			}
			clear(all)
			req.Op = disk.Read
			if err := disk.Do(d, &req); err != nil {
				t.Fatalf("SGLS %d, read %d of %d pieces: %v", sgls, i, len(parts), err)
			}
			if !bytes.Equal(bytes.Join(parts, nil), want) {
				t.Fatalf("SGLS %d: read %d of %d pieces read something else", sgls, i, len(parts))
			}
			for _, p := range parts {
				clear(p)
			}
			if !bytes.Equal(all, make([]byte, len(all))) {
				t.Fatalf("SGLS %d: read %d wrote elsewhere", sgls, i)
			}
		}
		if c.lists == 0 {
			t.Errorf("SGLS %d: no list was used", sgls)
		}
		odd := []exo.Run{{Base: mem.Base() + 2, Len: 510}, {Base: mem.Base() + 4096, Len: 2}}
		var refused *disk.RequestError
		if err := disk.Do(d, &disk.Request{Op: disk.Read, Extent: e, Memory: odd}); errors.As(err, &refused) != (unit == 4) {
			t.Errorf("SGLS %d, pieces of half words: %v", sgls, err)
		}
		d.Close()
		done()
	}
}

// TestLists holds which of both ways a command takes: the one of which the controller has less to fetch.
func TestLists(t *testing.T) {
	const page = exo.PageSize
	for _, x := range []struct {
		name        string
		sgls        uint32
		pieces      int
		each        uintptr
		ones, lists int
	}{
		{"two pages in a row", 1, 1, 2 * page, 0, 0},
		{"three pages in a row", 1, 1, 3 * page, 1, 0},
		{"eight pages in a row, without lists", 0, 1, 8 * page, 0, 0},
		{"eight pages in a row, with words", 2, 1, 8 * page, 1, 0},
		{"eight pages, each elsewhere", 1, 8, page, 0, 0},
		{"two pieces of three pages", 1, 2, 3 * page, 0, 1},
		{"two pieces of three pages, where one descriptor is best", 1 | 1<<8, 2, 3 * page, 0, 0},
		{"pieces that are no pages", 1, 4, page / 4, 0, 1},
		{"pieces that are no pages, where one descriptor is best", 1 | 1<<8, 4, page / 4, 0, 1},
	} {
		c, done := newController(t)
		c.sgls = x.sgls
		d, e := open(t)
		mem, err := exo.TakeFrames("test", 16, 0)
		if err != nil {
			t.Fatal(err)
		}
		r := disk.Request{Op: disk.Read, Extent: e}
		for i, at := 0, mem.Base(); i < x.pieces; i, at = i+1, (at+exo.Phys(x.each)+2*page-1)&^(page-1) {
			r.Memory = append(r.Memory, exo.Run{Base: at, Len: x.each})
		}
		if err := disk.Do(d, &r); err != nil || c.ones != x.ones || c.lists != x.lists {
			t.Errorf("%s: %v, %d data blocks and %d lists, want %d and %d", x.name, err, c.ones, c.lists, x.ones, x.lists)
		}
		d.Close()
		done()
	}
}

// TestStrangeLists opens controllers that say of scatter-gather lists what means nothing: they are driven by PRPs, or, where the rest of the field is what it should not be, as its lowest bits say. What a controller
// refuses that it said it takes is an error of the transfer.
func TestStrangeLists(t *testing.T) {
	for sgls, takes := range map[uint32]bool{3: false, ^uint32(0): false, 0xfffffffc: false, 0xfffffffd: true, 0xfffffffe: true, 1 | 1<<2: true} {
		c, done := newController(t)
		c.sgls = sgls
		d, e := open(t)
		mem, err := exo.TakeFrames("test", 16, 0)
		if err != nil {
			t.Fatal(err)
		}
		if in := d.Info(); in.Pages == takes {
			t.Errorf("SGLS %#x: %+v", sgls, in)
		}
		r := disk.Request{Op: disk.Write, Extent: e, Memory: []exo.Run{{Base: mem.Base(), Len: 8 * exo.PageSize}}}
		if err := disk.Do(d, &r); err != nil || c.ones != map[bool]int{true: 1}[takes] {
			t.Errorf("SGLS %#x: %v, %d data blocks", sgls, err, c.ones)
		}
		if takes {
			c.mu.Lock()
			c.sgls = 0
			c.mu.Unlock()
			var failed *disk.IOError
			if err := disk.Do(d, &r); !errors.As(err, &failed) {
				t.Errorf("SGLS %#x, of a controller that takes none after all: %v", sgls, err)
			}
		}
		d.Close()
		done()
	}
}
