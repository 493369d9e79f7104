package linux

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// soon is long enough for a goroutine to fall asleep, on a busy machine too.
const soon = 20 * time.Millisecond

// must fails the test where a call failed.
func must(t testing.TB, n int, e syscall.Errno) int {
	t.Helper()
	if e != 0 {
		t.Fatal(e)
	}
	return n
}

func call(nr uintptr, a ...uintptr) (int, syscall.Errno) {
	var v [6]uintptr
	copy(v[:], a)
	r, e := posix.Call(nr, v[0], v[1], v[2], v[3], v[4], v[5])
	return int(r), syscall.Errno(e)
}

// address is p as an argument of a call. What p points to is moved to the heap for it, where it stays.
func address[T any](p *T) uintptr {
	kept = p
	return uintptr(unsafe.Pointer(p))
}

var kept any

func pipe(t testing.TB, flags int) (r, w int) {
	t.Helper()
	var fds [2]int32
	must(t, 0, posix.Pipe2(&fds, flags))
	t.Cleanup(func() {
		posix.Close(int(fds[0]))
		posix.Close(int(fds[1]))
	})
	return int(fds[0]), int(fds[1])
}

// opened takes a descriptor as a call gives it, and closes it when the test is over.
func opened(t testing.TB) func(fd int, e syscall.Errno) int {
	return func(fd int, e syscall.Errno) int {
		t.Helper()
		must(t, fd, e)
		t.Cleanup(func() { posix.Close(fd) })
		return fd
	}
}

// sleeps runs f and checks that it is still asleep when wake is called, and that it then returns.
func sleeps(t *testing.T, f, wake func()) {
	t.Helper()
	done := make(chan bool)
	go func() { f(); done <- true }()
	select {
	case <-done:
		t.Fatal("did not wait")
	case <-time.After(soon):
	}
	wake()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("was not woken")
	}
}

func TestPipeReadWaits(t *testing.T) {
	r, w := pipe(t, 0)
	p := make([]byte, 10)
	sleeps(t, func() {
		if n, e := posix.Read(r, p); n != 3 || e != 0 {
			t.Error(n, e)
		}
	}, func() { posix.Write(w, []byte("abc")) })
	sleeps(t, func() {
		if n, e := posix.Read(r, p); n != 0 || e != 0 {
			t.Error("at the end:", n, e)
		}
	}, func() { posix.Close(w) })
}

func TestPipeWriteWaits(t *testing.T) {
	r, w := pipe(t, 0)
	big := make([]byte, 100000)
	got := 0
	sleeps(t, func() {
		if n, e := posix.Write(w, big); n != len(big) || e != 0 {
			t.Error(n, e)
		}
	}, func() {
		for got < len(big) {
			n, e := posix.Read(r, make([]byte, 30000))
			got += must(t, n, e)
		}
	})
	sleeps(t, func() {
		if n, e := posix.Write(w, big); n != 65536 || e != 0 {
			t.Error("cut off:", n, e)
		}
		if n, e := posix.Write(w, big); n != -1 || e != syscall.EPIPE {
			t.Error("broken:", n, e)
		}
	}, func() { posix.Close(r) })
}

// TestCloseUnderRead closes a descriptor that somebody is reading from: as on Linux the read goes on.
func TestCloseUnderRead(t *testing.T) {
	r, w := pipe(t, 0)
	sleeps(t, func() {
		if n, e := posix.Read(r, make([]byte, 1)); n != 1 || e != 0 {
			t.Error(n, e)
		}
	}, func() {
		posix.Close(r)
		if n, e := posix.Write(w, []byte{1}); n != 1 || e != 0 {
			t.Error("the read end was released:", n, e)
		}
	})
	if _, e := posix.Write(w, []byte{1}); e != syscall.EPIPE {
		t.Error("the read end was not released:", e)
	}
}

// TestPipeMany lets several write messages and several read them: none is torn, lost or doubled, nobody is forgotten.
func TestPipeMany(t *testing.T) {
	const writers, readers, each, size = 4, 4, 2000, 96
	r, w := pipe(t, 0)
	var got [writers * each]atomic.Int32
	var wg, rg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			p := make([]byte, size)
			for j := range each {
				for k := 0; k < size; k += 4 {
					binary.NativeEndian.PutUint32(p[k:], uint32(i*each+j))
				}
				if n, e := posix.Write(w, p); n != size || e != 0 {
					t.Error(n, e)
				}
			}
		})
	}
	for range readers {
		rg.Go(func() {
			p := make([]byte, size) // a multiple of it fits no page: so messages stay whole only if read whole
			for {
				n, e := posix.Read(r, p)
				if n == 0 {
					return
				}
				for n < size && e == 0 && n > 0 {
					t.Error("torn", n)
					return
				}
				m := binary.NativeEndian.Uint32(p)
				for k := 0; k < size; k += 4 {
					if binary.NativeEndian.Uint32(p[k:]) != m {
						t.Error("mixed")
					}
				}
				got[m].Add(1)
			}
		})
	}
	wg.Wait()
	posix.Close(w)
	rg.Wait()
	for i := range got {
		if n := got[i].Load(); n != 1 {
			t.Fatalf("message %d arrived %d times", i, n)
		}
	}
}

