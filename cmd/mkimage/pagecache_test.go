package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPageCache has an image read a file of more than the page cache of a small machine used to have: the second time no page comes from the disk. Then the heap takes what the cache has, while pages
// wait to be written: the program lives, and all bytes are right. Who asks for more frames than there can be takes none of the cache's. In the last boot nobody can be asked, for the goroutine that needs memory lets no other run: then the allocator takes frames by itself. And a heap that was there first leaves the
// cache its least, and one that was there and is not any more, all. A FAT volume's pages are there as those of cffs are.
func TestPageCache(t *testing.T) {
	t.Parallel()
	dir := app(t, program("encoding/binary fmt github.com/hardtack-os/hardtack/exo os runtime strconv strings", `
	const page, size, more, small = 4096, 40 << 20, 3 << 20, 1 << 20
	count := func(names ...string) (n int) {
		b, err := os.ReadFile("/proc/vmstat")
		if err != nil {
			panic(err)
		}
		for line := range strings.Lines(string(b)) {
			for _, name := range names {
				if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
					k, _ := strconv.Atoi(v)
					n += k
				}
			}
		}
		return n
	}
	made := func(name string, size, seed int) {
		f, err := os.Create(name)
		if err != nil {
			panic(err)
		}
		b := make([]byte, 64*page)
		for off := 0; off < size; off += len(b) {
			for i := 0; i < len(b); i += 8 {
				binary.LittleEndian.PutUint64(b[i:], uint64(seed+off+i))
			}
			if _, err := f.Write(b); err != nil {
				panic(err)
			}
		}
		f.Close()
	}
	right := func(name string, size, seed int) {
		f, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		b := make([]byte, 64*page)
		for off := 0; off < size; off += len(b) {
			if n, err := f.Read(b); n != len(b) {
				panic(err)
			}
			for i := 0; i < len(b); i += 8 {
				if v := binary.LittleEndian.Uint64(b[i:]); v != uint64(seed+off+i) {
					fmt.Println(name, "has", v, "at", off+i)
					os.Exit(1)
				}
			}
		}
		f.Close()
	}
	if len(os.Args) > 1 {
		made("/data/big", size, 0)
		made("/data/small", small, 3)
		return
	}
	if os.Getenv("HEAP") == "first" {
		var heap [][]byte
		for count("nr_free_pages")*page > 9<<20 {
			b := make([]byte, 1<<20)
			for k := 0; k < len(b); k += page {
				b[k] = 1
			}
			heap = append(heap, b)
		}
		right("/data/small", small, 3)
		first := count("pagecache_read")
		right("/data/small", small, 3)
		fmt.Println("behind a heap:", len(heap) > 40, "second pass:", count("pagecache_read")-first, "cached:", count("nr_file_pages")*page >= small)
		return
	}
	if os.Getenv("HEAP") == "gone" {
		heap := make([]byte, 70<<20)
		for k := 0; k < len(heap); k += page {
			heap[k] = 1
		}
		runtime.KeepAlive(heap)
		heap = nil
		runtime.GC()
		runtime.GC() // what the first one found to be full waits for the next
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println("the heap has", m.HeapIdle-m.HeapReleased > 60<<20, "what it does not use")
	}
	right("/data/big", size, 0)
	first := count("pagecache_read")
	right("/data/big", size, 0)
	again := count("pagecache_read") - first
	cached := count("nr_file_pages") * page
	fmt.Println("first pass whole:", first >= size/page, "second pass:", again, "cached:", cached >= size)
	_, err := exo.TakeFrames("more than there are", 96<<20/page, 0)
	fmt.Println("too many:", err != nil, "forced for them:", count("pagecache_forced"))
	dirty := false
	for try := 0; !dirty && try < 50 && (try == 0 || os.Getenv("ON") != "FAT"); try++ { // a commit comes by itself after a while; FAT writes at once
		made("/data/more", more, 7)
		dirty = count("nr_dirty") > 0
	}
	var heap [][]byte
	piece := 1 << 20
	if os.Getenv("PIECES") == "one" {
		piece *= 60
	}
	for i := range 60<<20/piece {
		b := make([]byte, piece)
		for k := 0; k < len(b); k += page {
			b[k] = byte(i)
		}
		heap = append(heap, b)
	}
	fmt.Println("dirty:", dirty, "less cached:", count("nr_file_pages")*page < cached-(8<<20), "given or forced:", count("pagecache_given", "pagecache_forced") > 0, "forced:", count("pagecache_forced") > 0)
	right("/data/big", size, 0)
	right("/data/more", more, 7)
	for i, b := range heap {
		for k := 0; k < len(b); k += page {
			if b[k] != byte(i) || b[k+1] != 0 {
				panic("the heap has other bytes")
			}
		}
	}
	os.Remove("/data/more")
	heap = nil
	runtime.GC()
	fmt.Println("right")`))
	v, image, c := written(t, dir)
	c.mkimage(t, "run", "--disk", v, "--memory", "96M", "--cpus", "2", image)
	c.want(t, 0, "first pass whole: true second pass: 0 cached: true", "too many: true forced for them: 0", "dirty: true less cached: true given or forced: true", "right")
	c.mkimage(t, "run", "--disk", v, "--memory", "96M", "--env", "GODEBUG=asyncpreemptoff=1", "--env", "PIECES=one", image)
	c.want(t, 0, "second pass: 0", "forced: true", "right")
	c.mkimage(t, "run", "--disk", v, "--memory", "96M", "--env", "HEAP=first", image)
	c.want(t, 0, "behind a heap: true second pass: 0 cached: true")
	c.mkimage(t, "run", "--disk", v, "--memory", "96M", "--env", "HEAP=gone", image)
	c.want(t, 0, "the heap has true what it does not use", "first pass whole: true second pass: 0 cached: true", "right")
	c.mkimage(t, "fs", "check", v)
	c.want(t, 0, "0 problems")
	c.mkimage(t, "fs", "mkfs", "--fat", "--size", "64M", filepath.Join(dir, "fat.img"))
	c.want(t, 0, "")
	c.mkimage(t, "run", "--disk", filepath.Join(dir, "fat.img"), "--memory", "96M", image, "--", "write")
	c.want(t, 0, "")
	c.mkimage(t, "run", "--disk", filepath.Join(dir, "fat.img"), "--memory", "96M", "--env", "ON=FAT", image)
	c.want(t, 0, "first pass whole: true second pass: 0 cached: true", "dirty: false less cached: true given or forced: true", "right")
	if out, err := exec.Command("/sbin/fsck.vfat", "-n", filepath.Join(dir, "fat.img")).CombinedOutput(); err != nil {
		t.Errorf("fsck.vfat (ci/install brings it): %v\n%s", err, out)
	}
}

