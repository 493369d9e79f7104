package runtime

import (
	"internal/runtime/atomic"
	"internal/runtime/exithook"
	_ "unsafe"
)

// What is to happen before the image ends by a panic, a fatal error or a signal that nobody handles: volumes are written. On Linux the kernel still has what
// a process wrote that died; here it dies with it.
//
// It happens before Go's report stops the world, for writing needs goroutines. What ends without a goroutine to wait on (out of memory, stack overflow, a
// fault in the runtime, a signal that ends in a report, as SIGQUIT does) ends at once.

var exoDeath struct {
	funcs []func()     // set before main
	state uint32       // 1: somebody dies, 2: the functions ran
	left  atomic.Int32 // functions that run
	sig   uint32       // the signal that the program dies of; 0: none
	at    int64        // when it came
}

const (
	exoDeathVector = 3 // that of no device: a breakpoint's
	exoDeathLimit  = 10e9
)

//go:linkname exoAtDeath github.com/hardtack-os/hardtack/libos/fs/volumes.atDeath
func exoAtDeath(f func()) {
	if exoDeath.funcs == nil {
		go exoDeathWait()
		exithook.Add(exithook.Hook{F: exoDeathExit, RunOnFailure: true})
	}
	exoDeath.funcs = append(exoDeath.funcs, f)
}

// preprintpanics is what gopanic calls when nobody recovers, the last that runs as an ordinary goroutine.
func preprintpanics(p *_panic) {
	exoGoPreprintpanics(p)
	exoDie()
}

// exoFatal is fatal for errors of the program's own, which are found on its goroutines.
func exoFatal(s string) {
	exoDie()
	fatal(s)
}

// dieFromSignal leaves a signal's death to exoDeathWait, for a handler can wait for nobody, nor can os.File's write to a broken pipe here. The second
// signal is not made to wait.
//
//go:nosplit
//go:nowritebarrierrec
func dieFromSignal(sig uint32) {
	gp := getg()
	if gp != gp.m.curg && exoDeath.funcs != nil && (sigtable[sig].flags&_SigKill != 0 || sig == _SIGPIPE) && atomic.Cas(&exoDeath.sig, 0, sig) {
		atomic.Storeint64(&exoDeath.at, nanotime())
		atomic.Xadd(&exo.cold.count[exoDeathVector], 1)
		atomic.Or64(&exo.cold.fired[0], 1<<exoDeathVector)
		netpollBreak()
		return
	}
	exoGoDieFromSignal(sig)
}

// exoDeathWait dies of the signal that dieFromSignal was called with.
func exoDeathWait() {
	exoVectorWait(exoDeathVector, 0)
	exoDie()
	exoGoDieFromSignal(atomic.Load(&exoDeath.sig))
}

// exoSysmonSleep sees to it that the signal is obeyed, where those who have the CPUs do not let exoDeathWait run.
func exoSysmonSleep(usec uint32) {
	if at := atomic.Loadint64(&exoDeath.at); at != 0 && nanotime()-at > 2*exoDeathLimit {
		exoGoDieFromSignal(atomic.Load(&exoDeath.sig))
	}
	exoSpareAsk()
	exoPlainSysmonSleep(usec)
}

// exoDeathExit holds up who ends the image while somebody dies, who will.
func exoDeathExit() {
	if atomic.Load(&exoDeath.state) != 0 {
		exoDeathPark()
	}
}

func exoDeathPark() { gopark(nil, nil, waitReasonPanicWait, traceBlockForever, 1) }

// exoDie runs the functions and returns when they are done, or took too long: who dies may hold a lock that they want. The first who dies speaks for all, the others
// wait for the end.
func exoDie() {
	gp := getg()
	if exoDeath.funcs == nil || gp != gp.m.curg || gp.m.locks != 0 {
		return
	}
	bubble, t := gp.bubble, gp.timer // whose time would stand still (package testing/synctest)
	gp.bubble, gp.timer = nil, nil
	if !atomic.Cas(&exoDeath.state, 0, 1) {
		exoDeathPark()
	}
	exoDeath.left.Store(int32(len(exoDeath.funcs)))
	for _, f := range exoDeath.funcs {
		go exoDeathRun(f)
	}
	for end := nanotime() + exoDeathLimit; atomic.Load(&exoDeath.state) != 2; {
		if nanotime() > end {
			print("hardtack: what was written last is lost: volumes were busy for 10 s\n")
			break
		}
		timeSleep(1e6)
	}
	gp.bubble, gp.timer = bubble, t
}

// exoDeathRun runs one of the functions: one that waits for who dies does not hold up the others.
func exoDeathRun(f func()) {
	defer func() {
		recover()
		if exoDeath.left.Add(-1) == 0 {
			atomic.Store(&exoDeath.state, 2)
		}
	}()
	f()
}
