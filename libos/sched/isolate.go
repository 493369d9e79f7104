package sched

import "time"

// Alone is a CPU that one goroutine has for itself.
type Alone struct{ cpu alone }

// Isolate calls f with a CPU for itself: the calling goroutine is locked to its thread, nothing else runs on that CPU, no timer but the
// goroutine's own ends there, and it is not preempted for others, until f returns, panics or ends the goroutine. What f starts runs elsewhere, from when f
// waits on: if it does not, within 10 ms.
// exo.CPU.Isolate says what interrupts it all the same, and what GOMAXPROCS counts.
//
// It works under every policy, and under Go's own scheduler; a policy charges what runs there when it stops. To wait, f has [Alone.Rest], from which it is woken without
// anybody's help. When it waits otherwise (a channel, time.Sleep), its P is with others, and it is woken when they or the scheduler give it one.
//
// On the host f has a thread of its own, and no CPU.
//
// Errors: of exo.TakeCPU: *exo.RangeError for a CPU that there is not, *exo.HeldError for one that somebody has, isolated or for its interrupts; of
// exo.CPU.Isolate: *exo.RangeError for the boot CPU, 0, which runs everybody else and so is the last one always.
func Isolate(cpu int, f func(*Alone)) error { return isolate(cpu, f) }

// Rest halts the CPU until Wake, or until d has passed, and reports which: false is that the time has passed, or that the CPU was taken back. 0 is no limit. Only
// the goroutine that Isolate was called on may call it.
func (a *Alone) Rest(d time.Duration) (woken bool) { return a.cpu.rest(d) }

// Interrupts is how many interrupts the CPU has taken, as exo.CPU.Interrupts has it; on the host 0.
func (a *Alone) Interrupts() uint32 { return a.cpu.interrupts() }

// Wake ends the Rest under way, or else the next one. Any goroutine may call it; it does not block.
func (a *Alone) Wake() { a.cpu.wake() }
