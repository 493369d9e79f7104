// Command web is what the network's rows talk to: a net/http server on port 80, a UDP echo server on port 7, and files of zeros.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
)

const page = "Hello, World!\n"

func main() {
	http.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })
	http.HandleFunc("GET /bytes/{n}", send)
	http.HandleFunc("PUT /bytes", receive)
	l, err := net.Listen("tcp", ":80")
	if err != nil {
		stop(err)
	}
	c, err := net.ListenUDP("udp", &net.UDPAddr{Port: 7})
	if err != nil {
		stop(err)
	}
	go echo(c)
	fmt.Println("ready")
	stop(http.Serve(l, nil))
}

func stop(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

var zeros [64 << 10]byte

// send answers with as many bytes as the path asks for.
func send(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil || n < 0 {
		http.Error(w, "want a number of bytes", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	for n > 0 {
		m, err := w.Write(zeros[:min(n, int64(len(zeros)))])
		if err != nil {
			return
		}
		n -= int64(m)
	}
}

// receive counts what it is sent.
func receive(w http.ResponseWriter, r *http.Request) {
	buf := make([]byte, 64<<10)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, buf)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintln(w, n)
}

// echo answers each datagram with itself.
func echo(c *net.UDPConn) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			stop(err)
		}
		if _, err := c.WriteToUDPAddrPort(buf[:n], from); err != nil {
			stop(err)
		}
	}
}
