//go:build linux

package volume

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

// held is how many bytes of the host a file has.
func held(t *testing.T, file string) int64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// sparse makes a file of so many bytes, of which those of the pieces are data.
func sparse(t *testing.T, file string, size int64, pieces map[int64]string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	for off, text := range pieces {
		if _, err := f.WriteAt([]byte(text), off); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// same compares the size of a sparse file, and what lies at the pieces.
func same(t *testing.T, file string, size int64, pieces map[int64]string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() != size {
		t.Errorf("%d bytes, want %d", info.Size(), size)
	}
	for off, text := range pieces {
		b := make([]byte, len(text))
		if _, err := f.ReadAt(b, off); err != nil || string(b) != text {
			t.Errorf("at %d: %q, want %q: %v", off, b, text, err)
		}
	}
}

// TestHolesStay copies files that are nearly all holes into a volume that is much smaller, and out again: by a copy of all bytes it would take minutes, and neither side has the room.
func TestHolesStay(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "v")
	if err := Make(file, 16<<20, "", false, false); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		size   int64
		pieces map[int64]string
	}{
		"middle": {3 << 30, map[int64]string{1 << 30: strings.Repeat("x", 5000)}},
		"ends":   {8 << 40, map[int64]string{0: "begin", 8<<40 - 3: "end"}},
		"none":   {8 << 40, nil},
		"many":   {1 << 30, map[int64]string{12288: "a", 40960: strings.Repeat("b", 8192), 1 << 29: "c"}},
		"odd":    {1<<30 + 1, map[int64]string{8191: "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := filepath.Join(dir, "from-"+name), filepath.Join(dir, "to-"+name)
			sparse(t, from, c.size, c.pieces)
			opened(t, file, false, func(v *Volume) {
				if err := v.In(from, "/"+name, false); err != nil {
					t.Error(err)
				}
			})
			opened(t, file, true, func(v *Volume) {
				if err := v.Out("/"+name, to, false); err != nil {
					t.Error(err)
				}
			})
			same(t, to, c.size, c.pieces)
			if n := held(t, to); n > 64<<10 {
				t.Errorf("the copy has %d bytes of the host", n)
			}
		})
	}
	var b bytes.Buffer
	if err := Check(&b, file, CheckOptions{}); err != nil {
		t.Error(b.String(), err)
	}
}

// TestZeroesBecomeHoles: a FAT volume and a pipe cannot tell what is a hole; there blocks of zeroes become holes.
func TestZeroesBecomeHoles(t *testing.T) {
	dir := t.TempDir()
	file, from, to := filepath.Join(dir, "v"), filepath.Join(dir, "from"), filepath.Join(dir, "to")
	const size = 40<<20 + 77
	pieces := map[int64]string{0: "begin", 20<<20 + 5: "middle", size - 3: "end"}
	sparse(t, from, size, pieces)
	if err := Make(file, 64<<20, "", false, true); err != nil {
		t.Fatal(err)
	}
	opened(t, file, false, func(v *Volume) {
		if err := errors.Join(v.In(from, "/f", false), v.Out("/f", to, false)); err != nil {
			t.Error(err)
		}
	})
	same(t, to, size, pieces)
	if n := held(t, to); n > 64<<10 {
		t.Errorf("the copy has %d bytes of the host", n)
	}

	small := filepath.Join(dir, "small")
	if err := Make(small, 16<<20, "", false, false); err != nil {
		t.Fatal(err)
	}
	opened(t, small, false, func(v *Volume) {
		f, err := os.Open(from)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := v.From(iotest.HalfReader(io.LimitReader(f, size)), "/pipe"); err != nil {
			t.Error(err)
		}
		if _, err := f.Seek(20<<20+5, io.SeekStart); err != nil { // standard input may have been read from
			t.Fatal(err)
		}
		if err := v.From(f, "/rest"); err != nil {
			t.Error(err)
		}
		if err := errors.Join(os.Remove(to), v.Out("/pipe", to, false)); err != nil {
			t.Error(err)
		}
		same(t, to, size, pieces)
		if err := errors.Join(os.Remove(to), v.Out("/rest", to, false)); err != nil {
			t.Error(err)
		}
		same(t, to, size-(20<<20+5), map[int64]string{0: "middle"})
		if err := v.From(io.MultiReader(strings.NewReader("some"), iotest.ErrReader(io.ErrUnexpectedEOF)), "/cut"); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("what was cut short: %v", err)
		}
		if err := v.In("/proc/self/limits", "/limits", false); err != nil { // it says that it has 0 bytes
			t.Error(err)
		}
		var b bytes.Buffer
		if err := v.Cat(&b, "/limits"); err != nil || !strings.Contains(b.String(), "Max open files") {
			t.Error(b.String(), err)
		}
		if err := v.In("/sys/kernel/mm/transparent_hugepage/enabled", "/enabled", false); err != nil && !errors.Is(err, os.ErrNotExist) { // it says that it has 4096
			t.Error(err)
		}
		b.Reset()
		if want, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err == nil {
			if err := v.Cat(&b, "/enabled"); err != nil || b.String() != string(want) {
				t.Errorf("%q, want %q: %v", b.String(), want, err)
			}
		}
	})
}

// TestNonzero splits bytes at random into what is written and what is not: together they are what they were, and no block of zeroes is written.
func TestNonzero(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := make([]byte, r.IntN(12*grain))
		for range r.IntN(6) {
			if len(b) > 0 {
				b[r.IntN(len(b))] = 1
			}
		}
		got, before := make([]byte, len(b)), int64(-1)
		if err := nonzero(b, 0, func(p []byte, off int64) error {
			if off%grain != 0 || off <= before {
				t.Errorf("a piece at %d behind %d", off, before)
			}
			before = off + int64(len(p))
			for i := 0; i < len(p); i += grain {
				if block := p[i:min(i+grain, len(p))]; bytes.Count(block, []byte{0}) == len(block) {
					t.Errorf("zeroes are written at %d", off+int64(i))
				}
			}
			copy(got[off:], p)
			return nil
		}); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%d bytes differ: %v", len(b), err)
		}
	}
}
