package fat_test

import (
	"bytes"
	"strconv"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

// TestDataBeforeNames: a disk that loses what of a file's bytes was not flushed, and nothing else, never has a name with bytes that were another's.
func TestDataBeforeNames(t *testing.T) {
	d := volume(t, 12, 1440)
	rec := block.NewRecorder(d)
	f, tree := mount(t, rec, fat.Options{})
	secret, mine := bytes.Repeat([]byte("SECRET! "), 1000), bytes.Repeat([]byte("my own. "), 1000)
	for i := 0; put(t, tree, "/old"+strconv.Itoa(i), bytes.Repeat(secret, 32)) == 0; i++ {
	}
	root := tree.Root()
	defer root.Drop()
	for _, n := range list(t, tree, "/") {
		if e := tree.Unlink(root, "/"+n); e != 0 {
			t.Fatal(n, e)
		}
	}
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	begin, base := len(rec.Log()), bytes.Clone(d.Bytes())
	if e := put(t, tree, "/new", mine); e != 0 {
		t.Fatal(e)
	}
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	log, flushes, there := rec.Log()[begin:], 0, false
	for end := range len(log) + 1 {
		flushed := 0
		for i := range end {
			if log[i].Flush {
				flushed = i
			}
		}
		disk := bytes.Clone(base)
		for i, e := range log[:end] {
			if i < flushed || !bytes.Contains(e.Data, mine[:8]) {
				e.Apply(disk)
			}
		}
		_, cut := mount(t, block.NewMemory(disk), fat.Options{ReadOnly: true})
		b, e := get(cut, "/new")
		if there = e == 0; there && len(b) > 0 && !bytes.Equal(b, mine) {
			t.Fatalf("after %d of %d requests /new has %d bytes, and they begin with %q", end, len(log), len(b), b[:8])
		}
	}
	for _, e := range log {
		if e.Flush {
			flushes++
		}
	}
	if !there || flushes != 2 {
		t.Errorf("%d flushes for a sync with data; the file is there: %v", flushes, there)
	}
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	if e := tree.Mkdir(root, "/d", 0o755); e != 0 {
		t.Fatal(e)
	}
	f.Sync()
	begin = len(rec.Log())
	if e := tree.Unlink(root, "/new"); e != 0 {
		t.Fatal(e)
	}
	f.Sync()
	flushes = 0
	for _, e := range rec.Log()[begin:] {
		if e.Flush {
			flushes++
		}
	}
	if flushes != 1 {
		t.Errorf("%d flushes for a sync without data", flushes)
	}
}

// TestGivenUp: on a nearly full volume, what a name has on the disk is not written to by another until the disk knows that it was given up; and all room can be used.
func TestGivenUp(t *testing.T) {
	d := volume(t, 12, 1440)
	f, tree := mount(t, d, fat.Options{})
	old, new, log := bytes.Repeat([]byte("the old "), 1000), bytes.Repeat([]byte("the new "), 1000), bytes.Repeat([]byte("LOGLOG! "), 1000)
	put(t, tree, "/cfg", old)
	put(t, tree, "/tmp", new)
	put(t, tree, "/hole", make([]byte, 100<<10)) // behind what will be given up, so that looking for room comes by there
	if e := put(t, tree, "/big", make([]byte, 2<<20)); e != syscall.ENOSPC {
		t.Fatal(e)
	}
	root := tree.Root()
	defer root.Drop()
	if e := tree.Unlink(root, "/hole"); e != 0 {
		t.Fatal(e)
	}
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	if e := tree.Rename(root, "/tmp", root, "/cfg", 0); e != 0 {
		t.Fatal(e)
	}
	full := false
	for i := range 30 {
		e := put(t, tree, "/log"+strconv.Itoa(i), log)
		if full = e == syscall.ENOSPC; e != 0 && !full {
			t.Fatal(e)
		}
		_, cut := mount(t, block.NewMemory(bytes.Clone(d.Bytes())), fat.Options{ReadOnly: true})
		if b, e := get(cut, "/cfg"); e != 0 || !bytes.Equal(b, old) && !bytes.Equal(b, new) {
			t.Fatalf("with %d others written /cfg has on the disk %d bytes that are neither the old nor the new, or %v", i+1, len(b), e)
		}
		if full {
			break
		}
	}
	var s core.Statfs
	if f.Statfs(&s); !full || s.Free != 0 {
		t.Errorf("full: %v, with %d clusters free", full, s.Free)
	}
}
