package logkv

import (
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/kinds"
)

// With this `mkimage run --disk kv.img:/kv,format=logkv` mounts one, in any program that imports the package.
func init() {
	kinds.Register(kinds.Kind{
		Name: "logkv",
		Is: func(dev block.Device) bool {
			f := newFS(dev)
			return f.newest() == nil && f.epoch != 0
		},
		Mount: func(dev block.Device, readOnly bool) (kinds.Volume, error) {
			f, err := Mount(dev)
			if err != nil {
				return nil, err
			}
			f.readOnly = readOnly
			return f, nil
		},
		Format: func(dev block.Device) error {
			if _, err := Mount(dev); err != ErrBlank {
				return err // one that is there is as good
			}
			return Format(dev)
		},
	})
}
