package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// TestNetstat: a running image shows its network to who asks, and which goroutine waits for which connection; the program can read the same.
func TestNetstat(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt net os strings", `
	l, err := net.Listen("tcp", ":8080")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("listening")
	c, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	go l.Accept()
	reads(c)
	dump, err := os.ReadFile("/proc/net/goroutines")
	fmt.Println("by itself", strings.Contains(string(dump), "[IO wait, tcp [::]:8080 read]:"), err)
}

func reads(c net.Conn) {
	fmt.Fprintln(c, "welcome")
	var b [1]byte
	n, err := c.Read(b[:])
	fmt.Println("read", n, err)`))
	web, dump := freePort(t), freePort(t)
	image := (&call{dir: dir}).command(t, "run", "-p", fmt.Sprintf("%d:8080", web), "-p", fmt.Sprintf("%d:7070", dump), "--netstat", "7070")
	out, err := image.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(image); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	expect := func(want string) {
		if got, err := lines.ReadString('\n'); got != want+"\n" {
			t.Fatalf("said %q, %v; want %q", got, err, want)
		}
	}
	expect("listening")
	c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", web))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "welcome\n" {
		t.Fatal(line, err)
	}
	get := func(path string) (int, string) {
		client := http.Client{Timeout: time.Minute}
		r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", dump, path))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	until := func(path, pattern string) {
		var got string
		for range 600 { // until it has gone to sleep
			if _, got = get(path); regexp.MustCompile(pattern).MatchString(got) {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("%s: no %s in\n%s", path, pattern, got)
	}
	until("/", `(?m)^tcp +0 +0 10\.0\.2\.15:8080 +10\.0\.2\.2:\d+ +ESTABLISHED .* read by goroutine 1 in 0 out 8`)
	until("/", `(?m)^tcp +0 +\d+ \[::\]:8080 +\* +LISTEN .* read by goroutine \d+$`)
	until("/goroutines", `goroutine 1 \[IO wait, tcp 10\.0\.2\.15:8080 10\.0\.2\.2:\d+ read\]:\n(?s:.)*main\.reads`)
	if code, body := get("/else"); code != 404 {
		t.Errorf("%d %s", code, body)
	}
	c.Write([]byte("x"))
	expect("read 1 <nil>")
	expect("by itself true <nil>")
	if err := image.Wait(); err != nil {
		t.Error(err)
	}
}
