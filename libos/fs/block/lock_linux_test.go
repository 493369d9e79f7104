package block

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
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

// TestLockStaysWhileWriting: a file that is closed while it is written to is nobody else's until that has ended.
func TestLockStaysWhileWriting(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(name, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := OpenFile(name, false)
	if err != nil {
		t.Fatal(err)
	}
	d.using.RLock() // as a write does
	closed := make(chan error)
	go func() { closed <- d.Close() }()
	time.Sleep(20 * time.Millisecond) // it is at it
	if other, err := OpenFile(name, false); !errors.Is(err, ErrInUse) {
		t.Error("opened while it is written to:", err)
		if err == nil {
			other.Close()
		}
	}
	d.using.RUnlock()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if d, err = OpenFile(name, false); err != nil {
		t.Fatal(err)
	}
	d.Close()
}
