package archive

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/checked"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// pack makes an index of two files, a link and folders, and what lies in the partition.
func pack(t testing.TB) (index string, members, big []byte) {
	t.Helper()
	big = make([]byte, 5*checked.BlockSize/2)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range big {
		big[i] = byte(r.Uint32())
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range []struct {
		name string
		mode fs.FileMode
		text string
	}{{"srv/", fs.ModeDir | 0o755, ""}, {"srv/big", 0o644, string(big)}, {"srv/link", fs.ModeSymlink | 0o777, "small"}, {"srv/small", 0o600, "text"}} {
		h := &zip.FileHeader{Name: f.name}
		h.SetMode(f.mode)
		m, err := w.CreateHeader(h)
		if err == nil {
			_, err = m.Write([]byte(f.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	n := out.Len()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	members = append(bytes.Clone(out.Bytes()[:n]), make([]byte, -n&(checked.BlockSize-1))...)
	x := checked.Index{Partition: [16]byte{7}, Members: int64(n), Sums: checked.Sums(members), Directory: out.String()[n:]}
	return string(x.Encode()), members, big
}

// open opens an index whose blocks are on a device that find finds; lines counts what was told.
func open(index string, cache *pages.Heap, lines *int, find func(guid [16]byte) (block.Device, error)) (*FS, error) {
	return Open(index, func(x checked.Index) *pages.Blocks {
		return checked.Blocks(pages.New(cache), x.Sums, func() (block.Device, error) { return find(x.Partition) })
	}, func(error) { *lines++ })
}

// read reads a file of a tree whole.
func read(tree *core.Tree, name string) ([]byte, core.Errno) {
	p, e := tree.Resolve(tree.Root(), name, 0)
	if e != 0 {
		return nil, e
	}
	b := make([]byte, p.Attr().Size)
	n, e := p.Node.(core.File).ReadAt(b, 0)
	return b[:max(n, 0)], e
}

// TestFiles: names are there without the disk, and what is in the files with it.
func TestFiles(t *testing.T) {
	index, members, big := pack(t)
	opened, lines := 0, 0
	cache := pages.NewHeap(2 * checked.BlockSize)
	s, err := open(index, cache, &lines, func(id [16]byte) (block.Device, error) {
		if opened++; id != [16]byte{7} {
			t.Errorf("GUID %x", id)
		}
		return block.NewMemory(members), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tree := core.NewTree("tmpfs", mem.New(mem.Options{Seed: s}))
	if p, e := tree.Resolve(tree.Root(), "srv/big", 0); e != 0 || p.Attr().Size != int64(len(big)) {
		t.Error(e)
	}
	if b, e := read(tree, "srv/link"); string(b) != "text" || e != 0 {
		t.Errorf("%q, %v", b, e)
	}
	if b, e := read(tree, "srv/big"); !bytes.Equal(b, big) || e != 0 {
		t.Errorf("%d bytes, %v", len(b), e)
	}
	if opened != 1 || lines != 0 {
		t.Errorf("opened %d times, %d lines", opened, lines)
	}

	// By several, while memory is taken.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				cache.Allow(cache.Seize(2))
				if b, e := read(tree, "srv/big"); !bytes.Equal(b, big) || e != 0 {
					t.Errorf("%d bytes, %v", len(b), e)
				}
			}
		})
	}
	wg.Wait()
}

// TestLost: without the disk, or with one that is damaged, reading gives EIO, and there is no panic.
func TestLost(t *testing.T) {
	index, members, _ := pack(t)
	for _, find := range []func([16]byte) (block.Device, error){
		func([16]byte) (block.Device, error) { return nil, errors.New("none") },
		func([16]byte) (block.Device, error) { return block.NewMemory(make([]byte, len(members))), nil },
		func([16]byte) (block.Device, error) { return block.NewMemory(members[:checked.BlockSize/2]), nil },
	} {
		lines := 0
		s, err := open(index, pages.NewHeap(checked.BlockSize), &lines, find)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadLink("srv/link"); err == nil {
			t.Error("the link was read")
		}
		p := s.Pieces("srv/small")
		for range 2 {
			if h, err := p.Piece(0, 4); err == nil || p.Cached(0) {
				t.Errorf("read %q", h.Data)
			}
		}
		if lines != 1 {
			t.Errorf("%d lines", lines)
		}
		if _, e := read(core.NewTree("tmpfs", mem.New(mem.Options{Seed: s})), "srv/small"); e != syscall.EIO {
			t.Error(e)
		}
	}
}

// TestTooFew: an index of more than there are blocks is none.
func TestTooFew(t *testing.T) {
	index, _, _ := pack(t)
	_, err := Open(index, func(x checked.Index) *pages.Blocks { return checked.Unpack(pages.New(pages.NewHeap(1)), "", x) }, nil)
	if err != checked.ErrIndex {
		t.Error(err)
	}
}

// FuzzIndex: whatever the index says, with the sums of what is there, nothing panics.
func FuzzIndex(f *testing.F) {
	index, members, _ := pack(f)
	f.Add(uint32(len(index)-100), uint32(7))
	f.Fuzz(func(t *testing.T, at, v uint32) {
		b := []byte(index)
		b[int(at)%len(b)] ^= byte(v)
		lines := 0
		s, err := open(string(b), pages.NewHeap(checked.BlockSize), &lines, func([16]byte) (block.Device, error) { return block.NewMemory(members), nil })
		if err != nil {
			return
		}
		for _, x := range s.File {
			s.ReadLink(x.Name)
			s.Stat(strings.Trim(x.Name, "/"))
			if p := s.Pieces(x.Name); p != nil {
				for _, off := range []int64{0, 1 << 10, 1 << 40} {
					h, _ := p.Piece(off, 1<<20)
					p.Cached(off)
					h.Release()
				}
			}
		}
	})
}
