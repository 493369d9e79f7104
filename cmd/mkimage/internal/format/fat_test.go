package format

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// sparse writes a file with holes for zeroes.
func sparse(name string, data []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	const part = 1 << 20
	for at := 0; at < len(data); at += part {
		if p := data[at:min(at+part, len(data))]; !zero(p) {
			if _, err := f.WriteAt(p, int64(at)); err != nil {
				return err
			}
		}
	}
	return f.Truncate(int64(len(data)))
}

// TestFAT has fsck.vfat judge a volume of each type.
func TestFAT(t *testing.T) {
	for _, c := range []struct {
		bits, size int
	}{{12, 1}, {12, 3 << 20}, {16, 20 << 20}, {32, 136 << 20}} {
		data := make([]byte, c.size)
		data[0] = 1
		v := fat{volume: 0x1234abcd, label: "TEST", time: time.Date(2026, 5, 6, 7, 8, 10, 0, time.UTC), entries: []fatEntry{
			{"EFI", nil}, {"EFI/BOOT", nil}, {"EFI/BOOT/BOOTX64.EFI", data}, {"EMPTY.TXT", []byte{}}, {"SMALL.TXT", []byte("small")},
		}}
		volume, at, err := v.build()
		if err != nil {
			t.Errorf("%d bytes: %v", c.size, err)
			continue
		}
		l, err := layOut(v.entries)
		if err != nil || l.bits != c.bits {
			t.Errorf("%d bytes: FAT%d, %v; want FAT%d", c.size, l.bits, err, c.bits)
		}
		for path, off := range at {
			if off%2048 != 0 {
				t.Errorf("FAT%d: %s lies at %d", c.bits, path, off)
			}
		}
		if string(volume[at["SMALL.TXT"]:][:5]) != "small" {
			t.Errorf("FAT%d: a file is not where it should be", c.bits)
		}
		setHidden(volume, 0x1234)
		file := filepath.Join(t.TempDir(), fmt.Sprintf("fat%d", c.bits))
		if err := sparse(file, volume); err != nil {
			t.Fatal(err)
		}
		fsck := "fsck.vfat"
		if _, err := os.Stat("/usr/sbin/fsck.vfat"); err == nil {
			fsck = "/usr/sbin/fsck.vfat" // not in everybody's PATH
		}
		if out, err := exec.Command(fsck, "-nv", file).CombinedOutput(); err != nil {
			t.Errorf("FAT%d: %v (ci/install installs it)\n%s", c.bits, err, out)
		}
	}
	for _, name := range []string{"lower.txt", "TOOLONGNAME", "A.LONG", "NO/FOLDER", "A B"} {
		if _, _, err := (fat{label: "X", entries: []fatEntry{{name, []byte{1}}}}).build(); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}
