package cffs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// TestDamagedBitmap damages, or makes unreadable, either of the bitmaps of a volume that was unmounted, or was not: what was in use stays so whatever is written then, a check tells of it, and it is mended by mounting, and
// by a repair.
func TestDamagedBitmap(t *testing.T) {
	data := bytes.Repeat([]byte("what was there before; "), 1000)
	tried := 0
	for _, unmounted := range []bool{true, false} {
		d, _ := synced(t, data)
		f := mount(t, d, manual)
		write(t, f, "/old", data)
		if f.Sync(); unmounted {
			f.Close()
		}
		whole := slices.Clone(d.Bytes())
		for slot := range int64(2) {
			for _, how := range []string{"damaged", "unreadable", "repaired", "torn"} {
				copy(d.Bytes(), whole)
				bad := &unreadable{Device: d, at: (bitmapAt + slot) * BlockSize}
				switch how {
				case "unreadable":
					bad.times = 1 << 30
				case "torn":
					clear(d.Bytes()[bad.at+BlockSize/2 : bad.at+BlockSize])
				default:
					d.Bytes()[bad.at+1000] ^= 1
				}
				if _, _, after, _, _ := readSuper(bad); after != nil { // it is of the last commit, which therefore does not count
					if unmounted {
						t.Fatal(after)
					}
					continue
				}
				tried++
				if how != "torn" || !sealed(d.Bytes()[bad.at:][:BlockSize]) {
					r, err := Check(bad, true)
					if err != nil || len(r.Problems) != 1 || r.Problems[0].Loss || !strings.Contains(r.Problems[0].What, "a bitmap of group 0 is damaged") {
						t.Errorf("%s, slot %d: %v, %v", how, slot, err, r.Problems)
					}
				}
				if how == "repaired" {
					if done, err := Repair(bad, false); err != nil || len(done) != 1 {
						t.Error(done, err)
					}
					check(t, d)
				}
				f := mount(t, bad, manual)
				for i := range 20 {
					write(t, f, "/new", bytes.Repeat([]byte{byte(i)}, 9000))
					if e := f.Sync(); e != 0 {
						t.Fatal(e)
					}
					if i == 0 {
						check(t, d) // as a crash leaves it
					}
				}
				if !bytes.Equal(contents(t, f, "/f"), data) || !bytes.Equal(contents(t, f, "/old"), data) {
					t.Errorf("%s, slot %d: other bytes", how, slot)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				check(t, d)
			}
		}
	}
	if tried < 12 {
		t.Errorf("%d bitmaps were damaged", tried)
	}
}

// TestLostBitmap: the disk did not write the last commit's bitmap, and has the one before it, or none, in its place. Whatever is written then, what was in use stays so; a check tells of it, and a repair mends it.
func TestLostBitmap(t *testing.T) {
	data := bytes.Repeat([]byte("what was there before; "), 1000)
	for _, how := range []string{"mounted", "repaired", "as many in use", "of an earlier version"} {
		for last := range 2 { // the slot that the last commit writes was written before, or was not
			d := formatted(t, minBlocks)
			if how == "of an earlier version" {
				d = formattedOld(t, minBlocks)
			}
			f := mount(t, d, manual)
			for i := range 2 + last {
				write(t, f, "/f"+fmt.Sprint(i), data)
				f.Sync()
			}
			was := slices.Clone(d.Bytes())
			slot := int64(bitmapAt+1-f.al.groups[0].slot) * BlockSize
			name := "/last"
			if how == "as many in use" {
				name = "/f1"
			}
			used := f.sb.used
			write(t, f, name, data)
			if err := f.Close(); err != nil { // has no manifest
				t.Fatal(err)
			}
			if name == "/f1" && f.sb.used != used {
				t.Fatal("not as many")
			}
			copy(d.Bytes()[slot:][:BlockSize], was[slot:])
			r, err := Check(d, true)
			if err != nil || len(r.Problems) != 1 || r.Problems[0].Loss || !strings.Contains(r.Problems[0].What, "the bitmaps are not those") {
				t.Errorf("%s, %d: %v, %v", how, last, err, r.Problems)
			}
			if how == "repaired" {
				if done, err := Repair(d, false); err != nil || len(done) != 1 {
					t.Error(done, err)
				}
				check(t, d)
			}
			f = mount(t, d, manual)
			for i := range 10 {
				write(t, f, "/new", bytes.Repeat([]byte{byte(i)}, 9000))
				if e := f.Sync(); e != 0 {
					t.Fatal(e)
				}
				check(t, d) // as a crash leaves it
			}
			if !bytes.Equal(contents(t, f, name), data) || !bytes.Equal(contents(t, f, "/f0"), data) {
				t.Errorf("%s, %d: other bytes", how, last)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			check(t, d)
		}
	}
}

// TestLostBitmapOfOlder: a bitmap that no commit has changed of late is an older one, with as many blocks in use, on a volume that nobody unmounted.
func TestLostBitmapOfOlder(t *testing.T) {
	d := formatted(t, groupBlocks+500)
	f := mount(t, d, manual)
	data := bytes.Repeat([]byte("what was there before; "), 1000)
	const full = 20_000 // so many blocks more seem to be in use: what is written goes to the second group
	f.al.used += full
	f.al.cursor = groupBlocks + 10
	write(t, f, "/f", data)
	f.Sync()
	f.al.used -= full
	for i := range 2 { // the tree goes to the first group; then nothing is changed in the second
		f.al.cursor = 0
		write(t, f, "/g", data[i:])
		if e := f.Sync(); e != 0 {
			t.Fatal(e)
		}
	}
	b := d.Bytes()[(groupBlocks+bitmapAt+f.al.groups[1].slot)*BlockSize:][:BlockSize]
	gen, ok := decodeBitmap(b, 1, &f.sb.uuid)
	if !ok || gen == f.sb.gen || len(f.sb.wrote) == 0 {
		t.Fatal(ok, gen, f.sb.gen, f.sb.wrote)
	}
	le.PutUint64(b[8:], gen-1)
	b[32+1], b[32+50] = b[32+50], b[32+1] // blocks 8 to 15 change places with blocks that nobody uses
	seal(b)
	if r, err := Check(d, true); err != nil || len(r.Problems) != 1 || r.Problems[0].Loss {
		t.Error(err, r.Problems)
	}
	f = mount(t, d, manual)
	f.al.cursor = groupBlocks
	write(t, f, "/new", data)
	if err := f.Close(); err != nil || !bytes.Equal(contents(t, f, "/f"), data) {
		t.Error("other bytes", err)
	}
	check(t, d)
}

// TestBlankBitmap: a bitmap that has become zeroes is damaged, but for the one that was never written: of a new volume, of one that nothing was changed on, of a group that just came by growing. Where it counts the tree
// says what is in use, whichever of its two bitmaps a group has lost, and after however many commits.
func TestBlankBitmap(t *testing.T) {
	at := func(g, slot int) int { return (g*groupBlocks + bitmapAt + slot) * BlockSize }
	told := func(d block.Device) (damaged int) {
		t.Helper()
		r, err := Check(d, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Problems {
			if p.Loss || !strings.Contains(p.What, "bitmap") {
				t.Error(p)
			}
			damaged++
		}
		return damaged
	}
	const blocks = groupBlocks + 500
	new := formatted(t, blocks)
	if n := told(new); n != 0 {
		t.Error("a new volume has damaged bitmaps:", n)
	}
	mount(t, new, manual).Close()
	if n := told(new); n != 0 {
		t.Error("one that was mounted has damaged bitmaps:", n)
	}
	data := bytes.Repeat([]byte("what was there before; "), 1000)
	tried := 0
	for commits := range 5 {
		d := formatted(t, blocks)
		f := mount(t, d, manual)
		for range commits {
			const full = 20_000 // so many blocks more seem to be in use: what is written goes to the second group
			f.al.used += full
			f.al.cursor = groupBlocks + 1
			write(t, f, "/f", data)
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
			f.al.used -= full
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for g := range 2 {
			for slot := range 2 {
				gen := func(slot int) uint64 {
					n, _ := decodeBitmap(d.Bytes()[at(g, slot):][:BlockSize], g, &f.sb.uuid)
					return n
				}
				if gen(slot) == 0 {
					continue // nobody wrote it
				}
				hurt := &overlay{base: d.Bytes(), over: map[int64][]byte{}}
				hurt.Write([][]byte{zeroes[:]}, int64(at(g, slot)))
				if n := told(hurt); n > 1 || n == 0 && gen(slot) > gen(1-slot) {
					t.Errorf("%d commits, group %d, slot %d: %d damaged bitmaps", commits, g, slot, n)
				}
				tried++
				f := mount(t, hurt, manual)
				f.al.cursor = groupBlocks
				for i := range 10 {
					write(t, f, "/new", bytes.Repeat([]byte{byte(i)}, 9000))
					if e := f.Sync(); e != 0 {
						t.Fatal(e)
					}
				}
				if commits > 0 && !bytes.Equal(contents(t, f, "/f"), data) {
					t.Errorf("%d commits, group %d, slot %d: other bytes", commits, g, slot)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				check(t, hurt)
			}
		}
	}
	if tried < 12 {
		t.Errorf("%d bitmaps were lost", tried)
	}
}

// quiet is manual for what a crash left: going through the tree at a mount, which costs as much as there are files, is an error.
func quiet(t testing.TB) Options {
	o := manual
	o.patience = 1 // nobody who could answer survives a crash
	o.Log = func(s string) {
		if strings.Contains(s, walked) {
			t.Error(s)
		}
	}
	return o
}

// TestTornBitmap cuts the power while bitmaps are written: in the first or the last sectors of them, with all else of the commit written or not, its superblocks included; and again in the commit of the mount that follows. Which
// blocks are in use is known without going through the tree, and right.
func TestTornBitmap(t *testing.T) {
	const blocks = groupBlocks + 9000
	d := formatted(t, blocks)
	base := mount(t, d, manual)
	data := bytes.Repeat([]byte("what was there before; "), 1000)
	write(t, base, "/old", data)
	write(t, base, "/large", make([]byte, 11_000*BlockSize)) // what lies far behind is used, too
	if err := base.Close(); err != nil {
		t.Fatal(err)
	}
	tried, torn := 0, 0
	// crash does what use says to a volume, and tears each bitmap that it wrote.
	var crash func(below func() *overlay, use func(f *FS), deep bool)
	crash = func(below func() *overlay, use func(f *FS), deep bool) {
		rec := block.NewRecorder(below())
		f, err := Mount(rec, quiet(t))
		if err != nil {
			t.Fatal(err)
		}
		use(f)
		log := rec.Log()
		begun := 0 // behind the last flush
		for i, e := range log {
			if e.Flush {
				begun = i + 1
			}
			at := e.Off / BlockSize % groupBlocks
			if e.Data == nil || at != bitmapAt && at != bitmapAt+1 {
				continue
			}
			end := i + 1 // behind what may have been written by then
			for end < len(log) && !log[end].Flush {
				end++
			}
			for _, n := range []int64{1, 2, 7} { // what changes is in the first three sectors
				for _, from := range []int64{0, n * 512} { // its first sectors, or its last ones
					part := e
					part.Off += from
					if part.Data = e.Data[from:]; from == 0 {
						part.Data = e.Data[:n*512]
					}
					for _, rest := range [][]block.Event{nil, log[begun:i], slices.Concat(log[begun:i], log[i+1:end])} {
						left := func() *overlay {
							o := below()
							for i := range begun {
								o.apply(&log[i])
							}
							for i := range rest {
								o.apply(&rest[i])
							}
							o.apply(&part)
							return o
						}
						o := left()
						b := make([]byte, BlockSize)
						o.Read([][]byte{b}, e.Off/BlockSize*BlockSize)
						if tried++; !sealed(b) && !bytes.Equal(b, zeroes[:]) {
							torn++
						}
						f, err := Mount(o, quiet(t))
						if err != nil {
							t.Fatal(err)
						}
						if r, err := Check(o, false); err != nil || len(r.Problems) > 0 { // as the next crash leaves it
							t.Fatalf("after event %d, %d sectors from %d: %v, %v", i, n, from/512, err, r.Problems)
						}
						if !bytes.Equal(contents(t, f, "/old"), data) {
							t.Error("other bytes")
						}
						write(t, f, "/new", data)
						if err := f.Close(); err != nil {
							t.Fatal(err)
						}
						if r, err := Check(o, false); err != nil || len(r.Problems) > 0 {
							t.Fatal(err, r.Problems)
						}
						if deep && n == 1 && len(rest) > 0 {
							crash(left, func(f *FS) {}, false)
						}
					}
				}
			}
		}
	}
	crash(func() *overlay { return &overlay{base: d.Bytes(), over: map[int64][]byte{}} }, func(f *FS) {
		for i, cursor := range []uint64{9000, groupBlocks + 5000, 9000} { // all over the bitmaps, of both groups
			f.al.cursor = cursor
			write(t, f, "/f"+fmt.Sprint(i), data)
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
		}
	}, true)
	if t.Logf("%d crashes, %d bitmaps torn", tried, torn); torn < 100 {
		t.Error("too few bitmaps were torn")
	}
}
