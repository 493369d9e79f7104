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
	a.SetWriteDeadline(time.Now().Add(time.Second))
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

// nettestProgram runs golang.org/x/net's own tests of what a net.Conn must do, over each kind of stream that an image has in itself.
const nettestProgram = `package nt

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"
)

func maker(network, address string) nettest.MakePipe {
	return func() (c1, c2 net.Conn, stop func(), err error) {
		l, err := net.Listen(network, address)
		if err != nil {
			return nil, nil, nil, err
		}
		defer l.Close()
		done := make(chan error)
		go func() {
			c2, err = l.Accept()
			done <- err
		}()
		c1, err = net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			return nil, nil, nil, err
		}
		if err := <-done; err != nil {
			return nil, nil, nil, err
		}
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	}
}

func TestTCP4(t *testing.T)       { nettest.TestConn(t, maker("tcp4", "127.0.0.1:0")) }
func TestTCP6(t *testing.T)       { nettest.TestConn(t, maker("tcp6", "[::1]:0")) }
func TestUnix(t *testing.T)       { nettest.TestConn(t, maker("unix", "@nettest")) }
func TestUnixpacket(t *testing.T) { nettest.TestConn(t, maker("unixpacket", "@nettestp")) }
`

// TestNettest: all eleven, for four kinds.
func TestNettest(t *testing.T) {
	c := call{dir: tree(t, map[string]string{
		"go.mod": "module example.com/nt\n\ngo 1.26.0\n\nrequire golang.org/x/net v0.62.0\n",
		"go.sum": "golang.org/x/net v0.62.0 h1:18ELalfM5+XNRwzM2nYqXsZQ9ByS1uhj2O/U7+5jqRY=\n" +
			"golang.org/x/net v0.62.0/go.mod h1:WgDCOTH8iwtB66T4/GfI94AHo/hhdb7Hah9NDseQfiI=\n",
		"nt_test.go": nettestProgram,
	})}
	c.mkimage(t, "test", ".", "--", "-test.v")
	c.want(t, 0, "\nPASS\n")
	if n := strings.Count(c.stdout, "    --- PASS: "); n != 4*11 {
		t.Errorf("%d of 44 passed", n)
	}
}

// TestLoopback runs a program that talks to itself over TCP and UDP, knows localhost, finds the interface, and is told the right errors.
func TestLoopback(t *testing.T) {
	c := call{dir: app(t, loopbackProgram)}
	c.mkimage(t, "run", "--cpus", "2", "--net", "none")
	c.want(t, 0, "all is well")
}

const loopbackProgram = `package main

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
	"syscall"
)

func check(ok bool, what ...any) {
	if !ok {
		fmt.Println(what...)
		os.Exit(1)
	}
}

var served net.Conn // by a web server

// copied checks that no more than so many bytes that were written to a connection were copied, as the stack counts them.
func copied(c net.Conn, most int) {
	dump, err := os.ReadFile("/proc/net/dump")
	check(err == nil, err)
	for line := range strings.Lines(string(dump)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[3] != c.LocalAddr().String() || f[4] != c.RemoteAddr().String() {
			continue
		}
		var in, out int
		_, err := fmt.Sscanf(f[len(f)-1], "%d/%d", &in, &out)
		check(err == nil && out <= most, "copied:", line)
		return
	}
	check(false, "no line for", c.LocalAddr(), c.RemoteAddr(), string(dump))
}

// relay has bytes copied by io.Copy in ways for which package net asks the kernel (splice, sendfile): from one connection to another, and from a file.
func relay() {
	const size = 4 << 20
	want := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	serve := func(f func(*net.TCPConn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(err == nil, err)
		go func() {
			for {
				c, err := l.Accept()
				check(err == nil, err)
				go func() {
					f(c.(*net.TCPConn))
					c.Close()
				}()
			}
		}()
		return l.Addr().String()
	}
	source := serve(func(c *net.TCPConn) { c.Write(want) })
	through := serve(func(c *net.TCPConn) {
		s, err := net.Dial("tcp", source)
		check(err == nil, err)
		n, err := io.Copy(c, s)
		check(n == size && err == nil, "relay:", n, err)
	})
	hosts, err := os.ReadFile("/etc/hosts")
	check(err == nil, err)
	file := serve(func(c *net.TCPConn) {
		f, err := os.Open("/etc/hosts")
		check(err == nil, err)
		n, err := io.Copy(c, f)
		check(int(n) == len(hosts) && err == nil, "file:", n, err)
		copied(c, 0)
	})
	const roots = "/etc/ssl/certs/ca-certificates.crt"
	large, err := os.ReadFile(roots)
	check(err == nil && len(large) > 50_000, len(large), err)
	web := &http.Server{
		Handler:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, roots) }),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { served = c; return ctx },
	}
	wl, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, err)
	go web.Serve(wl)
	r, err := http.Get("http://" + wl.Addr().String())
	check(err == nil, err)
	got, err := io.ReadAll(r.Body)
	check(err == nil && bytes.Equal(got, large), "web:", len(got), err)
	copied(served, 1000) // the response's head
	for _, x := range []struct {
		addr string
		want []byte
	}{{through, want}, {file, hosts}} {
		c, err := net.Dial("tcp", x.addr)
		check(err == nil, err)
		got, err := io.ReadAll(c)
		check(err == nil && bytes.Equal(got, x.want), "through:", len(got), err)
	}
}

func main() {
	l, err := net.Listen("tcp", ":8080")
	check(err == nil, err)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	}))
	var all sync.WaitGroup
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]", "127.9.9.9"} {
		all.Go(func() {
			for range 5 {
				r, err := http.Post("http://"+host+":8080/", "text/plain", strings.NewReader(strings.Repeat("x", 1<<20)))
				check(err == nil, host, err)
				b, err := io.ReadAll(r.Body)
				check(err == nil && string(b) == "1048576 <nil>", host, string(b), err)
			}
		})
	}
	all.Wait()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err == nil, err)
	c, err := net.Dial("udp", u.LocalAddr().String())
	check(err == nil, err)
	c.Write([]byte("ping"))
	b := make([]byte, 10)
	n, from, err := u.ReadFrom(b)
	check(err == nil && string(b[:n]) == "ping" && from.String() == c.LocalAddr().String(), n, from, err)
	u.WriteTo([]byte("pong"), from)
	n, err = c.Read(b)
	check(err == nil && string(b[:n]) == "pong", n, err)

	_, err = net.Dial("tcp", "127.0.0.1:1")
	check(errors.Is(err, syscall.ECONNREFUSED), err)
	_, err = net.Dial("tcp", "10.1.1.1:1")
	check(errors.Is(err, syscall.ENETUNREACH), err)
	_, err = net.Listen("tcp", ":8080")
	check(errors.Is(err, syscall.EADDRINUSE), err)
	_, err = net.Listen("tcp", "10.1.1.1:0")
	check(errors.Is(err, syscall.EADDRNOTAVAIL), err)
	_, err = net.LookupHost("www.example.org")
	check(err != nil, "a name was found without a server")

	relay()

	i, err := net.InterfaceByName("lo")
	check(err == nil && i.Flags&net.FlagLoopback != 0 && i.MTU == 65536, i, err)
	addrs, err := i.Addrs()
	check(err == nil && fmt.Sprint(addrs) == "[127.0.0.1/8 ::1/128]", addrs, err)
	fmt.Println("all is well")
}
`
