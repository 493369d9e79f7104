package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// slotApp is a program that tells its name, and does something.
func slotApp(t *testing.T, name, does string) string {
	return app(t, program("fmt time runtime bytes", fmt.Sprintf("\tfmt.Println(%q)\n\tvar _, _, _ = time.Second, runtime.Stack, bytes.Contains\n\t%s", "I am "+name, does)))
}

// put builds a program into a slot of a disk.
func put(t *testing.T, disk, slot, dir string, args ...string) {
	t.Helper()
	c := call{dir: dir}
	c.mkimage(t, append([]string{"build", "-o", disk, "--slot", slot}, args...)...)
	if c.want(t, 0); t.Failed() {
		t.FailNow()
	}
}

// bootSlots boots a disk, which is written to, and wants to hear one of the programs, and one only.
func bootSlots(t *testing.T, m pc, disk, want string, texts ...string) {
	t.Helper()
	out := m.boot(t, "-drive", "if=none,id=d,format=raw,file="+disk, "-device", "virtio-blk-pci,drive=d,bootindex=0")
	for _, text := range append(texts, "I am "+want) {
		if !strings.Contains(out, text) {
			t.Fatalf("no %q on the console:\n%s", text, out)
		}
	}
	if strings.Count(out, "I am ") != 1 {
		t.Fatalf("more than one program on the console:\n%s", out)
	}
}

// wantSlots wants inspect to say something of both slots.
func wantSlots(t *testing.T, disk, a, b string) {
	t.Helper()
	var c call
	c.mkimage(t, "inspect", disk)
	c.want(t, 0)
	for _, want := range []string{"slot A: " + a, "slot B: " + b} {
		found := false
		for line := range strings.Lines(c.stdout) {
			found = found || strings.HasPrefix(line, want[:8]) && strings.Contains(line, want[8:])
		}
		if !found {
			t.Errorf("inspect does not say %q:\n%s", want, c.stdout)
		}
	}
}

// TestSlots: what boots from a disk with two slots, under both firmwares.
func TestSlots(t *testing.T) {
	good := slotApp(t, "good", "")
	crashes := slotApp(t, "bad", `panic("it does not work")`)
	proven := slotApp(t, "proven", `
	time.Sleep(100 * time.Millisecond) // the timer of --works-after has fired
	for stacks := make([]byte, 64<<10); bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("libos/boot/ok.")); {
		time.Sleep(time.Millisecond) // it is being written
	}
	panic("later")`)
	for _, m := range []struct {
		name string
		pc
		boots int
	}{{"BIOS", pc{}, 2}, {"UEFI", pc{uefi: true, memory: "256M"}, 1}} {
		t.Run(m.name, func(t *testing.T) {
			t.Run("good stays", func(t *testing.T) {
				t.Parallel()
				disk := filepath.Join(t.TempDir(), "d.img")
				put(t, disk, "a", good)
				wantSlots(t, disk, "3 tries left", "empty")
				for range m.boots { // each costs seconds under UEFI
					bootSlots(t, m.pc, disk, "good")
					wantSlots(t, disk, "has proven that it works", "empty")
				}
			})
			t.Run("damaged", func(t *testing.T) {
				t.Parallel()
				disk := filepath.Join(t.TempDir(), "d.img")
				put(t, disk, "A", crashes)
				put(t, disk, "B", good)
				data, err := os.ReadFile(disk)
				if err != nil {
					t.Fatal(err)
				}
				at := bytes.Index(data, []byte("I am good"))
				if at < 0 {
					t.Fatal("the disk has no text of the program")
				}
				data[at] ^= 1
				if err := os.WriteFile(disk, data, 0o666); err != nil {
					t.Fatal(err)
				}
				wantSlots(t, disk, "boots next", "damaged")
				bootSlots(t, m.pc, disk, "bad", "hardtack: the image is damaged", "it does not work")
				wantSlots(t, disk, "2 tries left", "damaged")
			})
			t.Run("state", func(t *testing.T) { // of which one copy is damaged, then both
				t.Parallel()
				disk := filepath.Join(t.TempDir(), "d.img")
				put(t, disk, "A", good)
				put(t, disk, "B", crashes)
				for _, damage := range []string{"HTSLOTS1\x06", "HTSLOTS1\x05"} {
					data, err := os.ReadFile(disk)
					if err != nil {
						t.Fatal(err)
					}
					at := bytes.Index(data, []byte(damage))
					if at < 0 {
						t.Fatalf("the disk has no state %q", damage)
					}
					data[at+20] ^= 1
					if err := os.WriteFile(disk, data, 0o666); err != nil {
						t.Fatal(err)
					}
					if damage[8] == 6 { // as it was while B was written
						wantSlots(t, disk, "boots next", "empty")
					}
				}
				halts := m.pc
				halts.until = "hardtack: the state of the slots is damaged"
				halts.boot(t, "-drive", "if=none,id=d,format=raw,file="+disk, "-device", "virtio-blk-pci,drive=d,bootindex=0")
			})
			t.Run("crashes", func(t *testing.T) {
				t.Parallel()
				disk := filepath.Join(t.TempDir(), "d.img")
				put(t, disk, "A", proven, "--works-after", "10ms")
				bootSlots(t, m.pc, disk, "proven")
				wantSlots(t, disk, "has proven", "empty")
				put(t, disk, "B", crashes)
				for left := range 3 {
					bootSlots(t, m.pc, disk, "bad")
					wantSlots(t, disk, "has proven", fmt.Sprintf("%d tries left", 2-left))
				}
				bootSlots(t, m.pc, disk, "proven")
				wantSlots(t, disk, "boots next", "0 tries left")
			})
		})
	}
}

// TestSlotErrors: one line, and nothing written.
func TestSlotErrors(t *testing.T) {
	dir := slotApp(t, "nobody", "")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-o", "x.iso", "--slot", "a"}, "--slot: iso has no slots: disks have, as raw (-o app.img)"},
		{[]string{"-o", "x.img", "--slot", "c"}, "--slot c: a disk has slots A and B"},
		{[]string{"-o", "x.img", "--slot", "a", "--works-after", "soon"}, "--works-after soon: want a time, as 30s, or never"},
		{[]string{"-o", "x.img", "--works-after", "1s"}, "--works-after is for images in slots: name one by --slot"},
	} {
		call := call{dir: dir}
		call.mkimage(t, append([]string{"build"}, c.args...)...)
		call.want(t, 1, c.want)
		if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 2 || strings.Count(call.stderr, "\n") != 1 {
			t.Errorf("%v left files: %v\n%s", c.args, files, call.stderr)
		}
	}
}
