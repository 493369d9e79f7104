package cffs

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// populated is a volume with directories of files of so many bytes, unmounted.
func populated(t testing.TB, blocks, dirs, files, size int) *block.Memory {
	d := formatted(t, blocks)
	f := mount(t, d, Options{})
	root := f.Root()
	data := make([]byte, size)
	for i := range dirs {
		n, e := root.Create(fmt.Sprintf("dir%03d", i), syscall.S_IFDIR|0o755, 0)
		if e != 0 {
			t.Fatal(e)
		}
		for k := range files {
			x, e := n.(core.Dir).Create(fmt.Sprintf("file%04d", k), syscall.S_IFREG|0o644, 0)
			if e != 0 {
				t.Fatal(e)
			}
			if size > 0 {
				data[0], data[1] = byte(i), byte(k)
				if n, _, e := x.(core.File).WriteAt(data, 0); n != size || e != 0 {
					t.Fatal(n, e)
				}
			}
			x.Unref()
		}
		n.Unref()
	}
	root.Unref()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDirectoryIsReadTogether reads the files of one directory, after mounting, in the order of their names: there are at most a fifth as many requests as files. A filesystem that keeps inodes and
// data apart makes at least one a file.
func TestDirectoryIsReadTogether(t *testing.T) {
	const dirs, files = 20, 100
	counted := &block.Faulty{Device: populated(t, 8192, dirs, files, BlockSize)}
	f := mount(t, counted, Options{})
	before := counted.Requests()
	root := f.Root()
	n, e := root.Lookup("dir007")
	if e != 0 {
		t.Fatal(e)
	}
	b := make([]byte, BlockSize)
	for k := range files {
		x, e := n.(core.Dir).Lookup(fmt.Sprintf("file%04d", k))
		if e != 0 {
			t.Fatal(e)
		}
		if got, e := x.(core.File).ReadAt(b, 0); got != BlockSize || e != 0 || b[0] != 7 || b[1] != byte(k) {
			t.Fatal(got, e, b[:2])
		}
		x.Unref()
	}
	requests := counted.Requests() - before
	t.Logf("%d requests for %d files", requests, files)
	if requests > files/5 {
		t.Errorf("%d requests for %d files", requests, files)
	}
}

// TestMountReadsLittle mounts a volume of many files that was not unmounted: how much is read does not depend on how many there are.
func TestMountReadsLittle(t *testing.T) {
	files := 1000
	if testing.Short() {
		files = 100
	}
	d := populated(t, 16384, 100, files, 0)
	mount(t, d, manual) // and left so: as after a crash
	counted := &block.Faulty{Device: d}
	start := time.Now()
	f := mount(t, counted, manual)
	t.Logf("%d files: %d requests, %v", 100*files, counted.Requests(), time.Since(start))
	if counted.Requests() > 30 {
		t.Errorf("%d requests", counted.Requests())
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
