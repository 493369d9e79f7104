package runtime

import (
	"internal/runtime/sys"
	"unsafe"
)

// The uintptr door. syscall.Syscall and its kin carry pointers as integers: if the caller's stack moved while libos/posix runs, they
// would dangle. So the call runs on another goroutine, a server, while the caller is parked with its stack pinned: a goroutine whose
// syscallsp is set is neither shrunk nor moved. Calls that neither block nor grow the stack are answered in place.
//
// The M goes straight from caller to server and back, without the run queue. A server that blocks stays with its call, so there are as
// many servers as calls were ever blocked at once; idle ones are kept.
//
// Not chosen: go:uintptrescapes (func values and golang.org/x/sys/unix get around it), serving on the M's system stack (the libOS could
// neither allocate freely nor park).

// exoRequest is one call; it lies on the caller's pinned stack.
type exoRequest struct {
	nr, a1, a2, a3, a4, a5, a6 uintptr
	r1, r2, errno              uintptr
	gp                         guintptr
}

// exoServer is one serving goroutine. Never freed.
type exoServer struct {
	_    sys.NotInHeap
	gp   guintptr
	q    uintptr // *exoRequest
	next *exoServer
}

var exoDoors struct {
	lock     mutex
	idle     *exoServer
	starting *exoServer // has a request, its goroutine has not run yet
}

// exoPosixCall and exoPosixInPlace are libos/posix's.
func exoPosixCall(nr, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr)

//go:nosplit
func exoPosixInPlace(nr, a1, a2, a3, a4, a5, a6 uintptr) (r1, errno uintptr, ok bool)

// exoDoor serves a Linux system call made with integers for pointers. nosplit and called with uintptrkeepalive arguments: nothing
// may move the caller's stack before it is pinned.
//
//go:linkname exoDoor syscall.exoDoor
//go:nosplit
func exoDoor(nr, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr) {
	if r1, errno, ok := exoPosixInPlace(nr, a1, a2, a3, a4, a5, a6); ok {
		return r1, 0, errno
	}
	gp := getg()
	if nr == 186 { // gettid: the server's would be another's
		return uintptr(gp.m.procid), 0, 0
	}
	if gp == gp.m.g0 || gp == gp.m.gsignal || gp.m.curg != gp {
		r := exoCall6(nr, a1, a2, a3, a4, a5, a6)
		if r > ^uintptr(4095) {
			return ^uintptr(0), 0, -r
		}
		return r, 0, 0
	}
	q := exoRequest{nr: nr, a1: a1, a2: a2, a3: a3, a4: a4, a5: a5, a6: a6}
	q.gp.set(gp)
	gp.syscallpc = sys.GetCallerPC()
	gp.syscallsp = sys.GetCallerSP()
	gp.syscallbp = getcallerfp()
	*(*uintptr)(unsafe.Pointer(&gp.param)) = uintptr(unsafe.Pointer(&q))
	mcall(exoDoorEnter)
	*(*uintptr)(unsafe.Pointer(&gp.param)) = 0
	gp.syscallsp = 0
	return q.r1, q.r2, q.errno
}

// exoDoorEnter parks the caller and runs a server, on g0.
func exoDoorEnter(gp *g) {
	q := uintptr(gp.param)
	lock(&exoDoors.lock)
	s := exoDoors.idle
	if s != nil {
		exoDoors.idle = s.next
		s.q = q
		unlock(&exoDoors.lock)
		exoSwitch(gp, s.gp.ptr())
	}
	s = (*exoServer)(persistentalloc(unsafe.Sizeof(exoServer{}), 0, &memstats.other_sys))
	s.q = q
	s.next = exoDoors.starting
	exoDoors.starting = s
	unlock(&exoDoors.lock)
	fn := exoServe
	n := newproc1(*(**funcval)(unsafe.Pointer(&fn)), getg(), sys.GetCallerPC(), true, waitReasonIOWait)
	n.labels = nil
	exoSwitch(gp, n)
}

// exoServe is the body of a server.
func exoServe() {
	lock(&exoDoors.lock)
	s := exoDoors.starting
	exoDoors.starting = s.next
	unlock(&exoDoors.lock)
	s.gp.set(getg())
	for {
		q := (*exoRequest)(unsafe.Pointer(s.q))
		q.r1, q.r2, q.errno = exoPosixCall(q.nr, q.a1, q.a2, q.a3, q.a4, q.a5, q.a6)
		*(*uintptr)(unsafe.Pointer(&getg().param)) = uintptr(unsafe.Pointer(s))
		mcall(exoDoorLeave)
	}
}

// exoDoorLeave makes the server idle and goes on with its caller, on g0.
func exoDoorLeave(gp *g) {
	s := (*exoServer)(gp.param)
	caller := (*exoRequest)(unsafe.Pointer(s.q)).gp.ptr()
	*(*uintptr)(unsafe.Pointer(&gp.param)) = 0
	exoPark(gp)
	lock(&exoDoors.lock)
	s.next = exoDoors.idle
	exoDoors.idle = s
	unlock(&exoDoors.lock)
	exoResumeG(caller)
}

// exoSwitch parks from and runs to, which is waiting.
func exoSwitch(from, to *g) {
	exoPark(from)
	exoResumeG(to)
}

// exoPark takes gp, the M's current goroutine, off it.
func exoPark(gp *g) {
	trace := traceAcquire()
	if trace.ok() {
		trace.GoPark(traceBlockGeneric, 1)
	}
	gp.waitreason = waitReasonIOWait
	casgstatus(gp, _Grunning, _Gwaiting)
	if trace.ok() {
		traceRelease(trace)
	}
	dropg()
}

// exoResumeG runs gp, which is waiting, on this M. An M or goroutine locked to another, or a P that was asked to give way, goes through
// the scheduler.
func exoResumeG(gp *g) {
	mp := getg().m
	if mp.lockedg != 0 && mp.lockedg.ptr() != gp || gp.lockedm != 0 && gp.lockedm.ptr() != mp ||
		mp.p.ptr().preempt || sched.gcwaiting.Load() {
		ready(gp, 0, true)
		schedule()
	}
	trace := traceAcquire()
	casgstatus(gp, _Gwaiting, _Grunnable)
	if trace.ok() {
		trace.GoUnpark(gp, 0)
		traceRelease(trace)
	}
	execute(gp, true)
}
