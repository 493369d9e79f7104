package posix

import (
	"runtime"
	"syscall"
	"testing"
)

// TestConsole types at the console. There is one for the whole package, so everything is here, in order.
func TestConsole(t *testing.T) {
	host.console.in = make(chan []byte)
	theConsole.mu.Lock()
	for theConsole.pumping { // that of a run before, which has met the end
		theConsole.mu.Unlock()
		runtime.Gosched()
		theConsole.mu.Lock()
	}
	theConsole.ended = false
	theConsole.mu.Unlock()
	var out []byte
	host.console.out = func(p []byte) { out = append(out, p...) }
	defer func() { host.console.out = nil }()

	if n, e := Write(1, []byte("hello\n")); n != 6 || e != 0 || string(out) != "hello\n" {
		t.Errorf("%d %v %q", n, e, out)
	}
	theConsole.Translate(true, true)
	out = nil
	if n, e := Write(2, []byte("a\nb\n\nc")); n != 6 || e != 0 || string(out) != "a\r\nb\r\n\r\nc" {
		t.Errorf("%d %v %q", n, e, out)
	}
	theConsole.Translate(true, false)

	type got struct {
		s string
		e syscall.Errno
	}
	read := func(size int) got {
		p := make([]byte, size)
		n, e := Read(0, p)
		return got{string(p[:max(n, 0)]), e}
	}
	done := make(chan got)
	go func() { done <- read(100) }()
	host.console.in <- []byte("line\r")
	if g := <-done; g.s != "line\n" {
		t.Errorf("%+v", g)
	}
	host.console.in <- []byte("abcdef")
	if g := read(4); g.s != "abcd" {
		t.Errorf("%+v", g)
	}
	if g := read(4); g.s != "ef" {
		t.Errorf("%+v", g)
	}

	// Ctrl-V before a byte, in the same piece or the one before.
	host.console.in <- []byte("a\r\x16\r\x16\x04\x16\x16\x16z\x16")
	if g := read(100); g.s != "a\n\r\x04\x16z" {
		t.Errorf("%+q", g.s)
	}
	host.console.in <- []byte("\x04b")
	if g := read(100); g.s != "\x04b" {
		t.Errorf("%+q", g.s)
	}
	host.console.in <- []byte("\x16") // nothing yet: the reader goes on waiting
	go func() { done <- read(100) }()
	host.console.in <- []byte("\r")
	if g := <-done; g.s != "\r" {
		t.Errorf("%+q", g.s)
	}
	theConsole.Translate(false, false)
	host.console.in <- []byte("\r\x16\r")
	if g := read(100); g.s != "\r\r" {
		t.Errorf("%+q", g.s)
	}
	theConsole.Translate(true, false)

	// Polled: nonblocking reads, and netpoll hears of input.
	Fcntl(0, syscall.F_SETFL, syscall.O_NONBLOCK)
	if g := read(4); g.e != syscall.EAGAIN {
		t.Error(g)
	}
	edges := make(chan int, 10)
	host.pollReady = func(pd uintptr, mode int) { edges <- mode }
	defer func() { host.pollReady = nil }()
	if e := pollOpen(0, 1); e != 0 {
		t.Fatal(e)
	}
	if m := <-edges; m != 'w' {
		t.Error("at open:", m)
	}
	host.console.in <- []byte("x")
	if m := <-edges; m != 'r' {
		t.Error("at input:", m)
	}
	if g := read(4); g.s != "x" {
		t.Error(g)
	}
	if e := pollClose(0); e != 0 {
		t.Error(e)
	}
	Fcntl(0, syscall.F_SETFL, 0)

	host.console.out = nil
	line := []byte("y")
	if n := testing.AllocsPerRun(100, func() { Write(1, line) }); n != 0 {
		t.Error("a write allocates", n, "times")
	}
	p := make([]byte, 1)
	if n := testing.AllocsPerRun(100, func() { host.console.in <- line; Read(0, p) }); n != 0 {
		t.Error("a read allocates", n, "times")
	}

	host.console.in <- []byte("last\x04and no more")
	if g := read(100); g.s != "last" {
		t.Errorf("%+q", g.s)
	}
	for range 2 {
		if g := read(4); g != (got{}) {
			t.Error("at the end:", g)
		}
	}
	var st syscall.Stat_t
	if e := Fstat(0, &st); e != 0 || st.Mode&syscall.S_IFMT != syscall.S_IFCHR {
		t.Errorf("%v %+v", e, st)
	}
}
