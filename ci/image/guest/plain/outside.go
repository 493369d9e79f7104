//go:build linux

package main

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"hash/maphash"
	mathrand "math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func zones([]string) {
	day := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	fmt.Println("local", day.Local().Format(time.RFC3339))
	for _, name := range []string{"Europe/Berlin", "Asia/Kolkata", "America/New_York", "Nowhere/None"} {
		l, err := time.LoadLocation(name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(name, day.In(l).Format(time.RFC3339))
	}
}

// clock prints lines for a reader with a clock of its own.
func clock([]string) {
	fmt.Printf("wall=%d\n", time.Now().UnixNano())
	start := time.Now()
	time.Sleep(2 * time.Second)
	fmt.Printf("slept_us=%d\n", time.Since(start).Microseconds())
}

// cpuTime prints the CPU time, in milliseconds, of a sleep and of loops on one and on two goroutines, half a second each.
func cpuTime([]string) {
	used := func() time.Duration {
		var ru syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
			panic(err)
		}
		return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	const period = 500 * time.Millisecond
	loops := func(n int) {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				for start := time.Now(); time.Since(start) < period; {
				}
			})
		}
		wg.Wait()
	}
	for _, f := range []func(){func() { time.Sleep(period) }, func() { loops(1) }, func() { loops(2) }} {
		before, start := used(), time.Now()
		f()
		wall := time.Since(start)
		fmt.Println("used", (used() - before).Milliseconds(), "of", wall.Milliseconds())
	}
}

func signals([]string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	signal.Ignore(syscall.SIGINT)
	for range 3 {
		syscall.Kill(syscall.Getpid(), syscall.SIGINT)
		syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
		fmt.Println("got", <-c)
	}
	signal.Reset(syscall.SIGUSR1)
	select {
	case s := <-c:
		fmt.Println("more:", s)
	default:
	}
}

// interrupt ends the program by a signal that nobody handles.
func interrupt([]string) {
	syscall.Kill(syscall.Getpid(), syscall.SIGINT)
	time.Sleep(5 * time.Second)
	fmt.Println("survived")
}

// echo answers each line as it comes.
func echo([]string) {
	fmt.Println("ready")
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		fmt.Printf("<%s>\n", s.Text())
	}
	fmt.Println("end of input")
}

// woken answers each line from a goroutine that comes to run only when the loop that waits for it is preempted.
func woken([]string) {
	fmt.Println("ready")
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		var ran atomic.Bool
		t := time.Now()
		go ran.Store(true)
		for !ran.Load() {
		}
		fmt.Printf("waited_ms=%d\n", time.Since(t).Milliseconds())
	}
}

func entropy([]string) {
	var b [16]byte
	rand.Read(b[:])
	fmt.Printf("crypto %x\n", b)
	fmt.Printf("math %x\n", mathrand.Uint64())
	fmt.Printf("hash %x\n", maphash.String(maphash.MakeSeed(), ""))
	fmt.Printf("address %p\n", new(int))
}

// busy uses its processor until it is killed.
func busy([]string) {
	fmt.Println("ready")
	for {
	}
}

func idle([]string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	fmt.Println("ready")
	<-c
}
