package logkv

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// state is what is in a filesystem.
func state(f *FS) map[string]string {
	m := map[string]string{}
	f.ReadDir(0, func(e *fs.Entry) bool {
		m[e.Name] = ""
		return true
	})
	for k := range m {
		n, _ := f.Lookup(k)
		a := n.Attr()
		b := make([]byte, a.Size+1)
		c, _ := n.(fs.File).ReadAt(b, 0)
		m[k] = string(b[:c])
	}
	return m
}

// step does something at random.
func step(r *rand.Rand, f *FS) fs.Errno {
	key := func() string { return string(rune('a' + r.IntN(6))) }
	switch k := key(); r.IntN(6) {
	case 0, 1, 2:
		n, e := f.Lookup(k)
		if e != 0 {
			if n, e = f.Create(k, syscall.S_IFREG|0o644, 0); e != 0 {
				return e
			}
		}
		_, _, e = n.(fs.File).WriteAt([]byte(strings.Repeat(key(), r.IntN(3000))), int64(r.IntN(2000)))
		return e
	case 3:
		f.Unlink(k)
	case 4:
		return f.Rename(k, f, key(), 0)
	case 5:
		if n, e := f.Lookup(k); e == 0 {
			return n.(fs.File).Truncate(int64(r.IntN(2000)))
		}
	}
	return 0
}

// TestCrashes mounts what is there when power is lost at each write, any of the last ones missing: one of the states that were synced, and none before the last
// that had been acknowledged.
func TestCrashes(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 1))
		disk := block.NewMemory(make([]byte, 64<<10))
		if err := Format(disk); err != nil {
			t.Fatal(err)
		}
		before := append([]byte{}, disk.Bytes()...)
		rec := block.NewRecorder(disk)
		f, err := Mount(rec)
		if err != nil {
			t.Fatal(err)
		}
		synced := []map[string]string{{}}
		at := []int{0} // how many events the log had then
		for range 60 {
			for range 1 + r.IntN(4) {
				if e := step(r, f); e != 0 && e != syscall.ENOENT && e != syscall.ENOSPC {
					t.Fatal(e)
				}
			}
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
			synced, at = append(synced, state(f)), append(at, len(rec.Log()))
		}
		if f.epoch < 5 {
			t.Errorf("seed %d: the log was written anew %d times", seed, f.epoch-2)
		}
		log, least := rec.Log(), 0
		stable := append([]byte{}, before...) // with all that is durable
		var loose []block.Event               // since the last flush
		for i := 0; i <= len(log); i++ {
			for least+1 < len(at) && at[least+1] <= i {
				least++
			}
			for range 3 {
				crashed := append([]byte{}, stable...)
				for _, e := range loose {
					torn := e
					if r.IntN(3) == 0 {
						torn.Data = e.Data[:len(e.Data)/512*r.IntN(2)/2*512]
					}
					if r.IntN(3) > 0 {
						torn.Apply(crashed)
					}
				}
				g, err := Mount(block.NewMemory(crashed))
				if err != nil {
					t.Fatalf("seed %d, event %d: %v", seed, i, err)
				}
				got := state(g)
				if !maps.Equal(got, synced[least]) && (least+1 == len(synced) || !maps.Equal(got, synced[least+1])) {
					t.Fatalf("seed %d, event %d: neither as synced %d times nor once more", seed, i, least)
				}
			}
			if i == len(log) {
				break
			}
			if loose = append(loose, log[i]); log[i].Flush {
				for _, e := range loose {
					e.Apply(stable)
				}
				loose = nil
			}
		}
	}
}

// TestFull fills it: ENOSPC, what was there stays, and removing makes room again.
func TestFull(t *testing.T) {
	disk := block.NewMemory(make([]byte, 64<<10))
	if err := Format(disk); err != nil {
		t.Fatal(err)
	}
	f, _ := Mount(disk)
	for round := range 3 {
		n := 0
		for ; ; n++ {
			x, e := f.Create(fmt.Sprint(round, n), syscall.S_IFREG|0o600, 0)
			if e == 0 {
				_, _, e = x.(fs.File).WriteAt(make([]byte, 1000), 0)
			}
			if s := f.Sync(); s != 0 {
				t.Fatal(s)
			}
			if e == syscall.ENOSPC {
				break
			}
			if e != 0 {
				t.Fatal(e)
			}
		}
		if n < 29 {
			t.Errorf("only %d values of 1000 bytes go into 32 KiB", n)
		}
		g, err := Mount(disk)
		if err != nil || !maps.Equal(state(f), state(g)) {
			t.Fatal("what is there is not what was written", err)
		}
		for k := range state(f) {
			f.Unlink(k)
		}
	}
}

