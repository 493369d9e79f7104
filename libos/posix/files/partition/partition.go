// Package partition brings the files that mkimage has put into a partition of the image's disk, by --files-on disk. mkimage links it, with its index (libos/fs/checked) in the place of the empty one here:
// names, sizes and the sums of all blocks are in the image, what is in the files is not.
//
// The partition is known by its unique GUID, on whichever disk, and looked for when the first byte of a file is asked for. Where it is not there, a disk cannot be read or a block is damaged, reading gives
// EIO, and the console one line each. What was read is in the page cache (libos/fs/pagecache). Nothing is written there: what a program writes to such a file is in memory, as with all files of an image. From then on the
// partition's node in /dev cannot be opened to be written (EBUSY), as that of a volume that is mounted.
package partition

import (
	_ "embed"
	"errors"

	"github.com/hardtack-os/hardtack/libos/fs/archive"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/checked"
	"github.com/hardtack-os/hardtack/libos/fs/drives"
	"github.com/hardtack-os/hardtack/libos/fs/pagecache"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
	"github.com/hardtack-os/hardtack/libos/posix/files"
)

//go:embed files.index
var index string

func init() {
	if index == "" {
		return
	}
	a, err := open(index, pagecache.StoreOf(1<<20), find, tell)
	if err != nil {
		tell(err)
		return
	}
	files.Plant(a)
}

func tell(err error) { println("libos/posix/files/partition:", err.Error()) }

// open reads an index. find finds the partition when it is needed.
func open(text string, store *pages.Store, find func(guid [16]byte) (block.Device, error), tell func(error)) (*archive.FS, error) {
	return archive.Open(text, func(x checked.Index) *pages.Blocks {
		return checked.Blocks(store, x.Sums, func() (block.Device, error) { return find(x.Partition) })
	}, tell)
}

// find opens the partition that has a GUID. Of several, as on a disk and its copy, the first one is as good: what is read is checked.
func find(guid [16]byte) (block.Device, error) {
	var found block.Device
	var failed error
	disks, _ := drives.Open(func(err error) { failed = err })
	for _, d := range disks {
		here := false
		for _, p := range drives.Partitions(d) {
			if p.GPT && p.GUID == guid && found == nil {
				found, here = p, true
			}
		}
		if !here {
			d.Close()
		}
	}
	switch {
	case found != nil:
		drives.Claim(found, "the files of the image") // who has it open to be written already is not stopped: what is read is checked
		return found, nil
	case failed != nil:
		return nil, failed
	}
	return nil, errors.New("no disk that there is a driver for has their partition")
}