// TestEventFDMany hands out tokens: every reader gets one, however wake-ups fall.
func TestEventFDMany(t *testing.T) {
	const workers, each = 8, 1000
	fd := opened(t)(eventfd2(0, 1))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			p := make([]byte, 8)
			for range each {
				if n, e := posix.Read(fd, p); n != 8 || e != 0 {
					t.Error(n, e)
				}
			}
		})
		wg.Go(func() {
			p := make([]byte, 8)
			for i := 0; i < each; i += 4 {
				binary.NativeEndian.PutUint64(p, 4)
				posix.Write(fd, p)
			}
		})
	}
	wg.Wait()
}

func TestEventFDWriteWaits(t *testing.T) {
	fd := opened(t)(eventfd2(0, 0))
	p := binary.NativeEndian.AppendUint64(nil, 1<<64-2)
	must(t, 0, second(posix.Write(fd, p)))
	sleeps(t, func() { posix.Write(fd, binary.NativeEndian.AppendUint64(nil, 5)) },
		func() { posix.Read(fd, make([]byte, 8)) })
}

func second(_ int, e syscall.Errno) syscall.Errno { return e }

// wait is epoll_wait with room for several events.
func wait(t testing.TB, ep int, deadline int64) []uint64 {
	t.Helper()
	p := make([]byte, 8*epollEventSize)
	n, e := epollWait(ep, p, deadline)
	must(t, n, e)
	var got []uint64
	for i := range n {
		_, data := epollEvent(p[i*epollEventSize:])
		got = append(got, data)
	}
	return got
}

func TestEpollWaits(t *testing.T) {
	r, w := pipe(t, syscall.O_NONBLOCK)
	inner, outer := opened(t)(epollCreate(0)), opened(t)(epollCreate(0))
	must(t, 0, epollCtl(inner, syscall.EPOLL_CTL_ADD, r, posix.In, 7))
	must(t, 0, epollCtl(outer, syscall.EPOLL_CTL_ADD, inner, posix.In, 8))
	for _, ep := range []int{inner, outer} {
		sleeps(t, func() {
			if got := wait(t, ep, forever); len(got) != 1 {
				t.Error(got)
			}
		}, func() { posix.Write(w, []byte{1}) })
		posix.Read(r, make([]byte, 1))
	}
	begin := time.Now()
	if got := wait(t, outer, afterMS(30)); len(got) != 0 || time.Since(begin) < 30*time.Millisecond {
		t.Error(got, time.Since(begin))
	}
}

// TestEpollEdgeMany lets several wait for edges: each write wakes one of them, and every one is woken in the end.
func TestEpollEdgeMany(t *testing.T) {
	const waiters = 4
	r, w := pipe(t, syscall.O_NONBLOCK)
	ep := opened(t)(epollCreate(0))
	must(t, 0, epollCtl(ep, syscall.EPOLL_CTL_ADD, r, posix.In|epollEdge, 0))
	woken := make(chan int, waiters)
	for range waiters {
		go func() { woken <- len(wait(t, ep, forever)) }()
	}
	time.Sleep(soon)
	for range waiters {
		posix.Write(w, []byte{1})
		select {
		case n := <-woken:
			if n != 1 {
				t.Error(n)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was woken")
		}
		time.Sleep(time.Millisecond)
		if len(woken) != 0 {
			t.Fatal("two were woken by one edge")
		}
	}
}

// TestEpollChurn registers, fires and releases from several goroutines, for the race detector.
func TestEpollChurn(t *testing.T) {
	ep := opened(t)(epollCreate(0))
	stop := make(chan bool)
	done := make(chan bool)
	go func() {
		for {
			select {
			case <-stop:
				done <- true
				return
			default:
				wait(t, ep, afterMS(1))
			}
		}
	}()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 300 {
				var fds [2]int32
				if e := posix.Pipe2(&fds, syscall.O_NONBLOCK); e != 0 {
					t.Error(e)
					return
				}
				r, w := int(fds[0]), int(fds[1])
				epollCtl(ep, syscall.EPOLL_CTL_ADD, r, posix.In, uint64(r))
				posix.Write(w, []byte{1})
				epollCtl(ep, syscall.EPOLL_CTL_MOD, r, posix.In|epollOneshot, uint64(r))
				posix.Write(w, []byte{1})
				posix.Close(r)
				posix.Close(w)
			}
		})
	}
	wg.Wait()
	stop <- true
	<-done
	epollLock.Lock()
	left := len(epollItems)
	epollLock.Unlock()
	if left != 0 {
		t.Error(left, "files are still registered")
	}
}

