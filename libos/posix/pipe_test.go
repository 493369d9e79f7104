package posix

import (
	"syscall"
	"testing"
)

func TestPipeAllocatesNothing(t *testing.T) {
	var fds [2]int32
	if e := Pipe2(&fds, 0); e != 0 {
		t.Fatal(e)
	}
	r, w := int(fds[0]), int(fds[1])
	defer Close(r)
	defer Close(w)
	small, large := make([]byte, 100), make([]byte, 65536)
	for _, p := range [][]byte{small, large} {
		if n := testing.AllocsPerRun(100, func() { Write(w, p); Read(r, p) }); n != 0 {
			t.Errorf("%d bytes through a pipe: %v allocations", len(p), n)
		}
	}
	done := make(chan bool)
	go func() {
		p := make([]byte, 100)
		for {
			if n, _ := Read(r, p); n <= 0 {
				close(done)
				return
			}
		}
	}()
	if n := testing.AllocsPerRun(1000, func() { Write(w, small) }); n != 0 {
		t.Error("to a sleeping reader:", n)
	}
	Close(w)
	<-done
}

func TestBrokenPipeSignals(t *testing.T) {
	var sent int
	host.signal = func(sig int) { sent = sig }
	defer func() { host.signal = nil }()
	var fds [2]int32
	Pipe2(&fds, syscall.O_CLOEXEC)
	Close(int(fds[0]))
	defer Close(int(fds[1]))
	if n, e := Write(int(fds[1]), []byte{1}); n != -1 || e != syscall.EPIPE || sent != int(syscall.SIGPIPE) {
		t.Error(n, e, sent)
	}
	if v, _ := Fcntl(int(fds[1]), syscall.F_GETFD, 0); v != syscall.FD_CLOEXEC {
		t.Error("no FD_CLOEXEC")
	}
}

func TestPipeFlags(t *testing.T) {
	var fds [2]int32
	if e := Pipe2(&fds, syscall.O_APPEND); e != syscall.EINVAL {
		t.Error(e)
	}
}

// TestNetpoll checks that each new occurrence reaches the runtime's poller, and none after pollClose.
func TestNetpoll(t *testing.T) {
	var got []int
	host.pollReady = func(pd uintptr, mode int) { got = append(got, int(pd)<<16|mode) }
	defer func() { host.pollReady = nil }()
	var fds [2]int32
	Pipe2(&fds, syscall.O_NONBLOCK)
	r, w := uintptr(fds[0]), uintptr(fds[1])
	defer Close(int(r))
	expect := func(what string, want ...int) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: %x, want %x", what, got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%s: %x, want %x", what, got, want)
			}
		}
		got = nil
	}
	const rd, wr = 1 << 16, 2 << 16
	if pollOpen(r, 1) != 0 || pollOpen(w, 2) != 0 {
		t.Fatal("pollOpen")
	}
	expect("open", wr|'w')
	if e := pollOpen(r, 1); e != int32(syscall.EEXIST) {
		t.Error(e)
	}
	Write(int(w), []byte{1})
	Write(int(w), []byte{1})
	expect("each write is an edge", rd|'r', rd|'r')
	Write(int(w), make([]byte, 1<<17))
	got = nil
	Read(int(r), make([]byte, 1<<17))
	expect("room again", wr|'w')
	if e := pollClose(r); e != 0 {
		t.Error(e)
	}
	Write(int(w), []byte{1})
	expect("after pollClose")
	pollOpen(r, 1)
	expect("open what is ready", rd|'r')
	Close(int(w)) // without pollClose
	expect("the other end is gone", rd|('r'+'w'))
	if e := pollClose(w); e != int32(syscall.EBADF) {
		t.Error(e)
	}
	if e := pollOpen(uintptr(open(t, regular{}, 0)), 3); e != int32(syscall.EPERM) {
		t.Error(e)
	}
}

// A regular is always ready.
type regular struct{}

func (regular) Read(f *File, p []byte) (int, syscall.Errno)  { return 0, 0 }
func (regular) Write(f *File, p []byte) (int, syscall.Errno) { return 0, 0 }
func (regular) Watchers() *Watchers                          { return nil }
func (regular) Stat(*syscall.Stat_t)                         {}
func (regular) Ready() Events                                { return In | Out }
func (regular) Release()                                     {}
