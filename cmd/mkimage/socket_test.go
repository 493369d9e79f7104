package main

import (
	"strings"
	"testing"
)

// unixProgram knows nothing of Hardtack: net/http over a unix socket, deadlines, packets, and a pipe of package net beside them.
const unixProgram = `package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

func main() {
	serveHTTP("@hardtack")
	serveHTTP("/run/app.sock")
	deadline()
	packets()
	same()
	if _, err := net.Dial("unix", "@nobody"); err == nil || !strings.Contains(err.Error(), "connection refused") {
		fail("dial to nobody:", err)
	}
	if _, err := net.Dial("unix", "/no/such"); !errors.Is(err, os.ErrNotExist) {
		fail("dial to no path:", err)
	}
	if _, err := net.Interfaces(); err != nil {
		fail(err)
	}
	fmt.Println("all is well")
}

func fail(what ...any) {
	fmt.Println(what...)
	os.Exit(1)
}

func serveHTTP(name string) {
	l, err := net.Listen("unix", name)
	if err != nil {
		fail(err)
	}
	body := bytes.Repeat([]byte("0123456789"), 100_000)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := io.ReadAll(r.Body)
		if err != nil || r.Method == "POST" && !bytes.Equal(in, body) {
			w.WriteHeader(400)
		}
		w.Write(body)
	})}
	go s.Serve(l)
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", name)
	}}}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 5 {
				var r *http.Response
				var err error
				if i%2 == 0 {
					r, err = c.Get("http://x/")
				} else {
					r, err = c.Post("http://x/", "text/plain", bytes.NewReader(body))
				}
				if err != nil {
					fail(err)
				}
				got, err := io.ReadAll(r.Body)
				r.Body.Close()
				if r.StatusCode != 200 || err != nil || !bytes.Equal(got, body) {
					fail(r.Status, len(got), err)
				}
			}
		})
	}
	all.Wait()
	if err := s.Shutdown(context.Background()); err != nil {
		fail(err)
	}
}

func pair() (net.Conn, net.Conn) {
	l, err := net.Listen("unix", "@pair")
	if err != nil {
		fail(err)
	}
	defer l.Close()
	a, err := net.Dial("unix", "@pair")
	if err != nil {
		fail(err)
	}
	b, err := l.Accept()
	if err != nil {
		fail(err)
	}
	return a, b
}

func deadline() {
	a, b := pair()
	a.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		fail("read:", err)
	}
	much := make([]byte, 4<<20)
	a.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	n, err := a.Write(much)
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 {
		fail("write:", n, err)
	}
	a.Close()
	got, err := io.Copy(io.Discard, b)
	if got != int64(n) || err != nil {
		fail("the rest:", got, n, err)
	}
}

func packets() {
	for _, network := range []string{"unixgram"} {
		s, err := net.ListenPacket(network, "@"+network)
		if err != nil {
			fail(err)
		}
		c, err := net.DialUnix(network, &net.UnixAddr{Name: "", Net: network}, &net.UnixAddr{Name: "@" + network, Net: network})
		if err != nil {
			fail(err)
		}
		go func() {
			for range 1000 {
				c.Write([]byte("ping"))
			}
		}()
		for range 1000 {
			b := make([]byte, 10)
			n, from, err := s.ReadFrom(b)
			if err != nil || string(b[:n]) != "ping" {
				fail(n, from, err)
			}
		}
	}
}

// same passes the same bytes through net.Pipe and a socket.
func same() {
	text := strings.Repeat("to and fro ", 1000)
	echo := func(a, b net.Conn) string {
		go func() {
			io.CopyN(b, b, int64(len(text)))
			b.Close()
		}()
		go io.WriteString(a, text)
		got, err := io.ReadAll(a)
		if err != nil {
			fail(err)
		}
		return string(got)
	}
	if x, y := echo(net.Pipe()), echo(pair()); x != text || y != text {
		fail("pipe", len(x), "socket", len(y))
	}
}
`

// TestUnixSockets runs a program with unix sockets inside an image, on one and on several CPUs; nobody asked for sockets, they are linked because the
// program links package net.
func TestUnixSockets(t *testing.T) {
	dir := app(t, unixProgram)
	for _, cpus := range []string{"1", "4"} {
		c := call{dir: dir}
		c.mkimage(t, "run", "--cpus", cpus)
		c.want(t, 0, "all is well")
	}
}

// TestSocketsAreLinkedWhereUsed: not into a program without package net, and not against the flag.
func TestSocketsAreLinkedWhereUsed(t *testing.T) {
	const module = "libos/net/socket "
	build := func(dir string, args ...string) string {
		c := call{dir: dir}
		c.mkimage(t, append([]string{"build", "-o", "app.elf"}, args...)...)
		c.want(t, 0)
		c.mkimage(t, "inspect", "app.elf")
		c.want(t, 0)
		return c.stdout
	}
	plain := app(t, program("fmt", `fmt.Println("x")`))
	uses := app(t, program("fmt net", `_, err := net.Listen("unix", "@x"); fmt.Println(err)`))
	if strings.Contains(build(plain), module) {
		t.Error("sockets are in a program that uses none")
	}
	if !strings.Contains(build(plain, "--sockets", "on"), module) {
		t.Error("--sockets on: they are not linked")
	}
	if !strings.Contains(build(uses), module) {
		t.Error("sockets are missing in a program that uses package net")
	}
	if strings.Contains(build(uses, "--sockets", "off"), module) {
		t.Error("--sockets off: they are linked")
	}
	c := call{dir: uses}
	c.mkimage(t, "run", "--sockets", "off")
	c.want(t, 0, "address family not supported by protocol")
	c.mkimage(t, "run", "--sockets", "maybe")
	c.want(t, 1, "want auto, on, off")
}
