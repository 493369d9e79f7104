//go:build linux

package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/sched"
)

// scarce is a range with fewer frames than pages: what its pager brings in puts another page out.
type scarce struct {
	r      *exo.Pages
	f      *exo.Frames
	mu     sync.Mutex
	file   []byte // what is behind the pages
	in     []int  // page of each frame, -1 none
	where  map[int]int
	hand   int
	served int
}

func newScarce(pages, frames int) *scarce {
	s := &scarce{file: make([]byte, pages*pageSize), in: slices.Repeat([]int{-1}, frames), where: map[int]int{}}
	s.r, s.f = take(pages, frames)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range s.file {
		s.file[i] = byte(rng.Uint32N(255)) // 255 is nowhere
	}
	s.r.Pager(func(ft exo.Fault) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.where[ft.Page]; ok {
			return true
		}
		s.served++
		at := s.hand
		s.hand = (s.hand + 1) % len(s.in)
		frame := s.f.Bytes()[at*pageSize:][:pageSize]
		if old := s.in[at]; old >= 0 {
			do(s.r, exo.Unmap(old))
			copy(s.file[old*pageSize:], frame)
			delete(s.where, old)
		}
		if s.served%4 == 0 {
			runtime.Gosched()
		}
		copy(frame, s.file[ft.Page*pageSize:])
		do(s.r, exo.Map(ft.Page, s.f, at, exo.ProtWrite))
		s.in[at], s.where[ft.Page] = ft.Page, at
		return true
	})
	return s
}

// assembly works on pages that are put out all the time, in what is written in assembly and in what is not.
func assembly() {
	const pages, frames = 48, 14
	s := newScarce(pages, frames)
	b := s.r.Bytes()[: pages*pageSize : pages*pageSize]
	want := bytes.Clone(s.file)
	block := check(aes.NewCipher(make([]byte, 32)))
	gcm := check(cipher.NewGCM(block))
	nonce := make([]byte, gcm.NonceSize())
	var wrong atomic.Int32
	jobs := map[string]func(b []byte) any{
		"sha256":  func(b []byte) any { return sha256.Sum256(b) },
		"sha512":  func(b []byte) any { return sha512.Sum512(b) },
		"sha1":    func(b []byte) any { return sha1.Sum(b) },
		"md5":     func(b []byte) any { return md5.Sum(b) },
		"crc32":   func(b []byte) any { return crc32.ChecksumIEEE(b) },
		"crc32c":  func(b []byte) any { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) },
		"adler32": func(b []byte) any { return adler32.Checksum(b) },
		"xor": func(b []byte) any {
			d := make([]byte, len(b))
			subtle.XORBytes(d, b, want)
			return sha256.Sum256(d)
		},
		"index":  func(b []byte) any { return bytes.Index(b, want[len(want)-13:]) },
		"byte":   func(b []byte) any { return bytes.IndexByte(b, 255) },
		"string": func(b []byte) any { return strings.Count(string(b[5:]), "a") },
		"append": func(b []byte) any { return crc32.ChecksumIEEE(append([]byte{1}, b...)) },
		"equal":  func(b []byte) any { return bytes.Equal(b, bytes.Clone(want)) },
		"gcm":    func(b []byte) any { return sha256.Sum256(gcm.Seal(nil, nonce, b, nil)) },
		"ctr": func(b []byte) any {
			d := make([]byte, len(b))
			cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(d, b)
			return sha256.Sum256(d)
		},
		"map": func(b []byte) any {
			m := map[string]int{}
			for i := 0; i+512 <= len(b); i += 512 {
				m[string(b[i:i+512])] += i
			}
			return len(m)
		},
		"deep": func(b []byte) any {
			n := 0
			for i := 0; i < len(b); i += pageSize {
				n += int(deep(100, b[i:]))
			}
			return n
		},
	}
	stop := make(chan bool)
	var beside sync.WaitGroup
	for _, again := range []func(){
		runtime.GC,
		func() { pprof.Lookup("goroutine").WriteTo(io.Discard, 2) },
		func() { pprof.Lookup("goroutine").WriteTo(io.Discard, 0) },
		func() {
			if check(0, trace.Start(io.Discard)); true {
				time.Sleep(3 * time.Millisecond)
				trace.Stop()
			}
		},
		func() {
			pprof.StartCPUProfile(io.Discard)
			time.Sleep(20 * time.Millisecond)
			pprof.StopCPUProfile()
		},
	} {
		beside.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					again()
				}
			}
		})
	}
	var work sync.WaitGroup
	queue := make(chan string, len(jobs))
	for name := range jobs {
		queue <- name
	}
	close(queue)
	for i := range 4 {
		all := func() {
			for name := range queue {
				if got, want := jobs[name](b), jobs[name](want); got != want {
					fmt.Println(name, "is", got, "not", want)
					wrong.Add(1)
				}
			}
		}
		work.Go(func() {
			switch {
			case i == 0:
				runtime.LockOSThread()
				all()
			case i == 1 && len(os.Args) > 2: // with a CPU of its own
				check(0, sched.Isolate(1, func(*sched.Alone) { all() }))
			default:
				all()
			}
		})
	}
	work.Wait()
	sorted := func(b []byte) [32]byte {
		for i := 0; i < len(b); i += 8192 {
			slices.Sort(b[i:][:8192])
		}
		subtle.XORBytes(b[1:8000], b[8000:15999], want)
		copy(b[100:], b[:len(b)-4000])
		copy(b, b[4000:])
		return sha256.Sum256(b)
	}
	other := slices.Clone(want)
	if sorted(b) != sorted(other) {
		fmt.Println("what was written is lost")
		wrong.Add(1)
	}
	close(stop)
	beside.Wait()
	if s.served < pages*len(jobs)/3 {
		fmt.Println("only", s.served, "faults")
		wrong.Add(1)
	}
	fmt.Println("wrong", wrong.Load())
}

