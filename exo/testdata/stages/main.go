// Stages is booted by exo's image tests: what vectors do at once, which of them a CPU holds back, and how soon the highest is served beside a program
// that allocates, collects, and has the bottom half clear large pages.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/exo"
)

func check[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	stages()
	if len(os.Args) > 1 {
		latency()
	}
}

// soon waits until f is true.
func soon(f func() bool) bool {
	for start := time.Now(); !f(); {
		if time.Since(start) > 5*time.Second {
			return false
		}
		runtime.Gosched()
	}
	return true
}

func stages() {
	f := check(exo.TakeFrames("stages", 1, 0))
	word := func(off uintptr) uint32 {
		var b [4]byte
		f.CopyOut(b[:], off)
		return uint32(b[0]) | uint32(b[1])<<8
	}
	low := check(exo.TakeVector("low"))
	high := check(exo.TakeVectorAt("high", 224))
	cpu := check(exo.TakeCPU("stages", exo.CPUs()-1))
	check(0, low.Attach(exo.Count(f, 0)))
	check(0, high.Attach(exo.Count(f, 4), exo.Stamp(f, 8, 2)))
	check(0, cpu.Send(low))
	fmt.Println("both", soon(func() bool { return word(0) == 1 }), word(4))

	// A stage is masked, and those above it are not.
	check(0, cpu.Hold(exo.MaxHold))
	check(0, cpu.Send(low))
	check(0, cpu.Send(high))
	fmt.Println("high", soon(func() bool { return word(4) == 1 }))
	check(0, cpu.Send(low))
	time.Sleep(2 * time.Millisecond)
	fmt.Println("held", word(0), low.Number()/16 <= exo.MaxHold)
	check(0, cpu.Hold(2))
	fmt.Println("low", soon(func() bool { return word(0) == 2 }), word(4))
	check(0, cpu.Hold(0))

	// Threaded: the same vector, with a step before its goroutine is woken; then only that.
	check(0, low.Attach(exo.Count(f, 0), exo.Pass()))
	low.Wait(-1)
	check(0, cpu.Send(low))
	n := check(low.Wait(exo.Now() + 5e9))
	fmt.Println("passed", n, word(0))
	check(0, low.Detach())
	check(0, cpu.Send(low))
	fmt.Println("threaded", check(low.Wait(exo.Now()+5e9)), word(0))

	// What has ended is left out; what the vector does besides is done.
	g := check(exo.TakeFrames("ended", 1, 0))
	check(0, high.Attach(exo.Stamp(g, 0, 1), exo.Count(f, 4)))
	check(0, g.Release())
	h := check(exo.TakeFrames("next", 1, 0))
	check(0, cpu.Send(high))
	ok := soon(func() bool { return word(4) == 2 })
	for _, v := range h.Bytes() {
		ok = ok && v == 0
	}
	fmt.Println("ended", ok)
	check(0, high.Release())
	fmt.Println("released", high.Attach(exo.Pass()) != nil)
	check(0, cpu.Hold(5))
	check(0, cpu.Release())
	low.Release()
}

// The high precision event timer (IA-PC HPET Specification 1.0a, 2.3), where PCs have it, with an interrupt that its first comparator may use.
const (
	hpetBase    = 0xfed00000
	hpetPeriod  = 0x004 // of the counter, in 1e-15 s
	hpetConfig  = 0x010
	hpetCounter = 0x0f0
	timerConfig = 0x100
	timerAt     = 0x108
	hpetLine    = 20
)

var sink []byte

// latency has the timer interrupt a thousand times, and tells how much later its program read the timer's counter.
func latency() {
	const times, room = 1000, 2000
	m := check(exo.TakeMMIO("hpet", hpetBase, 0x400))
	line := check(exo.TakeLine("hpet", hpetLine, false))
	v := check(exo.TakeVectorAt("hpet", 225))
	f := check(exo.TakeFrames("hpet", 2, 0))
	cpu := check(exo.TakeCPU("hpet", 0))
	check(0, v.Attach(exo.Load(m, hpetCounter, f, 8, room), exo.Count(f, 0)))
	ns := int(m.Load32(hpetPeriod)) / 1e6 // of a tick
	period := 1_000_000 / ns
	m.Store32(hpetConfig, 0)
	m.Store32(hpetCounter, 0)
	m.Store32(hpetCounter+4, 0)
	m.Store32(timerConfig, hpetLine<<9|1<<8|1<<6|1<<3|1<<2) // route, 32 bits, value set, periodic, on
	m.Store32(timerAt, uint32(period))
	check(0, line.Bind(v, cpu))
	check(0, cpu.Hold(exo.MaxHold))
	m.Store32(hpetConfig, 1)

	count := func() int { return int(f.Bytes()[0]) | int(f.Bytes()[1])<<8 }
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	pages := check(exo.TakePages("hpet", exo.LargePages))
	for n := 0; count() < times; n++ {
		sink = make([]byte, 1<<uint(n%20))
		if n%64 == 0 {
			big := check(exo.TakeFrames("hpet", exo.LargePages, exo.LargePages*exo.PageSize))
			ops := make([]exo.PageOp, exo.LargePages)
			for i := range ops {
				ops[i] = exo.Map(i, big, i, exo.ProtWrite)
			}
			check(pages.Apply(ops))
			check(0, big.Release())
		}
	}
	m.Store32(hpetConfig, 0)
	runtime.ReadMemStats(&after)
	// QEMU's timer interrupts twice at an instant where its clock stands at that instant: what counts is that no period is missing, and how far each was under way.
	late := make([]int, min(count(), room))
	missing, last := 0, 0
	for i := range late {
		w := f.Bytes()[8+4*i:]
		at := int(w[0]) | int(w[1])<<8 | int(w[2])<<16 | int(w[3])<<24
		if at/period > last+1 {
			missing++
		}
		last = at / period
		late[i] = at % period * ns
	}
	slices.Sort(late)
	n := len(late)
	fmt.Println("RESULT median", late[n/2], "ns")
	fmt.Println("RESULT p99", late[n*99/100], "ns")
	fmt.Println("RESULT worst", late[n-1], "ns")
	fmt.Println("RESULT missing", missing, "of", last)
	fmt.Println("RESULT collections", after.NumGC-before.NumGC, "times")
}