// inCache is a program that reads /srv/big, a file of its image, which is 64-bit numbers, at one place and then twice as a whole, maps it, has the heap take what is left of memory, and reads it again; it tells what the page cache
// says meanwhile. At last it writes to the file.
var inCache = program("encoding/binary fmt os runtime strconv strings syscall", `
	count := func(name string) int {
		b, _ := os.ReadFile("/proc/vmstat")
		_, v, _ := strings.Cut("\n"+string(b), "\n"+name+" ")
		v, _, _ = strings.Cut(v, "\n")
		n, err := strconv.Atoi(v)
		if err != nil {
			panic(err)
		}
		return n
	}
	f, err := os.OpenFile("/srv/big", os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	size := int(info.Size())
	right := func(b []byte, off int) bool {
		for i := 0; i < len(b); i += 8 {
			if binary.LittleEndian.Uint64(b[i:]) != uint64(off+i) {
				return false
			}
		}
		return true
	}
	read := func() bool {
		b := make([]byte, 1<<20)
		for off := 0; off < size; off += len(b) {
			if n, err := f.ReadAt(b, int64(off)); n != len(b) || err != nil || !right(b, off) {
				fmt.Println("at", off, n, err)
				return false
			}
		}
		return true
	}
	b := make([]byte, 8)
	n, err := f.ReadAt(b, int64(size-4096))
	fmt.Println("one place:", n == 8 && right(b, size-4096), err, "pages read:", count("pagecache_read"), "at most 48:", count("pagecache_read") <= 48)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	first := read()
	misses := count("pagecache_miss")
	fmt.Println("read:", first, read(), "again:", count("pagecache_miss")-misses, "cached:", count("nr_file_pages") >= size/4096)
	runtime.GC()
	runtime.ReadMemStats(&after)
	fmt.Println("on the heap:", (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>20 < 4)
	m, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	fmt.Println("mapped:", right(m, 0), "where they lie:", count("pagecache_mapped") >= size/4096)
	if err := syscall.Munmap(m); err != nil {
		panic(err)
	}
	var heap [][]byte
	runtime.ReadMemStats(&after)
	idle := int(after.HeapIdle - after.HeapReleased) // what the heap has and does not use comes first, and is not free
	for range (count("nr_free_pages")*4096 + idle + size/4) >> 20 {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		heap = append(heap, b)
	}
	fmt.Println("less cached:", count("nr_file_pages") < size/4096, "read:", read())
	if _, err := f.WriteAt([]byte("new"), 8<<20); err != nil {
		panic(err)
	}
	_, err = f.ReadAt(b, 8<<20-1)
	fmt.Println("written:", string(b[1:4]), err, len(heap))
`)

