// Command files is what the filesystem's rows run: the parts that PHASE in the environment names, one after the other, in the folder /data.
package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	root     = "/data/"
	dirs     = 100 // of the small files
	perDir   = 100
	small    = 4 << 10
	big      = root + "big"
	bigSize  = 1 << 30
	piece    = 1 << 20
	randoms  = 4000 // reads at each depth
	deepest  = 32
	opens    = 2000
	crashed  = 100_000 // files
	patience = time.Hour
)

var phases = map[string]func(){
	"create": create, "read": read, "delete": remove, "one": one, "none": stay,
	"write-big": writeBig, "read-big": readBig, "random": random,
	"open": open, "crash": crash,
}

func main() {
	for _, p := range strings.Split(os.Getenv("PHASE"), ",") {
		f := phases[p]
		if f == nil {
			fmt.Fprintln(os.Stderr, "files: PHASE names no part:", p)
			os.Exit(2)
		}
		f()
	}
	syscall.Sync()
	syscall.Unmount(root, 0) // an image does so by itself, and does not know the call
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "files:", err)
		os.Exit(1)
	}
}

func result(name string, value float64, unit string) {
	fmt.Printf("RESULT %s %.3f %s\n", name, value, unit)
}

// timed reports how long f takes.
func timed(name string, f func()) {
	began := time.Now()
	f()
	result(name, float64(time.Since(began).Microseconds())/1e3, "ms")
}

func dir(i int) string       { return root + "d" + strconv.Itoa(i) }
func file(i, k int) string   { return dir(i) + "/f" + strconv.Itoa(k) }
func contents(b []byte) bool { return len(b) == small && b[0] == 'x' && b[small-1] == 'y' }

func create() {
	b := make([]byte, small)
	b[0], b[small-1] = 'x', 'y'
	timed("create", func() {
		for i := range dirs {
			must(os.Mkdir(dir(i), 0o755))
			for k := range perDir {
				must(os.WriteFile(file(i, k), b, 0o644))
			}
		}
		syscall.Sync()
	})
}

func readDir(i int) {
	for k := range perDir {
		b, err := os.ReadFile(file(i, k))
		must(err)
		if !contents(b) {
			must(fmt.Errorf("%s holds something else", file(i, k)))
		}
	}
}

func read() {
	timed("read", func() {
		for i := range dirs {
			readDir(i)
		}
	})
}

func remove() {
	timed("delete", func() {
		for i := range dirs {
			must(os.RemoveAll(dir(i)))
		}
		syscall.Sync()
	})
}

// one reads the files of a directory, and stays.
func one() {
	readDir(dirs / 2)
	stay()
}

func stay() {
	fmt.Println("done")
	time.Sleep(patience)
}

// writeBig writes a file of bytes that no disk can leave out.
func writeBig() {
	b := make([]byte, piece)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	f, err := os.Create(big)
	must(err)
	began := time.Now()
	for i := range bigSize / piece {
		b[0] = byte(i)
		_, err := f.Write(b)
		must(err)
	}
	must(f.Sync())
	result("write", bigSize/1e6/time.Since(began).Seconds(), "MB/s")
	must(f.Close())
}

func readBig() {
	f, err := os.Open(big)
	must(err)
	b := make([]byte, piece)
	began := time.Now()
	for i := range bigSize / piece {
		_, err := io.ReadFull(f, b)
		must(err)
		if b[0] != byte(i) {
			must(fmt.Errorf("piece %d begins with %d", i, b[0]))
		}
	}
	result("read", bigSize/1e6/time.Since(began).Seconds(), "MB/s")
	must(f.Close())
}

// random reads blocks that were not read before, so many at a time.
func random() {
	f, err := os.Open(big)
	must(err)
	order := rand.Perm(bigSize / small)
	for depth := 1; depth <= deepest; depth *= 2 {
		now := order[:randoms]
		order = order[randoms:]
		var next atomic.Int64
		var wg sync.WaitGroup
		began := time.Now()
		for range depth {
			wg.Go(func() {
				b := make([]byte, small)
				for {
					i := next.Add(1) - 1
					if i >= int64(len(now)) {
						return
					}
					_, err := f.ReadAt(b, int64(now[i])*small)
					must(err)
				}
			})
		}
		wg.Wait()
		result("depth"+strconv.Itoa(depth), randoms/time.Since(began).Seconds(), "/s")
	}
}

// open opens a file, asks what it is, and closes it. It is for a clock that counts instructions, one a nanosecond.
func open() {
	name := file(0, 0)
	must(os.MkdirAll(dir(0), 0o755))
	must(os.WriteFile(name, nil, 0o644))
	look := func() {
		f, err := os.Open(name)
		must(err)
		_, err = f.Stat()
		must(err)
		must(f.Close())
	}
	for range opens {
		look()
	}
	began := time.Now()
	for range opens {
		look()
	}
	result("open", float64(time.Since(began))/opens, "instructions")
}

// crash makes many files, and stays until the machine is killed.
func crash() {
	for i := range crashed {
		if i%1000 == 0 {
			must(os.Mkdir(dir(i/1000), 0o755))
		}
		must(os.WriteFile(file(i/1000, i%1000), []byte("x"), 0o644))
	}
	syscall.Sync()
	for i := range 100 { // what the crash finds under way
		must(os.WriteFile(root+"late"+strconv.Itoa(i), []byte("x"), 0o644))
	}
	stay()
}