func TestPollWaits(t *testing.T) {
	r, w := pipe(t, 0)
	sleeps(t, func() {
		fds := []pollFD{{fd: -1, events: 1}, {fd: int32(r), events: 1}}
		if n := pollWait(fds, forever); n != 1 || fds[1].revents != 1 {
			t.Error(n, fds)
		}
	}, func() { posix.Write(w, []byte{1}) })
	begin := time.Now()
	if n := pollWait([]pollFD{{fd: int32(w), events: 1}}, afterMS(30)); n != 0 || time.Since(begin) < 30*time.Millisecond {
		t.Error(n, time.Since(begin))
	}
}

func TestSelectWaits(t *testing.T) {
	r, w := pipe(t, 0)
	sleeps(t, func() {
		sets := [3][]uint64{make([]uint64, 16)}
		sets[0][r/64] |= 1 << (r % 64)
		if n, e := selectWait(r+1, &sets, forever); n != 1 || e != 0 || sets[0][r/64] != 1<<(r%64) {
			t.Error(n, e, sets)
		}
	}, func() { posix.Write(w, []byte{1}) })
}

func TestTimerFD(t *testing.T) {
	fd := opened(t)(timerfdCreate(clockMonotonic, 0))
	spec := itimerspec{interval: syscall.NsecToTimespec(20e6), value: syscall.NsecToTimespec(10e6)}
	begin := time.Now()
	must(t, 0, timerfdSettime(fd, 0, &spec, nil))
	p := make([]byte, 8)
	must(t, 0, second(posix.Read(fd, p)))
	if d, n := time.Since(begin), binary.NativeEndian.Uint64(p); d < 10*time.Millisecond || n == 0 {
		t.Error(d, n)
	}
	time.Sleep(70 * time.Millisecond)
	must(t, 0, second(posix.Read(fd, p)))
	if n := binary.NativeEndian.Uint64(p); n < 3 {
		t.Error("only", n, "expiries")
	}
	var cur itimerspec
	must(t, 0, timerfdGettime(fd, &cur))
	if cur.interval != spec.interval || cur.value.Nano() <= 0 || cur.value.Nano() > 20e6 {
		t.Errorf("%+v", cur)
	}
	must(t, 0, timerfdSettime(fd, 0, &itimerspec{}, &cur))
	must(t, 0, second(posix.Fcntl(fd, syscall.F_SETFL, syscall.O_NONBLOCK)))
	if _, e := posix.Read(fd, p); e != syscall.EAGAIN {
		t.Error("disarmed:", e)
	}
	// An absolute deadline that has passed, seen through epoll.
	ep := opened(t)(epollCreate(0))
	must(t, 0, epollCtl(ep, syscall.EPOLL_CTL_ADD, fd, posix.In, 5))
	must(t, 0, timerfdSettime(fd, 1, &itimerspec{value: syscall.NsecToTimespec(1)}, nil))
	if got := wait(t, ep, afterMS(10000)); len(got) != 1 {
		t.Error(got)
	}
}

func TestSleep(t *testing.T) {
	begin := time.Now()
	ts := &syscall.Timespec{Nsec: 15e6}
	must(t, 0, second(call(syscall.SYS_NANOSLEEP, address(ts))))
	if d := time.Since(begin); d < 15*time.Millisecond {
		t.Error(d)
	}
	for _, bad := range []syscall.Timespec{{Sec: -1}, {Nsec: 1e9}, {Nsec: -1}} {
		if _, e := call(syscall.SYS_NANOSLEEP, address(&bad)); e != syscall.EINVAL {
			t.Error(bad, e)
		}
	}
}

// TestEventFDInfo: fdinfo has the count as the host's kernel writes it.
func TestEventFDInfo(t *testing.T) {
	const count = 0x1f3
	fd, _, e := syscall.RawSyscall(syscall.SYS_EVENTFD2, count, 0, 0)
	if e != 0 {
		t.Fatal(e)
	}
	defer syscall.Close(int(fd))
	judge, err := os.ReadFile(fmt.Sprint("/proc/self/fdinfo/", fd))
	if err != nil {
		t.Fatal(err)
	}
	if got := (&eventFD{count: count}).FDInfo(); !strings.Contains(string(judge), "\n"+got) {
		t.Errorf("%q is not in the host's %q", got, judge)
	}
}
