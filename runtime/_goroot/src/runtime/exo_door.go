package runtime

import (
	"internal/runtime/sys"
	"unsafe"
)

// The uintptr door. syscall.Syscall and its kin carry pointers as integers: if the caller's stack moved while libos/posix runs, those that
// lead there would dangle. A call with such a one runs on another goroutine, a server, while the caller is parked with its stack pinned: a
// goroutine whose syscallsp is set is neither shrunk nor moved. So does one whose arguments point to what points on (exoNested). All others
// run on the caller's own: paths and most buffers are in the heap, which does not move.
//
// The M goes straight from caller to server and back, without the run queue. A server that blocks stays with its call, so there are as
// many servers as calls were ever blocked at once; idle ones are kept.
//
// Not chosen: go:uintptrescapes (func values and golang.org/x/sys/unix get around it), serving on the M's system stack (the libOS could
// neither allocate freely nor park).

// exoRequest is one call; it lies on the caller's pinned stack.
type exoRequest struct {
	nr       uintptr
	a        [6]uintptr
	r, errno uintptr
	gp       guintptr
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
func exoPosixCall(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr)

//go:nosplit
func exoPosixInPlace(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr, ok bool)

// exoNested are the calls below 64 whose arguments lead to further pointers, which a program may hold as integers: ioctl, readv, writev,
// sendmsg, recvmsg. From exoManyNested on there are more of that kind.
const (
	exoNested     = 1<<16 | 1<<19 | 1<<20 | 1<<46 | 1<<47
	exoManyNested = 270
)

// exoDoorStay goes with the number of a call whose caller's stack must stay where it is, whatever the arguments are: above exoManyNested.
const exoDoorStay = 1 << 62

// exoDoor serves a Linux system call made with integers for pointers. nosplit and called with uintptrkeepalive arguments: nothing
// may move the caller's stack before it is known whether they lead there.
//
//go:linkname exoDoor syscall.exoDoor
//go:nosplit
func exoDoor(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr) {
	q := exoRequest{nr: nr &^ exoDoorStay, a: [6]uintptr{a1, a2, a3, a4, a5, a6}}
	gp := getg()
	stay := 1<<nr&exoNested != 0 || nr >= exoManyNested || gp != gp.m.curg
	for _, a := range &q.a {
		if a-gp.stack.lo < gp.stack.hi-gp.stack.lo {
			stay = true
		}
	}
	if !stay {
		return exoPosixCall(q.nr, a1, a2, a3, a4, a5, a6)
	}
	if r, errno, ok := exoPosixInPlace(q.nr, a1, a2, a3, a4, a5, a6); ok {
		return r, errno
	}
	if gp != gp.m.curg {
		r := exoCall6(q.nr, a1, a2, a3, a4, a5, a6)
		if r > ^uintptr(4095) {
			return ^uintptr(0), -r
		}
		return r, 0
	}
	q.gp.set(gp)
	gp.syscallpc = sys.GetCallerPC()
	gp.syscallsp = sys.GetCallerSP()
	gp.syscallbp = getcallerfp()
	*(*uintptr)(unsafe.Pointer(&gp.param)) = uintptr(unsafe.Pointer(&q))
	mcall(exoDoorEnter)
	*(*uintptr)(unsafe.Pointer(&gp.param)) = 0
	gp.syscallsp = 0
	return q.r, q.errno
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
		q.r, q.errno = exoPosixCall(q.nr, q.a[0], q.a[1], q.a[2], q.a[3], q.a[4], q.a[5])
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
