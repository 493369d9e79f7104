package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMappedOnce has an image map a file that is in the page cache: the machine has it once, and read, write, two mappings and a commit agree. Then the heap takes nearly all of memory: it gets what
// was mapped and not touched, and what is mapped is still the file. So it is on a FAT volume.
func TestMappedOnce(t *testing.T) {
	t.Parallel()
	dir := app(t, program("encoding/binary fmt os strconv strings syscall time", `
	const page, size = 4096, 24 << 20
	number := func(file, name string) int {
		b, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); f[0] == name {
				n, _ := strconv.Atoi(f[1])
				return n
			}
		}
		panic(name)
	}
	f, err := os.OpenFile("/data/f", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		panic(err)
	}
	b := make([]byte, 64*page)
	if len(os.Args) > 1 {
		for off := 0; off < size; off += len(b) {
			for i := 0; i < len(b); i += 8 {
				binary.LittleEndian.PutUint64(b[i:], uint64(off+i))
			}
			if _, err := f.Write(b); err != nil {
				panic(err)
			}
		}
		if err := os.WriteFile("/data/once", make([]byte, size/2), 0o644); err != nil {
			panic(err)
		}
		return
	}
	for off := 0; off < size; off += len(b) {
		if _, err := f.ReadAt(b, int64(off)); err != nil {
			panic(err)
		}
	}
	used := func() int { return number("/proc/meminfo", "MemTotal:") - number("/proc/meminfo", "MemFree:") } // kB
	mapped := func() int { return number("/proc/vmstat", "nr_mapped") * page >> 10 }
	reads := func() int { return number("/proc/vmstat", "pagecache_read") }
	before, was := used(), reads()
	m, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	p, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	wrong := 0
	look := func(m []byte) {
		for i := 0; i < size; i += 8 {
			if binary.LittleEndian.Uint64(m[i:]) != uint64(i) {
				wrong++
			}
		}
	}
	look(m)
	look(p)
	more := used() - before
	fmt.Println("mapped:", mapped() >= size>>10, "once:", more < size>>12, "reads:", reads()-was, "wrong:", wrong)
	fmt.Println(more, "kB more") // page tables, and what is known of each page

	// What is written, and committed, and written again.
	for i := range 3 {
		if _, err := f.WriteAt([]byte{byte(i), 1, 2, 3}, 5*page-2); err != nil {
			panic(err)
		}
		if m[5*page-2] != byte(i) || m[5*page+1] != 3 || p[5*page] != 2 {
			wrong++
		}
		if err := f.Sync(); err != nil {
			panic(err)
		}
	}
	binary.LittleEndian.PutUint64(b, 5*page-8)
	binary.LittleEndian.PutUint64(b[8:], 5*page)
	f.WriteAt(b[:16], 5*page-8)
	p[9] = 1 // a copy of its own
	if m[9] != 0 || p[9] != 1 {
		wrong++
	}
	p[9] = 0
	fmt.Println("written wrong:", wrong)

	// Memory is used, but not short: what is mapped stays, also beside what is read once.
	rest := make([]byte, 16<<20)
	for k := 0; k < len(rest); k += page {
		rest[k] = 1
	}
	stays := true
	once, err := os.Open("/data/once")
	if err != nil {
		panic(err)
	}
	for range 4 {
		for off := 0; off < size/2; off += len(b) {
			if _, err := once.ReadAt(b, int64(off)); err != nil {
				panic(err)
			}
		}
		was := reads()
		look(m)
		stays = stays && reads() == was && mapped() >= size>>10
	}
	fmt.Println("fits and stays:", stays, rest[page])

	var heap [][]byte
	for tries := 0; mapped() >= size>>10 && tries < 3000; {
		if number("/proc/meminfo", "MemFree:") < number("/proc/meminfo", "MemTotal:")/16 {
			tries++ // what is mapped is asked for
			time.Sleep(10*time.Millisecond)
			continue
		}
		h := make([]byte, 1<<20)
		for k := 0; k < len(h); k += page {
			h[k] = byte(len(heap))
		}
		heap = append(heap, h)
	}
	fmt.Println("less mapped:", mapped() < size>>10, "heap:", len(heap) > 30)
	look(m)
	look(p)
	for i, h := range heap {
		for k := 0; k < len(h); k += page {
			if h[k] != byte(i) || h[k+1] != 0 {
				wrong++
			}
		}
	}
	fmt.Println("at last wrong:", wrong)`))
	v, image, c := written(t, dir)
	for _, cpus := range []string{"1", "4"} {
		c.mkimage(t, "run", "--disk", v, "--memory", "96M", "--cpus", cpus, image)
		c.want(t, 0, "mapped: true once: true reads: 0 wrong: 0", "written wrong: 0", "fits and stays: true 1", "less mapped: true heap: true", "at last wrong: 0")
	}
	c.mkimage(t, "fs", "check", v)
	c.want(t, 0, "0 problems")
	v = filepath.Join(dir, "fat.img")
	c.mkimage(t, "fs", "mkfs", "--fat", "--size", "300M", v) // with clusters as large as pages
	c.want(t, 0, "")
	c.mkimage(t, "run", "--disk", v, "--memory", "96M", image, "--", "write")
	c.want(t, 0, "")
	c.mkimage(t, "run", "--disk", v, "--memory", "96M", "--cpus", "2", image)
	c.want(t, 0, "mapped: true once: true reads: 0 wrong: 0", "written wrong: 0", "fits and stays: true 1", "less mapped: true heap: true", "at last wrong: 0")
	if out, err := exec.Command("/sbin/fsck.vfat", "-n", v).CombinedOutput(); err != nil {
		t.Errorf("fsck.vfat (ci/install brings it): %v\n%s", err, out)
	}
}
