package fat_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

var repaired = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// peopled is a volume of one of kinds that has files in folders, as bytes.
func peopled(t testing.TB, kind string, kib int) []byte {
	t.Helper()
	k := kinds[kind]
	if kib == 0 {
		kib = k.kib
	}
	file := made(t, k.width, kib)
	tree, unmount := mounted(t, file)
	root := tree.Root()
	must := func(e core.Errno) {
		if e != 0 {
			t.Helper()
			t.Fatal(e)
		}
	}
	must(tree.Mkdir(root, "/d", 0o755))
	must(tree.Mkdir(root, "/d/in there", 0o755))
	must(tree.Mkdir(root, "/d/in there/DEEP", 0o755))
	must(put(t, tree, "/d/a long name.text", bytes.Repeat([]byte("a"), 9000)))
	must(put(t, tree, "/d/in there/B.TXT", bytes.Repeat([]byte("b"), 9000)))
	must(put(t, tree, "/d/in there/DEEP/c", bytes.Repeat([]byte("c"), 5000)))
	must(put(t, tree, "/EMPTY", nil))
	must(put(t, tree, "/README.TXT", bytes.Repeat([]byte("r"), 20000)))
	must(put(t, tree, "/gone", bytes.Repeat([]byte("g"), 9000)))
	must(put(t, tree, "/Ünïcödé ☃", bytes.Repeat([]byte("u"), 3000)))
	must(tree.Unlink(root, "/gone"))
	root.Drop()
	unmount()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// judged has fsck.vfat look at a volume.
func judged(t testing.TB, b []byte) (ok bool, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "judged")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file)
	zeroes := make([]byte, 64<<10)
	for at := 0; at < len(b); at += len(zeroes) { // most of it is a hole
		if piece := b[at:min(at+len(zeroes), len(b))]; !bytes.Equal(piece, zeroes[:len(piece)]) {
			if _, err := f.WriteAt(piece, int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(f.Truncate(int64(len(b))), f.Close()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "fsck.vfat", "dosfstools"), "-n", file)
	out, err := cmd.CombinedOutput()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		t.Fatal(err)
	}
	// A label of letters beyond ASCII is none for it.
	ok = err == nil || strings.Count(string(out), "\n") == 6 && slices.ContainsFunc(strings.Split(string(out), "\n"), func(l string) bool {
		return strings.HasPrefix(l, "Volume label '") && strings.HasSuffix(l, "' stored in root directory is not valid.") && strings.ContainsFunc(l, func(r rune) bool { return r >= 0x80 })
	})
	return ok, string(out)
}

// found checks a volume, which stays as it is.
func found(t testing.TB, b []byte) *fat.Report {
	t.Helper()
	d := block.NewMemory(bytes.Clone(b))
	r, err := fat.Check(d)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.Bytes(), b) {
		t.Fatal("a check wrote to the volume")
	}
	return r
}

func listed(r *fat.Report) string {
	var s strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintf(&s, "%v; %s (%v)\n", p.What, p.Mend, p.Loss)
	}
	return s.String()
}

var damages = flag.Int("damages", 100, "how many damaged volumes of FAT12 TestCheckAgainstFsck looks at, and a fifth of that of other kinds")

// TestCheckAgainstFsck damages volumes at random: what fsck.vfat finds, a check finds; what was repaired, fsck.vfat and a check find whole.
func TestCheckAgainstFsck(t *testing.T) {
	for _, kind := range []string{"FAT12", "FAT16", "FAT32", "Format"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			kib := map[string]int{"FAT12": 720, "FAT16": 16 << 10, "FAT32": 36 << 10, "Format": 36 << 10}[kind]
			good := peopled(t, kind, kib)
			if r := found(t, good); len(r.Problems) > 0 || r.Files != 6 || r.Dirs != 4 {
				t.Fatalf("%d files, %d folders\n%s", r.Files, r.Dirs, listed(r))
			}
			places := fat.Places(block.NewMemory(good))
			n := *damages
			if kib > 1<<10 { // which take ten times as long
				n /= 5
			}
			for seed := range uint64(n) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				b := bytes.Clone(good)
				var what string
				for range 1 + rnd.IntN(3) {
					p := places[rnd.IntN(len(places))]
					at := p[0] + rnd.Int64N(p[1]-p[0])
					v := []byte{0, 1, 2, 5, 0xff, 0xe5, 0xf7, ' ', '.', byte(rnd.Int())}[rnd.IntN(10)]
					if rnd.IntN(3) == 0 {
						v = b[at] ^ 1<<rnd.IntN(8)
					}
					what += fmt.Sprintf(" %d: %#x for %#x,", at, v, b[at])
					b[at] = v
				}
				r := found(t, b)
				theirs, said := judged(t, b)
				if !theirs && len(r.Problems) == 0 {
					t.Errorf("seed %d,%s is not found: %s", seed, what, said)
				}
				d := block.NewMemory(b)
				before := bytes.Clone(b)
				done, err := fat.Repair(d, false, repaired)
				if lost := strings.Contains(listed(r), "(true)"); lost != errors.Is(err, fat.ErrLoss) || lost && !bytes.Equal(b, before) || !lost && err != nil {
					t.Errorf("seed %d,%s: %v", seed, what, err)
				} else if lost {
					done, err = fat.Repair(d, true, repaired)
				}
				if err != nil {
					t.Errorf("seed %d,%s: %v", seed, what, err)
				}
				if len(done) != len(r.Problems) {
					t.Errorf("seed %d,%s: %d done, for\n%s", seed, what, len(done), listed(r))
				}
				if again := found(t, b); len(again.Problems) > 0 {
					t.Errorf("seed %d,%s: after\n%sstill\n%s", seed, what, listed(r), listed(again))
				}
				if ok, said := judged(t, b); !ok {
					t.Errorf("seed %d,%s: after\n%s%s", seed, what, listed(r), said)
				}
			}
		})
	}
}

