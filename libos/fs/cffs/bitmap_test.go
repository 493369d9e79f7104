package cffs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
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
				if _, _, after, _ := readSuper(bad); after != nil { // it is of the last commit, which therefore does not count
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
