//go:build linux && amd64

// Protect does what page protection forbids and what no processor state can stand, and says what came of it.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
)

// An attempt is something that must not succeed.
type attempt struct {
	name string
	addr uintptr // where the fault must be
	try  func()
}

// caught runs f and tells what panic it ended with.
func caught(f func()) (text string) {
	defer func() {
		err := recover()
		text = fmt.Sprint(err)
		if a, ok := err.(interface{ Addr() uintptr }); ok {
			text += fmt.Sprintf(" at %#x", a.Addr())
		}
	}()
	f()
	return
}

func main() {
	debug.SetGCPercent(-1)
	growStack()
	var code [16]byte
	switch os.Args[1] {
	case "all": // each attempt, recovered
		debug.SetPanicOnFault(true)
		for _, a := range attempts(&code) {
			fmt.Printf("%s (%#x): %s\n", a.name, a.addr, caught(a.try))
		}
		fmt.Println("executable memory:", mapExecutable())
		fmt.Println(controls())
	case "one": // one attempt, not recovered
		for _, a := range attempts(&code) {
			if a.name == os.Args[2] {
				a.try()
			}
		}
	case "calls": // system calls with wild pointers
		for name, result := range badCalls() {
			fmt.Printf("%s: %v\n", name, syscall.Errno(-result))
		}
	case "break":
		breaks[os.Args[2]]()
	}
	fmt.Println("survived")
}
