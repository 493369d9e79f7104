//go:build !hardtack

package blk_test

import (
	"errors"
	"strings"
	"testing"

	disks "github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/internal/sim"
	"github.com/hardtack-os/hardtack/exo/virtio/blk"
)

// TestFailedFlush has one flush fail: no later one is believed until the disk is opened again. The other transfers go on.
func TestFailedFlush(t *testing.T) {
	each(t, 64, everything, func(t *testing.T, _ *sim.Machine, v *sim.Virtio, m *model) {
		for _, status := range []byte{1, 2, 9} {
			d, err := blk.Open(blk.Places()[0], blk.Options{})
			if err != nil {
				t.Fatal(err)
			}
			flush := func() error { return d.Do(&blk.Request{Op: blk.Flush}) }
			if err := flush(); err != nil {
				t.Errorf("before any failed: %v", err)
			}
			v.Change(func() {
				m.fail = func(op uint32, _ uint64) byte {
					if disks.Op(op) != blk.Flush {
						return 0
					}
					m.fail = nil
					return status
				}
			})
			if err := flush(); err == nil || strings.Contains(err.Error(), "earlier") {
				t.Errorf("status %d: %v", status, err)
			}
			var failed *disks.IOError
			if err := flush(); !errors.As(err, &failed) || !strings.Contains(err.Error(), disks.FailedFlush) {
				t.Errorf("behind status %d: %v", status, err)
			}
			if !d.Close() {
				t.Error("it does not stop")
			}
		}
	})
}
