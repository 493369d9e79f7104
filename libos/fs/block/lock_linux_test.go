package block

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestLockEndsWithClose: a file that was closed can be opened at once, also where a process that is being started has its descriptor still.
func TestLockEndsWithClose(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(name, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := OpenFile(name, false)
	if err != nil {
		t.Fatal(err)
	}
	child, err := syscall.Dup(int(d.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(child)
	if _, err := OpenFile(name, false); !errors.Is(err, ErrInUse) {
		t.Error("opened twice:", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = OpenFile(name, false); err != nil {
		t.Fatal(err)
	}
	d.Close()
}
