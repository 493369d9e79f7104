package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRawDisks has a program use disks by their nodes in /dev, behind virtio, SCSI and NVMe: one with a volume in its first partition, two that are not mounted, one that takes no writes. Files in memory with sizes of their own are mounted beside them.
func TestRawDisks(t *testing.T) {
	t.Parallel()
	dir := app(t, program("bytes fmt os syscall unsafe", `
	say := func(what string, args ...any) { fmt.Println(append([]any{what + ":"}, args...)...) }
	ioctl := func(f *os.File, request, arg uintptr) syscall.Errno {
		_, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, arg)
		return e
	}
	size := func(f *os.File) (n uint64) {
		ioctl(f, 0x80081272, uintptr(unsafe.Pointer(&n))) // BLKGETSIZE64
		return n
	}
	open := func(name string, flags int) *os.File {
		f, err := os.OpenFile(name, flags, 0)
		if err != nil {
			say("open", err)
			return nil
		}
		return f
	}

	// The first partition of vda is mounted.
	os.WriteFile("/boot/f", []byte("of the volume"), 0o644)
	for _, name := range []string{"vda", "vda1", "vda2"} {
		for _, flags := range []int{os.O_RDONLY, os.O_RDWR, os.O_RDONLY | os.O_EXCL} {
			if f := open("/dev/"+name, flags); f != nil {
				end, err := f.Seek(0, 2)
				say(name, flags, size(f), end, err)
				f.Close()
			}
		}
	}
	whole, part := open("/dev/vda", os.O_RDWR), open("/dev/vda1", os.O_RDONLY)
	a, b := make([]byte, 8192), make([]byte, 8192)
	whole.ReadAt(a, 1<<20)
	part.ReadAt(b, 0)
	say("both", bytes.Equal(a, b), !bytes.Equal(a, make([]byte, 8192)))
	_, err := whole.WriteAt([]byte("x"), 1<<20+100)
	say("into the volume", err)
	_, err = part.WriteAt([]byte("x"), 0)
	say("read only", err)
	say("scan", ioctl(whole, 0x125f, 0)) // BLKRRPART
	n, err := whole.WriteAt([]byte("before"), 700)
	say("before", n, err, whole.Sync())
	second := open("/dev/vda2", os.O_RDWR|os.O_SYNC)
	n, err = second.WriteAt([]byte("second"), 1000)
	say("second", n, err)
	second.Close()
	whole.Close()
	part.Close()
	text, err := os.ReadFile("/boot/f")
	say("volume", string(text), err)

	// sda holds nothing, and gets a table.
	disk := open("/dev/sda", os.O_RDWR|os.O_EXCL)
	open("/dev/sda", os.O_RDONLY|os.O_EXCL)
	table := make([]byte, 512)
	copy(table[446:], []byte{0, 0, 0, 0, 0x83, 0, 0, 0, 64, 0, 0, 0, 128, 0, 0, 0})
	table[510], table[511] = 0x55, 0xaa
	disk.Write(table)
	say("scan", ioctl(disk, 0x125f, 0))
	disk.Close()
	p := open("/dev/sda1", os.O_RDWR)
	big := bytes.Repeat([]byte("0123456789abcdef"), 5000)
	n, err = p.WriteAt(big, 0)
	say("sda1", size(p), n, err)
	n, err = p.WriteAt([]byte("beyond"), int64(size(p)))
	say("sda1", n, err)
	span := [2]uint64{0, 512}
	say("discard", ioctl(p, 0x1277, uintptr(unsafe.Pointer(&span))))
	n, err = p.WriteAt([]byte("first"), 3)
	say("sda1", n, err, p.Sync())
	p.Close()
	direct := open("/dev/sda", os.O_RDONLY|syscall.O_DIRECT)
	n, err = direct.ReadAt(big[:512], 512)
	say("direct", n, err)
	_, err = direct.ReadAt(big[:100], 512)
	say("direct", err)

	nvme := open("/dev/nvme0n1", os.O_RDWR)
	n, err = nvme.ReadAt(big[:600], 100)
	say("nvme", n, err, string(big[412:419]))
	n, err = nvme.WriteAt(big[412:419], 600)
	say("nvme", n, err)
	ro := open("/dev/vdb", os.O_RDWR)
	n, err = ro.ReadAt(big[:600], 100)
	say("vdb", n, err, string(big[412:418]))
	_, err = ro.WriteAt(big[:512], 0)
	say("vdb", err)
	list, err := os.ReadFile("/proc/partitions")
	fmt.Printf("%s%v\n", list, err)
	_, err = os.Stat("/dev/sda2")
	say("none", err)

	for _, name := range []string{"/tmp/f", "/boot/in/f", "/f"} {
		f, _ := os.Create(name)
		n := 0
		for err = nil; err == nil && n < 100; n++ {
			_, err = f.Write(make([]byte, 64<<10))
		}
		say(name, n, err)
		f.Close()
		os.Remove(name)
	}
	list, err = os.ReadFile("/proc/mounts")
	fmt.Printf("%s%v\n", list, err)`))
	image := func(name string, size int64, at int64, text string) string {
		file := filepath.Join(dir, name)
		f, err := os.Create(file)
		if err == nil {
			_, err = f.WriteAt([]byte(text), at)
		}
		if err == nil {
			err = f.Truncate(size)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		return file
	}
	vda, sda, nvme, vdb := image("vda.img", 16<<20, 0, ""), image("sda.img", 1<<20, 0, ""), image("nvme.img", 1<<20, 512, "of nvme"), image("vdb.img", 1<<20, 512, "of vdb")
	cmd := exec.Command("/sbin/sfdisk", "-q", vda)
	cmd.Stdin = strings.NewReader("label: dos\nstart=2048, size=16384\nstart=20480, size=2048\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk (ci/install brings it): %v\n%s", err, out)
	}
	var c call
	c.mkimage(t, "fs", "mkfs", vda+"#1")
	c.want(t, 0, "")
	c.mkimage(t, "run", "--machine", "q35", "--disk", vda, "--disk", sda+",raw,bus=scsi", "--disk", nvme+",raw,bus=nvme", "--disk", vdb+",raw,ro", "--mount", "0p1:/boot", "--mount", "mem:/boot/in,size=2M", "--mount", "mem:/tmp,size=512K", "--mount", "mem:/,size=1M", dir)
	const busy = "device or resource busy"
	c.want(t, 0, "vda: 0 16777216 16777216 <nil>\nvda: 2 16777216 16777216 <nil>\nopen: open /dev/vda: "+busy+"\nvda1: 0 8388608 8388608 <nil>\nopen: open /dev/vda1: "+busy+"\nopen: open /dev/vda1: "+busy+
		"\nvda2: 0 1048576 1048576 <nil>\nvda2: 2 1048576 1048576 <nil>\nvda2: 128 1048576 1048576 <nil>\nboth: true true\ninto the volume: write /dev/vda: "+busy+"\nread only: write /dev/vda1: bad file descriptor\nscan: "+busy+
		"\nbefore: 6 <nil> <nil>\nsecond: 6 <nil>\nvolume: of the volume <nil>\n",
		"open: open /dev/sda: "+busy+"\nscan: errno 0\nsda1: 65536 0 write /dev/sda1: no space left on device\nsda1: 0 write /dev/sda1: no space left on device\ndiscard: errno 0\nsda1: 5 <nil> <nil>\ndirect: 512 <nil>\ndirect: read /dev/sda: invalid argument\n",
		"nvme: 600 <nil> of nvme\nnvme: 7 <nil>\nvdb: 600 <nil> of vdb\nvdb: write /dev/vdb: operation not permitted\n",
		"\n 254        0      16384 vda\n 254        1       8192 vda1\n 254        2       1024 vda2\n", " nvme0n1\n", " sda\n   8        1         64 sda1\n", "none: stat /dev/sda2: no such file or directory",
		"/tmp/f: 9 write /tmp/f: no space left on device\n/boot/in/f: 33 write /boot/in/f: no space left on device\n/f: 17 write /f: no space left on device\n",
		"tmpfs / tmpfs rw,size=1024k 0 0\n", "\ntmpfs /boot/in tmpfs rw,size=2048k 0 0\n", "\ntmpfs /tmp tmpfs rw,size=512k 0 0\n")
	for file, want := range map[string]map[int]string{vda: {700: "before", 10<<20 + 1000: "second"}, sda: {32<<10 + 3: "first", 32<<10 + 512: "0123456789abcdef"}, nvme: {512: "of nvme", 600: "of nvme"}} {
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for at, text := range want {
			if !bytes.HasPrefix(got[at:], []byte(text)) {
				t.Errorf("%s: at %d is %q", file, at, got[at:at+len(text)])
			}
		}
	}
	c.mkimage(t, "fs", "check", vda+"#1")
	c.want(t, 0, "0 problems")
}
