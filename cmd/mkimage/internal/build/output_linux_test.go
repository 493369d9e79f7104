package build

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
)

// TestReadOnlyOutput: a file that may not be written to is replaced, as by every format; a disk that would have to be written to is refused.
func TestReadOnlyOutput(t *testing.T) {
	for _, c := range []struct {
		name        string
		made, again format.Source
		want        string
	}{
		{"plain.img", format.Source{}, format.Source{}, ""},
		{"data.img", format.Source{Data: 1 << 20}, format.Source{}, "/data.img: permission denied"},
		{"slots.img", format.Source{Slot: "A"}, format.Source{Slot: "B"}, "/slots.img: permission denied"},
		{"now.img", format.Source{}, format.Source{Slot: "A"}, ""},
		{"iso.iso", format.Source{}, format.Source{}, ""},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, c.name)
		if err := build(t, file, "", Recipe{}, c.made); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o444); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			t.Fatal(err)
		}
		again := func() (err error) {
			done := make(chan struct{})
			go func() { // on a thread of its own, which ends with it: nobody's, whom permissions bind
				defer close(done)
				runtime.LockOSThread()
				if os.Getuid() == 0 {
					if err = syscall.Setfsuid(65534); err != nil {
						return
					}
				}
				err = build(t, file, "", Recipe{}, c.again)
			}()
			<-done
			return err
		}
		if c.want != "" {
			refused(t, file, c.want, again)
		} else if err := again(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