// numbers are what inCache reads.
func numbers(bytes int) string {
	b := make([]byte, bytes)
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], uint64(i))
	}
	return string(b)
}

// TestFilesInCache: files of the image are in the page cache, from which memory is taken and which maps them where they lie.
func TestFilesInCache(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": inCache, "disk/big": numbers(40 << 20), "disk/small": "text", "www/big": numbers(12 << 20), "www/small": "text"})
	says := func(t *testing.T, out string) {
		t.Helper()
		for _, want := range []string{"at most 48: true", "read: true true again: 0 cached: true", "on the heap: true", "mapped: true where they lie: true", "less cached: true read: true", "written: new <nil>"} {
			if !strings.Contains(out, want) {
				t.Errorf("%q is not on the console:\n%s", want, out)
			}
		}
	}
	t.Run("in the program", func(t *testing.T) {
		t.Parallel()
		c := call{dir: dir}
		c.mkimage(t, "run", "--files", "www:/srv", "--page-cache", "60M", "--memory", "64M", ".")
		c.want(t, 0, "")
		says(t, c.stdout)
	})
	t.Run("on the disk", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "d.img")
		c := call{dir: dir}
		c.mkimage(t, "build", "--files", "disk:/srv", "--files-on", "disk", "--page-cache", "100M,8M", "-o", file)
		c.want(t, 0, "")
		says(t, pc{memory: "128M"}.boot(t, "-drive", "if=none,id=d,snapshot=on,format=raw,file="+file, "-device", "virtio-blk-pci,drive=d"))
	})
}

// TestPageCacheFlag says how large the page cache may be: in libos.toml, when an image is built, and when it is run.
func TestPageCacheFlag(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os strings", `
	b := make([]byte, 4<<20)
	if err := os.WriteFile("/data/f", b, 0o644); err != nil {
		panic(err)
	}
	if _, err := os.ReadFile("/data/f"); err != nil {
		panic(err)
	}
	b, _ = os.ReadFile("/proc/vmstat")
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "nr_file_pages ") {
			fmt.Print(line)
		}
	}`))
	v, image := filepath.Join(dir, "v.img"), filepath.Join(dir, "i.elf")
	if err := os.WriteFile(filepath.Join(dir, "libos.toml"), []byte("page-cache = \"1M\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", v)
	c.want(t, 0, "")
	c.mkimage(t, "build", "-o", image, "--disk", v, dir)
	c.want(t, 0, "")
	c.mkimage(t, "run", "--disk", v, image)
	c.want(t, 0, "nr_file_pages 256\n")
	c.mkimage(t, "run", "--disk", v, "--page-cache", "2M,1M", image)
	c.want(t, 0, "nr_file_pages 512\n")
}

// written builds the program in dir, and has it write what it reads to a volume of 64 MiB on a machine of 96 MiB.
func written(t *testing.T, dir string) (volume, image string, c call) {
	volume, image = filepath.Join(dir, "v.img"), filepath.Join(dir, "i.elf")
	c.mkimage(t, "fs", "mkfs", "--size", "64M", volume)
	c.want(t, 0, "")
	c.mkimage(t, "build", "-o", image, "--disk", volume, dir)
	c.want(t, 0, "")
	c.mkimage(t, "run", "--disk", volume, "--memory", "96M", image, "--", "write")
	c.want(t, 0, "")
	return volume, image, c
}
