//go:build linux

// Plain is a program that knows nothing of Hardtack. Each subcommand does one thing that Go promises and prints what it saw.
package main

import "os"

var commands = map[string]func(args []string){
	"recover": recoverAll, "overflow": overflow, "overflow-default": overflowDefault, "panic": panicBesideOthers, "deadlock": deadlock, "exit": exit,
	"preempt": preempt, "cpus": cpus, "locked": lockedExits, "threads": threads, "mutex": contention, "pipes": pipes,
	"cleanups": cleanups, "collector": collector, "freed": freed, "limited": limited, "fill": fill, "one": oneBig,
	"profile": cpuProfile, "profiles": otherProfiles, "trace": traceScheduler,
	"zones": zones, "clock": clock, "cputime": cpuTime, "signals": signals, "interrupt": interrupt, "echo": echo, "woken": woken, "entropy": entropy, "idle": idle, "busy": busy,
}

func main() { commands[os.Args[1]](os.Args[2:]) }
