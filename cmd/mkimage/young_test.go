package main

import (
	"path/filepath"
	"testing"
)

// TestForgottenFiles has a program of volumes, where files get their finalizers when a collection begins, forget to close files, more than wait for that at a time: collections close those and no others, also while
// files are opened, read and closed beside them.
func TestForgottenFiles(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os runtime sync time", `
	const name = "/data/f"
	if err := os.WriteFile(name, []byte("what it says"), 0o644); err != nil {
		panic(err)
	}
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			panic(err)
		}
		return len(list)
	}
	check := func(f *os.File) {
		b := make([]byte, 20)
		if n, _ := f.ReadAt(b, 0); string(b[:n]) != "what it says" {
			panic(string(b[:n]))
		}
	}
	runtime.GC() // what was opened before main has its finalizers
	before := count()
	open := func(n, every int) (held []*os.File) {
		for i := range n {
			f, err := os.Open(name)
			if err != nil {
				panic(err)
			}
			if i%every == 0 {
				held = append(held, f)
			}
		}
		return held
	}
	for round := range 2 {
		held := open(400, 10)
		fmt.Println("round", round, "open:", count()-before)
		for try := 0; try < 1000 && count() != before+len(held); try++ {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
		fmt.Println("left:", count()-before)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for range 500 {
					f := open(1, 1)[0]
					check(f)
					runtime.Gosched()
					check(f)
					if err := f.Close(); err != nil {
						panic(err)
					}
					if err := f.Close(); err == nil {
						panic("closed twice")
					}
				}
			})
		}
		wg.Go(func() {
			for range 50 {
				runtime.GC()
			}
		})
		wg.Wait()
		for _, f := range held {
			check(f)
			if err := f.Close(); err != nil {
				panic(err)
			}
		}
		runtime.GC()
		fmt.Println("none:", count()-before)
	}`))
	v, image := filepath.Join(dir, "v.img"), filepath.Join(dir, "i.elf")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "8M", v)
	c.want(t, 0, "")
	c.mkimage(t, "build", "-o", image, "--disk", v, dir)
	c.want(t, 0, "")
	for _, cpus := range []string{"1", "2"} {
		c.mkimage(t, "run", "--disk", v+":/data", "--memory", "64M", "--cpus", cpus, image)
		c.want(t, 0, "round 0 open: 400", "left: 40", "none: 0", "round 1 open: 400", "left: 40", "none: 0")
	}
}
