//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
)

// caught runs f and returns the panic it ended with.
func caught(f func()) (err any) {
	defer func() { err = recover() }()
	f()
	return nil
}

type pair struct{ far [8000]byte }

func recoverAll([]string) {
	var (
		nowhere *int
		array   *pair
		zero    int
		list    = []int{1}
		any     interface{ Error() string }
	)
	tries := map[string]func(){
		"read":     func() { fmt.Println(*nowhere) },
		"write":    func() { *nowhere = 1 },
		"far":      func() { array.far[7999]++ },
		"method":   func() { fmt.Println(any.Error()) },
		"call":     func() { var f func(); f() },
		"divide":   func() { fmt.Println(1 / zero) },
		"modulo":   func() { fmt.Println(1 % zero) },
		"bounds":   func() { list[len(os.Args)+5]++ },
		"assert":   func() { fmt.Println(interface{}(zero).(string)) },
		"nil map":  func() { map[int]int(nil)[zero] = 1 },
		"negative": func() { fmt.Println(make([]int, zero-1)) },
	}
	// Many times, on many goroutines: what a fault leaves behind would add up.
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				for _, try := range tries {
					if caught(try) == nil {
						fmt.Println("no panic")
					}
				}
			}
		})
	}
	wg.Wait()
	for name, try := range tries {
		fmt.Printf("%s: %v\n", name, caught(try))
	}
}

func forever(n int) int { return forever(n+1) + n }

func overflow([]string) {
	debug.SetMaxStack(32 << 20)
	forever(0)
}

func overflowDefault([]string) { forever(0) }

func panicBesideOthers([]string) {
	ready := make(chan bool)
	for range 3 {
		go waiting(ready)
	}
	go sleepingInRange(ready)
	for range 4 {
		<-ready
	}
	panic(fmt.Errorf("boom"))
}

func waiting(ready chan bool) {
	ready <- true
	select {}
}

func sleepingInRange(ready chan bool) {
	ready <- true
	for range make(chan int) {
	}
}

func deadlock([]string) {
	var mu sync.Mutex
	mu.Lock()
	go func() { mu.Lock() }()
	mu.Lock()
}

func exit(args []string) {
	code, _ := strconv.Atoi(args[0])
	defer fmt.Println("deferred functions do not run")
	os.Exit(code)
}
