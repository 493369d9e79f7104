//go:build hardtack

package main

import (
	"errors"

	"github.com/hardtack-os/hardtack/exo/virtio/blk"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/cffs"
)

func first() block.Device {
	places := blk.Places()
	if len(places) == 0 {
		must(errors.New("no disk"))
	}
	disk, err := blk.Open(places[0], blk.Options{})
	must(err)
	d, err := block.OpenDisk(disk)
	must(err)
	return d
}

func disk() (write, read func([]byte, int64) error, flush func() error) {
	d := first()
	return func(b []byte, off int64) error { return d.Write([][]byte{b}, off) }, func(b []byte, off int64) error { return d.Read([][]byte{b}, off) }, d.Flush
}

func mount() error {
	_, err := cffs.Mount(first(), cffs.Options{})
	return err
}

func aligned() []byte { return make([]byte, piece) }