// FuzzCheck checks and repairs what was damaged: no panic, no end that never comes, and after a repair nothing is left to find.
func FuzzCheck(f *testing.F) {
	good := peopled(f, "FAT12", 160)
	f.Add([]byte{11, 0, 1, 13, 0, 9}, uint16(0))
	f.Add([]byte{0, 2, 3, 5, 2, 0xff, 9, 2, 1}, uint16(0))
	f.Add([]byte{0x1a, 0, 0xff, 0x20, 4, 0}, uint16(0x1000))
	f.Add([]byte{3, 2, 0x40, 4, 2, 0, 6, 2, 5}, uint16(0))
	f.Fuzz(func(t *testing.T, change []byte, base uint16) {
		b := bytes.Clone(good)
		for ; len(change) >= 3; change = change[3:] {
			b[(int(base)+int(change[0])+int(change[1])<<8)%len(b)] = change[2]
		}
		d := block.NewMemory(b)
		r, err := fat.Check(d)
		if err != nil {
			return
		}
		if _, err := fat.Repair(d, true, repaired); err != nil {
			t.Fatal(err)
		}
		if again, err := fat.Check(d); err != nil || len(again.Problems) > 0 {
			t.Fatalf("%v: after\n%sstill\n%s", err, listed(r), listed(again))
		}
		if v, err := fat.Mount(d, fat.Options{Manual: true}); err != nil {
			t.Fatal(err)
		} else if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A harm is one kind of damage.
type harm struct {
	do    func(p *fat.Probe)
	wants []string // among what is told
	loss  bool
	has   map[string]string // files afterwards, beside those that were there: "path": "bytes, as 3*a"; "": it is gone; "?": it is not looked at
	only  int               // of this width; 0: any
}

var harms = map[string]harm{
	"free count":                 {do: func(p *fat.Probe) { p.B[p.Info()+488]++ }, wants: []string{" clusters are said to be free, and "}, only: 32},
	"next free":                  {do: func(p *fat.Probe) { copy(p.B[p.Info()+492:], "\xff\xff\xff\x0f") }, wants: []string{"next free cluster is said to be 268435455"}, only: 32},
	"backup":                     {do: func(p *fat.Probe) { p.B[p.Backup()+100]++ }, wants: []string{"differs from it in 1 byte, from byte 100 on"}, only: 32},
	"boot":                       {do: func(p *fat.Probe) { clear(p.B[:512]) }, wants: []string{"the boot sector is damaged: it has no boot sector; the copy of it at byte 3072 is whole"}, only: 32},
	"geometry":                   {do: func(p *fat.Probe) { p.B[13] *= 2 }, wants: []string{"the boot sector says that the volume is of FAT16, and the copy of it, at byte 3072, that it is of FAT32"}, only: 32},
	"root":                       {do: func(p *fat.Probe) { p.B[44] = 200 }, wants: []string{"the boot sector differs from the copy of it, at byte 3072, in 1 byte, from byte 44 on"}, only: 32},
	"its copy is elsewhere":      {do: func(p *fat.Probe) { p.B[50] = 9 }, wants: []string{"its copy is in sector 9, which it is not, and it is in sector 6"}, only: 32},
	"second table":               {do: func(p *fat.Probe) { p.Table(1)[9]++ }, wants: []string{"copies 1 and 2 of the table differ in 1 byte"}},
	"first table":                {do: func(p *fat.Probe) { clear(p.Table(0)[6:60]) }, wants: []string{"copies 2 and 1 of the table differ"}},
	"media":                      {do: func(p *fat.Probe) { p.Set(0, p.End()) }, wants: []string{"the table does not begin as it should"}},
	"in use":                     {do: func(p *fat.Probe) { p.Set(1, p.Get(1)&^(1<<(min(p.Width(), 28)-1))) }, wants: []string{"was not unmounted"}, only: 16},
	"in use, by the boot sector": {do: func(p *fat.Probe) { p.B[65] = 1 }, wants: []string{"was not unmounted"}, only: 32},
	"out of range": {do: func(p *fat.Probe) { p.Set(p.Chain("/README.TXT")[0], p.Clusters()+2) }, loss: true,
		wants: []string{" to 19999 of /README.TXT are nowhere: the chain goes on at cluster ", "belong to nothing"}, has: map[string]string{"/README.TXT": "1c*r", "/FOUND.000/FILE0000.CHK": "?"}},
	"a chain in a circle": {do: func(p *fat.Probe) { c := p.Chain("/README.TXT"); p.Set(c[1], c[0]) }, loss: true,
		wants: []string{" to 19999 of /README.TXT are nowhere: the chain goes on at its own cluster "}, has: map[string]string{"/README.TXT": "2c*r"}},
	"a bad cluster": {do: func(p *fat.Probe) { c := p.Chain("/README.TXT"); p.Set(c[1], p.End()-8) }, loss: true,
		wants: []string{" to 19999 of /README.TXT are nowhere: the chain goes on at a cluster that is marked as bad"}, has: map[string]string{"/README.TXT": "1c*r"}},
	"two files have a cluster": {do: func(p *fat.Probe) { p.Set(p.Chain("/README.TXT")[0], p.Chain("/d/a long name.text")[1]) }, loss: true,
		wants: []string{" of \"/d/a long name.text\", from cluster ", "are those of /README.TXT, too"}, has: map[string]string{"/README.TXT": "?"}},
	"a file has a folder's cluster": {do: func(p *fat.Probe) { p.Set(p.Chain("/README.TXT")[0], p.Chain("/d/in there")[0]) }, loss: true,
		wants: []string{" of /README.TXT, from cluster ", "are those of \"/d/in there\", too"}, has: map[string]string{"/README.TXT": "?"}},
	"a chain without a name": {do: func(p *fat.Probe) { at, _ := p.Entry("/README.TXT"); p.B[at] = 0xe5 }, wants: []string{"in use by the table, belong to nothing"},
		has: map[string]string{"/README.TXT": "", "/FOUND.000/FILE0000.CHK": "20000*r"}},
	"a folder without a name": {do: func(p *fat.Probe) { at, _ := p.Entry("/d"); p.B[at] = 0xe5 }, wants: []string{"a folder at cluster ", " has no name"},
		has: map[string]string{"/d/a long name.text": "", "/d/in there/B.TXT": "", "/d/in there/DEEP/c": "", "/FOUND.000/DIR0000/a long name.text": "9000*a", "/FOUND.000/DIR0000/in there/DEEP/c": "5000*c"}},
	"a size that is too small": {do: func(p *fat.Probe) { at, _ := p.Entry("/README.TXT"); copy(p.B[at+28:], "\x64\x00\x00\x00") }, wants: []string{"/README.TXT has 100 bytes, and behind its last cluster the chain goes on"},
		has: map[string]string{"/README.TXT": "100*r", "/FOUND.000/FILE0000.CHK": "?"}},
	"a size of nothing": {do: func(p *fat.Probe) { at, _ := p.Entry("/README.TXT"); clear(p.B[at+28:][:4]) }, wants: []string{"/README.TXT has clusters, from "},
		has: map[string]string{"/README.TXT": "0*r", "/FOUND.000/FILE0000.CHK": "20000*r"}},
	"a size that is too large": {do: func(p *fat.Probe) { at, _ := p.Entry("/README.TXT"); p.B[at+30] = 2 }, loss: true, wants: []string{" of /README.TXT are nowhere: the chain ends"},
		has: map[string]string{"/README.TXT": "?"}},
	"a file that begins nowhere": {do: func(p *fat.Probe) { at, _ := p.Entry("/README.TXT"); p.PutFirst(at, 1) }, loss: true, wants: []string{"bytes 0 to 19999 of /README.TXT are nowhere: it begins at cluster 1, which is none"},
		has: map[string]string{"/README.TXT": "0*r", "/FOUND.000/FILE0000.CHK": "20000*r"}},
	"dot":                 {do: func(p *fat.Probe) { p.PutFirst(p.At(p.Chain("/d/in there")[0]), 9) }, wants: []string{"\".\" in the folder \"/d/in there\" is no folder, or at cluster 9, not "}},
	"dot dot":             {do: func(p *fat.Probe) { p.PutFirst(p.At(p.Chain("/d/in there")[0])+32, 0) }, wants: []string{"\"..\" in the folder \"/d/in there\" is no folder, or at cluster 0, not "}},
	"a renamed dot":       {do: func(p *fat.Probe) { p.B[p.At(p.Chain("/d/in there")[0])] = 0 }, wants: []string{"\".\" in the folder \"/d/in there\" has another name"}},
	"no dots":             {do: func(p *fat.Probe) { b := p.B[p.At(p.Chain("/d/in there")[0]):][:512]; copy(b, b[64:]); clear(b[448:]) }, wants: []string{"the folder \"/d/in there\" does not begin with"}},
	"a dot of zeroes":     {do: func(p *fat.Probe) { clear(p.B[p.At(p.Chain("/d/in there")[0]):][:32]) }, wants: []string{"the folder \"/d/in there\" does not begin with"}},
	"a dot dot of zeroes": {do: func(p *fat.Probe) { clear(p.B[p.At(p.Chain("/d/in there")[0])+32:][:32]) }, wants: []string{"the folder \"/d/in there\" does not begin with"}},
	"no dots, and an end": {do: func(p *fat.Probe) {
		b := p.B[p.At(p.Chain("/d/in there/DEEP")[0]):][:512]
		at, n := p.Entry("/d/in there/DEEP/c")
		copy(b, p.B[at-int64(32*n):][:32*(n+1)])
		clear(b[32*(n+1):])
		copy(b[32*(n+2):], "BEHIND     \x20")
		copy(b[32*(n+3):], "BEHIND2    \x20")
	}, loss: true, wants: []string{"the folder \"/d/in there/DEEP\" does not begin with", "the folder \"/d/in there/DEEP\" has 2 names behind its end"}},
	"a folder with a size": {do: func(p *fat.Probe) { at, _ := p.Entry("/d"); p.B[at+28] = 7 }, wants: []string{"the folder /d has a size, 7"}},
	"a folder that begins nowhere": {do: func(p *fat.Probe) { at, _ := p.Entry("/d"); p.PutFirst(at, 0) }, loss: true, wants: []string{"the folder /d begins at cluster 0, which is none"},
		has: map[string]string{"/d/a long name.text": "", "/d/in there/B.TXT": "", "/d/in there/DEEP/c": "", "/FOUND.000/DIR0000/in there/B.TXT": "9000*b"}},
	"a folder in itself": {do: func(p *fat.Probe) { at, _ := p.Entry("/d/in there/DEEP"); p.PutFirst(at, p.Chain("/d")[0]) }, loss: true, wants: []string{"the folder \"/d/in there/DEEP\" begins at cluster ", "which is that of /d"},
		has: map[string]string{"/d/in there/DEEP/c": "", "/FOUND.000/DIR0000/c": "5000*c"}},
	"no folder": {do: func(p *fat.Probe) {
		b := p.B[p.At(p.Chain("/d/in there/DEEP")[0]):][:512]
		for i := range b {
			b[i] = 'x'
		}
	}, loss: true, wants: []string{"what the folder \"/d/in there/DEEP\" holds is no folder"},
		has: map[string]string{"/d/in there/DEEP/c": "", "/FOUND.000/FILE0000.CHK": "5000*c", "/d/in there/DEEP": "?"}},
	"a long name of another": {do: func(p *fat.Probe) { at, _ := p.Entry("/d/a long name.text"); p.B[at-32+13]++; p.B[at-64+13]++ }, loss: true, wants: []string{"the folder /d has 2 parts of long names that belong to no name"},
		has: map[string]string{"/d/a long name.text": "", "/d/ALONGN~1.TEX": "9000*a"}},
	"two names":                    {do: func(p *fat.Probe) { at, _ := p.Entry("/README.TXT"); copy(p.B[at:], "EMPTY      ") }, wants: []string{"two names in the folder / are \"EMPTY\""}, has: map[string]string{"/README.TXT": "", "/EMPTY~1": "20000*r"}},
	"a label in a folder":          {do: func(p *fat.Probe) { b := p.B[p.At(p.Chain("/d/in there/DEEP")[0])+4*32:]; copy(b, "A LABEL    \x08") }, wants: []string{"the folder \"/d/in there/DEEP\" has a label, \"A LABEL\""}},
	"a file as a label":            {do: func(p *fat.Probe) { at, _ := p.Entry("/README.TXT"); p.B[at+11] |= 8 }, wants: []string{"the file /README.TXT is marked as a label"}},
	"a name that is none":          {do: func(p *fat.Probe) { at, _ := p.Entry("/README.TXT"); p.B[at+2] = '*' }, loss: true, wants: []string{"the short name of /RE*DME.TXT has characters"}, has: map[string]string{"/README.TXT": "", "/RE_DME.TXT": "20000*r"}},
	"a date":                       {do: func(p *fat.Probe) { at, _ := p.Entry("/README.TXT"); copy(p.B[at+22:], "\xff\xff\xff\xff") }, wants: []string{"a date or time of /README.TXT is none"}},
	"behind the end":               {do: func(p *fat.Probe) { b := p.B[p.At(p.Chain("/d/in there/DEEP")[0])+5*32:]; copy(b, "BEHIND     \x20") }, loss: true, wants: []string{"the folder \"/d/in there/DEEP\" has 1 name behind its end, at entry 4"}},
	"a folder's chain":             {do: func(p *fat.Probe) { p.Set(p.Chain("/d")[0], p.Clusters()+2) }, loss: true, wants: []string{"the folder /d, behind its byte ", "goes on at cluster "}},
	"a folder that counts as free": {do: func(p *fat.Probe) { p.Set(p.Chain("/d")[0], 0) }, loss: true, wants: []string{"the folder /d, behind its byte ", "has a last cluster that counts as free"}},
}

// TestCheckTells does one harm at a time: it is told, with path and bytes; a repair does what it says, no more than it may, and leaves all that is not damaged. fsck.vfat finds nothing afterwards.
func TestCheckTells(t *testing.T) {
	for _, kind := range []string{"FAT12", "FAT16", "FAT32"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			good := peopled(t, kind, map[string]int{"FAT12": 720, "FAT16": 16 << 10, "FAT32": 36 << 10}[kind])
			for i, name := range slices.Sorted(maps.Keys(harms)) {
				h, p := harms[name], fat.NewProbe(bytes.Clone(good))
				if h.only != 0 && h.only != p.Width() || h.only == 0 && p.Width() == 32 && i%3 != 0 { // these volumes are large
					continue
				}
				h.do(p)
				r := found(t, p.B)
				said := listed(r)
				for _, want := range h.wants {
					if !strings.Contains(said, want) {
						t.Errorf("%s: want %q in\n%s", name, want, said)
					}
				}
				d, before := block.NewMemory(p.B), bytes.Clone(p.B)
				done, err := fat.Repair(d, false, repaired)
				if h.loss {
					if !errors.Is(err, fat.ErrLoss) || !bytes.Equal(p.B, before) {
						t.Errorf("%s: repaired without being told to lose anything: %v\n%s", name, err, said)
					}
					done, err = fat.Repair(d, true, repaired)
				}
				if err != nil || len(done) == 0 {
					t.Errorf("%s: %v, %d done\n%s", name, err, len(done), said)
					continue
				}
				if again := found(t, p.B); len(again.Problems) > 0 {
					t.Errorf("%s: after\n%sstill\n%s", name, said, listed(again))
				}
				if ok, theirs := judged(t, p.B); !ok {
					t.Errorf("%s: after\n%s%s", name, said, theirs)
				}
				holds(t, name, p, h.has)
			}
		})
	}
}

// holds looks whether a volume has the files that peopled makes, but for those that has names, and these.
func holds(t *testing.T, name string, p *fat.Probe, has map[string]string) {
	t.Helper()
	want := map[string]string{"/d/a long name.text": "9000*a", "/d/in there/B.TXT": "9000*b", "/d/in there/DEEP/c": "5000*c", "/EMPTY": "0*e", "/README.TXT": "20000*r", "/Ünïcödé ☃": "3000*u"}
	for path, what := range has {
		want[path] = what
	}
	v, err := fat.Mount(block.NewMemory(bytes.Clone(p.B)), fat.Options{Manual: true})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer v.Close()
	tree := core.NewTree("vfat", v)
	for path, what := range want {
		if what == "?" {
			continue
		}
		b, e := get(tree, path)
		if what == "" {
			if e != syscall.ENOENT && e != syscall.ENOTDIR {
				t.Errorf("%s: %s: %v", name, path, e)
			}
			continue
		}
		n, of := int64(0), byte(0)
		if k, err := fmt.Sscanf(what, "%dc*%c", &n, &of); k == 2 && err == nil {
			n *= p.Cluster()
		} else if _, err := fmt.Sscanf(what, "%d*%c", &n, &of); err != nil {
			t.Fatal(what, err)
		}
		if e != 0 || int64(len(bytes.TrimRight(b, "\x00"))) != n || bytes.Count(b, []byte{of}) != int(n) {
			t.Errorf("%s: %s has %d bytes, %v; want %s", name, path, len(b), e, what)
		}
	}
}

// TestRepairFails has each request of a repair fail, alone or with all behind it, as a crash does: it is told, and another repair mends what was left, without loss if nothing was to be lost.
func TestRepairFails(t *testing.T) {
	good := peopled(t, "FAT12", 160)
	for _, name := range []string{"a chain without a name", "a folder without a name", "a size that is too small", "a size of nothing", "no dots", "two names", "first table", "two files have a cluster", "a folder in itself", "a chain in a circle"} {
		h := harms[name]
		p := fat.NewProbe(bytes.Clone(good))
		h.do(p)
		for _, rest := range []int64{0, 1 << 62} {
			for at := int64(1); ; at++ {
				d := block.NewMemory(bytes.Clone(p.B))
				f := &block.Faulty{Device: d, At: at, Last: rest}
				done, err := fat.Repair(f, h.loss, repaired)
				if at > f.Requests() {
					if err != nil || len(done) == 0 {
						t.Errorf("%s: %v", name, err)
					}
					break
				}
				if err == nil && rest != 0 { // what can be done without one request is
					t.Errorf("%s: request %d and all behind it failed, and nobody heard of it", name, at)
				}
				if _, err := fat.Repair(d, h.loss, repaired); err != nil {
					r, _ := fat.Check(d)
					t.Errorf("%s: request %d: %v\n%s", name, at, err, listed(r))
				}
				if r := found(t, d.Bytes()); len(r.Problems) > 0 {
					t.Errorf("%s: request %d: still\n%s", name, at, listed(r))
				}
				if h.has == nil && !h.loss {
					holds(t, name, &fat.Probe{B: d.Bytes()}, nil)
				}
			}
		}
	}
}

// many is a volume with a folder /S of n files, F0.TXT and on, of 3000 bytes each: 62 names and more take a second cluster of FAT16.
func many(t testing.TB, kind string, n int) []byte {
	t.Helper()
	k := kinds[kind]
	file := made(t, k.width, k.kib)
	tree, unmount := mounted(t, file)
	root := tree.Root()
	if e := tree.Mkdir(root, "/S", 0o755); e != 0 {
		t.Fatal(e)
	}
	for i := range n {
		if e := put(t, tree, fmt.Sprintf("/S/F%d.TXT", i), bytes.Repeat([]byte{byte('a' + i%26)}, 3000)); e != 0 {
			t.Fatal(e)
		}
	}
	root.Drop()
	unmount()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// manyLeft counts the files of many that are there as they were.
func manyLeft(t testing.TB, b []byte) (left int) {
	t.Helper()
	v, err := fat.Mount(block.NewMemory(bytes.Clone(b)), fat.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	tree := core.NewTree("vfat", v)
	for i := range 300 {
		if b, e := get(tree, fmt.Sprintf("/S/F%d.TXT", i)); e == 0 && bytes.Equal(b, bytes.Repeat([]byte{byte('a' + i%26)}, 3000)) {
			left++
		}
	}
	return left
}

// TestCheckCopies: copies of the table that differ are made one where names lead to no less by it than by the other. Else nothing is changed unless something may be lost, and then it goes by the one by which there is more; an old copy, by which nothing seems to be damaged, is not that.
func TestCheckCopies(t *testing.T) {
	good := many(t, "FAT16", 300)
	old := fat.NewProbe(many(t, "FAT16", 62)).Table(0)
	cut := func(p *fat.Probe, k int, n uint32) { binary.LittleEndian.PutUint16(p.Table(int64(k))[2*n:], 0xffff) }
	for name, h := range map[string]struct {
		do    func(p *fat.Probe, k, j int)
		loss  bool
		wants string
		left  int
	}{
		"an old copy":                    {func(p *fat.Probe, k, j int) { copy(p.Table(int64(j)), old) }, false, "names lead to more, or to no less", 300},
		"an old copy, and a file is cut": {func(p *fat.Probe, k, j int) { copy(p.Table(int64(j)), old); cut(p, k, p.Chain("/S/F0.TXT")[0]) }, true, "/S/F0.TXT are nowhere", 299},
		"a folder is cut in one":         {func(p *fat.Probe, k, j int) { cut(p, j, p.Chain("/S")[0]) }, false, "names lead to more, or to no less", 300},
		"files in one, a folder in others": {func(p *fat.Probe, k, j int) {
			s := p.Chain("/S")[0]
			cut(p, k, p.Chain("/S/F0.TXT")[0])
			cut(p, k, p.Chain("/S/F1.TXT")[0])
			cut(p, j, s)
		}, true, "not all of which the other has", 298},
	} {
		for k := range 2 {
			p := fat.NewProbe(bytes.Clone(good))
			h.do(p, k, 1-k)
			before, said := bytes.Clone(p.B), listed(found(t, p.B))
			if !strings.Contains(said, h.wants) || !strings.Contains(said, fmt.Sprintf("copies %d and %d of the table differ", k+1, 2-k)) {
				t.Errorf("%s, %d: %s", name, k, said)
			}
			_, err := fat.Repair(block.NewMemory(p.B), false, repaired)
			if h.loss {
				if !errors.Is(err, fat.ErrLoss) || !bytes.Equal(p.B, before) {
					t.Errorf("%s, %d: repaired without being told to lose anything: %v", name, k, err)
				}
				_, err = fat.Repair(block.NewMemory(p.B), true, repaired)
			}
			if n := manyLeft(t, p.B); err != nil || n != h.left {
				t.Errorf("%s, %d: %d files of 300 are left, not %d: %v", name, k, n, h.left, err)
			}
			if r := found(t, p.B); len(r.Problems) > 0 {
				t.Errorf("%s, %d: still %s", name, k, listed(r))
			}
		}
	}
}

// TestCheckBootCopy: a copy of the boot sector that is damaged does not take the place of the boot sector, by which names are found, because there is less to lose by it.
func TestCheckBootCopy(t *testing.T) {
	good := peopled(t, "FAT32", 36<<10)
	for _, bit := range [][2]int{{16, 0}, {37, 0}, {44, 0}, {44, 3}} {
		p := fat.NewProbe(bytes.Clone(good))
		p.B[p.Backup()+int64(bit[0])] ^= 1 << bit[1]
		whole := fat.NewProbe(bytes.Clone(good)) // the same alone is mended
		whole.B[p.Backup()+int64(bit[0])] ^= 1 << bit[1]
		e, _ := p.Entry("/README.TXT")
		p.B[e+30] = 2
		before := bytes.Clone(p.B)
		if _, err := fat.Repair(block.NewMemory(p.B), false, repaired); !errors.Is(err, fat.ErrLoss) || !bytes.Equal(before, p.B) {
			t.Errorf("%v: repaired without being told to lose anything: %v", bit, err)
		}
		if _, err := fat.Repair(block.NewMemory(p.B), true, repaired); err != nil {
			t.Error(err)
		}
		holds(t, fmt.Sprint(bit), p, map[string]string{"/README.TXT": "?"})
		if _, err := fat.Repair(block.NewMemory(whole.B), false, repaired); err != nil || !bytes.Equal(whole.B[whole.Backup():][:512], whole.B[:512]) {
			t.Errorf("%v: the copy alone: %v", bit, err)
		}
		holds(t, fmt.Sprint(bit), whole, nil)
	}
}

// TestPartitionsStay: a disk that was a volume as a whole, and has partitions now, is none: the old copy of the boot sector does not take the place of the partition table.
func TestPartitionsStay(t *testing.T) {
	b := peopled(t, "FAT32", 36<<10)
	clear(b[:510])
	copy(b[446:], "\x00\x00\x00\x00\x83\x00\x00\x00\x00\x08\x00\x00\x00\x08\x00\x00") // from 1 MiB on, 1 MiB
	before := bytes.Clone(b)
	d := block.NewMemory(b)
	var no *fat.MountError
	if _, err := fat.Repair(d, true, repaired); fat.Known(d) || !errors.As(err, &no) || !strings.Contains(err.Error(), "it has partitions: name one of them") || !bytes.Equal(b, before) {
		t.Error(fat.Known(d), err)
	}
}

// TestForeignFirstSector: where the first sector is not what is left of a boot sector, but another's, as a partition table without entries, for which blkid takes it and fsck.vfat nothing, an old copy of a boot sector takes its
// place only where a repair may lose something.
func TestForeignFirstSector(t *testing.T) {
	good := peopled(t, "FAT32", 36<<10)
	for what, damage := range map[string]func(b []byte){
		"an empty partition table":  func(b []byte) { clear(b[:510]) },
		"one with a disk's number":  func(b []byte) { clear(b[:510]); copy(b[440:], "\x12\x34\x56\x78") },
		"one with another's code":   func(b []byte) { copy(b[:446], bytes.Repeat([]byte("\xfa\x31\xc0"), 149)); clear(b[446:510]) },
		"what is none of FAT's all": func(b []byte) { copy(b, bytes.Repeat([]byte("text\n"), 103)) },
	} {
		b := bytes.Clone(good)
		damage(b)
		before := bytes.Clone(b)
		d := block.NewMemory(b)
		if said := listed(found(t, b)); !strings.Contains(said, "the first sector is no boot sector of FAT's, but another's") {
			t.Errorf("%s: %s", what, said)
		}
		if ok, _ := judged(t, b); ok {
			t.Errorf("%s: fsck.vfat takes it for a volume", what)
		}
		if _, err := fat.Repair(d, false, repaired); !errors.Is(err, fat.ErrLoss) || !bytes.Equal(b, before) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := fat.Repair(d, true, repaired); err != nil || !bytes.Equal(b[:90], good[:90]) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What is left of one is still that.
	b := bytes.Clone(good)
	clear(b[:30])
	if _, err := fat.Repair(block.NewMemory(b), false, repaired); err != nil || !bytes.Equal(b[:512], good[:512]) {
		t.Error(err)
	}
}

// TestBootCode: where a boot sector has code in the place of a label, as of a floppy of DOS 3, a check takes nothing of it for a label or a mark, and a repair leaves it as it is.
func TestBootCode(t *testing.T) {
	for _, kind := range []string{"FAT12", "FAT16"} {
		b := peopled(t, kind, 0)
		for i := 36; i < 510; i++ {
			b[i] = 0xeb ^ byte(i)
		}
		if r := found(t, b); len(r.Problems) > 0 {
			t.Errorf("%s: %s", kind, listed(r))
		}
		p := fat.NewProbe(b)
		p.Table(0)[0], p.Table(1)[0] = 0, 0 // something to mend
		boot := bytes.Clone(b[:512])
		if done, err := fat.Repair(block.NewMemory(b), false, repaired); err != nil || len(done) != 1 || !bytes.Equal(b[:512], boot) {
			t.Errorf("%s: %q, %v", kind, done, err)
		}
	}
}

// TestOneTableInUse: where the boot sector says that one copy of the table alone is in use, a mount and a check go by that, and a mount leaves the other alone; where its copy says something else nobody decides.
func TestOneTableInUse(t *testing.T) {
	p := fat.NewProbe(peopled(t, "Format", 36<<10))
	older := p.Table(0)
	clear(older[12:])
	was := bytes.Clone(older)
	p.B[40], p.B[p.Backup()+40] = 0x81, 0x81
	holds(t, "mounted", p, nil)
	d := block.NewMemory(p.B)
	v, err := fat.Mount(d, fat.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	if e := put(t, core.NewTree("vfat", v), "/NEW", bytes.Repeat([]byte("n"), 9000)); e != 0 {
		t.Fatal(e)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(older, was) {
		t.Error("a table was written that is not in use")
	}
	if said := listed(found(t, p.B)); strings.Contains(said, "(true)") || !strings.Contains(said, "copy 2, which alone the boot sector says is in use, is written over copy 1") {
		t.Error(said)
	}
	other := fat.NewProbe(bytes.Clone(p.B))
	copy(other.Table(0), other.Table(1)) // copy 1 is whole, and lacks another file than copy 2
	lacks := func(k int64, path string) {
		c := other.Chain(path)
		clear(other.Table(k)[4*c[0]:][:4])
		clear(other.Table(k)[4*c[1]:][:4])
	}
	lacks(0, "/README.TXT")
	lacks(1, "/d/in there/B.TXT")
	other.B[other.Backup()+40] = 0
	if _, err := fat.Repair(block.NewMemory(other.B), false, repaired); !errors.Is(err, fat.ErrLoss) {
		t.Error(err)
	}
	if _, err := fat.Repair(d, false, repaired); err != nil {
		t.Fatal(err)
	}
	holds(t, "repaired", p, map[string]string{"/NEW": "9000*n"})
	p.B[40], p.B[p.Backup()+40] = 0x87, 0x87
	if said := listed(found(t, p.B)); !strings.Contains(said, "copy 8 of the table alone is in use, of 2") {
		t.Error(said)
	}
}

// used fills what is free of a volume with what was there before.
func used(p *fat.Probe) {
	for n := uint32(2); n-2 < p.Clusters(); n++ {
		if p.Get(n) == 0 {
			b := p.B[p.At(n):][:p.Cluster()]
			for i := range b {
				b[i] = "SOMETHING OLD  1234567"[i%22]
			}
		}
	}
}

// TestRepairTorn has a crash stop repairs that lose nothing at each request, and at some keep any of the sectors that were written since the last flush: another repair mends what is left, and loses nothing.
func TestRepairTorn(t *testing.T) {
	good := fat.NewProbe(peopled(t, "FAT12", 160))
	used(good)
	list := maps.Clone(harms)
	list["many chains without a name"] = harm{do: func(p *fat.Probe) {
		for n, k := p.Clusters(), 0; k < 40; n-- {
			if p.Get(n) == 0 {
				p.Set(n, p.End())
				k++
			}
		}
	}}
	for _, name := range slices.Sorted(maps.Keys(list)) {
		h := list[name]
		if h.loss || h.only != 0 && h.only != 12 {
			continue
		}
		p := fat.NewProbe(bytes.Clone(good.B))
		h.do(p)
		before := bytes.Clone(p.B)
		rec := block.NewRecorder(block.NewMemory(p.B))
		if _, err := fat.Repair(rec, false, repaired); err != nil {
			t.Error(name, err)
			continue
		}
		again := func(what string, b []byte) {
			d := block.NewMemory(b)
			r, _ := fat.Check(d)
			if _, err := fat.Repair(d, false, repaired); err != nil {
				t.Errorf("%s: %s: %v\n%s", name, what, err, listed(r))
			} else if r := found(t, b); len(r.Problems) > 0 {
				t.Errorf("%s: %s: still\n%s", name, what, listed(r))
			}
		}
		disk, kept := bytes.Clone(before), bytes.Clone(before)
		rnd := rand.New(rand.NewPCG(1, 2))
		var since []block.Event
		for i, ev := range rec.Log() {
			again(fmt.Sprint("before request ", i), bytes.Clone(disk))
			ev.Apply(disk)
			if since = append(since, ev); ev.Flush {
				kept, since = bytes.Clone(disk), nil
				continue
			}
			for range 4 {
				torn := bytes.Clone(kept)
				for _, ev := range since {
					for o := 0; o < len(ev.Data); o += 512 {
						if rnd.IntN(2) == 0 {
							copy(torn[ev.Off+int64(o):], ev.Data[o:min(o+512, len(ev.Data))])
						}
					}
				}
				again(fmt.Sprint("some of what was written until request ", i), torn)
			}
		}
	}
}

// TestCheckHostile checks and repairs a volume of folders in folders, 7000 deep, each with files that have the clusters of all others: within bounds of time and memory.
func TestCheckHostile(t *testing.T) {
	p := fat.NewProbe(peopled(t, "FAT16", 0))
	const deep = 7000
	for n := uint32(100); n < 100+deep; n++ {
		b := p.B[p.At(n):][:p.Cluster()]
		clear(b)
		for i, e := range []struct {
			name  string
			attr  byte
			first uint32
			size  uint32
		}{{".          ", 0x10, n, 0}, {"..         ", 0x10, n - 1, 0}, {"D          ", 0x10, n + 1, 0}, {"F          ", 0x20, 2, 1<<32 - 1}, {"G          ", 0x20, n, 1 << 31}, {"H          ", 0x10, 100, 0}} {
			copy(b[32*i:], e.name)
			b[32*i+11] = e.attr
			p.PutFirst(int64(p.At(n))+int64(32*i), e.first)
			binary.LittleEndian.PutUint32(b[32*i+28:], e.size)
		}
		p.Set(n, p.End())
	}
	at, _ := p.Entry("/d")
	p.PutFirst(at, 100)
	r := found(t, p.B)
	if len(r.Problems) != 1000 || r.More < 3*deep/2 || r.Dirs < deep {
		t.Errorf("%d and %d problems, %d folders", len(r.Problems), r.More, r.Dirs)
	}
	if _, err := fat.Repair(block.NewMemory(p.B), true, repaired); err != nil {
		t.Fatal(err)
	}
	if r := found(t, p.B); len(r.Problems) > 0 {
		t.Error(listed(r))
	}
	if ok, said := judged(t, p.B); !ok {
		t.Error(said)
	}
}

// TestCheckEqualNames: a folder as large as can be, of names that are all the same or differ behind what a tail leaves of them only, is checked within seconds.
func TestCheckEqualNames(t *testing.T) {
	for _, digits := range []int{0, 4} {
		p := fat.NewProbe(many(t, "FAT16", 0))
		const names = 65534
		per := p.Cluster() / 32
		last := p.Chain("/S")[0]
		for i := int64(1); i < (names+2)/per; i++ {
			p.Set(last, uint32(1000+i))
			last = uint32(1000 + i)
		}
		p.Set(last, p.End())
		chain := p.Chain("/S")
		for i := int64(2); i < names+2; i++ {
			copy(p.B[p.At(chain[i/per])+i%per*32:], "AAAAAAAA   \x20")
			if digits > 0 { // each twice
				copy(p.B[p.At(chain[i/per])+i%per*32+4:], fmt.Sprintf("%04X", i/2%(names/2)))
			}
		}
		done := make(chan *fat.Report)
		go func() {
			r, _ := fat.Check(block.NewMemory(p.B))
			done <- r
		}()
		select {
		case r := <-done:
			if r == nil || len(r.Problems)+r.More < names/2 {
				t.Error(r)
			}
		case <-time.After(time.Minute):
			t.Fatal("a check of 65534 names goes on after a minute")
		}
	}
}

// TestCheckUntold: a problem that is not listed costs no reading of the folders above, for a path that nobody is told.
func TestCheckUntold(t *testing.T) {
	p := fat.NewProbe(many(t, "FAT16", 0))
	const deep, wide, bad = 20, 20, 4000
	per := p.Cluster() / 32
	next := uint32(100)
	take := func(n int) uint32 {
		for i := range n {
			v := next + uint32(i) + 1
			if i == n-1 {
				v = p.End()
			}
			p.Set(next+uint32(i), v)
		}
		next += uint32(n)
		return next - uint32(n)
	}
	entry := func(at int64, name string, first uint32) {
		copy(p.B[at:], fmt.Sprintf("%-11s\x10", name))
		p.PutFirst(at, first)
	}
	at, _ := p.Entry("/S")
	up := uint32(0)
	for level := range deep + 1 { // the last one has the folders
		n := wide
		if level == deep {
			n = (bad+2)/int(per) + 1
		}
		f := take(n)
		p.PutFirst(at, f)
		entry(p.At(f), ".", f)
		entry(p.At(f)+32, "..", up)
		if level == deep {
			for i := range int64(bad) {
				k := take(1)
				entry(p.At(f)+32*(i+2), fmt.Sprintf("X%d", i), k)
				entry(p.At(k), ".", k+1)
				entry(p.At(k)+32, "..", f)
			}
			break
		}
		for i := int64(2); i < wide*per; i++ {
			p.B[p.At(f)+32*i] = 0xe5
		}
		at = p.At(f) + 32*(wide*per-1)
		entry(at, "D", 0)
		up = f
	}
	d := &block.Faulty{Device: block.NewMemory(p.B), At: 1 << 62}
	r, err := fat.Check(d)
	if err != nil || len(r.Problems) != 1000 || r.More < bad-1000 || !strings.Contains(r.Problems[999].What, "/S/D/D/D/") {
		t.Fatal(err, r.More, r.Problems[:1])
	}
	if n := d.Requests(); n > 1000*3*deep+bad*8 {
		t.Errorf("%d requests", n)
	}
}

// TestCheckFull: where there is no room for names of what has none, a repair that may not lose anything changes nothing, and one that may frees it.
func TestCheckFull(t *testing.T) {
	p := fat.NewProbe(peopled(t, "FAT12", 160))
	for n := uint32(2); n-2 < p.Clusters(); n++ {
		if p.Get(n) == 0 {
			p.Set(n, p.End())
		}
	}
	before := bytes.Clone(p.B)
	d := block.NewMemory(p.B)
	if _, err := fat.Repair(d, false, repaired); !errors.Is(err, fat.ErrLoss) || !bytes.Equal(before, p.B) {
		t.Error(err)
	}
	done, err := fat.Repair(d, true, repaired)
	if err != nil || !strings.Contains(strings.Join(done, "\n"), "belong to nothing: they are free, as there is no room for a name") {
		t.Error(err, done)
	}
	if r := found(t, p.B); len(r.Problems) > 0 {
		t.Error(listed(r))
	}
	if ok, said := judged(t, p.B); !ok {
		t.Error(said)
	}
	holds(t, "full", p, nil)
}
