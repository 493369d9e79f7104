// Command frames makes garbage for a while and tells how much memory the machine has left: a program to try frame allocators with, such as the one
// in the folder lifo.
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
)

func main() {
	var kept [][]byte
	for i := range 2000 {
		kept = append(kept, make([]byte, 1+i*37%50000))
		if len(kept) > 50 {
			kept = kept[25:]
		}
	}
	kept = nil
	runtime.GC()
	debug.FreeOSMemory()
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		fmt.Println("sysinfo:", err)
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("%d MiB in all, %d MiB unused, %d collections\n", info.Totalram>>20, info.Freeram>>20, m.NumGC)
}