// heldBy reads a byte at p, in assembly that faults there while it has the only pointer to a word in the place that how names, and returns that word. hidden is the
// pointer's complement, which holds nothing.
//
//go:noescape
func heldBy(p *byte, hidden uint64, how int) uint64

const heldWays = 6

// aligned reads p in assembly that aligns its stack.
//
//go:noescape
func aligned(p *byte) byte

// held has the collector look for what only assembly knows of while that waits. Run with GODEBUG=clobberfree=1.
func held() {
	debug.SetGCPercent(-1)
	r, f := take(1, 1)
	var keep *[4]uint64
	r.Pager(func(exo.Fault) bool {
		keep = nil
		runtime.GC()
		runtime.GC()
		do(r, exo.Map(0, f, 0, exo.ProtRead))
		return true
	})
	wrong := 0
	for how := range heldWays {
		for range 3 {
			hidden := make(chan uint64)
			go func() { // on another stack
				keep = &[4]uint64{77}
				hidden <- hide(keep)
			}()
			if v := heldBy(&r.Bytes()[5], <-hidden, how); v != 77 {
				fmt.Printf("%d: %#x\n", how, v)
				wrong++
			}
			do(r, exo.Unmap(0))
		}
	}
	fmt.Println("wrong", wrong)
}

// modes returns the words that say how floating-point code behaves, and which x87 registers are in use (none: 0xffff).
func modes() (mxcsr, control, tags uint32)

// moded reads p with modes of its own, and returns them as they are then: 0x0b7f5f80.
//
//go:noescape
func moded(p *byte) uint32

// modesStay has assembly wait with modes of its own. Nobody else may get them.
func modesStay() {
	r, f := take(1, 1)
	wrong := 0
	see := func(who string) {
		if m, c, t := modes(); m&^0x3f != 0x1f80 || c&^0xc0 != 0x033f || t != 0xffff { // less MXCSR's flags and a reserved bit
			fmt.Printf("%s: %#x %#x %#x\n", who, m, c, t)
			wrong++
		}
	}
	r.Handle(func(exo.Fault) exo.Verdict { see("handler"); return exo.Defer })
	in, gate := make(chan bool), make(chan bool)
	r.Pager(func(exo.Fault) bool {
		see("pager")
		in <- true
		<-gate
		do(r, exo.Map(0, f, 0, exo.ProtRead))
		return true
	})
	for range 3 {
		saw := make(chan uint32)
		go func() { saw <- moded(&r.Bytes()[0]) }()
		<-in
		for range 3 {
			see("another")
			runtime.Gosched()
		}
		gate <- true
		if m := <-saw; m != 0x0b7f5f80 {
			fmt.Printf("itself: %#x\n", m)
			wrong++
		}
		see("afterwards")
		do(r, exo.Unmap(0))
	}
	fmt.Println("wrong", wrong)
}

// declinedAssembly has faults in assembly declined.
func declinedAssembly() {
	r, _ := take(2, 1)
	calls := 0
	r.Pager(func(exo.Fault) bool {
		calls++
		return false
	})
	debug.SetPanicOnFault(true)
	for _, touch := range []func(){
		func() { sha256.Sum256(r.Bytes()) },
		func() { heldBy(&r.Bytes()[0], 0, 0) },
	} {
		func() {
			defer func() {
				e, _ := recover().(interface{ Addr() uintptr })
				fmt.Println("recovered", e != nil && e.Addr()-addr(r) < pageSize, calls)
			}()
			touch()
			fmt.Println("went on")
		}()
	}
	func() {
		r, f := take(1, 1)
		bad, good := false, false
		r.Handle(func(exo.Fault) exo.Verdict {
			if bad {
				bad = false
				return exo.Bus
			}
			return exo.Defer
		})
		r.Pager(func(exo.Fault) bool {
			bad = !good
			if good {
				do(r, exo.Map(0, f, 0, exo.ProtRead))
			}
			return good
		})
		for range 2 {
			func() {
				defer func() { fmt.Println("bus", recover() != nil) }()
				crc32.ChecksumIEEE(r.Bytes())
			}()
			good = true
		}
	}()
	if len(os.Args) > 2 {
		aligned(&r.Bytes()[0])
		fmt.Println("went on")
	}
}

// crowd has many goroutines wait in assembly at once.
func crowd() {
	const n = 3000
	r, f := take(n, 1)
	gate := make(chan bool)
	var waiting atomic.Int32
	r.Pager(func(ft exo.Fault) bool {
		waiting.Add(1)
		<-gate
		do(r, exo.Map(ft.Page, f, 0, exo.ProtRead))
		return true
	})
	zero := crc32.ChecksumIEEE(make([]byte, pageSize))
	var wrong atomic.Int32
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if crc32.ChecksumIEEE(r.Bytes()[i*pageSize:][:pageSize]) != zero {
				wrong.Add(1)
			}
		})
	}
	for waiting.Load() < n { // each in a pager of its own
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	close(gate)
	all.Wait()
	threads := pprof.Lookup("threadcreate").Count()
	fmt.Println("wrong", wrong.Load(), "few threads", threads < 20)
}
