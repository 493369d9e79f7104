package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// onDisk is a program that reads the files of its image, which a machine of 64 MiB could not hold in memory, and writes to one.
func onDisk(t *testing.T, text string) (dir string) {
	return tree(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": program("errors fmt os io hash/crc32 path/filepath syscall", `
	text, err := os.ReadFile("/srv/text")
	fmt.Println("text:", string(text), err)
	f, err := os.OpenFile("/srv/sub/big", os.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, f)
	fmt.Println("big:", n, sum.Sum32(), err)
	_, err = f.WriteAt([]byte("new"), 100)
	fmt.Println("write:", err)
	b := make([]byte, 5)
	_, err = f.ReadAt(b, 99)
	fmt.Println("read:", string(b), err)
	odd, err := os.ReadFile("/srv/\xff/a\\b%")
	fmt.Println("odd:", string(odd), err)
	// The files' partition, and no other, cannot be written.
	nodes, _ := filepath.Glob("/dev/*[0-9]")
	for _, node := range nodes {
		_, err := os.OpenFile(node, os.O_RDWR, 0)
		if errors.Is(err, syscall.EBUSY) {
			fmt.Println(err)
		}
	}
`), "www/text": text, "www/\xff/a\\b%": "name", "www/sub/big": strings.Repeat("0123456789abcdef", 40<<16)})
}

// TestFilesOnDisk boots disks whose files are in a partition of their own: virtio's and NVMe's, under both firmwares, whole and damaged, and without it.
func TestFilesOnDisk(t *testing.T) {
	const big, write, read, odd = "big: 41943040 ", "write: <nil>", "read: 3new7 <nil>", "odd: name <nil>"
	dir := onDisk(t, "one")
	build := func(t *testing.T, file string, args ...string) string {
		t.Helper()
		c := call{dir: dir}
		c.mkimage(t, append([]string{"build", "--files", "www:/srv", "--files-on", "disk", "-o", file}, args...)...)
		if c.want(t, 0); t.Failed() {
			t.FailNow()
		}
		return file
	}
	says := func(t *testing.T, out string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if strings.Count(out, text) != 1 {
				t.Errorf("%q is not once on the console:\n%s", text, out)
			}
		}
	}
	virtio := func(file, format string) []string {
		return []string{"-drive", "if=none,id=d,snapshot=on,format=" + format + ",file=" + file, "-device", "virtio-blk-pci,drive=d,bootindex=0"}
	}
	file := build(t, filepath.Join(t.TempDir(), "d.img"))
	if out := judge(t, "sgdisk", "-v", file); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk: %s", out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c call
	c.mkimage(t, "inspect", file)
	c.want(t, 0, "Hardtack files", "libos/posix/files/partition")
	at := bytes.Index(data, []byte("0123456789abcdef0123456789abcdef"))
	if bytes.Count(data, []byte("0123456789abcdef")) < 40<<16 || at < 2<<20 {
		t.Fatal("the partition has not got the files")
	}
	changed := func(t *testing.T, change func(b []byte)) string {
		b := bytes.Clone(data)
		change(b)
		out := filepath.Join(t.TempDir(), "d.img")
		if err := os.WriteFile(out, b, 0o666); err != nil {
			t.Fatal(err)
		}
		return out
	}
	t.Run("BIOS", func(t *testing.T) {
		t.Parallel()
		says(t, pc{cpus: 2}.boot(t, virtio(file, "raw")...), "text: one <nil>", big, write, read, odd, "a3: device or resource busy", "busy")
	})
	t.Run("UEFI", func(t *testing.T) {
		t.Parallel()
		says(t, pc{uefi: true}.boot(t, virtio(file, "raw")...), "text: one <nil>", big, write, read, odd, "a3: device or resource busy", "busy")
	})
	t.Run("qcow2 on NVMe", func(t *testing.T) {
		t.Parallel()
		qcow := build(t, filepath.Join(t.TempDir(), "d.qcow2"))
		says(t, pc{}.boot(t, "-drive", "if=none,id=d,snapshot=on,format=qcow2,file="+qcow, "-device", "nvme,serial=1,drive=d,bootindex=0"), "text: one <nil>", big, write, read, odd, "p3: device or resource busy", "busy")
	})
	t.Run("again", func(t *testing.T) {
		t.Parallel()
		if again, err := os.ReadFile(build(t, filepath.Join(t.TempDir(), "e.img"))); err != nil || !bytes.Equal(again, data) {
			t.Error("built again it differs", err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		t.Parallel()
		bad := changed(t, func(b []byte) { b[at+20<<20] ^= 1 })
		says(t, pc{}.boot(t, virtio(bad, "raw")...), "text: one <nil>", "libos/posix/files/partition: the files of the image cannot be read: block ", "big: 20", "/srv/sub/big: input/output error")
	})
	t.Run("no driver", func(t *testing.T) { // for the disk that SeaBIOS boots; a partition of that name on another one is not the image's
		t.Parallel()
		other := changed(t, func(b []byte) {
			for _, table := range [][]byte{b[2*512:], b[len(b)-33*512:]} {
				table[2*128+16] ^= 1 // the partition's GUID
			}
		})
		out := pc{}.boot(t, "-drive", "if=none,id=i,snapshot=on,format=raw,file="+file, "-device", "ide-hd,drive=i,bootindex=0",
			"-drive", "if=none,id=d,snapshot=on,format=raw,file="+other, "-device", "virtio-blk-pci,drive=d")
		says(t, out, "text:  read /srv/text: input/output error", "no disk that there is a driver for has their partition")
	})
	t.Run("slots", func(t *testing.T) { // each has its own files; the one that was put last boots
		t.Parallel()
		two := onDisk(t, "two")
		disk := filepath.Join(t.TempDir(), "d.img")
		build(t, disk, "--slot", "A")
		boots := func(want string) {
			t.Helper()
			says(t, pc{}.boot(t, "-drive", "if=none,id=d,format=raw,file="+disk, "-device", "virtio-blk-pci,drive=d"), "text: "+want+" <nil>", big, write, read)
		}
		boots("one")
		put(t, disk, "B", two, "--files", "www:/srv", "--files-on", "disk")
		boots("two")
		if out := judge(t, "sgdisk", "-v", disk); !strings.Contains(out, "No problems found") {
			t.Errorf("sgdisk: %s", out)
		}
		b, err := os.ReadFile(disk)
		if err != nil {
			t.Fatal(err)
		}
		i := bytes.LastIndex(b, []byte("/srv/text")) // of the image in slot B, which is loaded no more
		if i < 0 {
			t.Fatal("the disk has no text of the program")
		}
		b[i] ^= 1
		if err := os.WriteFile(disk, b, 0o666); err != nil {
			t.Fatal(err)
		}
		boots("one")
	})
	for args, want := range map[string]string{
		"-o x.iso --files-on disk": "--files-on disk: iso has no partition for files: disks have, as raw (-o app.img)",
		"-o x.img --files-on tape": "--files-on tape: want image or disk",
	} {
		c := call{dir: dir}
		c.mkimage(t, append([]string{"build", "--files", "www:/srv"}, strings.Fields(args)...)...)
		c.want(t, 1, want)
	}
}
