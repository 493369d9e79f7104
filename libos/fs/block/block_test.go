package block

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDevices does the same to each device of the host.
func TestDevices(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(name, make([]byte, 1<<20+100), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := OpenFile(name, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []Device{NewMemory(make([]byte, 1<<20)), file} {
		in := d.Info()
		if in.Size != 1<<20 || in.ReadOnly {
			t.Errorf("%+v", in)
		}
		a, b := bytes.Repeat([]byte{1}, 512), bytes.Repeat([]byte{2}, 1536)
		if err := d.Write([][]byte{a, b}, 4096); err != nil {
			t.Error(err)
		}
		if err := errors.Join(d.Flush(), d.Discard(8192, 4096)); err != nil {
			t.Error(err)
		}
		p, q := make([]byte, 1024), make([]byte, 1024)
		if err := d.Read([][]byte{p, q}, 4096); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(append(p, q...), append(a, b...)) {
			t.Errorf("%s: what was read is not what was written", in.Name)
		}
		for _, off := range []int64{-512, 1, 1 << 20, 1<<20 - 512, 1 << 62} {
			if err := d.Write([][]byte{q}, off); err == nil {
				t.Errorf("%s: a write at %d", in.Name, off)
			}
			if err := d.Read([][]byte{q}, off); err == nil {
				t.Errorf("%s: a read at %d", in.Name, off)
			}
		}
		d.Close()
	}
	if file, err = OpenFile(name, false); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		if _, err := OpenFile(name, readOnly); !errors.Is(err, ErrInUse) {
			t.Errorf("a file that is in use: %v", err)
		}
	}
	file.Close()
	if file, err = OpenFile(name, true); err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Write([][]byte{make([]byte, 512)}, 0); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
}

func TestRecorderAndFaulty(t *testing.T) {
	m := NewMemory(make([]byte, 4096))
	f := &Faulty{Device: m, At: 2}
	r := NewRecorder(f)
	one := func(c byte) [][]byte { return [][]byte{bytes.Repeat([]byte{c}, 512), bytes.Repeat([]byte{c}, 512)} }
	for i, want := range []error{nil, ErrInjected, nil} {
		if err := r.Write(one(byte(i+1)), int64(i)*1024); err != want {
			t.Errorf("%d: %v", i, err)
		}
	}
	r.Flush()
	r.Discard(0, 512)
	if b := m.Bytes(); b[512] != 1 || b[1024] != 2 || b[1536] != 0 || b[2048] != 3 {
		t.Error("the second write, which failed, was not half done, or another was")
	}
	again := make([]byte, 4096)
	log := r.Log()
	if len(log) != 5 || !log[3].Flush || log[4].Size != 512 {
		t.Fatalf("%+v", log)
	}
	for i := range log {
		log[i].Apply(again)
	}
	again[1536] = 0
	clear(again[1536:2048])
	if !bytes.Equal(again, m.Bytes()) {
		t.Error("what was recorded is not what was done")
	}
	if f.Requests() != 5 {
		t.Error(f.Requests())
	}
}

// TestDiskInUse: a block device that somebody has for himself, as who mounts it, is not opened to be written to.
func TestDiskInUse(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root has a block device")
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("there is no loop device here")
	}
	name := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--show", "-f", name).Output()
	if err != nil {
		t.Fatalf("losetup: %v", err)
	}
	loop := strings.TrimSpace(string(out))
	defer exec.Command("losetup", "-d", loop).Run()
	mounted, err := os.OpenFile(loop, os.O_RDONLY|os.O_EXCL, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := OpenFile(loop, false); !errors.Is(err, ErrInUse) {
		t.Errorf("a disk in use: %v", err)
		if err == nil {
			d.Close()
		}
	}
	mounted.Close()
	d, err := OpenFile(loop, false)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
}

// TestFewBytes: a file of less than one sector is no disk, and the error says what it has.
func TestFewBytes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := OpenFile(name, true); err == nil || !strings.Contains(err.Error(), "it has 100 bytes") {
		t.Error(d, err)
	}
}
