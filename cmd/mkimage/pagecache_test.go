package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPageCache has an image read a file of more than the page cache of a small machine used to have: the second time no page comes from the disk. Then the heap takes what the cache has, while pages
// wait to be written: the program lives, and all bytes are right. In the last boot nobody can be asked, for the goroutine that needs memory lets no other run: then the allocator takes frames by itself. And a heap that was there first leaves the
// cache its least. A FAT volume's pages are there as those of cffs are.
func TestPageCache(t *testing.T) {
	t.Parallel()
	dir := app(t, program("encoding/binary fmt os runtime strconv strings", `
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
	right("/data/big", size, 0)
	first := count("pagecache_read")
	right("/data/big", size, 0)
	again := count("pagecache_read") - first
	cached := count("nr_file_pages") * page
	fmt.Println("first pass whole:", first >= size/page, "second pass:", again, "cached:", cached >= size)
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
	c.want(t, 0, "first pass whole: true second pass: 0 cached: true", "dirty: true less cached: true given or forced: true", "right")
	c.mkimage(t, "run", "--disk", v, "--memory", "96M", "--env", "GODEBUG=asyncpreemptoff=1", "--env", "PIECES=one", image)
	c.want(t, 0, "second pass: 0", "forced: true", "right")
	c.mkimage(t, "run", "--disk", v, "--memory", "96M", "--env", "HEAP=first", image)
	c.want(t, 0, "behind a heap: true second pass: 0 cached: true")
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