// TestRefused: damage, failing devices and other contents are errors.
func TestRefused(t *testing.T) {
	if _, err := Mount(block.NewMemory(make([]byte, 64<<10))); err != ErrBlank {
		t.Errorf("zeroes: %v", err)
	}
	for _, at := range []int{1080, 32 << 10, 60 << 10} { // as another filesystem has it
		b := make([]byte, 64<<10)
		b[at] = 1
		if _, err := Mount(block.NewMemory(b)); err == nil || err == ErrBlank {
			t.Errorf("something at %d: %v", at, err)
		}
	}
	disk := block.NewMemory(make([]byte, 64<<10))
	Format(disk)
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		b := append([]byte{}, disk.Bytes()...)
		for range 1 + r.IntN(8) {
			b[r.IntN(2)*32<<10+r.IntN(2048)] = byte(r.IntN(256))
		}
		if f, err := Mount(block.NewMemory(b)); err == nil {
			state(f)
		}
	}
}

// TestFormat: nothing of an older log comes back.
func TestFormat(t *testing.T) {
	disk := block.NewMemory(make([]byte, 64<<10))
	for round := range 4 {
		if err := Format(disk); err != nil {
			t.Fatal(err)
		}
		f, err := Mount(disk)
		if err != nil || len(state(f)) != 0 {
			t.Fatalf("round %d: %v, %v", round, err, state(f))
		}
		n, _ := f.Create("secret", syscall.S_IFREG|0o600, 0)
		x := n.(fs.File)
		for range 1 + 8*round { // once, in one half, then in both
			if _, _, e := x.WriteAt(make([]byte, 5000), 0); e != 0 || f.Sync() != 0 {
				t.Fatal(e)
			}
		}
		if n, _, e := x.WriteAt([]byte("0123456789"), 1<<63-3); n != -1 || e != syscall.EFBIG {
			t.Errorf("a write at the end of all: %d, %v", n, e)
		}
	}
}

// TestGrown: on a disk that has become larger the log is where it was, whichever half it is in, and Format uses all of it; one that has become smaller is refused.
func TestGrown(t *testing.T) {
	for _, rewrites := range []int{0, 1, 2, 3} {
		disk := block.NewMemory(make([]byte, 64<<10))
		Format(disk)
		f, _ := Mount(disk)
		n, _ := f.Create("key", syscall.S_IFREG|0o600, 0)
		for i := 0; i == 0 || int(f.epoch) < 2+rewrites; i++ {
			if _, _, e := n.(fs.File).WriteAt([]byte(fmt.Sprint(i, strings.Repeat(" ", 5000))), 0); e != 0 || f.Sync() != 0 {
				t.Fatal(e)
			}
		}
		want := state(f)
		grown := block.NewMemory(append(disk.Bytes(), make([]byte, 192<<10)...))
		for range 2 {
			g, err := Mount(grown)
			if err != nil || !maps.Equal(state(g), want) {
				t.Fatalf("written anew %d times, then grown: %v, %v", rewrites, err, len(state(g)))
			}
			for epoch := g.epoch; g.epoch < epoch+2; { // and goes on there
				n, _ := g.Lookup("key")
				n.(fs.File).WriteAt([]byte("newer"), 0)
				g.Sync()
				want = state(g)
			}
		}
		if _, err := Mount(block.NewMemory(grown.Bytes()[:32<<10])); err == nil || err == ErrBlank {
			t.Errorf("cut in half: %v", err)
		}
		Format(grown)
		g, err := Mount(grown)
		if err != nil || len(state(g)) != 0 || g.half != 128<<10 {
			t.Errorf("formatted anew: %v, halves of %d bytes", err, g.half)
		}
	}
}

// TestWrongRecord: a record that is whole, with a key that no file can have, is not mounted.
func TestWrongRecord(t *testing.T) {
	for key, mode := range map[string]uint32{"a/b": syscall.S_IFREG, "..": syscall.S_IFREG, "": syscall.S_IFREG, "x": syscall.S_IFDIR} {
		disk := block.NewMemory(make([]byte, 64<<10))
		Format(disk)
		f, err := Mount(disk)
		if err != nil {
			t.Fatal(err)
		}
		f.add(key, mode)
		if e := f.Sync(); e != 0 {
			t.Fatal(e)
		}
		if _, err := Mount(disk); err == nil {
			t.Errorf("%q was mounted", key)
		}
	}
}

func FuzzMount(f *testing.F) {
	disk := block.NewMemory(make([]byte, 8<<10))
	Format(disk)
	m, _ := Mount(disk)
	m.Create("key", syscall.S_IFREG|0o600, 0)
	m.Sync()
	f.Add(disk.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4096 {
			return
		}
		if m, err := Mount(block.NewMemory(b[:len(b)/512*512])); err == nil {
			state(m)
			m.Sync()
		}
	})
}
