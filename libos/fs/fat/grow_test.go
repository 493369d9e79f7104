package fat_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

// TestGrow makes volumes of FAT32 larger, by so much that their table moves, and by so little that it does not: fsck.vfat and a check find nothing, all files are there, and there is more room. A crash behind a write (with -damages 1000, behind each) leaves a volume that has all
// files, and that a repair mends without loss.
func TestGrow(t *testing.T) {
	good := peopled(t, "Format", 34<<10)
	for _, more := range []int{64 << 10, 8 << 20, 100 << 20} {
		t.Run(fmt.Sprint(more), func(t *testing.T) {
			b := make([]byte, len(good)+more)
			copy(b, good)
			before := found(t, b)
			d := block.NewRecorder(block.NewMemory(bytes.Clone(b)))
			if err := fat.Grow(d); err != nil {
				t.Fatal(err)
			}
			log := d.Log()
			for i := 0; i <= len(log); i++ {
				if i > 0 {
					log[i-1].Apply(b)
				}
				if i < len(log) && log[i].Flush {
					continue
				}
				if i < len(log) && (more > 10<<20 || *damages < 1000 && i%9 != 0) {
					continue // every one is for who has time
				}
				now := bytes.Clone(b)
				name := fmt.Sprintf("after %d of %d", i, len(log))
				if r := found(t, now); len(r.Problems) > 0 {
					if i == len(log) {
						t.Error(name, listed(r))
					}
					if _, err := fat.Repair(block.NewMemory(now), false, repaired); err != nil {
						t.Errorf("%s: %v\n%s", name, err, listed(r))
						continue
					}
				} else if r.Files != before.Files || r.Dirs != before.Dirs {
					t.Errorf("%s: %d files, %d folders", name, r.Files, r.Dirs)
				}
				holds(t, name, fat.NewProbe(now), nil)
				if ok, said := judged(t, now); i%5 == 0 && !ok || i == len(log) && !ok {
					t.Error(name, said)
				}
			}
			v, err := fat.Mount(block.NewMemory(b), fat.Options{Manual: true})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			var s core.Statfs
			v.Statfs(&s)
			if room := int64(s.Blocks) * s.BlockSize; room < int64(len(b))*97/100 {
				t.Errorf("%d bytes of %d", room, len(b))
			}
			if e := put(t, core.NewTree("vfat", v), "/more", make([]byte, more/2)); e != 0 {
				t.Error(e)
			}
		})
	}
}

// TestGrowRefused: what cannot be made larger is not written to.
func TestGrowRefused(t *testing.T) {
	for what, want := range map[string]string{"FAT16": "a volume of FAT12 or FAT16 cannot be made larger", "damaged": "it is damaged, or was not unmounted", "full": "must be free, to make room for its table", "huge": "are too small: there would be"} {
		kind := "Format"
		if what == "FAT16" {
			kind = "FAT16"
		}
		b := append(peopled(t, kind, 34<<10), make([]byte, 60<<20)...)
		p := fat.NewProbe(b)
		switch what {
		case "damaged":
			p.B[p.Info()+488]++
		case "full":
			dir := t.TempDir()
			file := filepath.Join(dir, "v")
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			tree, unmount := mounted(t, file)
			put(t, tree, "/all", make([]byte, 40<<20))
			unmount()
			b, _ = os.ReadFile(file)
		}
		var dev block.Device = block.NewMemory(b)
		if what == "huge" {
			dev = large{dev}
		}
		before := bytes.Clone(b)
		if err := fat.Grow(dev); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
		if !bytes.Equal(b, before) {
			t.Errorf("%s: it was written to", what)
		}
	}
}

// A large device says that it has 64 GiB.
type large struct{ block.Device }

func (l large) Info() block.Info {
	in := l.Device.Info()
	in.Size = 64 << 30
	return in
}
